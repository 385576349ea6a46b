/* SPDX-License-Identifier: MIT */
#include "remains.h"

#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "region.h"
#include "strait/atomic.h"

/* What one lease has of one object. */
struct grip {
    unsigned locks, taken, claimed;
};

static void count_region(struct ctl_segment *s, const struct strait_object *o, uint32_t lease, struct grip *g)
{
    struct strait_region_view view;
    struct strait_part part;

    if (strait_region_view(&s->map, o, &view) < 0)
        return;
    for (uint32_t i = 0; i < view.parts && strait_region_part(&view, i, &part) == 0; i++) {
        g->locks += strait_lock_owner(strait_load32_relaxed(&part.lock->word)) == lease;
        g->locks += part.cells && strait_load32_relaxed(&part.cells[lease].count) != 0;
    }
}

static void count_channel(struct ctl_segment *s, const struct strait_object *o, uint32_t lease, struct grip *g)
{
    struct strait_channel_view view;
    struct strait_ring_end end;

    if (strait_channel_view(&s->map, o, &view) < 0)
        return;
    for (uint32_t i = 0; i < view.rings; i++) {
        if (strait_channel_end(&view, i, &end) < 0)
            continue;
        for (uint32_t slot = 0; slot <= end.mask; slot++) {
            uint64_t word = strait_load64_relaxed(&strait_ring_slot(&end, slot)->word);
            if ((word & STRAIT_OWNER_MASK) != lease)
                continue;
            g->taken += strait_slot_state(word) == STRAIT_SLOT_TAKEN;
            g->claimed += strait_slot_state(word) == STRAIT_SLOT_CLAIMED;
        }
    }
}

static bool grip_of(struct ctl_segment *s, const struct strait_object *o, uint32_t lease, struct grip *g)
{
    *g = (struct grip){0};
    if (o->kind == STRAIT_KIND_REGION)
        count_region(s, o, lease, g);
    else if (o->kind == STRAIT_KIND_CHANNEL)
        count_channel(s, o, lease, g);
    return g->locks || g->taken || g->claimed;
}

/* ---- text ---- */

static unsigned print_admin(struct ctl_segment *s)
{
    uint32_t holder = ctl_admin_holder(s);
    enum table_colour colour;
    struct ctl_lease l;

    if (holder == STRAIT_LEASE_NONE)
        return 0;
    printf("  the admin lock is held by ");
    if (holder < STRAIT_LEASES && ctl_lease(s, holder, &l)) {
        printf("%s, %s", ctl_lease_name(&l), ctl_lease_state(&l, &colour));
        if (l.state == 'T')
            printf(": nobody can join, leave, create or sweep before it goes on (kill -CONT %u)", l.pid);
    } else {
        printf("somebody who is not attached, or in another pid namespace");
    }
    putchar('\n');
    return 1;
}

static void print_grip(struct ctl_segment *s, const struct ctl_lease *l)
{
    struct strait_object o;
    const char *sep = ": it has";
    struct grip g;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0 || !grip_of(s, &o, l->index, &g))
            continue;
        if (g.locks)
            printf("%s the lock of region %s", sep, ctl_object_name(s, i));
        else
            printf("%s %u taken and %u claimed slots of channel %s", sep, g.taken, g.claimed, ctl_object_name(s, i));
        sep = ",";
    }
}

static unsigned print_dead(struct ctl_segment *s)
{
    struct ctl_lease l;
    unsigned n = 0;

    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(s, i, &l) || l.alive != 0)
            continue;
        printf("  dead, not swept yet: %s", ctl_lease_name(&l));
        print_grip(s, &l);
        printf("; shmctl repair %s\n", ctl_segment_name(s));
        n++;
    }
    return n;
}

/* Locks that an owner died in and nobody has healed. Call `tell` for each: how many. */
static unsigned
each_suspect(struct ctl_segment *s,
             void (*tell)(void *arg, struct ctl_segment *s, uint32_t entry, uint32_t part, bool poisoned), void *arg)
{
    struct strait_region_view view;
    struct strait_object o;
    struct strait_part part;
    unsigned n = 0;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0 || o.kind != STRAIT_KIND_REGION ||
            strait_region_view(&s->map, &o, &view) < 0)
            continue;
        for (uint32_t p = 0; p < view.parts && strait_region_part(&view, p, &part) == 0; p++) {
            uint32_t word = strait_load32_relaxed(&part.lock->word);
            if (!(word & (STRAIT_LOCK_POISONED | STRAIT_LOCK_DIED)))
                continue;
            tell(arg, s, i, p, word & STRAIT_LOCK_POISONED);
            n++;
        }
    }
    return n;
}

static void print_suspect(void *arg, struct ctl_segment *s, uint32_t entry, uint32_t part, bool poisoned)
{
    (void)arg;
    printf("  region %s part %u is %s\n", ctl_object_name(s, entry), part,
           poisoned ? "poisoned: an owner died inside, and who came next did not heal it"
                    : "suspect: an owner died inside; the next one is told (1)");
}

unsigned ctl_remains_print(struct ctl_segment *s)
{
    unsigned n = print_admin(s);

    n += print_dead(s);
    return n + each_suspect(s, print_suspect, NULL);
}

/* ---- JSON ---- */

static void json_suspect(void *arg, struct ctl_segment *s, uint32_t entry, uint32_t part, bool poisoned)
{
    struct json *j = arg;

    json_object(j, NULL);
    json_string(j, "region", ctl_object_name(s, entry));
    json_u64(j, "part", part);
    json_bool(j, "poisoned", poisoned);
    json_close(j);
}

static void json_grips(struct json *j, struct ctl_segment *s, uint32_t lease)
{
    struct strait_object o;
    struct grip g;

    json_array(j, "holds");
    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0 || !grip_of(s, &o, lease, &g))
            continue;
        json_object(j, NULL);
        json_string(j, "object", ctl_object_name(s, i));
        json_string(j, "kind", ctl_kind_name(o.kind));
        json_u64(j, "locks", g.locks);
        json_u64(j, "taken", g.taken);
        json_u64(j, "claimed", g.claimed);
        json_close(j);
    }
    json_close(j);
}

unsigned ctl_remains_json(struct json *j, struct ctl_segment *s)
{
    uint32_t holder = ctl_admin_holder(s);
    struct ctl_lease l;
    unsigned n = holder != STRAIT_LEASE_NONE;

    json_object(j, "admin_lock");
    json_bool(j, "held", holder != STRAIT_LEASE_NONE);
    if (holder != STRAIT_LEASE_NONE && holder < STRAIT_LEASES && ctl_lease(s, holder, &l))
        ctl_json_lease(j, &l);
    json_close(j);
    json_array(j, "dead");
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(s, i, &l) || l.alive != 0)
            continue;
        json_object(j, NULL);
        ctl_json_lease(j, &l);
        json_grips(j, s, i);
        json_close(j);
        n++;
    }
    json_close(j);
    json_array(j, "suspect");
    n += each_suspect(s, json_suspect, j);
    json_close(j);
    return n;
}
