/* SPDX-License-Identifier: MIT */
/**
 * Who is alive. Lease i is alive while an address space holds the OFD lock on byte i of the segment's lease range,
 * through a mapping of a private description (PROTOCOLS.md, "Who is alive"). No pid, no heartbeat, no daemon.
 */
#ifndef STRAIT_LEASE_H
#define STRAIT_LEASE_H

#include "segment.h"

/** Take a free, swept index for this address space and write down who we are. Admin. The index, -EAGAIN none is free
 * (sweep and try again), or what the kernel says. */
int strait_lease_take(struct strait_segment_map *map);

/** Give ours back. Admin; every object has been swept of it. */
void strait_lease_give(struct strait_segment_map *map);

/** Is lease i held? 1 yes, 0 no, -errno. A seam: tests/model has its own. */
int strait_lease_alive(struct strait_segment_map *map, uint32_t lease);

/** USED in the table and not held: dead and unswept? */
bool strait_lease_dead(struct strait_segment_map *map, uint32_t lease);

/** The first dead and unswept lease from `from` on, or 0. */
uint32_t strait_lease_next_dead(struct strait_segment_map *map, uint32_t from);

/** Its objects have been swept: the index may be handed out again. Admin, probed since. */
void strait_lease_buried(struct strait_segment_map *map, uint32_t lease);

/* ---- sets ---- */

void strait_set_add(struct strait_set *set, uint32_t lease);    /* admin */
void strait_set_remove(struct strait_set *set, uint32_t lease); /* admin */
bool strait_set_has(const struct strait_set *set, uint32_t lease);
uint32_t strait_set_count(const struct strait_set *set);

#endif
