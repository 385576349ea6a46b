/* SPDX-License-Identifier: MIT */
/**
 * Counters that many processes add to without meeting: each handle has a cell of its own, a cache line that it alone
 * writes, by a plain load and store. Reading sums the cells. What a killed process has added stays counted, exactly: the
 * store is the whole step.
 */
#ifndef STRAIT_COUNTER_H
#define STRAIT_COUNTER_H

#include <errno.h>
#include <strait/atomic.h>
#include <strait/numa.h>
#include <strait/segment.h>

STRAIT_BEGIN_DECLS

/** All zero = the defaults. */
struct strait_counter_options {
    uint32_t handles; /**< how many may be open at once; default 512, a cache line each */
    uint32_t memory;  /**< on which NUMA node: STRAIT_MEMORY_… (numa.h); default: as the kernel likes */
    uint32_t shards; /**< STRAIT_SHARDS_NODES (one for each NUMA node) or a number up to 64: a handle's cell lies on the
                           node that it was opened on, or the nearest with a free one. Default: all cells in one piece */
};

/* Not part of the interface. */
struct strait_counter_rest;

/** A handle. Belongs to one thread at a time. Opaque but for the inline fast path. */
struct strait_counter {
    const uint32_t *home; /* 0 in a forked child */
    uint64_t *value;      /* of our cell */
    struct strait_counter_rest *rest;
};

/**
 * Open the counter `name`; it is created with `options` (NULL = defaults) if it is not there. Any thread; blocks for the
 * admin lock, 5 s at most. 0, -EINVAL, -ENOBUFS all handles are in use, -ENOTUNIQ the name is another kind of object,
 * -ENOSPC, -EMFILE, -EPROTO damaged, -ETIMEDOUT, -ENOMEM, -ECHILD.
 */
STRAIT_API int strait_counter_open(struct strait_segment *segment, const char *name,
                                   const struct strait_counter_options *options, struct strait_counter **counter);

/** Close a handle; what it has added stays. NULL is ignored. */
STRAIT_API void strait_counter_close(struct strait_counter *counter);

/** Take the name away; the memory goes with the last handle, by close or by death. 0, -ENOENT, -ETIMEDOUT, -ECHILD. */
STRAIT_API int strait_counter_unlink(struct strait_segment *segment, const char *name);

/** Add n (which may be negative). Never blocks; a process killed inside has added all of n or nothing. 0, -ECHILD. */
STRAIT_INLINE int strait_counter_add(struct strait_counter *counter, int64_t n)
{
    if (STRAIT_UNLIKELY(*counter->home == 0))
        return -ECHILD;
    strait_store64_relaxed(counter->value, strait_load64_relaxed(counter->value) + (uint64_t)n);
    return 0;
}

/**
 * The sum, modulo 2^64. Never blocks. Adds that happen meanwhile may or may not be in it; those that happened before
 * are. 0, -ECHILD.
 */
STRAIT_API int strait_counter_read(const struct strait_counter *counter, int64_t *sum);

STRAIT_END_DECLS

#endif
