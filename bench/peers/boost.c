/* SPDX-License-Identifier: MIT */
/* Boost.Interprocess message_queue; boost.cpp holds the C++ part. */
#include "absent.h"

#define PLAYS                                                                                                          \
    (BENCH_SLEEPS | BENCH_MANY | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_FANIN | BENCH_FANOUT | BENCH_WAKE | BENCH_IDLE)

#ifndef BENCH_HAVE_BOOST
BENCH_ABSENT_PEER(boost, "boost", PLAYS, "libboost-dev");
#else

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../ends.h"
#include "../payload.h"
#include "boost.h"

struct boost_end {
    void *queue;
    unsigned char *buffer;
};

static void died(const char *what)
{
    fprintf(stderr, "strait-bench: boost: %s failed\n", what);
    _exit(3);
}

BENCH_INLINE void *boost_claim(struct boost_end *e, size_t bytes)
{
    (void)bytes;
    return e->buffer;
}

BENCH_INLINE void boost_commit(struct boost_end *e, size_t bytes)
{
    if (bench_boost_send(e->queue, e->buffer, bytes))
        died("send");
}

BENCH_INLINE void boost_flush(struct boost_end *e)
{
    (void)e;
}

BENCH_INLINE const void *boost_peek(struct boost_end *e, size_t bytes)
{
    if (bench_boost_receive(e->queue, e->buffer, bytes))
        died("receive");
    return e->buffer;
}

BENCH_INLINE void boost_release(struct boost_end *e)
{
    (void)e;
}

#define PEER(verb) boost_##verb
#define PEER_END   struct boost_end
#include "../pieces.h"

struct boost_queues {
    void *queues[8];
};

static int setup(struct bench_run *run)
{
    struct boost_queues *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    run->own = b;
    for (unsigned i = 0; i < run->shape.channels; i++) {
        b->queues[i] = bench_boost_open(i, run->shape.depth, run->shape.bytes);
        if (!b->queues[i])
            return bench_why(run, -ENOMEM, "not run: the queue could not be made");
    }
    run->state_bytes = run->shape.depth * (run->shape.bytes + 32);
    return 0;
}

static void teardown(struct bench_run *run)
{
    struct boost_queues *b = run->own;
    for (unsigned i = 0; b && i < run->shape.channels; i++)
        bench_boost_close(b->queues[i]);
    free(b);
    run->own = NULL;
}

static struct boost_end *open_end(const struct bench_run *run, int channel)
{
    struct boost_end *e = calloc(1, sizeof *e);
    if (!e || !(e->buffer = aligned_alloc(BENCH_LINE, (run->shape.bytes + 63) / 64 * 64)))
        return NULL;
    e->queue = ((const struct boost_queues *)run->own)->queues[channel];
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_boost = {
    .name = "boost",
    .what = "Boost.Interprocess message_queue",
    .flags = PLAYS,
    .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
#endif
