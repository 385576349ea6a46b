/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin.h"
#include "lease.h"
#include "reply.h"
#include "sweep.h"

#define SEGMENT_BYTES  ((size_t)96 * 1024)
#define LEASES_OFF     4096
#define DIRECTORY_OFF  (SEGMENT_BYTES - 12 * 4096)
#define ARENA_OFF      (SEGMENT_BYTES - 8 * 4096)
#define LEASES_IN_PLAY 7 /* 1 … 6 can be handed out */

static _Alignas(4096) unsigned char segment[SEGMENT_BYTES];
static struct strait_segment_map maps[MODEL_ACTORS + 1]; /* the last one is the checks' own */
static struct strait_channel_view views[MODEL_ACTORS + 1];
static struct strait_channel_plan plan;
static const unsigned outside = MODEL_ACTORS;

struct strait_channel *world_channel(void)
{
    return views[outside].shared;
}

struct strait_ring *world_ring(unsigned i)
{
    return (struct strait_ring *)(void *)(segment + ARENA_OFF + plan.rings_at) + i;
}

struct strait_slot *world_slot(unsigned i)
{
    return (struct strait_slot *)(void *)(segment + ARENA_OFF + plan.slots_at +
                                          i * (size_t)strait_ring_stride(plan.slot_bytes));
}

struct strait_reply *world_reply(unsigned i)
{
    return (struct strait_reply *)(void *)(segment + ARENA_OFF + plan.replies_at) + i;
}

/* ---- traces ---- */

static const char *const states[8] = {"FREE", "CLAIMED", "READY", "TAKEN", "VOID", "RETURNED", "6?", "7?"};

void world_show_slot(uint64_t word, char *text, size_t n)
{
    snprintf(text, n, "%s turn %llu attempts %u owner %u", states[strait_slot_state(word)],
             (unsigned long long)(word >> STRAIT_TURN_SHIFT), strait_slot_attempts(word),
             (unsigned)(word & STRAIT_OWNER_MASK));
}

static void show_reply(uint64_t word, char *text, size_t n)
{
    static const char *const names[6] = {"FREE", "OPEN", "BUSY", "DONE", "ABANDONED", "FAILED"};
    snprintf(text, n, "%s generation %llu owner %u", strait_reply_state(word) < 6 ? names[strait_reply_state(word)] : "?",
             (unsigned long long)strait_reply_generation(word), strait_reply_owner(word));
}

static void label_bell(const struct strait_bell *bell, const char *name)
{
    model_label(&bell->seq, 4, NULL, "%s.seq", name);
    model_label(&bell->mode, 4, NULL, "%s.mode", name);
    model_label(&bell->sleepers, 8, NULL, "%s.sleepers", name);
}

static void label_ring(struct strait_ring *ring, const char *name, unsigned char *slots, uint32_t slot_bytes)
{
    uint32_t stride = strait_ring_stride(slot_bytes);

    model_label(&ring->tail_hint, 8, NULL, "%s.tail_hint", name);
    model_label(&ring->head_hint, 8, NULL, "%s.head_hint", name);
    model_label(&ring->producer, 4, NULL, "%s.producer", name);
    model_label(&ring->consumer, 4, NULL, "%s.consumer", name);
    model_label(&ring->returned, 4, NULL, "%s.returned", name);
    model_label(&ring->suspect, 4, NULL, "%s.suspect", name);
    for (unsigned i = 0; i < ring->capacity; i++) {
        model_label(slots + i * (size_t)stride, 8, world_show_slot, "%s[%u].word", name, i);
        model_label(slots + i * (size_t)stride + 8, 8, NULL, "%s[%u].head", name, i);
        model_label(slots + i * (size_t)stride + STRAIT_SLOT_HEAD, stride - STRAIT_SLOT_HEAD, NULL, "%s[%u].payload",
                    name, i);
    }
}

