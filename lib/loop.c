/* SPDX-License-Identifier: MIT */
/*
 * An op's life: IDLE -> FLYING (a method has it; on the loop's list) -> READY (its result is known; in the queue of
 * those whose done is to be called) -> IDLE. Timers fly without a method. Deadlines are the loop's: it cancels what is
 * late, so a method needs none.
 */
#include "strait/loop.h"

#include "deadline.h"
#include "method.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STRAIT_LOOP_PAGE     4096
#define STRAIT_LOOP_RETRY_NS UINT64_C(10000000) /* how soon destroy asks again for a cancel that found no room */

enum strait_op_state { STRAIT_OP_IDLE = 0, STRAIT_OP_FLYING, STRAIT_OP_READY };
enum strait_op_flags { STRAIT_OP_EXPIRED = 1, STRAIT_OP_CANCELLED = 2 };

struct strait_loop {
    const struct strait_io_method *method;
    void *io;
    uint32_t *alive;         /* in a page that a fork wipes */
    struct strait_op *heap;  /* by deadline: flying ops that have one */
    struct strait_op *first; /* flying */
    struct strait_op *ready, **ready_end;
    uint32_t pending; /* flying and ready */
    bool closing;
    volatile bool stop; /* a signal handler may set it */
};

static _Thread_local const char *strait_loop_excuse = "";

const char *strait_loop_why(void)
{
    return strait_loop_excuse;
}

const char *strait_loop_backend(const struct strait_loop *loop)
{
    return loop->method->name;
}

uint32_t strait_loop_pending(const struct strait_loop *loop)
{
    return loop->pending;
}

void strait_loop_stop(struct strait_loop *loop)
{
    loop->stop = true;
}

bool strait_op_pending(const struct strait_op *op)
{
    return op->state != STRAIT_OP_IDLE;
}

static bool strait_loop_forked(const struct strait_loop *loop)
{
    return *loop->alive == 0;
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
    self->method = &strait_uring_method;
    error = self->method->open(ops, &self->io, &why);
    if (error) {
        munmap(self->alive, STRAIT_LOOP_PAGE);
        goto fail;
    }
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
}

/* Everything that starts an op ends here; the op's own fields are filled. */
static int strait_loop_start(struct strait_loop *loop, struct strait_op *op)
{
    int error;

    strait_loop_fly(loop, op);
    if (op->kind != STRAIT_OP_TIMER && op->kind != STRAIT_OP_CLOSE && op->deadline_ns != STRAIT_FOREVER &&
        op->deadline_ns <= strait_now_ns()) {
        strait_op_complete(op, -ETIMEDOUT);
        return 0;
    }
    error = op->kind == STRAIT_OP_TIMER ? 0 : loop->method->start(loop->io, op);
    if (error) {
        strait_loop_unlink(op);
        op->state = STRAIT_OP_IDLE;
        loop->pending--;
        return error;
    }
    if (op->deadline_ns != STRAIT_FOREVER)
        strait_deadline_add(&loop->heap, op);
    return 0;
}

static int strait_op_prepare(struct strait_loop *loop, struct strait_op *op, enum strait_op_kind kind, int fd,
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

int strait_op_recv(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                   uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, op, STRAIT_OP_RECV, fd, deadline_ns);

    if (error)
        return error;
    op->addr = to;
    op->bytes = bytes;
    return strait_loop_start(loop, op);
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

int strait_op_cancel(struct strait_op *op)
{
    int error = 0;

    if (op->state == STRAIT_OP_IDLE)
        return -ENOENT;
    if (strait_loop_forked(op->loop))
        return -ECHILD;
    if (op->state == STRAIT_OP_READY || op->flags || op->kind == STRAIT_OP_CLOSE)
        return -EALREADY;
    if (op->kind == STRAIT_OP_TIMER)
        strait_op_complete(op, -ECANCELED);
    else
        error = op->loop->method->cancel(op->loop->io, op);
    if (error == 0)
        op->flags |= STRAIT_OP_CANCELLED;
    return error;
}

/* Timers that are due complete; others that are late are cancelled, and end when their method says so. */
static void strait_loop_expire(struct strait_loop *loop)
{
    uint64_t now_ns = loop->heap ? strait_now_ns() : 0;

    while (loop->heap && loop->heap->deadline_ns <= now_ns) {
        struct strait_op *op = loop->heap;
        if (op->kind == STRAIT_OP_TIMER) {
            strait_op_complete(op, 0);
            continue;
        }
        if (!op->flags && loop->method->cancel(loop->io, op))
            return; /* no room: the next step tries again */
        if (op->state != STRAIT_OP_FLYING)
            continue; /* making room for the cancel has found it complete */
        strait_deadline_remove(&loop->heap, op);
        if (!op->flags)
            op->flags |= STRAIT_OP_EXPIRED;
    }
}

/* Runs the done of all that were ready on entry; what they start and cancel waits for the next round. */
static int strait_loop_dispatch(struct strait_loop *loop)
{
    struct strait_op *op = loop->ready;
    int n = 0;

    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    for (struct strait_op *next; op; op = next, n++) {
        next = op->next;
        op->state = STRAIT_OP_IDLE;
        loop->pending--;
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
        strait_loop_expire(loop);
        ran = strait_loop_dispatch(loop);
    } while (ran == 0 && error == 0 && !loop->stop && strait_loop_patience(loop, deadline_ns));
    return ran ? ran : error;
}

int strait_loop_run(struct strait_loop *loop, uint64_t deadline_ns)
{
    while (loop->pending && !loop->stop) {
        int ran = strait_loop_step(loop, deadline_ns);
        if (ran < 0 && ran != -EINTR)
            return ran;
        if (ran <= 0 && deadline_ns != STRAIT_FOREVER && strait_now_ns() >= deadline_ns && loop->pending && !loop->stop)
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
        loop->method->forget(loop->io);
    } else {
        loop->closing = true;
        while (loop->pending) {
            strait_loop_cancel_all(loop);
            strait_loop_step(loop, strait_after_ns(STRAIT_LOOP_RETRY_NS));
        }
        loop->method->close(loop->io);
    }
    munmap(loop->alive, STRAIT_LOOP_PAGE);
    free(loop);
}
