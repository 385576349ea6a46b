/* SPDX-License-Identifier: MIT */
/**
 * Regions: bytes that processes share under a lock which survives its owner's death.
 *
 *   plain          lock … unlock around every access. An owner that dies inside leaves the data suspect: the next one gets
 *                  1 and repairs them (heal), or passes the bad news on (unlock poisons the region: -ENOTRECOVERABLE).
 *   atomic         lock, begin, write the spare copy, commit, unlock. Whoever dies inside has changed nothing, so nobody is
 *                  told; and anybody reads a consistent snapshot without the lock.
 *   readers        many readers at once (read_lock), or one writer (lock). Writers do not starve; readers may, while
 *                  writers follow each other without a gap.
 *
 * A handle belongs to one thread at a time; a lock taken through a handle is given back through it. Deadlines are
 * absolute CLOCK_MONOTONIC nanoseconds, or STRAIT_NOW, STRAIT_FOREVER. A waiter spins a little, then sleeps; it notices
 * the death of whom it waits for within 120 ms. A thread that exits holding a lock while its process lives is not
 * recovered (shmctl blame shows it).
 */
#ifndef STRAIT_REGION_H
#define STRAIT_REGION_H

#include <strait/lock.h>
#include <strait/numa.h>
#include <strait/segment.h>

STRAIT_BEGIN_DECLS

#define STRAIT_LOCKS_AT_ONCE 32 /**< most locks of one strait_region_lock_all, and most that the rank checker sees */

struct strait_region_options {
    uint64_t bytes;      /**< of the data; required */
    bool atomic;         /**< two copies: a death inside leaves the old state, snapshots need no lock */
    bool readers;        /**< reader-writer mode; costs 32 KiB. Not together with atomic */
    const void *initial; /**< `bytes` bytes that the data begin with, before anybody sees them; NULL = zeroes */
    uint32_t memory;     /**< on which NUMA node: STRAIT_MEMORY_… (numa.h); default: as the kernel likes */
};

/* Not part of the interface. */
struct strait_guard;
enum strait_region_state {
    STRAIT_REGION_FREE = 0,     /* not held; the fast path may take it */
    STRAIT_REGION_HELD = 1,     /* held, and the fast path may give it back */
    STRAIT_REGION_CAREFUL = 2,  /* not held; there is more to do than a compare-and-swap */
    STRAIT_REGION_HELD_CAREFUL, /* held, likewise */
    STRAIT_REGION_SUSPECT,      /* held, and not healed */
    STRAIT_REGION_READING       /* read-locked */
};

/** A handle. Opaque but for the inline fast path. */
struct strait_region {
    const uint32_t *home; /* 0 in a forked child */
    uint32_t *word;
    uint32_t lease;
    uint32_t state; /* enum strait_region_state */
    void *data;     /* of plain regions */
    uint64_t bytes;
    struct strait_guard *guard;
};

/* ---- opening and closing ---- */

/** Make a region. Any thread; blocks for the admin lock, 5 s at most. 0, -EEXIST, -EINVAL, -ENOSPC, -EMFILE, -ETIMEDOUT,
 * -ECHILD. */
STRAIT_API int strait_region_create(struct strait_segment *segment, const char *name,
                                    const struct strait_region_options *options);

/**
 * Open a region; with options it is created if it is not there, and refused if it exists otherwise. 0, -ENOENT,
 * -EINVAL, -ENOTUNIQ the name is another kind of object, -EPROTO damaged, -ENOMEM, else as strait_region_create.
 */
STRAIT_API int strait_region_open(struct strait_segment *segment, const char *name,
                                  const struct strait_region_options *options, struct strait_region **region);

/** Close a handle, giving back what it holds (unhealed data stay suspect). NULL is ignored. */
STRAIT_API void strait_region_close(struct strait_region *region);

/** Take the name away; the memory goes with the last handle, by close or by death. 0, -ENOENT, -ETIMEDOUT, -ECHILD. */
STRAIT_API int strait_region_unlink(struct strait_segment *segment, const char *name);

/** The data's size in bytes. */
STRAIT_API uint64_t strait_region_bytes(const struct strait_region *region);

/** The data, to be touched under the lock only; of an atomic region the published copy, to be read only. NULL in a
 * forked child. */
STRAIT_API void *strait_region_data(const struct strait_region *region);

/* ---- locking ---- */

/* The slow sides of the inline calls below. */
STRAIT_API int strait_region_lock_slow(struct strait_region *region, uint64_t deadline_ns);
STRAIT_API int strait_region_unlock_slow(struct strait_region *region);
STRAIT_API void strait_region_wake(struct strait_region *region);

