/* SPDX-License-Identifier: MIT */
/** A loop inside. Only loop.c and loop_fd.c look at it. */
#ifndef STRAIT_LOOP_PRIVATE_H
#define STRAIT_LOOP_PRIVATE_H

#include "inbox.h"
#include "method.h"

enum strait_op_state { STRAIT_OP_IDLE = 0, STRAIT_OP_FLYING, STRAIT_OP_READY };
enum strait_op_flags { STRAIT_OP_EXPIRED = 1, STRAIT_OP_CANCELLED = 2 };

struct strait_loop {
    const struct strait_rung *rung;
    const struct strait_io_method *method; /* of the rung */
    void *io;
    bool bells;              /* the method waits for bells */
    uint32_t *alive;         /* in a page that a fork wipes */
    struct strait_op *heap;  /* by deadline: flying ops that have one */
    struct strait_op *first; /* flying */
    struct strait_op *ready, **ready_end;
    uint32_t pending; /* flying and ready */
    uint32_t own;     /* of those, the loop's own */
    bool closing;
    uint64_t now_ns;                  /* while dones run: when they began to. Else 0 */
    volatile bool stop;               /* a signal handler may set it */
    struct strait_doorbell *doorbell; /* at the first bell that the method cannot wait for */
    bool listening;                   /* the inbox is open */
    struct strait_inbox inbox;
    struct strait_op ear; /* polls the inbox */
    struct strait_ward ward;
    int outer, timer; /* for somebody else's loop: an epoll set, a timerfd in it; -1 = nobody asked */
};

static inline bool strait_loop_forked(const struct strait_loop *loop)
{
    return *loop->alive == 0;
}

/* Timers that are due complete; others that are late are cancelled, and end when their method says so. */
void strait_loop_expire(struct strait_loop *loop);

#endif
