/* SPDX-License-Identifier: MIT */
/* Pools and their supervisor, with real worker processes. What a task asks for is in its first byte. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <strait/strait.h>

#include "admin.h"
#include "channel.h"
#include "lease.h"
#include "place.h"
#include "process.h"

#define SOON strait_after_ns(UINT64_C(20000000000)) /* long enough for any machine; every wait ends by an event */

enum { ECHO = 'e', FAIL = 'f', DIE = 'd', DIE_ONCE = 'o', HANG = 'h', GROW = 'g', SILENT = 's' };
enum { CPU = 'c', WANTED = 'w' }; /* the CPUs that it may run on; until nobody wants it */

/* What workers tell the test beside their answers. */
static struct notes {
    int working;  /* a WANTED task is under way */
    int unwanted; /* why it ended: -errno */
} * notes;

static int tell_cpus(struct strait_task *task)
{
    cpu_set_t mine;

    if (sched_getaffinity(0, sizeof mine, &mine) < 0)
        return -errno;
    return strait_task_answer(task, STRAIT_MSG_LAST, &mine, sizeof mine);
}

static int handle(struct strait_task *task, void *context)
{
    const char *ask = task->data;

    (void)context;
    switch (ask[0]) {
    case FAIL:
        return -ENOTTY;
    case DIE:
        raise(SIGKILL);
        break;
    case DIE_ONCE:
        if (task->attempts == 0)
            raise(SIGKILL);
        break;
    case HANG:
        for (;;)
            pause();
    case GROW:
        for (;;) {                                 /* until the supervisor sees it */
            char *volatile more = malloc(1 << 20); /* volatile: or clang sees that nobody reads it, and takes none */
            if (more)
                memset(more, 1, 1 << 20);
        }
    case SILENT:
        return 0;
    case CPU:
        return tell_cpus(task);
    case WANTED:
        __atomic_store_n(&notes->working, 1, __ATOMIC_RELEASE);
        for (int r = 0; r == 0; __atomic_store_n(&notes->unwanted, r, __ATOMIC_RELEASE))
            r = strait_task_wanted(task);
        return 0;
    default:
        break;
    }
    return strait_task_answer(task, STRAIT_MSG_LAST, task->data, task->bytes);
}

static int serve(uint32_t worker, void *context)
{
    struct strait_segment *segment;
    struct strait_pool *pool;

    (void)worker, (void)context;
    if (strait_attach("pool", NULL, &segment) < 0 || strait_pool_open(segment, "work", NULL, &pool) < 0)
        return 1;
    return strait_pool_serve(pool, handle, NULL, STRAIT_FOREVER) < 0;
}

/* It dies with a lease. */
static int never_starts(uint32_t worker, void *context)
{
    struct strait_segment *segment;

    (void)worker, (void)context;
    return strait_attach("pool", NULL, &segment) < 0 ? 8 : 7;
}

struct house {
    struct strait_segment *segment;
    struct strait_pool *pool;
    struct strait_loop *loop;
    struct strait_supervisor *supervisor;
    uint32_t seen[STRAIT_WORKER_GIVEN_UP + 1];
};

static uint32_t leases_used(const struct house *h)
{
    uint32_t used = 0;

    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        used += strait_segment_lease(&h->segment->map, i)->state == STRAIT_LEASE_USED;
    return used;
}

static void note(const struct strait_worker_report *report, void *context)
{
    ((struct house *)context)->seen[report->event]++;
}

static void open_house(struct house *h, struct strait_supervisor_options options)
{
    memset(h, 0, sizeof *h);
    assert_int_equal(strait_attach("pool", NULL, &h->segment), 0);
    assert_int_equal(strait_pool_open(h->segment, "work", NULL, &h->pool), 0);
    assert_int_equal(strait_loop_create(&h->loop, 0), 0);
    options.run = options.run ? options.run : serve;
    options.report = note;
    options.context = h;
    options.segment = h->segment;
    assert_int_equal(strait_supervisor_start(h->loop, &options, &h->supervisor), 0);
}

