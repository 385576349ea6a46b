/* SPDX-License-Identifier: MIT */
/*
 * What blocked receivers cost: 64 processes wait on one channel that nobody uses. CPU time of all of them, as a share
 * of one core, over 5 s from the start (idle), and over 4 s after a first second of quiet (idle-quiet).
 * All competitors wait at the same time, so it takes as long however many there are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../bench.h"
#include "../clock.h"
#include "../worker.h"

#define RECEIVERS 64
#define WINDOW_NS (UINT64_C(5) * 1000 * 1000 * 1000)
#define QUIET_NS  (UINT64_C(1) * 1000 * 1000 * 1000)

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? tx_channel : rx_channel) = 0;
}

/* Worker 0 only holds the sending end. The others wait for a message that never comes. */
static int body(struct bench_worker *w)
{
    struct bench_control *c = w->run->control;
    int r = w->run->peer->enter(w);
    if (r < 0)
        __atomic_store_n(&c->failed, (uint32_t)-r, __ATOMIC_RELEASE);
    __atomic_add_fetch(&c->done, 1, __ATOMIC_RELEASE);
    if (w->role == 0 || r < 0) {
        for (;;)
            pause();
    }
    w->run->peer->recv_one(w);
    return 0;
}

static uint64_t cpu_ns(const struct bench_run *run)
{
    uint64_t sum = 0;
    for (unsigned i = 1; i < run->workers; i++) {
        clockid_t clock;
        if (clock_getcpuclockid(run->pids[i], &clock) == 0)
            sum += bench_clock_ns(clock);
    }
    return sum;
}

static void pass(uint64_t until_ns)
{
    struct timespec t = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void start(struct bench_run *run)
{
    int r = bench_workers_setup(run);
    if (r == 0)
        r = bench_workers_fork(run, RECEIVERS + 1, body);
    uint64_t end = bench_now_ns() + UINT64_C(10000000000);
    while (r == 0 && __atomic_load_n(&run->control->done, __ATOMIC_ACQUIRE) < run->workers) {
        usleep(1000); /* polls for readiness; nothing is measured yet */
        if (bench_now_ns() > end)
            r = bench_why(run, -ETIMEDOUT, "stuck: its processes did not start");
    }
    if (r == 0 && run->control->failed)
        r = bench_why(run, -(int)run->control->failed, "cannot open it: %s", strerror((int)run->control->failed));
    if (r < 0)
        run->outcome = BENCH_NOT_RUN;
}

static void measure_window(struct bench_run **runs, unsigned n, uint64_t skip_ns, uint64_t window_ns)
{
    uint64_t before[n], from, took;
    for (unsigned i = 0; i < n; i++) {
        if (runs[i]->outcome == BENCH_FINE)
            start(runs[i]);
    }
    pass(bench_now_ns() + skip_ns);
    from = bench_now_ns();
    for (unsigned i = 0; i < n; i++)
        before[i] = runs[i]->outcome == BENCH_FINE ? cpu_ns(runs[i]) : 0;
    pass(from + window_ns);
    took = bench_now_ns() - from;
    for (unsigned i = 0; i < n; i++) {
        if (runs[i]->outcome != BENCH_FINE)
            continue;
        double share = (double)(cpu_ns(runs[i]) - before[i]) / (double)took;
        runs[i]->pieces[0] = (struct bench_piece){.value = share * 100, .cpu = share, .place = BENCH_MIXED};
        runs[i]->pieces_n = 1;
    }
    for (unsigned i = 0; i < n; i++) {
        if (runs[i]->control)
            bench_workers_stop(runs[i]);
    }
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    (void)quick;
    measure_window(runs, n, 0, WINDOW_NS);
    return 0;
}

static int measure_quiet(struct bench_run **runs, unsigned n, bool quick)
{
    (void)quick;
    measure_window(runs, n, QUIET_NS, WINDOW_NS - QUIET_NS);
    return 0;
}

static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_idle = {
    .name = "idle",
    .what = "CPU of 64 blocked receiver processes, 5 s",
    .unit = "% core",
    .better = BENCH_LOWER,
    .takes = BENCH_IDLE,
    .floor = "futex",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = RECEIVERS,
    .crowded = true,
    .fixed = true,
    .roles = roles,
    .measure = measure,
};

const struct bench_scenario bench_scenario_idle_quiet = {
    .name = "idle-quiet",
    .what = "the same for 4 s, after 1 s of quiet",
    .unit = "% core",
    .better = BENCH_LOWER,
    .takes = BENCH_IDLE,
    .floor = "futex",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = RECEIVERS,
    .crowded = true,
    .fixed = true,
    .roles = roles,
    .measure = measure_quiet,
};
