/* SPDX-License-Identifier: MIT */
/**
 * The lock word of a region, and its fast path. The owner is a lease, not a thread id, so a death is seen across C
 * libraries and PID namespaces, and the word says in one step who has it.
 *
 *   0           -> me            take, by CAS
 *   me|…        -> 0             give, by exchange: WAITERS in what was there asks for a wake
 *   me|DIED|…   -> POISONED      give, where a dead owner's data were not healed: everybody gets -ENOTRECOVERABLE
 *   dead|…      -> ORPHAN|DIED   sweep, by CAS; all are woken
 *   ORPHAN|DIED -> me|DIED       take: 1 = the data are suspect
 *   me|DIED|…   -> me|…          heal
 *   POISONED    -> me|DIED       take for healing
 *
 * Who has to wait spins a little, adds WAITERS, and sleeps on the word; who has slept takes it with WAITERS, because
 * others may be asleep still. The rest is in lock.c.
 */
#ifndef STRAIT_LOCK_H
#define STRAIT_LOCK_H

#include "atomic.h"
#include "layout.h"

/** Take a lock that is free and in order: one compare-and-swap. */
STRAIT_INLINE bool strait_lock_take(uint32_t *word, uint32_t lease)
{
    uint32_t seen = 0;
    return strait_cas32(word, &seen, lease); /* seq_cst [K1] <- [K2] strait_lock_give: the section before ours */
}

/** Give it back, leaving `left`: what was there. With WAITERS in it, wake. */
STRAIT_INLINE uint32_t strait_lock_give(uint32_t *word, uint32_t left)
{
    /* acq_rel [K2] -> [K1] strait_lock_take, [K3] strait_lock_step, [Q2] strait_lock_read_step: our section precedes */
    return strait_exchange32_acq_rel(word, left);
}

#endif
