/* SPDX-License-Identifier: MIT */
/*
 * A real nginx on the loopback, and who fetches from it. The competitors take turns, a batch each.
 *
 *   fetch          small GETs a second, 64 connections kept alive
 *   fetch-cpu      CPU time of a GET, user and system, of all processes of the client: from the same batches
 *   fetch-body     a large body to a file, both in memory (tmpfs)
 *   fetch-memory   by how much the worker's peak of resident memory grows from a first batch to the end of all of that
 *
 * nginx has one worker. For the small GETs it has CPU b to itself, and the client, however many processes it is, CPU a: left
 * to the scheduler, three processes on two CPUs come to stand in one of two ways, a third apart, and stay there. Ours are two
 * processes, who asks and who fetches; the others are one. A body is not pinned to anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bench.h"
#include "../clock.h"
#include "../fetch/fetch.h"
#include "../machine.h"
#include "../worker.h"

#define BATCH        5000
#define ROUNDS_QUICK 5
#define ROUNDS_FULL  20
#define BODY_QUICK   (UINT64_C(256) << 20)
#define BODY_FULL    (UINT64_C(1) << 30)
#define BODIES_QUICK 2
#define BODIES_FULL  5
#define MANY_QUICK   10000 /* GETs that memory is to stay flat over */
#define MANY_FULL    100000

/* ---- figures of a round of small GETs: two scenarios read them ---- */

struct figures {
    const struct bench_fetcher *fetcher;
    unsigned n;
    double per_s[ROUNDS_FULL], cpu_us[ROUNDS_FULL];
    char why[BENCH_WORDS];
};

static struct figures all[] = {{.fetcher = &bench_fetcher_raw},
                               {.fetcher = &bench_fetcher_wrk},
                               {.fetcher = &bench_fetcher_curl},
                               {.fetcher = &bench_fetcher_strait}};
#define FETCHERS (sizeof all / sizeof *all)

static void begin_all(void)
{
    static char url[160];
    snprintf(url, sizeof url, "%s", bench_nginx_url("/small"));
    for (unsigned i = 0; i < FETCHERS; i++) {
        int r = all[i].fetcher->absent ? 0 : all[i].fetcher->begin(url);
        if (r < 0)
            snprintf(all[i].why, sizeof all[i].why, "cannot begin: %s", strerror(-r));
    }
}

static void end_all(void)
{
    for (unsigned i = 0; i < FETCHERS; i++)
        if (!all[i].fetcher->absent)
            all[i].fetcher->end();
}

static void one_batch(struct figures *f, bool warm_up)
{
    uint64_t cpu = f->fetcher->cpu_ns(), start = bench_now_ns();
    int r = f->fetcher->small(BATCH);
    uint64_t took = bench_now_ns() - start;
    cpu = f->fetcher->cpu_ns() - cpu;
    if (r < 0)
        snprintf(f->why, sizeof f->why, "a GET failed: %s", strerror(-r));
    if (r < 0 || warm_up)
        return;
    f->per_s[f->n] = BATCH * 1e9 / (double)took;
    f->cpu_us[f->n++] = (double)cpu / BATCH / 1e3;
}

/* apart: nginx and the client each have a CPU to themselves. */
static int start(struct bench_run **runs, unsigned n, uint64_t large_bytes, bool apart)
{
    char why[BENCH_WORDS];
    bench_machine_pin(apart ? 1 : -1);
    int r = bench_nginx_start(large_bytes, why, sizeof why);
    for (unsigned i = 0; i < n && r < 0; i++) {
        if (runs[i]->outcome == BENCH_FINE)
            runs[i]->outcome = BENCH_NOT_RUN;
        bench_why(runs[i], 0, "%s", why);
    }
    bench_machine_pin(apart ? 0 : -1);
    if (r == 0)
        begin_all();
    return r;
}

static void stop(void)
{
    end_all();
    bench_nginx_stop();
}

