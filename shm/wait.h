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
    uint64_t news;        /* how many times our bell may have been rung, as far as the handle knows; only grows */
    uint64_t slept_news;  /* as it was when we last went to sleep */
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

/** What a wait on a word that is no bell sleeps on. */
struct strait_word {
    uint32_t *word;
    uint32_t seen;   /* sleep while *word is this */
    uint32_t holder; /* the lease that is in the way, 0 = not known */
};

/** A wait for a lock, or for its readers: the word itself is the futex, and says who is in the way. */
struct strait_word_wait {
    struct strait_segment_map *map;
    /* as in struct strait_wait */
    int64_t (*step)(void *arg);
    /* about to sleep: 0 = *word is marked, sleep on it; -EAGAIN look again */
    int (*mark)(void *arg, struct strait_word *word);
    /* we leave with nothing, and a wake may have been meant for us */
    void (*pass_on)(void *arg);
    void *arg;
    enum strait_wait_kind kind;
    uint64_t object, detail;
};

/** As strait_wait. Spins for about 100 tries; a holder that is dead is swept before the first sleep, by STRAIT_NOW too. */
int64_t strait_wait_word(const struct strait_word_wait *wait, uint64_t deadline_ns);

/** Which mode suits a sleeper of this mood: ASYM, unless it sleeps so often, and for so few news each time, that its
 * membarriers would cost more than the ringers' fences. Counts the sleep. */
enum strait_bell_mode strait_mood_mode(struct strait_mood *mood, const struct strait_segment_map *map, uint64_t now_ns);

/** Write down in our lease what this thread waits for: a record to pass to strait_wait_forget, or NULL. */
struct strait_wait_record *strait_wait_note(struct strait_segment_map *map, enum strait_wait_kind kind, uint64_t object,
                                            uint64_t detail);
void strait_wait_forget(struct strait_wait_record *record);

#endif
