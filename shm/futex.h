/* SPDX-License-Identifier: MIT */
/** The kernel's futex and membarrier, on shared words. A seam: tests/model has its own. */
#ifndef STRAIT_FUTEX_H
#define STRAIT_FUTEX_H

#include "strait/base.h"

/**
 * Sleep while *word == value, until `until_ns` (CLOCK_MONOTONIC) at the latest. Always a shared futex: see futex(2).
 * 0 woken (or spuriously so), -EAGAIN the word differs, -ETIMEDOUT, -EINTR.
 */
int strait_futex_wait(uint32_t *word, uint32_t value, uint64_t until_ns);

/** Wake at most n sleepers; says how many, or -errno. */
int strait_futex_wake(uint32_t *word, uint32_t n);

/** Let this process be a target of strait_membarrier. 0, or -errno where the kernel or a filter forbids it. */
int strait_membarrier_register(void);

/**
 * A full memory barrier on every running thread of every registered process: MEMBARRIER_CMD_GLOBAL_EXPEDITED,
 * membarrier(2). 1–13 µs. 0 or -errno.
 */
int strait_membarrier(void);

#endif
