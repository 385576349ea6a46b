/* SPDX-License-Identifier: MIT */
/* States that were seen: a set of 64-bit hashes. Two different states with one hash would hide a part of the search;
 * with 10^7 states the odds of a single such pair are 3 in a million. */
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

#define TABLE_BITS 25
#define TABLE_SIZE (UINT64_C(1) << TABLE_BITS)
#define TABLE_MOST (TABLE_SIZE / 4 * 3)

static uint64_t *table;
static uint64_t used;

void model_states_clear(void)
{
    if (table && used)
        munmap(table, TABLE_SIZE * sizeof *table);
    else if (table)
        return;
    table = mmap(NULL, TABLE_SIZE * sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        abort();
    used = 0;
}

bool model_states_add(uint64_t hash)
{
    uint64_t at;

    hash += hash == 0;
    for (at = hash >> (64 - TABLE_BITS); table[at]; at = (at + 1) & (TABLE_SIZE - 1))
        if (table[at] == hash)
            return false;
    if (used < TABLE_MOST) {
        table[at] = hash;
        used++;
    }
    return true;
}

uint64_t model_states_count(void)
{
    return used;
}

bool model_states_full(void)
{
    return used >= TABLE_MOST;
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
