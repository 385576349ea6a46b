/* SPDX-License-Identifier: MIT */
/*
 * Our own reference of the well-known bounded queue of Dmitry Vyukov: a sequence number in each cell, tickets from two
 * shared counters. As fast as a many/many ring gets with two counters; a process killed between taking a ticket and
 * publishing its cell wedges everybody, so it is a reference here and nothing that one could ship.
 */
#include <errno.h>
#include <stdlib.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

struct vyukov {
    uint64_t enqueue __attribute__((aligned(BENCH_LINE)));
    uint64_t dequeue __attribute__((aligned(BENCH_LINE)));
    unsigned char cells[] __attribute__((aligned(BENCH_LINE)));
};

struct vyukov_cell {
    uint64_t sequence; /* position: free for it; position + 1: holds its message */
    unsigned char payload[];
};

struct vyukov_end {
    struct vyukov *ring;
    struct vyukov_cell *cell; /* claimed or peeked */
    uint64_t at, mask;
    size_t stride;
};

BENCH_INLINE struct vyukov_cell *cell_at(const struct vyukov_end *e, uint64_t position)
{
    return (struct vyukov_cell *)(e->ring->cells + (position & e->mask) * e->stride);
}

/* Takes the next ticket whose cell has come round to position + ready. */
BENCH_INLINE void take_ticket(struct vyukov_end *e, uint64_t *counter, uint64_t ready)
{
    uint64_t at = __atomic_load_n(counter, __ATOMIC_RELAXED);
    for (;;) {
        e->cell = cell_at(e, at);
        int64_t ahead = (int64_t)(__atomic_load_n(&e->cell->sequence, __ATOMIC_ACQUIRE) - (at + ready));
        if (ahead == 0) {
            if (__atomic_compare_exchange_n(counter, &at, at + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                break;
        } else {
            BENCH_RELAX();
            at = __atomic_load_n(counter, __ATOMIC_RELAXED);
        }
    }
    e->at = at;
}

BENCH_INLINE void *vyukov_claim(struct vyukov_end *e, size_t bytes)
{
    (void)bytes;
    take_ticket(e, &e->ring->enqueue, 0);
    return e->cell->payload;
}

BENCH_INLINE void vyukov_commit(struct vyukov_end *e, size_t bytes)
{
    (void)bytes;
    __atomic_store_n(&e->cell->sequence, e->at + 1, __ATOMIC_RELEASE);
}

BENCH_INLINE void vyukov_flush(struct vyukov_end *e)
{
    (void)e;
}

BENCH_INLINE const void *vyukov_peek(struct vyukov_end *e, size_t bytes)
{
    (void)bytes;
    take_ticket(e, &e->ring->dequeue, 1);
    return e->cell->payload;
}

BENCH_INLINE void vyukov_release(struct vyukov_end *e)
{
    __atomic_store_n(&e->cell->sequence, e->at + e->mask + 1, __ATOMIC_RELEASE);
}

#define PEER(verb) vyukov_##verb
#define PEER_END   struct vyukov_end
#include "../pieces.h"

static size_t ring_bytes(const struct bench_run *run)
{
    return sizeof(struct vyukov) + bench_stride(run->shape.bytes) * run->shape.depth;
}

static size_t shared_bytes(const struct bench_run *run)
{
    return ring_bytes(run) * run->shape.channels;
}

static struct vyukov_end *open_end(const struct bench_run *run, int channel)
{
    struct vyukov_end *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->ring = (struct vyukov *)((unsigned char *)run->shared + (size_t)channel * run->state_bytes);
    e->mask = run->shape.depth - 1;
    e->stride = bench_stride(run->shape.bytes);
    return e;
}

static int setup(struct bench_run *run)
{
    for (unsigned channel = 0; channel < run->shape.channels; channel++) {
        struct vyukov_end *e = open_end(run, (int)channel);
        if (!e)
            return -ENOMEM;
        for (uint64_t i = 0; i < run->shape.depth; i++)
            cell_at(e, i)->sequence = i;
        free(e);
    }
    return 0;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_vyukov = {
    .name = "vyukov",
    .what = "our own copy of Vyukov's many/many queue; a killed process wedges it",
    .flags = BENCH_FLOOR | BENCH_MANY | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_FANIN | BENCH_FANOUT | BENCH_SEALED,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