static void close_house(struct house *h)
{
    assert_int_equal(strait_pool_shutdown(h->pool, SOON), 0);
    assert_int_equal(strait_supervisor_stop(h->supervisor, SOON), 0);
    strait_loop_destroy(h->loop);
    strait_pool_close(h->pool);
    strait_detach(h->segment);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);         /* no zombie, no child */
    assert_int_equal(strait_segment_remove("pool", NULL), 1); /* no lease */
}

/* Run the loop until the supervisor has told `n` events of that kind. */
static void wait_for(struct house *h, enum strait_worker_event event, uint32_t n)
{
    uint64_t until = SOON;

    while (h->seen[event] < n)
        assert_true(strait_loop_step(h->loop, until) > 0);
}

/* Submit, and let the supervisor live while we wait. */
static int64_t ask(struct house *h, const char *what, char *answer, uint32_t size, uint64_t job_deadline_ns)
{
    struct strait_reply_rx reply;
    struct strait_msg info = {0};
    int64_t r = strait_pool_submit(h->pool, 3, what, (uint32_t)strlen(what) + 1, job_deadline_ns, &reply, SOON);

    assert_int_equal(r, 0);
    while ((r = strait_reply_recv(&reply, answer, size, &info, strait_after_ns(5000000))) == -ETIMEDOUT)
        strait_loop_step(h->loop, STRAIT_NOW);
    strait_reply_close(&reply);
    return r >= 0 && (info.flags & STRAIT_MSG_ERROR) ? -EREMOTEIO : r;
}

static void an_answer_comes_back_whole(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 2});
    assert_int_equal(strait_pool_execute(h.pool, 3, "echo me", 8, answer, sizeof answer, NULL, SOON), 8);
    assert_string_equal(answer, "echo me");
    assert_int_equal(strait_pool_execute(h.pool, 3, "s", 2, answer, sizeof answer, NULL, SOON), 0);
    close_house(&h);
}

static void a_handlers_error_reaches_the_caller(void **state)
{
    struct house h;
    char answer[64];
    int remote = 0;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_pool_execute(h.pool, 0, "f", 2, answer, sizeof answer, &remote, SOON), -EREMOTEIO);
    assert_int_equal(remote, -ENOTTY);
    assert_int_equal(strait_pool_execute(h.pool, 0, "e", 2, answer, sizeof answer, &remote, SOON), 2);
    close_house(&h);
}

static void no_task_is_lost_when_workers_die(void **state)
{
    struct house h;
    char what[32], answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 3, .restart_quick_ns = 1});
    for (int i = 0; i < 60; i++) {
        snprintf(what, sizeof what, "%c number %d", i % 3 ? ECHO : DIE_ONCE, i);
        assert_int_equal(ask(&h, what, answer, sizeof answer, STRAIT_FOREVER), strlen(what) + 1);
        assert_string_equal(answer, what);
    }
    wait_for(&h, STRAIT_WORKER_DIED, 20);
    assert_int_equal(h.seen[STRAIT_WORKER_DIED], 20);
    close_house(&h);
}

static void a_task_that_kills_its_workers_becomes_a_dead_letter(void **state)
{
    struct house h;
    char answer[64], kept[64] = "";
    struct strait_channel_view view;
    struct strait_object object;
    struct strait_dead_letter head;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 2, .restart_quick_ns = 1});
    assert_int_equal(ask(&h, "d for death", answer, sizeof answer, STRAIT_FOREVER), -EOWNERDEAD);
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    assert_int_equal(strait_directory_find(&h.segment->map, "work", STRAIT_KIND_CHANNEL, &object), 0);
    assert_int_equal(strait_channel_view(&h.segment->map, &object, &view), 0);
    assert_int_equal(strait_channel_dead_letter(&view, 0, &head, kept, sizeof kept), 16 + 12);
    assert_int_equal(head.attempts, 3);
    assert_string_equal(kept + sizeof(struct strait_request_head), "d for death");
    close_house(&h);
}

static void a_worker_that_hangs_past_the_deadline_is_killed(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){
                       .workers = 1, .pool = "work", .hang_ns = 20000000, .check_ns = 10000000, .restart_quick_ns = 1});
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2); /* it is up */
    do /* on a loaded machine the deadline may pass before the task is taken: then nothing hangs */
        assert_true(ask(&h, "h", answer, sizeof answer, strait_after_ns(200000000)) < 0);
    while (h.seen[STRAIT_WORKER_HUNG] == 0);
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    close_house(&h);
}

