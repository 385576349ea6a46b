/* SPDX-License-Identifier: MIT */
/**
 * Waiting for channels, replies and blocking work in a loop: each is an op as those of loop.h are, with a deadline, a
 * cancel, and memory of the caller's. Thousands may be in flight.
 *
 *   struct strait_await a = {.op.done = got};
 *   strait_await_recv(loop, &a, rx, buffer, sizeof buffer, NULL, STRAIT_FOREVER);
 *   …
 *   void got(struct strait_op *op, int res) { struct strait_await *a = (struct strait_await *)op; … }
 *
 * Zero it, set op.done, start it. res is what the blocking call of the same name returns, and
 *   -ETIMEDOUT  the deadline passed (one in the past, STRAIT_NOW too: it is not tried at all)
 *   -ECANCELED  strait_op_cancel(&a.op); the loop is being destroyed; the handle was closed while it was awaited
 *   -EAGAIN     the kernel was short of memory, or no helper thread could be started
 * A message is never lost by any of them: what was not delivered to `done` is still in the channel, and a wake that an op
 * took without using it is passed on. Signals do not end an op.
 *
 * The handle (rx, tx, …) belongs to the thread of the loop. Starting calls return 0 or -errno as those of loop.h (-EBUSY: in
 * flight already, …), and -EOPNOTSUPP on a channel made `busy`: nobody rings there. A dead process is noticed as by the
 * blocking calls: within 120 ms, 1.1 s where nothing has happened for long.
 */
#ifndef STRAIT_AWAIT_H
#define STRAIT_AWAIT_H

#include <strait/blocking.h>
#include <strait/loop.h>
#include <strait/region.h>
#include <strait/reply.h>

STRAIT_BEGIN_DECLS

/* Private: what kinds there are. */
struct strait_await_kind;

/** One wait. Everything but op.done is the loop's until done is called. */
struct strait_await {
    struct strait_op op; /* first: what `done` gets */
    /* private */
    struct strait_op bell;
    const struct strait_await_kind *kind;
    bool counted;           /* in at a bell, or the lock's word is marked */
    struct strait_bell *at; /* that bell; NULL for a lock */
    struct strait_bell_ticket ticket;
    struct strait_await *next, **link;           /* asleep in this loop */
    struct strait_await *next_here, **link_here; /* asleep for this endpoint */
    bool ending;                                 /* the bell is to be the last: then `result` */
    int result;
    void *handle;
    void *to;
    uint32_t bytes;
    uint16_t tag, flags;
    struct strait_msg *info;
    uint64_t job_deadline_ns;
    void *(*fn)(void *arg);
    void *arg;
};

/** strait_recv_info: res = the message's length. */
STRAIT_API int strait_await_recv(struct strait_loop *loop, struct strait_await *await, struct strait_rx *rx, void *to,
                                 uint32_t size, struct strait_msg *info, uint64_t deadline_ns);

/** strait_peek: res = 0, and *msg is filled in. */
STRAIT_API int strait_await_peek(struct strait_loop *loop, struct strait_await *await, struct strait_rx *rx,
                                 struct strait_msg *msg, uint64_t deadline_ns);

/** strait_send_tagged: res = 0, or 1 something was dropped. `data` stays until done. On a channel whose policy is "fail"
 * res is -EAGAIN when it is full. */
STRAIT_API int strait_await_send(struct strait_loop *loop, struct strait_await *await, struct strait_tx *tx,
                                 uint16_t tag, const void *data, uint32_t bytes, uint64_t deadline_ns);

/** strait_request: res = 0, and `reply` is open. `data` stays until done. */
STRAIT_API int strait_await_request(struct strait_loop *loop, struct strait_await *await, struct strait_tx *tx,
                                    uint16_t tag, const void *data, uint32_t bytes, uint64_t job_deadline_ns,
                                    struct strait_reply_rx *reply, uint64_t deadline_ns);

/** strait_reply_recv: res = the part's length; info->flags tells LAST. -EOWNERDEAD its workers died. */
STRAIT_API int strait_await_reply(struct strait_loop *loop, struct strait_await *await, struct strait_reply_rx *reply,
                                  void *to, uint32_t size, struct strait_msg *info, uint64_t deadline_ns);

/** strait_answer_send: res = 0. `data` stays until done. */
STRAIT_API int strait_await_answer(struct strait_loop *loop, struct strait_await *await, struct strait_answer *answer,
                                   uint16_t tag, uint16_t flags, const void *data, uint32_t bytes,
                                   uint64_t deadline_ns);

/**
 * strait_region_lock: res = 0, or 1 an owner died inside. In reader-writer mode as the writer: once it is next, new readers
 * wait, and it waits for those inside. The order of locks is not checked, as with every try. The handle is not to be used
 * until done: to have it twice is -EDEADLK.
 */
STRAIT_API int strait_await_lock(struct strait_loop *loop, struct strait_await *await, struct strait_region *region,
                                 uint64_t deadline_ns);

/** strait_region_read_lock: res = 0, or 1 a writer died inside; -EOPNOTSUPP not a reader-writer region. */
STRAIT_API int strait_await_read_lock(struct strait_loop *loop, struct strait_await *await,
                                      struct strait_region *region, uint64_t deadline_ns);

/**
 * A future's value into *value: res = 0, or -ENODATA somebody took it. The future stays the caller's to detach. While this
 * waits, its waker is the future's: another poll, or a detach, ends it with -ECANCELED.
 */
STRAIT_API int strait_await_future(struct strait_loop *loop, struct strait_await *await, struct strait_future *future,
                                   void **value, uint64_t deadline_ns);

/**
 * Have a thread of `pool` (NULL: the process's own) call fn(arg), its value into *value: res = 0. After a cancel or the
 * deadline the work goes on to its end and the value is lost. Starting: also as strait_spawn_blocking.
 */
STRAIT_API int strait_await_blocking(struct strait_loop *loop, struct strait_await *await, struct strait_blocking *pool,
                                     void *(*fn)(void *arg), void *arg, void **value, uint64_t deadline_ns);

STRAIT_END_DECLS

#endif
