/* SPDX-License-Identifier: MIT */
/**
 * The memory that the processes of one kill point share: the worker that steps and kills, the actors (victims) and the
 * survivor that checks. It is no part of a segment: what is written here survives any death.
 *
 * Gates are eventless hand-shakes: futex words that go from 0 to 1.
 */
#ifndef STRAIT_TESTS_CRASH_STAGE_H
#define STRAIT_TESTS_CRASH_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STAGE_ACTORS 2
#define STAGE_BYTES  32768 /* the scene's own */
#define STAGE_TEXT   240

/** What was found wrong; the classes that the summary counts. */
enum verdict {
    VERDICT_GOOD,
    VERDICT_LOST,       /* committed and never delivered */
    VERDICT_DUPLICATED, /* delivered more often than the contract says */
    VERDICT_TORN,       /* delivered with bytes that nobody sent */
    VERDICT_ORDER,      /* one producer's messages changed places */
    VERDICT_HUNG,       /* a survivor past its time */
    VERDICT_LEAKED,     /* a slot, lease, entry or name that stays taken */
    VERDICT_BROKEN,     /* anything else: a wrong answer, a crash */
    VERDICTS
};

enum actor_fate {
    FATE_OPEN,   /* not decided */
    FATE_KILLED, /* inside its operation */
    FATE_RAN,    /* its operation returned, then it was killed */
    FATE_LEFT    /* its operation returned, and it left in good order */
};

struct actor {
    uint32_t fate;    /* enum actor_fate. the worker */
    uint32_t entered; /* the actor: it is about to step_begin() */
    int32_t result;   /* the actor, after step_end(): what the operation returned */
    uint32_t returned;
    uint32_t lease; /* the actor, if it knows */
    uint64_t facts[8];
};

struct stage {
    uint32_t prepared;   /* gate: survivor -> worker */
    uint32_t sleeping;   /* survivor: from here on, its first futex call is the one under test */
    uint32_t go;         /* gate: worker -> survivor: the fates are decided */
    uint32_t leave;      /* gate: worker -> actors */
    uint32_t done;       /* gate: survivor -> worker: the verdict stands */
    uint32_t verdict;    /* enum verdict */
    int32_t orphan;      /* an actor's child that outlives it and ends by itself; the worker reaps it */
    uint32_t flavour;    /* a number made from the point: which of several checks; the same when it is tried again */
    uint64_t serial;     /* unique in the machine: names are made from it */
    uint64_t decided_ns; /* worker: when `go` was opened */
    uint64_t waited_ns;  /* survivor: how long it took to learn of the death, where it had to wait */
    struct actor actor[STAGE_ACTORS];
    char object[64]; /* POSIX shared-memory name to remove afterwards, or "" */
    char text[STAGE_TEXT];
    _Alignas(4096) unsigned char memory[STAGE_BYTES];
};

/** A stage of its own for each kill point in flight. NULL when out of memory. */
struct stage *stage_new(void);
void stage_free(struct stage *st);
void stage_reset(struct stage *st, uint64_t serial);

void gate_open(uint32_t *gate);
/** True when it opened within `ns`. */
bool gate_wait(uint32_t *gate, uint64_t ns);

/** Survivor: the first verdict stands; later ones are dropped. Returns false, for `return stage_fail(…)`. */
bool stage_fail(struct stage *st, enum verdict v, const char *format, ...) __attribute__((format(printf, 3, 4)));

const char *verdict_name(enum verdict v);

#endif
