/* SPDX-License-Identifier: MIT */
/*
 * An op's life: IDLE -> FLYING (a method has it; on the loop's list) -> READY (its result is known; in the queue of
 * those whose done is to be called) -> IDLE. Timers fly without a method; awaits are made of steps and bells (await.c); a
 * bell that the method cannot wait for is a doorbell's. Deadlines are the loop's: it cancels what is late, so a method
 * needs none.
 */
#include "strait/loop.h"

#include "await.h"
#include "deadline.h"
#include "doorbell.h"
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STRAIT_LOOP_PAGE     4096
#define STRAIT_LOOP_RETRY_NS UINT64_C(10000000) /* how soon destroy asks again for a cancel that found no room */

static _Thread_local const char *strait_loop_excuse = "";

const char *strait_loop_why(void)
{
    return strait_loop_excuse;
}

const char *strait_loop_backend(const struct strait_loop *loop)
{
    return loop->rung->name;
}

const char *strait_loop_probe(void)
{
    const struct strait_rung *rung;
    void *io;

    if (strait_ladder_open(2, &rung, &io, &strait_loop_excuse) < 0)
        return NULL;
    rung->method->close(io);
    return rung->name;
}

uint32_t strait_loop_pending(const struct strait_loop *loop)
{
    return loop->pending - loop->own;
}

struct strait_ward *strait_loop_ward(struct strait_loop *loop)
{
    return &loop->ward;
}

void strait_loop_stop(struct strait_loop *loop)
{
    loop->stop = true;
}

bool strait_op_pending(const struct strait_op *op)
{
    return op->state != STRAIT_OP_IDLE;
}

