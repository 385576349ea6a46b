/* SPDX-License-Identifier: MIT */
/* Worker processes, which a supervisor keeps running. */
#include "strait-fetch.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strait/error.h>

#define SHUTDOWN_NS   UINT64_C(5000000000)
#define HANG_NS       UINT64_C(3000000000) /* a worker answers at a deadline; one that does not has been stopped */
#define EXIT_HOPELESS 3                    /* it said why; another one would say the same */

static int be_worker(uint32_t index, void *context)
{
    struct run *run = context;
    struct strait_segment_options attach = {.attach = STRAIT_OPEN_ONLY};
    struct strait_fetch_options options = {.in_flight = run->options->in_flight, .ca_file = run->options->ca_file};
    struct strait_segment *segment;
    int error;

    (void)index;
    signal(SIGINT, SIG_IGN); /* the coordinator ends us */
    signal(SIGTERM, SIG_DFL);
    error = strait_attach(run->name, &attach, &segment);
    if (error == 0)
        error = strait_fetch_serve(segment, "fetch", &options);
    if (error)
        fprintf(stderr, "strait-fetch: worker %d: %s\n", (int)getpid(), strait_error());
    else
        strait_detach(segment);
    return error ? EXIT_HOPELESS : 0;
}

static void told(const struct strait_worker_report *report, void *context)
{
    struct run *run = context;

    if (run->stopping)
        return;
    switch (report->event) {
    case STRAIT_WORKER_DIED:
        run->died++;
        if (WIFEXITED(report->status) && WEXITSTATUS(report->status) == EXIT_HOPELESS)
            run->hopeless = true;
        break;
    case STRAIT_WORKER_GIVEN_UP:
        fprintf(stderr, "strait-fetch: a worker %s: given up\n",
                report->status < 0 ? strerror(-report->status) : "died again and again");
        if (++run->given_up == run->options->workers)
            run->hopeless = true;
        break;
    case STRAIT_WORKER_HUNG:
        fprintf(stderr, "strait-fetch: worker %d does not answer: killed\n", report->pid);
        break;
    default:
        break;
    }
}

int workers_start(struct run *run)
{
    struct strait_supervisor_options options = {.run = be_worker,
                                                .report = told,
                                                .context = run,
                                                .workers = run->options->workers,
                                                .cpu_list = run->options->cpu_list,
                                                .segment = run->segment,
                                                .pool = "fetch",
                                                .hang_ns = HANG_NS};

    if (run->options->workers == 0)
        return 0;
    return strait_supervisor_start(run->loop, &options, &run->supervisor);
}

/* One SHUTDOWN for each; who does not go is killed. */
void workers_stop(struct run *run)
{
    uint64_t until_ns = strait_after_ns(SHUTDOWN_NS);
    uint32_t n = run->supervisor ? strait_supervisor_alive(run->supervisor) : 0;

    run->stopping = true;
    for (uint32_t i = 0; i < n; i++)
        strait_send_tagged(run->tx, STRAIT_FETCH_SHUTDOWN, "", 0, until_ns);
    strait_supervisor_stop(run->supervisor, until_ns);
    run->supervisor = NULL;
}
