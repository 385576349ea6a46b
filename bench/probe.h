/* SPDX-License-Identifier: MIT */
/**
 * The bare line: what a round trip on one cache line between the two CPUs costs right now.
 *
 * The CPUs of a virtual machine wander over the host's cores within a second, so a figure without the distance at
 * which it was taken means nothing. Each piece is probed before and after.
 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "bench.h"

/** One line that both workers write: odd = side 0's turn is over, even = side 1's. Zeroed before first use. */
struct bench_line {
    uint64_t word __attribute__((aligned(BENCH_LINE)));
    uint64_t base; /* side 0 only */
};

/** Called by both sides, 0 and 1, which must end up on different CPUs. Waits for the other. ns on side 0, 0 on side 1. */
double bench_probe(struct bench_line *line, unsigned side, unsigned nth);

/** Where a piece between two probes belongs: BENCH_MIXED when they disagree or lie between the classes. */
enum bench_place bench_probe_place(double before, double after);

#endif
