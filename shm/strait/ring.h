/* SPDX-License-Identifier: MIT */
/**
 * One ring, one word per slot; never blocks. The transitions are those of PROTOCOLS.md, "Ring word":
 *
 *   FREE(t) --claim--> CLAIMED(t,me) --commit--> READY(t) --take--> TAKEN(t,me) --release--> FREE(t+1)
 *
 * A sole producer skips CLAIMED, a sole consumer skips TAKEN: one load, the payload, one store. Start with a load of the
 * slot's word, end with a store to it; nothing else is shared on the fast path.
 *
 * A struct strait_ring_end is one end of a ring, private to one handle: where it stands, and checked copies of
 * everything that it needs to address a slot. Shared bytes never steer an access outside the slots.
 */
#ifndef STRAIT_RING_H
#define STRAIT_RING_H

#include <errno.h>

#include "atomic.h"
#include "layout.h"

STRAIT_BEGIN_DECLS

struct strait_ring_end {
    unsigned char *slots;
    uint64_t cursor; /* turn 40 | slot 24: the next position to look at */
    uint32_t mask;   /* capacity - 1 */
    uint32_t stride;
    uint32_t owner; /* our lease */
    uint32_t flags; /* enum strait_ring_flags */
    struct strait_ring *ring;
    uint32_t seen_returned; /* generation of RETURNED slots that a scan has found none of */
    uint32_t slot_bytes;    /* largest payload */
};

/** A slot and the word it had when we looked (consumers), or its turn (producers). */
struct strait_place {
    struct strait_slot *slot;
    uint64_t word;
};

/* ---- addresses and cursors ---- */

STRAIT_INLINE struct strait_slot *strait_ring_slot(const struct strait_ring_end *end, uint64_t cursor)
{
    return (struct strait_slot *)(void *)(end->slots + (size_t)((uint32_t)cursor & end->mask) * end->stride);
}

STRAIT_INLINE uint64_t strait_ring_next(const struct strait_ring_end *end, uint64_t cursor)
{
    if (STRAIT_UNLIKELY(((uint32_t)cursor & end->mask) == end->mask))
        return (cursor & STRAIT_TURN_MASK) + STRAIT_TURN_ONE;
    return cursor + 1;
}

STRAIT_INLINE void *strait_slot_payload(struct strait_slot *slot)
{
    return (unsigned char *)slot + STRAIT_SLOT_HEAD;
}

STRAIT_INLINE uint64_t strait_slot_word(uint64_t turn, enum strait_slot_state state, uint32_t owner)
{
    return (turn & STRAIT_TURN_MASK) | ((uint64_t)state << STRAIT_STATE_SHIFT) | owner;
}

STRAIT_INLINE enum strait_slot_state strait_slot_state(uint64_t word)
{
    return (enum strait_slot_state)((word & STRAIT_STATE_MASK) >> STRAIT_STATE_SHIFT);
}

STRAIT_INLINE uint32_t strait_slot_attempts(uint64_t word)
{
    return (uint32_t)((word & STRAIT_ATTEMPTS_MASK) >> STRAIT_ATTEMPTS_SHIFT);
}

/* ---- a slot's head: read before the take, so it is one relaxed word ---- */

STRAIT_INLINE uint64_t strait_head(uint32_t bytes, uint16_t tag, uint16_t flags)
{
    return bytes | (uint64_t)tag << 32 | (uint64_t)flags << 48;
}

STRAIT_INLINE uint32_t strait_head_bytes(uint64_t head)
{
    return (uint32_t)head;
}

STRAIT_INLINE uint16_t strait_head_tag(uint64_t head)
{
    return (uint16_t)(head >> 32);
}

STRAIT_INLINE uint16_t strait_head_flags(uint64_t head)
{
    return (uint16_t)(head >> 48);
}

/** Write a claimed slot's head. Messages of one kind have the same head turn by turn, and a load is cheaper than a store:
 * what bounds a stream is how many stores wait for their lines. */