static void gets(bool quick)
{
    unsigned rounds = quick ? ROUNDS_QUICK : ROUNDS_FULL;
    for (unsigned round = 0; round <= rounds && !bench_interrupted; round++)
        for (unsigned i = 0; i < FETCHERS; i++)
            if (!all[i].fetcher->absent && !all[i].why[0])
                one_batch(&all[i], round == 0);
}

static struct figures *figures_of(const struct bench_run *run)
{
    for (unsigned i = 0; i < FETCHERS; i++)
        if (all[i].fetcher == run->peer->own)
            return &all[i];
    return NULL;
}

/* One of the two, whichever comes first, measures for both. */
static int measure_small(struct bench_run **runs, unsigned n, bool quick, bool cpu)
{
    static bool done;
    if (!done && start(runs, n, 0, true) < 0)
        return 0;
    if (!done) {
        gets(quick);
        stop();
    }
    done = true;
    for (unsigned i = 0; i < n; i++) {
        struct figures *f = figures_of(runs[i]);
        for (unsigned k = 0; k < f->n; k++)
            runs[i]->pieces[runs[i]->pieces_n++] =
                (struct bench_piece){.value = cpu ? f->cpu_us[k] : f->per_s[k], .place = BENCH_MIXED};
        if (!f->why[0])
            continue;
        runs[i]->outcome = BENCH_BROKEN;
        bench_why(runs[i], 0, "%s", f->why);
    }
    return 0;
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    return measure_small(runs, n, quick, false);
}

static int measure_cpu(struct bench_run **runs, unsigned n, bool quick)
{
    return measure_small(runs, n, quick, true);
}

/* ---- a large body ---- */

static double body_mib_s(struct bench_run *run, uint64_t bytes)
{
    const struct bench_fetcher *f = run->peer->own;
    char file[128];
    snprintf(file, sizeof file, "%s/got", bench_nginx_folder());
    uint64_t begun = bench_now_ns();
    int r = f->body(bench_nginx_url("/large"), file, bytes);
    uint64_t took = bench_now_ns() - begun;
    unlink(file);
    if (r < 0) {
        run->outcome = BENCH_BROKEN;
        bench_why(run, 0, "the body failed: %s", strerror(-r));
    }
    return (double)(bytes >> 20) * 1e9 / (double)took;
}

static int measure_body(struct bench_run **runs, unsigned n, bool quick)
{
    uint64_t bytes = quick ? BODY_QUICK : BODY_FULL;
    if (start(runs, n, bytes, false) < 0)
        return 0;
    for (unsigned round = 0; round <= (quick ? BODIES_QUICK : BODIES_FULL) && !bench_interrupted; round++)
        for (unsigned i = 0; i < n; i++) {
            runs[i]->shape.bytes = bytes;
            if (runs[i]->outcome != BENCH_FINE)
                continue;
            double value = body_mib_s(runs[i], bytes);
            if (round > 0) /* the first one warms up */
                runs[i]->pieces[runs[i]->pieces_n++] = (struct bench_piece){.value = value, .place = BENCH_MIXED};
        }
    stop();
    return 0;
}

/* ---- memory ---- */

static int measure_memory(struct bench_run **runs, unsigned n, bool quick)
{
    uint64_t bytes = quick ? BODY_QUICK : BODY_FULL;
    if (start(runs, n, bytes, false) < 0)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        const struct bench_fetcher *f = runs[i]->peer->own;
        int r = f->small(BATCH);
        uint64_t before = f->peak_bytes();
        if (r == 0)
            r = f->small(quick ? MANY_QUICK : MANY_FULL);
        if (r < 0) {
            runs[i]->outcome = BENCH_BROKEN;
            bench_why(runs[i], 0, "a GET failed: %s", strerror(-r));
            continue;
        }
        body_mib_s(runs[i], bytes);
        uint64_t after = f->peak_bytes();
        snprintf(runs[i]->note, sizeof runs[i]->note, "peak %.1f MiB", (double)after / (1 << 20));
        runs[i]->pieces[runs[i]->pieces_n++] =
            (struct bench_piece){.value = (double)(after - before) / (1 << 20), .place = BENCH_MIXED};
    }
    stop();
    return 0;
}

