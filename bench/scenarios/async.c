/* SPDX-License-Identifier: MIT */
/*
 * What waiting costs inside one process:
 *
 *   ready     a poll on a future whose value is there; the floor locks and unlocks a pthread mutex
 *   pending   one completion in a loop where so many other ops are asleep
 *
 * Competitors take turns, a batch each; the harness's own process does the work.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <unistd.h>

#include "../bench.h"
#include "../clock.h"
#include "../machine.h"

#define ROUNDS_QUICK 20
#define ROUNDS_FULL  100
#define POLLS        20000 /* likewise */
#define COMPLETIONS  500   /* likewise */
#define MANY         10000

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "strait-bench: %s: %s\n", what, strait_strerror(r));
    exit(3);
}

/* ---- ready ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double mutex_ns(void)
{
    uint64_t start = bench_ticks();
    for (int i = 0; i < POLLS; i++) {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
    }
    return bench_to_ns(bench_ticks() - start) / POLLS;
}

static void *nothing(void *arg)
{
    return arg;
}

static struct strait_blocking *pool(void)
{
    static const struct strait_blocking_options one = {.threads = 1};
    static struct strait_blocking *made;
    if (!made)
        must(strait_blocking_create(&made, &one), "strait_blocking_create");
    return made;
}

/* A batch of futures that are ready, each polled once: the poll that takes the value. */
static double poll_ns(void)
{
    enum { FUTURES = 512 };
    static struct strait_future *f[FUTURES];
    uint64_t took = 0;
    for (int done = 0; done < POLLS; done += FUTURES) {
        void *value;
        for (int i = 0; i < FUTURES; i++)
            must(strait_spawn_blocking(pool(), nothing, NULL, &f[i]), "strait_spawn_blocking");
        struct strait_future *last;
        must(strait_spawn_blocking(pool(), nothing, NULL, &last), "strait_spawn_blocking");
        must(strait_future_wait(last, &value, STRAIT_FOREVER), "strait_future_wait"); /* one thread: it is the last */
        strait_future_detach(last, NULL);
        uint64_t start = bench_ticks();
        for (int i = 0; i < FUTURES; i++)
            if (strait_future_poll(f[i], NULL, &value) != STRAIT_READY)
                must(-EPROTO, "strait_future_poll");
        took += bench_ticks() - start;
        for (int i = 0; i < FUTURES; i++)
            strait_future_detach(f[i], NULL);
    }
    return bench_to_ns(took) / ((POLLS + FUTURES - 1) / FUTURES * FUTURES);
}

/* ---- pending ---- */

struct world {
    struct strait_segment *segment;
    struct strait_loop *loop;
    struct strait_tx *tx, *quiet_tx;
    struct strait_rx *rx, *quiet_rx;
    struct strait_await *asleep, one;
    uint64_t quiet_word, word;
    bool told;
};

static void told(struct strait_op *op, int res)
{
    struct world *w = (struct world *)(void *)((char *)op - offsetof(struct world, one));
    must(res, "strait_await_recv");
    w->told = true;
}

static void never(struct strait_op *op, int res)
{
    (void)op;
    (void)res;
}

static void world_make(struct world *w, unsigned pending)
{
    char name[STRAIT_NAME_BYTES];
    snprintf(name, sizeof name, "bench-%d-pending", getpid());
    must(strait_attach(name, NULL, &w->segment), "strait_attach");
    must(strait_loop_create(&w->loop, 0), "strait_loop_create");
    must(strait_tx_open(w->segment, "quiet", NULL, &w->quiet_tx), "strait_tx_open");
    must(strait_rx_open(w->segment, "quiet", NULL, &w->quiet_rx), "strait_rx_open");
    snprintf(name, sizeof name, "c%u", pending);
    must(strait_tx_open(w->segment, name, NULL, &w->tx), "strait_tx_open");
    must(strait_rx_open(w->segment, name, NULL, &w->rx), "strait_rx_open");
    w->asleep = calloc(pending, sizeof *w->asleep);
    for (unsigned i = 0; i < pending; i++) {
        w->asleep[i].op.done = never;
        must(strait_await_recv(w->loop, &w->asleep[i], w->quiet_rx, &w->quiet_word, sizeof w->quiet_word, NULL,
                               STRAIT_FOREVER),
             "strait_await_recv");
    }
    must(strait_loop_step(w->loop, STRAIT_NOW), "strait_loop_step");
    w->one.op.done = told;
}

