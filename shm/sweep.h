/* SPDX-License-Identifier: MIT */
/** Undoing what dead leases left behind. Idempotent; a sweeper that dies half-way is followed by another. */
#ifndef STRAIT_SWEEP_H
#define STRAIT_SWEEP_H

#include "segment.h"

/** What one dead process left behind, for people. */
struct strait_left_behind {
    uint32_t lease, pid;
    char program[STRAIT_PROGRAM_BYTES];
    uint32_t voided, returned; /* slots */
    uint32_t locks;            /* of regions that it died inside */
};

/** Private: called for every lease that this process has swept, inside the admin section. NULL = nobody asks. */
extern void (*strait_swept_hook)(const struct strait_segment_map *map, const struct strait_left_behind *what);

/** Sweep every object of one lease that is dead (probed under this admin section) or leaving (ours). Admin. The index
 * stays taken. *what counts on. */
void strait_sweep_objects(struct strait_segment_map *map, uint32_t lease, struct strait_left_behind *what);

/** Sweep all dead leases and free their indices: how many there were. Admin. */
int strait_sweep_admin(struct strait_segment_map *map);

/**
 * Is any lease dead and unswept? Then enter the admin section, look again, sweep. How many were swept, 0 = none,
 * -ETIMEDOUT the admin section was not free by until_ns, -errno. Blocks only for the admin lock.
 */
int strait_sweep(struct strait_segment_map *map, uint64_t until_ns);

/** strait_sweep for waiters whose bounded sleep ran out: skips the look where somebody else has just looked, within a
 * tenth of slept_ns. */
int strait_sweep_after_sleep(struct strait_segment_map *map, uint64_t slept_ns, uint64_t until_ns);

#endif
