/* SPDX-License-Identifier: MIT */
/**
 * The loop: every wait of a thread in one place. The core is the completion: a `struct strait_op` that the caller
 * owns (in its own structures; nothing is allocated per operation) and whose `done` is called once, from inside
 * strait_loop_step, strait_loop_run or strait_loop_destroy, never from inside a starting call or a cancel.
 *
 * Who may call: one thread per loop, the one that created it. In a forked child every call answers -ECHILD.
 *
 * Every op has an absolute CLOCK_MONOTONIC deadline in nanoseconds (STRAIT_FOREVER: none). An op whose deadline has
 * passed ends with -ETIMEDOUT; one that was started after its deadline is not tried at all. Buffers, addresses and paths
 * belong to the kernel until `done` is called, also after a cancel.
 *
 * Starting calls return 0, or
 *   -EBUSY      this op is still in flight (its first flight goes on unharmed)
 *   -ECANCELED  the loop is being destroyed
 *   -EAGAIN     the kernel is short of memory: nothing was started
 *   -EINVAL     no `done`, or an argument that cannot be
 *   -ECHILD     the loop belongs to the parent process
 */
#ifndef STRAIT_LOOP_H
#define STRAIT_LOOP_H

#include "strait/base.h"

#include <sys/socket.h>

STRAIT_BEGIN_DECLS

struct strait_loop;
struct statx;

/* Private: what a helper thread hands to the loop's thread. */
struct strait_letter {
    struct strait_letter *next;
    void (*read)(struct strait_letter *letter);
};

/* Private: a futex word that a helper thread sleeps on. */
struct strait_watch {
    const uint32_t *word;
    uint32_t expected;
    uint32_t at; /* in its helper's list */
    void *helper;
    void (*rung)(struct strait_watch *watch);
    void (*pulse)(struct strait_watch *watch);
    struct strait_letter letter;
};

/** One operation. Zero it, set `done`, start it; the rest is the loop's until done is called. */
struct strait_op {
    /** res ≥ 0 is the result, else -errno. The op is idle again: it may be restarted or freed here. */
    void (*done)(struct strait_op *op, int res);
    /* private */
    struct strait_loop *loop;
    struct strait_op *next, **link;                        /* in flight, or ready */
    struct strait_op *heap_child, *heap_next, **heap_link; /* by deadline */
    uint64_t deadline_ns;
    void *addr;
    uint64_t offset;
    uint32_t bytes;
    uint32_t arg;
    int fd;
    int res;
    uint8_t kind, state, flags;
    bool internal;             /* the loop's own: not counted */
    struct strait_op *fd_next; /* epoll: waits for the same descriptor */
    struct strait_watch watch;
};

/**
 * Makes a loop for about `ops` operations in flight (0: 256); more are fine, they cost an extra system call now and then.
 *
 * It stands on the highest rung of this ladder that works here, by trying, not by version: "uring", io_uring with futex
 * operations; "uring-thread", io_uring, and a helper thread that sleeps on bells; "epoll", epoll and that thread. The
 * environment variable STRAIT_BACKEND, set to one of the three, forces it.
 * 0; -EINVAL STRAIT_BACKEND is none of these; -ENOMEM, -EMFILE; of a forced rung: -EPERM io_uring is forbidden here (a
 * container's seccomp filter, kernel.io_uring_disabled), -ENOSYS the kernel has none, or one without what the loop
 * needs. strait_loop_why() has the sentence.
 */
STRAIT_API int strait_loop_create(struct strait_loop **loop, uint32_t ops);

/**
 * Cancels what is in flight, waits until the kernel has let go of every buffer, calls each `done` with -ECANCELED (or with
 * its result, if that came first) and frees the loop. Not from inside a `done`. Blocks as long as a file system that hangs.
 * In a forked child it only lets go of what was inherited; no done is called.
 */
STRAIT_API void strait_loop_destroy(struct strait_loop *loop);

/**
 * Waits for completions until deadline_ns (STRAIT_NOW: only looks) and runs the `done` of all that are there. Returns how
 * many ran, 0 when the deadline passed, -EINTR when a signal handler ran meanwhile (nothing is lost: call again), -ECHILD.
 */
STRAIT_API int strait_loop_step(struct strait_loop *loop, uint64_t deadline_ns);

/**
 * Steps until nothing is in flight any more (0), strait_loop_stop was called (0), or deadline_ns has passed (-ETIMEDOUT).
 * Signals do not end it; a handler may call strait_loop_stop.
 */
