/* SPDX-License-Identifier: MIT */
/* What verify knows of regions and counters. Their words are changed by others' leaves and deaths only under the admin
 * lock, and by their owners in between; so a word that names no lease in use is judged if it still stands. */
#include "counter.h"
#include "region.h"
#include "strait/atomic.h"
#include "verify.h"

#define FLAGS (STRAIT_LOCK_DIED | STRAIT_LOCK_POISONED | STRAIT_LOCK_WAITERS)

static bool lock_possible(const struct strait_look *look, uint32_t word)
{
    uint32_t owner = word & STRAIT_LOCK_OWNER_MASK;

    if (word & ~(FLAGS | STRAIT_LOCK_OWNER_MASK))
        return false;
    return owner == STRAIT_LEASE_NONE || owner == STRAIT_LEASE_ORPHAN || strait_look_lease(look, owner);
}

static void verify_part(struct strait_look *look, const struct strait_region_view *v, uint32_t i)
{
    uint64_t run = v->parts_off + i / v->run_parts * v->run_bytes; /* strait_region_view has checked it */
    const struct strait_lock *lock = (const void *)(look->map->base + run + i % v->run_parts * v->part_bytes);
    uint32_t word = strait_load32_relaxed(&lock->word);

    look->at.slot = i;
    if (!lock_possible(look, word) && strait_load32_relaxed(&lock->word) == word)
        strait_look_found(look, STRAIT_RULE_REGION_LOCK, &lock->word, word);
    if (i % v->run_parts == 0)
        strait_look_node(look, &lock->node, run, v->run_bytes);
}

void strait_verify_region(struct strait_look *look, const struct strait_object *object)
{
    const struct strait_region_head *head = (const void *)(look->map->base + object->offset);
    struct strait_region_view v;

    if (strait_region_view(look->map, object, &v) < 0) {
        strait_look_found(look, STRAIT_RULE_REGION_NUMBERS, head, strait_load32_relaxed(&head->parts));
        return;
    }
    strait_verify_set(look, STRAIT_RULE_REGION_READERS, &head->readers);
    for (uint32_t i = 0; i < v.parts; i++)
        verify_part(look, &v, i);
    look->at.slot = STRAIT_NOWHERE;
}

static void verify_cell(struct strait_look *look, uint32_t i, const uint32_t *said)
{
    uint32_t lease = strait_load32_relaxed(said);

    look->at.slot = i;
    if (lease != STRAIT_LEASE_NONE && !strait_look_lease(look, lease) && strait_load32_relaxed(said) == lease)
        strait_look_found(look, STRAIT_RULE_COUNTER_CELL, said, lease);
}

void strait_verify_counter(struct strait_look *look, const struct strait_object *object)
{
    const struct strait_counter_head *head = (const void *)(look->map->base + object->offset);
    struct strait_counter_view v;

    if (strait_counter_view(look->map, object, &v) < 0) {
        strait_look_found(look, STRAIT_RULE_COUNTER_NUMBERS, head, strait_load32_relaxed(&head->cells));
        return;
    }
    for (uint32_t i = 0; i < v.shards; i++) {
        strait_look_node(look, &strait_counter_shard(&v, i)->node, v.shards_off + i * v.shard_bytes, v.shard_bytes);
        for (uint32_t k = 0; k < v.cells; k++)
            verify_cell(look, i * v.cells + k, &strait_counter_cell(&v, i, k)->lease);
    }
    look->at.slot = STRAIT_NOWHERE;
}
