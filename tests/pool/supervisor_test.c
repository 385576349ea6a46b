/* SPDX-License-Identifier: MIT */
/* Supervision: workers that hang, grow, cannot start, are too many; where they run, when they come again. */
#include "house.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin.h"
#include "channel.h"
#include "lease.h"
#include "process.h"

static void a_worker_that_hangs_past_the_deadline_is_killed(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){
                       .workers = 1, .pool = "work", .hang_ns = 20000000, .check_ns = 10000000, .restart_quick_ns = 1});
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2); /* it is up */
    do /* on a loaded machine the deadline may pass before the task is taken: then nothing hangs */
        assert_true(house_ask(&h, "h", answer, sizeof answer, strait_after_ns(200000000)) < 0);
    while (h.seen[STRAIT_WORKER_HUNG] == 0);
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    house_close(&h);
}

static void a_worker_that_grows_past_its_limit_is_killed(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){
                       .workers = 1, .memory_bytes = 64 << 20, .check_ns = 5000000, .restart_quick_ns = 1});
    assert_int_equal(house_ask(&h, "g", answer, sizeof answer, STRAIT_FOREVER), -EOWNERDEAD);
    assert_int_equal(h.seen[STRAIT_WORKER_TOO_LARGE], 3);
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    house_close(&h);
}

static void a_worker_that_cannot_start_is_given_up(void **state)
{
    struct house h;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){
                       .run = house_never_starts, .workers = 2, .restarts = 3, .restart_first_ns = 1000000});
    house_wait(&h, STRAIT_WORKER_GIVEN_UP, 2);
    assert_int_equal(h.seen[STRAIT_WORKER_STARTED], 8);
    assert_int_equal(h.seen[STRAIT_WORKER_DIED], 8);
    assert_int_equal(strait_supervisor_alive(h.supervisor), 0);
    assert_int_equal(house_leases(&h), 1); /* nobody waits or joins: the supervisor has swept after each death */
    house_close(&h);
}

static void a_pool_grows_and_shrinks(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_supervisor_resize(h.supervisor, 4), 0);
    assert_int_equal(strait_supervisor_alive(h.supervisor), 4);
    assert_int_equal(strait_supervisor_resize(h.supervisor, 2), 0);
    house_wait(&h, STRAIT_WORKER_DIED, 2);
    assert_int_equal(strait_supervisor_alive(h.supervisor), 2);
    assert_int_equal(house_ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    house_close(&h);
}

static void restarts_leak_no_lease(void **state)
{
    struct house h;
    char answer[64];
    uint32_t n = getenv("STRAIT_SOAK_SECONDS") ? 1000 : 100;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 2, .restart_quick_ns = 1});
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(house_ask(&h, "o", answer, sizeof answer, STRAIT_FOREVER), 2);
    house_wait(&h, STRAIT_WORKER_DIED, n);
    strait_sweep_dead(h.segment);
    assert_in_range(house_leases(&h), 1, 3); /* ours, and two workers, one of which may just be starting */
    house_close(&h);
}

/* Counted within the admin lock, which none of those counted can hold then. */
static uint32_t serving(const struct house *h)
{
    struct strait_segment_map *map = &h->segment->map;
    struct strait_channel_view view;
    struct strait_object object;
    uint32_t n = 0;

    assert_int_equal(strait_admin_enter(map, SOON), 0);
    if (strait_directory_find(map, "work", STRAIT_KIND_CHANNEL, &object) == 0 &&
        strait_channel_view(map, &object, &view) == 0)
        n = strait_set_count(&view.shared->receivers);
    strait_admin_leave(map);
    return n;
}

/* The other one is stopped where it stands: only the i-th answers. Not before both serve: one that is stopped while it opens
 * the pool holds the admin lock, and nobody else could. */
static void until_one_is_left(struct house *h, int i)
{
    pid_t other = strait_supervisor_pid(h->supervisor, 1 - (uint32_t)i);
    uint64_t until_ns = SOON;
    siginfo_t info;

    while (serving(h) < 2) {
        strait_loop_step(h->loop, strait_after_ns(1000000));
        assert_true(strait_now_ns() < until_ns);
    }
    assert_int_equal(kill(other, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)other, &info, WSTOPPED | WNOWAIT), 0);
}