static void a_worker_that_grows_past_its_limit_is_killed(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){
                       .workers = 1, .memory_bytes = 64 << 20, .check_ns = 5000000, .restart_quick_ns = 1});
    assert_int_equal(ask(&h, "g", answer, sizeof answer, STRAIT_FOREVER), -EOWNERDEAD);
    assert_int_equal(h.seen[STRAIT_WORKER_TOO_LARGE], 3);
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    close_house(&h);
}

static void a_worker_that_cannot_start_is_given_up(void **state)
{
    struct house h;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){
                       .run = never_starts, .workers = 2, .restarts = 3, .restart_first_ns = 1000000});
    wait_for(&h, STRAIT_WORKER_GIVEN_UP, 2);
    assert_int_equal(h.seen[STRAIT_WORKER_STARTED], 8);
    assert_int_equal(h.seen[STRAIT_WORKER_DIED], 8);
    assert_int_equal(strait_supervisor_alive(h.supervisor), 0);
    assert_int_equal(leases_used(&h), 1); /* nobody waits or joins: the supervisor has swept after each death */
    close_house(&h);
}

static void a_pool_grows_and_shrinks(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_supervisor_resize(h.supervisor, 4), 0);
    assert_int_equal(strait_supervisor_alive(h.supervisor), 4);
    assert_int_equal(strait_supervisor_resize(h.supervisor, 2), 0);
    wait_for(&h, STRAIT_WORKER_DIED, 2);
    assert_int_equal(strait_supervisor_alive(h.supervisor), 2);
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2);
    close_house(&h);
}

static void after_shutdown_nothing_is_accepted(void **state)
{
    struct house h;
    char answer[64];
    struct strait_reply_rx reply;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_pool_submit(h.pool, 0, "e last", 7, STRAIT_FOREVER, &reply, SOON), 0);
    assert_int_equal(strait_pool_shutdown(h.pool, SOON), 0);
    assert_int_equal(strait_reply_recv(&reply, answer, sizeof answer, NULL, STRAIT_NOW), 7);
    strait_reply_close(&reply);
    assert_int_equal(strait_pool_execute(h.pool, 0, "e", 2, answer, sizeof answer, NULL, SOON), -EPIPE);
    wait_for(&h, STRAIT_WORKER_ENDED, 1);
    while (strait_loop_step(h.loop, STRAIT_NOW) > 0) /* who has done its work is not started again */
        ;
    assert_int_equal(h.seen[STRAIT_WORKER_STARTED], 1);
    close_house(&h);
}

static void restarts_leak_no_lease(void **state)
{
    struct house h;
    char answer[64];
    uint32_t n = getenv("STRAIT_SOAK_SECONDS") ? 1000 : 100;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 2, .restart_quick_ns = 1});
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(ask(&h, "o", answer, sizeof answer, STRAIT_FOREVER), 2);
    wait_for(&h, STRAIT_WORKER_DIED, n);
    strait_sweep_dead(h.segment);
    assert_in_range(leases_used(&h), 1, 3); /* ours, and two workers, one of which may just be starting */
    close_house(&h);
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
    open_house(&h, (struct strait_supervisor_options){.workers = 4, .restart_quick_ns = 1});
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
    close_house(&h);
}

/* ---- what a caller does reaches the worker, and the other way round ---- */

static void until(const int *word, const struct house *h)
{
    uint64_t until_ns = SOON;

    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
        strait_loop_step(h->loop, strait_after_ns(1000000));
        assert_true(strait_now_ns() < until_ns);
    }
}

static void a_cancel_reaches_the_worker(void **state)
{
    struct strait_reply_rx reply;
    struct house h;
    char answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(strait_pool_submit(h.pool, 0, "w", 2, STRAIT_FOREVER, &reply, SOON), 0);
    until(&notes->working, &h);
    assert_int_equal(__atomic_load_n(&notes->unwanted, __ATOMIC_ACQUIRE), 0);
    strait_reply_close(&reply);
    until(&notes->unwanted, &h);
    assert_int_equal(notes->unwanted, -EPIPE);
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2); /* it works on */
    close_house(&h);
}