STRAIT_INLINE void strait_slot_describe(struct strait_slot *slot, uint64_t head)
{
    if (strait_load64_relaxed(&slot->head) != head)
        strait_store64_relaxed(&slot->head, head);
}

/* ---- producers ---- */

/** claim, where the slot at the cursor was not simply free. */
STRAIT_API int strait_ring_claim_slow(struct strait_ring_end *end, struct strait_place *place);

/** claim, where the slot at the cursor is simply free; false: nothing has happened. Apart from the slow side, so that a
 * place stays in registers. */
STRAIT_INLINE bool strait_ring_claim_fast(struct strait_ring_end *end, struct strait_place *place)
{
    struct strait_slot *slot = strait_ring_slot(end, end->cursor);
    uint64_t turn = end->cursor & STRAIT_TURN_MASK;
    /* acquire [R2] <- [R4] strait_ring_release, [R29] strait_ring_empty, [R18] find_step: the last reader has finished
     * before we overwrite */
    uint64_t word = strait_load64_acquire(&slot->word);

    if (STRAIT_UNLIKELY(word != turn))
        return false;
    if (end->flags & STRAIT_RING_MANY_PRODUCERS) {
        /* seq_cst [R5] -> [R6] strait_ring_take: the claim names its owner in the same step */
        if (!strait_cas64(&slot->word, &word, strait_slot_word(turn, STRAIT_SLOT_CLAIMED, end->owner)))
            return false;
        end->cursor = strait_ring_next(end, end->cursor);
    }
    place->slot = slot;
    place->word = turn;
    return true;
}

/** Take a slot to write: 0, -EAGAIN full, -EPROTO a slot word that cannot be. A sole producer gets the same slot again
 * until it commits. */
STRAIT_INLINE int strait_ring_claim(struct strait_ring_end *end, struct strait_place *place)
{
    return strait_ring_claim_fast(end, place) ? 0 : strait_ring_claim_slow(end, place);
}

/** Publish a claimed slot. */
STRAIT_INLINE void strait_ring_commit(struct strait_ring_end *end, const struct strait_place *place)
{
    /* release [R1] -> [R3] strait_ring_find, [R28] strait_ring_empty: payload precedes word */
    strait_store64_release(&place->slot->word, strait_slot_word(place->word, STRAIT_SLOT_READY, 0));
    if (!(end->flags & STRAIT_RING_MANY_PRODUCERS))
        end->cursor = strait_ring_next(end, end->cursor);
}

/** Give a claimed slot up; never back to FREE, since others have passed it. Consumers step over it. */
STRAIT_INLINE void strait_ring_abort(struct strait_ring_end *end, const struct strait_place *place)
{
    if (end->flags & STRAIT_RING_MANY_PRODUCERS)
        /* release [R7] -> [R3] strait_ring_find */
        strait_store64_release(&place->slot->word, strait_slot_word(place->word, STRAIT_SLOT_VOID, 0));
}

/** A sole producer: claim, fill and commit up to n slots with messages of `bytes` bytes each, one behind the other at
 * `data`, as far as slots are simply free. How many. */
STRAIT_INLINE uint32_t strait_ring_fill(struct strait_ring_end *end, uint64_t head, const unsigned char *data,
                                        uint32_t bytes, uint32_t n)
{
    uint32_t filled = 0;

    while (filled < n) {
        unsigned char *at = (unsigned char *)strait_ring_slot(end, end->cursor);
        uint64_t turn = end->cursor & STRAIT_TURN_MASK, ready = strait_slot_word(turn, STRAIT_SLOT_READY, 0);
        uint32_t first = (uint32_t)end->cursor & end->mask, run = end->mask + 1 - first, i = 0;

        run = run < n - filled ? run : n - filled; /* within one turn, so that the words to expect are the same */
        for (; i < run; i++, at += end->stride, data += bytes) {
            struct strait_slot *slot = (struct strait_slot *)(void *)at;
            /* acquire [R26] <- [R4] strait_ring_release, [R29] strait_ring_empty: as strait_ring_claim_fast */
            if (STRAIT_UNLIKELY(strait_load64_acquire(&slot->word) != turn))
                break;
            strait_slot_describe(slot, head);
            strait_payload_write(strait_slot_payload(slot), data, bytes);
            /* release [R27] -> [R3] strait_ring_find, [R28] strait_ring_empty: payload precedes word */
            strait_store64_release(&slot->word, ready);
        }
        filled += i;
        end->cursor = first + i > end->mask ? turn + STRAIT_TURN_ONE : end->cursor + i;
        if (i < run)
            break;
    }
    return filled;
}

