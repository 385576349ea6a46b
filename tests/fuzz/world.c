/* SPDX-License-Identifier: MIT */
#include "seam.h"

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter.h"
#include "directory.h"
#include "region.h"
#include "strait/atomic.h"

#define GUARD    (UINT64_C(1) << 30)
#define TRAPS    8
#define PAUSE_NS 1000000 /* dear, or a wait that only spins (a lie can make a channel busy) takes thousands of them */

const char *const world_names[WORLD_CHANNELS] = {"many", "drop", "sole", "lanes"};
bool world_alive[STRAIT_LEASES];
uint64_t world_now_ns = 1000000000;
uint64_t world_arena_off = STRAIT_PAGE;

static unsigned char *watched;
static size_t watched_bytes;
unsigned char *world_segment;
static struct strait_segment_map shape_of;
static uint64_t accesses; /* so far, of this input */
static uint64_t allowed;  /* more of them is a hang */
static uint64_t event;    /* the access at which a trap springs, or patience ends */
bool world_unlinked;
static uint64_t focus, focus_bytes; /* 0 = everything */

_Noreturn void world_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* ---- input ---- */

uint8_t input_u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

uint16_t input_u16(struct input *in)
{
    uint16_t low = input_u8(in);
    return (uint16_t)(low | input_u8(in) << 8);
}

uint64_t input_u64(struct input *in)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 64; i += 8)
        v |= (uint64_t)input_u8(in) << i;
    return v;
}

/* ---- memory ---- */

unsigned char *guarded_new(size_t bytes)
{
    unsigned char *at = mmap(NULL, 2 * GUARD + bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED || mprotect(at + GUARD, bytes, PROT_READ | PROT_WRITE) < 0) {
        perror("guarded memory");
        exit(1);
    }
    return at + GUARD;
}

void world_watch(unsigned char *base, size_t bytes)
{
    watched = base;
    watched_bytes = bytes;
}

static struct trap {
    uint64_t at; /* access; 0 = none */
    uint64_t *word;
    uint64_t value;
    uint8_t how;
} traps[TRAPS];

/* ---- segment ---- */

static unsigned char kept[WORLD_BYTES];

void world_build(struct strait_segment_map *map)
{
    struct strait_segment_shape shape = {.bytes = WORLD_BYTES, .directory_max = WORLD_DIR, .mode = 0600};

    world_segment = guarded_new(WORLD_BYTES);
    world_watch(world_segment, WORLD_BYTES);
    world_patience(UINT64_MAX);
    MUST(strait_segment_build(map, "/fuzz/strait.world", &shape) == 0);
    shape_of = *map;
    world_arena_off = map->arena_off;
}

void world_add(struct strait_segment_map *map, const char *name, struct strait_channel_plan plan)
{
    struct strait_object object;

    MUST(strait_channel_measure(&plan) == 0);
    MUST(strait_directory_prepare(map, name, STRAIT_KIND_CHANNEL, plan.bytes, -1, &object) == 0);
    strait_channel_build(map, &object, &plan);
    strait_directory_publish(map, &object);
}

static void add_state(struct strait_segment_map *map)
{
    struct strait_region_plan plan = {.parts = 3, .bytes = 64, .flags = STRAIT_REGION_ATOMIC};
    struct strait_counter_plan cells = {.handles = 4, .shards = 1};
    struct strait_object o;

    MUST(strait_region_measure(&plan) == 0);
    MUST(strait_directory_prepare(map, "region", STRAIT_KIND_REGION, plan.object_bytes, -1, &o) == 0);
    strait_region_build(map, &o, &plan);
    strait_directory_publish(map, &o);
    MUST(strait_counter_measure(&cells) == 0);
    MUST(strait_directory_prepare(map, "counter", STRAIT_KIND_COUNTER, cells.object_bytes, -1, &o) == 0);
    strait_counter_build(map, &o, &cells);
    strait_directory_publish(map, &o);
}

