/* SPDX-License-Identifier: MIT */
/*
 * One thread, epoll, a request made once, one send and one recv a GET. Of an answer it looks for the status, Content-Length
 * and the end of the head. Nothing is copied, no time is kept, nothing may fail. `raw` does just that; `wrk-style` does what wrk
 * does (strace of wrk 4.1.0: read, write and two epoll_ctl a GET): it asks when epoll says that the socket may be written.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../clock.h"
#include "fetch.h"

struct connection {
    int fd;
    size_t got;
    char buffer[4096];
};

struct client {
    bool asks_epoll; /* before it writes */
    int poll_fd;
    struct connection connections[FETCH_AT_ONCE];
};

static struct client raw_client, wrk_client = {.asks_epoll = true};
static char request[512];
static size_t request_bytes;

static int watch(struct client *client, struct connection *c, int what, uint32_t events)
{
    struct epoll_event wanted = {.events = events, .data.ptr = c};
    return epoll_ctl(client->poll_fd, what, c->fd, &wanted) < 0 ? -errno : 0;
}

static int connect_all(struct client *client, const struct sockaddr_in *to)
{
    for (int i = 0; i < FETCH_AT_ONCE; i++) {
        struct connection *c = &client->connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)to, sizeof *to) < 0)
            return -errno;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        int error = watch(client, c, EPOLL_CTL_ADD, EPOLLIN);
        if (error)
            return error;
    }
    return 0;
}

static int begin(struct client *client, const char *small_url)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char host[64], path[128];
    unsigned port;
    if (sscanf(small_url, "http://%63[^:]:%u%127s", host, &port, path) != 3)
        return -EINVAL;
    to.sin_port = htons((uint16_t)port);
    request_bytes =
        (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%u\r\n\r\n", path, host, port);
    client->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    return client->poll_fd < 0 ? -errno : connect_all(client, &to);
}

static int send_request(struct connection *c)
{
    return send(c->fd, request, request_bytes, MSG_NOSIGNAL) == (ssize_t)request_bytes ? 0 : -EIO;
}

static int ask(struct client *client, struct connection *c)
{
    c->got = 0;
    return client->asks_epoll ? watch(client, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT) : send_request(c);
}

static int may_write(struct client *client, struct connection *c)
{
    int error = send_request(c);
    return error ? error : watch(client, c, EPOLL_CTL_MOD, EPOLLIN);
}

/* Bytes of the whole answer; 0 = its head is not there yet, or -EPROTO. */
static long answer_bytes(const struct connection *c)
{
    const char *end = memmem(c->buffer, c->got, "\r\n\r\n", 4), *length;
    if (!end)
        return 0;
    length = memmem(c->buffer, (size_t)(end - c->buffer), "Content-Length: ", 16);
    if (!length || memcmp(c->buffer, "HTTP/1.1 200", 12) != 0)
        return -EPROTO;
    return end + 4 - c->buffer + atol(length + 16);
}

/* 1: the answer is whole. */
static int receive(struct connection *c)
{
    ssize_t n = recv(c->fd, c->buffer + c->got, sizeof c->buffer - c->got, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return n ? -errno : -ECONNRESET;
    c->got += (size_t)n;
    long whole = answer_bytes(c);
    return whole <= 0 ? (int)whole : c->got == (size_t)whole;
}

/* 1: an answer is whole. */
static int came(struct client *client, const struct epoll_event *e)
{
    if (e->events & EPOLLOUT)
        return may_write(client, e->data.ptr);
    return receive(e->data.ptr);
}

static int small(struct client *client, unsigned n)
{
    struct epoll_event events[FETCH_AT_ONCE];
    unsigned asked = 0, done = 0;
    int error = 0;
    for (; asked < n && asked < FETCH_AT_ONCE && error == 0; asked++)
        error = ask(client, &client->connections[asked]);
    while (done < n && error >= 0) {
        int m = epoll_wait(client->poll_fd, events, FETCH_AT_ONCE, -1);
        for (int i = 0; i < m && error >= 0; i++) {
            error = came(client, &events[i]);
            if (error <= 0)
                continue;
            done++;
            error = asked < n ? ask(client, events[i].data.ptr) : 0;
            asked++;
        }
    }
    return error;
}

static uint64_t cpu_ns(void)
{
    return bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void end(struct client *client)
{
    for (int i = 0; i < FETCH_AT_ONCE; i++)
        if (client->connections[i].fd > 0)
            close(client->connections[i].fd);
    close(client->poll_fd);
}

#define FETCHER(symbol, client)                                                                                        \
    static int symbol##_begin(const char *url)                                                                         \
    {                                                                                                                  \
        return begin(&client, url);                                                                                    \
    }                                                                                                                  \
    static int symbol##_small(unsigned n)                                                                              \
    {                                                                                                                  \
        return small(&client, n);                                                                                      \
    }                                                                                                                  \
    static void symbol##_end(void)                                                                                     \
    {                                                                                                                  \
        end(&client);                                                                                                  \
    }                                                                                                                  \
    const struct bench_fetcher bench_fetcher_##symbol = {                                                              \
        .begin = symbol##_begin, .small = symbol##_small, .cpu_ns = cpu_ns, .end = symbol##_end}

FETCHER(raw, raw_client);
FETCHER(wrk, wrk_client);
