/* SPDX-License-Identifier: MIT */
/*
 * Floors of a round trip: the cache lines that any channel must move, without a channel's protocol.
 *
 *   mailbox   one line each way, always the same two
 *   rotating  our ring's lines: slot after slot, each way, but nobody ever gives a slot back
 *   one-line  a single line that both sides write: cheaper than a pair of channels can be
 *
 * The other side's answer says that a slot is free again, so they can do round trips and nothing else.
 */
#include <errno.h>
#include <stdlib.h>

#include "../bench.h"
#include "../payload.h"

struct cell {
    uint64_t word;
    unsigned char payload[];
};

struct mailbox_end {
    unsigned char *slots;
    size_t stride;
    uint64_t at, mask; /* messages so far; slots - 1 */
};

#define MAILBOX_PAYLOAD (BENCH_LINE - sizeof(struct cell))

BENCH_INLINE struct cell *mailbox_cell(const struct mailbox_end *e)
{
    return (struct cell *)(e->slots + (e->at & e->mask) * e->stride);
}

BENCH_INLINE void *mailbox_claim(struct mailbox_end *e, size_t bytes)
{
    (void)bytes;
    return mailbox_cell(e)->payload;
}

BENCH_INLINE void mailbox_commit(struct mailbox_end *e, size_t bytes)
{
    (void)bytes;
    struct cell *c = mailbox_cell(e);
    __atomic_store_n(&c->word, ++e->at, __ATOMIC_RELEASE); /* -> mailbox_peek: payload precedes word */
}

BENCH_INLINE void mailbox_flush(struct mailbox_end *e)
{
    (void)e;
}

BENCH_INLINE const void *mailbox_peek(struct mailbox_end *e, size_t bytes)
{
    (void)bytes;
    struct cell *c = mailbox_cell(e);
    while (__atomic_load_n(&c->word, __ATOMIC_ACQUIRE) != e->at + 1)
        BENCH_RELAX();
    return c->payload;
}

BENCH_INLINE void mailbox_release(struct mailbox_end *e)
{
    e->at++;
}

#define PEER(verb) mailbox_##verb
#define PEER_END   struct mailbox_end
#include "../pieces.h"

enum mailbox_kind { MAILBOX, ROTATING, ONE_LINE };

static enum mailbox_kind kind_of(const struct bench_run *run)
{
    return *(const enum mailbox_kind *)run->peer->own;
}

static size_t stride_of(const struct bench_run *run)
{
    return kind_of(run) == ROTATING ? bench_stride(run->shape.bytes) : BENCH_LINE;
}

static size_t shared_bytes(const struct bench_run *run)
{
    size_t slots = kind_of(run) == ROTATING ? run->shape.depth : 1;
    return stride_of(run) * slots * (kind_of(run) == ONE_LINE ? 1 : run->shape.channels);
}

static int setup(struct bench_run *run)
{
    run->depth = kind_of(run) == ROTATING ? run->shape.depth : 1;
    run->state_bytes = stride_of(run) * run->depth;
    return 0;
}

static struct mailbox_end *open_end(const struct bench_run *run, int channel)
{
    struct mailbox_end *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->stride = stride_of(run);
    e->mask = run->depth - 1;
    e->slots = (unsigned char *)run->shared + (kind_of(run) == ONE_LINE ? 0 : (size_t)channel * run->state_bytes);
    return e;
}

/* One line both ways is one end that both directions share: each side counts every message, whoever sent it. */
static int enter(struct bench_worker *w)
{
    w->tx = open_end(w->run, w->tx_channel);
    w->rx = kind_of(w->run) == ONE_LINE ? w->tx : open_end(w->run, w->rx_channel);
    return w->tx && w->rx ? 0 : -ENOMEM;
}

static const enum mailbox_kind mailbox_kind = MAILBOX, rotating_kind = ROTATING, one_line_kind = ONE_LINE;

/* clang-format off */
const struct bench_peer bench_peer_mailbox = {
    .name = "mailbox",
    .what = "one cache line each way, always the same two",
    .flags = BENCH_FLOOR | BENCH_ROUNDTRIP,
    .most_bytes = MAILBOX_PAYLOAD,
    .own = &mailbox_kind,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};

const struct bench_peer bench_peer_rotating = {
    .name = "rotating",
    .what = "our ring's lines, one after the other, without its protocol",
    .flags = BENCH_FLOOR | BENCH_ROUNDTRIP,
    .own = &rotating_kind,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};

const struct bench_peer bench_peer_one_line = {
    .name = "one-line",
    .what = "a single cache line that both sides write",
    .flags = BENCH_FLOOR | BENCH_ROUNDTRIP,
    .most_bytes = MAILBOX_PAYLOAD,
    .own = &one_line_kind,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
