/* SPDX-License-Identifier: MIT */
/**
 * Packs: several messages of one size in one slot, published by one store and received one after the other. The ring's words
 * and transitions are those of any slot; PROTOCOLS.md, "Packs", has the rules.
 *
 * A pack's head says how far its receiver has come, and lies in the slot: whoever gets the slot after a death goes on there.
 *   bytes 16 | count 8 | next 8 | tag 16 | flags 16, from below
 */
#ifndef STRAIT_RING_PACK_H
#define STRAIT_RING_PACK_H

#include "ring.h"

#define STRAIT_PACK_BYTES  UINT32_C(0xFFFF) /* largest message of a pack; a larger one has a slot to itself */
#define STRAIT_PACK_MOST   UINT32_C(255)    /* messages */
#define STRAIT_PACK_COUNTS (UINT64_C(0xFF) << 16)
#define STRAIT_PACK_TAG    (UINT64_C(0xFFFF) << 32)
#define STRAIT_PACK_ONE    (UINT64_C(1) << 24) /* one step of next */

STRAIT_BEGIN_DECLS

/** Bytes of each message. */
STRAIT_INLINE uint32_t strait_pack_bytes(uint64_t head)
{
    return (uint32_t)(head & STRAIT_PACK_BYTES);
}

/** How many messages the pack was made of. */
STRAIT_INLINE uint32_t strait_pack_count(uint64_t head)
{
    return (uint32_t)(head >> 16 & STRAIT_PACK_MOST);
}

/** The message that is received next; those before it have been. */
STRAIT_INLINE uint32_t strait_pack_next(uint64_t head)
{
    return (uint32_t)(head >> 24 & STRAIT_PACK_MOST);
}

/** The head of a pack of `count` messages of `bytes` bytes each, of which nothing has been received. */
STRAIT_INLINE uint64_t strait_pack_head(uint32_t bytes, uint32_t count, uint16_t tag)
{
    return strait_head(bytes | count << 16, tag, STRAIT_MSG_PACK);
}

/** Does a head say that it is a pack's? */
STRAIT_INLINE bool strait_head_is_pack(uint64_t head)
{
    return strait_head_flags(head) & STRAIT_MSG_PACK;
}

/** Can this be the head of a pack that has messages left? A peer may have written anything. */
STRAIT_INLINE bool strait_pack_good(uint64_t head, uint32_t slot_bytes)
{
    return (strait_head_flags(head) & ~STRAIT_MSG_BURIED) == STRAIT_MSG_PACK &&
           strait_pack_next(head) < strait_pack_count(head) &&
           strait_pack_count(head) * strait_pack_bytes(head) <= slot_bytes;
}

/** How many messages of `bytes` bytes one slot takes; at least 1, if one fits at all. */
STRAIT_INLINE uint32_t strait_pack_room(uint32_t slot_bytes, uint32_t bytes)
{
    uint32_t n = bytes ? slot_bytes / bytes : STRAIT_PACK_MOST;

    if (bytes > STRAIT_PACK_BYTES)
        return 1;
    return n < STRAIT_PACK_MOST ? n : STRAIT_PACK_MOST;
}

/** Where the next message lies. The head was checked. */
STRAIT_INLINE unsigned char *strait_pack_at(struct strait_slot *slot, uint64_t head)
{
    return (unsigned char *)strait_slot_payload(slot) + (size_t)strait_pack_next(head) * strait_pack_bytes(head);
}

/** Fill a claimed slot with n messages of `bytes` bytes each, one behind the other at `data`. A single one is no pack. */
STRAIT_INLINE void strait_pack_fill(const struct strait_place *place, uint16_t tag, const void *data, uint32_t bytes,
                                    uint32_t n)
{
    strait_slot_describe(place->slot, n == 1 ? strait_head(bytes, tag, 0) : strait_pack_head(bytes, n, tag));
    strait_payload_write(strait_slot_payload(place->slot), data, (size_t)bytes * n);
}

/**
 * Is this the head of a whole pack, of at most n messages of exactly `bytes` bytes, nothing of it received? How many, else 0.
 */
STRAIT_INLINE uint32_t strait_pack_whole(uint64_t head, uint32_t slot_bytes, uint32_t bytes, uint32_t n)
{
    uint32_t count = strait_pack_count(head);

    if ((head & ~(STRAIT_PACK_COUNTS | STRAIT_PACK_TAG)) != strait_pack_head(bytes, 0, 0) || count > n)
        return 0;
    return bytes <= STRAIT_PACK_BYTES && count * bytes <= slot_bytes ? count : 0;
}

/**
 * The first n of the messages that are left have been received. True: these were all, and the slot has been given back. The
 * slot is ours: TAKEN, or READY for a sole consumer. *head is our checked copy of its head.
 */
STRAIT_INLINE bool strait_pack_advance(struct strait_place *place, uint64_t *head, uint32_t n)
{
    if (n >= strait_pack_count(*head) - strait_pack_next(*head)) {
        strait_ring_release(place);
        return true;
    }
    *head = (*head & ~((uint64_t)STRAIT_MSG_BURIED << 48)) + n * STRAIT_PACK_ONE;
    /* release [J1] -> [J2] strait_pack_open: who gets the slot from us, or after us, goes on there */
    strait_store64_release(&place->slot->head, *head);
    if (STRAIT_UNLIKELY(strait_slot_attempts(place->word) !=
                        0)) { /* they were the last message's, not the next one's */
        place->word &= ~STRAIT_ATTEMPTS_MASK;
        /* release [J3] -> [R24] strait_ring_sweep: first past the message, then its attempts: it is not delivered again */
        strait_store64_release(&place->slot->word, place->word);
    }
    return false;
}

/** Give the rest of a TAKEN pack back, for others to take. Many consumers. */
STRAIT_API void strait_pack_return(const struct strait_ring_end *end, const struct strait_place *place);

STRAIT_END_DECLS

#endif
