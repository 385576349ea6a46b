/* SPDX-License-Identifier: MIT */
#include "transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "method.h"
#include "strait/error.h"

#define SPACE_LOOK_NS UINT64_C(500000000)   /* a wait for space is bounded, as every sleep */
#define GRACE_NS      UINT64_C(10000000000) /* for a caller that is alive and does not take its error part */
#define TELL_NS       UINT64_C(100000000)   /* how often a caller hears how far its file is */

/* ---- ends ---- */

static void free_transfer(struct strait_transfer *t)
{
    struct strait_worker *worker = t->worker;

    strait_fetch_http_end(t);
    strait_fetch_file_end(t);
    strait_answer_abandon(&t->answer); /* nothing, if it has been finished */
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    worker->active--;
    strait_http_end(&t->http);
    strait_sink_close(t->sink);
    strait_digest_destroy(t->digest);
    free(t->url_text);
    free(t->scratch);
    free(t->bounce);
    strait_worker_freed(worker, t);
}

static void commit(struct strait_transfer *t, uint16_t flags)
{
    uint16_t tag = t->sink ? STRAIT_FETCH_STORED : t->first_sent ? STRAIT_FETCH_MORE : STRAIT_FETCH_FIRST;

    if (tag != STRAIT_FETCH_MORE)
        strait_payload_write(t->claim.data, &t->head, sizeof t->head);
    t->first_sent = true;
    t->claimed = false;
    strait_answer_commit(&t->answer, &t->claim, tag, flags, t->filled);
    t->worker->untold++;
}

/* A slot that begins with the head: filled behind it. */
static void behind_head(struct strait_transfer *t, const void *data, size_t bytes)
{
    size_t most = t->claim.size - sizeof t->head;

    if (bytes > most)
        bytes = most;
    memcpy((char *)t->claim.data + sizeof t->head, data, bytes);
    t->filled = (uint32_t)(sizeof t->head + bytes);
}

static void fail_step(struct strait_transfer *t)
{
    strait_sink_close(t->sink);
    t->sink = NULL;
    t->first_sent = false; /* an error part carries the head again, and replaces what is in the slot */
    t->head.fields_bytes = 0;
    behind_head(t, t->why, strnlen(t->why, sizeof t->why));
    commit(t, STRAIT_MSG_LAST | STRAIT_MSG_ERROR);
    free_transfer(t);
}

static void slot_room(struct strait_transfer *t, strait_transfer_step *step);

static void end_badly(struct strait_transfer *t, enum strait_fetch_kind kind, int error)
{
    strait_fetch_http_end(t);
    strait_fetch_file_end(t);
    t->head.kind = kind;
    t->head.error = error;
    t->deadline_ns = strait_after_ns(GRACE_NS);
    slot_room(t, fail_step);
}

void strait_transfer_fail(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t->why, sizeof t->why, format, args);
    va_end(args);
    end_badly(t, kind, error);
}

void strait_transfer_stumble(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t->why, sizeof t->why, format, args);
    va_end(args);
    if (!strait_fetch_retry(t))
        end_badly(t, kind, error);
}

uint64_t strait_transfer_until(const struct strait_transfer *t)
{
    uint64_t idle_ns = t->request.idle_ns, until_ns;

    if (!idle_ns)
        return t->deadline_ns;
    until_ns = strait_after_ns(idle_ns);
    return until_ns < t->deadline_ns ? until_ns : t->deadline_ns;
}

void strait_transfer_broke(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *what)
{
    if (error == -ETIMEDOUT && strait_now_ns() >= t->deadline_ns)
        strait_transfer_fail(t, STRAIT_FETCH_TIMEOUT, -ETIMEDOUT, "deadline passed: %s", what);
    else if (error == -ETIMEDOUT)
        strait_transfer_stumble(t, STRAIT_FETCH_TIMEOUT, -ETIMEDOUT, "nothing came for %.3g s: %s",
                                (double)t->request.idle_ns / 1e9, what);
    else if (error == -ECANCELED)
        strait_transfer_fail(t, STRAIT_FETCH_LOCAL, error, "cancelled: %s", what);
    else if (kind == STRAIT_FETCH_FILE || kind == STRAIT_FETCH_LOCAL)
        strait_transfer_fail(t, kind, error, "%s: %s", what, strerror(-error));
    else
        strait_transfer_stumble(t, kind, error, "%s: %s", what, strerror(-error));
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
        slot_room(t, step);
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
        slot_room(t, step);
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

static void slot_room(struct strait_transfer *t, strait_transfer_step *step)
{
    int error = claim(t);

    if (error == 0)
        step(t);
    else if (error == -EAGAIN)
        wait_for_space(t, step);
    else
        free_transfer(t); /* -EPIPE: the caller has gone, nobody wants to know */
}

void strait_transfer_room(struct strait_transfer *t, strait_transfer_step *step)
{
    if (t->sink)
        step(t); /* it has been flushed */
    else
        slot_room(t, step);
}

bool strait_transfer_got(struct strait_transfer *t, uint32_t bytes)
{
    uint64_t most = t->request.max_bytes;

    if (t->digest)
        strait_digest_add(t->digest, strait_transfer_at(t), bytes);
    if (t->sink)
        strait_sink_add(t->sink, bytes);
    else
        t->filled += bytes;
    t->body_bytes += bytes;
    if (most && t->body_bytes > most) {
        strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EFBIG, "body is larger than %llu bytes",
                             (unsigned long long)most);
        return false;
    }
    return true;
}

