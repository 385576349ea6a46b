/* SPDX-License-Identifier: MIT */
/**
 * Every access to a shared word goes through this page. It compiles two ways:
 *
 *   default       the compiler's __atomic builtins
 *   STRAIT_MODEL  calls into tests/model: each access is a choice point of a scheduler that explores interleavings,
 *                 weak orders (a load may return any store that C11 lets it see) and deaths
 *
 * Orders are the last word of a name. Every use in the tree says whom it answers:
 *   release [R1] -> [A2] strait_peek: payload precedes word
 * docs/MEMORY_MODEL.md tables the pairs; tools/lint/labels rejects a label without a partner.
 */
#ifndef STRAIT_ATOMIC_H
#define STRAIT_ATOMIC_H

#include <string.h>

#include "base.h"

#ifdef STRAIT_MODEL

STRAIT_BEGIN_DECLS
uint64_t strait_model_load(const volatile void *p, unsigned bytes, int order);
void strait_model_store(volatile void *p, unsigned bytes, uint64_t v, int order);
/* true and stored, or false and *seen is what was there */
bool strait_model_cas(volatile void *p, unsigned bytes, uint64_t *seen, uint64_t v, int order);
uint64_t strait_model_exchange(volatile void *p, unsigned bytes, uint64_t v, int order);
uint64_t strait_model_add(volatile void *p, unsigned bytes, uint64_t v, int order);
void strait_model_fence(int order);
void strait_model_membarrier(void);
void strait_model_read(void *to, const void *from, size_t bytes);  /* plain: a race with a write is an error */
void strait_model_write(void *to, const void *from, size_t bytes); /* plain */
void strait_model_pause(void);
STRAIT_END_DECLS

#define STRAIT_ATOMIC_LOAD(p, bits, order)        ((uint##bits##_t)strait_model_load(p, (bits) / 8, order))
#define STRAIT_ATOMIC_STORE(p, bits, v, order)    strait_model_store(p, (bits) / 8, v, order)
#define STRAIT_ATOMIC_EXCHANGE(p, bits, v, order) ((uint##bits##_t)strait_model_exchange(p, (bits) / 8, v, order))
#define STRAIT_ATOMIC_ADD(p, bits, v, order)      ((uint##bits##_t)strait_model_add(p, (bits) / 8, v, order))

#else

#define STRAIT_ATOMIC_LOAD(p, bits, order)        __atomic_load_n(p, order)
#define STRAIT_ATOMIC_STORE(p, bits, v, order)    __atomic_store_n(p, v, order)
#define STRAIT_ATOMIC_EXCHANGE(p, bits, v, order) __atomic_exchange_n(p, v, order)
#define STRAIT_ATOMIC_ADD(p, bits, v, order)      __atomic_fetch_add(p, v, order)

#endif

/* clang-format off */
#define STRAIT_DEFINE_ATOMICS(bits)                                                                                    \
    STRAIT_INLINE uint##bits##_t strait_load##bits##_relaxed(const uint##bits##_t *p)                                  \
    { return STRAIT_ATOMIC_LOAD(p, bits, __ATOMIC_RELAXED); }                                                          \
    STRAIT_INLINE uint##bits##_t strait_load##bits##_acquire(const uint##bits##_t *p)                                  \
    { return STRAIT_ATOMIC_LOAD(p, bits, __ATOMIC_ACQUIRE); }                                                          \
    STRAIT_INLINE uint##bits##_t strait_load##bits##_seq_cst(const uint##bits##_t *p)                                  \
    { return STRAIT_ATOMIC_LOAD(p, bits, __ATOMIC_SEQ_CST); }                                                          \
    STRAIT_INLINE void strait_store##bits##_relaxed(uint##bits##_t *p, uint##bits##_t v)                               \
    { STRAIT_ATOMIC_STORE(p, bits, v, __ATOMIC_RELAXED); }                                                             \
    STRAIT_INLINE void strait_store##bits##_release(uint##bits##_t *p, uint##bits##_t v)                               \
    { STRAIT_ATOMIC_STORE(p, bits, v, __ATOMIC_RELEASE); }                                                             \
    STRAIT_INLINE void strait_store##bits##_seq_cst(uint##bits##_t *p, uint##bits##_t v)                               \
    { STRAIT_ATOMIC_STORE(p, bits, v, __ATOMIC_SEQ_CST); }                                                             \
    STRAIT_INLINE uint##bits##_t strait_exchange##bits##_acq_rel(uint##bits##_t *p, uint##bits##_t v)                  \
    { return STRAIT_ATOMIC_EXCHANGE(p, bits, v, __ATOMIC_ACQ_REL); }                                                   \
    STRAIT_INLINE uint##bits##_t strait_add##bits##_relaxed(uint##bits##_t *p, uint##bits##_t v)                       \
    { return STRAIT_ATOMIC_ADD(p, bits, v, __ATOMIC_RELAXED); }                                                        \
    STRAIT_INLINE uint##bits##_t strait_add##bits##_seq_cst(uint##bits##_t *p, uint##bits##_t v)                       \
    { return STRAIT_ATOMIC_ADD(p, bits, v, __ATOMIC_SEQ_CST); }
