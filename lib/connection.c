/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <strait/base.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MAX    256
#define IDLE_MAX_NS UINT64_C(15000000000) /* servers drop idle connections, many after 15 s */

/* An idle connection has nothing to say: bytes or an end mean that the server is through with it. */
static bool alive(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct strait_connection *strait_connection_take(struct strait_connections *pool, const struct strait_url *url)
{
    struct strait_connection **at = &pool->idle, *c;

    while ((c = *at) != NULL) {
        if (c->port != url->port || strcmp(c->host, url->host) != 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        pool->idle_n--;
        if (alive(c->fd))
            return c;
        strait_connection_close(c);
    }
    return NULL;
}

int strait_connection_open(struct strait_connection **connection, const struct strait_url *url, int family)
{
    struct strait_connection *c = calloc(1, sizeof *c);
    int one = 1, error;

    if (!c)
        return -ENOMEM;
    c->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        error = -errno;
        free(c);
        return error;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    memcpy(c->host, url->host, sizeof c->host);
    c->port = url->port;
    *connection = c;
    return 0;
}

void strait_connection_keep(struct strait_connections *pool, struct strait_connection *c)
{
    if (pool->idle_n >= IDLE_MAX) {
        strait_connection_close(c);
        return;
    }
    c->idle_since_ns = strait_now_ns();
    c->next = pool->idle;
    pool->idle = c;
    pool->idle_n++;
}

void strait_connection_close(struct strait_connection *c)
{
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
