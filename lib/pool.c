/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "error.h"

#define DEFAULT_TASK_BYTES   1008
#define DEFAULT_DEPTH        64
#define DEFAULT_ANSWER_BYTES 1008
#define DEFAULT_ANSWER_DEPTH 4

/* ---- open ---- */

static struct strait_channel_options channel_options(const struct strait_pool_options *o)
{
    uint32_t depth = o->depth ? o->depth : DEFAULT_DEPTH;

    return (struct strait_channel_options){
        .slot_bytes =
            (o->task_bytes ? o->task_bytes : DEFAULT_TASK_BYTES) + (uint32_t)sizeof(struct strait_request_head),
        .depth = depth,
        .max_attempts = o->max_attempts,
        .memory = o->memory,
        .peek_window = 1, /* what a worker does not work on belongs to the others */
        .replies = o->callers ? o->callers : depth,
        .reply_bytes = o->answer_bytes ? o->answer_bytes : DEFAULT_ANSWER_BYTES,
        .reply_depth = o->answer_depth ? o->answer_depth : DEFAULT_ANSWER_DEPTH,
    };
}

int strait_pool_open(struct strait_segment *segment, const char *name, const struct strait_pool_options *options,
                     struct strait_pool **pool)
{
    static const struct strait_pool_options defaults;
    struct strait_pool *p = calloc(1, sizeof *p);
    int r;

    if (p == NULL)
        return strait_fail(-ENOMEM, "pool %s: out of memory", name);
    p->segment = segment;
    strncpy(p->name, name, sizeof p->name - 1);
    p->options = channel_options(options ? options : &defaults);
    r = strait_channel_create(segment, name, &p->options);
    if (r == 0 || r == -EEXIST)
        r = strait_channel_hold(segment, name, &p->hold);
    if (r < 0) {
        free(p);
        return r;
    }
    *pool = p;
    return 0;
}

void strait_pool_close(struct strait_pool *pool)
{
    if (pool == NULL)
        return;
    strait_tx_close(pool->tx);
    strait_rx_close(pool->rx);
    strait_channel_unhold(pool->hold);
    free(pool);
}

/* ---- workers ---- */

static uint64_t task_deadline(const struct strait_task *task)
{
    return task->deadline_ns ? task->deadline_ns : STRAIT_FOREVER;
}

int strait_task_answer(struct strait_task *task, uint16_t flags, const void *data, uint32_t bytes)
{
    return strait_answer_send(&task->answer, task->tag, flags, data, bytes, task_deadline(task));
}

int strait_task_wanted(const struct strait_task *task)
{
    int r = strait_answer_wanted(&task->answer);
    return r == 0 && strait_now_ns() >= task_deadline(task) ? -ETIMEDOUT : r;
}

/* Whatever the handler has left open is ended here: with nothing more, or with its error. */
static void end_task(struct strait_task *task, int result)
{
    int32_t error = result;
    uint16_t flags = STRAIT_MSG_LAST | (result < 0 ? STRAIT_MSG_ERROR : 0);
    uint32_t bytes = result < 0 ? sizeof error : 0;

    if (!task->answer.open)
        return;
    /* a caller that leaves no room for so much by its deadline is no longer there */
    if (strait_answer_send(&task->answer, task->tag, flags, &error, bytes, task_deadline(task)) < 0)
        strait_answer_abandon(&task->answer);
}

static void run_task(struct strait_pool *pool, struct strait_msg *msg, strait_task_handler *handler, void *context)
{
    struct strait_task task = {.data = msg->data,
                               .bytes = msg->bytes,
                               .tag = msg->tag,
                               .attempts = msg->attempts,
                               .deadline_ns = msg->deadline_ns,
                               .pool = pool};
    int r;

    /* -EPIPE: the caller has gone; -EALREADY: answered by a worker that died before its release */
    if (strait_answer_accept(pool->rx, msg, &task.answer) < 0)
        return;
    r = strait_task_wanted(&task);
    end_task(&task, r < 0 ? r : handler(&task, context));
}

static int open_rx(struct strait_pool *pool)
{
    return pool->rx ? 0 : strait_rx_open(pool->segment, pool->name, &pool->options, &pool->rx);
}

int strait_pool_serve(struct strait_pool *pool, strait_task_handler *handler, void *context, uint64_t deadline_ns)
{
    struct strait_msg msg;
    int r = open_rx(pool);

    while (r == 0) {
        r = strait_peek(pool->rx, &msg, deadline_ns);
        if (r == -EBADMSG) {
            r = 0; /* a peer's lie, dropped: not the end of our service */
            continue;
        }
        if (r < 0)
            break;
        run_task(pool, &msg, handler, context);
        r = strait_release(pool->rx, &msg);
    }
    return r == -EPIPE ? 0 : r;
}

/* ---- callers ---- */

static int open_tx(struct strait_pool *pool)
{
    return pool->tx ? 0 : strait_tx_open(pool->segment, pool->name, &pool->options, &pool->tx);
}

int strait_pool_submit(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes,
                       uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns)
{
    int r = open_tx(pool);
    return r < 0 ? r : strait_request(pool->tx, tag, data, bytes, job_deadline_ns, reply, deadline_ns);
}

int64_t strait_pool_execute(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes, void *to,
                            uint32_t size, int *remote, uint64_t deadline_ns)
{
    struct strait_msg info;
    int32_t error = 0;
    int64_t r = open_tx(pool);

    if (r < 0)
        return r;
    r = strait_call(pool->tx, tag, data, bytes, to, size, &info, deadline_ns);
    if (r != -EREMOTEIO)
        return r;
    if (info.bytes >= sizeof error)
        memcpy(&error, info.data, sizeof error);
    if (error == -ETIMEDOUT && strait_now_ns() >= deadline_ns)
        return -ETIMEDOUT; /* the worker looked at the clock before we did */
    if (error == -EHOSTDOWN)
        return error; /* a bridge's word: nobody serves this pool, here or elsewhere */
    if (remote)
        *remote = error;
    return r;
}

/* ---- shutdown ---- */

/* A task that waits or runs is a slot that is not free. */
static bool is_idle(const struct strait_channel_view *view)
{
    struct strait_ring_end end;
    uint32_t counts[8];

    for (uint32_t i = 0; i < view->rings; i++) {
        if (strait_channel_end(view, i, &end) < 0)
            return true; /* damaged: nothing in it can be waited for */
        strait_ring_count(&end, counts);
        if (counts[STRAIT_SLOT_FREE] + counts[STRAIT_SLOT_VOID] != end.mask + 1)
            return false;
    }
    return true;
}

static int64_t idle_step(void *arg)
{
    return is_idle(arg) ? 0 : -EAGAIN;
}

int strait_pool_shutdown(struct strait_pool *pool, uint64_t deadline_ns)
{
    struct strait_endpoint *e;
    struct strait_wait wait;
    int r = open_tx(pool);

    if (r == 0)
        r = strait_channel_shut(pool->segment, pool->name);
    if (r < 0)
        return r;
    /* Workers ring the senders' bell with every release of a task; so that is where we sleep. */
    e = pool->tx->endpoint;
    wait = strait_endpoint_wait(e, pool->tx->space, STRAIT_WAIT_SEND, 0);
    wait.step = idle_step;
    wait.arg = &e->view;
    r = (int)strait_wait(&wait, deadline_ns);
    return r == -EAGAIN ? -ETIMEDOUT : r;
}
