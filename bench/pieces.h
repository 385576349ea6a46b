/* SPDX-License-Identifier: MIT */
/*
 * The piece functions of a peer, made from six small inline functions, so that no call by pointer stands between a
 * message and its loop. Include it once for each peer, after
 *
 *   #define PEER(verb) vyukov_##verb        the names' prefix
 *   #define PEER_END   struct vyukov_end    one end of one channel, as the peer's enter opened it
 *   void *PEER(claim)(PEER_END *, size_t bytes)            waits for room; where to write the message
 *   void PEER(commit)(PEER_END *, size_t bytes)            sends it
 *   void PEER(flush)(PEER_END *)                           sends what a batch still holds back
 *   const void *PEER(peek)(PEER_END *, size_t bytes)       waits for a message; where to read it
 *   void PEER(release)(PEER_END *)                         has been read
 *
 * The usual sizes are constants to the compiler, for every peer alike. The message that begins a block tells the
 * other side whether it is the last block: neither side looks at anything shared but the messages.
 */
#include "bench.h"
#include "clock.h"
#include "payload.h"

#ifndef BENCH_SIZED
/* clang-format off */
#define BENCH_SIZED(call, bytes)                                                                                       \
    switch (bytes) {                                                                                                   \
    case 8: call(8); break;                                                                                            \
    case 48: call(48); break;                                                                                          \
    case 64: call(64); break;                                                                                          \
    case 1024: call(1024); break;                                                                                      \
    default: call(bytes);                                                                                              \
    }
/* clang-format on */

