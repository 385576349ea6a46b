/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <errno.h>

#include "strait/bell.h"

#define GENERATION_MASK (~(STRAIT_REPLY_GENERATION_ONE - 1))

static uint64_t word_of(uint64_t generation_bits, uint32_t owner, enum strait_reply_state state)
{
    /* the owner may be a `caller` field, which a peer can fill with more than 16 bits */
    return (generation_bits & GENERATION_MASK) |
           (((uint64_t)owner << STRAIT_REPLY_OWNER_SHIFT) & STRAIT_REPLY_OWNER_MASK) | state;
}

static bool is(uint64_t word, uint64_t token, uint32_t owner, enum strait_reply_state state)
{
    return word == word_of(token, owner, state);
}

static bool same_generation(uint64_t word, uint64_t token)
{
    return ((word ^ token) & GENERATION_MASK) == 0;
}

int strait_reply_at(const struct strait_channel_view *view, uint32_t i, struct strait_reply **reply)
{
    if (i >= view->replies)
        return -EPROTO;
    *reply = (struct strait_reply *)(void *)(view->map->base + view->replies_off) + i;
    return 0;
}

static int check_ring(const struct strait_channel_view *view, struct strait_reply *reply, struct strait_ring *checked,
                      unsigned char **slots)
{
    const struct strait_object *o = &view->object;

    if (strait_ring_check(&reply->ring, o->offset, o->offset + o->bytes, checked) < 0 || checked->flags != 0)
        return -EPROTO;
    if ((uint64_t)checked->capacity * checked->stride > o->bytes / view->replies) /* as strait_channel_ring */
        return -EPROTO;
    *slots = view->map->base + checked->slots_off;
    return 0;
}

static void tell(struct strait_reply *reply)
{
    strait_bell_wake_all(&reply->readable);
    strait_bell_wake_all(&reply->ring.writable);
}

/* ---- caller ---- */

/* What an earlier exchange left unread; its worker has stopped writing, or the reply would not have been FREE. So it is
 * a ring full at most: whatever else comes is a lie, and no reason to go on. */
static void void_leftovers(struct strait_ring_end *end)
{
    struct strait_place place;

    for (uint32_t i = 0; i <= end->mask; i++) {
        if (strait_ring_find(end, &place) < 0 || strait_ring_take(end, &place) < 0)
            return;
        strait_ring_release(&place);
    }
}

static int open_one(const struct strait_channel_view *view, uint32_t i, struct strait_ring_end *end, uint64_t *token)
{
    struct strait_reply *reply;
    struct strait_ring checked;
    unsigned char *slots;
    uint64_t word, open;
    int r = strait_reply_at(view, i, &reply);

    if (r < 0)
        return r;
    /* acquire [P2] <- [P1] strait_reply_drop, [P17] end_with, [P18], [P19] sweep */
    word = strait_load64_acquire(&reply->word);
    if (strait_reply_state(word) != STRAIT_REPLY_FREE)
        return -EAGAIN;
    r = check_ring(view, reply, &checked, &slots);
    if (r < 0)
        return r;
    open = word_of(word + STRAIT_REPLY_GENERATION_ONE, view->map->lease, STRAIT_REPLY_OPEN);
    /* seq_cst [P3] -> [P4] strait_reply_accept */
    if (!strait_cas64(&reply->word, &word, open))
        return -EAGAIN;
    /* before the token is sent: while OPEN, the sweep goes by the word's owner; from BUSY on, by this field */
    strait_store32_release(&reply->caller, view->map->lease); /* release [P5] -> [P6] sweep_caller */
    strait_ring_join_consumer(end, &reply->ring, &checked, slots, view->map->lease);
    void_leftovers(end);
    *token = strait_reply_token(open, i);
    return 0;
}

