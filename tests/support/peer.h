/* SPDX-License-Identifier: MIT */
/**
 * Other processes of a test, and how they meet it: gates in shared memory that go from 0 to 1. Nobody sleeps to be in
 * time; whoever waits for what never comes says so after PATIENCE_S and fails.
 */
#ifndef STRAIT_TESTS_PEER_H
#define STRAIT_TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PATIENCE_S 20

/** In any process of a test: true, or the test fails here, with the library's last sentence. */
#define CHECK(cond) ((cond) ? (void)0 : peer_fail(__FILE__, __LINE__, #cond))

/** got == want, both printed when they differ. */
#define CHECK_IS(got, want)                                                                                            \
    do {                                                                                                               \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                                                        \
        if (got_ != want_)                                                                                             \
            peer_differs(__FILE__, __LINE__, #got, got_, want_);                                                       \
    } while (0)

_Noreturn void peer_fail(const char *file, int line, const char *what);
_Noreturn void peer_differs(const char *file, int line, const char *what, int64_t got, int64_t want);

/** Zeroed memory that this process and the peers it starts share. It is no part of a segment. */
void *shared_new(size_t bytes);
void shared_free(void *memory, size_t bytes);

/** Start a process that runs act(arg) and exits with 0; it dies with this one. */
pid_t peer_start(void (*act)(void *arg), void *arg);

/** Wait for its end, which must be a good one: exit status 0. */
void peer_join(pid_t pid);

/** SIGKILL, and wait until it is gone. */
void peer_kill(pid_t pid);

/** SIGSTOP, and wait until it stands; SIGCONT. */
void peer_stop(pid_t pid);
void peer_continue(pid_t pid);

/** Wait until one of its threads sleeps in the kernel (state S), at most PATIENCE_S. */
void peer_await_sleep(pid_t pid);

typedef uint32_t gate; /* 0 shut, 1 open; in shared memory */

void gate_open(gate *g);
void gate_wait(gate *g);
bool gate_is_open(const gate *g);

/** Add 1; wait until at least n have been added. */
void gate_count(gate *g);
void gate_wait_count(gate *g, uint32_t n);

/** The deadline that no honest step of a test reaches. */
uint64_t soon(void);

/** STRAIT_SHORT is set: n / 10, at least 1; else n. */
uint32_t test_rounds(uint32_t n);

#endif
