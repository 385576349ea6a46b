/* SPDX-License-Identifier: MIT */
#include "origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS     256
#define OUT_BYTES  65536
#define IN_BYTES   16384
#define CHUNK_MOST 10007 /* a prime, so that chunks and buffers never fall together */

/* ---- bodies ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void origin_fill(uint64_t seed, uint64_t offset, void *to, size_t bytes)
{
    unsigned char *out = to;

    while (bytes) {
        uint64_t word = mix(seed * UINT64_C(0x9e3779b97f4a7c15) + offset / 8);
        size_t skip = offset % 8, n = 8 - skip < bytes ? 8 - skip : bytes;
        memcpy(out, (unsigned char *)&word + skip, n);
        out += n;
        offset += n;
        bytes -= n;
    }
}

uint64_t origin_hash(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t origin_hash_body(uint64_t seed, uint64_t bytes)
{
    unsigned char piece[4096];
    uint64_t hash = ORIGIN_HASH;

    for (uint64_t at = 0; at < bytes; at += sizeof piece) {
        size_t n = bytes - at < sizeof piece ? (size_t)(bytes - at) : sizeof piece;
        origin_fill(seed, at, piece, n);
        hash = origin_hash(hash, piece, n);
    }
    return hash;
}

/* ---- one connection ---- */

enum answering { BETWEEN, HEAD, BODY, STALLED };

struct peer {
    int fd;
    enum answering state;
    bool chunked, close, once; /* once: the next request gets no answer */
    uint64_t seed, at, bytes;
    const struct origin_script *script;
    size_t in_n, out_at, out_n;
    char in[IN_BYTES];
    char out[OUT_BYTES];
};

static void say(struct peer *p, const char *text)
{
    size_t n = strlen(text);

    memcpy(p->out + p->out_n, text, n);
    p->out_n += n;
}

static void answer_error(struct peer *p, const char *status)
{
    char text[200];

    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 6\r\n\r\nsorry\n", status);
    say(p, text);
    p->bytes = p->at = 0;
    p->state = BODY;
}

static void answer_body(struct peer *p, const char *how)
{
    char text[200];

    p->chunked = strcmp(how, "chunked") == 0;
    p->close = strcmp(how, "close") == 0;
    p->at = 0;
    p->state = BODY;
    if (p->chunked)
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    else if (p->close)
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    else
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)p->bytes);
    say(p, text);
    if (p->chunked && p->bytes == 0)
        say(p, "0\r\n\r\n");
}

static void answer(struct peer *p, const char *path)
{
    char how[16], *end;
    int n = 0;

    p->chunked = p->close = false;
    p->script = NULL;
    for (const struct origin_script *s = origin_scripts; s->path; s++)
        if (strcmp(s->path, path) == 0)
            p->script = s;
    if (p->script) {
        p->state = HEAD;
        say(p, p->script->text);
    } else if (sscanf(path, "/%15[a-z]%n", how, &n) == 1 && path[n] == '/') {
        p->seed = strtoull(path + n + 1, &end, 10);
        p->bytes = *end == '/' ? strtoull(end + 1, NULL, 10) : 0;
        answer_body(p, how);
    } else {
        answer_error(p, "404 Not Found");
    }
}

/* More of the body into the empty buffer. */
static void refill(struct peer *p)
{
    uint64_t left = p->bytes - p->at;
    size_t most = p->chunked ? CHUNK_MOST : OUT_BYTES, n = left < most ? (size_t)left : most, head = 0;

    p->out_at = p->out_n = 0;
    if (p->chunked)
        head = (size_t)sprintf(p->out, "%zx\r\n", n);
    origin_fill(p->seed, p->at, p->out + head, n);
    p->at += n;
    p->out_n = head + n;
    if (p->chunked)
        say(p, "\r\n");
    if (p->chunked && p->at == p->bytes)
        say(p, "0\r\n\r\n");
}

static void reset(struct peer *p)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* The buffer is out: what next? False: the connection is over. */
static bool next(struct peer *p)
{
    p->out_at = p->out_n = 0;
    if (p->state == BODY && p->at < p->bytes) {
        refill(p);
        return true;
    }
    if (p->state == BODY) {
        p->state = BETWEEN;
        return !p->close;
    }
    switch (p->script->after) {
    case ORIGIN_CLOSE:
        return false;
    case ORIGIN_RESET:
        reset(p);
        return false;
    case ORIGIN_ONCE:
        p->once = true;
        p->state = BETWEEN;
        return true;
    case ORIGIN_KEEP:
        p->state = BETWEEN;
        return true;
    case ORIGIN_STALL:
        p->state = STALLED;
        return true;
    default:
        while (p->out_n + strlen(p->script->more) < OUT_BYTES)
            say(p, p->script->more);
        return true;
    }
}

/* The request line of the first whole request in the buffer is answered; false: there is none. */
static bool next_request(struct peer *p)
{
    char path[2048], *end = p->in_n ? memmem(p->in, p->in_n, "\r\n\r\n", 4) : NULL;
    size_t used;

    if (!end)
        return false;
    *end = 0;
    used = (size_t)(end - p->in) + 4;
    if (sscanf(p->in, "GET %2047s HTTP/1.1", path) == 1)
        answer(p, path);
    else
        answer_error(p, "400 Bad Request");
    p->in_n -= used;
    memmove(p->in, p->in + used, p->in_n);
    return true;
}

/* Reads and writes until the socket has enough. False: close it. */
static bool serve(struct peer *p)
{
    for (;;) {
        ssize_t n;
        if (p->out_at < p->out_n) {
            n = send(p->fd, p->out + p->out_at, p->out_n - p->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0)
                return errno == EAGAIN;
            p->out_at += (size_t)n;
            continue;
        }
        if (p->state == HEAD || p->state == BODY) {
            if (!next(p))
                return false;
            continue;
        }
        if (p->state == BETWEEN && p->once && p->in_n)
            return false;
        if (p->state == BETWEEN && next_request(p))
            continue;
        if (p->in_n == IN_BYTES)
            return false;
        n = recv(p->fd, p->in + p->in_n, IN_BYTES - p->in_n, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        p->in_n += (size_t)n;
    }
}

/* ---- the server ---- */

static void welcome(int epoll, int listener)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *p = malloc(sizeof *p);
        if (!p) {
            close(fd);
            continue;
        }
        memset(p, 0, offsetof(struct peer, in));
        p->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event.data.ptr = p;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void run(int listener)
{
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.ptr = NULL};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            if (!p) {
                welcome(epoll, listener);
            } else if (!serve(p)) {
                close(p->fd);
                free(p);
            }
        }
    }
}

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int origin_start(struct origin *origin)
{
    struct rlimit files;
    pid_t parent = getpid();
    int listener = listen_somewhere(&origin->port);

    if (listener < 0)
        return listener;
    origin->pid = fork();
    if (origin->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        run(listener);
        _exit(1);
    }
    close(listener);
    return origin->pid < 0 ? -EAGAIN : 0;
}

void origin_stop(struct origin *origin)
{
    if (origin->pid > 0) {
        kill(origin->pid, SIGKILL);
        waitpid(origin->pid, NULL, 0);
    }
    origin->pid = 0;
}
