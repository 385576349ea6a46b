/* SPDX-License-Identifier: MIT */
/* Ours: a task executed by a worker of a pool, its answer waited for. One caller, one worker, blocking calls. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strait/strait.h>
#include <unistd.h>

#include "bench.h"
#include "payload.h"

#define TASK_MOST 256
#define SERVE_NS  UINT64_C(5000000) /* the worker looks whether that was the last task */

struct pool_end {
    struct strait_segment *segment;
    struct strait_pool *pool;
    unsigned char task[TASK_MOST], answer[TASK_MOST];
};

static void died(const char *what, int64_t error)
{
    fprintf(stderr, "strait-bench: strait_pool_%s: %s\n", what, strait_strerror((int)error));
    _exit(3);
}

/* ---- the caller: a task there, its answer back ---- */

BENCH_INLINE void *pool_claim(struct pool_end *e, size_t bytes)
{
    (void)bytes;
    return e->task;
}

BENCH_INLINE void pool_commit(struct pool_end *e, size_t bytes)
{
    int64_t n =
        strait_pool_execute(e->pool, 0, e->task, (uint32_t)bytes, e->answer, (uint32_t)bytes, NULL, STRAIT_FOREVER);
    if (n != (int64_t)bytes)
        died("execute", n);
}

BENCH_INLINE const void *pool_peek(struct pool_end *e, size_t bytes)
{
    (void)bytes;
    return e->answer;
}

BENCH_INLINE void pool_release(struct pool_end *e)
{
    (void)e;
}

BENCH_INLINE void pool_flush(struct pool_end *e)
{
    (void)e;
}

#define PEER_END   struct pool_end
#define PEER(verb) pool_##verb
#include "pieces.h"

/* ---- the worker ---- */

struct service {
    size_t bytes;
    uint64_t number, bad;
    bool stop;
};

static int echo(struct strait_task *task, void *context)
{
    struct service *s = context;
    uint64_t first = payload_first(task->data);
    if (task->bytes != s->bytes)
        return -EMSGSIZE;
    s->bad |= payload_check(task->data, s->bytes, s->number++ | (first & BENCH_STOP));
    s->stop |= (first & BENCH_STOP) != 0;
    return strait_task_answer(task, STRAIT_MSG_LAST, task->data, task->bytes);
}

/* The caller's last block begins with the stop bit; the rest of it follows at once. */
static void serve(struct bench_worker *w)
{
    struct pool_end *e = w->rx;
    struct service s = {.bytes = w->bytes, .number = 1};
    while (!s.stop || s.number % w->block != 1) {
        int r = strait_pool_serve(e->pool, echo, &s, strait_after_ns(SERVE_NS));
        if (r != -ETIMEDOUT)
            died("serve", r);
    }
    w->out->messages = s.number - 1;
    w->out->bad = s.bad;
}

/* ---- the pool ---- */

static void name_of(char name[STRAIT_NAME_BYTES], pid_t harness)
{
    snprintf(name, STRAIT_NAME_BYTES, "bench-%d-pool", harness);
}

static int setup(struct bench_run *run)
{
    char name[STRAIT_NAME_BYTES];
    struct strait_segment *segment;
    struct strait_segment_options options = {.attach = STRAIT_CREATE_ONLY, .bytes = 4u << 20};
    name_of(name, getpid());
    int r = strait_attach(name, &options, &segment);
    if (r < 0)
        return bench_why(run, r, "not run: strait_attach: %.100s", strait_error());
    strait_detach(segment);
    run->depth = 64;
    return 0;
}

static void teardown(struct bench_run *run)
{
    char name[STRAIT_NAME_BYTES];
    (void)run;
    name_of(name, getpid());
    strait_segment_remove(name, NULL);
}

static int enter(struct bench_worker *w)
{
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY};
    char name[STRAIT_NAME_BYTES];
    struct pool_end *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    name_of(name, getppid());
    w->tx = w->rx = e;
    int r = strait_attach(name, &options, &e->segment);
    return r < 0 ? r : strait_pool_open(e->segment, "work", NULL, &e->pool);
}

const struct bench_peer bench_peer_strait_pool = {
    .name = "strait-pool",
    .what = "a pool's task executed, its answer waited for; sleeps after a short spin",
    .flags = BENCH_OURS | BENCH_ROUNDTRIP | BENCH_SLEEPS | BENCH_MANY,
    .most_bytes = TASK_MOST,
    .setup = setup,
    .enter = enter,
    .teardown = teardown,
    .work = serve,
    BENCH_PIECE_OPS(PEER),
};