static void a_deadline_reaches_the_worker(void **state)
{
    struct house h;
    char answer[64];

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 1});
    assert_int_equal(ask(&h, "e", answer, sizeof answer, STRAIT_FOREVER), 2); /* it is up */
    do /* on a loaded machine it may pass before the task is taken: then it is not begun at all */
        ask(&h, "w", answer, sizeof answer, strait_after_ns(50000000));
    while (!notes->working);
    until(&notes->unwanted, &h);
    assert_int_equal(notes->unwanted, -ETIMEDOUT);
    close_house(&h);
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
        _exit(serve(0, NULL));
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

/* ---- the supervisor ---- */

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
        open_house(&h, (struct strait_supervisor_options){.workers = 2, .cpu_list = list});
        until_one_is_left(&h, i);
        assert_int_equal(ask(&h, "c", (char *)&got, sizeof got, STRAIT_FOREVER), sizeof got);
        assert_int_equal(CPU_COUNT(&got), 1);
        assert_true(CPU_ISSET((size_t)cpus[i], &got));
        kill(strait_supervisor_pid(h.supervisor, 1 - (uint32_t)i), SIGCONT);
        close_house(&h);
    }
}

/* 0, 30, 60, 60 ms: the pauses before its four restarts. */
static void restarts_pause_longer_and_longer(void **state)
{
    uint64_t begun_ns = strait_now_ns();
    struct house h;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.run = never_starts,
                                                      .workers = 1,
                                                      .restarts = 4,
                                                      .restart_first_ns = 30000000,
                                                      .restart_most_ns = 60000000,
                                                      .restart_quick_ns = UINT64_C(60000000000)});
    wait_for(&h, STRAIT_WORKER_GIVEN_UP, 1);
    assert_true(strait_now_ns() - begun_ns >= 150000000);
    assert_int_equal(h.seen[STRAIT_WORKER_STARTED], 5);
    close_house(&h);
}

static void who_does_not_end_is_killed_at_the_deadline(void **state)
{
    struct strait_reply_rx reply;
    struct house h;

    (void)state;
    open_house(&h, (struct strait_supervisor_options){.workers = 2});
    assert_int_equal(strait_pool_submit(h.pool, 0, "w", 2, STRAIT_FOREVER, &reply, SOON), 0);
    until(&notes->working, &h);
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
    struct strait_supervisor_options o = {.run = never_starts, .workers = 1};

    (void)state;
    assert_int_equal(strait_loop_create(&loop, 0), 0);
    for (int i = 0; i < 6; i++) {
        o.cpu_list = (const char *[]){"", "x", "0-", "3-1", "0,,1", "99999"}[i];
        assert_int_equal(strait_supervisor_start(loop, &o, &s), -EINVAL);
    }
    strait_loop_destroy(loop);
}

static int fresh(void **state)
{
    memset(notes, 0, sizeof *notes);
    return place_setup(state);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, fresh, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(an_answer_comes_back_whole),
        PLACED(a_handlers_error_reaches_the_caller),
        PLACED(no_task_is_lost_when_workers_die),
        PLACED(a_task_that_kills_its_workers_becomes_a_dead_letter),
        PLACED(a_worker_that_hangs_past_the_deadline_is_killed),
        PLACED(a_worker_that_grows_past_its_limit_is_killed),
        PLACED(a_worker_that_cannot_start_is_given_up),
        PLACED(a_pool_grows_and_shrinks),
        PLACED(after_shutdown_nothing_is_accepted),
        PLACED(restarts_leak_no_lease),
        PLACED(random_kills_lose_and_double_nothing),
        PLACED(a_cancel_reaches_the_worker),
        PLACED(a_deadline_reaches_the_worker),
        PLACED(a_full_pool_holds_the_caller_back),
        PLACED(workers_are_pinned_in_turn),
        PLACED(restarts_pause_longer_and_longer),
        PLACED(who_does_not_end_is_killed_at_the_deadline),
        PLACED(a_cpu_list_is_checked),
    };

    notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (notes == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
