/* SPDX-License-Identifier: MIT */
/**
 * What messages carry: word i is the message's number + i, so every byte is written, differs from message to message,
 * and is checked by whoever reads it. The first word can also carry the stop bit and the sender.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BENCH_INLINE     static inline __attribute__((always_inline, unused))
#define BENCH_LEAST      8 /* bytes of the smallest message: its number */
#define BENCH_STOP       (UINT64_C(1) << 62)
#define BENCH_FROM_SHIFT 48
#define BENCH_FROM_MASK  UINT64_C(0xFF)
#define BENCH_NUMBER     ((UINT64_C(1) << BENCH_FROM_SHIFT) - 1)

/* What every spin loop here does between two looks: nothing. A pause costs ~20 ns on this kind of machine, and each
 * competitor would pay it once a message. */
#define BENCH_RELAX() ((void)0)

typedef uint64_t bench_word __attribute__((may_alias, aligned(8)));

BENCH_INLINE void payload_fill(void *to, size_t bytes, uint64_t number)
{
    bench_word *w = (bench_word *)to;
    size_t n = bytes / 8;
    for (size_t i = 0; i < n; i++)
        w[i] = number + i;
    for (size_t i = n * 8; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)(number + i);
}

/** 0 when every byte is as payload_fill left it. */
BENCH_INLINE uint64_t payload_check(const void *from, size_t bytes, uint64_t number)
{
    const bench_word *w = (const bench_word *)from;
    size_t n = bytes / 8;
    uint64_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= w[i] ^ (number + i);
    for (size_t i = n * 8; i < bytes; i++)
        bad |= (uint64_t)(((const unsigned char *)from)[i] ^ (unsigned char)(number + i));
    return bad;
}

BENCH_INLINE uint64_t payload_first(const void *from)
{
    return *(const bench_word *)from;
}

#endif
