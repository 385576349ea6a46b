/* SPDX-License-Identifier: MIT */
/* POSIX message queues. Their name goes at once: the workers inherit the descriptor. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

#define MQ_BYTES 8192 /* the system's default for the largest message */
#define MQ_DEPTH 10   /* likewise, messages */

struct mq {
    mqd_t queues[8];
};

struct mq_end {
    mqd_t queue;
    unsigned char buffer[MQ_BYTES] __attribute__((aligned(BENCH_LINE)));
};

static void died(const char *what)
{
    fprintf(stderr, "strait-bench: %s: %m\n", what);
    _exit(3);
}

BENCH_INLINE void *posix_mq_claim(struct mq_end *e, size_t bytes)
{
    (void)bytes;
    return e->buffer;
}

BENCH_INLINE void posix_mq_commit(struct mq_end *e, size_t bytes)
{
    if (mq_send(e->queue, (const char *)e->buffer, bytes, 0))
        died("mq_send");
}

BENCH_INLINE void posix_mq_flush(struct mq_end *e)
{
    (void)e;
}

BENCH_INLINE const void *posix_mq_peek(struct mq_end *e, size_t bytes)
{
    if (mq_receive(e->queue, (char *)e->buffer, sizeof e->buffer, NULL) != (ssize_t)bytes)
        died("mq_receive");
    return e->buffer;
}

BENCH_INLINE void posix_mq_release(struct mq_end *e)
{
    (void)e;
}

#define PEER(verb) posix_mq_##verb
#define PEER_END   struct mq_end
#include "../pieces.h"

/* As deep as asked if we may, else as deep as the system's default. */
static mqd_t open_queue(struct bench_run *run, unsigned channel)
{
    char name[64];
    snprintf(name, sizeof name, "/strait-bench-%d-%u", getpid(), channel);
    struct mq_attr attr = {.mq_maxmsg = run->shape.depth, .mq_msgsize = (long)run->shape.bytes};
    mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (q < 0) {
        attr.mq_maxmsg = MQ_DEPTH;
        q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    }
    if (q < 0)
        return q;
    mq_unlink(name);
    run->depth = (unsigned)attr.mq_maxmsg;
    run->state_bytes = run->depth * run->shape.bytes;
    return q;
}

static int setup(struct bench_run *run)
{
    struct mq *mq = calloc(1, sizeof *mq);
    if (!mq)
        return -ENOMEM;
    run->own = mq;
    memset(mq, -1, sizeof *mq);
    for (unsigned i = 0; i < run->shape.channels; i++) {
        mq->queues[i] = open_queue(run, i);
        if (mq->queues[i] < 0)
            return bench_why(run, -errno, "not run: mq_open: %s", strerror(errno));
    }
    return 0;
}

static void teardown(struct bench_run *run)
{
    struct mq *mq = run->own;
    for (unsigned i = 0; mq && i < run->shape.channels; i++) {
        if (mq->queues[i] >= 0)
            mq_close(mq->queues[i]);
    }
    free(mq);
    run->own = NULL;
}

static struct mq_end *open_end(const struct bench_run *run, int channel)
{
    struct mq_end *e = aligned_alloc(BENCH_LINE, sizeof *e);
    if (e)
        e->queue = ((const struct mq *)run->own)->queues[channel];
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_mq = {
    .name = "mq",
    .what = "a POSIX message queue",
    .flags = BENCH_SLEEPS | BENCH_MANY | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_FANIN | BENCH_FANOUT | BENCH_WAKE |
             BENCH_IDLE,
    .most_bytes = MQ_BYTES,
    .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