void world_add_all(struct strait_segment_map *map)
{
    const uint32_t many = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS;
    struct strait_channel_plan plan = {
        .slot_bytes = 32, .capacity = 4, .rings = 1, .max_attempts = 3, .peek_window = 2, .dead_max = 2};

    plan.flags = many;
    plan.replies = 2;
    plan.reply_bytes = 16;
    plan.reply_capacity = 2;
    plan.first_turn = (UINT64_C(1) << 40) - 1;
    world_add(map, world_names[0], plan);
    plan.replies = 0;
    plan.first_turn = 0;
    plan.full = STRAIT_FULL_DROP_OLDEST;
    plan.flags = many | STRAIT_CHANNEL_PACKED;
    plan.peek_window = 1;
    world_add(map, world_names[1], plan);
    plan.full = STRAIT_FULL_WAIT;
    plan.flags = STRAIT_CHANNEL_PACKED;
    world_add(map, world_names[2], plan);
    plan.flags = many | STRAIT_CHANNEL_LANES;
    plan.rings = 2;
    world_add(map, world_names[3], plan);
    add_state(map);
}

void world_keep(const struct strait_segment_map *map)
{
    memcpy(kept, map->base, WORLD_BYTES);
}

static void begin(void)
{
    memset(traps, 0, sizeof traps);
    accesses = 0;
    world_patience(UINT64_MAX);
    world_unlinked = false;
    world_now_ns = 1000000000;
}

void world_reset(void)
{
    if (focus_bytes)
        memcpy(world_segment + focus, kept + focus, focus_bytes);
    else
        memcpy(world_segment, kept, WORLD_BYTES);
    memset(world_alive, 0, sizeof world_alive);
    begin();
}

void world_focus(uint64_t offset, uint64_t bytes)
{
    focus = offset;
    focus_bytes = bytes;
}

void world_raw(unsigned char *memory, size_t bytes)
{
    world_segment = memory;
    focus = 0;
    focus_bytes = bytes;
    world_watch(memory, bytes);
    memset(memory, 0, bytes);
    begin();
}

void world_map(struct strait_segment_map *map, uint32_t lease)
{
    *map = shape_of;
    map->lease = lease;
    map->cpus = 2;
    world_alive[lease] = true;
}

/* ---- the hostile peer ---- */

static uint64_t *word_at(uint16_t where)
{
    uint64_t reach = STRAIT_PAGE + WORLD_LEASES * sizeof(struct strait_lease_cell);
    uint64_t off = (where & 0x3fff) * UINT64_C(8);

    if (focus_bytes)
        return (uint64_t *)(void *)(world_segment + focus + where * UINT64_C(8) % focus_bytes);
    switch (where >> 14) {
    case 0: /* header, first leases */
        off %= reach;
        break;
    case 1: /* directory */
        off = shape_of.directory_off + off % (shape_of.arena_off - shape_of.directory_off);
        break;
    default:
        off = shape_of.arena_off + off % (WORLD_BYTES - shape_of.arena_off);
        break;
    }
    return (uint64_t *)(void *)(world_segment + off);
}

static uint64_t changed(uint64_t was, uint8_t how, uint64_t value)
{
    switch (how & 7) {
    case 0:
        return value;
    case 1:
        return was + value;
    case 2:
        return was ^ UINT64_C(1) << (how >> 3);
    case 3:
        return was + (UINT64_C(1) << (how >> 3));
    case 4:
        return was - (UINT64_C(1) << (how >> 3));
    case 5: /* another state and owner, the turn as it is: what the ring's rules go by */
        return (was & STRAIT_TURN_MASK) | (value & ~STRAIT_TURN_MASK);
    case 6:
        return (was & UINT64_C(0xffffffff00000000)) | (value & UINT64_C(0xffffffff));
    default:
        return ~UINT64_C(0) << (how >> 3);
    }
}

static bool takes_value(uint8_t how)
{
    return (how & 7) < 2 || (how & 7) == 5 || (how & 7) == 6;
}

