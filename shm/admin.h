/* SPDX-License-Identifier: MIT */
/**
 * The admin lock: joining, leaving, sweeping, creating and deleting objects. An OFD byte lock on the segment's file,
 * which the kernel frees when its holder dies, plus a mutex among our own threads, which OFD locks do not exclude. The
 * data path never takes it, except to recover from a death. A seam: tests/model has its own.
 */
#ifndef STRAIT_ADMIN_H
#define STRAIT_ADMIN_H

#include "segment.h"

/** Enter the section by until_ns: 0, -ETIMEDOUT somebody holds it (a stopped process, say), -EBADF our descriptor was
 * closed and the name is gone, -EACCES read-only. Not recursive. */
int strait_admin_enter(struct strait_segment_map *map, uint64_t until_ns);

void strait_admin_leave(struct strait_segment_map *map);

/** Keep our own threads out of the section, and nobody else: around fork(). */
void strait_admin_hold_threads(struct strait_segment_map *map);
void strait_admin_release_threads(struct strait_segment_map *map);

/** Pid of the section's holder for people, 0 = free, -1 = held through a description that has no pid. */
int64_t strait_admin_holder(struct strait_segment_map *map);

#endif