static void workers_are_pinned_in_turn(void **state)
{
    cpu_set_t allowed, got;
    int cpus[2], n = 0;
    char list[32];
    struct house h;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            cpus[n++] = (int)cpu;
    if (n < 2)
        skip();
    snprintf(list, sizeof list, "%d,%d", cpus[0], cpus[1]);
    for (int i = 0; i < 2; i++) { /* one worker at a time, so that it is known whose answer comes */
        house_open(&h, (struct strait_supervisor_options){.workers = 2, .cpu_list = list});
        until_one_is_left(&h, i);
        assert_int_equal(house_ask(&h, "c", (char *)&got, sizeof got, STRAIT_FOREVER), sizeof got);
        assert_int_equal(CPU_COUNT(&got), 1);
        assert_true(CPU_ISSET((size_t)cpus[i], &got));
        kill(strait_supervisor_pid(h.supervisor, 1 - (uint32_t)i), SIGCONT);
        house_close(&h);
    }
}

/* 0, 30, 60, 60 ms: the pauses before its four restarts. */
static void restarts_pause_longer_and_longer(void **state)
{
    uint64_t begun_ns = strait_now_ns();
    struct house h;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.run = house_never_starts,
                                                      .workers = 1,
                                                      .restarts = 4,
                                                      .restart_first_ns = 30000000,
                                                      .restart_most_ns = 60000000,
                                                      .restart_quick_ns = UINT64_C(60000000000)});
    house_wait(&h, STRAIT_WORKER_GIVEN_UP, 1);
    assert_true(strait_now_ns() - begun_ns >= 150000000);
    assert_int_equal(h.seen[STRAIT_WORKER_STARTED], 5);
    house_close(&h);
}

static void who_does_not_end_is_killed_at_the_deadline(void **state)
{
    struct strait_reply_rx reply;
    struct house h;

    (void)state;
    house_open(&h, (struct strait_supervisor_options){.workers = 2});
    assert_int_equal(strait_pool_submit(h.pool, 0, "w", 2, STRAIT_FOREVER, &reply, SOON), 0);
    house_until(&house_notes->working, &h);
    assert_int_equal(strait_pool_shutdown(h.pool, strait_after_ns(20000000)), -ETIMEDOUT);
    /* the other one waits, too: the task would come back if its worker died */
    assert_int_equal(strait_supervisor_stop(h.supervisor, strait_after_ns(20000000)), 2);
    strait_reply_close(&reply);
    strait_loop_destroy(h.loop);
    strait_pool_close(h.pool);
    strait_detach(h.segment);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(strait_segment_remove("pool", NULL), 1);
}

static void a_cpu_list_is_checked(void **state)
{
    struct strait_loop *loop;
    struct strait_supervisor *s;
    struct strait_supervisor_options o = {.run = house_never_starts, .workers = 1};

    (void)state;
    assert_int_equal(strait_loop_create(&loop, 0), 0);
    for (int i = 0; i < 6; i++) {
        o.cpu_list = (const char *[]){"", "x", "0-", "3-1", "0,,1", "99999"}[i];
        assert_int_equal(strait_supervisor_start(loop, &o, &s), -EINVAL);
    }
    strait_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE(a_worker_that_hangs_past_the_deadline_is_killed),
        HOUSE(a_worker_that_grows_past_its_limit_is_killed),
        HOUSE(a_worker_that_cannot_start_is_given_up),
        HOUSE(a_pool_grows_and_shrinks),
        HOUSE(restarts_leak_no_lease),
        HOUSE(workers_are_pinned_in_turn),
        HOUSE(restarts_pause_longer_and_longer),
        HOUSE(who_does_not_end_is_killed_at_the_deadline),
        HOUSE(a_cpu_list_is_checked),
    };

    return house_run("supervisors", tests, sizeof tests / sizeof *tests);
}
