/* SPDX-License-Identifier: MIT */
/* The coordinator: asks for URLs as long as there are seats, and takes their parts as they come, all on one loop. */
#include "strait-fetch.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strait/error.h>

#define LOOK_NS   UINT64_C(1000000000) /* every sleep is bounded */
#define TICK_NS   UINT64_C(100000000)
#define GRACE_NS  UINT64_C(15000000000) /* after its deadline, for the worker to say so, or to die and be replaced */
#define ASK_BYTES 8192                  /* texts that go with a request */

/* ---- one job ---- */

static void end_job(struct seat *seat, uint32_t kind, int error, const char *why, size_t bytes)
{
    struct run *run = seat->run;
    struct job *job = seat->job;

    strait_reply_close(&seat->reply);
    if (kind == STRAIT_FETCH_OK) {
        error = output_finish(seat);
        if (error) {
            kind = STRAIT_FETCH_LOCAL;
            why = strerror(-error);
            bytes = strlen(why);
        }
    }
    output_drop(seat, kind);
    job->took_ns = strait_now_ns() - seat->started_ns;
    job->kind = kind;
    job->error = error;
    job->why = kind == STRAIT_FETCH_OK ? NULL : strndup(why, bytes);
    job->ends++;
    seat->job = NULL;
    seat->next = run->free_seats;
    run->free_seats = seat;
    run->busy--;
    run->done++;
    run->failed += kind != STRAIT_FETCH_OK;
    hosts_done(run, job);
    run_ask_more(run);
}

static void end_with(struct seat *seat, uint32_t kind, int error, const char *why)
{
    end_job(seat, kind, error, why, strlen(why));
}

static void count_bytes(struct seat *seat, uint64_t bytes)
{
    seat->run->bytes += bytes - seat->job->bytes;
    seat->job->bytes = bytes;
}

/* A head: of a first part, or of news about a file. */
static int take_head(struct seat *seat, const struct strait_fetch_part *part)
{
    struct job *job = seat->job;

    seat->worker = part->head.worker;
    seat->length = part->head.length;
    job->status = part->head.status;
    if (part->head.fields_bytes && !part->failure) {
        free(job->fields);
        job->fields = strndup(part->fields, part->head.fields_bytes);
    }
    count_bytes(seat, part->head.stored);
    return part->failure ? 0 : output_begin(seat, &part->head, job->fields);
}

/* One part. False: the job has ended. */
static bool take_part(struct seat *seat, const struct strait_msg *msg, const struct strait_fetch_part *part)
{
    int error = 0;

    if (msg->flags & STRAIT_MSG_RESTART)
        seat->job->restarts++;
    if (part->first || part->stored)
        error = take_head(seat, part);
    if (part->failure) {
        end_job(seat, part->head.kind, part->head.error, part->data, part->bytes);
        return false;
    }
    if (error == 0 && !part->stored)
        error = output_write(seat, part->data, part->bytes);
    if (error) {
        end_with(seat, STRAIT_FETCH_LOCAL, error,
                 error == -ERANGE   ? "the server sends the whole, not the part that was asked for"
                 : error == -ESPIPE ? "it broke in the middle, and what is written cannot be taken back"
                                    : strerror(-error));
        return false;
    }
    count_bytes(seat, seat->job->bytes + part->bytes);
    if (seat->run->on_part)
        seat->run->on_part(seat, part);
    return true;
}

/* Is a part there (or an end)? */
static bool has_part(struct seat *seat)
{
    struct strait_msg msg;

    return strait_reply_peek(&seat->reply, &msg, STRAIT_NOW) != -EAGAIN;
}

/* Takes the parts that are there. */
static void take_parts(struct seat *seat)
{
    for (;;) {
        struct strait_fetch_part part;
        struct strait_msg msg;
        int error = strait_reply_peek(&seat->reply, &msg, STRAIT_NOW);

        if (error == -EAGAIN)
            return;
        if (error == 0 && strait_fetch_part(&msg, &part) < 0)
            error = -EBADMSG;
        if (error) {
            end_with(seat, STRAIT_FETCH_WORKER, error,
                     error == -EOWNERDEAD ? "its workers died, again and again" : strait_strerror(error));
            return;
        }
        if (!take_part(seat, &msg, &part))
            return;
        strait_reply_release(&seat->reply, &msg);
        if (part.last) {
            end_with(seat, STRAIT_FETCH_OK, 0, "");
            return;
        }
    }
}

