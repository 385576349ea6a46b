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
    const struct strait_lock *lock =
        (const void *)(look->map->base + v->parts_off + i * v->part_bytes); /* strait_region_view has checked it */
    uint32_t word = strait_load32_relaxed(&lock->word);

    look->at.slot = i;
    if (!lock_possible(look, word) && strait_load32_relaxed(&lock->word) == word)
        strait_look_found(look, STRAIT_RULE_REGION_LOCK, &lock->word, word);
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

void strait_verify_counter(struct strait_look *look, const struct strait_object *object)
{
    const struct strait_counter_head *head = (const void *)(look->map->base + object->offset);
    struct strait_counter_view v;

    if (strait_counter_view(look->map, object, &v) < 0) {
        strait_look_found(look, STRAIT_RULE_COUNTER_NUMBERS, head, strait_load32_relaxed(&head->cells));
        return;
    }
    for (uint32_t i = 0; i < v.cells; i++) {
        uint32_t lease = strait_load32_relaxed(&v.first[i].lease);

        look->at.slot = i;
        if (lease != STRAIT_LEASE_NONE && !strait_look_lease(look, lease) &&
            strait_load32_relaxed(&v.first[i].lease) == lease)
            strait_look_found(look, STRAIT_RULE_COUNTER_CELL, &v.first[i].lease, lease);
    }
    look->at.slot = STRAIT_NOWHERE;
}
