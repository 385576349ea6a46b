/* SPDX-License-Identifier: MIT */
/*
 * The smallest ring that people write themselves: Lamport's one/one queue, indices on lines of their own, each side
 * keeping a copy of the other's index and looking again only when that says full or empty. Messages lie close together.
 */
#include <errno.h>
#include <stdlib.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

struct lamport {
    uint64_t tail __attribute__((aligned(BENCH_LINE))); /* producer; consumer */
    uint64_t head __attribute__((aligned(BENCH_LINE))); /* consumer; producer */
    unsigned char slots[] __attribute__((aligned(BENCH_LINE)));
};

struct lamport_end {
    struct lamport *ring;
    uint64_t at, other, mask;
    size_t stride;
};

BENCH_INLINE void *lamport_slot(const struct lamport_end *e)
{
    return e->ring->slots + (e->at & e->mask) * e->stride;
}

BENCH_INLINE void *lamport_claim(struct lamport_end *e, size_t bytes)
{
    (void)bytes;
    while (e->at - e->other > e->mask)
        e->other = __atomic_load_n(&e->ring->head, __ATOMIC_ACQUIRE); /* <- lamport_release */
    return lamport_slot(e);
}

BENCH_INLINE void lamport_commit(struct lamport_end *e, size_t bytes)
{
    (void)bytes;
    __atomic_store_n(&e->ring->tail, ++e->at, __ATOMIC_RELEASE); /* -> lamport_peek: payload precedes tail */
}

BENCH_INLINE void lamport_flush(struct lamport_end *e)
{
    (void)e;
}

BENCH_INLINE const void *lamport_peek(struct lamport_end *e, size_t bytes)
{
    (void)bytes;
    while (e->at == e->other)
        e->other = __atomic_load_n(&e->ring->tail, __ATOMIC_ACQUIRE); /* <- lamport_commit */
    return lamport_slot(e);
}

BENCH_INLINE void lamport_release(struct lamport_end *e)
{
    __atomic_store_n(&e->ring->head, ++e->at, __ATOMIC_RELEASE); /* -> lamport_claim: read before free */
}

#define PEER(verb) lamport_##verb
#define PEER_END   struct lamport_end
#include "../pieces.h"

static size_t stride_of(const struct bench_run *run)
{
    return (run->shape.bytes + 7) / 8 * 8;
}

static size_t shared_bytes(const struct bench_run *run)
{
    size_t slots = (stride_of(run) * run->shape.depth + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE;
    return (sizeof(struct lamport) + slots) * run->shape.channels;
}

static struct lamport_end *open_end(const struct bench_run *run, int channel)
{
    struct lamport_end *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->ring = (struct lamport *)((unsigned char *)run->shared + (size_t)channel * run->state_bytes);
    e->mask = run->shape.depth - 1;
    e->stride = stride_of(run);
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_lamport = {
    .name = "lamport",
    .what = "our own minimal one/one ring with cached indices",
    .flags = BENCH_FLOOR | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_LARGE | BENCH_SEALED,
    .shared_bytes = shared_bytes, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