/* ---- who competes ---- */

#define PEER(symbol, its_name, its_what, its_fetcher, its_flags, its_absent)                                           \
    static const struct bench_peer symbol = {.name = its_name,                                                         \
                                             .what = its_what,                                                         \
                                             .flags = BENCH_OTHER | (its_flags),                                       \
                                             .absent = its_absent,                                                     \
                                             .own = &its_fetcher}

#ifdef BENCH_HAVE_CURL
#define CURL_ABSENT NULL
#else
#define CURL_ABSENT "libcurl4-openssl-dev"
#endif

PEER(raw, "raw", "epoll, one send and one recv a GET, nothing else", bench_fetcher_raw, BENCH_FLOOR, NULL);
PEER(wrk, "wrk-style", "as wrk does it: asks epoll before it writes", bench_fetcher_wrk, BENCH_FLOOR, NULL);
PEER(curl, "libcurl", "multi with epoll; the body as curl(1) does it", bench_fetcher_curl, 0, CURL_ABSENT);
PEER(ours, "strait-fetch", "one worker process, and who asks it", bench_fetcher_strait, BENCH_OURS, NULL);

static const struct bench_peer *const small_peers[] = {&raw, &wrk, &curl, &ours, NULL};
static const struct bench_peer *const body_peers[] = {&curl, &ours, NULL};
static const struct bench_peer *const memory_peers[] = {&ours, NULL};
static const struct bench_case small_cases[] = {{.bytes = FETCH_SMALL_BYTES}}, large_cases[] = {{.bytes = BODY_FULL}};

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run, (void)role;
    *tx_channel = *rx_channel = -1;
}

#define SCENARIO(symbol, its_name, its_what, its_unit, its_better, its_floor, its_cases, its_peers, its_measure,       \
                 its_setting)                                                                                          \
    const struct bench_scenario bench_scenario_##symbol = {                                                            \
        .name = its_name,                                                                                              \
        .what = its_what,                                                                                              \
        .unit = its_unit,                                                                                              \
        .better = its_better,                                                                                          \
        .takes = BENCH_OTHER,                                                                                          \
        .floor = its_floor,                                                                                            \
        .cases = its_cases,                                                                                            \
        .cases_n = 1,                                                                                                  \
        .producers = 1,                                                                                                \
        .consumers = 1,                                                                                                \
        .fixed = true,                                                                                                 \
        .setting = its_setting,                                                                                        \
        .peers = its_peers,                                                                                            \
        .roles = roles,                                                                                                \
        .measure = its_measure,                                                                                        \
    }

SCENARIO(fetch, "fetch", "small GETs from nginx", "GET/s", BENCH_HIGHER, "raw", small_cases, small_peers, measure,
         "64 connections; the client on CPU a, nginx with one worker on b");
SCENARIO(fetch_cpu, "fetch-cpu", "CPU time of a small GET", "us", BENCH_LOWER, "raw", small_cases, small_peers,
         measure_cpu, "user + system of the client's processes, on CPU a, not nginx's");
SCENARIO(fetch_body, "fetch-body", "a large body from nginx to a file", "MiB/s", BENCH_HIGHER, NULL, large_cases,
         body_peers, measure_body, "one transfer, tmpfs to tmpfs; nginx runs on CPUs a, b, too");
SCENARIO(fetch_memory, "fetch-memory", "growth of a worker's peak memory", "MiB", BENCH_LOWER, NULL, large_cases,
         memory_peers, measure_memory, "from 5,000 small GETs on, over 100,000 (10,000) more and the large body");
