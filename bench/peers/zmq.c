/* SPDX-License-Identifier: MIT */
/* ZeroMQ: PUSH → PULL over ipc://, with its own defaults (queues of 1000 messages on each side). No fan-out: a PUSH
 * deals messages out in turn, which is not a shared queue. */
#include "absent.h"

#define PLAYS                                                                                                          \
    (BENCH_SLEEPS | BENCH_MANY | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_FANIN | BENCH_WAKE | BENCH_IDLE | BENCH_LARGE)

#ifndef BENCH_HAVE_ZMQ
BENCH_ABSENT_PEER(zmq, "zeromq", PLAYS, "libzmq3-dev");
#else

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "../ends.h"
#include "../payload.h"

#define ZMQ_DEPTH 1000 /* ZMQ_SNDHWM and ZMQ_RCVHWM as they come */

struct zmq_end {
    void *socket;
    unsigned char *buffer;
};

static void died(const char *what)
{
    fprintf(stderr, "strait-bench: %s: %s\n", what, zmq_strerror(errno));
    _exit(3);
}

BENCH_INLINE void *zeromq_claim(struct zmq_end *e, size_t bytes)
{
    (void)bytes;
    return e->buffer;
}

BENCH_INLINE void zeromq_commit(struct zmq_end *e, size_t bytes)
{
    if (zmq_send(e->socket, e->buffer, bytes, 0) != (int)bytes)
        died("zmq_send");
}

BENCH_INLINE void zeromq_flush(struct zmq_end *e)
{
    (void)e;
}

BENCH_INLINE const void *zeromq_peek(struct zmq_end *e, size_t bytes)
{
    if (zmq_recv(e->socket, e->buffer, bytes, 0) != (int)bytes)
        died("zmq_recv");
    return e->buffer;
}

BENCH_INLINE void zeromq_release(struct zmq_end *e)
{
    (void)e;
}

#define PEER(verb) zeromq_##verb
#define PEER_END   struct zmq_end
#include "../pieces.h"

/* The side that is alone binds, the side of the many connects. */
static struct zmq_end *open_end(const struct bench_run *run, int channel, bool sends)
{
    char name[64];
    struct zmq_end *e = calloc(1, sizeof *e);
    void *context = zmq_ctx_new();
    bool binds = sends ? run->shape.consumers > 1 : run->shape.consumers == 1;
    if (!e || !context || !(e->buffer = aligned_alloc(BENCH_LINE, (run->shape.bytes + 63) / 64 * 64)))
        return NULL;
    e->socket = zmq_socket(context, sends ? ZMQ_PUSH : ZMQ_PULL);
    snprintf(name, sizeof name, "ipc://@strait-bench-%d-%s-%d", getppid(), run->scenario->name, channel);
    if (!e->socket || (binds ? zmq_bind(e->socket, name) : zmq_connect(e->socket, name)))
        return NULL;
    return e;
}

static int enter(struct bench_worker *w)
{
    if (w->tx_channel >= 0 && !(w->tx = open_end(w->run, w->tx_channel, true)))
        return -errno;
    if (w->rx_channel >= 0 && !(w->rx = open_end(w->run, w->rx_channel, false)))
        return -errno;
    return 0;
}

static int setup(struct bench_run *run)
{
    run->depth = ZMQ_DEPTH * 2;
    run->state_bytes = run->depth * run->shape.bytes;
    return 0;
}

/* clang-format off */
const struct bench_peer bench_peer_zmq = {
    .name = "zeromq",
    .what = "PUSH and PULL over ipc",
    .flags = PLAYS,
    .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
#endif
