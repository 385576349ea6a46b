/* SPDX-License-Identifier: MIT */
/* The coordinator: asks for URLs as long as there are replies, and takes their parts as they come, all on one loop. */
#include "strait-fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strait/error.h>

#define LOOK_NS  UINT64_C(1000000000) /* every sleep is bounded */
#define TICK_NS  UINT64_C(100000000)
#define GRACE_NS UINT64_C(15000000000) /* after its deadline, for the worker to say so, or to die and be replaced */

static void ask_more(struct run *run);

/* ---- one job ---- */

static void end_job(struct job *job, uint32_t kind, int error, const char *why, size_t bytes)
{
    struct run *run = job->run;

    strait_reply_close(&job->reply);
    if (kind == STRAIT_FETCH_OK) {
        error = output_finish(job);
        if (error) {
            kind = STRAIT_FETCH_LOCAL;
            why = strerror(-error);
            bytes = strlen(why);
        }
    }
    output_drop(job);
    job->took_ns = strait_now_ns() - job->started_ns;
    job->kind = kind;
    job->error = error;
    job->why = kind == STRAIT_FETCH_OK ? NULL : strndup(why, bytes);
    job->ends++;
    run->busy--;
    run->done++;
    run->failed += kind != STRAIT_FETCH_OK;
    ask_more(run);
}

static void end_with(struct job *job, uint32_t kind, int error, const char *why)
{
    end_job(job, kind, error, why, strlen(why));
}

/* One part. False: the job has ended. */
static bool take_part(struct job *job, const struct strait_msg *msg, const struct strait_fetch_part *part)
{
    int error = 0;

    if (msg->flags & STRAIT_MSG_RESTART) {
        job->restarts++;
        job->run->bytes -= job->bytes;
        job->bytes = 0;
        error = output_restart(job);
    }
    if (part->first)
        job->worker = part->head.worker;
    if (part->failure) {
        end_job(job, part->head.kind, part->head.error, part->data, part->bytes);
        return false;
    }
    if (error == 0)
        error = output_write(job, part->data, part->bytes);
    if (error) {
        end_with(job, STRAIT_FETCH_LOCAL, error, strerror(-error));
        return false;
    }
    job->bytes += part->bytes;
    job->run->bytes += part->bytes;
    if (job->run->on_part)
        job->run->on_part(job, part);
    return true;
}

/* Is a part there (or an end)? */
static bool has_part(struct job *job)
{
    struct strait_msg msg;

    return strait_reply_peek(&job->reply, &msg, STRAIT_NOW) != -EAGAIN;
}

/* Takes the parts that are there. 0: nothing more yet; 1: the job has ended. */
static int take_parts(struct job *job)
{
    for (;;) {
        struct strait_fetch_part part;
        struct strait_msg msg;
        int error = strait_reply_peek(&job->reply, &msg, STRAIT_NOW);

        if (error == -EAGAIN)
            return 0;
        if (error == 0 && strait_fetch_part(&msg, &part) < 0)
            error = -EBADMSG;
        if (error) {
            end_with(job, STRAIT_FETCH_WORKER, error,
                     error == -EOWNERDEAD ? "its workers died, again and again" : strait_strerror(error));
            return 1;
        }
        if (!take_part(job, &msg, &part))
            return 1;
        strait_reply_release(&job->reply, &msg);
        if (part.last) {
            end_with(job, STRAIT_FETCH_OK, 0, "");
            return 1;
        }
    }
}

static void listen_to(struct job *job);

static void part_came(struct strait_op *op, int res)
{
    struct job *job = (struct job *)op;

    strait_bell_leave(&job->reply.reply->readable, &job->ticket);
    if (res != -ECANCELED)
        listen_to(job);
    else if (job->late)
        end_with(job, job->run->hopeless ? STRAIT_FETCH_WORKER : STRAIT_FETCH_TIMEOUT, -ETIMEDOUT,
                 job->run->hopeless ? "no worker is left" : "its worker does not answer");
}

static void listen_to(struct job *job)
{
    struct strait_bell *bell = &job->reply.reply->readable;

    for (;;) {
        if (take_parts(job))
            return;
        strait_bell_enter(bell, &job->ticket, STRAIT_BELL_FENCE);
        if (!has_part(job))
            break;
        strait_bell_leave(bell, &job->ticket); /* before the reply goes: its bell is the next job's */
    }
    job->op.done = part_came;
    if (strait_op_bell(job->run->loop, &job->op, &bell->seq, job->ticket.seq, strait_after_ns(LOOK_NS))) {
        strait_bell_leave(bell, &job->ticket);
        end_with(job, STRAIT_FETCH_LOCAL, -ENOSYS, "cannot wait for the answer");
    }
}

/* ---- all of them ---- */

/* False: no room for another one now. */
static bool ask(struct job *job)
{
    struct run *run = job->run;
    const struct options *o = run->options;
    int error;

    job->started_ns = strait_now_ns();
    error = strait_fetch(run->tx, job->url, o->max_bytes, job->started_ns + o->timeout_ns, &job->reply, STRAIT_NOW);
    if (error == -ENOBUFS || error == -EAGAIN)
        return false;
    run->next++;
    run->busy++;
    if (error == -ENAMETOOLONG)
        end_with(job, STRAIT_FETCH_URL, error, strait_error());
    else if (error)
        end_with(job, STRAIT_FETCH_LOCAL, error, strait_error());
    else
        listen_to(job);
    return true;
}

