/* SPDX-License-Identifier: MIT */
/**
 * Operations on shared state that are killed at every instruction (kill.c puts them into scenes, ops.c has them). A region's
 * data is a pair of numbers that are equal whenever nobody is inside.
 */
#ifndef STRAIT_TESTS_STATE_KILL_H
#define STRAIT_TESTS_STATE_KILL_H

#include "../crash/scene.h"
#include "strait/strait.h"

#define KILL_REGIONS 3
#define KILL_FIRST   100 /* both numbers, at first */
#define KILL_WAIT_NS UINT64_C(1000000000)

struct pair_of_numbers {
    volatile uint64_t a, b;
};

enum flavour { PLAIN, ATOMIC, READERS };

struct operation {
    const char *row, *state;
    enum flavour flavour;
    /* the survivor, when the regions are there; may be null */
    bool (*prepare)(struct stage *st);
    /* an actor, before its window; may be null */
    int (*enter)(struct stage *st, int who);
    int (*act)(struct stage *st, int who);
    void (*leave)(struct stage *st, int who);
    /* the survivor: goes to sleep when the actor has entered, sets st->sleeping before; 0, 1 or -errno; may be null */
    int (*sleep)(struct stage *st);
    /* the survivor: what the contract says. slept: what sleep said */
    bool (*judge)(struct stage *st, int slept);
    /* a second actor's, in pairs */
    int (*act_too)(struct stage *st, int who);
};

/** This process's handles. */
struct hands {
    struct strait_segment *segment;
    struct strait_region *region[KILL_REGIONS];
    struct strait_counter *counter;
    uint64_t wait_ns; /* how long an operation waits */
};
extern struct hands my;

extern const struct operation operations[];
extern const size_t operations_n;

/** Attach, open all. Fails the stage. */
bool kill_open(struct stage *st, enum strait_attach_mode how, enum flavour flavour);
void kill_close(void);

/** Dead, whether inside its operation or after it. */
static inline bool kill_died(const struct stage *st, int who)
{
    return st->actor[who].fate == FATE_KILLED || st->actor[who].fate == FATE_RAN;
}

static inline uint64_t kill_soon(void)
{
    return strait_after_ns(5 * KILL_WAIT_NS);
}

#endif
