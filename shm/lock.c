/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include <errno.h>

#include "futex.h"
#include "lease.h"
#include "probe.h"

static bool takeable(uint32_t word)
{
    uint32_t owner = word & STRAIT_LOCK_OWNER_MASK;
    return !(word & STRAIT_LOCK_POISONED) && (owner == STRAIT_LEASE_NONE || owner == STRAIT_LEASE_ORPHAN);
}

/* Why a word that is not takeable cannot be had. */
static int refusal(uint32_t word)
{
    if (word & STRAIT_LOCK_POISONED)
        return -ENOTRECOVERABLE;
    return (word & STRAIT_LOCK_OWNER_MASK) < STRAIT_LEASES ? -EAGAIN : -EPROTO;
}

/* ---- the word ---- */

int strait_lock_step(uint32_t *word, uint32_t lease, uint32_t keep, bool heal)
{
    uint32_t seen = strait_load32_relaxed(word), to = lease | keep | (seen & (STRAIT_LOCK_DIED | STRAIT_LOCK_WAITERS));

    if (heal && (seen & STRAIT_LOCK_POISONED))
        to |= STRAIT_LOCK_DIED; /* suspect until it is healed: our death must not make it look sound */
    else if (!takeable(seen))
        return refusal(seen);
    /* seq_cst [K3] <- [K2] strait_lock_give, [K6] strait_lock_sweep: whatever the last owner wrote */
    if (!strait_cas32(word, &seen, to))
        return -EAGAIN;
    return seen & STRAIT_LOCK_POISONED ? 2 : to & STRAIT_LOCK_DIED ? 1 : 0;
}

int strait_lock_mark(uint32_t *word, uint32_t *seen)
{
    uint32_t was = strait_load32_relaxed(word);

    if (takeable(was) || refusal(was) != -EAGAIN)
        return -EAGAIN;
    /* seq_cst [K4] alone: the kernel compares the word again before it lets us sleep */
    if (!(was & STRAIT_LOCK_WAITERS) && !strait_cas32(word, &was, was | STRAIT_LOCK_WAITERS))
        return -EAGAIN;
    *seen = was | STRAIT_LOCK_WAITERS;
    return 0;
}

void strait_lock_pass_on(uint32_t *word)
{
    uint32_t seen;

    if (strait_lock_mark(word, &seen) < 0)
        strait_futex_wake(word, 1);
}

int strait_lock_heal(uint32_t *word, uint32_t lease)
{
    uint32_t seen = strait_load32_relaxed(word);

    do {
        if ((seen & STRAIT_LOCK_OWNER_MASK) != lease)
            return -EPERM;
        /* seq_cst [K5] -> [K6] strait_lock_sweep: the repair precedes; a death before this leaves DIED */
    } while (!strait_cas32(word, &seen, seen & ~STRAIT_LOCK_DIED));
    return 0;
}

/* ---- readers ---- */

int strait_lock_read_step(const struct strait_part *part)
{
    uint32_t seen = strait_load32_relaxed(&part->lock->word);

    if (!takeable(seen))
        return refusal(seen);
    /* seq_cst [Q1] <-> [Q3] strait_lock_reader: counted in before we look at the word; there the word, then the cells */
    strait_add32_seq_cst(&part->cells[part->lease].count, 1);
    /* seq_cst [Q2] <- [K2] strait_lock_give: the last writer's section */
    seen = strait_load32_seq_cst(&part->lock->word);
    if (takeable(seen))
        return seen & STRAIT_LOCK_DIED ? 1 : 0;
    strait_lock_read_leave(part);
    return refusal(seen);
}

