/* SPDX-License-Identifier: MIT */
/** What the loop and the handles need of strait/await.h. */
#ifndef STRAIT_AWAIT_PRIVATE_H
#define STRAIT_AWAIT_PRIVATE_H

#include "method.h"
#include "strait/await.h"

struct strait_segment;
struct strait_mood;

/** Where an await sleeps. */
struct strait_await_place {
    struct strait_segment *segment;
    struct strait_await **awaits; /* the handle's list */
    struct strait_mood *mood;     /* of bells */
    uint64_t object;              /* for blame */
    const char *name;             /* likewise, for the error table */
    bool mute;                    /* nobody rings here */
};

/** How to wait for one kind of thing. */
struct strait_await_kind {
    int64_t (*step)(struct strait_await *await); /* 0 or more: done; -EAGAIN: not yet; else the error */
    struct strait_await_place (*place)(const struct strait_await *await);
    struct strait_bell *(*bell)(const struct strait_await *await);
    /* where there is no bell but a word of a lock: which one, marked before the sleep (-EAGAIN: look again) */
    int (*mark)(struct strait_await *await, const uint32_t **word, uint32_t *seen);
    /* the op ends without it, and may have taken a wake that is the next one's */
    void (*pass_on)(struct strait_await *await);
    /* instead of all these, for what sleeps elsewhere: 0, or -errno and nothing was started */
    int (*start)(struct strait_await *await);
    int (*cancel)(struct strait_await *await);
    enum strait_error_kind late; /* what the error table gets where the deadline is missed */
    bool look_often;             /* some news comes without a bell */
};

/** Check and fill in a new await; strait_loop_start is next. 0 or -errno. */
int strait_await_begin(struct strait_loop *loop, struct strait_await *await, const struct strait_await_kind *kind,
                       void *handle, uint64_t deadline_ns);

/* The loop's side of an op of kind STRAIT_OP_AWAIT: as a method's start and cancel. */
int strait_await_start(struct strait_op *op);
int strait_await_cancel(struct strait_op *op);

/** A handle goes: whoever awaits it, of this list, ends with -ECANCELED. handle NULL = all of them. */
void strait_await_orphan(struct strait_await *first, const void *handle);

#endif
