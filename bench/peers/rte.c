/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_ring in shared memory, without EAL: one/one and many/many, single sends and bursts. Small messages travel
 * in the ring's own cells; above VALUE_MOST the one/one ring carries the number of a buffer, written and read in place.
 */
#include "absent.h"

#define PLAYS (BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_SEALED)

#ifndef BENCH_HAVE_RTE
BENCH_ABSENT_PEER(rte_spsc, "rte-spsc", PLAYS | BENCH_LARGE, "libdpdk-dev");
BENCH_ABSENT_PEER(rte_mpmc, "rte-mpmc", PLAYS | BENCH_MANY | BENCH_FANIN | BENCH_FANOUT, "libdpdk-dev");
BENCH_ABSENT_PEER(rte_spsc_x32, "rte-spsc-x32", BENCH_STREAM | BENCH_BATCHES, "libdpdk-dev");
BENCH_ABSENT_PEER(rte_mpmc_x32, "rte-mpmc-x32", BENCH_STREAM | BENCH_BATCHES | BENCH_MANY, "libdpdk-dev");
#else

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <string.h>

#include "../ends.h"
#include "../payload.h"

#define VALUE_MOST 256

struct rte_end {
    struct rte_ring *ring;
    unsigned char *buffers;
    uint64_t at, buffers_n;   /* messages so far */
    size_t bytes, message;    /* of a buffer; of a message */
    uint64_t index;           /* of the peeked buffer */
    unsigned held, got, read; /* bursts: to send, received, read of these */
    unsigned char values[BENCH_BATCH * VALUE_MOST] __attribute__((aligned(BENCH_LINE)));
};

BENCH_INLINE void *rte_claim(struct rte_end *e, size_t bytes)
{
    return bytes <= VALUE_MOST ? e->values : e->buffers + e->at % e->buffers_n * e->bytes;
}

BENCH_INLINE void rte_push(struct rte_end *e, void *from, unsigned bytes, bool many)
{
    while (many ? rte_ring_mp_enqueue_elem(e->ring, from, bytes) : rte_ring_sp_enqueue_elem(e->ring, from, bytes))
        BENCH_RELAX();
}

BENCH_INLINE void rte_pop(struct rte_end *e, void *to, unsigned bytes, bool many)
{
    while (many ? rte_ring_mc_dequeue_elem(e->ring, to, bytes) : rte_ring_sc_dequeue_elem(e->ring, to, bytes))
        BENCH_RELAX();
}

BENCH_INLINE void rte_commit(struct rte_end *e, size_t bytes, bool many)
{
    if (bytes <= VALUE_MOST) {
        rte_push(e, e->values, (unsigned)bytes, many);
        return;
    }
    uint64_t index = e->at++ % e->buffers_n;
    rte_push(e, &index, sizeof index, many);
}

BENCH_INLINE const void *rte_peek(struct rte_end *e, size_t bytes, bool many)
{
    if (bytes <= VALUE_MOST) {
        rte_pop(e, e->values, (unsigned)bytes, many);
        return e->values;
    }
    rte_pop(e, &e->index, sizeof e->index, many);
    return e->buffers + e->index * e->bytes;
}

/* ---- bursts ---- */

BENCH_INLINE void *burst_claim(struct rte_end *e, size_t bytes)
{
    return e->values + e->held * bytes;
}

BENCH_INLINE void burst_flush(struct rte_end *e, unsigned bytes, bool many)
{
    for (unsigned done = 0; done < e->held;) {
        const void *from = e->values + (size_t)done * bytes;
        unsigned left = e->held - done;
        done += many ? rte_ring_mp_enqueue_burst_elem(e->ring, from, bytes, left, NULL)
                     : rte_ring_sp_enqueue_burst_elem(e->ring, from, bytes, left, NULL);
    }
    e->held = 0;
}

BENCH_INLINE void burst_commit(struct rte_end *e, size_t bytes, bool many)
{
    if (++e->held == BENCH_BATCH)
        burst_flush(e, (unsigned)bytes, many);
}

BENCH_INLINE const void *burst_peek(struct rte_end *e, size_t bytes, bool many)
{
    while (e->read == e->got) {
        e->read = 0;
        e->got = many ? rte_ring_mc_dequeue_burst_elem(e->ring, e->values, (unsigned)bytes, BENCH_BATCH, NULL)
                      : rte_ring_sc_dequeue_burst_elem(e->ring, e->values, (unsigned)bytes, BENCH_BATCH, NULL);
    }
    return e->values + e->read * bytes;
}

/* ---- shared memory ---- */