static void ask_more(struct run *run)
{
    uint32_t most = run->options->workers * run->options->in_flight;

    if (run->asking) /* a job that ends while it is asked for does not begin another round */
        return;
    run->asking = true;
    while (!run->stopping && !run->hopeless && run->next < run->n && run->busy < most && ask(&run->jobs[run->next])) {
    }
    run->asking = false;
}

/* Nobody is left to answer, or a worker holds a job long after its deadline: nothing hangs. */
static void give_up_late(struct run *run)
{
    uint64_t now_ns = strait_now_ns(), patience_ns = run->options->timeout_ns + GRACE_NS;

    for (uint32_t i = 0; i < run->next; i++) {
        struct job *job = &run->jobs[i];
        if (job->ends || (!run->hopeless && now_ns - job->started_ns < patience_ns))
            continue;
        if (strait_op_pending(&job->op) && strait_op_cancel(&job->op) == 0)
            job->late = true;
    }
}

/* With no worker left, what has not been asked will not be. */
static void refuse_rest(struct run *run)
{
    while (run->next < run->n) {
        struct job *job = &run->jobs[run->next++];
        run->busy++;
        job->started_ns = strait_now_ns();
        end_with(job, STRAIT_FETCH_WORKER, -ECHILD, "no worker is left");
    }
}

static void tick_done(struct strait_op *op, int res)
{
    struct run *run = (struct run *)(void *)((char *)op - offsetof(struct run, tick));

    if (res == -ECANCELED)
        return;
    run->progress.done = run->done;
    run->progress.failed = run->failed;
    run->progress.bytes = run->bytes;
    run->progress.busy = run->busy;
    progress_draw(&run->progress);
    give_up_late(run);
    ask_more(run);
    strait_op_timer(run->loop, &run->tick, strait_after_ns(TICK_NS));
}

static int say(int error, const char *what)
{
    fprintf(stderr, "strait-fetch: %s: %s\n", what, *strait_error() ? strait_error() : strerror(-error));
    return error;
}

static int open_all(struct run *run)
{
    uint32_t most = run->options->workers * run->options->in_flight;
    struct strait_segment_options attach = {.attach = STRAIT_CREATE_ONLY, .bytes = strait_fetch_segment_bytes(most)};
    struct strait_channel_options channel = strait_fetch_channel(most);
    int error;

    snprintf(run->name, sizeof run->name, "fetch.%d", (int)getpid());
    error = strait_loop_create(&run->loop, most + 64);
    if (error) {
        fprintf(stderr, "strait-fetch: %s\n", strait_loop_why());
        return error;
    }
    error = strait_attach(run->name, &attach, &run->segment);
    if (error)
        return say(error, "shared memory");
    error = strait_tx_open(run->segment, "fetch", &channel, &run->tx);
    if (error == 0)
        error = strait_channel_hold(run->segment, "fetch", &run->hold);
    return error ? say(error, "channel") : 0;
}

static void close_all(struct run *run)
{
    strait_loop_destroy(run->loop);
    if (run->hold)
        strait_channel_unhold(run->hold);
    strait_tx_close(run->tx);
    if (run->segment) {
        strait_detach(run->segment);
        strait_segment_remove(run->name, NULL);
    }
}

static int make_jobs(struct run *run, char **urls, uint32_t n)
{
    run->jobs = calloc(n ? n : 1, sizeof *run->jobs);
    if (!run->jobs)
        return -ENOMEM;
    run->n = n;
    for (uint32_t i = 0; i < n; i++)
        run->jobs[i] = (struct job){.run = run, .url = urls[i], .number = i + 1, .fd = -1};
    return 0;
}

static struct run *interrupted_run;

static void interrupt(int signal)
{
    (void)signal;
    interrupted_run->interrupted = 1;
}

/* SIGINT and SIGTERM end the run in order: temporary files and the segment are removed. */
static void catch_signals(struct run *run)
{
    struct sigaction action = {.sa_handler = interrupt};

    interrupted_run = run;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void work(struct run *run)
{
    run->began_ns = strait_now_ns();
    progress_begin(&run->progress, run->n, run->options->quiet);
    run->tick.done = tick_done;
    strait_op_timer(run->loop, &run->tick, strait_after_ns(TICK_NS));
    ask_more(run);
    while (run->done < run->n && !run->interrupted) {
        int ran = strait_loop_step(run->loop, STRAIT_FOREVER);
        if (ran < 0 && ran != -EINTR)
            break;
        if (run->hopeless)
            refuse_rest(run);
    }
    run->took_ns = strait_now_ns() - run->began_ns;
    progress_end(&run->progress);
}

int run_all(struct run *run, const struct options *options, char **urls, uint32_t n)
{
    int error;

    run->options = options;
    error = make_jobs(run, urls, n);
    if (error == 0)
        error = open_all(run);
    if (error == 0) {
        catch_signals(run);
        error = workers_start(run);
        if (error)
            say(error, "starting workers");
    }
    if (error == 0)
        work(run);
    workers_stop(run);
    for (uint32_t i = 0; i < run->next; i++)
        output_drop(&run->jobs[i]); /* interrupted ones */
    close_all(run);
    return error;
}

void run_free(struct run *run)
{
    for (uint32_t i = 0; i < run->n; i++)
        free(run->jobs[i].why);
    free(run->jobs);
    free(run->workers);
}
