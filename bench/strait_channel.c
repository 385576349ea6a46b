/* SPDX-License-Identifier: MIT */
/*
 * Ours: a strait channel as one/one and as many/many, busy and sleeping, singly and in batches, one ring and lanes.
 * Up to COPY_MOST bytes by send and recv, which copy; above, in place by claim, commit, peek and release.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <unistd.h>

#include "ends.h"
#include "payload.h"

#define COPY_MOST    256
#define DEAD_LETTERS 16         /* room for the channel's dead letters, in messages */
#define SEGMENT_MORE (2u << 20) /* beside the slots: header, leases, directory */

struct strait_end {
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct strait_claim claim; /* in place */
    struct strait_msg msg;
    unsigned held, got, read; /* batches: to send, received, read of these */
    size_t bytes;             /* of one message of a batch */
    unsigned char values[BENCH_BATCH * COPY_MOST] __attribute__((aligned(BENCH_LINE)));
};

static void died(const char *what, int64_t error)
{
    fprintf(stderr, "strait-bench: strait_%s: %s\n", what, strerror((int)-error));
    _exit(3);
}

/* Busy means: a channel on which nobody sleeps, and calls that do not wait, again and again. Sleeping means: the calls
 * that wait, without a deadline. */
#define BUSY     STRAIT_NOW
#define SLEEPING STRAIT_FOREVER

/* ---- singly ---- */

BENCH_INLINE void *single_claim(struct strait_end *e, size_t bytes, uint64_t wait)
{
    int r;
    if (bytes <= COPY_MOST)
        return e->values;
    do
        r = strait_claim(e->tx, &e->claim, wait);
    while (wait == BUSY && r == -EAGAIN);
    if (r < 0)
        died("claim", r);
    return e->claim.data;
}

BENCH_INLINE void single_commit(struct strait_end *e, size_t bytes, uint64_t wait)
{
    int r;
    if (bytes > COPY_MOST)
        r = strait_commit(e->tx, &e->claim, 0, (uint32_t)bytes);
    else if (wait == SLEEPING)
        r = strait_send(e->tx, e->values, (uint32_t)bytes, SLEEPING);
    else
        do
            r = strait_try_send(e->tx, 0, e->values, (uint32_t)bytes);
        while (r == -EAGAIN);
    if (r != 0)
        died("send", r);
}

BENCH_INLINE const void *single_peek(struct strait_end *e, size_t bytes, uint64_t wait)
{
    int64_t n;
    if (bytes > COPY_MOST) {
        do
            n = strait_peek(e->rx, &e->msg, wait);
        while (wait == BUSY && n == -EAGAIN);
        if (n < 0 || e->msg.bytes != bytes)
            died("peek", n);
        return e->msg.data;
    }
    do
        n = wait == SLEEPING ? strait_recv(e->rx, e->values, (uint32_t)bytes, SLEEPING)
                             : strait_try_recv(e->rx, e->values, (uint32_t)bytes, NULL);
    while (wait == BUSY && n == -EAGAIN);
    if (n != (int64_t)bytes)
        died("recv", n);
    return e->values;
}

/* By send and recv it is over already; in place it is not. `msg.data` tells which it was. */
BENCH_INLINE void single_release(struct strait_end *e)
{
    if (!e->msg.data)
        return;
    int r = strait_release(e->rx, &e->msg);
    if (r < 0)
        died("release", r);
}

/* ---- in batches, busy ---- */

BENCH_INLINE void *batch_claim(struct strait_end *e, size_t bytes)
{
    return e->values + e->held * bytes;
}

BENCH_INLINE void batch_send(struct strait_end *e, size_t bytes)
{
    for (unsigned done = 0; done < e->held;) {
        int n = strait_send_array(e->tx, 0, e->values + done * bytes, (uint32_t)bytes, e->held - done, BUSY);
        if (n < 0 && n != -EAGAIN)
            died("send_array", n);
        done += n > 0 ? (unsigned)n : 0;
    }
    e->held = 0;
}

BENCH_INLINE void batch_commit(struct strait_end *e, size_t bytes)
{
    e->bytes = bytes;
    if (++e->held == BENCH_BATCH)
        batch_send(e, bytes);
}

BENCH_INLINE void batch_flush(struct strait_end *e)
{
    batch_send(e, e->bytes);
}

BENCH_INLINE const void *batch_peek(struct strait_end *e, size_t bytes)
{
    if (e->read == e->got) {
        int n;
        do
            n = strait_recv_array(e->rx, e->values, (uint32_t)bytes, BENCH_BATCH, BUSY);
        while (n == -EAGAIN);
        if (n <= 0)
            died("recv_array", n);
        e->got = (unsigned)n;
        e->read = 0;
    }
    return e->values + e->read * bytes;
}

