/* SPDX-License-Identifier: MIT */
/* Calibration of the tick against CLOCK_MONOTONIC, and of the look itself. */
#include "clock.h"

double bench_tick_ns = 1.0;
double bench_look_ns = 0.0;

#define LOOKS 1000

/* The cheapest of many looks: what every timed operation pays at least. */
static double cheapest_look(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < LOOKS; i++) {
        uint64_t t = bench_ticks(), took = bench_ticks() - t;
        if (took < best)
            best = took;
    }
    return bench_to_ns(best);
}

void bench_clock_start(void)
{
    uint64_t ns = bench_now_ns(), ticks = bench_ticks();
    while (bench_now_ns() - ns < 20 * 1000 * 1000)
        ;
    uint64_t end_ticks = bench_ticks(), end_ns = bench_now_ns();
    bench_tick_ns = (double)(end_ns - ns) / (double)(end_ticks - ticks);
    bench_look_ns = cheapest_look();
}
