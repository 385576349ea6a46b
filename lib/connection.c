/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <strait/base.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MAX    256
#define IDLE_MAX_NS UINT64_C(15000000000) /* servers drop idle connections, many after 15 s */
#define FRESH_NS    UINT64_C(1000000)     /* so soon after an answer no look is worth a system call */

struct strait_route strait_route_to(const struct strait_url *url, const struct strait_proxy *proxy)
{
    struct strait_route route = {url->host, url->port, url->scheme == STRAIT_SCHEME_HTTPS, proxy};

    if (proxy && !route.tls) { /* a proxy that is asked for plain http answers for all hosts */
        route.host = proxy->url.host;
        route.port = proxy->url.port;
    }
    return route;
}

static bool fits(const struct strait_connection *c, const struct strait_route *route)
{
    return c->port == route->port && c->through_tls == route->tls && c->proxy == route->proxy &&
           strcmp(c->host, route->host) == 0;
}

/* An idle connection has nothing to say: bytes or an end mean that the server is through with it. (One that ends unseen is
 * found out by the request: it is sent once more.) */
static bool alive(struct strait_connection *c, uint64_t now_ns)
{
    char byte;

    if (now_ns - c->idle_since_ns < FRESH_NS)
        return true;
    if (c->tls)
        return strait_tls_idle(c->tls, c->fd);
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct strait_connection *strait_connection_take(struct strait_connections *pool, const struct strait_route *route,
                                                 uint64_t now_ns)
{
    struct strait_connection **at = &pool->idle, *c;

    while ((c = *at) != NULL) {
        if (!fits(c, route)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        pool->idle_n--;
        if (alive(c, now_ns))
            return c;
        strait_connection_close(c);
    }
    return NULL;
}

int strait_connection_open(struct strait_connection **connection, const struct strait_route *route, int fd)
{
    struct strait_connection *c = calloc(1, sizeof *c);

    if (!c) {
        close(fd);
        return -ENOMEM;
    }
    memcpy(c->host, route->host, strnlen(route->host, sizeof c->host - 1));
    c->port = route->port;
    c->through_tls = route->tls;
    c->proxy = route->proxy;
    c->fd = fd;
    *connection = c;
    return 0;
}

void strait_connection_keep(struct strait_connections *pool, struct strait_connection *c, uint64_t now_ns)
{
    if (pool->idle_n >= IDLE_MAX) {
        strait_connection_close(c);
        return;
    }
    c->idle_since_ns = now_ns;
    c->next = pool->idle;
    pool->idle = c;
    pool->idle_n++;
}

void strait_connection_close(struct strait_connection *c)
{
    strait_tls_destroy(c->tls);
    close(c->fd); /* does not block: no SO_LINGER */
    free(c);
}

void strait_connections_prune(struct strait_connections *pool, bool all)
{
    struct strait_connection **at = &pool->idle, *c;
    uint64_t now_ns = strait_now_ns();

    while ((c = *at) != NULL) {
        if (!all && now_ns - c->idle_since_ns < IDLE_MAX_NS) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        pool->idle_n--;
        strait_connection_close(c);
    }
}