BENCH_INLINE void bench_sample(struct bench_report *out, uint64_t ticks)
{
    if (out->samples_n < BENCH_SAMPLES)
        out->samples[out->samples_n++] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

BENCH_INLINE void bench_block(struct bench_report *out, uint64_t ticks)
{
    if (out->blocks_n < BENCH_BLOCKS)
        out->blocks[out->blocks_n++] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}
#define BENCH_TIMED_EVERY 4 /* of so many blocks one is timed message by message */
#endif

BENCH_INLINE uint64_t PEER(there_and_back)(PEER_END *tx, PEER_END *rx, size_t bytes, uint64_t number)
{
    payload_fill(PEER(claim)(tx, bytes), bytes, number);
    PEER(commit)(tx, bytes);
    uint64_t bad = payload_check(PEER(peek)(rx, bytes), bytes, number);
    PEER(release)(rx);
    return bad;
}

BENCH_INLINE void PEER(ping_sized)(struct bench_worker *w, size_t bytes)
{
    PEER_END *tx = (PEER_END *)w->tx, *rx = (PEER_END *)w->rx;
    struct bench_report *out = w->out;
    uint64_t number = 1, bad = 0, end = bench_ticks() + w->piece_ticks;
    for (unsigned block = 1, last = 0; !last; block++) {
        uint64_t start = bench_ticks();
        last = start >= end;
        bad |= PEER(there_and_back)(tx, rx, bytes, number++ | (last ? BENCH_STOP : 0));
        if (w->time_all || block % BENCH_TIMED_EVERY == 0) {
            for (unsigned i = 1; i < w->block; i++) {
                uint64_t t = bench_ticks();
                bad |= PEER(there_and_back)(tx, rx, bytes, number++);
                bench_sample(out, bench_ticks() - t);
            }
        } else {
            for (unsigned i = 1; i < w->block; i++)
                bad |= PEER(there_and_back)(tx, rx, bytes, number++);
            bench_block(out, bench_ticks() - start);
        }
    }
    out->messages = number - 1;
    out->bad = bad;
}

BENCH_INLINE uint64_t PEER(answer)(PEER_END *tx, PEER_END *rx, size_t bytes, uint64_t number, bool first)
{
    const void *from = PEER(peek)(rx, bytes);
    uint64_t stop = first ? payload_first(from) & BENCH_STOP : 0;
    uint64_t bad = payload_check(from, bytes, number | stop);
    PEER(release)(rx);
    payload_fill(PEER(claim)(tx, bytes), bytes, number | stop);
    PEER(commit)(tx, bytes);
    return bad | stop;
}

BENCH_INLINE void PEER(pong_sized)(struct bench_worker *w, size_t bytes)
{
    PEER_END *tx = (PEER_END *)w->tx, *rx = (PEER_END *)w->rx;
    uint64_t number = 1, bad = 0, stop = 0;
    while (!stop) {
        uint64_t said = PEER(answer)(tx, rx, bytes, number++, true);
        stop = said & BENCH_STOP;
        bad |= said & ~BENCH_STOP;
        for (unsigned i = 1; i < w->block; i++)
            bad |= PEER(answer)(tx, rx, bytes, number++, false);
    }
    w->out->messages = number - 1;
    w->out->bad = bad;
}

BENCH_INLINE void PEER(produce_sized)(struct bench_worker *w, size_t bytes)
{
    PEER_END *tx = (PEER_END *)w->tx;
    uint64_t number = 1, end = w->blocks_left ? 0 : bench_ticks() + w->piece_ticks;
    for (bool last = false; !last;) {
        last = w->blocks_left ? --w->blocks_left == 0 : bench_ticks() >= end;
        payload_fill(PEER(claim)(tx, bytes), bytes, number++ | (last ? BENCH_STOP : 0));
        PEER(commit)(tx, bytes);
        for (unsigned i = 1; i < w->block; i++) {
            payload_fill(PEER(claim)(tx, bytes), bytes, number++);
            PEER(commit)(tx, bytes);
        }
    }
    PEER(flush)(tx);
    w->out->messages = number - 1;
}

BENCH_INLINE void PEER(consume_sized)(struct bench_worker *w, size_t bytes)
{
    PEER_END *rx = (PEER_END *)w->rx;
    uint64_t number = 1, bad = 0, stop = 0;
    while (!stop) {
        const void *first = PEER(peek)(rx, bytes);
        stop = payload_first(first) & BENCH_STOP;
        bad |= payload_check(first, bytes, number++ | stop);
        PEER(release)(rx);
        for (unsigned i = 1; i < w->block; i++) {
            bad |= payload_check(PEER(peek)(rx, bytes), bytes, number++);
            PEER(release)(rx);
        }
    }
    w->out->messages = number - 1;
    w->out->bad = bad;
}

BENCH_INLINE void PEER(produce_many_sized)(struct bench_worker *w, size_t bytes)
{
    PEER_END *tx = (PEER_END *)w->tx;
    uint64_t from = (uint64_t)(w->role & BENCH_FROM_MASK) << BENCH_FROM_SHIFT;
    uint64_t number = 1, end = bench_ticks() + w->piece_ticks;
    while (number % 16 != 0 || bench_ticks() < end) {
        payload_fill(PEER(claim)(tx, bytes), bytes, from | number++);
        PEER(commit)(tx, bytes);
    }
    for (unsigned i = 0; i < w->stops; i++) {
        payload_fill(PEER(claim)(tx, bytes), bytes, from | number++ | BENCH_STOP);
        PEER(commit)(tx, bytes);
    }
    PEER(flush)(tx);
    w->out->messages = number - 1;
}

/* Checks every byte, and that each producer's messages come in their order. */
BENCH_INLINE void PEER(consume_many_sized)(struct bench_worker *w, size_t bytes)
{
    PEER_END *rx = (PEER_END *)w->rx;
    uint64_t latest[BENCH_FROM_MASK + 1] = {0}, bad = 0, messages = 0;
    for (unsigned stops = 0; stops < w->stops; messages++) {
        const void *from = PEER(peek)(rx, bytes);
        uint64_t first = payload_first(from), who = first >> BENCH_FROM_SHIFT & BENCH_FROM_MASK;
        bad |= payload_check(from, bytes, first);
        PEER(release)(rx);
        bad |= (first & BENCH_NUMBER) <= latest[who];
        latest[who] = first & BENCH_NUMBER;
        stops += (first & BENCH_STOP) != 0;
    }
    w->out->messages = messages;
    w->out->bad = bad;
}

/* clang-format off */
#define BENCH_CALL(bytes) PEER(ping_sized)(w, bytes)
static void PEER(ping)(struct bench_worker *w) { BENCH_SIZED(BENCH_CALL, w->bytes) }
#undef BENCH_CALL
#define BENCH_CALL(bytes) PEER(pong_sized)(w, bytes)
static void PEER(pong)(struct bench_worker *w) { BENCH_SIZED(BENCH_CALL, w->bytes) }
#undef BENCH_CALL
#define BENCH_CALL(bytes) PEER(produce_sized)(w, bytes)
static void PEER(produce)(struct bench_worker *w) { BENCH_SIZED(BENCH_CALL, w->bytes) }
#undef BENCH_CALL
#define BENCH_CALL(bytes) PEER(consume_sized)(w, bytes)
static void PEER(consume)(struct bench_worker *w) { BENCH_SIZED(BENCH_CALL, w->bytes) }
#undef BENCH_CALL
#define BENCH_CALL(bytes) PEER(produce_many_sized)(w, bytes)
static void PEER(produce_many)(struct bench_worker *w) { BENCH_SIZED(BENCH_CALL, w->bytes) }
#undef BENCH_CALL
#define BENCH_CALL(bytes) PEER(consume_many_sized)(w, bytes)
static void PEER(consume_many)(struct bench_worker *w) { BENCH_SIZED(BENCH_CALL, w->bytes) }
#undef BENCH_CALL
/* clang-format on */

static void PEER(send_one)(struct bench_worker *w, uint64_t word)
{
    payload_fill(PEER(claim)((PEER_END *)w->tx, w->bytes), w->bytes, word);
    PEER(commit)((PEER_END *)w->tx, w->bytes);
    PEER(flush)((PEER_END *)w->tx);
}

static uint64_t PEER(recv_one)(struct bench_worker *w)
{
    const void *from = PEER(peek)((PEER_END *)w->rx, w->bytes);
    uint64_t first = payload_first(from);
    w->out->bad |= payload_check(from, w->bytes, first);
    PEER(release)((PEER_END *)w->rx);
    return first;
}

/** All of them, for the peer's table; a peer's flags say which of them are used. */
#ifndef BENCH_PIECE_OPS
#define BENCH_PIECE_OPS(p)                                                                                             \
    .ping = p(ping), .pong = p(pong), .produce = p(produce), .consume = p(consume), .produce_many = p(produce_many),   \
    .consume_many = p(consume_many), .send_one = p(send_one), .recv_one = p(recv_one)
#endif
