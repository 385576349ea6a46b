/* SPDX-License-Identifier: MIT */
/* What a pool promises its callers, and what a caller does to its worker. */
#include "house.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "channel.h"
#include "process.h"

static void an_answer_comes_back_whole(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 2});
    assert_int_equal(strait_pool_execute(h.pool, 3, "echo me", 8, answer, sizeof answer, NULL, SOON), 8);
    assert_string_equal(answer, "echo me");
    assert_int_equal(strait_pool_execute(h.pool, 3, "s", 2, answer, sizeof answer, NULL, SOON), 0);
    house_close(&h);
}

static void a_handlers_error_reaches_the_caller(void **state)
{
    struct house h;
    char answer[64];
    int remote = 0;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_pool_execute(h.pool, 0, "f", 2, answer, sizeof answer, &remote, SOON), -EREMOTEIO);
    assert_int_equal(remote, -ENOTTY);
    assert_int_equal(strait_pool_execute(h.pool, 0, "e", 2, answer, sizeof answer, &remote, SOON), 2);
    house_close(&h);
}

static void no_task_is_lost_when_workers_die(void **state)
{
    struct house h;
    char what[32], answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 3, .restart_quick_ns = 1});
    for (int i = 0; i < 60; i++) {
        snprintf(what, sizeof what, "%c number %d", i % 3 ? ECHO : DIE_ONCE, i);
        assert_int_equal(house_ask(&h, what, answer, sizeof answer, STRAIT_FOREVER), strlen(what) + 1);
        assert_string_equal(answer, what);
    }
    house_wait(&h, STRAIT_WORKER_DIED, 20);
    assert_int_equal(h.seen[STRAIT_WORKER_DIED], 20);
    house_close(&h);
}

static void a_task_that_kills_its_workers_becomes_a_dead_letter(void **state)
{
    struct house h;
    char answer[64], kept[64] = "";
    struct strait_channel_view view;
    struct strait_object object;
    struct strait_dead_letter head;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 2, .restart_quick_ns = 1});
    assert_int_equal(house_ask(&h, "d for death", answer, sizeof answer, STRAIT_FOREVER), -EOWNERDEAD);
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    assert_int_equal(strait_directory_find(&h.segment->map, "work", STRAIT_KIND_CHANNEL, &object), 0);
    assert_int_equal(strait_channel_view(&h.segment->map, &object, &view), 0);
    assert_int_equal(strait_channel_dead_letter(&view, 0, &head, kept, sizeof kept), 16 + 12);
    assert_int_equal(head.attempts, 3);
    assert_string_equal(kept + sizeof(struct strait_request_head), "d for death");
    house_close(&h);
}

static void after_shutdown_nothing_is_accepted(void **state)
{
    struct house h;
    char answer[64];
    struct strait_reply_rx reply;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_pool_submit(h.pool, 0, "e last", 7, STRAIT_FOREVER, &reply, SOON), 0);
    assert_int_equal(strait_pool_shutdown(h.pool, SOON), 0);
    assert_int_equal(strait_reply_recv(&reply, answer, sizeof answer, NULL, STRAIT_NOW), 7);
    strait_reply_close(&reply);
    assert_int_equal(strait_pool_execute(h.pool, 0, "e", 2, answer, sizeof answer, NULL, SOON), -EPIPE);
    house_wait(&h, STRAIT_WORKER_ENDED, 1);
    while (strait_loop_step(h.loop, STRAIT_NOW) > 0) /* who has done its work is not started again */
        ;
    assert_int_equal(h.seen[STRAIT_WORKER_STARTED], 1);
    house_close(&h);
}

/* A pool may be full of what dead workers held, and only our loop starts new ones: it runs on while we wait for room. */
static void submit_alive(struct house *h, const char *what, struct strait_reply_rx *reply)
{
    uint64_t until_ns = SOON;
    int r;

    while ((r = strait_pool_submit(h->pool, 3, what, (uint32_t)strlen(what) + 1, STRAIT_FOREVER, reply,
                                   strait_after_ns(1000000))) == -ETIMEDOUT) {
        strait_loop_step(h->loop, STRAIT_NOW);
        assert_true(strait_now_ns() < until_ns);
    }
    assert_int_equal(r, 0);
}

