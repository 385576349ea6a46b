/* SPDX-License-Identifier: MIT */
/*
 * The method where io_uring is missing or forbidden. Each op is tried; if it would block, it waits for its descriptor to be
 * ready and is tried again. A descriptor is registered for one event at a time (EPOLLONESHOT) and anew with every op, so
 * one that was closed and whose number came back does no harm. Files are read, opened and closed in place: they are always
 * "ready", and a disk's wait is not hidden on this rung. Bells are the doorbell's.
 */
#include "method.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "statx.h"

#define EVENTS 128 /* taken per wait */

struct epoll {
    int fd;
    bool coarse;                /* no epoll_pwait2: milliseconds */
    uint32_t slots;             /* how many `waiting` has */
    struct strait_op **waiting; /* by descriptor: the ops that wait for it */
};

static int answer(ssize_t r)
{
    return r < 0 ? -errno : (int)r;
}

static int epoll_open(uint32_t ops, void **io, const char **why)
{
    struct epoll *self = calloc(1, sizeof *self);

    (void)ops;
    *why = "no memory";
    if (self == NULL)
        return -ENOMEM;
    self->fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->fd < 0) {
        int error = -errno;
        *why = "epoll_create1 failed: no descriptor is left";
        free(self);
        return error;
    }
    *io = self;
    return 0;
}

static void epoll_close(void *io)
{
    struct epoll *self = io;

    close(self->fd);
    free(self->waiting);
    free(self);
}

/* ---- one try: the result, or -EAGAIN ---- */

static int try_connect(struct strait_op *op)
{
    int flags = fcntl(op->fd, F_GETFL), r;

    if (flags < 0)
        return -errno;
    if (!(flags & O_NONBLOCK))
        fcntl(op->fd, F_SETFL, flags | O_NONBLOCK);
    r = answer(connect(op->fd, op->addr, op->bytes));
    if (!(flags & O_NONBLOCK))
        fcntl(op->fd, F_SETFL, flags);
    if (r == -EINPROGRESS || r == -EALREADY) {
        op->arg = 1; /* asked: from here on EISCONN is success */
        return -EAGAIN;
    }
    return r == -EISCONN && op->arg ? 0 : r;
}

static int try_read(const struct strait_op *op)
{
    struct pollfd p = {.fd = op->fd, .events = POLLIN};
    struct stat st;

    if (fstat(op->fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode))
        return answer(pread(op->fd, op->addr, op->bytes, (off_t)op->offset));
    if (poll(&p, 1, 0) == 0)
        return -EAGAIN;
    return answer(read(op->fd, op->addr, op->bytes));
}

