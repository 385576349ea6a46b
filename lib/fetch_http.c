/* SPDX-License-Identifier: MIT */
/*
 * http://: a connection (kept or new), the request, the answer received into the reply's slot and parsed there. A kept
 * connection may die under the request: if nothing of an answer has come, it is sent once more, on a fresh one.
 */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void connect_next(struct strait_transfer *t);
static void send_request(struct strait_transfer *t);
static void receive(struct strait_transfer *t);

void strait_fetch_http_end(struct strait_transfer *t)
{
    strait_question_close(&t->question);
    if (t->connection)
        strait_connection_close(t->connection);
    t->connection = NULL;
}

/* ---- a connection ---- */

static void resolve_failed(struct strait_transfer *t)
{
    strait_transfer_fail(t, STRAIT_FETCH_RESOLVE, -EHOSTUNREACH, "host %s: %s", t->url.host,
                         gai_strerror(t->resolve_error));
}

/* The transfer's operation while a helper looks the name up is a timer, the deadline; the answer cuts it short. */
static void answered(struct strait_question *question, int error, const struct addrinfo *addresses)
{
    struct strait_transfer *t =
        (struct strait_transfer *)(void *)((char *)question - offsetof(struct strait_transfer, question));

    t->resolve_error = error;
    t->address = addresses;
    strait_op_cancel(&t->op);
}

static void resolve_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (t->address)
        connect_next(t);
    else if (t->resolve_error)
        resolve_failed(t);
    else
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, res ? res : -ETIMEDOUT, "looking up the host name");
}

static void resolve(struct strait_transfer *t)
{
    int error;

    t->question.answered = answered;
    error = strait_resolve(t->worker->resolver, &t->question, t->url.host, t->url.port, &t->address);
    if (error == 1) {
        connect_next(t);
        return;
    }
    t->op.done = resolve_done;
    if (error == 0)
        error = strait_op_timer(t->worker->loop, &t->op, t->deadline_ns);
    strait_transfer_stuck(t, error);
}

static void connect_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res == 0) {
        strait_question_close(&t->question);
        send_request(t);
        return;
    }
    strait_connection_close(t->connection);
    t->connection = NULL;
    t->address = t->address->ai_next;
    if (t->address && strait_now_ns() < t->deadline_ns && res != -ECANCELED)
        connect_next(t);
    else
        strait_transfer_broke(t, STRAIT_FETCH_CONNECT, res, "connecting");
}

static void connect_next(struct strait_transfer *t)
{
    int error = strait_connection_open(&t->connection, &t->url, t->address->ai_family);

    if (!t->connection) {
        strait_transfer_broke(t, error == -EAFNOSUPPORT ? STRAIT_FETCH_CONNECT : STRAIT_FETCH_LOCAL, error,
                              "opening a socket");
        return;
    }
    t->op.done = connect_done;
    strait_transfer_stuck(t, strait_op_connect(t->worker->loop, &t->op, t->connection->fd, t->address->ai_addr,
                                               t->address->ai_addrlen, t->deadline_ns));
}

/* A kept connection that fails before the first byte of an answer was probably closed while our request was on its way. */
static bool try_again(struct strait_transfer *t)
{
    if (t->again || t->connection->requests == 0 || t->http.framing_bytes || t->http.head_done)
        return false;
    t->again = true;
    strait_connection_close(t->connection);
    t->connection = NULL;
    resolve(t);
    return true;
}

static void broke(struct strait_transfer *t, int error, const char *what)
{
    if (error == -ETIMEDOUT || error == -ECANCELED || !try_again(t))
        strait_transfer_broke(t, STRAIT_FETCH_PROTOCOL, error, what);
}

/* ---- the request ---- */

static void send_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res < 0) {
        broke(t, res, "sending the request");
        return;
    }
    t->sent += (uint32_t)res;
    if (t->sent < t->request_bytes) {
        strait_transfer_stuck(t,
                              strait_op_send(t->worker->loop, &t->op, t->connection->fd, (char *)t->scratch + t->sent,
                                             t->request_bytes - t->sent, t->deadline_ns));
        return;
    }
    strait_transfer_room(t, receive);
}