STRAIT_API int strait_loop_run(struct strait_loop *loop, uint64_t deadline_ns);

/** Makes the current (or next) strait_loop_run return after its step. From a `done` or a signal handler of the loop's thread. */
STRAIT_API void strait_loop_stop(struct strait_loop *loop);

/** How many ops are in flight or wait for their `done`. */
STRAIT_API uint32_t strait_loop_pending(const struct strait_loop *loop);

/** Which rung of the ladder the loop stands on: "uring", "uring-thread" or "epoll". */
STRAIT_API const char *strait_loop_backend(const struct strait_loop *loop);

/** Why the last strait_loop_create (or strait_loop_probe) of this thread took the rung it took, or failed: a sentence. */
STRAIT_API const char *strait_loop_why(void);

/** Which rung a loop would stand on here: its name, or NULL; strait_loop_why() says why. Any thread. */
STRAIT_API const char *strait_loop_probe(void);

/**
 * The loop in somebody else's loop: a descriptor, the loop's own, to poll for POLLIN (level-triggered; epoll, libuv,
 * asyncio, …). The contract, each time: strait_loop_step(loop, STRAIT_NOW) until it says 0; strait_loop_arm; if that says
 * 0, poll; when the descriptor is readable, begin again. The first call may fail: -EMFILE, -ENFILE, -ENOMEM, -ECHILD.
 */
STRAIT_API int strait_loop_fd(struct strait_loop *loop);

/** Before polling strait_loop_fd: hands over what was started and sets the timer. 0 poll now, 1 there is something to do:
 * step first; or as strait_loop_fd. Never blocks. */
STRAIT_API int strait_loop_arm(struct strait_loop *loop);

/** True between start and `done`. */
STRAIT_API bool strait_op_pending(const struct strait_op *op);

/**
 * Asks for an early end: `done` comes with -ECANCELED, or with the result if that was first. -ENOENT: not in flight;
 * -EALREADY: it has completed (or is being cancelled), its `done` is on the way; -EAGAIN: try again.
 */
STRAIT_API int strait_op_cancel(struct strait_op *op);

/** Connects a socket. res: 0. The address must stay until done. */
STRAIT_API int strait_op_connect(struct strait_loop *loop, struct strait_op *op, int fd, const struct sockaddr *addr,
                                 uint32_t addr_bytes, uint64_t deadline_ns);

/** Receives what is there, at most `bytes`. res: bytes, 0 = the peer has closed. */
STRAIT_API int strait_op_recv(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                              uint64_t deadline_ns);

/** Sends; res: bytes, perhaps fewer than asked. Never raises SIGPIPE. */
STRAIT_API int strait_op_send(struct strait_loop *loop, struct strait_op *op, int fd, const void *from, uint32_t bytes,
                              uint64_t deadline_ns);

/** Closes a descriptor. Is never cancelled: a cancel or a destroy lets it finish. res: 0. */
STRAIT_API int strait_op_close(struct strait_loop *loop, struct strait_op *op, int fd);

/** openat(dirfd, path, flags). res: the descriptor, which the caller has to close. */
STRAIT_API int strait_op_open(struct strait_loop *loop, struct strait_op *op, int dirfd, const char *path,
                              uint32_t flags, uint64_t deadline_ns);

/** statx of an open descriptor, the basic fields. res: 0. */
STRAIT_API int strait_op_stat(struct strait_loop *loop, struct strait_op *op, int fd, struct statx *to,
                              uint64_t deadline_ns);

/** pread. res: bytes, 0 = end of the file. */
STRAIT_API int strait_op_read(struct strait_loop *loop, struct strait_op *op, int fd, void *to, uint32_t bytes,
                              uint64_t offset, uint64_t deadline_ns);

/** Waits until one of the POLL… `events` holds (a pidfd, a pipe, …). res: the events that hold. */
STRAIT_API int strait_op_poll(struct strait_loop *loop, struct strait_op *op, int fd, uint32_t events,
                              uint64_t deadline_ns);

/** Ends at when_ns with res 0. */
STRAIT_API int strait_op_timer(struct strait_loop *loop, struct strait_op *op, uint64_t when_ns);

/**
 * Sleeps on a bell's futex word while it holds `expected`. res: 0 = woken, 1 = the word already held something else.
 * Either way: look again. A 0 that comes after a cancel has eaten somebody's wake: pass it on.
 */
STRAIT_API int strait_op_bell(struct strait_loop *loop, struct strait_op *op, const uint32_t *word, uint32_t expected,
                              uint64_t deadline_ns);

STRAIT_END_DECLS

#endif