/* Takes the parts of all. */
static void take_all(struct run *run)
{
    for (uint32_t i = 0; i < run->seats_n; i++)
        if (run->seats[i].job)
            take_parts(&run->seats[i]);
}

static bool any_part(struct run *run)
{
    for (uint32_t i = 0; i < run->seats_n; i++)
        if (run->seats[i].job && has_part(&run->seats[i]))
            return true;
    return false;
}

static void wait_for_news(struct run *run);

static void news_came(struct strait_op *op, int res)
{
    struct run *run = (struct run *)(void *)((char *)op - offsetof(struct run, news));

    strait_bell_leave(run->tx->space, &run->ticket);
    if (res != -ECANCELED)
        wait_for_news(run);
}

/* Takes what is there, then sleeps on the one bell that workers ring for whatever they have done (strait/fetch.h). */
static void wait_for_news(struct run *run)
{
    struct strait_bell *bell = run->tx->space;

    for (;;) {
        take_all(run);
        strait_bell_enter(bell, &run->ticket, STRAIT_BELL_FENCE);
        if (!any_part(run))
            break;
        strait_bell_leave(bell, &run->ticket);
    }
    run->news.done = news_came;
    if (strait_op_bell(run->loop, &run->news, &bell->seq, run->ticket.seq, strait_after_ns(LOOK_NS)))
        strait_bell_leave(bell, &run->ticket); /* no room in the loop: the tick looks, and tries again */
}

/* ---- all of them ---- */

/* Sits the job down. -EAGAIN: no room for it now. */
static int ask(struct seat *seat)
{
    struct run *run = seat->run;
    struct strait_fetch_ask asked = run->options->ask;
    char text[ASK_BYTES];

    seat->started_ns = strait_now_ns();
    asked.deadline_ns += seat->started_ns;
    asked.checksum = seat->job->checksum ? seat->job->checksum : run->options->checksum;
    output_ask(seat, &asked, text, sizeof text);
    return strait_fetch(run->tx, seat->job->url, &asked, &seat->reply, STRAIT_NOW);
}

static void begin(struct run *run, struct job *job)
{
    struct seat *seat = run->free_seats;
    int error;

    run->free_seats = seat->next;
    *seat = (struct seat){.run = run, .job = job, .fd = -1, .length = STRAIT_FETCH_LENGTH_UNKNOWN};
    run->busy++;
    error = ask(seat);
    if (error == 0)
        return;
    if (error == -ENOBUFS || error == -EAGAIN) { /* replies that others have left are not free yet: soon */
        run->busy--;
        seat->job = NULL;
        seat->next = run->free_seats;
        run->free_seats = seat;
        job->next = run->released;
        if (!run->released)
            run->released_end = &job->next;
        run->released = job;
        run->asking = false; /* the tick tries again */
    } else {
        end_with(seat, error == -ENAMETOOLONG ? STRAIT_FETCH_URL : STRAIT_FETCH_LOCAL, error, strait_error());
    }
}

void run_ask_more(struct run *run)
{
    struct job *job;

    if (run->asking) /* a job that ends while it is asked for does not begin another round */
        return;
    run->asking = true;
    while (run->asking && !run->stopping && !run->hopeless && run->free_seats && (job = hosts_next(run)) != NULL)
        begin(run, job);
    run->asking = false;
}

/* Nobody is left to answer, or a worker holds a job long after its deadline: nothing hangs. */
static void give_up_late(struct run *run)
{
    uint64_t now_ns = strait_now_ns(), patience_ns = run->options->ask.deadline_ns + GRACE_NS;

    for (uint32_t i = 0; i < run->seats_n; i++) {
        struct seat *seat = &run->seats[i];
        if (!seat->job || (!run->hopeless && now_ns - seat->started_ns < patience_ns))
            continue;
        end_with(seat, run->hopeless ? STRAIT_FETCH_WORKER : STRAIT_FETCH_TIMEOUT, -ETIMEDOUT,
                 run->hopeless ? "no worker is left" : "its worker does not answer");
    }
}

