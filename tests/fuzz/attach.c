/* SPDX-License-Identifier: MIT */
/* Attach to any bytes: the header as it comes, and a good segment of which words have been changed, before and while we
 * look. Everything that validates is called, and what sweeps and joins goes by what they found. */
#include <string.h>

#include "attach.h"
#include "counter.h"
#include "directory.h"
#include "lease.h"
#include "region.h"
#include "reply.h"
#include "strait/bell.h"
#include "sweep.h"
#include "verify.h"
#include "world.h"

#define RAW_BYTES 8192
#define PATH      "/fuzz/strait.world"

/* What a segment of this size can honestly cost; a peer's lies may not make it more. */
#define PATIENCE 3000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void found(struct strait_verify *how, const struct strait_finding *finding)
{
    (void)how;
    MUST(finding->rule < STRAIT_RULES && strait_rules[finding->rule].name);
    MUST(finding->offset < WORLD_BYTES);
}

static void verify(struct strait_segment_map *map, bool admin)
{
    struct strait_verify how = {found, admin};
    strait_verify(map, &how);
}

static void raw(const uint8_t *data, size_t size)
{
    static unsigned char *memory;
    struct strait_misfit misfit;

    if (memory == NULL)
        memory = guarded_new(RAW_BYTES);
    if (size > RAW_BYTES)
        size = RAW_BYTES;
    memcpy(memory + RAW_BYTES - size, data, size);
    strait_segment_check(memory + RAW_BYTES - size, size, &misfit);
}

static void look_at_ring(const struct strait_channel_view *view, uint32_t i)
{
    struct strait_ring_end end;
    struct strait_ring *ring, checked;
    unsigned char *slots;
    uint32_t counts[8];

    if (strait_channel_ring(view, i, &ring, &checked, &slots) < 0)
        return;
    strait_ring_join_producer(&end, ring, &checked, slots, view->map->lease);
    strait_ring_join_consumer(&end, ring, &checked, slots, view->map->lease);
    strait_ring_suspect(&end, view->peek_window);
    strait_ring_count(&end, counts);
    strait_ring_drained(&end);
}

static void look_at_channel(struct strait_segment_map *map, const struct strait_object *object)
{
    struct strait_channel_view view;
    struct strait_dead_letter letter;
    struct strait_reply *reply;
    struct strait_ring_end end;
    unsigned char bytes[64];
    uint64_t token;

    if (strait_channel_view(map, object, &view) < 0)
        return;
    for (uint32_t i = 0; i <= view.rings && i < 4; i++)
        look_at_ring(&view, i);
    for (uint32_t i = 0; i <= view.replies && i < 4; i++)
        strait_reply_at(&view, i, &reply);
    if (strait_reply_open(&view, 1, &end, &token) == 0)
        strait_reply_drop(reply, token, map->lease);
    for (uint64_t i = 0; i < 3; i++) {
        int64_t n = strait_channel_dead_letter(&view, i, &letter, bytes, sizeof bytes);
        MUST(n <= (int64_t)view.slot_bytes);
    }
    strait_channel_settle(&view);
}

static void look_at_state(struct strait_segment_map *map, const struct strait_object *object)
{
    struct strait_region_view region;
    struct strait_counter_view counter;
    struct strait_counter_cell *cell;
    struct strait_part part;
    unsigned char bytes[64];

    if (strait_region_view(map, object, &region) == 0)
        for (uint32_t i = 0; strait_region_part(&region, i, &part) == 0 && i < 4; i++)
            if (part.copy_bytes && part.bytes <= sizeof bytes)
                strait_region_snapshot_step(&part, bytes, part.bytes);
    if (strait_counter_view(map, object, &counter) < 0)
        return;
    strait_counter_sum(&counter);
    if (strait_counter_take(&counter, 0, &cell) == 0)
        strait_counter_give(cell);
}

static void look(struct strait_segment_map *map)
{
    struct strait_object object;
    uint64_t room, longest;

    for (uint32_t i = 0; i < map->directory_max && i < 2 * WORLD_DIR; i++) {
        if (strait_directory_at(map, i, &object) < 0)
            continue;
        if (object.kind == STRAIT_KIND_CHANNEL)
            look_at_channel(map, &object);
        else
            look_at_state(map, &object);
    }
    strait_directory_space(map, &room, &longest);
    MUST(longest <= room && room <= map->bytes);
}

/* how: what 2 | alive 2 | pokes 3 | traps 1 */
static void changed(struct input *in, uint8_t how)
{
    struct strait_segment_shape shape = {.ask = 0};
    struct strait_segment_map map;
    struct strait_misfit misfit;

    world_reset();
    world_patience(PATIENCE);
    world_alive[1] = how & 4;
    world_alive[2] = how & 8;
    for (unsigned i = 1 + (how >> 4 & 7); i && in->left; i--)
        world_poke(in);
    for (unsigned i = how >> 7; i && in->left; i--)
        world_trap(in);
    if ((how & 3) == 3) {
        if (strait_attach_map(&map, PATH, STRAIT_ATTACH_OPEN, &shape, strait_after_ns(1000000000), &misfit) == 0)
            strait_detach_map(&map, strait_after_ns(1000000000));
        return;
    }
    if (strait_segment_open(&map, PATH, true, false, &misfit) < 0)
        return;
    map.lease = 1;
    if ((how & 3) == 2)
        verify(&map, how & 4);
    else
        look(&map);
}

/* Unchanged, everything must be found sound. */
static void set_up(void)
{
    struct strait_verify how = {found, true};
    struct strait_segment_map map;
    struct strait_misfit misfit;

    MUST(strait_segment_open(&map, PATH, true, false, &misfit) == 0);
    MUST(strait_verify(&map, &how) == 0);
    look(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct strait_segment_map map;
    struct input in = {data, size};

    if (map.base == NULL) {
        world_build(&map);
        world_add_all(&map);
        world_keep(&map);
        set_up(); /* a target that gets nowhere finds nothing */
    }
    uint8_t how = input_u8(&in);
    if (how & 3)
        changed(&in, how);
    else
        raw(in.at, in.left);
    return 0;
}
