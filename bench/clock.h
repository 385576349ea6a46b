/* SPDX-License-Identifier: MIT */
/** Time in ticks: the time stamp counter where there is one (8 ns a look here), else CLOCK_MONOTONIC. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t bench_clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t bench_now_ns(void)
{
    return bench_clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return bench_now_ns();
#endif
}

/** Set by bench_clock_start, before anything forks. */
extern double bench_tick_ns; /* nanoseconds in a tick */
extern double bench_look_ns; /* what a look at the clock adds to a timed operation */

void bench_clock_start(void);

static inline uint64_t bench_to_ticks(uint64_t ns)
{
    return (uint64_t)((double)ns / bench_tick_ns);
}

static inline double bench_to_ns(uint64_t ticks)
{
    return (double)ticks * bench_tick_ns;
}

#endif