static void label_channel(void)
{
    struct strait_channel *c = world_channel();

    label_bell(&c->readable, "readable");
    label_bell(&c->writable, "writable");
    model_label(&c->status, 4, NULL, "status");
    model_label(&c->senders, 8, NULL, "senders");
    model_label(&c->receivers, 8, NULL, "receivers");
    label_ring(world_ring(0), "ring", (unsigned char *)world_slot(0), plan.slot_bytes);
    for (unsigned i = 0; i < plan.replies; i++) {
        char name[24];
        snprintf(name, sizeof name, "reply%u", i);
        model_label(&world_reply(i)->word, 8, show_reply, "%s.word", name);
        model_label(&world_reply(i)->caller, 4, NULL, "%s.caller", name);
        label_bell(&world_reply(i)->readable, name);
        label_ring(&world_reply(i)->ring, name, segment + world_reply(i)->ring.slots_off, plan.reply_bytes);
    }
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++)
        model_label(&strait_segment_lease(&maps[outside], i)->state, 4, NULL, "lease%u.state", i);
}

/* ---- what is shared ---- */

static void share_ring(struct strait_ring *ring, unsigned char *slots, uint32_t slot_bytes)
{
    model_share(&ring->tail_hint, 8);
    model_share(&ring->head_hint, 8);
    model_share(&ring->producer, 16); /* consumer, returned, suspect as well */
    model_share(slots, ring->capacity * (size_t)strait_ring_stride(slot_bytes));
}

static void share_bell(struct strait_bell *bell)
{
    model_share(bell, offsetof(struct strait_bell, sleeps));
}

static void share_replies(void)
{
    for (unsigned i = 0; i < plan.replies; i++) {
        struct strait_reply *reply = world_reply(i);
        model_share(&reply->word, 16); /* caller as well */
        share_bell(&reply->readable);
        share_bell(&reply->writable);
        share_ring(&reply->ring, segment + reply->ring.slots_off, plan.reply_bytes);
    }
}

/* Statistics and references are put back but are no choice points: nothing is decided by them. */
static void share_channel(void)
{
    struct strait_channel *c = world_channel();
    struct strait_segment_map *map = &maps[outside];

    share_ring(world_ring(0), (unsigned char *)world_slot(0), plan.slot_bytes);
    model_share(&c->status, 16);
    share_bell(&c->readable);
    share_bell(&c->writable);
    model_share(&c->senders, 8);
    model_share(&c->receivers, 8);
    share_replies();
    model_private(&c->holders, 8);
    model_private(&c->readable.sleeps, 8);
    model_private(&c->writable.sleeps, 8);
    model_private(&c->dropped_new, 32);
    model_private(segment + ARENA_OFF + plan.dead_at, plan.bytes - plan.dead_at);
    model_private(&strait_segment_header(map)->sweeps, 16);
    model_private(&strait_segment_entry(map, 0)->refs, 8);
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++) {
        struct strait_lease_cell *cell = strait_segment_lease(map, i);
        model_share(&cell->state, 8);
        model_private(&cell->generation, 8);
        model_private(cell->waits, sizeof cell->waits);
    }
    for (unsigned i = 0; i <= MODEL_ACTORS; i++)
        model_private(&maps[i], offsetof(struct strait_segment_map, device));
}

/* ---- setup ---- */

static void map_for(unsigned i, uint32_t lease)
{
    maps[i] = (struct strait_segment_map){.base = segment,
                                          .bytes = SEGMENT_BYTES,
                                          .fd = 3,
                                          .writable = true,
                                          .cpus = 1,
                                          .lease = lease,
                                          .leases_off = LEASES_OFF,
                                          .directory_off = DIRECTORY_OFF,
                                          .arena_off = ARENA_OFF,
                                          .directory_max = 1};
}

static void build_segment(void)
{
    struct strait_object object = {.kind = STRAIT_KIND_CHANNEL, .offset = ARENA_OFF, .bytes = (size_t)8 * 4096};
    struct strait_entry *entry;

    memset(segment, 0, sizeof segment);
    map_for(outside, 0);
    if (strait_channel_measure(&plan) < 0 || plan.bytes > object.bytes ||
        LEASES_OFF + STRAIT_LEASES * sizeof(struct strait_lease_cell) > DIRECTORY_OFF)
        abort();
    entry = strait_segment_entry(&maps[outside], 0);
    *entry = (struct strait_entry){.kind = object.kind, .offset = object.offset, .bytes = object.bytes, .name = "c"};
    strait_channel_build(&maps[outside], &object, &plan);
    entry->state = STRAIT_ENTRY_LIVE;
    for (unsigned i = 0; i <= MODEL_ACTORS; i++) {
        if (i != outside)
            map_for(i, 0);
        if (strait_channel_view(&maps[i], &object, &views[i]) < 0)
            abort();
    }
}

