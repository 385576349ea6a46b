/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin.h"
#include "lease.h"
#include "process.h"
#include "reply.h"
#include "sweep.h"

#define SEGMENT_BYTES  ((size_t)96 * 1024)
#define LEASES_OFF     4096
#define DIRECTORY_OFF  (SEGMENT_BYTES - 12 * 4096)
#define ARENA_OFF      (SEGMENT_BYTES - 8 * 4096)
#define LEASES_IN_PLAY 7 /* 1 … 6 can be handed out */
#define HEAP_BYTES     1024

static _Alignas(4096) unsigned char segment[SEGMENT_BYTES];
static struct strait_segment processes[MODEL_ACTORS + 1]; /* the last one is the checks' own */
static struct {
    uint64_t used;
    _Alignas(16) unsigned char bytes[HEAP_BYTES];
} heaps[MODEL_ACTORS + 1];
static struct strait_channel_view view; /* the checks' own */
static struct strait_channel_plan plan;
struct strait_part world_part;
static const unsigned outside = MODEL_ACTORS;
static unsigned acting; /* during setup */
static const uint32_t home = 1;

struct strait_channel *world_channel(void)
{
    return view.shared;
}

struct strait_ring *world_ring(unsigned i)
{
    return (struct strait_ring *)(void *)(segment + ARENA_OFF + plan.rings_at) + i;
}

struct strait_slot *world_slot(unsigned i)
{
    return (struct strait_slot *)(void *)(segment + ARENA_OFF + plan.slots_at + i / plan.capacity * plan.ring_bytes +
                                          i % plan.capacity * strait_ring_stride(plan.slot_bytes));
}

static unsigned char *slots_of(unsigned ring)
{
    return (unsigned char *)world_slot(ring * plan.capacity); /* one ring's behind another's */
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
    snprintf(text, n, "%s generation %llu owner %u",
             strait_reply_state(word) < 6 ? names[strait_reply_state(word)] : "?",
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
    label_bell(&ring->writable, name);
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
    model_label(&c->status, 4, NULL, "status");
    model_label(&c->senders, 8, NULL, "senders");
    model_label(&c->receivers, 8, NULL, "receivers");
    for (unsigned i = 0; i < plan.rings; i++) {
        char name[24];
        snprintf(name, sizeof name, plan.rings > 1 ? "ring%u" : "ring", i);
        label_ring(world_ring(i), name, slots_of(i), plan.slot_bytes);
    }
    for (unsigned i = 0; i < plan.replies; i++) {
        char name[24];
        snprintf(name, sizeof name, "reply%u", i);
        model_label(&world_reply(i)->word, 8, show_reply, "%s.word", name);
        model_label(&world_reply(i)->caller, 4, NULL, "%s.caller", name);
        label_bell(&world_reply(i)->readable, name);
        label_ring(&world_reply(i)->ring, name, segment + world_reply(i)->ring.slots_off, plan.reply_bytes);
    }
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++)
        model_label(&strait_segment_lease(&processes[outside].map, i)->state, 4, NULL, "lease%u.state", i);
}

/* ---- what is shared ---- */

static void share_bell(struct strait_bell *bell)
{
    model_share(bell, offsetof(struct strait_bell, sleeps));
}

static void share_ring(struct strait_ring *ring, unsigned char *slots, uint32_t slot_bytes)
{
    model_share(&ring->tail_hint, 8);
    model_share(&ring->head_hint, 8);
    model_share(&ring->producer, 16); /* consumer, returned, suspect as well */
    share_bell(&ring->writable);
    model_share(slots, ring->capacity * (size_t)strait_ring_stride(slot_bytes));
}

static void share_replies(void)
{
    for (unsigned i = 0; i < plan.replies; i++) {
        struct strait_reply *reply = world_reply(i);
        model_share(&reply->word, 16); /* caller as well */
        share_bell(&reply->readable);
        model_private(&reply->readable.sleeps, 8);
        share_ring(&reply->ring, segment + reply->ring.slots_off, plan.reply_bytes);
    }
}