/** Drop-oldest: claim the slot in the way, unread. 0, -EAGAIN it is being read or written, -EPROTO. */
STRAIT_API int strait_ring_claim_oldest(struct strait_ring_end *end, struct strait_place *place);

/** After a claim: is the next slot free as well? Then a sleeping producer can go on. */
STRAIT_INLINE bool strait_ring_more_free(const struct strait_ring_end *end)
{
    uint64_t word = strait_load64_relaxed(&strait_ring_slot(end, end->cursor)->word);
    return word == (end->cursor & STRAIT_TURN_MASK);
}

/* ---- consumers ---- */

/** find, where the slot at the cursor was not simply ready. */
STRAIT_API int strait_ring_find_slow(struct strait_ring_end *end, struct strait_place *place);

/* Ask for a slot that we shall soon read. While nobody has written it, its line is still ours from the last turn, and asking
 * costs nothing; once it is written, its miss overlaps those before it. (For producers the same did as much harm as good.) */
STRAIT_INLINE void strait_ring_prefetch(const struct strait_ring_end *end)
{
    __builtin_prefetch(strait_ring_slot(end, end->cursor + 4));
}

/** find, where the slot at the cursor is simply ready. */
STRAIT_INLINE bool strait_ring_find_fast(const struct strait_ring_end *end, struct strait_place *place)
{
    struct strait_slot *slot = strait_ring_slot(end, end->cursor);
    /* acquire [R3] <- [R1] strait_ring_commit, [R27] strait_ring_fill, [R30] strait_ring_commit_again, [R7]
     * strait_ring_abort: payload follows word */
    uint64_t word = strait_load64_acquire(&slot->word);

    strait_ring_prefetch(end);
    if (STRAIT_UNLIKELY((word & ~STRAIT_ATTEMPTS_MASK) != strait_slot_word(end->cursor, STRAIT_SLOT_READY, 0)))
        return false;
    /* acquire [R8] <- [R9] strait_ring_sweep_end: a raised generation shows the RETURNED slots before it */
    if ((end->flags & STRAIT_RING_MANY_CONSUMERS) &&
        STRAIT_UNLIKELY(strait_load32_acquire(&end->ring->returned) != end->seen_returned))
        return false;
    place->slot = slot;
    place->word = word;
    return true;
}

/** Look for the next message without taking it: 0, -EAGAIN none. place->word tells the attempts. */
STRAIT_INLINE int strait_ring_find(struct strait_ring_end *end, struct strait_place *place)
{
    return strait_ring_find_fast(end, place) ? 0 : strait_ring_find_slow(end, place);
}

/** Make a found message ours: 0 and place->word is TAKEN (many consumers), -EAGAIN somebody was quicker: find again. */
STRAIT_INLINE int strait_ring_take(struct strait_ring_end *end, struct strait_place *place)
{
    if (end->flags & STRAIT_RING_MANY_CONSUMERS) {
        uint64_t seen = place->word;
        uint64_t taken =
            (seen & (STRAIT_TURN_MASK | STRAIT_ATTEMPTS_MASK)) | strait_slot_word(0, STRAIT_SLOT_TAKEN, end->owner);
        /* seq_cst [R6] <- [R5] strait_ring_claim_fast, [R11] claim: and names the taker in the same step */
        if (!strait_cas64(&place->slot->word, &seen, taken))
            return -EAGAIN;
        place->word = taken;
        /* a RETURNED slot lies behind the cursor */
        if (place->slot != strait_ring_slot(end, end->cursor) ||
            (taken & STRAIT_TURN_MASK) != (end->cursor & STRAIT_TURN_MASK))
            return 0;
    }
    end->cursor = strait_ring_next(end, end->cursor);
    return 0;
}

