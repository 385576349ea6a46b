/* SPDX-License-Identifier: MIT */
/** Words that every floor uses: visibility, time, sizes, the lease numbers that are nobody's. */
#ifndef STRAIT_BASE_H
#define STRAIT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define STRAIT_BEGIN_DECLS               extern "C" {
#define STRAIT_END_DECLS                 }
#define STRAIT_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define STRAIT_BEGIN_DECLS
#define STRAIT_END_DECLS
#define STRAIT_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

/** A symbol of the shared library; everything else is hidden. */
#define STRAIT_API __attribute__((visibility("default")))

/* The inline fast path. shm/inline.c sets it empty, so that every inline is an exported symbol too
 * (for ctypes, dlsym and languages without a C compiler at hand). */
#ifndef STRAIT_INLINE
#define STRAIT_INLINE static inline __attribute__((always_inline, unused))
#endif

#define STRAIT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define STRAIT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/** Cache line size that the layout is made for, in bytes. */
#define STRAIT_LINE 64

/** Deadlines are absolute CLOCK_MONOTONIC nanoseconds. The two special ones: */
#define STRAIT_NOW     UINT64_C(0) /**< do not wait: -EAGAIN at once */
#define STRAIT_FOREVER UINT64_MAX  /**< wait without a deadline */

STRAIT_BEGIN_DECLS

/** CLOCK_MONOTONIC in nanoseconds. Any thread; never fails. */
STRAIT_API uint64_t strait_now_ns(void);

/** The deadline that lies `ns` nanoseconds from now; saturates at STRAIT_FOREVER. */
STRAIT_API uint64_t strait_after_ns(uint64_t ns);

STRAIT_END_DECLS

#endif
