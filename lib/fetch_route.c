/* SPDX-License-Identifier: MIT */
/* From a URL to a connection: one that was kept, or a new one, perhaps through a proxy, perhaps with TLS on top. */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "method.h"
#include "strait/error.h"

#define TUNNEL_BYTES 8192 /* of a CONNECT request, and of what is received at once of its answer */

static void dial(struct strait_transfer *t);

void strait_fetch_http_end(struct strait_transfer *t)
{
    strait_dial_close(t->dial);
    t->dial = NULL;
    if (t->dial_ended && t->dialled >= 0)
        close(t->dialled);
    t->dial_ended = false;
    if (t->connection)
        strait_connection_close(t->connection);
    t->connection = NULL;
}

void strait_fetch_http_keep(struct strait_transfer *t)
{
    t->connection->requests++;
    strait_connection_keep(&t->worker->connections, t->connection, strait_loop_now(t->worker->loop));
    t->connection = NULL;
}

static const struct strait_proxy *proxy_of(const struct strait_transfer *t)
{
    return strait_proxy_for(&t->worker->proxies, &t->url);
}

/* ---- TLS ---- */

/* Before anybody is called: what cannot be secured is not begun. False: the transfer has failed. */
static bool have_tls(struct strait_transfer *t)
{
    struct strait_worker *w = t->worker;
    int error = w->tls ? 0 : strait_tls_context_create(&w->tls, w->ca_file);

    if (error)
        strait_transfer_fail(t, STRAIT_FETCH_TLS, error, "%s", strait_error());
    return error == 0;
}

static void shaken(struct strait_transfer *t, int res)
{
    if (res == 0)
        strait_fetch_exchange(t);
    else if (res == -EPROTO)
        strait_transfer_fail(t, STRAIT_FETCH_TLS, res, "%s", strait_tls_why(t->connection->tls));
    else
        strait_transfer_broke(t, STRAIT_FETCH_TLS, res, "TLS handshake");
}

static void shake_hands(struct strait_transfer *t)
{
    int error = strait_tls_create(&t->connection->tls, t->worker->tls, t->url.host, t->url.port);

    if (error)
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, error, "starting TLS");
    else
        strait_wire_handshake(t, shaken);
}

/* ---- a tunnel through a proxy ---- */

static void tunnel_received(struct strait_transfer *t, int res)
{
    size_t unused;
    int error;

    if (res <= 0) {
        strait_transfer_broke(t, STRAIT_FETCH_PROXY, res ? res : -ECONNRESET, "waiting for the proxy");
        return;
    }
    error = strait_http_feed(&t->http, t->scratch, (size_t)res, &unused);
    if (error)
        strait_transfer_fail(t, STRAIT_FETCH_PROXY, error, "the proxy's answer: %s", t->http.why);
    else if (!t->http.done)
        strait_wire_recv(t, t->scratch, TUNNEL_BYTES, tunnel_received);
    else if (t->http.status / 100 == 5)
        strait_transfer_stumble(t, STRAIT_FETCH_PROXY, -EREMOTEIO, "the proxy answers with status %d", t->http.status);
    else if (t->http.status / 100 != 2)
        strait_transfer_fail(t, STRAIT_FETCH_PROXY, -EREMOTEIO, "the proxy answers with status %d", t->http.status);
    else
        shake_hands(t); /* what it may have said too early is lost: the handshake finds out */
}

static void tunnel_sent(struct strait_transfer *t, int res)
{
    if (res < 0)
        strait_transfer_broke(t, STRAIT_FETCH_PROXY, res, "asking the proxy");
    else
        strait_wire_recv(t, t->scratch, TUNNEL_BYTES, tunnel_received);
}

