/* SPDX-License-Identifier: MIT */
/**
 * A scene: one operation in one prepared state, and what must hold whatever happens to the process that runs it.
 *
 *   survivor   prepare() ......................... check()
 *   actor 0    ........... enter() | act() | ....            killed anywhere inside act(), or right after it
 *   actor 1    ........... enter() | act() | ....            only in preemption schedules
 *
 * Every kill point builds everything anew: three forks and one segment, about a millisecond. Kill points do not depend on
 * each other, so their survivors finish in the background while the next victim is stepped.
 */
#ifndef STRAIT_TESTS_CRASH_SCENE_H
#define STRAIT_TESTS_CRASH_SCENE_H

#include "stage.h"
#include "step.h"

struct scene {
    const char *row;   /* of docs/CRASH_CONTRACT.md */
    const char *state; /* what it starts from */
    const void *arg;   /* the scene's own */
    bool (*prepare)(struct stage *st, const void *arg);
    bool (*enter)(struct stage *st, const void *arg, int actor);
    int (*act)(struct stage *st, const void *arg, int actor);
    /* outside the window: act has returned, write down what it brought. May be null */
    void (*after)(struct stage *st, const void *arg, int actor);
    /* when the schedule lets the actor live: give everything back. May be null */
    void (*leave)(struct stage *st, const void *arg, int actor);
    /* reports by stage_fail. Of a scene that is `asleep` it sets st->sleeping, sleeps in the operation under test, and
     * only then waits for st->go. */
    void (*check)(struct stage *st, const void *arg);
    bool asleep;
    bool pair;         /* two actors, preemption schedules; else kill points */
    bool fresh;        /* the process that checks is another one than the one that prepared */
    uint32_t parts;    /* a long scene is shared out between workers; 0 = 1 */
    uint64_t check_ns; /* a survivor that takes longer hangs; 0 = SCENE_CHECK_NS */
    bool every;        /* each instruction on the stride, however long the window is */
};

#define SCENE_CHECK_NS UINT64_C(10000000000)
#define SCENE_WINDOW   1500
#define SCENE_FLIGHT   24 /* survivors that check while the worker goes on: most of them sleep for 100 ms */

/** What is done to the actors of a scene at one point. */
enum schedule {
    SCHEDULE_KILL,        /* A killed at n */
    SCHEDULE_B_THEN_A,    /* A stopped at n, B whole, A to its end; both leave */
    SCHEDULE_B_KILL_A,    /* A stopped at n, B whole, A killed */
    SCHEDULE_KILL_B,      /* A stopped at n, B whole and killed, A to its end and leaves */
    SCHEDULE_TWO,         /* A to n, B to m, A to its end, B to its end; both leave */
    SCHEDULE_TWO_KILL_A,  /* A to n, B to m, A killed, B to its end */
    SCHEDULE_TWO_KILL_AB, /* A to n, B to m, both killed */
};

struct point {
    const struct scene *scene;
    size_t scene_index;
    enum schedule schedule;
    uint64_t n, m;
    const struct step_trace *trace;   /* of A, or null */
    const struct step_trace *trace_b; /* of B */
    int tries;
};

struct runner;

/** Gets each finished point. `again`: it was late, and will be tried once more; only the last try counts. */
typedef void runner_report(void *arg, const struct point *p, const struct stage *st, uint64_t rip, bool again);

struct runner *runner_new(runner_report *report, void *arg);
void runner_free(struct runner *r);

/** Runs one point; its verdict comes through `report`, now or later. 0, or -errno when it could not be set up. */
int runner_point(struct runner *r, const struct point *p);

/** Waits for all survivors. */
void runner_drain(struct runner *r);

/** Steps actor `actor` through the whole scene once and writes it down; the check runs too. 0 or -errno. */
int runner_record(struct runner *r, const struct point *p, int actor, struct step_trace *t);

#endif
