/* SPDX-License-Identifier: MIT */
/* Channels in a loop: messages, requests and their answers. Each is a step, and the bell that rings when it may succeed. */
#include "await.h"

#include <errno.h>

#include "endpoint.h"

/* ---- messages ---- */

static struct strait_await_place of_endpoint(struct strait_endpoint *e)
{
    return (struct strait_await_place){.segment = e->segment,
                                       .awaits = &e->awaits,
                                       .mood = &e->mood,
                                       .object = e->view.object.offset,
                                       .name = e->name,
                                       .mute = e->view.flags & STRAIT_CHANNEL_BUSY};
}

static struct strait_await_place of_rx(const struct strait_await *a)
{
    return of_endpoint(((struct strait_rx *)a->handle)->endpoint);
}

static struct strait_bell *readable(const struct strait_await *a)
{
    return ((struct strait_rx *)a->handle)->bell;
}

static int64_t recv_step(struct strait_await *a)
{
    return strait_try_recv(a->handle, a->to, a->bytes, a->info);
}

static const struct strait_await_kind recv_kind = {.step = recv_step, .bell = readable, .place = of_rx};

int strait_await_recv(struct strait_loop *loop, struct strait_await *a, struct strait_rx *rx, void *to, uint32_t size,
                      struct strait_msg *info, uint64_t deadline_ns)
{
    int error = strait_await_begin(loop, a, &recv_kind, rx, deadline_ns);

    if (error)
        return error;
    a->to = to;
    a->bytes = size;
    a->info = info;
    return strait_loop_start(loop, &a->op);
}

static int64_t peek_step(struct strait_await *a)
{
    return strait_peek(a->handle, a->info, STRAIT_NOW);
}

static const struct strait_await_kind peek_kind = {.step = peek_step, .bell = readable, .place = of_rx};

int strait_await_peek(struct strait_loop *loop, struct strait_await *a, struct strait_rx *rx, struct strait_msg *msg,
                      uint64_t deadline_ns)
{
    int error = strait_await_begin(loop, a, &peek_kind, rx, deadline_ns);

    if (error)
        return error;
    a->info = msg;
    return strait_loop_start(loop, &a->op);
}

static struct strait_await_place of_tx(const struct strait_await *a)
{
    return of_endpoint(((struct strait_tx *)a->handle)->endpoint);
}

static struct strait_bell *writable(const struct strait_await *a)
{
    return ((struct strait_tx *)a->handle)->space;
}

static int64_t send_step(struct strait_await *a)
{
    return strait_send_tagged(a->handle, a->tag, a->to, a->bytes, STRAIT_NOW);
}

static const struct strait_await_kind send_kind = {
    .step = send_step, .bell = writable, .place = of_tx, .late = STRAIT_ERROR_FULL};

/* A channel that fails when it is full does not wait: one step is all. */
static int once(struct strait_await *a)
{
    strait_op_complete(&a->op, (int)send_step(a));
    return 0;
}

static const struct strait_await_kind send_once_kind = {.place = of_tx, .start = once};

int strait_await_send(struct strait_loop *loop, struct strait_await *a, struct strait_tx *tx, uint16_t tag,
                      const void *data, uint32_t bytes, uint64_t deadline_ns)
{
    bool waits = tx->endpoint->view.full == STRAIT_FULL_WAIT;
    int error = strait_await_begin(loop, a, waits ? &send_kind : &send_once_kind, tx, deadline_ns);

    if (error)
        return error;
    a->tag = tag;
    a->to = (void *)(uintptr_t)data;
    a->bytes = bytes;
    return strait_loop_start(loop, &a->op);
}

/* ---- requests and answers ---- */

/* `info` is the reply that is to be opened. */
static int64_t request_step(struct strait_await *a)
{
    return strait_request(a->handle, a->tag, a->to, a->bytes, a->job_deadline_ns, (void *)a->info, STRAIT_NOW);
}

static const struct strait_await_kind request_kind = {
    .step = request_step, .bell = writable, .place = of_tx, .late = STRAIT_ERROR_FULL};

int strait_await_request(struct strait_loop *loop, struct strait_await *a, struct strait_tx *tx, uint16_t tag,
                         const void *data, uint32_t bytes, uint64_t job_deadline_ns, struct strait_reply_rx *reply,
                         uint64_t deadline_ns)
{
    int error = strait_await_begin(loop, a, &request_kind, tx, deadline_ns);

    if (error)
        return error;
    a->tag = tag;
    a->to = (void *)(uintptr_t)data;
    a->bytes = bytes;
    a->info = (void *)reply;
    a->job_deadline_ns = job_deadline_ns;
    return strait_loop_start(loop, &a->op);
}

static struct strait_await_place of_reply(const struct strait_await *a)
{
    return of_endpoint(((struct strait_reply_rx *)a->handle)->tx->endpoint);
}

static struct strait_bell *reply_readable(const struct strait_await *a)
{
    return &((struct strait_reply_rx *)a->handle)->reply->readable;
}

static int64_t reply_step(struct strait_await *a)
{
    return strait_reply_recv(a->handle, a->to, a->bytes, a->info, STRAIT_NOW);
}

/* "No worker is left" rings the channel's bells, not the reply's. */
static const struct strait_await_kind reply_kind = {
    .step = reply_step, .bell = reply_readable, .place = of_reply, .late = STRAIT_ERROR_UNANSWERED, .look_often = true};

int strait_await_reply(struct strait_loop *loop, struct strait_await *a, struct strait_reply_rx *reply, void *to,
                       uint32_t size, struct strait_msg *info, uint64_t deadline_ns)
{
    int error = reply->reply ? strait_await_begin(loop, a, &reply_kind, reply, deadline_ns) : -EINVAL;

    if (error)
        return error;
    a->to = to;
    a->bytes = size;
    a->info = info;
    return strait_loop_start(loop, &a->op);
}

static struct strait_await_place of_answer(const struct strait_await *a)
{
    return of_endpoint(((struct strait_answer *)a->handle)->rx->endpoint);
}

static struct strait_bell *answer_writable(const struct strait_await *a)
{
    return &((struct strait_answer *)a->handle)->reply->ring.writable;
}

static int64_t answer_step(struct strait_await *a)
{
    return strait_answer_send(a->handle, a->tag, a->flags, a->to, a->bytes, STRAIT_NOW);
}

static const struct strait_await_kind answer_kind = {
    .step = answer_step, .bell = answer_writable, .place = of_answer, .look_often = true};

int strait_await_answer(struct strait_loop *loop, struct strait_await *a, struct strait_answer *answer, uint16_t tag,
                        uint16_t flags, const void *data, uint32_t bytes, uint64_t deadline_ns)
{
    int error = answer->open ? strait_await_begin(loop, a, &answer_kind, answer, deadline_ns) : -EPIPE;

    if (error)
        return error;
    a->tag = tag;
    a->flags = flags;
    a->to = (void *)(uintptr_t)data;
    a->bytes = bytes;
    return strait_loop_start(loop, &a->op);
}