/* events: what epoll says, 0 at the first try */
static int try(struct strait_op *op, uint32_t events)
{
    switch (op->kind) {
    case STRAIT_OP_CONNECT:
        return try_connect(op);
    case STRAIT_OP_RECV:
        return answer(recv(op->fd, op->addr, op->bytes, MSG_DONTWAIT));
    case STRAIT_OP_SEND:
        return answer(send(op->fd, op->addr, op->bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
    case STRAIT_OP_CLOSE:
        return answer(close(op->fd));
    case STRAIT_OP_OPEN:
        return answer(openat(op->fd, op->addr, (int)op->arg, 0));
    case STRAIT_OP_STAT:
        return answer(statx(op->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, op->addr));
    case STRAIT_OP_READ:
        return try_read(op);
    default: /* POLL */
        events &= op->arg | EPOLLERR | EPOLLHUP;
        return events ? (int)events : -EAGAIN;
    }
}

/* ---- waiting for a descriptor ---- */

static uint32_t wants(const struct strait_op *op)
{
    switch (op->kind) {
    case STRAIT_OP_POLL:
        return op->arg;
    case STRAIT_OP_CONNECT:
    case STRAIT_OP_SEND:
        return EPOLLOUT;
    default:
        return EPOLLIN;
    }
}

/* Register a descriptor for what its ops want now. */
static int arm(struct epoll *self, int fd)
{
    struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = fd};

    for (const struct strait_op *op = self->waiting[fd]; op; op = op->fd_next)
        event.events |= wants(op);
    if (epoll_ctl(self->fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    return epoll_ctl(self->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static bool make_room(struct epoll *self, uint32_t fd)
{
    uint32_t slots = self->slots ? self->slots : 64;
    struct strait_op **more;

    while (slots <= fd)
        slots *= 2;
    if (slots == self->slots)
        return true;
    more = realloc(self->waiting, slots * sizeof(struct strait_op *));
    if (more == NULL)
        return false;
    memset(more + self->slots, 0, (slots - self->slots) * sizeof(struct strait_op *));
    self->waiting = more;
    self->slots = slots;
    return true;
}

static void take_out(struct epoll *self, struct strait_op *op)
{
    struct strait_op **at = &self->waiting[op->fd];

    while (*at != op)
        at = &(*at)->fd_next;
    *at = op->fd_next;
}

static int epoll_start(void *io, struct strait_op *op)
{
    struct epoll *self = io;
    int r;

    if (op->kind == STRAIT_OP_CONNECT)
        op->arg = 0;
    r = try(op, 0);
    if (r == -EAGAIN && op->fd >= 0) {
        if (!make_room(self, (uint32_t)op->fd))
            return -EAGAIN;
        op->fd_next = self->waiting[op->fd];
        self->waiting[op->fd] = op;
        r = arm(self, op->fd);
        if (r == 0)
            return 0;
        take_out(self, op);
        if (r == -EPERM && op->kind == STRAIT_OP_POLL) /* a file is always ready */
            r = (int)(op->arg & (POLLIN | POLLOUT));
    }
    strait_op_complete(op, r == -EAGAIN ? -EBADF : r);
    return 0;
}

static int epoll_cancel(void *io, struct strait_op *op)
{
    take_out(io, op);
    strait_op_complete(op, -ECANCELED);
    return 0;
}

/* ---- events ---- */

static void ready(struct epoll *self, int fd, uint32_t events)
{
    struct strait_op *op = self->waiting[fd], *next;

    for (; op; op = next) {
        int r = try(op, events);
        next = op->fd_next;
        if (r == -EAGAIN)
            continue;
        take_out(self, op);
        strait_op_complete(op, r);
    }
    if (self->waiting[fd])
        arm(self, fd);
}

static int wait_events(struct epoll *self, struct epoll_event *events, uint64_t timeout_ns)
{
    struct timespec t = {(time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};
    bool forever = timeout_ns == STRAIT_FOREVER;
    int n;

    if (!self->coarse) {
        n = (int)syscall(SYS_epoll_pwait2, self->fd, events, EVENTS, forever ? NULL : &t, NULL, 0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n < 0 ? -errno : n;
        self->coarse = true;
    }
    if (timeout_ns > UINT64_C(1000000000))
        t.tv_sec = t.tv_sec > 1000 ? 1000 : t.tv_sec; /* the loop looks at the clock and comes again */
    n = epoll_wait(self->fd, events, EVENTS, forever ? -1 : (int)(t.tv_sec * 1000 + (t.tv_nsec + 999999) / 1000000));
    return n < 0 ? -errno : n;
}

static int epoll_collect(void *io, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS];
    struct epoll *self = io;
    int n = wait_events(self, events, timeout_ns);

    for (int i = 0; i < n; i++)
        if ((uint32_t)events[i].data.fd < self->slots)
            ready(self, events[i].data.fd, events[i].events);
    return n < 0 ? n : 0;
}

static int epoll_fd(void *io)
{
    return ((struct epoll *)io)->fd;
}

static bool epoll_bells(void *io)
{
    (void)io;
    return false;
}

const struct strait_io_method strait_epoll_method = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .forget = epoll_close, /* closing our copy of the descriptor leaves the parent's set alone */
    .start = epoll_start,
    .cancel = epoll_cancel,
    .wait = epoll_collect,
    .fd = epoll_fd,
    .bells = epoll_bells,
};
