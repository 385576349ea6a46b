/* SPDX-License-Identifier: MIT */
/*
 * Futures in a loop. The waker that is left with the future is called or dropped exactly once, and either way it posts one
 * letter; the op ends when the letter is read, so nobody can still be about to post when its memory is the caller's again.
 */
#include "await.h"

#include <errno.h>

#include "inbox.h"

/* op.watch.letter is the letter, op.addr the inbox; `to` is where the value goes. `tag`: the waker was dropped, by any
 * thread, before the letter. `flags`: a cancel has taken the value, here. */

static struct strait_await *of_letter(struct strait_letter *letter)
{
    return (struct strait_await *)(void *)((char *)letter - offsetof(struct strait_op, watch.letter));
}

/* Any thread. */
static void post(struct strait_await *a)
{
    struct strait_inbox *inbox = a->op.addr;
    strait_inbox_post(inbox, &a->op.watch.letter);
}

static void wake(void *data)
{
    post(data);
}

static void dropped(void *data)
{
    struct strait_await *a = data;

    a->tag = 1;
    post(a);
}

/* An op of its own work lets go of it; somebody else's future is theirs. */
static void end(struct strait_await *a, int res)
{
    if (a->fn)
        strait_future_detach(a->handle, NULL);
    strait_op_complete(&a->op, res);
}

static void read_letter(struct strait_letter *letter)
{
    struct strait_await *a = of_letter(letter);
    int r = a->flags ? STRAIT_READY : a->tag ? -ECANCELED : strait_future_poll(a->handle, NULL, a->to);

    end(a, r == STRAIT_READY ? 0 : r < 0 ? r : -EAGAIN);
}

static int start(struct strait_await *a)
{
    struct strait_waker waker = {wake, dropped, a};
    struct strait_inbox *inbox;
    int r = strait_loop_inbox(a->op.loop, &inbox);

    if (r < 0)
        return r;
    a->op.addr = inbox;
    a->op.watch.letter.read = read_letter;
    a->flags = a->tag = 0;
    if (a->fn) {
        struct strait_future *future;
        r = strait_spawn_blocking(a->handle, a->fn, a->arg, &future);
        if (r < 0)
            return r;
        a->handle = future;
    }
    r = strait_future_poll(a->handle, &waker, a->to);
    if (r != STRAIT_PENDING)
        end(a, r == STRAIT_READY ? 0 : r);
    return 0;
}

/* Take the waker back, which drops it; or the value has come, and the waker's letter with it. */
static int cancel(struct strait_await *a)
{
    if (!a->tag && strait_future_poll(a->handle, NULL, a->to) == STRAIT_READY)
        a->flags = 1;
    return 0;
}

static const struct strait_await_kind future_kind = {.start = start, .cancel = cancel};

static int begin(struct strait_loop *loop, struct strait_await *a, void *handle, void **value, uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, &a->op, STRAIT_OP_AWAIT, -1, deadline_ns);

    if (error)
        return error;
    a->kind = &future_kind;
    a->handle = handle;
    a->to = value;
    a->fn = NULL;
    return 0;
}

int strait_await_future(struct strait_loop *loop, struct strait_await *a, struct strait_future *future, void **value,
                        uint64_t deadline_ns)
{
    int error = begin(loop, a, future, value, deadline_ns);

    return error ? error : strait_loop_start(loop, &a->op);
}

int strait_await_blocking(struct strait_loop *loop, struct strait_await *a, struct strait_blocking *pool,
                          void *(*fn)(void *), void *arg, void **value, uint64_t deadline_ns)
{
    int error = begin(loop, a, pool, value, deadline_ns);

    if (error)
        return error;
    a->fn = fn;
    a->arg = arg;
    return strait_loop_start(loop, &a->op);
}
