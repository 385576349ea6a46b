/* SPDX-License-Identifier: MIT */
/** The worker processes of a run: forked once, then told piece by piece what to do. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <signal.h>

#include "bench.h"
#include "probe.h"

/** Set by the harness's handler of SIGINT and SIGTERM: stop, and leave nothing behind. */
extern volatile sig_atomic_t bench_interrupted;

/** Between the harness and the workers of one run. Shared memory. */
struct bench_control {
    uint32_t command __attribute__((aligned(BENCH_LINE))); /* futex. harness: number of the piece; workers read */
    uint32_t time_all;                                     /* harness, before command */
    uint64_t piece_ticks;                                  /* likewise */
    uint32_t done __attribute__((aligned(BENCH_LINE)));    /* futex. workers add; harness reads, zeroes */
    uint32_t failed;                                       /* workers: -errno of enter, as positive */
    uint32_t arrived __attribute__((aligned(BENCH_LINE))); /* workers add; the last one zeroes it */
    uint32_t begun;                                        /* futex. the last one to arrive: number of the piece */
    struct bench_line line;
    struct bench_report reports[];
};

/** Maps `bytes` of shared memory, zeroed and prefaulted; NULL with errno. */
void *bench_share(size_t bytes);

/** Sets the run up and forks its workers; each has entered. 0 or -errno with run->why. */
int bench_workers_start(struct bench_run *run);

/** Runs one piece. 0, or -errno with run->why: a worker died, or did not come back (the workers are then killed). */
int bench_workers_piece(struct bench_run *run);

/** Kills and reaps the workers, tears the run down. */
void bench_workers_stop(struct bench_run *run);

/** For scenarios that measure by themselves: forks `n` workers that run `body` and exit with what it returns. */
int bench_workers_fork(struct bench_run *run, unsigned n, int (*body)(struct bench_worker *));

/** In a child of one's own making: goes when the harness goes. */
void bench_worker_alone(void);

/** Only memory and set-up, no workers. 0 or -errno. */
int bench_workers_setup(struct bench_run *run);

#endif