void world_poke(struct input *in)
{
    uint64_t *word = word_at(input_u16(in));
    uint8_t how = input_u8(in);

    *word = changed(*word, how, takes_value(how) ? input_u64(in) : 0);
}

static void find_next_event(void)
{
    event = allowed == UINT64_MAX ? UINT64_MAX : allowed + 1;
    for (int i = 0; i < TRAPS; i++)
        if (traps[i].at && traps[i].at < event)
            event = traps[i].at;
}

void world_trap(struct input *in)
{
    uint8_t after = input_u8(in);
    uint64_t *word = word_at(input_u16(in));
    uint8_t how = input_u8(in);
    uint64_t value = takes_value(how) ? input_u64(in) : 0;

    for (int i = 0; i < TRAPS; i++) {
        if (traps[i].at)
            continue;
        traps[i] = (struct trap){accesses + 1 + after, word, value, how};
        break;
    }
    find_next_event();
}

static void happen(void)
{
    MUST(accesses <= allowed);
    for (int i = 0; i < TRAPS; i++) {
        if (traps[i].at == 0 || traps[i].at > accesses)
            continue;
        *traps[i].word = changed(*traps[i].word, traps[i].how, traps[i].value);
        traps[i].at = 0;
    }
    find_next_event();
}

void world_patience(uint64_t more)
{
    allowed = more > UINT64_MAX - accesses ? UINT64_MAX : accesses + more;
    find_next_event();
}

/* ---- every access of the library comes by here ---- */

/* Not in the segment: private words (the admin mutex) live far away; what lies in a guard is out of the segment. */
static void elsewhere(uint64_t off)
{
    MUST(off + GUARD >= watched_bytes + 2 * GUARD);
}

static inline void touch(const volatile void *p, size_t bytes)
{
    uint64_t off = (uint64_t)((const volatile unsigned char *)p - watched);

    if (off > watched_bytes || bytes > watched_bytes - off)
        elsewhere(off);
    if (++accesses >= event)
        happen();
}

void world_access(const volatile void *p, size_t bytes)
{
    touch(p, bytes);
}

uint64_t strait_model_load(const volatile void *p, unsigned bytes, int order)
{
    (void)order;
    touch(p, bytes);
    switch (bytes) {
    case 2:
        return *(const volatile uint16_t *)p;
    case 4:
        return *(const volatile uint32_t *)p;
    default:
        return *(const volatile uint64_t *)p;
    }
}

static void put(volatile void *p, unsigned bytes, uint64_t v)
{
    switch (bytes) {
    case 2:
        *(volatile uint16_t *)p = (uint16_t)v;
        break;
    case 4:
        *(volatile uint32_t *)p = (uint32_t)v;
        break;
    default:
        *(volatile uint64_t *)p = v;
        break;
    }
}

void strait_model_store(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    (void)order;
    touch(p, bytes);
    put(p, bytes, v);
}

bool strait_model_cas(volatile void *p, unsigned bytes, uint64_t *seen, uint64_t v, int order)
{
    uint64_t was = strait_model_load(p, bytes, order);

    if (was == *seen) {
        put(p, bytes, v);
        return true;
    }
    *seen = was;
    return false;
}

uint64_t strait_model_exchange(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    uint64_t was = strait_model_load(p, bytes, order);
    put(p, bytes, v);
    return was;
}

uint64_t strait_model_add(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    uint64_t was = strait_model_load(p, bytes, order);
    put(p, bytes, was + v);
    return was;
}

void strait_model_fence(int order)
{
    (void)order;
}

void strait_model_membarrier(void)
{
}

void strait_model_read(void *to, const void *from, size_t bytes)
{
    touch(from, bytes);
    memcpy(to, from, bytes);
}

void strait_model_write(void *to, const void *from, size_t bytes)
{
    touch(to, bytes);
    memcpy(to, from, bytes);
}

void strait_model_pause(void)
{
    world_now_ns += PAUSE_NS;
}
