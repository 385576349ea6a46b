/* SPDX-License-Identifier: MIT */
/* Futures in a loop: blocking work of this process, and answers of others, who may die. */
#include "async.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- blocking work ---- */

static void *add_one(void *arg)
{
    return (char *)arg + 1;
}

static void *until_posted(void *arg)
{
    while (sem_wait(arg) < 0)
        ;
    return arg;
}

static void work_beside_the_loop(UNUSED_STATE)
{
    struct strait_loop *loop = loop_new();
    struct probe p[100];
    void *value[100];

    for (int i = 0; i < 100; i++) {
        probe_init(&p[i]);
        CHECK_IS(strait_await_blocking(loop, &p[i].a, NULL, add_one, (void *)(uintptr_t)i, &value[i], soon()), 0);
    }
    loop_finish(loop);
    for (int i = 0; i < 100; i++) {
        CHECK_IS(p[i].calls, 1);
        CHECK_IS(p[i].res, 0);
        CHECK(value[i] == (char *)1 + i);
    }
    strait_loop_destroy(loop);
}

/* The work goes on; the op does not wait for it, nor does the loop's end. */
static void work_that_takes_too_long(UNUSED_STATE)
{
    struct strait_blocking *pool;
    struct strait_loop *loop = loop_new();
    struct probe p[3];
    void *value = NULL;
    sem_t hold;

    sem_init(&hold, 0, 0);
    CHECK_IS(strait_blocking_create(&pool, NULL), 0);
    for (int i = 0; i < 3; i++)
        probe_init(&p[i]);
    CHECK_IS(strait_await_blocking(loop, &p[0].a, pool, until_posted, &hold, &value, strait_after_ns(5 * MS)), 0);
    CHECK_IS(strait_await_blocking(loop, &p[1].a, pool, until_posted, &hold, &value, STRAIT_FOREVER), 0);
    CHECK_IS(strait_await_blocking(loop, &p[2].a, pool, until_posted, &hold, &value, STRAIT_FOREVER), 0);
    CHECK_IS(probe_finish(loop, &p[0]), -ETIMEDOUT);
    CHECK_IS(strait_op_cancel(&p[1].a.op), 0);
    CHECK_IS(probe_finish(loop, &p[1]), -ECANCELED);
    strait_loop_destroy(loop);
    CHECK_IS(p[2].calls, 1);
    CHECK_IS(p[2].res, -ECANCELED);
    CHECK(value == NULL);
    for (int i = 0; i < 3; i++)
        sem_post(&hold);
    CHECK_IS(strait_blocking_destroy(pool), 0);
    /* a past deadline starts nothing; a pool that is shut down refuses */
    loop = loop_new();
    CHECK_IS(strait_blocking_create(&pool, NULL), 0);
    CHECK_IS(strait_await_blocking(loop, &p[0].a, pool, until_posted, &hold, &value, 1), 0);
    CHECK_IS(probe_finish(loop, &p[0]), -ETIMEDOUT);
    CHECK_IS(strait_blocking_shutdown(pool, STRAIT_FOREVER), 0);
    CHECK_IS(strait_await_blocking(loop, &p[0].a, pool, add_one, NULL, &value, STRAIT_FOREVER), -ESHUTDOWN);
    CHECK_IS(strait_loop_pending(loop), 0);
    CHECK_IS(strait_blocking_destroy(pool), 0);
    strait_loop_destroy(loop);
}

