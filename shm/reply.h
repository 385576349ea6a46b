/* SPDX-License-Identifier: MIT */
/**
 * The reply word: generation 40 | owner 16 | state 8, and who may change it when (PROTOCOLS.md, "Reply word"):
 *
 *   caller   FREE(g) -> OPEN(g+1,caller) … DONE or FAILED -> FREE; leaves early: OPEN -> FREE, BUSY -> ABANDONED
 *   worker   OPEN -> BUSY(worker) before it writes anything; BUSY -> DONE; ABANDONED -> FREE
 *   sweep    worker dead: BUSY -> OPEN, ABANDONED -> FREE, out of attempts: FAILED. caller dead: as "leaves early"
 *
 * Nothing here blocks.
 */
#ifndef STRAIT_SHM_REPLY_H
#define STRAIT_SHM_REPLY_H

#include "channel.h"

/** Reply i of a channel: 0 or -EPROTO. */
int strait_reply_at(const struct strait_channel_view *view, uint32_t i, struct strait_reply **reply);

static inline uint32_t strait_reply_state(uint64_t word)
{
    return (uint32_t)(word & STRAIT_REPLY_STATE_MASK);
}

static inline uint32_t strait_reply_owner(uint64_t word)
{
    return (uint32_t)((word & STRAIT_REPLY_OWNER_MASK) >> STRAIT_REPLY_OWNER_SHIFT);
}

static inline uint64_t strait_reply_generation(uint64_t word)
{
    return word >> STRAIT_REPLY_GENERATION_SHIFT;
}

static inline uint64_t strait_reply_token(uint64_t word, uint32_t index)
{
    return strait_reply_generation(word) << STRAIT_REPLY_GENERATION_SHIFT | index;
}

/** Caller: take a free reply, from index `from` on and round. Leftover parts are voided, `end` reads from here.
 * Sets the token. 0, -ENOBUFS all are in use, -EPROTO. */
int strait_reply_open(const struct strait_channel_view *view, uint32_t from, struct strait_ring_end *end,
                      uint64_t *token);

/** Caller: done with it, answered or not. Idempotent. */
void strait_reply_drop(struct strait_reply *reply, uint64_t token, uint32_t lease);

/** Worker: become the one who answers. `end` writes where the last worker stopped. 0, -EPIPE the caller has gone,
 * -EALREADY it is answered, -EBUSY another worker is at it, -EBADMSG no such token, -EPROTO. */
int strait_reply_accept(const struct strait_channel_view *view, uint64_t token, struct strait_ring_end *end,
                        struct strait_reply **reply);

/** Worker: is it still wanted? 0, -EPIPE. */
int strait_reply_wanted(const struct strait_reply *reply, uint64_t token, uint32_t lease);

/** Worker: the last part is committed. 0, -EPIPE the caller has gone (the reply is free again). */
int strait_reply_finish(struct strait_reply *reply, uint64_t token, uint32_t lease);

/** Worker: gives up without an answer: the caller gets -EOWNERDEAD. 0, -EPIPE. */
int strait_reply_fail_own(struct strait_reply *reply, uint64_t token, uint32_t lease);

/* ---- death. Admin, the lease probed since ---- */

/** Remove a dead lease from all replies of a channel. */
void strait_reply_sweep(const struct strait_channel_view *view, uint32_t dead);

/** The job of this token has used up its attempts under `dead`: tell its caller. */
void strait_reply_fail(const struct strait_channel_view *view, uint64_t token, uint32_t dead);

#endif
