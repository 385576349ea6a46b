/* SPDX-License-Identifier: MIT */
#include "strait/bell.h"

#include "futex.h"
#include "probe.h"

#define MODE_GENERATION UINT32_C(4)
#define EPOCH_ONE       (UINT64_C(1) << 32)
#define WOKEN_ONE       (UINT64_C(1) << 16)

/* seen -> mode with the next generation, unless somebody was quicker. The generation keeps one switcher's second step
 * from completing another's first. */
static bool change_mode(struct strait_bell *bell, uint32_t *seen, uint32_t mode)
{
    uint32_t to = ((*seen & ~STRAIT_BELL_MODE_MASK) + MODE_GENERATION) | mode;
    /* seq_cst [B4] -> [B3] strait_bell_order: the mode that ringers go by */
    if (!strait_cas32(&bell->mode, seen, to))
        return false;
    *seen = to;
    return true;
}

/* The sleeper's barrier between its count and its second look. */
static void order(struct strait_bell *bell, enum strait_bell_mode wanted)
{
    /* seq_cst [B5] <- [B4] change_mode: FENCE read here means that a membarrier has followed the last ASYM */
    uint32_t mode = strait_load32_seq_cst(&bell->mode);
    uint32_t now = mode & STRAIT_BELL_MODE_MASK;

    if (wanted == STRAIT_BELL_ASYM && now == STRAIT_BELL_FENCE) {
        if (change_mode(bell, &mode, STRAIT_BELL_ASYM))
            now = STRAIT_BELL_ASYM;
        else
            now = mode & STRAIT_BELL_MODE_MASK;
    } else if (wanted == STRAIT_BELL_FENCE && now == STRAIT_BELL_ASYM) {
        if (!change_mode(bell, &mode, STRAIT_BELL_SWITCHING))
            now = mode & STRAIT_BELL_MODE_MASK;
    }
    strait_fence_seq_cst(); /* seq_cst [B8] <-> [B9] strait_bell_order: count, fence, look; there store, fence, count */
    if (now == STRAIT_BELL_FENCE)
        return;
    /* Without a membarrier (a filter forbids it) we stay with our own fence; ringers see SWITCHING and fence, too. A
     * ringer caught between its look at the mode and its look at the count is then only found by the bounded sleep. */
    strait_membarrier();
    if ((mode & STRAIT_BELL_MODE_MASK) == STRAIT_BELL_SWITCHING)
        change_mode(bell, &mode, STRAIT_BELL_FENCE);
}

void strait_bell_enter(struct strait_bell *bell, struct strait_bell_ticket *ticket, enum strait_bell_mode mode)
{
    /* acquire [B6] <- [B7] wake: a seq raised before this read belongs to older news */
    ticket->seq = strait_load32_acquire(&bell->seq);
    /* seq_cst [B2] <-> [B1] strait_bell_asleep: counted in before the second look */
    ticket->epoch = (uint32_t)(strait_add64_seq_cst(&bell->sleepers, 1) >> 32);
    order(bell, mode);
}

int strait_bell_sleep(struct strait_bell *bell, const struct strait_bell_ticket *ticket, uint64_t until_ns)
{
    strait_add64_relaxed(&bell->sleeps, 1);
    STRAIT_PROBE2(sleep, bell, until_ns);
    return strait_futex_wait(&bell->seq, ticket->seq, until_ns);
}

void strait_bell_leave(struct strait_bell *bell, const struct strait_bell_ticket *ticket)
{
    uint64_t seen = strait_load64_relaxed(&bell->sleepers), mark;

    /* a count of another epoch does not contain us; a count of 0 is a peer's lie, not ours to make worse */
    do {
        if ((uint32_t)(seen >> 32) != ticket->epoch || strait_bell_count(seen) == 0)
            return;
        mark = strait_bell_woken(seen) ? WOKEN_ONE : 0;
        /* seq_cst [B10] alone: a count only, orders nothing */
    } while (!strait_cas64(&bell->sleepers, &seen, seen - 1 - mark));
}

static void wake(struct strait_bell *bell, uint32_t n)
{
    /* seq_cst [B7] -> [B6] strait_bell_enter: raised before the wake, or a wake before the sleep is lost */
    strait_add32_seq_cst(&bell->seq, 1);
    strait_futex_wake(&bell->seq, n);
}

void strait_bell_wake(struct strait_bell *bell, uint32_t n)
{
    uint64_t seen = strait_load64_relaxed(&bell->sleepers);
    uint32_t asleep;

    do {
        asleep = strait_bell_count(seen) - strait_bell_woken(seen);
        if (strait_bell_count(seen) <= strait_bell_woken(seen))
            return;
        if (asleep > n)
            asleep = n;
        /* seq_cst [B14] alone: marked before they are woken, or a sleeper could leave before its mark came, and the mark
         * would stick to the next one */
    } while (!strait_cas64(&bell->sleepers, &seen, seen + asleep * WOKEN_ONE));
    STRAIT_PROBE2(wake, bell, asleep);
    wake(bell, asleep);
}

void strait_bell_wake_all(struct strait_bell *bell)
{
    strait_bell_wake(bell, UINT16_MAX);
    wake(bell, UINT32_MAX);
}

void strait_bell_sweep(struct strait_bell *bell)
{
    uint64_t seen = strait_load64_relaxed(&bell->sleepers);
    /* a loop, because the living count themselves in and out meanwhile */
    /* seq_cst [B11] alone: before the wake that makes everybody count in anew */
    while (!strait_cas64(&bell->sleepers, &seen, (seen & ~(EPOCH_ONE - 1)) + EPOCH_ONE))
        ;
    wake(bell, UINT32_MAX);
}
