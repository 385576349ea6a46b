/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer, which is received where the body belongs and parsed there. A kept connection may die under the
 * request: if nothing of an answer has come, it is sent once more, on a fresh one.
 */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void receive(struct strait_transfer *t);

/* ---- what goes wrong ---- */

/* A kept connection that fails before the first byte of an answer was probably closed while our request was on its way. */
static bool was_stale(struct strait_transfer *t)
{
    if (t->stale || t->connection->requests == 0 || t->http.framing_bytes || t->http.head_done)
        return false;
    t->stale = true;
    strait_fetch_dial(t);
    return true;
}

static void broke(struct strait_transfer *t, int error, const char *what)
{
    struct strait_tls *tls = t->connection->tls;

    if (error != -ETIMEDOUT && error != -ECANCELED && was_stale(t))
        return;
    if (tls && error == -EPROTO)
        strait_transfer_fail(t, STRAIT_FETCH_TLS, error, "%s", strait_tls_why(tls));
    else
        strait_transfer_broke(t, STRAIT_FETCH_PROTOCOL, error, what);
}

/* ---- the answer ---- */

static void finish(struct strait_transfer *t)
{
    if (t->http.keep_alive)
        strait_fetch_http_keep(t);
    strait_transfer_succeed(t);
}

/* `cut`: TLS was not ended first, so anybody on the way may have closed the connection. Where the length is known that is
 * no matter; where the end of the connection is the end of the body, it is all there is. */
static void closed_by_server(struct strait_transfer *t, bool cut)
{
    int error = strait_http_eof(&t->http);

    if (error == 0 && cut)
        strait_transfer_stumble(t, STRAIT_FETCH_TLS, -ECONNRESET, "the body was cut off: TLS was not ended");
    else if (error == 0)
        finish(t);
    else if (error != -ECONNRESET || !was_stale(t))
        strait_transfer_stumble(t, STRAIT_FETCH_PROTOCOL, error, "%s", t->http.why);
}

/* The fields go before the body that has come with them; receive left room for that. */
static void insert_fields(struct strait_transfer *t, size_t body)
{
    char *at = strait_transfer_at(t);

    t->head.fields_bytes = t->http.fields_bytes;
    if (t->sink)
        return;
    memmove(at + t->http.fields_bytes, at, body);
    memcpy(at, t->http.fields, t->http.fields_bytes);
    t->filled += t->http.fields_bytes;
}

static void received(struct strait_transfer *t, int res)
{
    bool had_head = t->http.head_done;
    size_t body = 0;
    int error;

    if (res == 0 || (res == -ECONNRESET && t->connection->tls)) {
        closed_by_server(t, res != 0);
        return;
    }
    if (res < 0) {
        broke(t, res, had_head ? "receiving the body" : "waiting for the answer");
        return;
    }
    error = strait_http_feed(&t->http, strait_transfer_at(t), (size_t)res, &body);
    if (error) {
        strait_transfer_fail(t, STRAIT_FETCH_PROTOCOL, error, "%s", t->http.why);
        return;
    }
    if (!had_head && t->http.head_done) {
        if (!strait_fetch_head_fine(t))
            return;
        if (t->http.want_fields && t->http.fields_bytes)
            insert_fields(t, body);
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
    uint32_t space = strait_transfer_space(t),
             fields = t->http.want_fields && !t->http.head_done ? t->http.fields_bytes : 0;

    if (fields && space < fields + 1024)
        strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EMSGSIZE,
                             "the head has more than %u bytes, and is wanted whole", fields);
    else
        strait_wire_recv(t, strait_transfer_at(t), space - fields, received);
}

/* ---- the request ---- */

static void sent(struct strait_transfer *t, int res)
{
    if (res < 0)
        broke(t, res, "sending the request");
    else
        strait_transfer_room(t, receive);
}

static int write_request(struct strait_transfer *t)
{
    const struct strait_proxy *proxy = t->connection->proxy;
    struct strait_request_line line = {.url = &t->url,
                                       .fields = *t->fields ? t->fields : NULL,
                                       .secret = proxy && !t->connection->tls ? proxy->secret : NULL,
                                       .from = t->request.from,
                                       .bytes = t->request.bytes,
                                       .head = t->request.flags & STRAIT_FETCH_HEAD,
                                       .absolute = proxy && !t->connection->tls};
    size_t bytes = strait_request_bytes(&line);

    free(t->scratch);
    t->scratch = malloc(bytes);
    return t->scratch ? strait_request_write(t->scratch, bytes, &line) : -ENOMEM;
}

void strait_fetch_exchange(struct strait_transfer *t)
{
    int n = write_request(t);

    if (n < 0) {
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, n, "writing the request");
        return;
    }
    strait_http_begin(&t->http);
    t->http.want_fields = t->request.flags & STRAIT_FETCH_FIELDS;
    t->http.no_body = t->request.flags & STRAIT_FETCH_HEAD;
    t->head.connection = t->connection->requests;
    strait_wire_send(t, t->scratch, (uint32_t)n, sent);
}
