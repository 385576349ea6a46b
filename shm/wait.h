/* SPDX-License-Identifier: MIT */
/**
 * The one place that sleeps. A blocking call is a non-blocking step, tried until it says something else than -EAGAIN:
 * spin a little, count in at the bell, look again, sleep; a sleep that runs out looks for the dead and sweeps.
 */
#ifndef STRAIT_WAIT_H
#define STRAIT_WAIT_H

#include "segment.h"
#include "strait/bell.h"

#define STRAIT_SLEEP_NS       UINT64_C(100000000)  /* every sleep is bounded */
#define STRAIT_SLEEP_QUIET_NS UINT64_C(1000000000) /* where nothing has happened for a while */

/** What a handle has learned about its waits. Private; zeroed at open. */
struct strait_mood {
    uint64_t spin_ns;     /* how long spinning has paid off lately */
    uint64_t slept_at;    /* when we last went to sleep */
    uint64_t slept_often; /* average distance of our sleeps, ns */
    uint32_t waits;
    uint32_t idle; /* bounded sleeps in a row that ran out */
};

struct strait_wait {
    struct strait_segment_map *map;
    struct strait_bell *bell;
    struct strait_mood *mood;
    /* 0 or more: done; -EAGAIN: not yet; else the error to return */
    int64_t (*step)(void *arg);
    void *arg;
    uint32_t parties; /* how many take part, to see whether they outnumber the CPUs */
    bool busy;        /* never sleep: nobody rings */
    /* for `shmctl blame` */
    enum strait_wait_kind kind;
    uint64_t object, detail;
};

/**
 * Until the step is done or the deadline: what the step says, -ETIMEDOUT (-EAGAIN for STRAIT_NOW), -EINTR a signal
 * handler ran while we slept. A leaver hands a wake that it may have eaten on to the next sleeper.
 */
int64_t strait_wait(const struct strait_wait *wait, uint64_t deadline_ns);

/** Which mode suits a sleeper of this mood: ASYM, unless it sleeps so often that its membarriers would cost more than
 * the ringers' fences. Counts the sleep. */
enum strait_bell_mode strait_mood_mode(struct strait_mood *mood, const struct strait_segment_map *map, uint64_t now_ns);

/** Write down in our lease what this thread waits for: a record to pass to strait_wait_forget, or NULL. */
struct strait_wait_record *strait_wait_note(struct strait_segment_map *map, enum strait_wait_kind kind, uint64_t object,
                                            uint64_t detail);
void strait_wait_forget(struct strait_wait_record *record);

#endif
