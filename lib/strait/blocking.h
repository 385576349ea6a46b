/* SPDX-License-Identifier: MIT */
/**
 * Blocking work beside whatever waits: a bounded pool of threads, and a future for each thing that it computes.
 *
 *   strait_spawn_blocking(NULL, resolve, "example.org", &future);
 *   … strait_future_poll, strait_future_wait, or an op of a loop (await.h) …
 *   strait_future_detach(future, NULL);
 *
 * The future is Rust's: a cell with a value and a waker under a lock. The thread that computed stores the value, moves the
 * waker out, releases the lock and only then wakes, so a waker may take that very lock (poll the future, say). A second
 * poll replaces the first one's waker; the old one is dropped after the release.
 *
 * Any thread may call anything here; none of it is async-signal-safe. The pool's threads block all signals. In a forked
 * child every call on the parent's pools and futures answers -ECHILD (its threads are not there); pool NULL means the
 * process's own, so a child gets a new one.
 */
#ifndef STRAIT_BLOCKING_H
#define STRAIT_BLOCKING_H

#include <strait/base.h>

STRAIT_BEGIN_DECLS

/* ---- the pool ---- */

struct strait_blocking;

/** All zero = the defaults. */
struct strait_blocking_options {
    uint32_t threads;     /**< at most; started as they are needed; default 8, at most 1024 */
    uint32_t futures;     /**< that may exist at once: queued, running or held; default 1024, at most 2^20 */
    uint32_t stack_bytes; /**< of each thread; default: the system's */
};

/** A pool of one's own. `options` may be NULL. 0, -EINVAL, -ENOMEM. */
STRAIT_API int strait_blocking_create(struct strait_blocking **pool, const struct strait_blocking_options *options);

/**
 * Refuse new work, run what is queued, join the threads. Blocks until then, or until the deadline: -ETIMEDOUT, and the
 * pool goes on draining; call again. 0 (also when it was shut down before), -EDEADLK from one of its own threads, -EINTR,
 * -ECHILD. Futures stay good: their values can be taken afterwards.
 */
STRAIT_API int strait_blocking_shutdown(struct strait_blocking *pool, uint64_t deadline_ns);

/**
 * Shut down without a deadline and free the pool (its memory goes with the last future that somebody holds). Nobody else
 * may be using the pool. NULL is ignored. 0, -EDEADLK, -ECHILD (nothing is freed).
 */
STRAIT_API int strait_blocking_destroy(struct strait_blocking *pool);

/* ---- futures ---- */

struct strait_future;

enum strait_poll {
    STRAIT_PENDING = 0,
    STRAIT_READY = 1,
};

/** Whom to tell. Copied by value; who holds it owns one reference to `data`, if that is counted. */
struct strait_waker {
    void (*wake)(void *data); /**< called at most once, by the pool's thread, no lock held; uses the waker up */
    void (*drop)(void *data); /**< called instead where it will never wake (replaced, detached); may be NULL */
    void *data;
};

/**
 * Have a thread of `pool` (NULL: the process's own pool) call fn(arg); what it returns is the future's value. Never
 * blocks. `future` may be NULL: nobody will ask, the value is lost. 0, -EAGAIN all futures are in use or no thread could
 * be started, -ESHUTDOWN the pool is shut down, -ENOMEM, -ECHILD.
 */
STRAIT_API int strait_spawn_blocking(struct strait_blocking *pool, void *(*fn)(void *arg), void *arg,
                                     struct strait_future **future);

/**
 * Take the value or leave a waker. STRAIT_READY: *value is set, *waker still yours. STRAIT_PENDING: the future keeps
 * *waker (NULL: nobody; also replaces) and tells it once. -ENODATA the value was taken before, -ECHILD. Never blocks.
 */
STRAIT_API int strait_future_poll(struct strait_future *future, const struct strait_waker *waker, void **value);

/**
 * Take the value, waiting for it: spins a little, then sleeps. 0, -ETIMEDOUT, -EAGAIN (STRAIT_NOW), -EINTR a signal
 * handler ran while it slept, -ENODATA the value was taken before, -ECHILD. A waker left by poll stays where it is.
 */
STRAIT_API int strait_future_wait(struct strait_future *future, void **value, uint64_t deadline_ns);

/**
 * Let go of a future, in whatever state; the handle is gone. The work is not stopped: it is done to the end, and its
 * value, if nobody took it, is given to `drop` (NULL: lost) by the caller or, later, by the pool's thread. A waker that is
 * left is dropped. Never blocks. NULL is ignored.
 */
STRAIT_API void strait_future_detach(struct strait_future *future, void (*drop)(void *value));

STRAIT_END_DECLS

#endif