/* Statistics and references are put back but are no choice points: nothing is decided by them. */
static void share_channel(void)
{
    struct strait_channel *c = world_channel();

    for (unsigned i = 0; i < plan.rings; i++) {
        share_ring(world_ring(i), slots_of(i), plan.slot_bytes);
        model_private(&world_ring(i)->writable.sleeps, 8);
    }
    model_share(&c->status, 16);
    share_bell(&c->readable);
    model_share(&c->senders, 8);
    model_share(&c->receivers, 8);
    share_replies();
    model_private(&c->holders, 8);
    model_private(&c->readable.sleeps, 8);
    model_private(&c->dropped_new, 32);
    model_private(segment + ARENA_OFF + plan.dead_at, plan.bytes - plan.dead_at);
}

/* Leases, and what each process has for itself. */
static void share_processes(void)
{
    struct strait_segment_map *map = &processes[outside].map;

    model_private(&strait_segment_header(map)->sweeps, 16);
    model_private(&strait_segment_entry(map, 0)->refs, 8);
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++) {
        struct strait_lease_cell *cell = strait_segment_lease(map, i);
        model_share(&cell->state, 8);
        model_private(&cell->generation, 8);
        model_private(cell->waits, sizeof cell->waits);
    }
    for (unsigned i = 0; i < MODEL_ACTORS && model_current()->actors[i].run; i++) {
        model_private(&processes[i].map, offsetof(struct strait_segment_map, device));
        model_private(&processes[i].endpoints, sizeof(struct strait_endpoint *));
        model_private(&processes[i].handles, sizeof(struct strait_handle *));
        model_private(&heaps[i], sizeof heaps[i]);
    }
}

/* ---- setup ---- */

static void map_for(unsigned i, uint32_t lease)
{
    processes[i].home = &home;
    processes[i].endpoints = NULL;
    processes[i].handles = NULL;
    processes[i].map = (struct strait_segment_map){.base = segment,
                                                   .bytes = SEGMENT_BYTES,
                                                   .fd = 3,
                                                   .writable = true,
                                                   .cpus = 1,
                                                   .lease = lease,
                                                   .leases_off = LEASES_OFF,
                                                   .directory_off = DIRECTORY_OFF,
                                                   .arena_off = ARENA_OFF,
                                                   .directory_max = 1};
    memset(&heaps[i], 0, sizeof heaps[i]);
}

static struct strait_object object_of(uint32_t kind)
{
    return (struct strait_object){.kind = kind, .offset = ARENA_OFF, .bytes = (size_t)8 * 4096};
}

/* A segment whose only object lies where it will be built, and the processes of the first lives. */
static void build_segment(const struct strait_object *object, const char *name, uint64_t bytes)
{
    struct strait_entry *entry;

    memset(segment, 0, sizeof segment);
    map_for(outside, 0);
    if (bytes > object->bytes || LEASES_OFF + STRAIT_LEASES * sizeof(struct strait_lease_cell) > DIRECTORY_OFF)
        abort();
    entry = strait_segment_entry(&processes[outside].map, 0);
    *entry = (struct strait_entry){
        .state = STRAIT_ENTRY_LIVE, .kind = object->kind, .offset = object->offset, .bytes = object->bytes};
    strcpy(entry->name, name);
    for (unsigned i = 0; i < MODEL_ACTORS; i++) {
        uint32_t lease = model_current()->actors[i].lease;
        map_for(i, lease);
        if (lease)
            strait_segment_lease(&processes[i].map, lease)->state = STRAIT_LEASE_USED;
    }
}

void world_setup(const struct strait_channel_plan *wanted)
{
    struct strait_object object = object_of(STRAIT_KIND_CHANNEL);

    plan = *wanted;
    plan.rings = plan.rings ? plan.rings : 1;
    plan.max_attempts = plan.max_attempts ? plan.max_attempts : 3;
    plan.peek_window = plan.peek_window ? plan.peek_window : 1;
    if (strait_channel_measure(&plan) < 0)
        abort();
    build_segment(&object, WORLD_CHANNEL, plan.bytes);
    strait_channel_build(&processes[outside].map, &object, &plan);
    if (strait_channel_view(&processes[outside].map, &object, &view) < 0)
        abort();
    share_channel();
    share_processes();
    label_channel();
}

/* ---- a region instead ---- */

