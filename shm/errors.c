/* SPDX-License-Identifier: MIT */
#include "errors.h"

#include <string.h>
#include <time.h>

#include "strait/atomic.h"

#define KIND_SHIFT 56
#define LEASE_BITS 16

/* The clock of the last tick: people do not see the difference, and a full channel that drops is not held up. */
static uint64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* One name has one cell of a kind, whether the object was made anew meanwhile or not. FNV-1a. */
uint64_t strait_error_key(enum strait_error_kind kind, const char *object)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < STRAIT_NAME_BYTES && object[i]; i++)
        hash = (hash ^ (unsigned char)object[i]) * UINT64_C(0x100000001b3);
    return (uint64_t)kind << KIND_SHIFT | hash >> 8;
}

static void copy_words(uint64_t *to, const void *from, size_t words)
{
    const unsigned char *at = from;

    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, at + 8 * i, sizeof word);
        strait_store64_relaxed(to + i, word);
    }
}

/* Whoever meets a cell before its first count fills it in: its claimer may have died. */
static void fill(struct strait_error_cell *cell, const char name[STRAIT_NAME_BYTES])
{
    uint64_t seen = 0;

    if (strait_load64_relaxed(&cell->count))
        return;
    copy_words(cell->object, name, STRAIT_NAME_BYTES / 8);
    strait_cas64(&cell->first_ns, &seen, wall_ns()); /* seq_cst [E3] alone: the first one's time stays */
}

struct strait_error_cell *strait_error_find(const struct strait_segment_map *map, enum strait_error_kind kind,
                                            const char *object)
{
    char name[STRAIT_NAME_BYTES] = {0};
    uint64_t key;

    memcpy(name, object,
           strnlen(object, sizeof name - 1)); /* hashed as copied, whatever a peer writes there meanwhile */
    name[sizeof name - 1] = 0;
    key = strait_error_key(kind, name);
    for (uint32_t i = 0; i < STRAIT_ERRORS; i++) {
        struct strait_error_cell *cell = strait_segment_error(map, (uint32_t)((key + i) % STRAIT_ERRORS));
        uint64_t seen = strait_load64_relaxed(&cell->key);
        if (seen == 0 && strait_cas64(&cell->key, &seen, key)) /* seq_cst [E4] alone: reserves */
            seen = key;
        if (seen != key)
            continue;
        fill(cell, name);
        return cell;
    }
    strait_add64_relaxed(&strait_segment_header(map)->errors_lost, 1);
    return NULL;
}

void strait_error_count(const struct strait_segment_map *map, struct strait_error_cell *cell, uint32_t lease,
                        uint64_t n)
{
    uint64_t now = wall_ns(), who = lease;

    if (cell == NULL)
        return;
    if (lease < STRAIT_LEASES)
        who |= (uint64_t)strait_load32_relaxed(&strait_segment_lease(map, lease)->pid) << LEASE_BITS;
    if (strait_load64_relaxed(&cell->who) != who) {
        if (lease < STRAIT_LEASES)
            copy_words(cell->program, strait_segment_lease(map, lease)->program, STRAIT_PROGRAM_BYTES / 8);
        strait_store64_relaxed(&cell->who, who);
    }
    if (strait_load64_relaxed(&cell->last_ns) != now)
        strait_store64_relaxed(&cell->last_ns, now);
    strait_add64_seq_cst(&cell->count, n); /* seq_cst [E1] -> [E2] strait_error_read: what the cell says precedes it */
}

void strait_error_note(const struct strait_segment_map *map, enum strait_error_kind kind, const char *object,
                       uint32_t lease, uint64_t n)
{
    if (n)
        strait_error_count(map, strait_error_find(map, kind, object), lease, n);
}

static void read_words(char *to, const uint64_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        uint64_t word = strait_load64_relaxed(from + i);
        memcpy(to + 8 * i, &word, sizeof word);
    }
    to[8 * words - 1] = 0;
}

bool strait_error_read(const struct strait_segment_map *map, uint32_t i, struct strait_error_seen *seen)
{
    const struct strait_error_cell *cell = strait_segment_error(map, i);
    uint64_t count = strait_load64_acquire(&cell->count); /* acquire [E2] <- [E1] strait_error_count */
    uint64_t kind = strait_load64_relaxed(&cell->key) >> KIND_SHIFT, who = strait_load64_relaxed(&cell->who);

    if (count == 0 || kind == STRAIT_ERROR_NONE || kind >= STRAIT_ERROR_KINDS)
        return false;
    *seen = (struct strait_error_seen){.kind = (enum strait_error_kind)kind,
                                       .count = count,
                                       .first_ns = strait_load64_relaxed(&cell->first_ns),
                                       .last_ns = strait_load64_relaxed(&cell->last_ns),
                                       .pid = (uint32_t)(who >> LEASE_BITS),
                                       .lease = (uint32_t)who & 0xFFFF};
    read_words(seen->object, cell->object, STRAIT_NAME_BYTES / 8);
    read_words(seen->program, cell->program, STRAIT_PROGRAM_BYTES / 8);
    return true;
}