static size_t up_to_line(size_t bytes)
{
    return (bytes + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE;
}

/* rte_ring takes a cell before its buffer has been read: two buffers more than cells keep the producer off it. */
static unsigned buffers_of(const struct bench_run *run)
{
    return run->shape.bytes <= VALUE_MOST ? 0 : run->shape.depth + 2;
}

static size_t ring_bytes(const struct bench_run *run)
{
    size_t element = run->shape.bytes <= VALUE_MOST ? run->shape.bytes : sizeof(uint64_t);
    ssize_t bytes = rte_ring_get_memsize_elem((unsigned)element, run->shape.depth);
    return bytes > 0 ? up_to_line((size_t)bytes) : 0;
}

static size_t shared_bytes(const struct bench_run *run)
{
    return (up_to_line(sizeof(struct rte_ring)) + ring_bytes(run) + buffers_of(run) * up_to_line(run->shape.bytes)) *
           run->shape.channels;
}

static int setup(struct bench_run *run)
{
    if (ring_bytes(run) == 0)
        return bench_why(run, -EINVAL, "not run: takes multiples of 4 bytes and powers of two slots");
    for (unsigned i = 0; i < run->shape.channels; i++) {
        struct rte_ring *ring = (struct rte_ring *)((unsigned char *)run->shared + i * run->state_bytes);
        int r = rte_ring_init(ring, "bench", run->shape.depth, 0);
        if (r < 0)
            return bench_why(run, r, "not run: rte_ring_init: %s", strerror(-r));
    }
    run->depth = run->shape.depth - 1;
    return 0;
}

static struct rte_end *open_end(const struct bench_run *run, int channel)
{
    struct rte_end *e = aligned_alloc(BENCH_LINE, sizeof *e);
    if (!e)
        return NULL;
    unsigned char *base = (unsigned char *)run->shared + (size_t)channel * run->state_bytes;
    memset(e, 0, sizeof *e);
    e->ring = (struct rte_ring *)base;
    e->buffers = base + ring_bytes(run);
    e->buffers_n = buffers_of(run);
    e->bytes = up_to_line(run->shape.bytes);
    e->message = run->shape.bytes;
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
#define RTE_VERBS(prefix, many)                                                                                        \
    BENCH_INLINE void *prefix##_claim(struct rte_end *e, size_t bytes) { return rte_claim(e, bytes); }                 \
    BENCH_INLINE void prefix##_commit(struct rte_end *e, size_t bytes) { rte_commit(e, bytes, many); }                 \
    BENCH_INLINE void prefix##_flush(struct rte_end *e) { (void)e; }                                                   \
    BENCH_INLINE const void *prefix##_peek(struct rte_end *e, size_t bytes) { return rte_peek(e, bytes, many); }       \
    BENCH_INLINE void prefix##_release(struct rte_end *e) { (void)e; }

#define BURST_VERBS(prefix, many)                                                                                      \
    BENCH_INLINE void *prefix##_claim(struct rte_end *e, size_t bytes) { return burst_claim(e, bytes); }               \
    BENCH_INLINE void prefix##_commit(struct rte_end *e, size_t bytes) { burst_commit(e, bytes, many); }               \
    BENCH_INLINE void prefix##_flush(struct rte_end *e) { burst_flush(e, (unsigned)e->message, many); }                 \
    BENCH_INLINE const void *prefix##_peek(struct rte_end *e, size_t bytes) { return burst_peek(e, bytes, many); }     \
    BENCH_INLINE void prefix##_release(struct rte_end *e) { e->read++; }

RTE_VERBS(rte_one, false)
#define PEER(verb) rte_one_##verb
#define PEER_END   struct rte_end
#include "../pieces.h"

const struct bench_peer bench_peer_rte_spsc = {
    .name = "rte-spsc",
    .what = "DPDK's rte_ring, one/one",
    .flags = PLAYS | BENCH_LARGE,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};

#undef PEER
RTE_VERBS(rte_many, true)
#define PEER(verb) rte_many_##verb
#include "../pieces.h"

const struct bench_peer bench_peer_rte_mpmc = {
    .name = "rte-mpmc",
    .what = "DPDK's rte_ring, many/many; a killed process wedges it",
    .flags = PLAYS | BENCH_MANY | BENCH_FANIN | BENCH_FANOUT,
    .most_bytes = VALUE_MOST,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};

#undef PEER
BURST_VERBS(rte_one_burst, false)
#define PEER(verb) rte_one_burst_##verb
#include "../pieces.h"

const struct bench_peer bench_peer_rte_spsc_x32 = {
    .name = "rte-spsc-x32",
    .what = "DPDK's rte_ring, one/one, bursts of 32",
    .flags = BENCH_STREAM | BENCH_BATCHES,
    .most_bytes = VALUE_MOST,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};

#undef PEER
BURST_VERBS(rte_many_burst, true)
#define PEER(verb) rte_many_burst_##verb
#include "../pieces.h"

const struct bench_peer bench_peer_rte_mpmc_x32 = {
    .name = "rte-mpmc-x32",
    .what = "DPDK's rte_ring, many/many, bursts of 32",
    .flags = BENCH_STREAM | BENCH_BATCHES | BENCH_MANY,
    .most_bytes = VALUE_MOST,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
#endif
