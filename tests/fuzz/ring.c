/* SPDX-License-Identifier: MIT */
/* The two ends of a ring whose words change under their hands: between any two of their accesses. */
#include <string.h>

#include "ring.h"
#include "strait/ring_pack.h"
#include "world.h"

#define ENDS  4 /* two producers, two consumers, where there may be two */
#define HEAD  sizeof(struct strait_ring)
#define BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct player {
    struct strait_ring_end end;
    struct strait_place place;
    uint64_t head; /* of the pack that it holds; 0 = of a message */
    bool holds;
};

static unsigned char *memory;
static struct strait_ring checked;

static void must_be_slot(const struct strait_ring_end *end, const struct strait_place *place)
{
    uint64_t off = (uint64_t)((unsigned char *)place->slot - end->slots);
    MUST(off % end->stride == 0 && off / end->stride <= end->mask);
}

static void produce(struct player *p, uint8_t op)
{
    if (p->holds) {
        uint32_t bytes = op >> 3 & 4u, count = op & 128 ? 4 : 1;
        strait_store64_relaxed(&p->place.slot->head,
                               op & 64 ? strait_pack_head(bytes, count, op) : strait_head(op, op, 0));
        if (op & 16)
            strait_ring_abort(&p->end, &p->place);
        else
            strait_ring_commit(&p->end, &p->place);
        p->holds = false;
        return;
    }
    int r = op & 32 ? strait_ring_claim_oldest(&p->end, &p->place) : strait_ring_claim(&p->end, &p->place);
    if (r < 0)
        return;
    must_be_slot(&p->end, &p->place);
    p->holds = true;
    strait_ring_more_free(&p->end);
}

/* A receiver in the middle of a pack: as lib/pack.c. */
static void unpack(struct player *p, uint8_t op)
{
    uint32_t bytes = strait_pack_bytes(p->head);
    unsigned char *at = strait_pack_at(p->place.slot, p->head), *end = (unsigned char *)p->place.slot + p->end.stride;

    MUST(at + bytes <= end);
    if (op & 32 && p->end.flags & STRAIT_RING_MANY_CONSUMERS) {
        strait_pack_return(&p->end, &p->place);
        p->holds = false;
    } else if (strait_pack_advance(&p->place, &p->head, 1)) {
        p->holds = false;
    }
}

static void consume(struct player *p, uint8_t op)
{
    if (p->holds && p->head) {
        unpack(p, op);
        return;
    }
    if (p->holds) {
        strait_ring_release(&p->place);
        p->holds = false;
        return;
    }
    if (strait_ring_find(&p->end, &p->place) < 0) {
        strait_ring_drained(&p->end);
        return;
    }
    must_be_slot(&p->end, &p->place);
    if (op & 16)
        return;
    p->holds = strait_ring_take(&p->end, &p->place) == 0;
    p->head = strait_load64_relaxed(&p->place.slot->head);
    if (!(p->end.flags & STRAIT_RING_PACKED) || !strait_pack_good(p->head, p->end.slot_bytes))
        p->head = 0;
    strait_ring_more_ready(&p->end);
    strait_ring_half(&p->end, p->place.slot);
}

static void buried(struct strait_ring_bury *how, const struct strait_ring_end *end, uint32_t slot, uint64_t word)
{
    (void)how, (void)word;
    MUST(slot <= end->mask);
}

static void rare(struct player *p, uint8_t op)
{
    struct strait_ring_bury bury = {buried};
    struct strait_ring_swept swept = {0, 0};
    struct strait_ring *ring = (struct strait_ring *)(void *)memory;

    if (op & 16) {
        strait_ring_sweep(&p->end, 1 + (op >> 5), 3, &bury, &swept);
        strait_ring_sweep_end(&p->end);
    } else if (op & 32) {
        strait_ring_suspect(&p->end, op);
    } else if (p->end.owner & 1) {
        strait_ring_join_producer(&p->end, ring, &checked, memory + checked.slots_off, p->end.owner);
        p->holds = false;
    } else {
        strait_ring_join_consumer(&p->end, ring, &checked, memory + checked.slots_off, p->end.owner);
        p->holds = false;
    }
}

static void play(struct player *players, struct input *in)
{
    for (unsigned steps = 0; in->left && steps < 64; steps++) {
        uint8_t op = input_u8(in);
        struct player *p = &players[op & 3];
        /* a scan passes each slot a few times and gives up; twice that, for a claim that drops */
        world_patience(16 * (checked.capacity + 32));
        switch (op >> 2 & 3) {
        case 0:
        case 1:
            if (p->end.owner & 1)
                produce(p, op);
            else
                consume(p, op);
            break;
        case 2:
            rare(p, op);
            break;
        default:
            if (op & 16)
                world_poke(in);
            else
                world_trap(in);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct player players[ENDS];
    uint8_t shape = input_u8(&in);
    uint32_t capacity = 2u << (shape & 3), stride = 32u << (shape >> 2 & 1);
    struct strait_ring *ring;

    if (memory == NULL)
        memory = guarded_new(BYTES);
    world_raw(memory, HEAD + capacity * stride);
    world_patience(UINT64_MAX);
    ring = (struct strait_ring *)(void *)memory;
    strait_ring_init(ring, memory + HEAD, HEAD, capacity, stride,
                     (shape >> 4 & 3) | (shape & 8 ? STRAIT_RING_PACKED : 0),
                     shape & 128 ? (UINT64_C(1) << 40) - 2 : shape >> 6 & 1);
    MUST(strait_ring_check(ring, HEAD, BYTES, &checked) == 0);
    memset(players, 0, sizeof players);
    for (uint32_t i = 0; i < ENDS; i++) {
        if (i & 1)
            strait_ring_join_consumer(&players[i].end, ring, &checked, memory + HEAD, i + 1);
        else
            strait_ring_join_producer(&players[i].end, ring, &checked, memory + HEAD, i + 1);
    }
    play(players, &in);
    return 0;
}
