/* SPDX-License-Identifier: MIT */
/* What starts each kind of op: check, fill in, start. */
#include "method.h"

int strait_op_connect(struct strait_loop *loop, struct strait_op *op, int fd, const struct sockaddr *addr,
                      uint32_t addr_bytes, uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_CONNECT, fd, deadline_ns);

    if (error)
        return error;
    op->addr = (void *)(uintptr_t)addr;
    op->bytes = addr_bytes;
    return strait_loop_start(loop, op);
}

static int receive(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                   uint64_t deadline_ns, bool later)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_RECV, fd, deadline_ns);

    if (error)
        return error;
    op->addr = to;
    op->bytes = bytes;
    op->arg = later;
    return strait_loop_start(loop, op);
}

int strait_op_recv(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                   uint64_t deadline_ns)
{
    return receive(loop, op, fd, to, bytes, deadline_ns, false);
}

int strait_op_recv_later(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                         uint64_t deadline_ns)
{
    return receive(loop, op, fd, to, bytes, deadline_ns, true);
}

int strait_op_send(struct strait_loop *loop, struct strait_op *op, int fd, const void *from, uint32_t bytes,
                   uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_SEND, fd, deadline_ns);

    if (error)
        return error;
    op->addr = (void *)(uintptr_t)from;
    op->bytes = bytes;
    return strait_loop_start(loop, op);
}

int strait_op_close(struct strait_loop *loop, struct strait_op *op, int fd)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_CLOSE, fd, STRAIT_FOREVER);

    return error ? error : strait_loop_start(loop, op);
}

int strait_op_open(struct strait_loop *loop, struct strait_op *op, int dirfd, const char *path, uint32_t flags,
                   uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_OPEN, dirfd, deadline_ns);

    if (error)
        return error;
    op->addr = (void *)(uintptr_t)path;
    op->arg = flags;
    return strait_loop_start(loop, op);
}

int strait_op_stat(struct strait_loop *loop, struct strait_op *op, int fd, struct statx *to, uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_STAT, fd, deadline_ns);

    if (error)
        return error;
    op->addr = to;
    return strait_loop_start(loop, op);
}

int strait_op_read(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes, uint64_t offset,
                   uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_READ, fd, deadline_ns);

    if (error)
        return error;
    op->addr = to;
    op->bytes = bytes;
    op->offset = offset;
    return strait_loop_start(loop, op);
}

int strait_op_poll(struct strait_loop *loop, struct strait_op *op, int fd, uint32_t events, uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_POLL, fd, deadline_ns);

    if (error)
        return error;
    op->arg = events;
    return strait_loop_start(loop, op);
}

int strait_op_timer(struct strait_loop *loop, struct strait_op *op, uint64_t when_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_TIMER, -1, when_ns);

    return error ? error : strait_loop_start(loop, op);
}

int strait_op_bell(struct strait_loop *loop, struct strait_op *op, const uint32_t *word, uint32_t expected,
                   uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_BELL, -1, deadline_ns);

    if (error)
        return error;
    op->addr = (void *)(uintptr_t)word;
    op->arg = expected;
    return strait_loop_start(loop, op);
}
