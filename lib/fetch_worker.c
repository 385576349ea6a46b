/* SPDX-License-Identifier: MIT */
/*
 * The worker: takes commands as long as it has room for transfers, and waits for everything on one loop. Jobs stay peeked
 * (under this process's lease) until they are answered, so that a death hands them to another worker.
 */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "endpoint.h"
#include "error.h"

#define IN_FLIGHT       64
#define TIMEOUT_NS      UINT64_C(60000000000)
#define TELL_MOST       16 /* parts and ends that sleepers are told of at once, while there is more to do */
#define HOUSEKEEPING_NS UINT64_C(100000000) /* how often we look for the dead: the bound of every sleep */

static void want_jobs(struct strait_worker *w);

static bool has_room(const struct strait_worker *w)
{
    return !w->draining && w->active < w->in_flight;
}

/* One command. False: none is there, or none is wanted. */
static bool take(struct strait_worker *w)
{
    struct strait_msg job;
    int error;

    if (!has_room(w))
        return false;
    error = strait_peek(w->rx, &job, STRAIT_NOW);
    if (error == -EBADMSG)
        return true; /* dropped, look at the next */
    if (error == -EPIPE || error == -ECHILD)
        w->draining = true;
    if (error)
        return false;
    if (job.tag == STRAIT_FETCH_GET && (job.flags & STRAIT_MSG_REQUEST)) {
        if (strait_transfer_begin(w, &job) == 0)
            return true;
        w->draining = true; /* no memory for a job: finish what we have; our end gives the job back */
        return false;
    }
    if (job.tag == STRAIT_FETCH_SHUTDOWN)
        w->draining = true;
    strait_release(w->rx, &job); /* an unknown command: nobody could do better with it */
    return true;
}

static void jobs_done(struct strait_op *op, int res)
{
    struct strait_worker *w = (struct strait_worker *)(void *)((char *)op - offsetof(struct strait_worker, jobs));
    bool took = false;

    strait_bell_leave(w->rx->bell, &w->ticket);
    while (take(w))
        took = true;
    /* A wake that we cannot use is somebody else's. */
    if (!took && res >= 0 && strait_bell_asleep(w->rx->bell))
        strait_bell_wake(w->rx->bell, 1);
    want_jobs(w);
}

/* Takes what is there; then sleeps on the channel's bell, if there is room for more. */
static void want_jobs(struct strait_worker *w)
{
    while (take(w)) {
    }
    if (!has_room(w) || strait_op_pending(&w->jobs))
        return;
    strait_bell_enter(w->rx->bell, &w->ticket, STRAIT_BELL_FENCE);
    while (take(w)) {
    }
    if (!has_room(w) ||
        strait_op_bell(w->loop, &w->jobs, &w->rx->bell->seq, w->ticket.seq, strait_after_ns(STRAIT_SLEEP_NS)))
        strait_bell_leave(w->rx->bell, &w->ticket);
}

void strait_worker_freed(struct strait_worker *w, struct strait_transfer *t)
{
    w->hungry = true;
    w->untold++;
    t->next = w->over;
    w->over = t;
}

/* Who waits for many answers sleeps on the channel's bell (strait/fetch.h), and is woken for several of them at a time, at
 * the latest when there is nothing else to do. Slots come free before that: woken early, it would be woken for each. */
static void settle(struct strait_worker *w)
{
    for (struct strait_transfer *t = w->over, *next; t; t = next) {
        next = t->next;
        strait_release_quietly(w->rx, &t->job);
        free(t);
    }
    w->over = NULL;
    if (w->untold)
        strait_bell_ring(&w->rx->end.ring->writable, UINT16_MAX, w->rx->fence);
    w->untold = 0;
}

/* Callers that have left: their transfers need not go on. Those that wait for space see it by themselves. */
static void drop_unwanted(struct strait_worker *w)
{
    for (struct strait_transfer *t = w->transfers, *next; t; t = next) {
        next = t->next;
        if (strait_answer_wanted(&t->answer) < 0)
            strait_op_cancel(&t->op);
    }
}

static void housekeeping_done(struct strait_op *op, int res)
{
    struct strait_worker *w =
        (struct strait_worker *)(void *)((char *)op - offsetof(struct strait_worker, housekeeping));

    if (res == -ECANCELED)
        return;
    strait_sweep_dead(w->segment);
    drop_unwanted(w);
    strait_connections_prune(&w->connections, false);
    w->hungry = true;
    strait_op_timer(w->loop, &w->housekeeping, strait_after_ns(HOUSEKEEPING_NS));
}

/* Until nothing is to be done and nothing will come. */
static int work(struct strait_worker *w)
{
    int ran = strait_op_timer(w->loop, &w->housekeeping, strait_after_ns(HOUSEKEEPING_NS));

    w->hungry = true;
    while (ran >= 0 || ran == -EINTR) {
        if (ran == 0 || w->untold >= TELL_MOST)
            settle(w);
        if (w->hungry) {
            w->hungry = false;
            want_jobs(w);
        }
        if (w->draining && w->active == 0)
            return 0;
        ran = strait_loop_step(w->loop, w->untold ? STRAIT_NOW : STRAIT_FOREVER);
    }
    return ran;
}

static int open_worker(struct strait_worker *w, const char *name)
{
    int error = strait_rx_open(w->segment, name, NULL, &w->rx);

    if (error)
        return error;
    if (strait_proxies_load(&w->proxies) < 0)
        return strait_fail(-ENOMEM, "fetch worker: no memory for the names of proxies");
    error = strait_loop_create(&w->loop, 4 * w->in_flight);
    if (error)
        return strait_fail(error, "fetch worker: %s", strait_loop_why());
    return strait_resolver_create(&w->resolver, w->loop);
}

int strait_fetch_serve(struct strait_segment *segment, const char *name, const struct strait_fetch_options *options)
{
    struct strait_fetch_options o = options ? *options : (struct strait_fetch_options){0};
    struct strait_worker w = {.segment = segment,
                              .in_flight = o.in_flight ? o.in_flight : IN_FLIGHT,
                              .timeout_ns = o.timeout_ns ? o.timeout_ns : TIMEOUT_NS,
                              .ca_file = o.ca_file,
                              .dice = strait_now_ns() ^ (uint64_t)getpid() << 32,
                              .pid = (uint32_t)getpid(),
                              .jobs.done = jobs_done,
                              .housekeeping.done = housekeeping_done};
    int error = open_worker(&w, name);

    if (error == 0) {
        if (w.in_flight > w.rx->window)
            w.in_flight = w.rx->window;
        error = work(&w);
    }
    w.draining = true;
    strait_loop_destroy(w.loop);
    settle(&w);
    strait_resolver_destroy(w.resolver);
    strait_connections_prune(&w.connections, true);
    strait_tls_context_destroy(w.tls);
    strait_proxies_free(&w.proxies);
    strait_rx_close(w.rx);
    return error;
}