void strait_lock_read_leave(const struct strait_part *part)
{
    /* seq_cst [Q4] -> [Q3] strait_lock_reader: what we read, we have read; and counted out before we look for a writer */
    strait_add32_seq_cst(&part->cells[part->lease].count, UINT32_MAX);
    /* seq_cst [Q5] <- [Q6] strait_lock_drain: it announces itself, then looks at the cells again */
    if (strait_load32_seq_cst(&part->lock->draining) == STRAIT_LEASE_NONE)
        return;
    /* seq_cst [Q7] -> [Q8] strait_lock_drain: raised before the wake, or a wake before the sleep is lost */
    strait_add32_seq_cst(&part->lock->drained, 1);
    strait_futex_wake(&part->lock->drained, 1);
}

uint32_t strait_lock_reader(const struct strait_part *part)
{
    for (uint32_t i = 0; i < STRAIT_LEASES / 64; i++) {
        /* seq_cst [Q9] alone: after the word; a lease is put into the set before it first reads */
        uint64_t bits = strait_load64_seq_cst(&part->readers->bits[i]);
        for (; bits; bits &= bits - 1) {
            uint32_t lease = i * 64 + (uint32_t)__builtin_ctzll(bits);
            /* seq_cst [Q3] <-> [Q1] strait_lock_read_step <- [Q4] strait_lock_read_leave, [Q10] sweep_reader */
            if (strait_load32_seq_cst(&part->cells[lease].count) != 0)
                return lease;
        }
    }
    return STRAIT_LEASE_NONE;
}

int strait_lock_drain(const struct strait_part *part, uint32_t *seen, uint32_t *reader)
{
    uint32_t was = strait_load32_acquire(&part->lock->drained); /* acquire [Q8] <- [Q7] strait_lock_read_leave */
    uint32_t who;

    /* seq_cst [Q6] -> [Q5] strait_lock_read_leave: announced before we look again */
    strait_store32_seq_cst(&part->lock->draining, part->lease);
    who = strait_lock_reader(part);
    if (who == STRAIT_LEASE_NONE)
        return -EAGAIN;
    *seen = was;
    *reader = who;
    return 0;
}

void strait_lock_drained(const struct strait_part *part)
{
    if (strait_load32_relaxed(&part->lock->draining) != STRAIT_LEASE_NONE)
        strait_store32_relaxed(&part->lock->draining, STRAIT_LEASE_NONE);
}

/* ---- death ---- */

static void sweep_reader(const struct strait_part *part, uint32_t dead)
{
    if (strait_load32_relaxed(&part->cells[dead].count) == 0)
        return;
    strait_store32_release(&part->cells[dead].count, 0); /* release [Q10] -> [Q3] strait_lock_reader */
    strait_add32_seq_cst(&part->lock->drained, 1);       /* seq_cst [Q11] alone: as [Q7], before the wake */
    strait_futex_wake(&part->lock->drained, UINT32_MAX);
}

/* A writer that died draining: the word is still its own, so nobody else writes here. */
static void sweep_writer(struct strait_lock *lock, uint32_t dead)
{
    if (strait_load32_relaxed(&lock->draining) == dead)
        strait_store32_relaxed(&lock->draining, STRAIT_LEASE_NONE);
}

bool strait_lock_sweep(const struct strait_part *part, uint32_t dead, uint32_t mark)
{
    struct strait_lock *lock = part->lock;
    uint32_t seen = strait_load32_relaxed(&lock->word);

    if (part->cells)
        sweep_reader(part, dead);
    sweep_writer(lock, dead);
    while ((seen & STRAIT_LOCK_OWNER_MASK) == dead) {
        uint32_t to = STRAIT_LEASE_ORPHAN | mark | (seen & STRAIT_LOCK_DIED);
        /* seq_cst [K6] <- [K5] strait_lock_heal -> [K3] strait_lock_step: from the dead owner's word only */
        if (!strait_cas32(&lock->word, &seen, to))
            continue;
        strait_add64_relaxed(&lock->deaths, 1);
        STRAIT_PROBE2(owner_died, lock, dead);
        strait_futex_wake(&lock->word, UINT32_MAX);
        return true;
    }
    return false;
}
