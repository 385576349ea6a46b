/* SPDX-License-Identifier: MIT */
/** What shm/ and tools do with whole rings: lay out, join, count, sweep. The fast path is strait/ring.h. */
#ifndef STRAIT_SHM_RING_H
#define STRAIT_SHM_RING_H

#include "strait/ring.h"

/** Bytes from slot to slot for payloads of slot_bytes: a multiple of 16, whole cache lines from 64 up. */
uint32_t strait_ring_stride(uint32_t slot_bytes);

/** Fill in a ring whose slots are zeroed memory; every slot begins FREE at `turn` (0, or what a test wants). */
void strait_ring_init(struct strait_ring *ring, unsigned char *slots, uint64_t slots_off, uint32_t capacity,
                      uint32_t stride, uint32_t flags, uint64_t turn);

/** Do a ring's numbers hold together, and do its slots lie in [low, high) of the segment? 0 or -EPROTO. `copy` gets
 * the checked numbers, each loaded once. */
int strait_ring_check(const struct strait_ring *ring, uint64_t low, uint64_t high, struct strait_ring *copy);

/** Prepare one end from checked numbers; the cursor is found by a scan: where producers, or consumers, go on. */
void strait_ring_join_producer(struct strait_ring_end *end, struct strait_ring *ring, const struct strait_ring *checked,
                               unsigned char *slots, uint32_t owner);
void strait_ring_join_consumer(struct strait_ring_end *end, struct strait_ring *ring, const struct strait_ring *checked,
                               unsigned char *slots, uint32_t owner);

/** A sole consumer died and we follow: the messages in its peek window may have been read. Admin. */
void strait_ring_suspect(struct strait_ring_end *end, uint32_t window);

/** strait_ring_commit of a message that may have been delivered before, in another place: its receiver sees attempts 1, if
 * the channel allows more than one. By whoever has claimed the place, in its stead; dies it before, the claim is swept. */
void strait_ring_commit_again(struct strait_ring_end *end, const struct strait_place *place, uint32_t max_attempts);

/** Slots by state, indexed by enum strait_slot_state; counts[6], counts[7] are words that cannot be. A snapshot. */
void strait_ring_count(const struct strait_ring_end *end, uint32_t counts[8]);

/** Messages in slots of these states, bits 1 << enum strait_slot_state: of packs, those that are left. A snapshot. */
uint64_t strait_ring_messages(const struct strait_ring_end *end, uint32_t states);

/** A find has just found nothing: is there nothing left for this consumer in a closed ring? The head must be FREE, and
 * no slot RETURNED or TAKEN by another lease, whose owner may yet die. */
bool strait_ring_drained(const struct strait_ring_end *end);

/** What to do with a message whose receivers have died max_attempts times. */
struct strait_ring_bury {
    void (*bury)(struct strait_ring_bury *how, const struct strait_ring_end *end, uint32_t slot, uint64_t word);
};

/** How many slots a sweep changed. */
struct strait_ring_swept {
    uint32_t voided, returned;
};

/**
 * Undo what a dead lease left in a ring: CLAIMED -> VOID, TAKEN -> RETURNED or buried and VOID. Admin, the lease probed
 * since. Each repair is one compare-and-swap from the exact dead state, so a second sweep finds nothing to do.
 */
void strait_ring_sweep(const struct strait_ring_end *end, uint32_t dead, uint32_t max_attempts,
                       struct strait_ring_bury *bury, struct strait_ring_swept *swept);

/** End of every sweep of a ring, always, before the lease counts as swept: consumers look for RETURNED slots. */
void strait_ring_sweep_end(const struct strait_ring_end *end);

#endif