/* Tasks under way while workers are killed at random: each is answered once, with its own answer. */
static void random_kills_lose_and_double_nothing(void **state)
{
    enum { AT_ONCE = 16 };
    const char *soak = getenv("STRAIT_SOAK_SECONDS");
    uint64_t until_ns = strait_after_ns(soak ? strtoull(soak, NULL, 10) * UINT64_C(1000000000) : UINT64_C(1000000000));
    struct strait_reply_rx replies[AT_ONCE];
    char asked[AT_ONCE][32], answer[64];
    uint32_t n = 0, dice = 1, killed = 0;
    struct house h;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 4, .restart_quick_ns = 1});
    for (; strait_now_ns() < until_ns; n += AT_ONCE) {
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            snprintf(asked[i], sizeof asked[i], "e %u", n + i);
            submit_alive(&h, asked[i], &replies[i]);
        }
        dice = dice * 1103515245 + 12345;
        if (dice >> 16 & 1 && strait_supervisor_pid(h.supervisor, dice >> 20 & 3) > 0)
            killed += kill(strait_supervisor_pid(h.supervisor, dice >> 20 & 3), SIGKILL) == 0;
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            int64_t r;
            while ((r = strait_reply_recv(&replies[i], answer, sizeof answer, NULL, strait_after_ns(1000000))) ==
                   -ETIMEDOUT)
                strait_loop_step(h.loop, STRAIT_NOW);
            assert_int_equal(r, strlen(asked[i]) + 1);
            assert_string_equal(answer, asked[i]);
            assert_int_equal(strait_reply_recv(&replies[i], answer, sizeof answer, NULL, STRAIT_NOW), -ENODATA);
        }
        for (uint32_t i = 0; i < AT_ONCE; i++)
            strait_reply_close(&replies[i]);
        strait_loop_step(h.loop, STRAIT_NOW);
    }
    print_message("%u tasks, %u kills\n", n, killed);
    assert_true(killed > 0);
    house_close(&h);
}

static void a_cancel_reaches_the_worker(void **state)
{
    struct strait_reply_rx reply;
    struct house h;
    char answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_pool_submit(h.pool, 0, "w", 2, STRAIT_FOREVER, &reply, SOON), 0);
    house_until(&house_notes->working, &h);
    assert_int_equal(__atomic_load_n(&house_notes->unwanted, __ATOMIC_ACQUIRE), 0);
    strait_reply_close(&reply);
    house_until(&house_notes->unwanted, &h);
    assert_int_equal(house_notes->unwanted, -EPIPE);
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2); /* it works on */
    house_close(&h);
}

static void a_deadline_reaches_the_worker(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2); /* it is up */
    do /* on a loaded machine it may pass before the task is taken: then it is not begun at all */
        house_ask(&h, "w", answer, sizeof answer, strait_after_ns(50000000));
    while (!house_notes->working);
    house_until(&house_notes->unwanted, &h);
    assert_int_equal(house_notes->unwanted, -ETIMEDOUT);
    house_close(&h);
}

/* More than the pool has room for, and nobody who works: the caller is told, now or at its deadline, and nothing is lost. */
static void a_full_pool_holds_the_caller_back(void **state)
{
    enum { DEPTH = 16 };
    const struct strait_pool_options small = {.depth = DEPTH, .callers = 2 * DEPTH};
    struct strait_reply_rx replies[DEPTH], another;
    struct strait_segment *segment;
    struct strait_pool *pool;
    char answer[64], task[8];
    uint64_t before_ns;

    (void)state;
    assert_int_equal(strait_attach("pool", NULL, &segment), 0);
    assert_int_equal(strait_pool_open(segment, "work", &small, &pool), 0);
    for (int i = 0; i < DEPTH; i++) {
        snprintf(task, sizeof task, "e%d", i);
        assert_int_equal(strait_pool_submit(pool, 0, task, sizeof task, STRAIT_FOREVER, &replies[i], STRAIT_NOW), 0);
    }
    assert_int_equal(strait_pool_submit(pool, 0, "e", 2, STRAIT_FOREVER, &another, STRAIT_NOW), -EAGAIN);
    before_ns = strait_now_ns();
    assert_int_equal(strait_pool_submit(pool, 0, "e", 2, STRAIT_FOREVER, &another, strait_after_ns(20000000)),
                     -ETIMEDOUT);
    assert_true(strait_now_ns() - before_ns >= 20000000);
    if (fork() == 0) /* a worker that nobody supervises joins now */
        _exit(house_serve(0, NULL));
    assert_int_equal(strait_pool_submit(pool, 0, "e", 2, STRAIT_FOREVER, &another, SOON), 0); /* room comes */
    for (int i = 0; i < DEPTH; i++) {
        snprintf(task, sizeof task, "e%d", i);
        assert_int_equal(strait_reply_recv(&replies[i], answer, sizeof answer, NULL, SOON), sizeof task);
        assert_string_equal(answer, task);
        strait_reply_close(&replies[i]);
    }
    assert_int_equal(strait_reply_recv(&another, answer, sizeof answer, NULL, SOON), 2);
    strait_reply_close(&another);
    assert_int_equal(strait_pool_shutdown(pool, SOON), 0);
    assert_true(wait(NULL) > 0);
    strait_pool_close(pool);
    strait_detach(segment);
    assert_int_equal(strait_segment_remove("pool", NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE(an_answer_comes_back_whole),         HOUSE(a_handlers_error_reaches_the_caller),
        HOUSE(no_task_is_lost_when_workers_die),   HOUSE(a_task_that_kills_its_workers_becomes_a_dead_letter),
        HOUSE(after_shutdown_nothing_is_accepted), HOUSE(random_kills_lose_and_double_nothing),
        HOUSE(a_cancel_reaches_the_worker),        HOUSE(a_deadline_reaches_the_worker),
        HOUSE(a_full_pool_holds_the_caller_back),
    };

    return house_run("pools", tests, sizeof tests / sizeof *tests);
}
