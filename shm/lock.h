/* SPDX-License-Identifier: MIT */
/**
 * The steps of a region's lock that are not the fast path (strait/lock.h): nothing here blocks, strait_wait_word sleeps.
 *
 * In reader-writer mode a reader counts itself in at its own lease's cell and then looks at the word; a writer takes the
 * word and then looks at the cells. Both store before they load, so one of them sees the other; the writer, who has the
 * word, stays, and the reader steps back: writers do not starve. Only leases in `readers` are looked at.
 */
#ifndef STRAIT_SHM_LOCK_H
#define STRAIT_SHM_LOCK_H

#include "strait/lock.h"

/** One part of a region as this process sees it: a checked view. */
struct strait_part {
    struct strait_lock *lock;
    struct strait_reader_cell *cells; /* NULL but in reader-writer mode */
    const struct strait_set *readers;
    unsigned char *data; /* copy 0 */
    uint64_t bytes;
    uint64_t copy_bytes; /* 0 but in atomic regions */
    uint32_t lease;      /* ours */
};

/* ---- the word ---- */

/**
 * Try to have the lock. keep: flags to put into the word (WAITERS by who has slept); heal: a poisoned one, too. 0 mine;
 * 1 mine, and its last owner died inside; 2 mine, and it was poisoned; -EAGAIN held; -ENOTRECOVERABLE poisoned; -EPROTO
 * no lease has such a number.
 */
int strait_lock_step(uint32_t *word, uint32_t lease, uint32_t keep, bool heal);

/** Before sleeping on a held lock: WAITERS is in the word, and *seen is the word. -EAGAIN: look again. */
int strait_lock_mark(uint32_t *word, uint32_t *seen);

/** Whoever was woken and leaves with nothing: see to it that the next one is. */
void strait_lock_pass_on(uint32_t *word);

/** What goes back into the word of a lock that was had with this answer and whose data were not touched. */
static inline uint32_t strait_lock_as_it_was(int answer)
{
    return answer == 0 ? 0 : answer == 1 ? STRAIT_LEASE_ORPHAN | STRAIT_LOCK_DIED : STRAIT_LOCK_POISONED;
}

/** The owner has repaired the data: DIED goes. 0, -EPERM the word is not ours. */
int strait_lock_heal(uint32_t *word, uint32_t lease);

/** Owner of a held lock, or 0. */
static inline uint32_t strait_lock_owner(uint32_t word)
{
    uint32_t owner = word & STRAIT_LOCK_OWNER_MASK;
    return owner == STRAIT_LEASE_ORPHAN ? STRAIT_LEASE_NONE : owner;
}

/* ---- readers ---- */

/** Try to read: as strait_lock_step. The cell is ours. */
int strait_lock_read_step(const struct strait_part *part);

/** Read no more; wake a writer that waits for it. */
void strait_lock_read_leave(const struct strait_part *part);

/** The writer has the word: a lease that still reads, or 0. */
uint32_t strait_lock_reader(const struct strait_part *part);

/** Before the writer sleeps for its readers: what to sleep on, while *reader reads. -EAGAIN nobody reads any more. */
int strait_lock_drain(const struct strait_part *part, uint32_t *seen, uint32_t *reader);

/** The writer waits no longer. */
void strait_lock_drained(const struct strait_part *part);

/* ---- death. Admin, the lease probed since ---- */

/** Remove a dead lease. mark: DIED, or 0 where a death leaves nothing to repair (atomic regions).
 * Had it the lock? */
bool strait_lock_sweep(const struct strait_part *part, uint32_t dead, uint32_t mark);

#endif
