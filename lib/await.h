/* SPDX-License-Identifier: MIT */
/** What the loop and the handles need of strait/await.h. */
#ifndef STRAIT_AWAIT_PRIVATE_H
#define STRAIT_AWAIT_PRIVATE_H

#include "method.h"
#include "strait/await.h"

struct strait_endpoint;

/** How to wait for one kind of thing. */
struct strait_await_kind {
    int64_t (*step)(struct strait_await *await); /* 0 or more: done; -EAGAIN: not yet; else the error */
    struct strait_bell *(*bell)(const struct strait_await *await);
    struct strait_endpoint *(*endpoint)(const struct strait_await *await);
    /* instead of the three above, for what has no bell: 0, or -errno and nothing was started */
    int (*start)(struct strait_await *await);
    int (*cancel)(struct strait_await *await);
    bool look_often; /* some news comes without a bell */
};

/* The loop's side of an op of kind STRAIT_OP_AWAIT: as a method's start and cancel. */
int strait_await_start(struct strait_op *op);
int strait_await_cancel(struct strait_op *op);

/** A handle goes: whoever awaits it ends with -ECANCELED. handle NULL = every handle of the endpoint. */
void strait_await_orphan(struct strait_endpoint *endpoint, const void *handle);

#endif
