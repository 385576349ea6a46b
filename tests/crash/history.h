/* SPDX-License-Identifier: MIT */
/**
 * Was anything lost, duplicated, torn or out of order? Judges what producers and consumers of one channel wrote down, in
 * O(n log n): values are unique. An operation cut by a kill may have happened or not.
 */
#ifndef STRAIT_TESTS_CRASH_HISTORY_H
#define STRAIT_TESTS_CRASH_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a producer says of one of its values. */
enum history_sent {
    HISTORY_UNSENT = 0,
    HISTORY_CUT,     /* it was about to send; then it was killed, or it still is */
    HISTORY_SENT,    /* send has returned 0 */
    HISTORY_REFUSED, /* send has returned an error: it must never arrive */
};

struct history_producer {
    const uint8_t *sent; /* enum history_sent of value i */
    uint64_t n;
};

/** One message received. */
struct history_sight {
    uint64_t value; /* HISTORY_VALUE; 0 = bytes that nobody sent */
    uint32_t attempts;
    uint32_t released; /* recv, or peek and release: it must not come again */
    uint32_t consumer; /* each sees every producer's values in order */
    uint32_t life;     /* of that consumer: a restarted one begins anew */
};

#define HISTORY_VALUE(producer, i) ((uint64_t)((producer) + 1) << 40 | (uint64_t)(i))
#define HISTORY_PRODUCER(value)    ((uint32_t)((value) >> 40) - 1)
#define HISTORY_INDEX(value)       ((value) & ((UINT64_C(1) << 40) - 1))

struct history {
    const struct history_producer *producers;
    uint32_t producers_n;
    struct history_sight *sights; /* of one consumer and life, in the order received; sorted by history_judge */
    size_t sights_n;
    uint64_t slack; /* sent values that may be missing: their receivers were killed between recv and writing it down */
    bool drops;     /* a lossy channel: anything may be missing */
    bool unordered; /* a producer's values lie in several shards: they come in any order */
};

struct history_verdict {
    uint64_t sent, received, cut, missing; /* missing: within the slack, or dropped */
    uint64_t lost, duplicated, torn, disordered;
    char text[200]; /* of the first fault */
};

void history_judge(struct history *h, struct history_verdict *v);

#endif
