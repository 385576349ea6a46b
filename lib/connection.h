/* SPDX-License-Identifier: MIT */
/** Connections to HTTP origins, TLS on top or not, kept while they are idle. One loop's. */
#ifndef STRAIT_CONNECTION_H
#define STRAIT_CONNECTION_H

#include "proxy.h"
#include "tls.h"
#include "url.h"

/* How an origin is reached. Two requests may share a connection if their routes are the same. */
struct strait_route {
    const char *host; /* of the socket: the origin, or the proxy that plain http is asked from */
    uint16_t port;
    bool tls;
    const struct strait_proxy *proxy; /* NULL: directly */
};

/* The route to a URL's origin. The texts are the URL's and the proxy's. */
struct strait_route strait_route_to(const struct strait_url *url, const struct strait_proxy *proxy);

struct strait_connection {
    struct strait_connection *next;
    char host[STRAIT_HOST_BYTES];
    uint16_t port;
    bool through_tls;
    const struct strait_proxy *proxy;
    struct strait_tls *tls; /* NULL: plain */
    int fd;
    uint32_t requests; /* that it has carried */
    uint64_t idle_since_ns;
};

struct strait_connections {
    struct strait_connection *idle; /* the latest first */
    uint32_t idle_n;
};

/* An idle connection on that route that looks alive, or NULL. Yours then. */
struct strait_connection *strait_connection_take(struct strait_connections *pool, const struct strait_route *route,
                                                 uint64_t now_ns);

/* Around a connected socket, which it takes over in any case. 0, -ENOMEM. */
int strait_connection_open(struct strait_connection **connection, const struct strait_route *route, int fd);

/* Back into the pool, or closed if there are many. */
void strait_connection_keep(struct strait_connections *pool, struct strait_connection *connection, uint64_t now_ns);

void strait_connection_close(struct strait_connection *connection);

/* Closes what has been idle for too long; all of it at the end. */
void strait_connections_prune(struct strait_connections *pool, bool all);

#endif