/** Give a taken slot back to the producers. */
STRAIT_INLINE void strait_ring_release(const struct strait_place *place)
{
    /* release [R4] -> [R2] strait_ring_claim, [R26] strait_ring_fill: reading precedes overwriting */
    strait_store64_release(&place->slot->word, (place->word & STRAIT_TURN_MASK) + STRAIT_TURN_ONE);
}

/** After a take: is the next message ready as well? Then another sleeping consumer can go on. */
STRAIT_INLINE bool strait_ring_more_ready(const struct strait_ring_end *end)
{
    uint64_t word = strait_load64_relaxed(&strait_ring_slot(end, end->cursor)->word);
    return (word & (STRAIT_TURN_MASK | STRAIT_STATE_MASK)) == strait_slot_word(end->cursor, STRAIT_SLOT_READY, 0);
}

/** A sole consumer: take, read and release up to n messages of exactly `bytes` bytes and no flags, one behind the other to
 * `to`, as far as slots are simply ready. How many; *half: the end of a half of the ring was passed. */
STRAIT_INLINE uint32_t strait_ring_empty(struct strait_ring_end *end, unsigned char *to, uint32_t bytes, uint32_t n,
                                         bool *half)
{
    uint32_t emptied = 0;

    while (emptied < n) {
        unsigned char *at = (unsigned char *)strait_ring_slot(end, end->cursor);
        uint64_t turn = end->cursor & STRAIT_TURN_MASK, ready = strait_slot_word(turn, STRAIT_SLOT_READY, 0);
        uint32_t first = (uint32_t)end->cursor & end->mask, part = (end->mask >> 1) + 1, run = part - first % part,
                 i = 0;

        run = run < n - emptied ? run : n - emptied; /* within one turn, and one half of the ring */
        for (; i < run; i++, at += end->stride, to += bytes) {
            struct strait_slot *slot = (struct strait_slot *)(void *)at;
            /* acquire [R28] <- [R27] strait_ring_fill, [R1] strait_ring_commit: as strait_ring_find_fast */
            uint64_t word = strait_load64_acquire(&slot->word), head;
            __builtin_prefetch(at + 4 * end->stride); /* as strait_ring_prefetch; past the end it does nothing bad */
            if (STRAIT_UNLIKELY((word & ~STRAIT_ATTEMPTS_MASK) != ready))
                break;
            head = strait_load64_relaxed(&slot->head);
            if (STRAIT_UNLIKELY(strait_head_bytes(head) != bytes || strait_head_flags(head) != 0))
                break;
            strait_payload_read(to, strait_slot_payload(slot), bytes);
            /* release [R29] -> [R2] strait_ring_claim_fast, [R26] strait_ring_fill: as strait_ring_release */
            strait_store64_release(&slot->word, turn + STRAIT_TURN_ONE);
        }
        emptied += i;
        *half |= i == run && first % part + i == part;
        end->cursor = first + i > end->mask ? turn + STRAIT_TURN_ONE : end->cursor + i;
        if (i < run)
            break;
    }
    return emptied;
}

/** After a take: was that the last slot of a half of the ring? */
STRAIT_INLINE bool strait_ring_at_half(const struct strait_ring_end *end)
{
    return ((uint32_t)end->cursor & end->mask >> 1) == 0;
}

/** Is this the slot at which a half of the ring ends? There a consumer rings the producers' bell. */
STRAIT_INLINE bool strait_ring_half(const struct strait_ring_end *end, const struct strait_slot *slot)
{
    const unsigned char *at = (const unsigned char *)slot;
    return at == end->slots + (size_t)end->mask * end->stride ||
           at == end->slots + (size_t)(end->mask >> 1) * end->stride;
}

STRAIT_END_DECLS

#endif