static void open_tunnel(struct strait_transfer *t)
{
    int n = -ENOMEM;

    free(t->scratch);
    t->scratch = malloc(TUNNEL_BYTES);
    if (t->scratch)
        n = strait_request_tunnel(t->scratch, TUNNEL_BYTES, &t->url, proxy_of(t)->secret);
    if (n < 0) {
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, n, "asking the proxy");
        return;
    }
    strait_http_begin(&t->http);
    t->http.no_body = true;
    strait_wire_send(t, t->scratch, (uint32_t)n, tunnel_sent);
}

/* ---- a new connection ---- */

static void dial_failed(struct strait_transfer *t)
{
    const struct strait_proxy *proxy = proxy_of(t);
    const char *host = proxy ? proxy->url.host : t->url.host;

    if (t->dial_stage == STRAIT_DIAL_CONNECT)
        strait_transfer_broke(t, STRAIT_FETCH_CONNECT, t->dialled, proxy ? "connecting to the proxy" : "connecting");
    else if (t->dial_stage == STRAIT_DIAL_SOCKET)
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, t->dialled, "opening a socket");
    else if (t->dialled == EAI_AGAIN)
        strait_transfer_stumble(t, STRAIT_FETCH_RESOLVE, -EHOSTUNREACH, "host %s: %s", host, gai_strerror(t->dialled));
    else
        strait_transfer_fail(t, STRAIT_FETCH_RESOLVE, -EHOSTUNREACH, "host %s: %s", host, gai_strerror(t->dialled));
}

static void connected(struct strait_transfer *t)
{
    const struct strait_proxy *proxy = proxy_of(t);
    struct strait_route route = strait_route_to(&t->url, proxy);
    int error;

    t->dial_ended = false;
    error = strait_connection_open(&t->connection, &route, t->dialled);
    if (error)
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, error, "connecting");
    else if (route.tls && proxy)
        open_tunnel(t);
    else if (route.tls)
        shake_hands(t);
    else
        strait_fetch_exchange(t);
}

/* While we dial, the transfer's operation is a timer, for the deadline; the dial's end cuts it short. */
static void dialled(void *context, int result, enum strait_dial_stage stage)
{
    struct strait_transfer *t = context;

    t->dial = NULL;
    t->dialled = result;
    t->dial_stage = stage;
    t->dial_ended = true;
    strait_op_cancel(&t->op);
}

static void dial_waited(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (!t->dial_ended) {
        strait_dial_close(t->dial);
        t->dial = NULL;
        strait_transfer_broke(t, STRAIT_FETCH_CONNECT, res ? res : -ETIMEDOUT, "looking up the host, connecting");
        return;
    }
    if (t->dial_stage == STRAIT_DIAL_CONNECT && t->dialled >= 0) {
        connected(t);
        return;
    }
    t->dial_ended = false;
    dial_failed(t);
}

static void dial(struct strait_transfer *t)
{
    const struct strait_proxy *proxy = proxy_of(t);
    const struct strait_url *to = proxy ? &proxy->url : &t->url;
    uint64_t until_ns = strait_transfer_until(t);
    int error =
        strait_dial_open(&t->dial, t->worker->loop, t->worker->resolver, to->host, to->port, until_ns, dialled, t);

    t->op.done = dial_waited;
    if (error == 0)
        error = strait_op_timer(t->worker->loop, &t->op, until_ns);
    strait_transfer_stuck(t, error);
}

void strait_fetch_dial(struct strait_transfer *t)
{
    if (t->connection)
        strait_connection_close(t->connection);
    t->connection = NULL;
    dial(t);
}

void strait_fetch_http(struct strait_transfer *t)
{
    const struct strait_proxy *proxy = proxy_of(t);
    struct strait_route route;

    if (proxy && proxy->why) {
        strait_transfer_fail(t, STRAIT_FETCH_PROXY, -EINVAL, "%s", proxy->why);
        return;
    }
    route = strait_route_to(&t->url, proxy);
    if (route.tls && !have_tls(t))
        return;
    t->connection = strait_connection_take(&t->worker->connections, &route, strait_loop_now(t->worker->loop));
    if (t->connection)
        strait_fetch_exchange(t);
    else
        dial(t);
}
