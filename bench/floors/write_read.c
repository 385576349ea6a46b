/* SPDX-License-Identifier: MIT */
/*
 * Floor of streams: as many buffers as the ring has slots, a flag beside each, written by one process and read by the
 * other. Full is the message's number, empty is 0: no turn, no owner, no recovery.
 */
#include <errno.h>
#include <stdlib.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

struct buffer {
    uint64_t flag;
    uint64_t unused; /* as long as our slot's header */
    unsigned char payload[];
};

struct write_read_end {
    unsigned char *buffers, *at, *end; /* at walks round from buffers to end */
    size_t stride;
};

BENCH_INLINE void advance(struct write_read_end *e)
{
    e->at += e->stride;
    if (e->at == e->end)
        e->at = e->buffers;
}

BENCH_INLINE void *write_read_claim(struct write_read_end *e, size_t bytes)
{
    (void)bytes;
    struct buffer *b = (struct buffer *)e->at;
    while (__atomic_load_n(&b->flag, __ATOMIC_ACQUIRE)) /* <- write_read_release: it has been read */
        BENCH_RELAX();
    return b->payload;
}

BENCH_INLINE void write_read_commit(struct write_read_end *e, size_t bytes)
{
    (void)bytes;
    __atomic_store_n(&((struct buffer *)e->at)->flag, 1, __ATOMIC_RELEASE); /* -> write_read_peek: payload first */
    advance(e);
}

BENCH_INLINE void write_read_flush(struct write_read_end *e)
{
    (void)e;
}

BENCH_INLINE const void *write_read_peek(struct write_read_end *e, size_t bytes)
{
    (void)bytes;
    struct buffer *b = (struct buffer *)e->at;
    while (!__atomic_load_n(&b->flag, __ATOMIC_ACQUIRE)) /* <- write_read_commit */
        BENCH_RELAX();
    return b->payload;
}

BENCH_INLINE void write_read_release(struct write_read_end *e)
{
    __atomic_store_n(&((struct buffer *)e->at)->flag, 0, __ATOMIC_RELEASE); /* -> write_read_claim: read before free */
    advance(e);
}

#define PEER(verb) write_read_##verb
#define PEER_END   struct write_read_end
#include "../pieces.h"

static size_t shared_bytes(const struct bench_run *run)
{
    return bench_stride(run->shape.bytes) * run->shape.depth * run->shape.channels;
}

static struct write_read_end *open_end(const struct bench_run *run, int channel)
{
    struct write_read_end *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->stride = bench_stride(run->shape.bytes);
    e->buffers = e->at = (unsigned char *)run->shared + (size_t)channel * run->state_bytes;
    e->end = e->buffers + e->stride * run->shape.depth;
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_write_read = {
    .name = "write+read",
    .what = "buffers with a flag each, written here and read there",
    .flags = BENCH_FLOOR | BENCH_STREAM | BENCH_LARGE | BENCH_ROUNDTRIP,
    .shared_bytes = shared_bytes, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