int strait_loop_create(struct strait_loop **loop, uint32_t ops)
{
    struct strait_loop *self = calloc(1, sizeof *self);
    const char *why = "no memory";
    int error = -ENOMEM;

    if (!self)
        goto fail;
    self->alive = mmap(NULL, STRAIT_LOOP_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (self->alive == MAP_FAILED)
        goto fail;
    madvise(self->alive, STRAIT_LOOP_PAGE, MADV_WIPEONFORK);
    *self->alive = 1;
    self->ready_end = &self->ready;
    self->outer = self->timer = -1;
    error = strait_ladder_open(ops, &self->rung, &self->io, &why);
    if (error) {
        munmap(self->alive, STRAIT_LOOP_PAGE);
        goto fail;
    }
    self->method = self->rung->method;
    self->bells = !self->rung->thread && self->method->bells(self->io);
    strait_loop_excuse = why;
    *loop = self;
    return 0;
fail:
    free(self);
    strait_loop_excuse = why;
    return error;
}

static void strait_loop_unlink(struct strait_op *op)
{
    *op->link = op->next;
    if (op->next)
        op->next->link = op->link;
}

/* What a method reports becomes what the caller was promised. */
static int strait_op_result(const struct strait_op *op, int res)
{
    bool cut = res == -ECANCELED || res == -EINTR; /* -EINTR: cancelled in a kernel worker thread */

    if (cut && (op->flags & STRAIT_OP_EXPIRED))
        return -ETIMEDOUT;
    if (cut && (op->flags & STRAIT_OP_CANCELLED))
        return -ECANCELED;
    return res;
}

void strait_op_complete(struct strait_op *op, int res)
{
    struct strait_loop *loop = op->loop;

    assert(op->state == STRAIT_OP_FLYING);
    strait_deadline_remove(&loop->heap, op);
    strait_loop_unlink(op);
    op->state = STRAIT_OP_READY;
    op->res = strait_op_result(op, res);
    op->next = NULL;
    *loop->ready_end = op;
    loop->ready_end = &op->next;
}

static void strait_loop_fly(struct strait_loop *loop, struct strait_op *op)
{
    op->loop = loop;
    op->state = STRAIT_OP_FLYING;
    op->flags = 0;
    op->next = loop->first;
    op->link = &loop->first;
    if (op->next)
        op->next->link = &op->next;
    loop->first = op;
    loop->pending++;
    loop->own += op->internal;
}

/* ---- letters from other threads ---- */

static int strait_loop_listen(struct strait_loop *loop);

static void strait_loop_heard(struct strait_op *op, int res)
{
    struct strait_loop *loop = op->loop;

    strait_inbox_take(&loop->inbox);
    if (res >= 0 && !loop->closing)
        strait_loop_listen(loop); /* -EAGAIN: strait_loop_step reads letters, too, until it can listen again */
}

static int strait_loop_listen(struct strait_loop *loop)
{
    int error;

    loop->ear.done = strait_loop_heard;
    loop->ear.internal = true;
    error = strait_op_prepare(loop, &loop->ear, STRAIT_OP_POLL, loop->inbox.fd, STRAIT_FOREVER);
    if (error)
        return error;
    loop->ear.arg = POLLIN;
    return strait_loop_start(loop, &loop->ear);
}

int strait_loop_inbox(struct strait_loop *loop, struct strait_inbox **inbox)
{
    int error = loop->listening ? 0 : strait_inbox_open(&loop->inbox);

    if (error)
        return error;
    loop->listening = true;
    if (loop->ear.state == STRAIT_OP_IDLE)
        error = strait_loop_listen(loop);
    *inbox = &loop->inbox;
    return error;
}

/* ---- bells that a helper thread watches ---- */

/* By the helper. */
static void strait_loop_rung(struct strait_watch *watch)
{
    struct strait_op *op = (struct strait_op *)((char *)watch - offsetof(struct strait_op, watch));

    strait_inbox_post(&op->loop->inbox, &watch->letter);
}

/* By the loop's thread. */
static void strait_loop_rang(struct strait_letter *letter)
{
    struct strait_op *op = (struct strait_op *)((char *)letter - offsetof(struct strait_op, watch.letter));

    strait_op_complete(op, 0);
}

static int strait_loop_watch(struct strait_loop *loop, struct strait_op *op)
{
    struct strait_inbox *inbox;
    int error = strait_loop_inbox(loop, &inbox);

    if (error == 0 && loop->doorbell == NULL)
        error = strait_doorbell_open(&loop->doorbell);
    if (error)
        return error;
    op->watch = (struct strait_watch){
        .word = op->addr, .expected = op->arg, .rung = strait_loop_rung, .letter = {.read = strait_loop_rang}};
    error = strait_doorbell_add(loop->doorbell, &op->watch);
    if (error == 1)
        strait_op_complete(op, 1);
    return error < 0 ? error : 0;
}

/* ---- who does what ---- */

static int strait_loop_begin(struct strait_loop *loop, struct strait_op *op)
{
    switch (op->kind) {
    case STRAIT_OP_TIMER:
        return 0;
    case STRAIT_OP_AWAIT:
        return strait_await_start(op);
    case STRAIT_OP_BELL:
        return loop->bells ? loop->method->start(loop->io, op) : strait_loop_watch(loop, op);
    default:
        return loop->method->start(loop->io, op);
    }
}

/* 0: it will end soon, or has. */
static int strait_loop_end(struct strait_loop *loop, struct strait_op *op)
{
    switch (op->kind) {
    case STRAIT_OP_TIMER:
        strait_op_complete(op, -ECANCELED);
        return 0;
    case STRAIT_OP_AWAIT:
        return strait_await_cancel(op);
    case STRAIT_OP_BELL:
        if (loop->bells)
            return loop->method->cancel(loop->io, op);
        if (strait_doorbell_remove(loop->doorbell, &op->watch))
            strait_op_complete(op, -ECANCELED);
        return 0; /* else it has rung: its letter is in the inbox */
    default:
        return loop->method->cancel(loop->io, op);
    }
}

uint64_t strait_loop_now(const struct strait_loop *loop)
{
    return loop->now_ns ? loop->now_ns : strait_now_ns();
}

uint64_t strait_loop_after(const struct strait_loop *loop, uint64_t ns)
{
    uint64_t now = strait_loop_now(loop);
    return ns > STRAIT_FOREVER - now ? STRAIT_FOREVER : now + ns;
}

/* Everything that starts an op ends here; the op's own fields are filled. */
int strait_loop_start(struct strait_loop *loop, struct strait_op *op)
{
    int error;

    strait_loop_fly(loop, op);
    if (op->kind != STRAIT_OP_TIMER && op->kind != STRAIT_OP_CLOSE && op->deadline_ns != STRAIT_FOREVER &&
        op->deadline_ns <= strait_loop_now(loop)) {
        strait_op_complete(op, -ETIMEDOUT);
        return 0;
    }
    error = strait_loop_begin(loop, op);
    if (error) {
        strait_loop_unlink(op);
        op->state = STRAIT_OP_IDLE;
        loop->pending--;
        loop->own -= op->internal;
        return error;
    }
    if (op->deadline_ns != STRAIT_FOREVER && op->state == STRAIT_OP_FLYING)
        strait_deadline_add(&loop->heap, op);
    return 0;
}

int strait_op_prepare(struct strait_loop *loop, struct strait_op *op, enum strait_op_kind kind, int fd,
                      uint64_t deadline_ns)
{
    if (strait_loop_forked(loop))
        return -ECHILD;
    if (!op->done)
        return -EINVAL;
    if (op->state != STRAIT_OP_IDLE)
        return -EBUSY;
    if (loop->closing)
        return -ECANCELED;
    op->kind = (uint8_t)kind;
    op->fd = fd;
    op->deadline_ns = deadline_ns;
    return 0;
}

int strait_op_cancel(struct strait_op *op)
{
    int error = 0;

    if (op->state == STRAIT_OP_IDLE)
        return -ENOENT;
    if (strait_loop_forked(op->loop))
        return -ECHILD;
    if (op->state == STRAIT_OP_READY || op->flags || op->kind == STRAIT_OP_CLOSE)
        return -EALREADY;
    op->flags |= STRAIT_OP_CANCELLED;
    error = strait_loop_end(op->loop, op);
    if (error)
        op->flags = 0;
    return error;
}

void strait_loop_expire(struct strait_loop *loop)
{
    uint64_t now_ns = loop->heap ? strait_loop_now(loop) : 0;

    while (loop->heap && loop->heap->deadline_ns <= now_ns) {
        struct strait_op *op = loop->heap;
        if (op->kind == STRAIT_OP_TIMER) {
            strait_op_complete(op, 0);
            continue;
        }
        if (!op->flags) {
            op->flags = STRAIT_OP_EXPIRED;
            if (strait_loop_end(loop, op)) {
                op->flags = 0;
                return; /* no room: the next step tries again */
            }
        }
        if (op->state == STRAIT_OP_FLYING) /* else it ended there and then */
            strait_deadline_remove(&loop->heap, op);
    }
}

/* Runs the done of all that were ready on entry; what they start and cancel waits for the next round. How many of them
 * were the user's. */
static int strait_loop_dispatch(struct strait_loop *loop)
{
    struct strait_op *op = loop->ready;
    int n = 0;

    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    for (struct strait_op *next; op; op = next) {
        next = op->next;
        op->state = STRAIT_OP_IDLE;
        loop->pending--;
        loop->own -= op->internal;
        n += !op->internal;
        op->done(op, op->res);
    }
    return n;
}

static uint64_t strait_loop_patience(const struct strait_loop *loop, uint64_t deadline_ns)
{
    uint64_t until_ns = loop->heap && loop->heap->deadline_ns < deadline_ns ? loop->heap->deadline_ns : deadline_ns;
    uint64_t now_ns;

    if (loop->ready || until_ns == STRAIT_NOW)
        return 0;
    if (until_ns == STRAIT_FOREVER)
        return STRAIT_FOREVER;
    now_ns = strait_now_ns();
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

int strait_loop_step(struct strait_loop *loop, uint64_t deadline_ns)
{
    int ran, error;

    if (strait_loop_forked(loop))
        return -ECHILD;
    do {
        strait_loop_expire(loop);
        error = loop->method->wait(loop->io, strait_loop_patience(loop, deadline_ns));
        loop->now_ns = strait_now_ns();
        strait_loop_expire(loop);
        ran = strait_loop_dispatch(loop);
        loop->now_ns = 0;
        if (loop->listening && loop->ear.state == STRAIT_OP_IDLE)
            strait_loop_listen(loop);
    } while (ran == 0 && error == 0 && !loop->stop && (loop->ready || strait_loop_patience(loop, deadline_ns)));
    return ran ? ran : error;
}

int strait_loop_run(struct strait_loop *loop, uint64_t deadline_ns)
{
    while (strait_loop_pending(loop) && !loop->stop) {
        int ran = strait_loop_step(loop, deadline_ns);
        if (ran < 0 && ran != -EINTR)
            return ran;
        if (ran <= 0 && deadline_ns != STRAIT_FOREVER && strait_now_ns() >= deadline_ns && strait_loop_pending(loop) &&
            !loop->stop)
            return -ETIMEDOUT;
    }
    loop->stop = false;
    return 0;
}

/* Ops that cannot be asked to stop (a close, or no room for the cancel) simply end; the others are hurried. */
static void strait_loop_cancel_all(struct strait_loop *loop)
{
    for (struct strait_op *op = loop->first, *next; op; op = next) {
        next = op->next;
        strait_op_cancel(op);
        if (next && next->state != STRAIT_OP_FLYING)
            next = loop->first; /* making room for the cancel has found it complete */
    }
}

void strait_loop_destroy(struct strait_loop *loop)
{
    if (!loop)
        return;
    if (strait_loop_forked(loop)) {
        loop->method->forget(loop->io); /* the helpers stayed with the parent, too */
    } else {
        loop->closing = true;
        while (loop->pending) {
            strait_loop_cancel_all(loop);
            if (loop->listening)
                strait_inbox_take(&loop->inbox);
            strait_loop_step(loop, strait_after_ns(STRAIT_LOOP_RETRY_NS));
        }
        strait_doorbell_close(loop->doorbell);
        loop->method->close(loop->io);
    }
    if (loop->listening)
        strait_inbox_close(&loop->inbox);
    if (loop->outer >= 0) {
        close(loop->outer);
        close(loop->timer);
    }
    munmap(loop->alive, STRAIT_LOOP_PAGE);
    free(loop);
}