BENCH_INLINE void batch_release(struct strait_end *e)
{
    e->read++;
}

/* ---- the pieces of each ---- */

/* clang-format off */
#define SINGLE_VERBS(prefix, wait)                                                                                     \
    BENCH_INLINE void *prefix##_claim(struct strait_end *e, size_t bytes) { return single_claim(e, bytes, wait); }     \
    BENCH_INLINE void prefix##_commit(struct strait_end *e, size_t bytes) { single_commit(e, bytes, wait); }           \
    BENCH_INLINE void prefix##_flush(struct strait_end *e) { (void)e; }                                                \
    BENCH_INLINE const void *prefix##_peek(struct strait_end *e, size_t bytes) { return single_peek(e, bytes, wait); } \
    BENCH_INLINE void prefix##_release(struct strait_end *e) { single_release(e); }
/* clang-format on */

#define PEER_END struct strait_end

SINGLE_VERBS(busy, BUSY)
#define PEER(verb) busy_##verb
#include "pieces.h"

#undef PEER
SINGLE_VERBS(sleeping, SLEEPING)
#define PEER(verb) sleeping_##verb
#include "pieces.h"

#undef PEER
#define PEER(verb) batch_##verb
#include "pieces.h"

/* ---- the channel ---- */

struct kind {
    bool many, busy, lanes, shards, packed;
    enum strait_spread spread;
};

static const struct kind *kind_of(const struct bench_run *run)
{
    return run->peer->own;
}

static void name_of(char name[STRAIT_NAME_BYTES], const struct bench_run *run, pid_t harness)
{
    snprintf(name, STRAIT_NAME_BYTES, "bench-%d-%s", harness, run->peer->name);
}

/* Between two processes the peer's name decides; in a crowd each side is as many as it is. */
static enum strait_ends ends(const struct bench_run *run, unsigned n)
{
    bool crowd = run->shape.producers + run->shape.consumers > 2;
    return (crowd ? n > 1 : kind_of(run)->many) ? STRAIT_MANY : STRAIT_ONE;
}

/* A packed channel's slot holds one whole batch. */
static size_t slot_bytes(const struct bench_run *run)
{
    return run->shape.bytes * (kind_of(run)->packed ? BENCH_BATCH : 1);
}

/* As many slots as fit the bytes of a plain ring, so that no row has more state than another. */
static unsigned depth(const struct bench_run *run)
{
    size_t all = bench_stride(run->shape.bytes) * run->shape.depth;
    unsigned n = run->shape.depth;
    while (n > 2 && n * bench_stride(slot_bytes(run)) > all)
        n /= 2;
    return n;
}

static int create(struct bench_run *run, struct strait_segment *segment)
{
    struct strait_channel_options options = {
        .slot_bytes = (uint32_t)slot_bytes(run),
        .depth = depth(run),
        .packed = kind_of(run)->packed,
        .senders = ends(run, run->shape.producers),
        .receivers = ends(run, run->shape.consumers),
        .lanes = kind_of(run)->lanes ? run->shape.producers : 0,
        .busy = kind_of(run)->busy,
        .shards = kind_of(run)->shards ? STRAIT_SHARDS_NODES : 0,
        .spread = kind_of(run)->spread,
    };
    for (unsigned i = 0; i < run->shape.channels; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        int r = strait_channel_create(segment, name, &options);
        if (r < 0)
            return bench_why(run, r, "not run: strait_channel_create: %.100s", strait_error());
    }
    return 0;
}

static int setup(struct bench_run *run)
{
    char name[STRAIT_NAME_BYTES];
    struct strait_segment *segment;
    unsigned rings = kind_of(run)->lanes ? run->shape.producers : 1;
    size_t ring = bench_stride(slot_bytes(run)) * depth(run);
    struct strait_segment_options options = {.attach = STRAIT_CREATE_ONLY,
                                             .bytes = SEGMENT_MORE + (ring + DEAD_LETTERS * slot_bytes(run)) * rings *
                                                                         run->shape.channels};
    name_of(name, run, getpid());
    int r = strait_attach(name, &options, &segment);
    if (r < 0)
        return bench_why(run, r, "not run: strait_attach: %.100s", strait_error());
    r = create(run, segment);
    strait_detach(segment); /* each worker attaches itself */
    run->state_bytes = (sizeof(struct strait_ring) + ring) * rings;
    run->depth = depth(run);
    return r;
}

static void teardown(struct bench_run *run)
{
    char name[STRAIT_NAME_BYTES];
    name_of(name, run, getpid());
    strait_segment_remove(name, NULL);
}

