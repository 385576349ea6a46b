/* SPDX-License-Identifier: MIT */
/**
 * The testing kit: unit tests of code that uses strait, without names, leftovers, peers or waiting.
 *
 * Include it before the code under test (`#include <strait/testing.h>`, then `#include "my_code.c"`; or `cc -include
 * strait/testing.h`), and link with strait-testing. From there on, in that file only:
 *
 *   strait_attach        gives a private segment for each name: no file, nothing left behind, whoever crashes. The
 *                        children that a test forks find the same ones.
 *   strait_now_ns, …     read a clock that strait_testing_advance moves; deadlines follow it
 *   strait_send, …       fail when strait_testing_inject said so, at the n-th call
 *
 * Nothing of this is in the library: its fast path is the same with and without. What it does not cover: the waits of a
 * loop (await.h, loop.h) run on the real clock, and calls through function pointers taken elsewhere.
 *
 *   struct strait_testing_pair pair;
 *   strait_testing_pair_open(&pair, NULL);              both ends of a channel, in this process
 *   strait_testing_inject(STRAIT_TESTING_SEND, 3, STRAIT_TESTING_CLOSED);
 *   assert(my_code(pair.tx) == -EPIPE);
 *   strait_testing_pair_close(&pair);
 *   strait_testing_reset();
 */
#ifndef STRAIT_TESTING_H
#define STRAIT_TESTING_H

#include <strait/strait.h>

STRAIT_BEGIN_DECLS

/* ---- both ends of a channel ---- */

/** An unnamed segment of its own, with one channel, and both of its ends. */
struct strait_testing_pair {
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_rx *rx;
};

/** Open both ends of a new channel (NULL = default options). 0, or as strait_attach_unnamed and strait_tx_open. */
STRAIT_API int strait_testing_pair_open(struct strait_testing_pair *pair, const struct strait_channel_options *options);

/** Close what is open of it; an end that is NULL was closed by the test. */
STRAIT_API void strait_testing_pair_close(struct strait_testing_pair *pair);

/* ---- the clock ---- */

/**
 * Let `ns` nanoseconds pass, at once. Calls that wait in other threads of this process notice within 10 ms. The clock never
 * goes back. Any thread.
 */
STRAIT_API void strait_testing_advance(uint64_t ns);

/* ---- faults ---- */

/** What a fault may happen to. */
enum strait_testing_call {
    STRAIT_TESTING_SEND = 0, /**< strait_try_send, _send, _send_tagged, _send_key, _send_many, _send_array, _claim */
    STRAIT_TESTING_RECV,     /**< strait_try_recv, _recv, _recv_info, _recv_many, _recv_array, _peek */
    STRAIT_TESTING_REQUEST,  /**< strait_request, _call, _pool_submit, _pool_execute */
    STRAIT_TESTING_REPLY,    /**< strait_reply_recv, _reply_peek */
    STRAIT_TESTING_ANSWER,   /**< strait_answer_send, _answer_claim, _task_answer */
    STRAIT_TESTING_LOCK,     /**< strait_region_lock, _lock_for_heal, _read_lock, _lock_all */
    STRAIT_TESTING_ATTACH,   /**< strait_attach, _attach_unnamed, _attach_fd */
    STRAIT_TESTING_CALLS
};

enum strait_testing_fault {
    /** As if nothing could be had until the deadline: the clock goes there, and the call says -ETIMEDOUT; -EAGAIN with
     * STRAIT_NOW or no deadline (of a channel whose policy is "fail"). Of ATTACH: -ENOSPC. */
    STRAIT_TESTING_FULL = 1,
    STRAIT_TESTING_TIMEOUT, /**< likewise, and with no deadline 1 s passes and the call says -ETIMEDOUT; -EAGAIN with STRAIT_NOW */
    STRAIT_TESTING_CLOSED, /**< -EPIPE; of LOCK -ENOTRECOVERABLE */
    /** Of LOCK: a process really locks the region and is killed inside, so that the call answers 1 and the data are suspect
     * (an atomic region: nothing happens). Of the others -EOWNERDEAD. */
    STRAIT_TESTING_OWNER_DIED
};

/**
 * Let `fault` happen to the n-th such call from now on (1 = the next one), once. Up to 16 at a time. Calls of every thread
 * of this process count. 0, -EINVAL, -ENOBUFS 16 are waiting.
 */
STRAIT_API int strait_testing_inject(enum strait_testing_call call, uint32_t nth, enum strait_testing_fault fault);

/** How often the code under test has called such a thing since the last reset. */
STRAIT_API uint32_t strait_testing_calls(enum strait_testing_call call);

/** Faults that have not happened yet: forget them, and the counts. How many there were: a test wants 0. */
STRAIT_API uint32_t strait_testing_reset(void);

/* ---- segments ---- */

/** Segments that strait_attach has made by name and strait_segment_remove has not removed: let go of them. How many. */
STRAIT_API uint32_t strait_testing_forget_segments(void);

STRAIT_END_DECLS

#include <strait/testing_calls.h>

#endif
