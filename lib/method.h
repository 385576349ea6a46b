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
    STRAIT_OP_AWAIT, /* await.c's */
    STRAIT_OP_CONNECT,
    STRAIT_OP_RECV,
    STRAIT_OP_SEND,
    STRAIT_OP_CLOSE,
    STRAIT_OP_OPEN,
    STRAIT_OP_STAT,
    STRAIT_OP_READ,
    STRAIT_OP_POLL,
    STRAIT_OP_BELL, /* of the method, or else of a doorbell */
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
    /* A descriptor that is readable when wait would find something, or -errno. May be asked for again and again. */
    int (*fd)(void *io);
    /* Can it wait for a bell? */
    bool (*bells)(void *io);
};

extern const struct strait_io_method strait_uring_method, strait_epoll_method;

/* One rung of the ladder. */
struct strait_rung {
    const char *name;
    const struct strait_io_method *method;
    bool thread; /* bells are a helper thread's, whatever the method can do */
};

/* Opens the highest rung that works, or the one that STRAIT_BACKEND names. 0 or -errno; *why a sentence in either case. */
int strait_ladder_open(uint32_t ops, const struct strait_rung **rung, void **io, const char **why);

/* For ops that are made of others: check and fill in, then start. */
int strait_op_prepare(struct strait_loop *loop, struct strait_op *op, enum strait_op_kind kind, int fd,
                      uint64_t deadline_ns);
int strait_loop_start(struct strait_loop *loop, struct strait_op *op);

/* As strait_op_recv, where nothing can be there yet, as after a request: it is not looked for before something comes. */
int strait_op_recv_later(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                         uint64_t deadline_ns);

/* The time, read once for all dones of a step: as of its begin. */
uint64_t strait_loop_now(const struct strait_loop *loop);
uint64_t strait_loop_after(const struct strait_loop *loop, uint64_t ns);

struct strait_inbox;
/* Where other threads leave letters for the loop's thread: 0, -EAGAIN, -EMFILE, … */
int strait_loop_inbox(struct strait_loop *loop, struct strait_inbox **inbox);

/* The ops of await.c that are asleep, and what looks after them. */
struct strait_await;
struct strait_ward {
    struct strait_await *first;
    struct strait_op pulse;
    uint32_t quiet; /* pulses since an await began or ended */
    uint64_t late;  /* awaits that only a pulse found ready: lost wakes */
    struct strait_wait_record *record;
};
struct strait_ward *strait_loop_ward(struct strait_loop *loop);

/* The op's result has come; its done is called by the step that is under way. */
void strait_op_complete(struct strait_op *op, int res);

#endif