/* clang-format on */

STRAIT_DEFINE_ATOMICS(16)
STRAIT_DEFINE_ATOMICS(32)
STRAIT_DEFINE_ATOMICS(64)

#ifdef STRAIT_MODEL

#define STRAIT_DEFINE_CAS(bits)                                                                                        \
    STRAIT_INLINE bool strait_cas##bits(uint##bits##_t *p, uint##bits##_t *seen, uint##bits##_t v)                     \
    {                                                                                                                  \
        uint64_t was = *seen;                                                                                          \
        bool done = strait_model_cas(p, (bits) / 8, &was, v, __ATOMIC_SEQ_CST);                                        \
        *seen = (uint##bits##_t)was;                                                                                   \
        return done;                                                                                                   \
    }

STRAIT_INLINE void strait_fence_acquire(void)
{
    strait_model_fence(__ATOMIC_ACQUIRE);
}
STRAIT_INLINE void strait_fence_release(void)
{
    strait_model_fence(__ATOMIC_RELEASE);
}
STRAIT_INLINE void strait_fence_seq_cst(void)
{
    strait_model_fence(__ATOMIC_SEQ_CST);
}
/* The sender's half of an ASYM bell: the compiler keeps the order, the sleeper's membarrier does the rest. */
STRAIT_INLINE void strait_fence_compiler(void)
{
}
STRAIT_INLINE void strait_pause(void)
{
    strait_model_pause();
}
STRAIT_INLINE void strait_payload_write(void *to, const void *from, size_t bytes)
{
    strait_model_write(to, from, bytes);
}
STRAIT_INLINE void strait_payload_read(void *to, const void *from, size_t bytes)
{
    strait_model_read(to, from, bytes);
}

#else

/* Compare-and-swap is always sequentially consistent: on x86 it costs the same, on arm64 (casal) nearly; and the
 * protocols that look at `closed` or at sleepers right after a claim lean on it. */
#define STRAIT_DEFINE_CAS(bits)                                                                                        \
    STRAIT_INLINE bool strait_cas##bits(uint##bits##_t *p, uint##bits##_t *seen, uint##bits##_t v)                     \
    {                                                                                                                  \
        return __atomic_compare_exchange_n(p, seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);                     \
    }

#if defined(__SANITIZE_THREAD__)
#define STRAIT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRAIT_TSAN 1
#endif
#endif

#ifdef STRAIT_TSAN
/* ThreadSanitizer does not know fences: a read-modify-write of one common word orders at least as much. */
STRAIT_BEGIN_DECLS
STRAIT_API extern uint32_t strait_tsan_fence;
STRAIT_END_DECLS
#define STRAIT_FENCE(order) ((void)__atomic_fetch_add(&strait_tsan_fence, 0, __ATOMIC_SEQ_CST))
#else
#define STRAIT_FENCE(order) __atomic_thread_fence(order)
#endif

STRAIT_INLINE void strait_fence_acquire(void)
{
    STRAIT_FENCE(__ATOMIC_ACQUIRE);
}
STRAIT_INLINE void strait_fence_release(void)
{
    STRAIT_FENCE(__ATOMIC_RELEASE);
}
STRAIT_INLINE void strait_fence_seq_cst(void)
{
    STRAIT_FENCE(__ATOMIC_SEQ_CST);
}
/* The sender's half of an ASYM bell: the compiler keeps the order, the sleeper's membarrier does the rest. */
STRAIT_INLINE void strait_fence_compiler(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
STRAIT_INLINE void strait_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
#endif
}
STRAIT_INLINE void strait_payload_write(void *to, const void *from, size_t bytes)
{
    if (bytes) /* an empty message may come from NULL, memcpy may not */
        memcpy(to, from, bytes);
}
STRAIT_INLINE void strait_payload_read(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
}

#endif

STRAIT_DEFINE_CAS(16)
STRAIT_DEFINE_CAS(32)
STRAIT_DEFINE_CAS(64)

#endif