/* With no worker left, what has not been asked will not be. */
static void refuse_rest(struct run *run)
{
    for (uint32_t i = 0; i < run->n; i++) {
        struct job *job = run->jobs[i];
        bool seated = false;
        for (uint32_t s = 0; s < run->seats_n && !seated; s++)
            seated = run->seats[s].job == job;
        if (job->ends || seated)
            continue;
        job->kind = STRAIT_FETCH_WORKER;
        job->error = -ECHILD;
        job->why = strdup("no worker is left");
        job->ends++;
        run->done++;
        run->failed++;
    }
    run->next = run->n;
    run->released = NULL;
    run->released_end = &run->released;
}

static void show_progress(struct run *run)
{
    struct progress *p = &run->progress;

    p->total = run->n;
    p->whole = list_is_whole(run);
    p->done = run->done;
    p->failed = run->failed;
    p->bytes = run->bytes;
    p->busy = run->busy;
    if (!progress_due(p))
        return;
    progress_clear(p);
    for (uint32_t i = 0; i < run->seats_n; i++) {
        struct seat *seat = &run->seats[i];
        if (!seat->job)
            continue;
        progress_add(p, seat->job->url, seat->job->bytes, seat->length, seat->job->bytes - seat->drawn_bytes);
        seat->drawn_bytes = seat->job->bytes;
    }
    progress_draw(p);
}

static void tick_done(struct strait_op *op, int res)
{
    struct run *run = (struct run *)(void *)((char *)op - offsetof(struct run, tick));

    if (res == -ECANCELED)
        return;
    if (!strait_op_pending(&run->news))
        wait_for_news(run);
    else
        take_all(run); /* jobs that were given up after their workers' deaths: nobody rings for them */
    show_progress(run);
    give_up_late(run);
    run_ask_more(run);
    strait_op_timer(run->loop, &run->tick, strait_after_ns(TICK_NS));
}

static int say(int error, const char *what)
{
    fprintf(stderr, "strait-fetch: %s: %s\n", what, *strait_error() ? strait_error() : strerror(-error));
    return error;
}

/* With no worker of our own, others are to join (behind a bridge, on other machines): as for one. */
static uint32_t seats_of(const struct run *run)
{
    return (run->options->workers ? run->options->workers : 1) * run->options->in_flight;
}

static int open_all(struct run *run)
{
    uint32_t most = seats_of(run);
    struct strait_segment_options attach = {.attach = STRAIT_CREATE_ONLY, .bytes = strait_fetch_segment_bytes(most)};
    struct strait_channel_options channel = strait_fetch_channel(most);
    int error;

    if (run->options->segment)
        snprintf(run->name, sizeof run->name, "%s", run->options->segment);
    else
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

static int make_seats(struct run *run)
{
    run->seats_n = seats_of(run);
    run->seats = calloc(run->seats_n, sizeof *run->seats);
    run->released_end = &run->released;
    if (!run->seats)
        return say(-ENOMEM, "starting");
    for (uint32_t i = run->seats_n; i > 0; i--) {
        run->seats[i - 1].fd = -1;
        run->seats[i - 1].next = run->free_seats;
        run->free_seats = &run->seats[i - 1];
    }
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
    progress_begin(&run->progress, run->options->quiet);
    run->tick.done = tick_done;
    strait_op_timer(run->loop, &run->tick, strait_after_ns(TICK_NS));
    list_follow(run);
    run_ask_more(run);
    wait_for_news(run);
    while ((run->done < run->n || !list_is_whole(run)) && !run->interrupted) {
        int ran = strait_loop_step(run->loop, STRAIT_FOREVER);
        if (ran < 0 && ran != -EINTR)
            break;
        if (run->hopeless)
            refuse_rest(run);
    }
    run->took_ns = strait_now_ns() - run->began_ns;
    progress_end(&run->progress);
}

int run_all(struct run *run, const struct options *options)
{
    int error;

    run->options = options;
    error = make_seats(run);
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
    for (uint32_t i = 0; i < run->seats_n; i++)
        if (run->seats[i].job)
            output_drop(&run->seats[i], STRAIT_FETCH_OK); /* interrupted ones */
    close_all(run);
    return error;
}

void run_free(struct run *run)
{
    for (uint32_t i = 0; i < run->n; i++) {
        struct job *job = run->jobs[i];
        free(job->url);
        free(job->checksum);
        free(job->why);
        free(job->fields);
        free(job);
    }
    hosts_free(run);
    free(run->jobs);
    free(run->seats);
}
