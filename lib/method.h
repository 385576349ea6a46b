/* SPDX-License-Identifier: MIT */
/**
 * One small table for each way of doing I/O (PostgreSQL's IoMethodOps taught us): the loop keeps deadlines, order and
 * lifetimes, a method only starts, cancels and collects. strait_op_complete hands a completion back to the loop.
 */
#ifndef STRAIT_METHOD_H
#define STRAIT_METHOD_H

#include "strait/loop.h"

enum strait_op_kind {
    STRAIT_OP_NONE = 0,
    STRAIT_OP_TIMER, /* the loop's own, no method sees it */
    STRAIT_OP_CONNECT,
    STRAIT_OP_RECV,
    STRAIT_OP_SEND,
    STRAIT_OP_CLOSE,
    STRAIT_OP_OPEN,
    STRAIT_OP_STAT,
    STRAIT_OP_READ,
    STRAIT_OP_POLL,
    STRAIT_OP_BELL,
    STRAIT_OP_KINDS
};

struct strait_io_method {
    const char *name;
    /* *why, if set, is a static sentence about the failure. */
    int (*open)(uint32_t ops, void **io, const char **why);
    /* Only with nothing in flight. */
    void (*close)(void *io);
    /* In a forked child: lets go of the parent's descriptors, without a word to the kernel about its operations. */
    void (*forget)(void *io);
    /* 0, or -EAGAIN and nothing was started. */
    int (*start)(void *io, struct strait_op *op);
    /* 0: the op will complete soon, with -ECANCELED or its result. -EAGAIN: nothing was asked. */
    int (*cancel)(void *io, struct strait_op *op);
    /* Flushes what was started, sleeps at most timeout_ns unless completions are there, completes what has come.
     * 0, -EINTR, or what makes further waiting pointless (-EEXIST: another thread's loop). */
    int (*wait)(void *io, uint64_t timeout_ns);
};

extern const struct strait_io_method strait_uring_method;

/* The op's result has come; its done is called by the step that is under way. */
void strait_op_complete(struct strait_op *op, int res);

#endif
