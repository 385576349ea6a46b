/* SPDX-License-Identifier: MIT */
#include "house.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lease.h"
#include "process.h"

struct house_notes *house_notes;

/* ---- workers ---- */

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
        __atomic_store_n(&house_notes->working, 1, __ATOMIC_RELEASE);
        for (int r = 0; r == 0; __atomic_store_n(&house_notes->unwanted, r, __ATOMIC_RELEASE))
            r = strait_task_wanted(task);
        return 0;
    default:
        break;
    }
    return strait_task_answer(task, STRAIT_MSG_LAST, task->data, task->bytes);
}

int house_serve(uint32_t worker, void *context)
{
    struct strait_segment *segment;
    struct strait_pool *pool;

    (void)worker, (void)context;
    if (strait_attach("pool", NULL, &segment) < 0 || strait_pool_open(segment, "work", NULL, &pool) < 0)
        return 1;
    return strait_pool_serve(pool, handle, NULL, STRAIT_FOREVER) < 0;
}

int house_never_starts(uint32_t worker, void *context)
{
    struct strait_segment *segment;

    (void)worker, (void)context;
    return strait_attach("pool", NULL, &segment) < 0 ? 8 : 7;
}

/* ---- the house ---- */

uint32_t house_leases(const struct house *h)
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

void house_open(struct house *h, struct strait_supervisor_options options)
{
    memset(h, 0, sizeof *h);
    assert_int_equal(strait_attach("pool", NULL, &h->segment), 0);
    assert_int_equal(strait_pool_open(h->segment, "work", NULL, &h->pool), 0);
    assert_int_equal(strait_loop_create(&h->loop, 0), 0);
    options.run = options.run ? options.run : house_serve;
    options.report = note;
    options.context = h;
    options.segment = h->segment;
    assert_int_equal(strait_supervisor_start(h->loop, &options, &h->supervisor), 0);
}

void house_close(struct house *h)
{
    assert_int_equal(strait_pool_shutdown(h->pool, SOON), 0);
    assert_int_equal(strait_supervisor_stop(h->supervisor, SOON), 0);
    strait_loop_destroy(h->loop);
    strait_pool_close(h->pool);
    strait_detach(h->segment);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);         /* no zombie, no child */
    assert_int_equal(strait_segment_remove("pool", NULL), 1); /* no lease */
}

void house_wait(struct house *h, enum strait_worker_event event, uint32_t n)
{
    uint64_t until = SOON;

    while (h->seen[event] < n)
        assert_true(strait_loop_step(h->loop, until) > 0);
}

int64_t house_ask(struct house *h, const char *what, char *answer, uint32_t size, uint64_t job_deadline_ns)
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

void house_until(const int *word, const struct house *h)
{
    uint64_t until_ns = SOON;

    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
        strait_loop_step(h->loop, strait_after_ns(1000000));
        assert_true(strait_now_ns() < until_ns);
    }
}

int house_setup(void **state)
{
    memset(house_notes, 0, sizeof *house_notes);
    return place_setup(state);
}

int house_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
    house_notes = mmap(NULL, sizeof *house_notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (house_notes == MAP_FAILED)
        return 1;
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
