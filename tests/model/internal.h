/* SPDX-License-Identifier: MIT */
/** What the parts of the model checker know of each other. One thread, one search at a time: state is in globals. */
#ifndef STRAIT_TESTS_MODEL_INTERNAL_H
#define STRAIT_TESTS_MODEL_INTERNAL_H

#include <string.h>

#include "engine.h"

#define MODEL_SPAN     ((size_t)512 * 1024) /* bytes between the first and the last shared one */
#define MODEL_STEPS    20000                /* accesses of one run; more is a livelock */
#define MODEL_LOCKS    4
#define MODEL_ROUNDS   200 /* fruitless rounds of pauses before everybody hangs */
#define MODEL_NO_ACTOR UINT8_MAX

enum actor_state { ACTOR_READY, ACTOR_PAUSED, ACTOR_ASLEEP, ACTOR_LOCKED_OUT, ACTOR_DONE, ACTOR_DEAD };

enum run_outcome { RUN_ENDED, RUN_MERGED, RUN_VIOLATED };

struct actor {
    void *sp;
    uint64_t stack_hash;  /* when it was left */
    const uint32_t *word; /* sleeps on */
    uint64_t deadline_ns;
    uint8_t state;
    uint8_t lock;   /* waits for */
    bool timed_out; /* how its sleep ended */
    uint8_t lives;  /* how often it was born again */
};

/* Everything that belongs to one run and is part of its state. */
struct run {
    uint64_t now_ns;
    struct model_bounds left;
    unsigned deaths, timeouts;
    uint8_t current;
    uint8_t fruitless; /* rounds of pauses in which nobody changed anything */
    uint8_t unused[2];
    uint8_t lock_owner[MODEL_LOCKS];
    uint8_t lease_owner[MODEL_LEASES];
};

extern const struct model *model_now;
extern unsigned model_actor_count;
extern struct actor model_actor[MODEL_ACTORS];
extern struct run model_run;
extern uint64_t model_steps_of_run;
extern bool model_tracing;

/* ---- engine.c: choices, ranges, runs ---- */

/* One of n, the first one first. In new territory a state seen before ends the run. `tag` tells choice points of one
 * step apart. */
unsigned model_pick(unsigned n, unsigned tag);
extern unsigned char *model_lowest; /* of the span in which shared memory lies */
extern bool model_shared_word[MODEL_SPAN / 8];
static inline size_t model_offset(const volatile void *p)
{
    return (size_t)((const volatile unsigned char *)p - model_lowest);
}
static inline bool model_is_shared(const volatile void *p)
{
    size_t at = model_offset(p);
    return at < MODEL_SPAN && model_shared_word[at / 8];
}
double model_seconds(void); /* CPU time of this process */
void model_leave(enum run_outcome how) __attribute__((noreturn));
uint64_t model_hash_memory(void);

/* ---- actors.c: coroutines and their schedule ---- */

/* Where the caller's stack begins that a choice point must remember: registers, then frames. */
#if defined(__x86_64__)
#define MODEL_SAVED_REGISTERS 40
#else
#define MODEL_SAVED_REGISTERS 0
#endif
extern const char *model_frame;
extern uint64_t model_pending[3]; /* what the call at hand was given: it may live in no frame any more */
#define MODEL_ENTER(a, b, c)                                                                                           \
    do {                                                                                                               \
        __builtin_unwind_init();                                                                                       \
        model_frame = (const char *)__builtin_frame_address(0) - MODEL_SAVED_REGISTERS;                                \
        model_pending[0] = (uint64_t)(a);                                                                              \
        model_pending[1] = (uint64_t)(b);                                                                              \
        model_pending[2] = (uint64_t)(c);                                                                              \
    } while (0)

void model_actors_reset(void);
enum run_outcome model_actors_run(void);
void model_switch_to_main(enum run_outcome how) __attribute__((noreturn));
uint64_t model_actors_hash(void);
/* Does an actor run? Else it is setup or a check, which look without being scheduled. */
extern bool model_scheduling;
static inline bool model_in_actor(void)
{
    return model_scheduling;
}
void model_point(bool effect); /* before each access: go on, switch, or (before one with an effect) die */
void model_wrote(void);        /* something changed: who paused may look again */
void model_others_may_die(void);
void model_block(enum actor_state state); /* until made ready again */

/* ---- weak.c: who may see which store ---- */

void model_weak_search(void); /* forget the addresses of the search before */
void model_weak_reset(void);
uint64_t model_weak_hash(uint64_t h);
uint64_t model_weak_load(const volatile void *p, unsigned bytes, int order);
void model_weak_store(volatile void *p, unsigned bytes, uint64_t v, int order);
bool model_weak_cas(volatile void *p, unsigned bytes, uint64_t *seen, uint64_t v, int order);
uint64_t model_weak_rmw(volatile void *p, unsigned bytes, uint64_t v, int order, bool add);
void model_weak_fence(unsigned actor, int order);
/* Through a kernel lock, or a death that the kernel saw: everything of `from` happened before. */
void model_weak_publish(unsigned lock);
void model_weak_adopt(unsigned lock);
void model_weak_bequeath(unsigned dead, unsigned lock);
void model_weak_die(unsigned actor, bool reborn);
void model_weak_inherit(unsigned lease);
/* Plain accesses: a race is a violation. */
void model_weak_plain(const void *p, size_t bytes, bool write);

/* ---- states.c ---- */

void model_states_clear(void);
/* True: it is new, or was met with smaller budgets only, or the table is full. */
bool model_states_add(uint64_t hash, unsigned preemptions, unsigned stale);
uint64_t model_states_count(void);
uint64_t model_hash(uint64_t h, const void *p, size_t bytes);
static inline uint64_t model_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

/* ---- trace.c ---- */

void model_trace_clear(void);
void model_labels_clear(void);
void model_trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void model_trace_access(const char *what, const volatile void *p, unsigned bytes, uint64_t v, int order);

#endif
