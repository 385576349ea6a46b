/* SPDX-License-Identifier: MIT */
/**
 * A channel's bytes: its rings, bells, sets of senders and receivers, status, dead letters. Everything that is not the
 * fast path; nothing here blocks.
 */
#ifndef STRAIT_SHM_CHANNEL_H
#define STRAIT_SHM_CHANNEL_H

#include "directory.h"
#include "ring.h"

/** What a channel is made of, decided at creation. */
struct strait_channel_plan {
    uint32_t flags, full;
    uint32_t slot_bytes, capacity;
    uint32_t rings;
    uint32_t max_attempts, peek_window, dead_max;
    uint32_t replies, reply_bytes, reply_capacity;
    uint64_t first_turn;  /* 0; tests start just before the wrap */
    const int32_t *nodes; /* sharded channels: of each shard, or NULL = where the object lies */
    /* offsets from the object's start, filled in by strait_channel_measure; ring_bytes from ring to ring */
    uint64_t rings_at, slots_at, ring_bytes, replies_at, reply_slots_at, dead_at, bytes;
};

/** Fill in the offsets and the size: 0, -EINVAL numbers that make no channel, -EFBIG more than 2^40 bytes. */
int strait_channel_measure(struct strait_channel_plan *plan);

/** What a ring of a channel with these flags and this policy is: enum strait_ring_flags. */
uint32_t strait_channel_ring_flags(uint32_t flags, uint32_t full);

/** Make the bytes at base + object->offset (zeroed) into a channel. Admin, before publication. */
void strait_channel_build(const struct strait_segment_map *map, const struct strait_object *object,
                          const struct strait_channel_plan *plan);

/** Which flags the rings of such a channel have. */
uint32_t strait_channel_ring_flags(uint32_t flags, uint32_t full);

/** Checked, private copies of a channel's numbers. */
struct strait_channel_view {
    struct strait_segment_map *map;
    struct strait_object object;
    struct strait_channel *shared;
    uint32_t flags, full, slot_bytes, rings, max_attempts, peek_window, replies, dead_max;
    uint64_t rings_off, replies_off, dead_off;
};

/** Believe nothing, copy what holds together: 0 or -EPROTO. */
int strait_channel_view(struct strait_segment_map *map, const struct strait_object *object,
                        struct strait_channel_view *view);

/** Ring i of the view: its shared struct, checked numbers, first slot. 0 or -EPROTO. */
int strait_channel_ring(const struct strait_channel_view *view, uint32_t i, struct strait_ring **ring,
                        struct strait_ring *checked, unsigned char **slots);

/** An end of ring i without a cursor, to count and sweep. 0 or -EPROTO. */
int strait_channel_end(const struct strait_channel_view *view, uint32_t i, struct strait_ring_end *end);

/* ---- who is there. Admin ---- */

enum strait_role { STRAIT_ROLE_SENDER, STRAIT_ROLE_RECEIVER, STRAIT_ROLE_HOLDER };

/**
 * Our lease becomes a sender, receiver or holder. Where a ring has one end of that kind only, its role word is taken: a
 * sole receiver takes those of all rings, a sender that of its ring; with lanes, *ring is set to a vacant one.
 * 0, -EBUSY a living lease (perhaps ours) has it, -EUSERS all lanes are taken, -EOWNERDEAD a dead one has it still:
 * sweep and try again, -EPROTO.
 */
int strait_channel_enter(const struct strait_channel_view *view, enum strait_role role, uint32_t *ring);

/** Give the role words of ring (senders) or of all rings (receivers) back. */
void strait_channel_vacate(const struct strait_channel_view *view, enum strait_role role, uint32_t ring);

/** Our lease has no handle of that role any more. */
void strait_channel_leave(const struct strait_channel_view *view, enum strait_role role);

/** Does this role exclude others from a ring? */
bool strait_channel_sole(const struct strait_channel_view *view, enum strait_role role);

/** Closed for good, by a call. */
void strait_channel_close(const struct strait_channel_view *view);

/** Bring the status word in line with the sets; wake everybody if it says something new. */
void strait_channel_settle(const struct strait_channel_view *view);

/** How many endpoints there are, for the choice of how long to spin. */
uint32_t strait_channel_parties(const struct strait_channel_view *view);

/* ---- death. Admin, the lease probed since ---- */

/** Remove a dead lease from the rings, roles, sets and bells; *swept is added to. */
void strait_channel_sweep(const struct strait_channel_view *view, uint32_t dead, struct strait_ring_bury *bury,
                          struct strait_ring_swept *swept);

/** Keep a message whose receivers died too often. Idempotent for the same slot and turn. */
void strait_channel_bury(const struct strait_channel_view *view, uint32_t ring, const struct strait_ring_end *end,
                         uint32_t slot, uint64_t word);

/** From dead letter to dead letter, in bytes. */
uint64_t strait_channel_letter_bytes(uint32_t slot_bytes);

/** Dead letter i (0 = the newest): copies at most `size` bytes, returns its length, -ENOENT, -EPROTO. */
int64_t strait_channel_dead_letter(const struct strait_channel_view *view, uint64_t i, struct strait_dead_letter *head,
                                   void *to, uint64_t size);

#endif
