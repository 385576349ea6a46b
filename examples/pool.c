/* SPDX-License-Identifier: MIT */
/* A pool of worker processes behind one channel. One worker kills itself over every tenth task that it gets; no caller
 * ever notices. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strait/strait.h>

static int square(struct strait_task *task, void *context)
{
    static int served;
    uint64_t n;

    (void)context;
    memcpy(&n, task->data, sizeof n);
    if (++served % 10 == 0 && task->attempts == 0)
        raise(SIGKILL);
    n *= n;
    return strait_task_answer(task, STRAIT_MSG_LAST, &n, sizeof n);
}

static int work(uint32_t worker, void *context)
{
    struct strait_segment *segment;
    struct strait_pool *pool;

    (void)worker, (void)context;
    if (strait_attach("pool", NULL, &segment) < 0 || strait_pool_open(segment, "squares", NULL, &pool) < 0)
        return 1;
    return strait_pool_serve(pool, square, NULL, STRAIT_FOREVER) < 0;
}

static void count_deaths(const struct strait_worker_report *report, void *context)
{
    *(int *)context += report->event == STRAIT_WORKER_DIED;
}

int main(void)
{
    struct strait_segment *segment;
    struct strait_pool *pool;
    struct strait_loop *loop;
    struct strait_supervisor *supervisor;
    int died = 0, right = 0, killed;
    struct strait_supervisor_options options = {
        .run = work, .report = count_deaths, .context = &died, .workers = 3, .restart_quick_ns = 1};

    if (strait_attach("pool", NULL, &segment) < 0 || strait_pool_open(segment, "squares", NULL, &pool) < 0 ||
        strait_loop_create(&loop, 0) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    options.segment = segment;
    if (strait_supervisor_start(loop, &options, &supervisor) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t answer = 0;
        int64_t r;
        do { /* the supervisor lives in our loop: let it see deaths while we wait */
            r = strait_pool_execute(pool, 0, &i, sizeof i, &answer, sizeof answer, NULL, strait_after_ns(200000000));
            strait_loop_step(loop, STRAIT_NOW);
        } while (r == -ETIMEDOUT);
        right += r == sizeof answer && answer == i * i;
    }
    killed = strait_pool_shutdown(pool, strait_after_ns(2000000000));
    killed += strait_supervisor_stop(supervisor, strait_after_ns(2000000000));
    printf("%d of 100 answers right; workers died over tasks: %s; left over: %d\n", right, died ? "yes" : "no", killed);
    strait_loop_destroy(loop);
    strait_pool_close(pool);
    strait_detach(segment);
    return right == 100 && died && !killed && strait_segment_remove("pool", NULL) == 1 ? 0 : 1;
}
