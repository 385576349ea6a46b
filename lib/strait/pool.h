/* SPDX-License-Identifier: MIT */
/**
 * Pools: worker processes behind one channel. Any process that opens the pool may serve it, at any time; any process may
 * execute tasks on it. A task stays under its worker's lease until it is answered: a worker that dies has it redelivered,
 * with attempts raised, and after max_attempts the caller gets -EOWNERDEAD and the bytes are kept as a dead letter.
 * Answers are at least once inside, exactly one to the caller. The supervisor (supervisor.h) keeps workers running.
 */
#ifndef STRAIT_POOL_H
#define STRAIT_POOL_H

#include <strait/reply.h>

STRAIT_BEGIN_DECLS

/** This process's handle on a pool: to serve, to execute, or both. One thread at a time. */
struct strait_pool;

/** All zero = the defaults. */
struct strait_pool_options {
    uint32_t task_bytes;   /**< largest task; default 1008 */
    uint32_t depth;        /**< tasks waiting and running, a power of two; default 64. When full, callers wait */
    uint32_t answer_bytes; /**< largest part of an answer; default 1008 */
    uint32_t answer_depth; /**< parts of one answer on the way; default 4 */
    uint32_t callers;      /**< tasks that may be unanswered at once; default: depth */
    uint32_t max_attempts; /**< workers that may die over one task; default 3 */
    uint32_t memory;       /**< on which NUMA node: STRAIT_MEMORY_… (numa.h); default: as the kernel likes */
};

/** Open the pool `name`, making it if it is not there (NULL = defaults). 0, or as strait_tx_open. */
STRAIT_API int strait_pool_open(struct strait_segment *segment, const char *name,
                                const struct strait_pool_options *options, struct strait_pool **pool);

/** Close the handle; tasks under way stay with whoever has them. NULL is ignored. */
STRAIT_API void strait_pool_close(struct strait_pool *pool);

/* ---- workers ---- */

/** A task, as its handler sees it. */
struct strait_task {
    const void *data; /**< in place; valid until the handler returns */
    uint32_t bytes;
    uint16_t tag;
    uint32_t attempts;    /**< workers that have died over it */
    uint64_t deadline_ns; /**< when the caller stops caring; 0 = never */
    /* private */
    struct strait_pool *pool;
    struct strait_answer answer;
};

/**
 * Answers a task with strait_task_answer; returns 0, or -errno, which the caller gets as -EREMOTEIO with that number as
 * its answer. A handler that has sent no LAST part gets an empty one.
 */
typedef int strait_task_handler(struct strait_task *task, void *context);

/** Send a part of the answer; flags as strait_answer_send. Blocks for space until the task's deadline. 0, -EPIPE nobody
 * wants it any more (return soon), -EMSGSIZE, -ETIMEDOUT, -EINTR. */
STRAIT_API int strait_task_answer(struct strait_task *task, uint16_t flags, const void *data, uint32_t bytes);

/** Does the caller still wait, and is there time left? For handlers that take long. 0, -EPIPE, -ETIMEDOUT. */
STRAIT_API int strait_task_wanted(const struct strait_task *task);

/**
 * Serve tasks until the pool is shut down (0), the deadline (-ETIMEDOUT) or a signal (-EINTR). Blocks. A task whose
 * caller has gone, or whose deadline has passed, is not run. A handler that dies with its process has its task
 * redelivered. 0, -ETIMEDOUT, -EINTR, -ECHILD, -EPROTO, or as strait_rx_open.
 */
STRAIT_API int strait_pool_serve(struct strait_pool *pool, strait_task_handler *handler, void *context,
                                 uint64_t deadline_ns);

/* ---- callers ---- */

/**
 * Run a task and wait for its whole answer, into `to`: its length. The deadline travels with the task. -EREMOTEIO the
 * handler failed, its error is in *remote (NULL = do not care); -EPIPE shut down (while no worker is there, a task waits for one until its deadline);
 * -EOWNERDEAD max_attempts workers have died over it; -EHOSTDOWN its workers are on other machines (strait-bridge), and none
 * is there; -EMSGSIZE, -ETIMEDOUT, -ENOBUFS, -EINTR, -ECHILD.
 */
STRAIT_API int64_t strait_pool_execute(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes,
                                       void *to, uint32_t size, int *remote, uint64_t deadline_ns);

/** Start a task; its answer comes through `reply` (reply.h), also in a loop. deadline_ns bounds this call. As
 * strait_request. */
STRAIT_API int strait_pool_submit(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes,
                                  uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns);

/**
 * Shut the pool down for everybody: no task is accepted any more, workers finish what is there and leave. Waits for that
 * until the deadline. 0, -ETIMEDOUT some task is still under way (the supervisor may kill now), -ECHILD.
 */
STRAIT_API int strait_pool_shutdown(struct strait_pool *pool, uint64_t deadline_ns);

STRAIT_END_DECLS

#endif