static void send_request(struct strait_transfer *t)
{
    t->sent = 0;
    strait_http_begin(&t->http);
    t->head.connection = t->connection->requests;
    t->op.done = send_done;
    strait_transfer_stuck(
        t, strait_op_send(t->worker->loop, &t->op, t->connection->fd, t->scratch, t->request_bytes, t->deadline_ns));
}

/* ---- the answer ---- */

static void finish(struct strait_transfer *t)
{
    if (t->http.keep_alive) {
        t->connection->requests++;
        strait_connection_keep(&t->worker->connections, t->connection);
        t->connection = NULL;
    }
    strait_transfer_succeed(t);
}

/* The head is there: is this an answer that we want? */
static bool acceptable(struct strait_transfer *t)
{
    t->head.status = (uint32_t)t->http.status;
    t->head.length = t->http.length;
    if (t->http.status < 200 || t->http.status > 299)
        strait_transfer_fail(t, STRAIT_FETCH_STATUS, -EREMOTEIO, "status %d%s", t->http.status,
                             t->http.status / 100 == 3 ? ": a redirect, and redirects are not followed" : "");
    else if (t->max_bytes && t->http.length != STRAIT_HTTP_LENGTH_UNKNOWN && t->http.length > t->max_bytes)
        strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EFBIG, "body has %llu bytes, the limit is %llu",
                             (unsigned long long)t->http.length, (unsigned long long)t->max_bytes);
    else
        return true;
    return false;
}

static void closed_by_server(struct strait_transfer *t)
{
    int error = strait_http_eof(&t->http);

    if (error == 0)
        finish(t);
    else if (error != -ECONNRESET || !try_again(t))
        strait_transfer_fail(t, STRAIT_FETCH_PROTOCOL, error, "%s", t->http.why);
}

/* An error page that has come whole costs us nothing: its connection stays good. */
static void keep_after_error_page(struct strait_transfer *t)
{
    if (!t->http.done || !t->http.keep_alive || t->http.status < 300)
        return;
    t->connection->requests++;
    strait_connection_keep(&t->worker->connections, t->connection);
    t->connection = NULL;
}

static void receive_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;
    bool had_head = t->http.head_done;
    size_t body = 0;
    int error;

    if (res < 0) {
        broke(t, res, had_head ? "receiving the body" : "waiting for the answer");
        return;
    }
    if (res == 0) {
        closed_by_server(t);
        return;
    }
    error = strait_http_feed(&t->http, strait_transfer_at(t), (size_t)res, &body);
    if (error) {
        strait_transfer_fail(t, STRAIT_FETCH_PROTOCOL, error, "%s", t->http.why);
        return;
    }
    if (!had_head && t->http.head_done) {
        keep_after_error_page(t);
        if (!acceptable(t))
            return;
    }
    if (!strait_transfer_got(t, (uint32_t)body))
        return;
    if (t->http.done)
        finish(t);
    else
        strait_transfer_more(t, receive);
}

static void receive(struct strait_transfer *t)
{
    t->op.done = receive_done;
    strait_transfer_stuck(t, strait_op_recv(t->worker->loop, &t->op, t->connection->fd, strait_transfer_at(t),
                                            strait_transfer_space(t), t->deadline_ns));
}

void strait_fetch_http(struct strait_transfer *t)
{
    size_t bytes = t->url.target_bytes + t->url.authority_bytes + 256;
    int n = -ENOMEM;

    t->scratch = malloc(bytes);
    if (t->scratch)
        n = strait_http_request(t->scratch, bytes, &t->url);
    if (n < 0) {
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, n, "writing the request");
        return;
    }
    t->request_bytes = (uint32_t)n;
    t->connection = strait_connection_take(&t->worker->connections, &t->url);
    if (t->connection)
        send_request(t);
    else
        resolve(t);
}
