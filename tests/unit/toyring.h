/* SPDX-License-Identifier: MIT */
/** A ring in private memory, whose words a test may set as it likes. */
#ifndef STRAIT_TESTS_TOYRING_H
#define STRAIT_TESTS_TOYRING_H

#include <stdlib.h>

#include "ring.h"
#include "unit.h"

#define TOY_STRIDE 32
#define TOY_MOST   128
#define TOY_MANY   (STRAIT_RING_MANY_PRODUCERS | STRAIT_RING_MANY_CONSUMERS)
#define LAST_TURN  ((UINT64_C(1) << 40) - 2) /* two turns before the wrap */

struct toy {
    struct strait_ring ring, checked;
    _Alignas(64) unsigned char slots[TOY_MOST * TOY_STRIDE];
};

static inline void toy_init(struct toy *toy, uint32_t capacity, uint32_t flags, uint64_t turn)
{
    memset(toy, 0, sizeof *toy);
    strait_ring_init(&toy->ring, toy->slots, 0, capacity, TOY_STRIDE, flags, turn);
    CHECK_IS(strait_ring_check(&toy->ring, 0, sizeof toy->slots, &toy->checked), 0);
}

static inline struct strait_ring_end toy_tx(struct toy *toy, uint32_t owner)
{
    struct strait_ring_end end;
    strait_ring_join_producer(&end, &toy->ring, &toy->checked, toy->slots, owner);
    return end;
}

static inline struct strait_ring_end toy_rx(struct toy *toy, uint32_t owner)
{
    struct strait_ring_end end;
    strait_ring_join_consumer(&end, &toy->ring, &toy->checked, toy->slots, owner);
    return end;
}

static inline uint64_t *toy_word(struct toy *toy, uint32_t slot)
{
    return (uint64_t *)(void *)(toy->slots + slot * TOY_STRIDE);
}

static inline uint64_t word_of(uint64_t turn, enum strait_slot_state state, uint32_t attempts, uint32_t owner)
{
    return strait_slot_word(turn << STRAIT_TURN_SHIFT, state, owner) | (uint64_t)attempts << STRAIT_ATTEMPTS_SHIFT;
}

static inline void toy_set(struct toy *toy, uint32_t slot, uint64_t turn, enum strait_slot_state state, uint32_t owner)
{
    *toy_word(toy, slot) = word_of(turn, state, 0, owner);
}

static inline uint64_t cursor_of(uint64_t turn, uint32_t slot)
{
    return turn << STRAIT_TURN_SHIFT | slot;
}

static inline int toy_send(struct strait_ring_end *tx, uint32_t value)
{
    struct strait_place place;
    int r = strait_ring_claim(tx, &place);

    if (r == 0) {
        memcpy(strait_slot_payload(place.slot), &value, sizeof value);
        strait_ring_commit(tx, &place);
    }
    return r;
}

/* The value, or -EAGAIN. */
static inline int64_t toy_recv(struct strait_ring_end *rx)
{
    struct strait_place place;
    uint32_t value;

    do {
        int r = strait_ring_find(rx, &place);
        if (r < 0)
            return r;
    } while (strait_ring_take(rx, &place) < 0);
    memcpy(&value, strait_slot_payload(place.slot), sizeof value);
    strait_ring_release(&place);
    return value;
}

#endif