/* ---- a body that goes to a file ---- */

static bool flush_sink(struct strait_transfer *t)
{
    int error = strait_sink_flush(t->sink);

    if (error)
        strait_transfer_fail(t, STRAIT_FETCH_LOCAL, error, "writing %s: %s", t->file, strerror(-error));
    return error == 0;
}

/* What the file has before the range is part of what the checksum speaks of. */
static int digest_before(struct strait_transfer *t)
{
    uint64_t at = 0;
    int n = 0;

    while (at < t->head.offset) {
        uint64_t left = t->head.offset - at;
        char piece[65536];
        n = strait_sink_read(t->sink, piece, left < sizeof piece ? (uint32_t)left : sizeof piece, at);
        if (n <= 0)
            return n ? n : -EIO;
        strait_digest_add(t->digest, piece, (size_t)n);
        at += (uint64_t)n;
    }
    return 0;
}

bool strait_transfer_head(struct strait_transfer *t)
{
    int error = 0;

    if (t->sink)
        error = strait_sink_open(t->sink, t->file, t->head.offset);
    if (error == 0 && t->sink && t->digest)
        error = digest_before(t);
    if (error)
        strait_transfer_fail(t, STRAIT_FETCH_LOCAL, error, "the output %s: %s", t->file,
                             error == -EINVAL ? "is no regular file, or shorter than where the range begins"
                                              : strerror(-error));
    return error == 0;
}

/* A head, and how far we are. The header fields are where the parser left them. */
static void write_stored(struct strait_transfer *t)
{
    t->head.stored = t->body_bytes;
    t->first_sent = false;
    behind_head(t, t->http.fields ? t->http.fields : "", t->head.fields_bytes);
}

/* If the caller has room for the news. */
static void tell_progress(struct strait_transfer *t)
{
    uint64_t now_ns = strait_now_ns();

    if (now_ns - t->told_ns < TELL_NS || claim(t) != 0)
        return;
    t->told_ns = now_ns;
    write_stored(t);
    commit(t, 0);
}

static void stored_step(struct strait_transfer *t)
{
    write_stored(t);
    commit(t, STRAIT_MSG_LAST);
    free_transfer(t);
}

void strait_transfer_more(struct strait_transfer *t, strait_transfer_step *step)
{
    if (t->sink) {
        if (!flush_sink(t))
            return;
        tell_progress(t);
    } else if (strait_transfer_space(t) < t->claim.size / 2) {
        commit(t, 0);
    }
    strait_transfer_room(t, step);
}

void strait_transfer_succeed(struct strait_transfer *t)
{
    const char *got;

    if (t->digest && !strait_digest_matches(t->digest, &got)) {
        strait_transfer_fail(t, STRAIT_FETCH_CHECKSUM, -EBADMSG, "the body is %s", got);
        return;
    }
    if (t->sink) {
        if (flush_sink(t))
            slot_room(t, stored_step);
        return;
    }
    commit(t, STRAIT_MSG_LAST);
    free_transfer(t);
}

void strait_transfer_rewind(struct strait_transfer *t)
{
    struct strait_fetch_head fresh = {.length = STRAIT_FETCH_LENGTH_UNKNOWN,
                                      .worker = t->head.worker,
                                      .redirects = (uint16_t)t->redirects,
                                      .retries = (uint16_t)t->retries};

    t->head = fresh;
    t->first_sent = false;
    t->body_bytes = 0;
    t->filled = (uint32_t)sizeof t->head;
    if (t->sink)
        t->sink->filled = 0;
    if (t->digest)
        strait_digest_reset(t->digest);
}

