/* SPDX-License-Identifier: MIT */
/** A few processes that all do the same for a while: begun together, stopped together, counted. For scenarios that measure. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"
#include "machine.h"
#include "worker.h"

#define CREW_MOST 8

struct crew {
    uint32_t ready, go, stop;
    unsigned char pad[BENCH_LINE - 12];
    struct {
        uint64_t done;
        uint64_t cpu_ns; /* its own CPU time from crew_begin to crew_over */
        unsigned char pad[BENCH_LINE - 16];
    } each[CREW_MOST];
};

/** What one of them does: opens what it needs, calls crew_begin, works until crew_over, says how often. */
typedef uint64_t crew_work(struct crew *crew, unsigned who, const struct bench_run *run);

static uint64_t crew_cpu_ns; /* in a worker */

static inline void crew_begin(struct crew *c)
{
    __atomic_add_fetch(&c->ready, 1, __ATOMIC_ACQ_REL);
    while (!__atomic_load_n(&c->go, __ATOMIC_ACQUIRE))
        sched_yield();
    crew_cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline bool crew_over(const struct crew *c)
{
    if (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED))
        return false;
    crew_cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - crew_cpu_ns;
    return true;
}

/** CPU time of the first n, over what they did: what the machine's other work does not change. */
static inline double crew_cpu_each(const struct crew *c, unsigned n)
{
    uint64_t cpu = 0, done = 0;

    for (unsigned i = 0; i < n; i++) {
        cpu += c->each[i].cpu_ns;
        done += c->each[i].done;
    }
    return (double)cpu / (double)(done ? done : 1);
}

/** Runs n of them for `ns`. Fills each[].done; how long it took, in ns. */
static inline double crew_run(struct crew *c, unsigned n, uint64_t ns, crew_work *work, const struct bench_run *run)
{
    pid_t pids[CREW_MOST];
    int status;

    c->ready = c->go = c->stop = 0;
    for (unsigned i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            exit(3);
        if (pids[i] == 0) {
            bench_worker_alone();
            c->each[i].done = work(c, i, run);
            c->each[i].cpu_ns = crew_cpu_ns;
            _exit(0);
        }
    }
    while (__atomic_load_n(&c->ready, __ATOMIC_ACQUIRE) < n)
        sched_yield();
    uint64_t start = bench_now_ns();
    __atomic_store_n(&c->go, 1, __ATOMIC_RELEASE);
    nanosleep(&(struct timespec){0, (long)ns}, NULL);
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELEASE);
    double took = (double)(bench_now_ns() - start);
    for (unsigned i = 0; i < n; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            fprintf(stderr, "strait-bench: a worker of %s failed (status %#x)\n", run->peer->name, status);
            exit(3);
        }
    return took;
}

/** A contender of such a scenario: one batch, in ns an operation. */
struct crew_contender {
    double (*batch_ns)(struct bench_run *run);
};

static inline void crew_roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run, (void)role;
    *tx_channel = *rx_channel = -1;
}

/** A scenario's measure: the contenders' batches in turn; the first round warms up. */
static inline int crew_measure(struct bench_run **runs, unsigned n, bool quick)
{
    for (unsigned round = 0; round <= (quick ? 10u : 60u); round++)
        for (unsigned i = 0; i < n; i++) {
            bench_machine_pin(0); /* who forks says where */
            double ns = ((const struct crew_contender *)runs[i]->peer->own)->batch_ns(runs[i]);
            if (round > 0)
                runs[i]->pieces[runs[i]->pieces_n++] = (struct bench_piece){.value = ns, .place = BENCH_MIXED};
        }
    return 0;
}

#define CREW_CONTENDER(symbol, its_name, its_what, function, its_flags)                                                \
    static const struct crew_contender symbol##_own = {function};                                                      \
    static const struct bench_peer symbol = {                                                                          \
        .name = its_name, .what = its_what, .flags = BENCH_OTHER | (its_flags), .own = &symbol##_own}

#define CREW_SCENARIO(symbol, its_what, its_floor, its_cases, its_setting)                                             \
    const struct bench_scenario bench_scenario_##symbol = {                                                            \
        .name = #symbol,                                                                                               \
        .what = its_what,                                                                                              \
        .unit = "ns",                                                                                                  \
        .better = BENCH_LOWER,                                                                                         \
        .takes = BENCH_OTHER,                                                                                          \
        .floor = its_floor,                                                                                            \
        .cases = its_cases,                                                                                            \
        .cases_n = sizeof its_cases / sizeof *its_cases,                                                               \
        .producers = 1,                                                                                                \
        .consumers = 1,                                                                                                \
        .fixed = true,                                                                                                 \
        .setting = its_setting,                                                                                        \
        .peers = symbol##_peers,                                                                                       \
        .roles = crew_roles,                                                                                           \
        .measure = crew_measure,                                                                                       \
    }

#endif