int strait_reply_open(const struct strait_channel_view *view, uint32_t from, struct strait_ring_end *end,
                      uint64_t *token)
{
    for (uint32_t i = 0; i < view->replies; i++) {
        int r = open_one(view, (from + i) % view->replies, end, token);
        if (r != -EAGAIN)
            return r;
    }
    return -ENOBUFS;
}

void strait_reply_drop(struct strait_reply *reply, uint64_t token, uint32_t lease)
{
    uint64_t word = strait_load64_acquire(&reply->word); /* acquire [P7] <- [P8] strait_reply_finish */
    uint64_t to;

    do {
        if (!same_generation(word, token))
            return;
        switch (strait_reply_state(word)) {
        case STRAIT_REPLY_OPEN:
            if (strait_reply_owner(word) != lease)
                return;
            to = word_of(token, 0, STRAIT_REPLY_FREE);
            break;
        case STRAIT_REPLY_DONE:
        case STRAIT_REPLY_FAILED:
            to = word_of(token, 0, STRAIT_REPLY_FREE);
            break;
        case STRAIT_REPLY_BUSY: /* its worker frees it */
            to = word_of(token, strait_reply_owner(word), STRAIT_REPLY_ABANDONED);
            break;
        default:
            return;
        }
        /* seq_cst [P1] -> [P2] open_one, [P9] strait_reply_wanted */
    } while (!strait_cas64(&reply->word, &word, to));
    if (strait_reply_state(to) == STRAIT_REPLY_ABANDONED)
        strait_bell_wake_all(&reply->ring.writable);
}

/* ---- worker ---- */

int strait_reply_accept(const struct strait_channel_view *view, uint64_t token, struct strait_ring_end *end,
                        struct strait_reply **out)
{
    struct strait_reply *reply;
    struct strait_ring checked;
    unsigned char *slots;
    uint64_t word;

    if (strait_reply_at(view, (uint32_t)(token & STRAIT_TOKEN_INDEX_MASK), &reply) < 0)
        return -EBADMSG;
    if (check_ring(view, reply, &checked, &slots) < 0)
        return -EPROTO;
    word = strait_load64_acquire(&reply->word); /* acquire [P4] <- [P3] open_one, [P10] sweep_worker, [P19] sweep */
    do {
        if (!same_generation(word, token))
            return -EPIPE;
        if (strait_reply_state(word) == STRAIT_REPLY_DONE || strait_reply_state(word) == STRAIT_REPLY_FAILED)
            return -EALREADY;
        if (strait_reply_state(word) == STRAIT_REPLY_BUSY)
            return -EBUSY;
        if (strait_reply_state(word) != STRAIT_REPLY_OPEN)
            return -EPIPE;
        /* seq_cst [P16] -> [P9] strait_reply_wanted: ours before we write anything */
    } while (!strait_cas64(&reply->word, &word, word_of(token, view->map->lease, STRAIT_REPLY_BUSY)));
    strait_ring_join_producer(end, &reply->ring, &checked, slots, view->map->lease);
    *out = reply;
    return 0;
}

int strait_reply_wanted(const struct strait_reply *reply, uint64_t token, uint32_t lease)
{
    /* acquire [P9] <- [P1] strait_reply_drop, [P16] strait_reply_accept */
    return is(strait_load64_acquire(&reply->word), token, lease, STRAIT_REPLY_BUSY) ? 0 : -EPIPE;
}

/* BUSY(me) -> to; the caller may have left meanwhile: then it is ours to free. */
static int end_with(struct strait_reply *reply, uint64_t token, uint32_t lease, enum strait_reply_state to)
{
    uint64_t word = word_of(token, lease, STRAIT_REPLY_BUSY);

    /* seq_cst [P8] -> [P7] strait_reply_drop: the parts precede it */
    if (strait_cas64(&reply->word, &word, word_of(token, 0, to))) {
        strait_bell_ring(&reply->readable, UINT16_MAX, true); /* its caller; a caller that spins costs no system call */
        return 0;
    }
    if (is(word, token, lease, STRAIT_REPLY_ABANDONED)) /* seq_cst [P17] -> [P2] open_one: we write no more */
        strait_cas64(&reply->word, &word, word_of(token, 0, STRAIT_REPLY_FREE));
    return -EPIPE;
}

