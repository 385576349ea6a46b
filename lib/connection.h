/* SPDX-License-Identifier: MIT */
/** TCP connections to HTTP origins, kept while they are idle. One loop's. */
#ifndef STRAIT_CONNECTION_H
#define STRAIT_CONNECTION_H

#include "url.h"

#include <stdbool.h>
#include <stdint.h>

struct strait_connection {
    struct strait_connection *next;
    char host[STRAIT_HOST_BYTES];
    uint16_t port;
    int fd;
    uint32_t requests; /* that it has carried */
    uint64_t idle_since_ns;
};

struct strait_connections {
    struct strait_connection *idle; /* the latest first */
    uint32_t idle_n;
};

/* An idle connection to the origin that looks alive, or NULL. Yours then. */
struct strait_connection *strait_connection_take(struct strait_connections *pool, const struct strait_url *url);

/* A new one, not connected yet. 0, -ENOMEM, -EMFILE, … */
int strait_connection_open(struct strait_connection **connection, const struct strait_url *url, int family);

/* Back into the pool, or closed if there are many. */
void strait_connection_keep(struct strait_connections *pool, struct strait_connection *connection);

void strait_connection_close(struct strait_connection *connection);

/* Closes what has been idle for too long; all of it at the end. */
void strait_connections_prune(struct strait_connections *pool, bool all);

#endif
