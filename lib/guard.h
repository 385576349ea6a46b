/* SPDX-License-Identifier: MIT */
/** What stands behind a region's handle, and the ranks of locks. */
#ifndef STRAIT_GUARD_H
#define STRAIT_GUARD_H

#include "handle.h"
#include "region.h"
#include "strait/region.h"

struct strait_guard {
    struct strait_handle handle;
    struct strait_part part;
    uint32_t index;              /* which part of the object */
    uint32_t parts;              /* how many there are */
    uint32_t flags;              /* enum strait_region_flags */
    uint32_t idle;               /* the state when it is not held */
    int had;                     /* while held: what locking it answered */
    void *spare;                 /* begun and not committed */
    bool ranked;                 /* the rank checker looks */
    struct strait_await *awaits; /* asleep in a loop for this handle. The handle's thread */
    /* the order of locks: the same in every process, as addresses are not */
    uint64_t rank_segment, rank_offset;
};

/** Open part `index` of a region with `parts` parts (0 = as many as there are). As strait_region_open. */
int strait_region_open_part(struct strait_segment *segment, const char *name,
                            const struct strait_region_options *options, uint32_t parts, uint32_t index,
                            struct strait_region **region);

/** Try to have the lock's word; in reader-writer mode the readers inside are still to be waited for. As strait_region_lock. */
int strait_region_take(struct strait_region *region);

/** Give a held lock back with its data as they were, suspect or poisoned. */
void strait_region_restore(struct strait_region *region);

/** -EPERM, with a sentence. */
int strait_region_not_held(const struct strait_region *region);

static inline bool strait_region_held(const struct strait_region *r)
{
    return r->state == STRAIT_REGION_HELD || r->state == STRAIT_REGION_HELD_CAREFUL ||
           r->state == STRAIT_REGION_SUSPECT;
}

/* ---- ranks (rank.c) ---- */

bool strait_rank_wanted(void);

/** May this thread, with what it holds, wait for this region? 0, -EDEADLK with a sentence. */
int strait_rank_check(const struct strait_region *asked);

void strait_rank_push(const struct strait_region *region);
void strait_rank_pop(const struct strait_region *region);

/** < 0, 0, > 0: a comes before, is, comes after b. */
int strait_rank_compare(const struct strait_region *a, const struct strait_region *b);

#endif
