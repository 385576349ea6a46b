/* SPDX-License-Identifier: MIT */
/*
 * System calls per message while busy: none, and the kernel vouches for it. Both ends close every descriptor, enter
 * SECCOMP_MODE_STRICT, in which anything but read, write and exit kills them (and so does a look at the time stamp
 * counter), stream a million messages, and exit. Who gets to the end has called nothing: there was nothing left to
 * read or write.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"
#include "../worker.h"

#define MESSAGES 1000000
#define STUCK_S  10

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? tx_channel : rx_channel) = 0;
}

static void gather(struct bench_control *c, uint32_t workers)
{
    __atomic_add_fetch(&c->arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&c->arrived, __ATOMIC_ACQUIRE) < workers)
        ;
}

static int body(struct bench_worker *w)
{
    w->block = w->run->block;
    w->blocks_left = MESSAGES / w->block + 1;
    alarm(STUCK_S); /* the default action ends it */
    if (w->run->peer->enter(w) < 0)
        return 2;
    gather(w->run->control, 2);
    if (syscall(SYS_close_range, 0, ~0u, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
        return 3;
    if (w->role == 0)
        w->run->peer->produce(w);
    else
        w->run->peer->consume(w);
    syscall(SYS_exit, 0); /* exit_group is forbidden too */
    return 4;
}

static bool ended_well(struct bench_run *run)
{
    bool fine = true;
    for (unsigned i = 0; i < run->workers; i++) {
        int status = 0;
        while (waitpid(run->pids[i], &status, 0) < 0 && errno == EINTR)
            ;
        run->pids[i] = 0;
        if (!fine || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
            continue;
        fine = false;
        bench_why(run, 0, WIFSIGNALED(status) ? "killed by signal %d under strict seccomp" : "exited with %d",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        for (unsigned k = i + 1; k < run->workers; k++)
            kill(run->pids[k], SIGKILL);
    }
    return fine;
}

static void stream_sealed(struct bench_run *run)
{
    if (bench_workers_setup(run) < 0 || bench_workers_fork(run, 2, body) < 0) {
        run->outcome = BENCH_NOT_RUN;
        return;
    }
    const struct bench_report *r = run->control->reports;
    if (!ended_well(run)) {
        run->outcome = BENCH_BROKEN;
    } else if (r[1].bad || r[0].messages != r[1].messages || r[0].messages == 0) {
        run->outcome = BENCH_BROKEN;
        bench_why(run, 0, "%lu sent, %lu received", (unsigned long)r[0].messages, (unsigned long)r[1].messages);
    } else {
        run->pieces[0] = (struct bench_piece){.value = 0.0, .place = BENCH_MIXED};
        run->pieces_n = 1;
    }
    bench_workers_stop(run);
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    (void)quick;
    for (unsigned i = 0; i < n; i++) {
        if (runs[i]->outcome == BENCH_FINE)
            stream_sealed(runs[i]);
    }
    return 0;
}

static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_sealed = {
    .name = "sealed",
    .what = "system calls per message, both ends under strict seccomp",
    .unit = "calls/msg",
    .better = BENCH_LOWER,
    .takes = BENCH_SEALED,
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .fixed = true,
    .roles = roles,
    .measure = measure,
};