/**
 * Lock the region (in reader-writer mode: as the writer).
 *
 * Blocks until the deadline; no system call while nobody else wants it. 0; 1 locked, and an owner died inside: the data
 * are suspect until strait_region_heal. -ETIMEDOUT, -EAGAIN (STRAIT_NOW: held), -ENOTRECOVERABLE poisoned, -EDEADLK this
 * handle holds it already, or the rank checker objects (strait_error() names both), -EINTR, -EPROTO damaged, -ECHILD.
 */
STRAIT_INLINE int strait_region_lock(struct strait_region *region, uint64_t deadline_ns)
{
    if (STRAIT_LIKELY(*region->home != 0 && region->state == STRAIT_REGION_FREE &&
                      strait_lock_take(region->word, region->lease))) {
        region->state = STRAIT_REGION_HELD;
        return 0;
    }
    return strait_region_lock_slow(region, deadline_ns);
}

/**
 * Give the lock back, and wake a waiter. Data that are suspect and were not healed poison the region. An atomic region's
 * writes that were not committed are gone. 0, -EPERM this handle does not hold it, -ECHILD.
 */
STRAIT_INLINE int strait_region_unlock(struct strait_region *region)
{
    if (STRAIT_UNLIKELY(*region->home == 0 || region->state != STRAIT_REGION_HELD))
        return strait_region_unlock_slow(region);
    region->state = STRAIT_REGION_FREE;
    if (STRAIT_UNLIKELY(strait_lock_give(region->word, 0) != region->lease))
        strait_region_wake(region);
    return 0;
}

/** The data have been repaired: they are suspect no longer. Under the lock. 0, -EPERM. */
STRAIT_API int strait_region_heal(struct strait_region *region);

/** Is the region poisoned? 1 or 0; -ECHILD. A snapshot. */
STRAIT_API int strait_region_poisoned(const struct strait_region *region);

/** As strait_region_lock, but a poisoned region is locked, too: 1, to be healed. */
STRAIT_API int strait_region_lock_for_heal(struct strait_region *region, uint64_t deadline_ns);

/* ---- readers ---- */

/**
 * Lock a region that was made with `readers` for reading: others may read meanwhile, nobody writes. A reader that dies
 * is taken out by whoever waits. 0; 1 a writer died inside and the data are suspect until a writer heals them;
 * -EOPNOTSUPP no such region, else as strait_region_lock.
 */
STRAIT_API int strait_region_read_lock(struct strait_region *region, uint64_t deadline_ns);

/** 0, -EPERM this handle does not read, -ECHILD. */
STRAIT_API int strait_region_read_unlock(struct strait_region *region);

/* ---- atomic regions ---- */

/** Under the lock: the spare copy, made equal to the published one, to be written. 0, -EPERM, -EOPNOTSUPP, -ECHILD. */
STRAIT_API int strait_region_begin(struct strait_region *region, void **data);

/** Publish what was written since begin, by one store; the lock stays. 0, -EPERM nothing was begun, -ECHILD. */
STRAIT_API int strait_region_commit(struct strait_region *region);

/**
 * Copy the first `bytes` published bytes to `to`, consistently. Takes no lock and makes no system call, unless 64 tries
 * have each met a commit: then it waits for the lock, until the deadline. 0, -EOPNOTSUPP, -EMSGSIZE more than the region
 * has, -ECHILD, else as strait_region_lock, and *to is rubbish.
 */
STRAIT_API int strait_region_snapshot(struct strait_region *region, void *to, uint64_t bytes, uint64_t deadline_ns);

/* ---- several locks ---- */

/**
 * Lock n regions (at most STRAIT_LOCKS_AT_ONCE, all different) in the one order that is the same in every process:
 * segment id, then offset. All or none: what cannot be had in time gives the others back as they were. 0; 1 an owner
 * died inside one of them (strait_region_suspect says which); -EINVAL, else as strait_region_lock.
 */
STRAIT_API int strait_region_lock_all(struct strait_region *const *regions, unsigned n, uint64_t deadline_ns);

/** Unlock all of them: 0, or the first error. */
STRAIT_API int strait_region_unlock_all(struct strait_region *const *regions, unsigned n);

/** Held by this handle, and not healed? 1 or 0. */
STRAIT_API int strait_region_suspect(const struct strait_region *region);

/**
 * Check the order of locks, in regions opened from now on: a thread that holds a region and waits for one that comes
 * before it (segment id, then offset) gets -EDEADLK, whether or not anybody is about to deadlock with it. Tries
 * (STRAIT_NOW) are free. Default: on in builds without optimisation; $STRAIT_RANKS (0 or 1) overrides.
 */
STRAIT_API void strait_region_check_ranks(bool on);

/* ---- figures ---- */

struct strait_contention {
    uint64_t contended; /**< locks that were not had at once */
    uint64_t slept;     /**< sleeps of those */
    uint64_t deaths;    /**< owners that died inside */
};

/** Since the region was made; approximate. 0, -ECHILD. */
STRAIT_API int strait_region_contention(const struct strait_region *region, struct strait_contention *figures);

STRAIT_END_DECLS

#endif
