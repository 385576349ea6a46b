/* SPDX-License-Identifier: MIT */
/*
 * Work handed to a thread and its value back, against a condition variable each way. One pool thread on CPU b, the waiter
 * on CPU a (or both on CPU a, the rows "-1cpu"); nobody else in the process. Before each trip the thread is truly asleep:
 * /proc says so. Where the waiter is to sleep too, the work itself waits until /proc says that it does, and that time does
 * not count: the trip is the way there (spawn to the work's first instruction) and the way back (its last one to the value).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strait/strait.h>
#include <sys/syscall.h>

#include "../asleep.h"
#include "../bench.h"
#include "../machine.h"

#define ROUNDS_QUICK 15
#define ROUNDS_FULL  60
#define TRIPS        64 /* of a batch; its median counts */

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "strait-bench: %s: %s\n", what, strait_strerror(r));
    exit(3);
}

/* ---- one trip ---- */

static struct trip {
    bool until_asleep;           /* the work waits for the waiter's sleep */
    pid_t worker;                /* the work says who runs it */
    uint64_t began_at, ended_at; /* ticks; of the work */
} trip;

static int waiter_stat = -1;

static pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static void until_asleep(int stat)
{
    while (!bench_asleep(stat))
        sched_yield();
    bench_rest(BENCH_REST_NS);
}

static void *work(void *arg)
{
    trip.began_at = bench_ticks();
    trip.worker = thread_id();
    if (trip.until_asleep)
        until_asleep(waiter_stat);
    trip.ended_at = bench_ticks();
    return arg;
}

/* ---- a bare condition variable each way ---- */

struct condvar {
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    bool ask, answer;
    pthread_t thread;
};

/* Signals after the release: a signal under the lock wakes somebody who must wait for it. */
static void *answer(void *arg)
{
    struct condvar *c = arg;
    for (;;) {
        pthread_mutex_lock(&c->lock);
        while (!c->ask)
            pthread_cond_wait(&c->asked, &c->lock);
        c->ask = false;
        pthread_mutex_unlock(&c->lock);
        work(NULL);
        pthread_mutex_lock(&c->lock);
        c->answer = true;
        pthread_mutex_unlock(&c->lock);
        pthread_cond_signal(&c->answered);
    }
    return NULL;
}

static void condvar_trip(void *arg)
{
    struct condvar *c = arg;
    pthread_mutex_lock(&c->lock);
    c->ask = true;
    pthread_mutex_unlock(&c->lock);
    pthread_cond_signal(&c->asked);
    pthread_mutex_lock(&c->lock);
    while (!c->answer)
        pthread_cond_wait(&c->answered, &c->lock);
    c->answer = false;
    pthread_mutex_unlock(&c->lock);
}

static void *condvar_make(void)
{
    struct condvar *c = calloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->asked, NULL);
    pthread_cond_init(&c->answered, NULL);
    must(-pthread_create(&c->thread, NULL, answer, c), "pthread_create");
    return c;
}

/* ---- ours ---- */

static void spawn_trip(void *arg)
{
    struct strait_future *f;
    void *value;
    must(strait_spawn_blocking(arg, work, NULL, &f), "strait_spawn_blocking");
    must(strait_future_wait(f, &value, STRAIT_FOREVER), "strait_future_wait");
    strait_future_detach(f, NULL);
}

static void *pool_make(void)
{
    static const struct strait_blocking_options one = {.threads = 1};
    struct strait_blocking *pool;
    must(strait_blocking_create(&pool, &one), "strait_blocking_create");
    return pool;
}

/* ---- batches ---- */

struct contender {
    void *(*make)(void);
    void (*trip)(void *);
    bool waiter_sleeps; /* for sure */
    bool one_cpu;
};

/* Its thread begins in the first trip or before: on the CPU where its maker is. */
static void *make(const struct contender *c)
{
    bench_machine_pin(c->one_cpu ? 0 : 1);
    void *made = c->make();
    trip.until_asleep = false;
    c->trip(made);
    bench_machine_pin(0);
    return made;
}

static double trip_ns(const struct contender *c, void *made)
{
    uint64_t start = bench_ticks();
    c->trip(made);
    uint64_t end = bench_ticks();
    return bench_to_ns(c->waiter_sleeps ? trip.began_at - start + end - trip.ended_at : end - start);
}

static double batch_ns(const struct contender *c, void *made)
{
    double ns[TRIPS];
    trip.until_asleep = c->waiter_sleeps;
    c->trip(made);
    int stat = bench_asleep_open(trip.worker);
    for (int i = 0; i < TRIPS; i++) {
        until_asleep(stat);
        ns[i] = trip_ns(c, made);
    }
    close(stat);
    return bench_median(ns, TRIPS);
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    waiter_stat = bench_asleep_open(thread_id());
    for (unsigned round = 0; round <= (quick ? ROUNDS_QUICK : ROUNDS_FULL); round++) {
        for (unsigned i = 0; i < n; i++) {
            struct bench_run *run = runs[i];
            const struct contender *c = run->peer->own;
            if (!run->own)
                run->own = make(c);
            double ns = batch_ns(c, run->own);
            if (round > 0) /* the first one warms up */
                run->pieces[run->pieces_n++] = (struct bench_piece){.value = ns, .place = BENCH_MIXED};
        }
    }
    close(waiter_stat);
    return 0;
}

/* ---- who competes ---- */

#define CONTENDER(symbol, its_name, its_what, its_make, its_trip, sleeps, one, its_flags)                              \
    static const struct contender symbol##_own = {its_make, its_trip, sleeps, one};                                    \
    static const struct bench_peer symbol = {                                                                          \
        .name = its_name, .what = its_what, .flags = BENCH_OTHER | (its_flags), .own = &symbol##_own}

CONTENDER(condvar, "condvar", "a condition variable each way, both asleep", condvar_make, condvar_trip, true, false,
          BENCH_FLOOR);
CONTENDER(asleep, "strait-spawn-asleep", "spawn, wait; both asleep", pool_make, spawn_trip, true, false, BENCH_OURS);
CONTENDER(spins, "strait-spawn", "spawn, wait; the thread asleep, the waiter spins", pool_make, spawn_trip, false,
          false, BENCH_OURS);
CONTENDER(condvar_one, "condvar-1cpu", "a condition variable each way, one CPU", condvar_make, condvar_trip, false,
          true, BENCH_FLOOR);
CONTENDER(spawn_one, "strait-spawn-1cpu", "spawn, wait; one CPU", pool_make, spawn_trip, false, true, BENCH_OURS);

static const struct bench_peer *const peers[] = {&condvar, &asleep, &spins, &condvar_one, &spawn_one, NULL};
static const struct bench_case cases[] = {{.bytes = 8}};

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    (void)role;
    *tx_channel = *rx_channel = -1;
}

const struct bench_scenario bench_scenario_spawn = {
    .name = "spawn",
    .what = "work handed to a thread, and its value back",
    .unit = "ns",
    .better = BENCH_LOWER,
    .takes = BENCH_OTHER,
    .floor = "condvar",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .fixed = true,
    .setting = "one trip at a time; waiter on CPU a, pool thread on CPU b, -1cpu: both on a; thread asleep before",
    .peers = peers,
    .roles = roles,
    .measure = measure,
};
