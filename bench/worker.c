/* SPDX-License-Identifier: MIT */
/*
 * A worker's life: fork, enter (open the peer's ends), then for each piece
 *
 *   command (futex) → 0 and 1 probe the line → all arrive → the piece → 0 and 1 probe again → done (futex)
 *
 * The probes run in the very processes that run the piece, so that no CPU goes idle, and wanders, in between.
 */
#include "worker.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "machine.h"

#define STUCK_NS   (UINT64_C(30) * 1000 * 1000 * 1000) /* a piece that lasts longer hangs */
#define LOOK_NS    (50 * 1000 * 1000)                  /* how often the harness looks whether a worker died */
#define PIECE_NS   (UINT64_C(15) * 1000 * 1000)
#define TOUCHED_BY 2 /* workers whose sample arrays are prefaulted: the two that time things */

volatile sig_atomic_t bench_interrupted;

static void futex_wait(uint32_t *word, uint32_t seen, long timeout_ns)
{
    struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    syscall(SYS_futex, word, FUTEX_WAIT, seen, timeout_ns ? &t : NULL, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

int bench_why(struct bench_run *run, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(run->why, sizeof run->why, format, args);
    va_end(args);
    return error;
}

void *bench_share(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* ---- in the worker ---- */

/* Nobody starts before all are here; waiting costs no CPU where the workers share one. */
static void barrier(struct bench_control *c, unsigned workers, uint32_t nth)
{
    if (__atomic_add_fetch(&c->arrived, 1, __ATOMIC_ACQ_REL) == workers) {
        __atomic_store_n(&c->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&c->begun, nth, __ATOMIC_RELEASE);
        if (workers > 2)
            futex_wake(&c->begun);
        return;
    }
    for (;;) {
        uint32_t seen = __atomic_load_n(&c->begun, __ATOMIC_ACQUIRE);
        if (seen == nth)
            return;
        if (workers > 2)
            futex_wait(&c->begun, seen, 0);
    }
}

static void probe(struct bench_worker *w, uint32_t nth, double *ns)
{
    if (w->role > 1)
        return;
    bench_machine_pin((int)w->role);
    *ns = bench_probe(&w->run->control->line, w->role, nth);
}

static void piece(struct bench_worker *w, uint32_t nth)
{
    struct bench_run *run = w->run;
    struct bench_control *c = run->control;
    w->time_all = c->time_all;
    w->piece_ticks = c->piece_ticks;
    w->out->samples_n = w->out->blocks_n = 0;
    w->out->messages = w->out->bad = 0;
    probe(w, nth * 2, &w->out->line_before);
    barrier(c, run->workers, nth);
    if (run->scenario->crowded)
        bench_machine_pin(-1);
    uint64_t cpu = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    w->out->start = bench_ticks();
    run->scenario->piece(w);
    w->out->end = bench_ticks();
    w->out->cpu_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    probe(w, nth * 2 + 1, &w->out->line_after);
}

void bench_worker_alone(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* the harness stops us, and tidies up */
    signal(SIGTERM, SIG_IGN);
}

static void become_worker(struct bench_run *run, struct bench_worker *w, unsigned role)
{
    *w = (struct bench_worker){.run = run, .role = role, .out = &run->control->reports[role]};
    w->out->pid = (uint32_t)getpid();
    bench_worker_alone();
    w->bytes = run->shape.bytes;
    w->tx_channel = w->rx_channel = -1;
    run->scenario->roles(run, role, &w->tx_channel, &w->rx_channel);
    bench_machine_pin(-1); /* a piece's first probe pins it to its own */
}

static void worker_main(struct bench_run *run, unsigned role)
{
    struct bench_worker w;
    struct bench_control *c = run->control;
    become_worker(run, &w, role);
    w.block = run->block;
    w.stops =
        run->shape.producers > 1 ? (role == 0 ? run->shape.producers : 1) : (role == 0 ? run->shape.consumers : 1);
    int entered = run->peer->enter ? run->peer->enter(&w) : 0;
    if (entered < 0)
        __atomic_store_n(&c->failed, (uint32_t)-entered, __ATOMIC_RELEASE);
    for (uint32_t nth = 1;; nth++) {
        __atomic_add_fetch(&c->done, 1, __ATOMIC_RELEASE);
        futex_wake(&c->done);
        uint32_t seen;
        while ((seen = __atomic_load_n(&c->command, __ATOMIC_ACQUIRE)) != nth)
            futex_wait(&c->command, seen, 0);
        piece(&w, nth);
    }
}

/* ---- in the harness ---- */

int bench_workers_setup(struct bench_run *run)
{
    size_t bytes = sizeof *run->control + BENCH_WORKERS * sizeof(struct bench_report);
    void *control = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (control == MAP_FAILED)
        return bench_why(run, -errno, "no memory for the workers' reports");
    run->control = control;
    memset(run->control, 0, sizeof *run->control + TOUCHED_BY * sizeof(struct bench_report));
    if (run->peer->shared_bytes) {
        run->shared_bytes = run->peer->shared_bytes(run);
        run->shared = bench_share(run->shared_bytes);
        if (!run->shared)
            return bench_why(run, -errno, "no %zu bytes of shared memory", run->shared_bytes);
        run->state_bytes = run->shared_bytes / run->shape.channels;
    }
    return run->peer->setup ? run->peer->setup(run) : 0;
}

/* True when a worker is gone; its status goes into run->why. */
static bool somebody_died(struct bench_run *run)
{
    for (unsigned i = 0; i < run->workers; i++) {
        int status;
        if (run->pids[i] <= 0 || waitpid(run->pids[i], &status, WNOHANG) != run->pids[i])
            continue;
        run->pids[i] = 0;
        if (WIFSIGNALED(status))
            bench_why(run, 0, "process %u died by signal %d (%s)", i, WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            bench_why(run, 0, "process %u exited with %d", i, WEXITSTATUS(status));
        return true;
    }
    return false;
}

static int wait_until_done(struct bench_run *run)
{
    struct bench_control *c = run->control;
    uint64_t end = bench_now_ns() + STUCK_NS;
    for (;;) {
        uint32_t seen = __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
        if (seen == run->workers)
            break;
        futex_wait(&c->done, seen, LOOK_NS);
        if (bench_interrupted)
            return bench_why(run, -EINTR, "interrupted");
        if (somebody_died(run))
            return -ECHILD;
        if (bench_now_ns() > end)
            return bench_why(run, -ETIMEDOUT, "stuck: no end after 30 s");
    }
    __atomic_store_n(&c->done, 0, __ATOMIC_RELEASE);
    return 0;
}

int bench_workers_fork(struct bench_run *run, unsigned n, int (*body)(struct bench_worker *))
{
    fflush(NULL);
    run->workers = n;
    for (unsigned role = 0; role < n; role++) {
        pid_t pid = fork();
        if (pid < 0)
            return bench_why(run, -errno, "fork: %s", strerror(errno));
        if (pid == 0) {
            struct bench_worker w;
            if (body) {
                become_worker(run, &w, role);
                _exit(body(&w));
            }
            worker_main(run, role);
        }
        run->pids[role] = pid;
    }
    return 0;
}

int bench_workers_start(struct bench_run *run)
{
    int r = bench_workers_setup(run);
    if (r == 0)
        r = bench_workers_fork(run, run->shape.producers + run->shape.consumers, NULL);
    if (r == 0)
        r = wait_until_done(run);
    if (r == 0 && run->control->failed)
        r = bench_why(run, -(int)run->control->failed, "cannot open it: %s", strerror((int)run->control->failed));
    if (r < 0)
        bench_workers_stop(run);
    return r;
}

int bench_workers_piece(struct bench_run *run)
{
    struct bench_control *c = run->control;
    uint64_t ns = run->scenario->piece_ns ? run->scenario->piece_ns : PIECE_NS;
    c->piece_ticks = bench_to_ticks(ns);
    c->time_all = run->time_all;
    __atomic_add_fetch(&c->command, 1, __ATOMIC_RELEASE);
    futex_wake(&c->command);
    int r = wait_until_done(run);
    if (r < 0)
        bench_workers_stop(run);
    return r;
}

void bench_workers_stop(struct bench_run *run)
{
    for (unsigned i = 0; i < run->workers; i++) {
        if (run->pids[i] > 0)
            kill(run->pids[i], SIGKILL);
    }
    for (unsigned i = 0; i < run->workers; i++) {
        if (run->pids[i] > 0)
            waitpid(run->pids[i], NULL, 0);
        run->pids[i] = 0;
    }
    run->workers = 0;
    if (run->peer->teardown)
        run->peer->teardown(run);
    if (run->shared)
        munmap(run->shared, run->shared_bytes);
    if (run->control)
        munmap(run->control, sizeof *run->control + BENCH_WORKERS * sizeof(struct bench_report));
    run->shared = run->control = NULL;
}
