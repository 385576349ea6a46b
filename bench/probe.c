/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include "clock.h"

#define BLOCKS      24 /* the median of so many blocks: interrupts and theft do not count */
#define BLOCK_TRIPS 16
#define TRIPS       (BLOCKS * BLOCK_TRIPS + 1) /* the first is the rendezvous */

/* Round trips measured on this kind of machine: ~50 ns on one core, ~100 under one L3, 320–450 across. */
#define CORE_MOST 75.0
#define NEAR_MOST 220.0
#define FAR_LEAST 260.0

static void wait_for(const uint64_t *word, uint64_t value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        ; /* never gives up the CPU: on a loaded machine the two would hardly ever meet again */
}

static void trip(struct bench_line *line, unsigned side, uint64_t at)
{
    if (side == 0) {
        __atomic_store_n(&line->word, at + 1, __ATOMIC_RELEASE);
        wait_for(&line->word, at + 2);
    } else {
        wait_for(&line->word, at + 1);
        __atomic_store_n(&line->word, at + 2, __ATOMIC_RELEASE);
    }
}

double bench_probe(struct bench_line *line, unsigned side, unsigned nth)
{
    uint64_t at = (uint64_t)nth * TRIPS * 2;
    double blocks[BLOCKS];
    trip(line, side, at);
    at += 2;
    for (unsigned b = 0; b < BLOCKS; b++) {
        uint64_t start = bench_ticks();
        for (unsigned i = 0; i < BLOCK_TRIPS; i++, at += 2)
            trip(line, side, at);
        blocks[b] = bench_to_ns(bench_ticks() - start) / BLOCK_TRIPS;
    }
    return side == 0 ? bench_median(blocks, BLOCKS) : 0.0;
}

static enum bench_place place_of(double ns)
{
    if (ns <= CORE_MOST)
        return BENCH_CORE;
    if (ns <= NEAR_MOST)
        return BENCH_NEAR;
    return ns >= FAR_LEAST ? BENCH_FAR : BENCH_MIXED;
}

enum bench_place bench_probe_place(double before, double after)
{
    enum bench_place a = place_of(before), b = place_of(after);
    return a == b ? a : BENCH_MIXED;
}
