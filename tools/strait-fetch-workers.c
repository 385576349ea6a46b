/* SPDX-License-Identifier: MIT */
/* Worker processes: started, watched through their pidfds, started again when they die. */
#include "strait-fetch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strait/error.h>

#define QUICK_NS      UINT64_C(1000000000) /* a worker that dies sooner may have a reason that stays */
#define QUICK_MOST    8
#define BACKOFF_NS    UINT64_C(50000000)
#define SHUTDOWN_NS   UINT64_C(5000000000)
#define EXIT_HOPELESS 3 /* it said why; another one would say the same */

static void watch(struct worker *w);

static _Noreturn void be_worker(struct run *run)
{
    struct strait_segment_options attach = {.attach = STRAIT_OPEN_ONLY};
    struct strait_fetch_options options = {.in_flight = run->options->in_flight};
    struct strait_segment *segment;
    int error;

    signal(SIGINT, SIG_IGN); /* the coordinator ends us */
    signal(SIGTERM, SIG_DFL);
    strait_loop_destroy(run->loop);
    error = strait_attach(run->name, &attach, &segment);
    if (error == 0)
        error = strait_fetch_serve(segment, "fetch", &options);
    if (error)
        fprintf(stderr, "strait-fetch: worker %d: %s\n", (int)getpid(), strait_error());
    else
        strait_detach(segment);
    _exit(error ? EXIT_HOPELESS : 0);
}

static int start(struct worker *w)
{
    pid_t parent = getpid();
    int error;

    fflush(NULL);
    w->pid = fork();
    if (w->pid < 0) {
        error = -errno;
        w->pid = 0;
        return error;
    }
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        be_worker(w->run);
    }
    w->started_ns = strait_now_ns();
    w->starts++;
    w->run->alive++;
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    watch(w);
    return 0;
}

static void start_again(struct strait_op *op, int res)
{
    struct worker *w = (struct worker *)op;

    if (res == -ECANCELED || w->run->stopping)
        return;
    if (start(w))
        fprintf(stderr, "strait-fetch: cannot start a worker: %s\n", strerror(errno));
}

static void check_hope(struct run *run)
{
    run->hopeless = true;
    for (uint32_t i = 0; i < run->options->workers; i++)
        if (!run->workers[i].given_up)
            run->hopeless = false;
}

/* It is dead: its transfers go to the others at once, not only when somebody's patience ends. */
static void buried(struct worker *w, int status)
{
    struct run *run = w->run;
    bool quick = strait_now_ns() - w->started_ns < QUICK_NS;

    run->alive--;
    strait_sweep_dead(run->segment);
    if (run->stopping || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return;
    run->died++;
    w->quick_deaths = quick ? w->quick_deaths + 1 : 0;
    if (w->quick_deaths > QUICK_MOST)
        fprintf(stderr, "strait-fetch: a worker died %u times in a row: given up\n", w->quick_deaths);
    if (w->quick_deaths > QUICK_MOST || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_HOPELESS)) {
        w->given_up = true;
        check_hope(run);
        return;
    }
    w->op.done = start_again;
    strait_op_timer(run->loop, &w->op, strait_after_ns(w->quick_deaths > 1 ? BACKOFF_NS << (w->quick_deaths - 2) : 0));
}

static void died(struct strait_op *op, int res)
{
    struct worker *w = (struct worker *)op;
    int status = 0;

    if (res == -ECANCELED || waitpid(w->pid, &status, WNOHANG) != w->pid)
        return;
    close(w->pidfd);
    w->pid = 0;
    buried(w, status);
}

static void watch(struct worker *w)
{
    w->op.done = died;
    if (w->pidfd < 0 || strait_op_poll(w->run->loop, &w->op, w->pidfd, POLLIN, STRAIT_FOREVER))
        fprintf(stderr, "strait-fetch: worker %d cannot be watched\n", (int)w->pid);
}

int workers_start(struct run *run)
{
    run->workers = calloc(run->options->workers, sizeof *run->workers);
    if (!run->workers)
        return -ENOMEM;
    for (uint32_t i = 0; i < run->options->workers; i++) {
        int error;
        run->workers[i].run = run;
        error = start(&run->workers[i]);
        if (error)
            return error;
    }
    return 0;
}

/* One SHUTDOWN for each; who does not go is killed. */
void workers_stop(struct run *run)
{
    uint64_t until_ns = strait_after_ns(SHUTDOWN_NS);

    run->stopping = true;
    if (!run->workers)
        return;
    for (uint32_t i = 0; i < run->alive; i++)
        strait_send_tagged(run->tx, STRAIT_FETCH_SHUTDOWN, "", 0, until_ns);
    while (run->alive && strait_now_ns() < until_ns && strait_loop_step(run->loop, until_ns) >= -EINTR) {
    }
    for (uint32_t i = 0; i < run->options->workers; i++)
        if (run->workers[i].pid > 0) {
            kill(run->workers[i].pid, SIGKILL);
            waitpid(run->workers[i].pid, NULL, 0);
            close(run->workers[i].pidfd);
        }
}