static void a_future_of_ones_own(UNUSED_STATE)
{
    struct strait_loop *loop = loop_new();
    struct strait_future *f;
    struct probe p;
    void *value = NULL;
    sem_t hold;

    probe_init(&p);
    sem_init(&hold, 0, 0);
    CHECK_IS(strait_spawn_blocking(NULL, until_posted, &hold, &f), 0);
    CHECK_IS(strait_await_future(loop, &p.a, f, &value, STRAIT_FOREVER), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    CHECK_IS(strait_op_cancel(&p.a.op), 0);
    CHECK_IS(probe_finish(loop, &p), -ECANCELED); /* the future goes on */
    CHECK_IS(strait_await_future(loop, &p.a, f, &value, STRAIT_FOREVER), 0);
    CHECK_IS(strait_future_poll(f, NULL, &value), STRAIT_PENDING); /* takes our waker away */
    CHECK_IS(probe_finish(loop, &p), -ECANCELED);
    CHECK_IS(strait_await_future(loop, &p.a, f, &value, STRAIT_FOREVER), 0);
    sem_post(&hold);
    CHECK_IS(probe_finish(loop, &p), 0);
    CHECK(value == &hold);
    CHECK_IS(strait_await_future(loop, &p.a, f, &value, STRAIT_FOREVER), 0);
    CHECK_IS(probe_finish(loop, &p), -ENODATA);
    strait_future_detach(f, NULL);
    /* detached while it is awaited */
    CHECK_IS(strait_spawn_blocking(NULL, until_posted, &hold, &f), 0);
    CHECK_IS(strait_await_future(loop, &p.a, f, &value, STRAIT_FOREVER), 0);
    strait_future_detach(f, NULL);
    CHECK_IS(strait_op_cancel(&p.a.op), 0);
    CHECK_IS(probe_finish(loop, &p), -ECANCELED);
    sem_post(&hold);
    strait_loop_destroy(loop);
}

/* ---- another process computes ---- */

static const struct strait_channel_options calls = {
    .replies = 8, .reply_bytes = 64, .reply_depth = 2, .max_attempts = 1};

struct office {
    gate ready, accepted;
    uint32_t jobs;
    bool never; /* the work does not end */
};

/* The worker: a loop, too. Each request is work for its pool; the answer comes in three parts. */
struct desk {
    struct office *office;
    struct strait_loop *loop;
    struct strait_rx *rx;
    struct strait_msg request;
    struct strait_answer answer;
    struct strait_await wait;
    intptr_t number;
    void *value;
    char part[3];
    int parts;
};

static void *square(void *arg)
{
    intptr_t n = (intptr_t)arg;
    return (void *)(n * n);
}

static void *work_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void take_request(struct desk *d);

static void part_sent(struct strait_op *op, int res)
{
    struct desk *d = (struct desk *)(void *)((char *)op - offsetof(struct desk, wait));
    uint16_t flags = d->parts == 3 ? STRAIT_MSG_LAST : 0;

    CHECK_IS(res, 0);
    if (d->parts > 3) {
        CHECK_IS(strait_release(d->rx, &d->request), 0);
        if (--d->office->jobs)
            take_request(d);
        return;
    }
    d->wait.op.done = part_sent;
    CHECK_IS(strait_await_answer(d->loop, &d->wait, &d->answer, (uint16_t)d->parts++, flags, &d->value, sizeof d->value,
                                 soon()),
             0);
}

static void computed(struct strait_op *op, int res)
{
    struct desk *d = (struct desk *)(void *)((char *)op - offsetof(struct desk, wait));

    CHECK_IS(res, 0);
    d->parts = 1;
    part_sent(op, 0);
}

static void requested(struct strait_op *op, int res)
{
    struct desk *d = (struct desk *)(void *)((char *)op - offsetof(struct desk, wait));

    CHECK_IS(res, 0);
    memcpy(&d->number, d->request.data, sizeof d->number);
    CHECK_IS(strait_answer_accept(d->rx, &d->request, &d->answer), 0);
    d->wait.op.done = computed;
    CHECK_IS(strait_await_blocking(d->loop, &d->wait, NULL, d->office->never ? work_for_ever : square,
                                   (void *)d->number, &d->value, STRAIT_FOREVER),
             0);
    gate_count(&d->office->accepted);
}

static void take_request(struct desk *d)
{
    d->wait.op.done = requested;
    CHECK_IS(strait_await_peek(d->loop, &d->wait, d->rx, &d->request, STRAIT_FOREVER), 0);
}

static void work(void *arg)
{
    struct desk d = {.office = arg};
    struct strait_segment *s = attach("a");

    d.loop = loop_new();
    CHECK_IS(strait_rx_open(s, "jobs", &calls, &d.rx), 0);
    take_request(&d);
    gate_open(&d.office->ready);
    CHECK_IS(strait_loop_run(d.loop, STRAIT_FOREVER), 0);
    strait_loop_destroy(d.loop);
    strait_rx_close(d.rx);
    strait_detach(s);
}

struct client {
    struct strait_segment *s;
    struct strait_loop *loop;
    struct strait_tx *tx;
    struct strait_reply_rx reply;
    struct probe p;
};

static void client_open(struct client *c)
{
    memset(c, 0, sizeof *c);
    c->s = attach("a");
    c->loop = loop_new();
    CHECK_IS(strait_tx_open(c->s, "jobs", &calls, &c->tx), 0);
    probe_init(&c->p);
}

static void client_ask(struct client *c, intptr_t number)
{
    CHECK_IS(
        strait_await_request(c->loop, &c->p.a, c->tx, 0, &number, sizeof number, STRAIT_FOREVER, &c->reply, soon()), 0);
    CHECK_IS(probe_finish(c->loop, &c->p), 0);
}

static int client_hear(struct client *c)
{
    CHECK_IS(strait_await_reply(c->loop, &c->p.a, &c->reply, c->p.text, sizeof c->p.text, &c->p.info, soon()), 0);
    return probe_finish(c->loop, &c->p);
}

static void client_close(struct client *c)
{
    strait_loop_destroy(c->loop);
    strait_tx_close(c->tx);
    strait_detach(c->s);
}

static void a_job_spawned_there_is_awaited_here(UNUSED_STATE)
{
    struct office *o = shared_new(sizeof *o);
    struct client c;
    intptr_t got;

    o->jobs = 50;
    client_open(&c);
    pid_t worker = peer_start(work, o);
    gate_wait(&o->ready);
    for (intptr_t i = 1; i <= 50; i++) {
        client_ask(&c, i);
        for (int part = 1; part <= 3; part++) {
            CHECK_IS(client_hear(&c), sizeof got);
            memcpy(&got, c.p.text, sizeof got);
            CHECK_IS(got, i * i);
            CHECK_IS(c.p.info.tag, part);
            CHECK_IS(!!(c.p.info.flags & STRAIT_MSG_LAST), part == 3);
        }
        CHECK_IS(client_hear(&c), -ENODATA);
        strait_reply_close(&c.reply);
    }
    peer_join(worker);
    client_close(&c);
    shared_free(o, sizeof *o);
}

/* The worker is killed at its work. From the moment the kernel has let its lease go, 120 ms. */
static void its_worker_is_killed(UNUSED_STATE)
{
    struct office *o = shared_new(sizeof *o);
    uint64_t took[5], worst = 0;
    int in_time = 0;

    for (int round = 0; round < 5; round++) {
        struct client c;
        uint64_t died;

        memset(o, 0, sizeof *o);
        o->jobs = 1;
        o->never = true;
        client_open(&c);
        pid_t worker = peer_start(work, o);
        gate_wait(&o->ready);
        client_ask(&c, 7);
        gate_wait(&o->accepted);
        CHECK_IS(strait_await_reply(c.loop, &c.p.a, &c.reply, c.p.text, sizeof c.p.text, &c.p.info, soon()), 0);
        CHECK_IS(strait_loop_step(c.loop, strait_after_ns((uint64_t)round * 23 * MS)),
                 0); /* in every phase of the pulse */
        peer_kill(worker);
        died = strait_now_ns();
        CHECK_IS(probe_finish(c.loop, &c.p), -EOWNERDEAD);
        took[round] = strait_now_ns() - died;
        in_time += took[round] <= 120 * MS;
        if (took[round] > worst)
            worst = took[round];
        strait_reply_close(&c.reply);
        client_close(&c);
    }
    printf("%s: -EOWNERDEAD %llu ms after the death, at worst\n", strait_loop_probe(),
           (unsigned long long)(worst / MS));
    CHECK(in_time >= 3);      /* a machine with other things to do delays one or two */
    CHECK(worst < 1000 * MS); /* and none waits as on a channel that has long been quiet */
    shared_free(o, sizeof *o);
}

static void a_reply_is_closed_while_it_is_awaited(UNUSED_STATE)
{
    struct office *o = shared_new(sizeof *o);
    struct client c;

    o->jobs = 1;
    o->never = true;
    client_open(&c);
    pid_t worker = peer_start(work, o);
    gate_wait(&o->ready);
    client_ask(&c, 7);
    gate_wait(&o->accepted);
    CHECK_IS(strait_await_reply(c.loop, &c.p.a, &c.reply, c.p.text, sizeof c.p.text, &c.p.info, STRAIT_FOREVER), 0);
    CHECK_IS(strait_loop_step(c.loop, STRAIT_NOW), 0);
    strait_reply_close(&c.reply);
    CHECK_IS(probe_finish(c.loop, &c.p), -ECANCELED);
    CHECK_IS(strait_await_reply(c.loop, &c.p.a, &c.reply, c.p.text, sizeof c.p.text, &c.p.info, STRAIT_FOREVER),
             -EINVAL);
    peer_kill(worker);
    client_close(&c);
    shared_free(o, sizeof *o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(work_beside_the_loop),       TEST(work_that_takes_too_long),
        TEST(a_future_of_ones_own),       TEST_PLACE(a_job_spawned_there_is_awaited_here),
        TEST_PLACE(its_worker_is_killed), TEST_PLACE(a_reply_is_closed_while_it_is_awaited),
    };
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
