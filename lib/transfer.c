/* SPDX-License-Identifier: MIT */
#include "transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strait/error.h"

#define SPACE_LOOK_NS UINT64_C(500000000)   /* a wait for space is bounded, as every sleep */
#define GRACE_NS      UINT64_C(10000000000) /* for a caller that is alive and does not take its error part */

/* ---- ends ---- */

static void free_transfer(struct strait_transfer *t)
{
    struct strait_worker *worker = t->worker;

    strait_fetch_http_end(t);
    strait_fetch_file_end(t);
    strait_answer_abandon(&t->answer); /* nothing, if it has been finished */
    strait_release(worker->rx, &t->job);
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    worker->active--;
    free(t->scratch);
    free(t->bounce);
    free(t);
    strait_worker_freed(worker);
}

static void commit(struct strait_transfer *t, uint16_t flags)
{
    uint16_t tag = t->first_sent ? STRAIT_FETCH_MORE : STRAIT_FETCH_FIRST;

    if (!t->first_sent)
        strait_payload_write(t->claim.data, &t->head, sizeof t->head);
    t->first_sent = true;
    t->claimed = false;
    strait_answer_commit(&t->answer, &t->claim, tag, flags, t->filled);
}

void strait_transfer_succeed(struct strait_transfer *t)
{
    commit(t, STRAIT_MSG_LAST);
    free_transfer(t);
}

static void fail_step(struct strait_transfer *t)
{
    uint32_t n = (uint32_t)strnlen(t->why, sizeof t->why);

    if (n > t->claim.size - sizeof t->head)
        n = t->claim.size - (uint32_t)sizeof t->head;
    t->first_sent = false; /* an error part carries the head again, and replaces what is in the slot */
    memcpy((char *)t->claim.data + sizeof t->head, t->why, n);
    t->filled = (uint32_t)sizeof t->head + n;
    commit(t, STRAIT_MSG_LAST | STRAIT_MSG_ERROR);
    free_transfer(t);
}

void strait_transfer_fail(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *format, ...)
{
    va_list args;

    strait_fetch_http_end(t);
    strait_fetch_file_end(t);
    t->head.kind = kind;
    t->head.error = error;
    va_start(args, format);
    vsnprintf(t->why, sizeof t->why, format, args);
    va_end(args);
    t->deadline_ns = strait_after_ns(GRACE_NS);
    strait_transfer_room(t, fail_step);
}

void strait_transfer_broke(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *what)
{
    if (error == -ETIMEDOUT && strait_now_ns() >= t->deadline_ns)
        strait_transfer_fail(t, STRAIT_FETCH_TIMEOUT, -ETIMEDOUT, "deadline passed: %s", what);
    else if (error == -ECANCELED)
        strait_transfer_fail(t, STRAIT_FETCH_LOCAL, error, "cancelled: %s", what);
    else
        strait_transfer_fail(t, kind, error, "%s: %s", what, strerror(-error));
}

bool strait_transfer_stuck(struct strait_transfer *t, int error)
{
    if (error)
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, error, "starting an operation");
    return error != 0;
}

/* ---- room ---- */

/* 0, -EAGAIN, or the transfer is over. */
static int claim(struct strait_transfer *t)
{
    int error = t->claimed ? 0 : strait_answer_claim(&t->answer, &t->claim, STRAIT_NOW);

    if (error == 0 && !t->claimed) {
        t->claimed = true;
        t->filled = t->first_sent ? 0 : (uint32_t)sizeof t->head;
    }
    return error;
}

static void space_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;
    strait_transfer_step *step = t->after_space;

    strait_bell_leave(&t->answer.reply->ring.writable, &t->ticket);
    if (res == -ECANCELED || strait_now_ns() < t->deadline_ns)
        strait_transfer_room(t, step);
    else if (step == fail_step)
        free_transfer(t);
    else
        strait_transfer_fail(t, STRAIT_FETCH_TIMEOUT, -ETIMEDOUT, "deadline passed: waiting for the caller to read");
}

