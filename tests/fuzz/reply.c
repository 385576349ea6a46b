/* SPDX-License-Identifier: MIT */
/* Reply words and tokens as a peer may write them, between any two accesses of caller, worker and sweep. */
#include <string.h>

#include "reply.h"
#include "world.h"

#define PARTIES 3 /* leases 1 to 3 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct party {
    struct strait_segment_map map;
    struct strait_channel_view view;
    struct strait_ring_end calls, answers;
    struct strait_reply *called, *answering;
    uint64_t token; /* of what it called */
    uint64_t job;   /* of what it answers */
};

static struct party parties[PARTIES + 1];

static void must_be_inside(const struct strait_ring_end *end)
{
    uint64_t off = (uint64_t)(end->slots - parties[1].map.base);
    MUST(off < WORLD_BYTES && (uint64_t)(end->mask + UINT64_C(1)) * end->stride <= WORLD_BYTES - off);
}

static void call(struct party *p, struct input *in)
{
    uint64_t token;

    if (strait_reply_open(&p->view, input_u8(in), &p->calls, &token) < 0)
        return;
    must_be_inside(&p->calls);
    p->token = token;
    MUST(strait_reply_at(&p->view, (uint32_t)(token & STRAIT_TOKEN_INDEX_MASK), &p->called) == 0);
}

static void accept(struct party *p, uint64_t token)
{
    struct strait_reply *reply;

    if (strait_reply_accept(&p->view, token, &p->answers, &reply) < 0)
        return;
    must_be_inside(&p->answers);
    p->answering = reply;
    p->job = token;
}

static void exchange(struct party *p)
{
    struct strait_place place;

    if (p->answering && strait_reply_wanted(p->answering, p->job, p->map.lease) == 0 &&
        strait_ring_claim(&p->answers, &place) == 0) {
        strait_store64_relaxed(&place.slot->head, strait_head(4, 0, 0));
        strait_ring_commit(&p->answers, &place);
    }
    if (p->called && strait_ring_find(&p->calls, &place) == 0 && strait_ring_take(&p->calls, &place) == 0)
        strait_ring_release(&place);
}

static void act(struct party *p, uint8_t op, struct input *in)
{
    switch (op >> 4) {
    case 0:
        call(p, in);
        break;
    case 1:
        accept(p, parties[1 + input_u8(in) % PARTIES].token);
        break;
    case 2:
        accept(p, input_u64(in));
        break;
    case 3:
    case 4:
        exchange(p);
        break;
    case 5:
        if (p->answering)
            strait_reply_finish(p->answering, p->job, p->map.lease);
        break;
    case 6:
        if (p->answering)
            strait_reply_fail_own(p->answering, p->job, p->map.lease);
        break;
    case 7:
        if (p->called)
            strait_reply_drop(p->called, p->token, p->map.lease);
        break;
    case 8:
        strait_reply_sweep(&p->view, 1 + input_u8(in) % PARTIES);
        break;
    case 9:
        strait_reply_fail(&p->view, p->token, 1 + input_u8(in) % PARTIES);
        break;
    case 10:
        strait_reply_fail(&p->view, input_u64(in), p->map.lease);
        break;
    case 11:
    case 12:
        world_trap(in);
        break;
    default:
        world_poke(in);
        break;
    }
}

static void set_up(void)
{
    static struct strait_segment_map map;
    struct strait_channel_plan plan = {.flags = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS,
                                       .slot_bytes = 32,
                                       .capacity = 2,
                                       .rings = 1,
                                       .max_attempts = 3,
                                       .peek_window = 1,
                                       .dead_max = 1,
                                       .replies = 2,
                                       .reply_bytes = 16,
                                       .reply_capacity = 2};
    struct strait_object object;

    world_build(&map);
    world_add(&map, "calls", plan);
    MUST(strait_directory_at(&map, 0, &object) == 0);
    /* only what this target looks at can be changed */
    world_keep(&map);
    world_focus(object.offset, object.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct strait_object object;

    if (parties[1].map.base == NULL)
        set_up();
    world_reset();
    for (uint32_t i = 1; i <= PARTIES; i++) {
        struct party *p = &parties[i];
        world_map(&p->map, i);
        p->called = p->answering = NULL;
        p->token = p->job = 0;
        MUST(strait_directory_at(&p->map, 0, &object) == 0 && strait_channel_view(&p->map, &object, &p->view) == 0);
    }
    for (unsigned steps = 0; in.left && steps < 64; steps++) {
        uint8_t op = input_u8(&in);
        world_patience(4000);
        act(&parties[1 + (op & 15) % PARTIES], op, &in);
    }
    return 0;
}
