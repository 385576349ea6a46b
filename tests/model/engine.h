/* SPDX-License-Identifier: MIT */
/**
 * A deterministic model checker for the real code of shm/, compiled with -DSTRAIT_MODEL.
 *
 * Actors are coroutines of one thread. Every shared access, fence, pause, sleep, wake, lock and lease probe is a choice
 * point: go on, switch to another actor (a preemption, bounded), or die (bounded). The checker runs a model again and
 * again from its first state, depth first over the choices, until all of them within the bounds were tried or time is up.
 * A state that was seen before, with the same budgets left, is not followed twice (states.c).
 *
 * In MODEL_WEAK memory a load may also return an older store, as far as C11 lets the actor see it (weak.c).
 */
#ifndef STRAIT_TESTS_MODEL_ENGINE_H
#define STRAIT_TESTS_MODEL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_ACTORS 6
#define MODEL_RANGES 96
#define MODEL_LEASES 16

enum model_memory { MODEL_SC, MODEL_WEAK };

struct model_actor {
    const char *name;
    void (*run)(void *arg);
    void *arg;
    uint16_t lease; /* held from the start; 0 = none */
    bool mortal;    /* death may strike it */
    bool reborn;    /* after its death it begins again, as a new process: model_lives() tells */
    bool may_hang;  /* asleep for ever at the end is no violation */
};

/** How far a search goes. Each is a budget of one schedule. */
struct model_bounds {
    unsigned preemptions; /* switches away from an actor that could have gone on */
    unsigned deaths;
    unsigned stale;    /* MODEL_WEAK: loads of another store than the newest, and stores placed before a newer one */
    unsigned timeouts; /* sleeps that run out although somebody could still run */
};

struct model {
    const char *name;
    const char *about;
    enum model_memory memory;
    struct model_bounds bounds;
    /* Builds the first state, once: writes shared and private memory, says so by model_share and model_private. */
    void (*setup)(void);
    struct model_actor actors[MODEL_ACTORS];
    /* Nobody can run and sleeps are about to run out: the place to look for lost wakes. May be NULL. */
    void (*idle)(void);
    /* An actor has died (its lease is free to be probed). May be NULL. */
    void (*died)(unsigned actor);
    /* Everybody has finished, died or hangs. */
    void (*end)(void);
};

struct model_result {
    uint64_t schedules; /* runs to the end, or to a state seen before */
    uint64_t merged;    /* of those, the ones that ended in a state seen before */
    uint64_t states;    /* different states at choice points */
    uint64_t steps;     /* shared accesses in all */
    double seconds;
    bool exhaustive; /* every choice within the bounds was tried */
    bool violated;
    char violation[400];
};

/* ---- a search ---- */

/** Explores until done, violated, or `seconds` of CPU time are over. With a violation the trace is kept for model_trace(). */
void model_explore(const struct model *m, const struct model_bounds *b, double seconds, struct model_result *r);

/** The failing schedule of the last search, a line an access; "" if there was none. */
const char *model_trace(void);

/** Whether states seen before end a run (on unless switched off: to count schedules, to check the checker). */
void model_merge(bool on);

/* ---- for setup ---- */

/** The model that is being set up or run. */
const struct model *model_current(void);

/** Memory that actors share, in whole 8-byte words: every access to it is a choice point. All shared memory must lie
 * within 512 KiB, and what lies between its ranges is only read. */
void model_share(void *at, size_t bytes);

/** Memory that is put back before each run, but is not worth a choice point: handles, statistics, what the checks
 * remember; shared words that are written under the admin lock only and read nowhere else. */
void model_private(void *at, size_t bytes);

/** Names a shared word in traces; show, if not NULL, writes a value for people. */
void model_label(const void *at, size_t bytes, void (*show)(uint64_t v, char *text, size_t n), const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- for actors, idle, died and end ---- */

void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define MODEL_CHECK(cond, ...)                                                                                         \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            model_fail(__VA_ARGS__);                                                                                   \
    } while (0)

/** For idle: this is a good end, nothing more is to come. */
void model_finish(void) __attribute__((noreturn));

/** A line in the trace; free when nobody traces. */
void model_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Is a run under way (else it is setup)? */
bool model_running(void);
/** The running actor. */
unsigned model_self(void);
bool model_is_dead(unsigned actor);
bool model_is_asleep(unsigned actor);
bool model_is_done(unsigned actor);
unsigned model_lives(unsigned actor); /* how often it has died and begun again */
unsigned model_deaths(void);          /* so far in this run */
unsigned model_timeouts(void);        /* sleeps that ran out so far in this run */
/** A choice of the harness's own, 0 … n-1: all are tried. */
unsigned model_choose(unsigned n);
/** Who holds a lease is known to checks without asking the kernel. */
bool model_lease_is_held(unsigned lease);
/** The newest value, without a choice point: for checks. */
uint64_t model_peek(const volatile void *p, unsigned bytes);

/* ---- what the kernel gives, for seams.c ---- */

int model_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns); /* 0, -EAGAIN, -ETIMEDOUT */
int model_futex_wake(const uint32_t *word, unsigned n);                              /* how many woke up */
void model_lock(unsigned lock);                                                      /* 0..3; freed by death */
bool model_trylock(unsigned lock);
void model_lock_wait(unsigned lock); /* until somebody lets go, or at once if it is free */
void model_unlock(unsigned lock);
bool model_lock_held(unsigned lock); /* by the running actor */
void model_lease_take(unsigned lease);
void model_lease_drop_mine(void);
bool model_lease_alive(unsigned lease); /* a probe, asked of the kernel */
uint64_t model_now_ns(void);

/* ---- the main program of a harness ---- */

/** Runs the models for [-t seconds], one report line each; returns the exit status. */
int model_main(int argc, char **argv, const struct model *const *models, unsigned n);

#endif
