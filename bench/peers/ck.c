/* SPDX-License-Identifier: MIT */
/*
 * Concurrency Kit's ck_ring in shared memory, as its one/one and as its many/many queue. Small messages travel in the
 * ring's own cells; above VALUE_MOST the one/one ring carries the number of a buffer, written and read in place.
 */
#include "absent.h"

#define PLAYS (BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_SEALED)

#ifndef BENCH_HAVE_CK
BENCH_ABSENT_PEER(ck_spsc, "ck-spsc", PLAYS | BENCH_LARGE, "libck-dev");
BENCH_ABSENT_PEER(ck_mpmc, "ck-mpmc", PLAYS | BENCH_MANY | BENCH_FANIN | BENCH_FANOUT, "libck-dev");
#else

#include <ck_ring.h>
#include <stdlib.h>

#include "../ends.h"
#include "../payload.h"

#define VALUE_MOST 256

struct ck_end {
    struct ck_ring *ring;
    unsigned char *cells, *buffers;
    uint64_t at, buffers_n; /* messages so far */
    size_t bytes;
    uint64_t index; /* of the peeked buffer */
    unsigned char value[VALUE_MOST] __attribute__((aligned(BENCH_LINE)));
};

BENCH_INLINE void *ck_claim(struct ck_end *e, size_t bytes)
{
    return bytes <= VALUE_MOST ? e->value : e->buffers + e->at % e->buffers_n * e->bytes;
}

BENCH_INLINE void ck_push(struct ck_end *e, const void *from, unsigned bytes, bool many)
{
    while (!(many ? _ck_ring_enqueue_mp(e->ring, e->cells, from, bytes, NULL)
                  : _ck_ring_enqueue_sp(e->ring, e->cells, from, bytes, NULL)))
        BENCH_RELAX();
}

BENCH_INLINE void ck_pop(struct ck_end *e, void *to, unsigned bytes, bool many)
{
    while (
        !(many ? _ck_ring_dequeue_mc(e->ring, e->cells, to, bytes) : _ck_ring_dequeue_sc(e->ring, e->cells, to, bytes)))
        BENCH_RELAX();
}

BENCH_INLINE void ck_commit(struct ck_end *e, size_t bytes, bool many)
{
    if (bytes <= VALUE_MOST) {
        ck_push(e, e->value, (unsigned)bytes, many);
        return;
    }
    uint64_t index = e->at++ % e->buffers_n;
    ck_push(e, &index, sizeof index, many);
}

BENCH_INLINE const void *ck_peek(struct ck_end *e, size_t bytes, bool many)
{
    if (bytes <= VALUE_MOST) {
        ck_pop(e, e->value, (unsigned)bytes, many);
        return e->value;
    }
    ck_pop(e, &e->index, sizeof e->index, many);
    return e->buffers + e->index * e->bytes;
}

/* ck takes a cell before its buffer has been read: two buffers more than cells keep the producer off it. */
static unsigned buffers_of(const struct bench_run *run)
{
    return run->shape.bytes <= VALUE_MOST ? 0 : run->shape.depth + 2;
}

static size_t up_to_line(size_t bytes)
{
    return (bytes + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE;
}

static size_t cells_bytes(const struct bench_run *run)
{
    return up_to_line(run->shape.depth * (run->shape.bytes <= VALUE_MOST ? run->shape.bytes : sizeof(uint64_t)));
}

static size_t shared_bytes(const struct bench_run *run)
{
    size_t bytes = up_to_line(sizeof(struct ck_ring)) + cells_bytes(run);
    return (bytes + buffers_of(run) * up_to_line(run->shape.bytes)) * run->shape.channels;
}

static struct ck_end *open_end(const struct bench_run *run, int channel)
{
    struct ck_end *e = aligned_alloc(BENCH_LINE, sizeof *e);
    if (!e)
        return NULL;
    unsigned char *base = (unsigned char *)run->shared + (size_t)channel * run->state_bytes;
    *e = (struct ck_end){.ring = (struct ck_ring *)base,
                         .cells = base + up_to_line(sizeof(struct ck_ring)),
                         .buffers_n = buffers_of(run),
                         .bytes = up_to_line(run->shape.bytes)};
    e->buffers = e->cells + cells_bytes(run);
    return e;
}

static int setup(struct bench_run *run)
{
    for (unsigned i = 0; i < run->shape.channels; i++)
        ck_ring_init((struct ck_ring *)((unsigned char *)run->shared + i * run->state_bytes), run->shape.depth);
    run->depth = run->shape.depth - 1;
    return 0;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
#define CK_VERBS(prefix, many)                                                                                         \
    BENCH_INLINE void *prefix##_claim(struct ck_end *e, size_t bytes) { return ck_claim(e, bytes); }                   \
    BENCH_INLINE void prefix##_commit(struct ck_end *e, size_t bytes) { ck_commit(e, bytes, many); }                   \
    BENCH_INLINE void prefix##_flush(struct ck_end *e) { (void)e; }                                                    \
    BENCH_INLINE const void *prefix##_peek(struct ck_end *e, size_t bytes) { return ck_peek(e, bytes, many); }         \
    BENCH_INLINE void prefix##_release(struct ck_end *e) { (void)e; }

CK_VERBS(ck_one, false)
#define PEER(verb) ck_one_##verb
#define PEER_END   struct ck_end
#include "../pieces.h"

const struct bench_peer bench_peer_ck_spsc = {
    .name = "ck-spsc",
    .what = "Concurrency Kit's ck_ring, one/one",
    .flags = PLAYS | BENCH_LARGE,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};

#undef PEER
CK_VERBS(ck_many, true)
#define PEER(verb) ck_many_##verb
#include "../pieces.h"

const struct bench_peer bench_peer_ck_mpmc = {
    .name = "ck-mpmc",
    .what = "Concurrency Kit's ck_ring, many/many; a killed process wedges it",
    .flags = PLAYS | BENCH_MANY | BENCH_FANIN | BENCH_FANOUT,
    .most_bytes = VALUE_MOST,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
#endif
