/* SPDX-License-Identifier: MIT */
/**
 * Stop a process at an exact instruction of a window of its code, then let it go on or kill it.
 *
 * The process is a child of the caller, forked from the same image. It calls step_trace_me(), prepares itself, calls
 * step_begin(), runs the operation under test, and calls step_end(). Instruction 0 is the first one after step_begin's
 * own trap; the window ends before the first instruction of step_end.
 *
 * Stepping from the start costs the square of the window, so a step_trace remembers the way: an instruction that is the
 * n-th visit of its address is reached natively, by a breakpoint that is met n times, and only the rest is stepped.
 */
#ifndef STRAIT_TESTS_CRASH_STEP_H
#define STRAIT_TESTS_CRASH_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STEP_WINDOW_MOST (1u << 20) /* instructions; a longer window is an endless one */

enum step_stop {
    STEP_AT,      /* stands before instruction `done` */
    STEP_END,     /* the window is over */
    STEP_BLOCKED, /* the last step is a system call that sleeps (seen for STEP_BLOCKED_NS) */
    STEP_GONE,    /* died, or got a signal that is not ours: see `status` */
    STEP_HUNG     /* ran past its time limit */
};

enum step_change { STEP_CHANGED = 1, STEP_CALLED = 2 };

struct step_trace {
    uint64_t *rip;    /* of instruction i, before it ran */
    uint8_t *changed; /* instruction i changed shared memory (STEP_CHANGED), or was a system call (STEP_CALLED) */
    uint32_t *visit;  /* instruction i is the n-th visit of its address; 0 = it cannot carry a breakpoint */
    size_t n, room;
};

struct step {
    pid_t pid;
    uint64_t done;     /* instructions executed */
    uint64_t rip;      /* where it stands */
    int status;        /* of the last wait */
    bool running;      /* a step was begun and has not been seen to end (STEP_BLOCKED, STEP_HUNG) */
    uint64_t limit_ns; /* of one call here; CLOCK_MONOTONIC duration */
};

/** True where the machine is known to the stepper (x86-64). */
bool step_supported(void);

/** Tracer, once: the timer by which a sleeping child is recognised. 0 or -errno. */
int step_setup(void);

/* The child's part. */
void step_trace_me(void);
void step_begin(void);
void step_end(void);

/** Waits until child `pid` stands at the start of its window. STEP_AT, or STEP_GONE / STEP_HUNG. */
enum step_stop step_attach(struct step *s, pid_t pid, uint64_t limit_ns);

/**
 * Runs to instruction n. `known` (or null) shortens the way. A sleep before instruction n - 1 is waited for; the last
 * instruction's is reported as STEP_BLOCKED, and the process left inside it.
 */
enum step_stop step_to(struct step *s, uint64_t n, const struct step_trace *known);

/** Runs natively to the end of the window. STEP_END, or STEP_GONE / STEP_HUNG. */
enum step_stop step_finish(struct step *s);

/** Lets a process that stands anywhere run on untraced. */
void step_release(struct step *s);

/** SIGKILL where it stands, and reap it. Its address space is gone when this returns. */
void step_kill(struct step *s);

/**
 * Steps through the whole window and writes it down. `hash` (or null) is asked after each instruction; where its answer
 * differs from the last one, the instruction is marked as a change.
 */
enum step_stop step_record(struct step *s, struct step_trace *t, uint64_t (*hash)(void *), void *arg);
void step_trace_free(struct step_trace *t);

/** Is the process asleep in futex(2)? By /proc. */
bool step_asleep(pid_t pid);

uint64_t step_now_ns(void);

#endif
