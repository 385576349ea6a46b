/* SPDX-License-Identifier: MIT */
/** A future's cell, and what its pool and its holder do with it. strait/blocking.h has the holder's side. */
#ifndef STRAIT_FUTURE_H
#define STRAIT_FUTURE_H

#include "strait/blocking.h"

/* What the waits for a pool's futures learn from each other. Hints: an update that is lost does no harm. */
struct strait_spin {
    uint32_t spinners; /* threads that spin right now; exact */
    uint32_t misses;   /* full spins in a row that ended in a sleep */
    uint32_t waits;
};

/* One cell. `lock` guards what follows it, up to the blank line; the rest belongs to who spawns, then to who runs. */
struct strait_future {
    uint32_t lock;
    uint32_t ready;    /* 1: the value is stored. Written under the lock, read without it, slept on */
    uint32_t sleepers; /* on ready */
    uint8_t refs;      /* the handle's and the thread's: 2, 1, 0 */
    bool taken;
    void *value;
    void (*drop)(void *value); /* of a detached future */
    struct strait_waker waker;

    void *(*fn)(void *arg);
    void *arg;
    struct strait_blocking *pool;
    const uint32_t *alive;      /* the pool's: 0 in a forked child */
    struct strait_spin *spin;   /* likewise */
    struct strait_future *next; /* queue or free list; the pool's lock */
};

/** By the thread that has computed `value`: store it, tell who waits, let go of the cell. */
void strait_future_finish(struct strait_future *f, void *value);

/** The pool takes the cell back; nobody knows it any more. No lock held. In blocking.c. */
void strait_future_free(struct strait_future *f);

#endif