int strait_reply_finish(struct strait_reply *reply, uint64_t token, uint32_t lease)
{
    return end_with(reply, token, lease, STRAIT_REPLY_DONE);
}

int strait_reply_fail_own(struct strait_reply *reply, uint64_t token, uint32_t lease)
{
    return end_with(reply, token, lease, STRAIT_REPLY_FAILED);
}

/* ---- death ---- */

/* A loop, because the caller may leave meanwhile (BUSY -> ABANDONED): a dead lease's name must not stay in the word. */
static void sweep_worker(struct strait_reply *reply, uint32_t dead)
{
    uint64_t word = strait_load64_acquire(&reply->word), to; /* acquire [P11] <- [P3] open_one */

    do {
        if (strait_reply_owner(word) != dead)
            return;
        /* seq_cst [P10] -> [P4] strait_reply_accept: the job is redelivered, its next worker takes over */
        if (strait_reply_state(word) == STRAIT_REPLY_BUSY)
            to = word_of(word, strait_load32_acquire(&reply->caller), STRAIT_REPLY_OPEN);
        else if (strait_reply_state(word) == STRAIT_REPLY_ABANDONED) /* seq_cst [P18] -> [P2] open_one */
            to = word_of(word, 0, STRAIT_REPLY_FREE);
        else
            return;
        /* seq_cst [P19] -> [P4] strait_reply_accept, [P2] open_one */
    } while (!strait_cas64(&reply->word, &word, to));
}

static void sweep_caller(struct strait_reply *reply, uint32_t dead)
{
    uint64_t word = strait_load64_acquire(&reply->word); /* acquire [P12] <- [P3] open_one */
    uint64_t token = word & GENERATION_MASK;

    if (strait_reply_state(word) == STRAIT_REPLY_OPEN) {
        if (strait_reply_owner(word) == dead)
            strait_reply_drop(reply, token, dead);
    } else if (strait_load32_acquire(&reply->caller) == dead) { /* acquire [P6] <- [P5] open_one */
        strait_reply_drop(reply, token, dead);
    }
}

/* There may be thousands of replies: do not wake where nobody sleeps. */
static void sweep_bell(struct strait_bell *bell)
{
    if (strait_bell_count(strait_load64_relaxed(&bell->sleepers)))
        strait_bell_sweep(bell);
}

void strait_reply_sweep(const struct strait_channel_view *view, uint32_t dead)
{
    struct strait_reply *reply;

    for (uint32_t i = 0; i < view->replies; i++) {
        if (strait_reply_at(view, i, &reply) < 0)
            return;
        sweep_worker(reply, dead);
        sweep_caller(reply, dead);
        sweep_bell(&reply->readable);
        sweep_bell(&reply->ring.writable);
    }
}

void strait_reply_fail(const struct strait_channel_view *view, uint64_t token, uint32_t dead)
{
    struct strait_reply *reply;
    uint64_t word;

    if (strait_reply_at(view, (uint32_t)(token & STRAIT_TOKEN_INDEX_MASK), &reply) < 0)
        return;
    word = strait_load64_acquire(&reply->word); /* acquire [P13] <- [P3] open_one */
    if (!same_generation(word, token))
        return;
    if (strait_reply_state(word) != STRAIT_REPLY_OPEN &&
        !(strait_reply_state(word) == STRAIT_REPLY_BUSY && strait_reply_owner(word) == dead))
        return;
    /* seq_cst [P14] -> [P15] a waiting caller's look at the word */
    if (strait_cas64(&reply->word, &word, word_of(token, 0, STRAIT_REPLY_FAILED)))
        tell(reply);
}