/* The ring of the reply is full: sleep on its bell. */
static void wait_for_space(struct strait_transfer *t, strait_transfer_step *step)
{
    struct strait_bell *bell = &t->answer.reply->ring.writable;
    uint64_t until_ns = strait_after_ns(SPACE_LOOK_NS);
    int error;

    strait_bell_enter(bell, &t->ticket, STRAIT_BELL_FENCE);
    error = claim(t);
    if (error != -EAGAIN) {
        strait_bell_leave(bell, &t->ticket);
        strait_transfer_room(t, step);
        return;
    }
    t->after_space = step;
    t->op.done = space_done;
    if (until_ns > t->deadline_ns)
        until_ns = t->deadline_ns;
    if (strait_op_bell(t->worker->loop, &t->op, &bell->seq, t->ticket.seq, until_ns)) {
        strait_bell_leave(bell, &t->ticket);
        free_transfer(t);
    }
}

void strait_transfer_room(struct strait_transfer *t, strait_transfer_step *step)
{
    int error = claim(t);

    if (error == 0)
        step(t);
    else if (error == -EAGAIN)
        wait_for_space(t, step);
    else
        free_transfer(t); /* -EPIPE: the caller has gone, nobody wants to know */
}

bool strait_transfer_got(struct strait_transfer *t, uint32_t bytes)
{
    t->filled += bytes;
    t->body_bytes += bytes;
    if (t->max_bytes && t->body_bytes > t->max_bytes) {
        strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EFBIG, "body is larger than %llu bytes",
                             (unsigned long long)t->max_bytes);
        return false;
    }
    return true;
}

void strait_transfer_more(struct strait_transfer *t, strait_transfer_step *step)
{
    if (strait_transfer_space(t) < t->claim.size / 2)
        commit(t, 0);
    strait_transfer_room(t, step);
}

/* ---- beginning ---- */

/* The command's bytes are shared: everything is read once, into our memory. */
static struct strait_transfer *copy_job(const struct strait_msg *job)
{
    struct strait_fetch_request request;
    struct strait_transfer *t;

    if (job->bytes < sizeof request)
        return calloc(1, sizeof *t + 1);
    strait_payload_read(&request, job->data, sizeof request);
    if (request.url_bytes > job->bytes - sizeof request)
        return calloc(1, sizeof *t + 1);
    t = calloc(1, sizeof *t + request.url_bytes + 1);
    if (!t)
        return NULL;
    t->max_bytes = request.max_bytes;
    strait_payload_read(t->text, (const char *)job->data + sizeof request, request.url_bytes);
    if (strlen(t->text) != request.url_bytes)
        t->text[0] = 0; /* a 0 inside: not a URL */
    return t;
}

static void start(struct strait_transfer *t)
{
    const char *why = NULL;
    int error = strait_url_parse(&t->url, t->text, &why);

    t->head.length = STRAIT_FETCH_LENGTH_UNKNOWN;
    t->head.worker = t->worker->pid;
    if (t->answer.end.slot_bytes < 2 * sizeof t->head)
        free_transfer(t); /* no room for an answer, not even for an error */
    else if (error)
        strait_transfer_fail(t, STRAIT_FETCH_URL, error, "%s", why);
    else if (t->deadline_ns <= strait_now_ns())
        strait_transfer_fail(t, STRAIT_FETCH_TIMEOUT, -ETIMEDOUT, "deadline passed: waiting for a worker");
    else if (t->url.scheme == STRAIT_SCHEME_FILE)
        strait_fetch_file(t);
    else
        strait_fetch_http(t);
}

int strait_transfer_begin(struct strait_worker *worker, const struct strait_msg *job)
{
    struct strait_transfer *t = copy_job(job);

    if (!t)
        return -ENOMEM;
    t->worker = worker;
    t->job = *job;
    t->fd = -1;
    t->deadline_ns = job->deadline_ns ? job->deadline_ns : strait_after_ns(worker->timeout_ns);
    t->next = worker->transfers;
    t->link = &worker->transfers;
    if (t->next)
        t->next->link = &t->next;
    worker->transfers = t;
    worker->active++;
    if (strait_answer_accept(worker->rx, job, &t->answer) == 0)
        start(t);
    else
        free_transfer(t); /* the caller has gone, or it was answered before */
    return 0;
}