/* ---- beginning ---- */

/* One of the texts of a command, 0-terminated behind the transfer. False: a 0 inside. */
static bool take_text(char **to, const char **from, uint32_t bytes)
{
    strait_payload_read(*to, *from, bytes);
    (*to)[bytes] = 0;
    *from += bytes;
    *to += bytes + 1;
    return strlen(*to - bytes - 1) == bytes;
}

static bool take_texts(struct strait_transfer *t, const char *from)
{
    struct strait_fetch_request *r = &t->request;
    char *to = t->text;
    bool good = take_text(&to, &from, r->url_bytes);

    t->fields = to;
    good = take_text(&to, &from, r->fields_bytes) && good;
    t->file = to;
    good = take_text(&to, &from, r->file_bytes) && good;
    t->checksum = to;
    return take_text(&to, &from, r->checksum_bytes) && good;
}

/* The command's bytes are shared: everything is read once, into our memory. What cannot be is a URL that cannot be. */
static struct strait_transfer *copy_job(const struct strait_msg *job)
{
    struct strait_fetch_request request = {0};
    size_t texts = 0;
    struct strait_transfer *t;

    if (job->bytes >= sizeof request) {
        strait_payload_read(&request, job->data, sizeof request);
        texts = (size_t)request.url_bytes + request.fields_bytes + request.file_bytes + request.checksum_bytes;
    }
    if (job->bytes < sizeof request || texts > job->bytes - sizeof request) {
        request = (struct strait_fetch_request){0};
        texts = 0;
    }
    t = calloc(1, sizeof *t + texts + 4);
    if (!t)
        return NULL;
    t->request = request;
    if (!take_texts(t, (const char *)job->data + (texts ? sizeof request : 0)))
        t->text[0] = 0;
    return t;
}

static bool is_conditional(const char *fields)
{
    for (; *fields; fields += strcspn(fields, "\n"), fields += *fields == '\n')
        if (strncasecmp(fields, "if-", 3) == 0)
            return true;
    return false;
}

/* What goes along with the URL. False: the transfer has failed. */
static bool prepare(struct strait_transfer *t)
{
    const char *why = NULL;
    int error = strait_fields_check(t->fields, &why);

    if (error) {
        strait_transfer_fail(t, STRAIT_FETCH_URL, error, "%s", why);
        return false;
    }
    t->conditional = is_conditional(t->fields);
    if (*t->checksum)
        error = strait_digest_create(&t->digest, t->checksum, &why);
    if (error) {
        strait_transfer_fail(t, error == -EINVAL ? STRAIT_FETCH_URL : STRAIT_FETCH_LOCAL, error, "%s", why);
        return false;
    }
    if (*t->file && !(t->request.flags & STRAIT_FETCH_HEAD))
        error = *t->file == '/' ? strait_sink_create(&t->sink) : -EINVAL;
    if (error)
        strait_transfer_fail(t, STRAIT_FETCH_LOCAL, error, "the output '%s': %s", t->file,
                             error == -EINVAL ? "is no absolute path" : strerror(-error));
    return error == 0;
}

void strait_transfer_go(struct strait_transfer *t)
{
    const char *why = NULL;
    int error = strait_url_parse(&t->url, t->url_text ? t->url_text : t->text, &why);

    if (error)
        strait_transfer_fail(t, STRAIT_FETCH_URL, error, "%s", why);
    else if (t->url.scheme == STRAIT_SCHEME_FILE)
        strait_fetch_file(t);
    else
        strait_fetch_http(t);
}

static void start(struct strait_transfer *t)
{
    t->head.length = STRAIT_FETCH_LENGTH_UNKNOWN;
    t->head.worker = t->worker->pid;
    if (t->answer.end.slot_bytes < 2 * sizeof t->head)
        free_transfer(t); /* no room for an answer, not even for an error */
    else if (t->deadline_ns <= strait_loop_now(t->worker->loop))
        strait_transfer_fail(t, STRAIT_FETCH_TIMEOUT, -ETIMEDOUT, "deadline passed: waiting for a worker");
    else if (prepare(t))
        strait_transfer_go(t);
}

int strait_transfer_begin(struct strait_worker *worker, const struct strait_msg *job)
{
    struct strait_transfer *t = copy_job(job);

    if (!t)
        return -ENOMEM;
    t->worker = worker;
    t->job = *job;
    t->fd = -1;
    t->deadline_ns = job->deadline_ns ? job->deadline_ns : strait_loop_after(worker->loop, worker->timeout_ns);
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