static int open_end(struct strait_segment *segment, int channel, bool sends, void **end)
{
    char name[16];
    struct strait_end *e = aligned_alloc(BENCH_LINE, (sizeof *e + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE);
    if (!e)
        return -ENOMEM;
    memset(e, 0, sizeof *e);
    *end = e;
    snprintf(name, sizeof name, "c%d", channel);
    return sends ? strait_tx_open(segment, name, NULL, &e->tx) : strait_rx_open(segment, name, NULL, &e->rx);
}

static int enter(struct bench_worker *w)
{
    char name[STRAIT_NAME_BYTES];
    struct strait_segment *segment;
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY};
    name_of(name, w->run, getppid());
    int r = strait_attach(name, &options, &segment);
    if (r == 0 && w->tx_channel >= 0)
        r = open_end(segment, w->tx_channel, true, &w->tx);
    if (r == 0 && w->rx_channel >= 0)
        r = open_end(segment, w->rx_channel, false, &w->rx);
    return r;
}

/* ---- who competes ---- */

static const struct kind one = {.busy = true}, one_sleeping = {0}, many = {.many = true, .busy = true},
                         many_sleeping = {.many = true}, lanes = {.many = true, .lanes = true},
                         sharded = {.many = true, .busy = true, .shards = true},
                         by_key = {.many = true, .busy = true, .shards = true, .spread = STRAIT_SPREAD_KEY},
                         one_packed = {.busy = true, .packed = true},
                         many_packed = {.many = true, .busy = true, .packed = true};

#define OURS(symbol, its_name, its_what, its_kind, its_pieces, its_flags)                                              \
    const struct bench_peer bench_peer_##symbol = {                                                                    \
        .name = its_name,                                                                                              \
        .what = its_what,                                                                                              \
        .flags = BENCH_OURS | (its_flags),                                                                             \
        .most_bytes = (its_flags)&BENCH_BATCHES ? COPY_MOST : 0,                                                       \
        .own = &its_kind,                                                                                              \
        .setup = setup,                                                                                                \
        .enter = enter,                                                                                                \
        .teardown = teardown,                                                                                          \
        BENCH_PIECE_OPS(its_pieces),                                                                                   \
    }
#define BUSY_PIECE(verb)     busy_##verb
#define SLEEPING_PIECE(verb) sleeping_##verb
#define BATCH_PIECE(verb)    batch_##verb
#define PAIR                 (BENCH_ROUNDTRIP | BENCH_STREAM)
#define CROWD                (BENCH_FANIN | BENCH_FANOUT)

OURS(strait, "strait", "one/one, busy", one, BUSY_PIECE, PAIR | BENCH_LARGE | BENCH_SEALED | BENCH_WAKE);
OURS(strait_watched, "strait-watched", "one/one, busy; shmctl tap and top look on", one, BUSY_PIECE, BENCH_STREAM);
OURS(strait_many, "strait-many", "many/many, busy", many, BUSY_PIECE, PAIR | BENCH_MANY | BENCH_SEALED);
OURS(strait_sleeping, "strait-sleeping", "one/one, sleeps after a short spin", one_sleeping, SLEEPING_PIECE,
     PAIR | BENCH_SLEEPS | BENCH_WAKE | BENCH_LARGE);
OURS(strait_many_sleeping, "strait-many-sleeping", "many/many (fan: one shared ring), sleeps after a short spin",
     many_sleeping, SLEEPING_PIECE, PAIR | CROWD | BENCH_MANY | BENCH_SLEEPS | BENCH_WAKE | BENCH_IDLE);
OURS(strait_lanes, "strait-lanes", "a ring for each sender, one bell, sleeps after a short spin", lanes, SLEEPING_PIECE,
     BENCH_MANY | BENCH_SLEEPS | BENCH_FANIN);
OURS(strait_x32, "strait-x32", "one/one, packed, busy, arrays of 32, one a slot", one_packed, BATCH_PIECE,
     BENCH_STREAM | BENCH_BATCHES);
OURS(strait_many_x32, "strait-many-x32", "many/many, packed, busy, arrays of 32, one a slot", many_packed, BATCH_PIECE,
     BENCH_STREAM | BENCH_BATCHES | BENCH_MANY);
OURS(strait_sharded, "strait-sharded", "many/many, busy, a shard for each node", sharded, BUSY_PIECE,
     PAIR | BENCH_MANY);
OURS(strait_by_key, "strait-by-key", "many/many, busy, a shard for each node, in order", by_key, BUSY_PIECE,
     PAIR | BENCH_MANY);
