/* SPDX-License-Identifier: MIT */
/**
 * A bell: a futex word beside a count of sleepers. An event count in the sense of Reed and Kanodia (1979).
 *
 *   who waits                                   who has news
 *   ---------                                   ------------
 *   strait_bell_enter(b, &t, mode)              store the news (release)
 *     reads seq, counts itself in, orders
 *   look again: is there news?                  strait_bell_ring(b, n, fence)
 *     yes: strait_bell_leave(b, &t), done         orders, looks at the count: nobody asleep, no system call
 *   strait_bell_sleep(b, &t, until_ns)            else raises seq, wakes
 *   strait_bell_leave(b, &t), look again
 *
 * Either the waiter's second look sees the news, or the ringer's look sees the waiter: both sides store before they
 * load, with a full barrier between. The ringer's barrier is a fence (FENCE), or, where a stream would pay for it with
 * every message, only the compiler's, and the sleeper runs membarrier(2) for both (ASYM). seq is raised before the
 * wake, so that a wake that falls between "look again" and "sleep" makes the sleep return at once.
 *
 * sleepers is epoch 32 | woken 16 | count 16. A ringer marks as many as it wakes, and only wakes the unmarked: a sleeper
 * that is already on its way costs the next messages no system call. Whoever leaves takes one mark along, its own or
 * another's; marks never outnumber sleepers, so nobody is taken for woken who was not.
 *
 * mode is generation 30 | mode 2. FENCE is entered in two steps, through SWITCHING, because a sleeper that finds FENCE
 * relies on a membarrier having come after the last ASYM: the one who switches runs it in between.
 */
#ifndef STRAIT_BELL_H
#define STRAIT_BELL_H

#include "atomic.h"
#include "layout.h"

#define STRAIT_BELL_MODE_MASK UINT32_C(3)

STRAIT_BEGIN_DECLS

/** One sleep of one sleeper. */
struct strait_bell_ticket {
    uint32_t seq;   /* what the futex word was */
    uint32_t epoch; /* of the count that we are in */
};

/** Count the caller in, in the given mode (FENCE or ASYM) if the bell can be brought there; then look again. */
STRAIT_API void strait_bell_enter(struct strait_bell *bell, struct strait_bell_ticket *ticket,
                                  enum strait_bell_mode mode);

/** Sleep until rung or `until_ns`: 0, -EAGAIN rung before it slept, -ETIMEDOUT, -EINTR. Look again in each case. */
STRAIT_API int strait_bell_sleep(struct strait_bell *bell, const struct strait_bell_ticket *ticket, uint64_t until_ns);

/** Count the caller out. Idempotent against a sweep that has removed the count meanwhile. */
STRAIT_API void strait_bell_leave(struct strait_bell *bell, const struct strait_bell_ticket *ticket);

/** Wake at most n of the sleepers that nobody has woken yet. */
STRAIT_API void strait_bell_wake(struct strait_bell *bell, uint32_t n);

/** Something rare has changed (closed, died): wake everybody, woken or not. */
STRAIT_API void strait_bell_wake_all(struct strait_bell *bell);

/** Somebody died, perhaps counted in: start a new count, wake everybody. Sweep only, admin. */
STRAIT_API void strait_bell_sweep(struct strait_bell *bell);

/** How many a sleepers word counts, and how many of them were woken and have not left yet. */
STRAIT_INLINE uint32_t strait_bell_count(uint64_t sleepers)
{
    return (uint32_t)(sleepers & 0xffff);
}

STRAIT_INLINE uint32_t strait_bell_woken(uint64_t sleepers)
{
    return (uint32_t)(sleepers >> 16 & 0xffff);
}

/** Is somebody counted in whom nobody has woken? A snapshot. */
STRAIT_INLINE bool strait_bell_asleep(const struct strait_bell *bell)
{
    /* seq_cst [B1] <-> [B2] strait_bell_enter: the store before, then this load; there the count, then the look */
    uint64_t sleepers = strait_load64_seq_cst(&bell->sleepers);
    return STRAIT_UNLIKELY((uint32_t)sleepers != 0) && strait_bell_count(sleepers) > strait_bell_woken(sleepers);
}

/** After storing news, before the look at who sleeps. fence: this process is no target of membarrier, so it always fences
 * itself. */
STRAIT_INLINE void strait_bell_order(const struct strait_bell *bell, bool fence)
{
    /* The mode is read after the news was stored: a ringer that stops between an early read and its store could
     * otherwise carry a stale ASYM past the switch and the membarrier. */
    strait_fence_compiler(); /* compiler [B12] alone: store before mode; the CPU's part is the switcher's membarrier */
    /* acquire [B3] <- [B4] change_mode: who sees FENCE must fence */
    if (STRAIT_LIKELY(!fence && (strait_load32_acquire(&bell->mode) & STRAIT_BELL_MODE_MASK) == STRAIT_BELL_ASYM))
        strait_fence_compiler(); /* compiler [B13] alone: store before count; the CPU's part is the sleeper's membarrier */
    else
        strait_fence_seq_cst(); /* seq_cst [B9] <-> [B8] order */
}

/** After storing news: wake at most n sleepers, if there are any. No system call when nobody sleeps. */
STRAIT_INLINE void strait_bell_ring(struct strait_bell *bell, uint32_t n, bool fence)
{
    strait_bell_order(bell, fence);
    if (strait_bell_asleep(bell))
        strait_bell_wake(bell, n);
}

STRAIT_END_DECLS

#endif