void world_setup(const struct strait_channel_plan *wanted)
{
    plan = *wanted;
    plan.rings = 1;
    plan.max_attempts = plan.max_attempts ? plan.max_attempts : 3;
    plan.peek_window = plan.peek_window ? plan.peek_window : 1;
    build_segment();
    for (unsigned i = 0; i < MODEL_ACTORS; i++) {
        uint32_t lease = model_current()->actors[i].lease;
        if (!lease)
            continue;
        maps[i].lease = lease;
        strait_segment_lease(&maps[i], lease)->state = STRAIT_LEASE_USED;
    }
    share_channel();
    label_channel();
}

/* ---- processes ---- */

struct process world_process(void)
{
    unsigned self = model_self();
    struct process p = {&maps[self], &views[self]};

    if (model_lives(self) == 0 && maps[self].lease)
        return p;
    p.map->lease = 0;
    p.map->admin = 0;
    if (strait_admin_enter(p.map, STRAIT_FOREVER) < 0)
        model_fail("no admin section");
    strait_sweep_admin(p.map);
    if (strait_lease_take(p.map) < 0)
        model_fail("no lease is free after a sweep");
    strait_admin_leave(p.map);
    return p;
}

static int open_end(const struct process *p, struct strait_ring_end *end, enum strait_role role, uint32_t many)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;
    int r = strait_channel_ring(p->view, 0, &ring, &checked, &slots);

    if (r < 0)
        return r;
    if (strait_admin_enter(p->map, STRAIT_FOREVER) < 0)
        model_fail("no admin section");
    r = strait_channel_enter(p->view, role, checked.flags & many ? NULL : ring);
    if (r == -EOWNERDEAD) {
        strait_sweep_admin(p->map);
        r = strait_channel_enter(p->view, role, ring);
    }
    if (r == 0 && role == STRAIT_ROLE_SENDER)
        strait_ring_join_producer(end, ring, &checked, slots, p->map->lease);
    else if (r == 0)
        strait_ring_join_consumer(end, ring, &checked, slots, p->map->lease);
    if (r == 0 && role == STRAIT_ROLE_RECEIVER && !(checked.flags & many) &&
        strait_load32_relaxed(&ring->suspect)) {
        strait_ring_suspect(end, p->view->peek_window);
        strait_store32_relaxed(&ring->suspect, 0);
    }
    strait_admin_leave(p->map);
    return r;
}

int world_open_sender(const struct process *p, struct strait_ring_end *end)
{
    return open_end(p, end, STRAIT_ROLE_SENDER, STRAIT_RING_MANY_PRODUCERS);
}

int world_open_receiver(const struct process *p, struct strait_ring_end *end)
{
    return open_end(p, end, STRAIT_ROLE_RECEIVER, STRAIT_RING_MANY_CONSUMERS);
}

bool world_unswept(void)
{
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++)
        if (model_peek(&strait_segment_lease(&maps[outside], i)->state, 4) == STRAIT_LEASE_USED &&
            !model_lease_is_held(i))
            return true;
    return false;
}

void world_idle(const struct process *p)
{
    if (world_unswept())
        strait_sweep(p->map, STRAIT_FOREVER);
    else
        strait_pause();
}

/* ---- for checks ---- */

void world_bury_all(void)
{
    strait_sweep(&maps[outside], STRAIT_FOREVER);
}

static void outside_ring(struct strait_ring **ring, struct strait_ring *checked, unsigned char **slots)
{
    if (strait_channel_ring(&views[outside], 0, ring, checked, slots) < 0)
        model_fail("the ring's numbers have changed");
}

void world_producer_end(struct strait_ring_end *end)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;

    outside_ring(&ring, &checked, &slots);
    strait_ring_join_producer(end, ring, &checked, slots, LEASES_IN_PLAY);
}

void world_consumer_end(struct strait_ring_end *end)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;

    outside_ring(&ring, &checked, &slots);
    strait_ring_join_consumer(end, ring, &checked, slots, LEASES_IN_PLAY);
}