static void world_end(struct world *w)
{
    char name[STRAIT_NAME_BYTES];
    if (!w->loop)
        return;
    strait_loop_destroy(w->loop);
    strait_tx_close(w->quiet_tx);
    strait_rx_close(w->quiet_rx);
    strait_tx_close(w->tx);
    strait_rx_close(w->rx);
    strait_detach(w->segment);
    snprintf(name, sizeof name, "bench-%d-pending", getpid());
    strait_segment_remove(name, NULL);
    free(w->asleep);
    *w = (struct world){.loop = NULL};
}

static struct world hundred, many;

static double completion_ns(struct world *w, unsigned pending)
{
    if (!w->loop)
        world_make(w, pending);
    uint64_t start = bench_now_ns();
    for (uint64_t i = 0; i < COMPLETIONS; i++) {
        w->told = false;
        must(strait_await_recv(w->loop, &w->one, w->rx, &w->word, sizeof w->word, NULL, STRAIT_FOREVER),
             "strait_await_recv");
        must(strait_loop_step(w->loop, STRAIT_NOW), "strait_loop_step");
        must(strait_send(w->tx, &i, sizeof i, STRAIT_NOW), "strait_send");
        while (!w->told)
            must(strait_loop_step(w->loop, STRAIT_FOREVER), "strait_loop_step");
    }
    return (double)(bench_now_ns() - start) / COMPLETIONS;
}

static double hundred_ns(void)
{
    return completion_ns(&hundred, 100);
}

static double many_ns(void)
{
    return completion_ns(&many, MANY);
}

/* ---- who competes ---- */

struct contender {
    double (*batch_ns)(void);
};

#define CONTENDER(symbol, its_name, its_what, function, its_flags)                                                     \
    static const struct contender symbol##_own = {function};                                                           \
    static const struct bench_peer symbol = {                                                                          \
        .name = its_name, .what = its_what, .flags = BENCH_OTHER | (its_flags), .own = &symbol##_own}

CONTENDER(mutex, "mutex", "lock and unlock a pthread mutex", mutex_ns, BENCH_FLOOR);
CONTENDER(polled, "strait-poll", "the poll that takes the value", poll_ns, BENCH_OURS);
CONTENDER(with_hundred, "strait-100", "100 ops asleep", hundred_ns, BENCH_OURS);
CONTENDER(with_many, "strait-10000", "10,000 ops asleep", many_ns, BENCH_OURS);

static const struct bench_peer *const ready_peers[] = {&mutex, &polled, NULL};
static const struct bench_peer *const pending_peers[] = {&with_hundred, &with_many, NULL};

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    (void)role;
    *tx_channel = *rx_channel = -1;
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    unsigned rounds = quick ? ROUNDS_QUICK : ROUNDS_FULL;
    bench_machine_pin(-1);
    for (unsigned round = 0; round <= rounds; round++) {
        for (unsigned i = 0; i < n; i++) {
            struct bench_run *run = runs[i];
            double ns = ((const struct contender *)run->peer->own)->batch_ns();
            if (round > 0) /* the first one warms up */
                run->pieces[run->pieces_n++] = (struct bench_piece){.value = ns, .place = BENCH_MIXED};
        }
    }
    world_end(&hundred);
    world_end(&many);
    return 0;
}

static const struct bench_case cases[] = {{.bytes = 8}};

#define SCENARIO(symbol, its_what, its_floor, its_setting)                                                             \
    const struct bench_scenario bench_scenario_##symbol = {                                                            \
        .name = #symbol,                                                                                               \
        .what = its_what,                                                                                              \
        .unit = "ns",                                                                                                  \
        .better = BENCH_LOWER,                                                                                         \
        .takes = BENCH_OTHER,                                                                                          \
        .floor = its_floor,                                                                                            \
        .cases = cases,                                                                                                \
        .cases_n = 1,                                                                                                  \
        .producers = 1,                                                                                                \
        .consumers = 1,                                                                                                \
        .fixed = true,                                                                                                 \
        .setting = its_setting,                                                                                        \
        .peers = symbol##_peers,                                                                                       \
        .roles = roles,                                                                                                \
        .measure = measure,                                                                                            \
    }

SCENARIO(ready, "a poll on a future whose value is there", "mutex",
         "512 futures in a row; 1 thread, not pinned on CPUs a, b");
SCENARIO(pending, "one completion in a loop with others asleep", "strait-100",
         "1 process sends to itself; not pinned on CPUs a, b");
