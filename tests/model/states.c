/* SPDX-License-Identifier: MIT */
/* States that were seen: a set of 64-bit hashes. Two different states with one hash would hide a part of the search;
 * with 10^7 states the odds of a single such pair are 3 in a million. */
#include <stdlib.h>

#include "internal.h"

#define BITS_FIRST 14 /* small, because every new page of the table costs a fault */
#define BITS_MOST  26

static uint64_t *table;
static uint64_t used;
static unsigned bits;

static uint64_t *new_table(unsigned b)
{
    uint64_t *t = calloc((size_t)1 << b, sizeof *t);

    if (!t)
        abort();
    return t;
}

void model_states_clear(void)
{
    free(table);
    bits = BITS_FIRST;
    table = new_table(bits);
    used = 0;
}

/* Where the hash is, or where it would go. */
static uint64_t *find(uint64_t hash)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, at = hash >> (64 - bits);

    while (table[at] && table[at] != hash)
        at = (at + 1) & mask;
    return &table[at];
}

static void grow(void)
{
    uint64_t *old = table, n = (uint64_t)1 << bits;

    table = new_table(++bits);
    for (uint64_t i = 0; i < n; i++)
        if (old[i])
            *find(old[i]) = old[i];
    free(old);
}

bool model_states_add(uint64_t hash)
{
    uint64_t *place;

    hash += hash == 0;
    place = find(hash);
    if (*place == hash)
        return false;
    if (used >= ((uint64_t)3 << bits) / 4) {
        if (bits == BITS_MOST)
            return true; /* from now on the search repeats itself */
        grow();
        place = find(hash);
    }
    *place = hash;
    used++;
    return true;
}

uint64_t model_states_count(void)
{
    return used;
}

static uint64_t word_at(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Four lanes, because one multiplication has to wait for the one before. */
uint64_t model_hash(uint64_t h, const void *p, size_t bytes)
{
    const unsigned char *at = p;
    uint64_t a = h, b = h + 1, c = h + 2, d = h + 3, last = 0;

    for (; bytes >= 32; at += 32, bytes -= 32) {
        a = model_mix(a, word_at(at));
        b = model_mix(b, word_at(at + 8));
        c = model_mix(c, word_at(at + 16));
        d = model_mix(d, word_at(at + 24));
    }
    for (; bytes >= 8; at += 8, bytes -= 8)
        a = model_mix(a, word_at(at));
    memcpy(&last, at, bytes);
    return model_mix(model_mix(model_mix(model_mix(a, last), b), c), d);
}