static void share_part(const struct strait_part *part)
{
    model_share(&part->lock->word, 16);
    model_private(&part->lock->contended, 24);
    model_share(&part->lock->sequence, 8);
    for (unsigned i = 0; part->cells && i < LEASES_IN_PLAY; i++) {
        model_share(&part->cells[i].count, 8);
        model_label(&part->cells[i].count, 4, NULL, "cell%u", i);
    }
    model_share(part->data, part->bytes);
    if (part->copy_bytes) {
        model_share(part->data + part->copy_bytes, part->bytes);
        model_label(part->data + part->copy_bytes, part->bytes, NULL, "copy1");
    }
    model_label(&part->lock->word, 4, NULL, "word");
    model_label(&part->lock->draining, 4, NULL, "draining");
    model_label(&part->lock->drained, 4, NULL, "drained");
    model_label(&part->lock->sequence, 8, NULL, "sequence");
    model_label(part->data, part->bytes, NULL, "copy0");
}

void world_setup_region(struct strait_region_plan *wanted)
{
    struct strait_object object = object_of(STRAIT_KIND_REGION);
    struct strait_region_view region;

    wanted->parts = 1;
    if (strait_region_measure(wanted) < 0)
        abort();
    build_segment(&object, WORLD_REGION, wanted->object_bytes);
    strait_region_build(&processes[outside].map, &object, wanted);
    if (strait_region_view(&processes[outside].map, &object, &region) < 0 ||
        strait_region_part(&region, 0, &world_part) < 0)
        abort();
    share_part(&world_part);
    model_share(&region.shared->readers, 8);
    share_processes();
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++)
        model_label(&strait_segment_lease(&processes[outside].map, i)->state, 4, NULL, "lease%u.state", i);
}

/* ---- processes ---- */

struct strait_segment *world_process(void)
{
    unsigned self = model_self();
    struct strait_segment *s = &processes[self];

    if (model_lives(self) == 0 && s->map.lease)
        return s;
    s->map.lease = 0;
    s->map.admin = 0;
    s->endpoints = NULL;
    s->handles = NULL;
    memset(&heaps[self], 0, sizeof heaps[self]);
    if (strait_admin_enter(&s->map, STRAIT_FOREVER) < 0)
        model_fail("no admin section");
    strait_sweep_admin(&s->map);
    if (strait_lease_take(&s->map) < 0)
        model_fail("no lease is free after a sweep");
    strait_admin_leave(&s->map);
    return s;
}

struct strait_segment *world_become(unsigned actor)
{
    acting = actor;
    return &processes[actor];
}

void *world_allocate(size_t bytes)
{
    unsigned self = model_running() ? model_self() : acting;
    void *at = heaps[self].bytes + heaps[self].used;

    bytes = (bytes + 15) / 16 * 16;
    if (bytes > HEAP_BYTES - heaps[self].used)
        model_fail("a process needs more than %d bytes", HEAP_BYTES);
    heaps[self].used += bytes;
    return at;
}

bool world_unswept(void)
{
    for (unsigned i = 1; i < LEASES_IN_PLAY; i++)
        if (model_peek(&strait_segment_lease(&processes[outside].map, i)->state, 4) == STRAIT_LEASE_USED &&
            !model_lease_is_held(i))
            return true;
    return false;
}

void world_idle(struct strait_segment *s)
{
    if (world_unswept())
        strait_sweep(&s->map, STRAIT_FOREVER);
    else
        strait_pause();
}

/* ---- for checks ---- */

void world_bury_all(void)
{
    strait_sweep(&processes[outside].map, STRAIT_FOREVER);
}

static void outside_ring(unsigned i, struct strait_ring **ring, struct strait_ring *checked, unsigned char **slots)
{
    if (strait_channel_ring(&view, i, ring, checked, slots) < 0)
        model_fail("the ring's numbers have changed");
}

void world_producer_end(unsigned i, struct strait_ring_end *end)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;

    outside_ring(i, &ring, &checked, &slots);
    strait_ring_join_producer(end, ring, &checked, slots, LEASES_IN_PLAY);
}

void world_consumer_end(unsigned i, struct strait_ring_end *end)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;

    outside_ring(i, &ring, &checked, &slots);
    strait_ring_join_consumer(end, ring, &checked, slots, LEASES_IN_PLAY);
}
