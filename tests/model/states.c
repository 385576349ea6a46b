/* SPDX-License-Identifier: MIT */
/* States that were seen: a set of 64-bit hashes. Two different states with one hash would hide a part of the search;
 * with 10^7 states the odds of a single such pair are 3 in a million. */
#include <stdlib.h>

#include "internal.h"

#define BITS_FIRST 14 /* small, because every new page of the table costs a fault */
#define BITS_MOST  26

static uint64_t *table;
static uint8_t *budgets; /* the largest that a state was met with: preemptions 4 | stale 4 */
static uint64_t used;
static unsigned bits;

static uint64_t *new_table(unsigned b, uint8_t **left)
{
    uint64_t *t = calloc((size_t)1 << b, sizeof *t);

    *left = calloc((size_t)1 << b, sizeof **left);
    if (!t || !*left)
        abort();
    return t;
}

void model_states_clear(void)
{
    free(table);
    free(budgets);
    bits = BITS_FIRST;
    table = new_table(bits, &budgets);
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
    uint8_t *old_budgets = budgets;

    table = new_table(++bits, &budgets);
    for (uint64_t i = 0; i < n; i++)
        if (old[i]) {
            uint64_t *place = find(old[i]);
            *place = old[i];
            budgets[place - table] = old_budgets[i];
        }
    free(old);
    free(old_budgets);
}

/* With two budgets neither of which is the larger one, the last is remembered: it costs a repetition, no more. */
bool model_states_add(uint64_t hash, unsigned preemptions, unsigned stale)
{
    uint8_t left = (uint8_t)((preemptions < 15 ? preemptions : 15) << 4 | (stale < 15 ? stale : 15));
    uint64_t *place;

    hash += hash == 0;
    place = find(hash);
    if (*place == hash) {
        uint8_t was = budgets[place - table];
        if (was >> 4 >= left >> 4 && (was & 15) >= (left & 15))
            return false;
        budgets[place - table] = left;
        return true;
    }
    if (used >= ((uint64_t)3 << bits) / 4) {
        if (bits == BITS_MOST)
            return true; /* from now on the search repeats itself */
        grow();
        place = find(hash);
    }
    *place = hash;
    budgets[place - table] = left;
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
