/* SPDX-License-Identifier: MIT */
/** Goes through the scenes: every kill point, every schedule, on several workers, and adds up what was seen. */
#ifndef STRAIT_TESTS_CRASH_EXPLORE_H
#define STRAIT_TESTS_CRASH_EXPLORE_H

#include "scene.h"

#define EXPLORE_SCENES   1536
#define EXPLORE_FAILURES 48
#define EXPLORE_STOPS    32 /* of each of two actors that preempt each other */
#define EXPLORE_GIVE_UP  24 /* failures of one scene, after which the rest of it is left out */

struct explore_options {
    uint32_t jobs;        /* workers, each on one core; 0 = three a core, for many survivors sleep */
    uint32_t stride;      /* kill points: every stride-th, and all at which something changed; 0 = 1 */
    uint32_t pair_stride; /* likewise for schedules */
    uint32_t two_most;    /* two-preemption schedules of one scene */
    bool kills, schedules;
    bool progress;    /* a bar on stderr */
    const char *only; /* scenes whose "row: state" contains it, or null */
};

struct failure {
    uint32_t scene, verdict, schedule;
    uint64_t n, m;
    char where[96];
    char text[STAGE_TEXT];
};

struct scene_result {
    uint64_t points, schedules, failures;
    uint64_t window;    /* instructions */
    uint64_t skipped;   /* instructions that were no kill points: off the stride, or nothing had changed */
    uint64_t cpu_ns;    /* what all of it took, the worker's processor time and that of its children */
    uint64_t elsewhere; /* stops at another instruction than the recorded one: the way is not always the same */
};

/** In shared memory: every worker adds to it. */
struct totals {
    uint64_t points, schedules, scenes_done;
    uint64_t verdicts[VERDICTS];
    uint64_t item;      /* next piece of work */
    uint64_t waited_ns; /* longest wait of a survivor for a death to be noticed, or for its next send or receive */
    uint64_t failures_n, late_n;
    struct failure failures[EXPLORE_FAILURES]; /* the first ones */
    struct failure late[EXPLORE_FAILURES];     /* points that were late once and good when tried again */
    struct scene_result scene[EXPLORE_SCENES];
    double seconds;
};

/** Runs all of them. The totals, to be given back by explore_free; null when the workers could not be started. */
struct totals *explore(const struct scene *scenes, size_t n, const struct explore_options *options);
void explore_free(struct totals *t);

/** Failures of all kinds. */
uint64_t explore_failed(const struct totals *t);

#endif
