/* SPDX-License-Identifier: MIT */
#include "show_state.h"

#include <inttypes.h>
#include <stdio.h>

#include "counter.h"
#include "region.h"
#include "strait/atomic.h"

#define PARTS_SHOWN 32

bool ctl_state_good(struct ctl_segment *s, const struct strait_object *o)
{
    struct strait_region_view region;
    struct strait_counter_view counter;

    if (o->kind == STRAIT_KIND_REGION)
        return strait_region_view(&s->map, o, &region) == 0;
    return o->kind != STRAIT_KIND_COUNTER || strait_counter_view(&s->map, o, &counter) == 0;
}

/* ---- regions ---- */

static const char *flavour(uint32_t flags)
{
    return flags & STRAIT_REGION_ATOMIC ? "atomic" : flags & STRAIT_REGION_READERS ? "readers" : "plain";
}

/* "free", "suspect: its owner died inside", … */
static const char *lock_state(uint32_t word, enum table_colour *colour)
{
    uint32_t owner = word & STRAIT_LOCK_OWNER_MASK;

    *colour = TABLE_RED;
    if (word & STRAIT_LOCK_POISONED)
        return "poisoned";
    if (owner == STRAIT_LEASE_ORPHAN)
        return word & STRAIT_LOCK_DIED ? "suspect: an owner died inside" : "free";
    *colour = word & STRAIT_LOCK_DIED ? TABLE_YELLOW : owner ? TABLE_YELLOW : TABLE_GREEN;
    if (word & STRAIT_LOCK_DIED)
        return "held, suspect";
    return owner ? "held" : "free";
}

static uint32_t count_readers(const struct strait_part *part)
{
    uint32_t n = 0;

    for (uint32_t i = 1; part->cells && i < STRAIT_LEASES; i++)
        n += strait_load32_relaxed(&part->cells[i].count) != 0;
    return n;
}

static void print_part(struct table *t, struct ctl_segment *s, uint32_t i, const struct strait_part *part)
{
    uint32_t word = strait_load32_relaxed(&part->lock->word), owner = strait_lock_owner(word);
    enum table_colour colour;
    struct ctl_lease l;

    table_cell(t, TABLE_PLAIN, "%u", i);
    table_cell(t, TABLE_PLAIN, "%s", lock_state(word, &colour));
    t->cells[t->at - 1].colour = colour;
    table_cell(t, TABLE_PLAIN, "%s", owner == 0 ? "-" : ctl_lease(s, owner, &l) ? ctl_lease_name(&l) : "?");
    table_cell(t, TABLE_PLAIN, "%u", count_readers(part));
    table_cell(t, TABLE_PLAIN, "%s", word & STRAIT_LOCK_WAITERS ? "yes" : "no");
    table_cell(t, TABLE_PLAIN, "%" PRIu64, strait_load64_relaxed(&part->lock->contended));
    table_cell(t, TABLE_PLAIN, "%" PRIu64, strait_load64_relaxed(&part->lock->slept));
    table_cell(t, TABLE_PLAIN, "%" PRIu64, strait_load64_relaxed(&part->lock->deaths));
}

void ctl_region_print(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *o)
{
    const char *bold = ctl->colours ? "\033[1m" : "", *plain = ctl->colours ? "\033[0m" : "";
    struct strait_region_view v;
    struct strait_part part;
    struct table t;

    printf("\n%sregion %s%s  ", bold, ctl_object_name(s, o->entry), plain);
    if (strait_region_view(&s->map, o, &v) < 0) {
        printf("damaged: its numbers do not hold together\n");
        return;
    }
    printf("%s, %" PRIu64 " bytes, parts %u\n", flavour(v.flags), v.bytes, v.parts);
    table_begin(&t, ">PART LOCK OWNER >READERS WAITERS >CONTENDED >SLEPT >DEATHS");
    for (uint32_t i = 0; i < v.parts && i < PARTS_SHOWN; i++)
        if (strait_region_part(&v, i, &part) == 0)
            print_part(&t, s, i, &part);
    table_end(&t, stdout, 2, ctl->colours);
    if (v.parts > PARTS_SHOWN)
        printf("  … and %u more parts: --json has all\n", v.parts - PARTS_SHOWN);
}

static void json_part(struct json *j, const struct strait_part *part)
{
    uint32_t word = strait_load32_relaxed(&part->lock->word);

    json_object(j, NULL);
    json_i64(j, "node", (int32_t)strait_load32_relaxed((const uint32_t *)&part->lock->node));
    json_u64(j, "owner", strait_lock_owner(word));
    json_bool(j, "suspect", word & STRAIT_LOCK_DIED);
    json_bool(j, "poisoned", word & STRAIT_LOCK_POISONED);
    json_bool(j, "waiters", word & STRAIT_LOCK_WAITERS);
    json_u64(j, "readers", count_readers(part));
    json_u64(j, "contended", strait_load64_relaxed(&part->lock->contended));
    json_u64(j, "slept", strait_load64_relaxed(&part->lock->slept));
    json_u64(j, "deaths", strait_load64_relaxed(&part->lock->deaths));
    json_u64(j, "commits", strait_load64_relaxed(&part->lock->sequence));
    json_close(j);
}

void ctl_region_json(struct json *j, struct ctl_segment *s, const struct strait_object *o)
{
    struct strait_region_view v;
    struct strait_part part;

    json_object(j, "region");
    if (strait_region_view(&s->map, o, &v) < 0) {
        json_bool(j, "damaged", true);
        json_close(j);
        return;
    }
    json_string(j, "flavour", flavour(v.flags));
    json_u64(j, "bytes", v.bytes);
    json_array(j, "parts");
    for (uint32_t i = 0; i < v.parts; i++)
        if (strait_region_part(&v, i, &part) == 0)
            json_part(j, &part);
    json_close(j);
    json_close(j);
}

/* ---- counters ---- */

static uint32_t used(const struct strait_counter_view *v)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < v->shards; i++)
        n += strait_load32_relaxed(&strait_counter_shard(v, i)->used);
    return n;
}

void ctl_counter_print(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *o)
{
    const char *bold = ctl->colours ? "\033[1m" : "", *plain = ctl->colours ? "\033[0m" : "";
    struct strait_counter_view v;

    printf("\n%scounter %s%s  ", bold, ctl_object_name(s, o->entry), plain);
    if (strait_counter_view(&s->map, o, &v) < 0)
        printf("damaged: its numbers do not hold together\n");
    else
        printf("%" PRId64 " (%u cells, %u used so far; %u shards)\n", (int64_t)strait_counter_sum(&v),
               v.shards * v.cells, used(&v), v.shards);
}

void ctl_counter_json(struct json *j, struct ctl_segment *s, const struct strait_object *o)
{
    struct strait_counter_view v;

    json_object(j, "counter");
    if (strait_counter_view(&s->map, o, &v) < 0) {
        json_bool(j, "damaged", true);
    } else {
        json_i64(j, "sum", (int64_t)strait_counter_sum(&v));
        json_u64(j, "cells", v.shards * v.cells);
        json_array(j, "shards");
        for (uint32_t i = 0; i < v.shards; i++) {
            json_object(j, NULL);
            json_i64(j, "node", (int32_t)strait_load32_relaxed((const uint32_t *)&strait_counter_shard(&v, i)->node));
            json_u64(j, "used", strait_load32_relaxed(&strait_counter_shard(&v, i)->used));
            json_close(j);
        }
        json_close(j);
    }
    json_close(j);
}
