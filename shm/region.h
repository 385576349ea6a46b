/* SPDX-License-Identifier: MIT */
/**
 * A region's bytes: one or more parts, each a lock and the data that it guards. Atomic regions have the data twice, and
 * a sequence that says which copy is published. Nothing here blocks.
 */
#ifndef STRAIT_SHM_REGION_H
#define STRAIT_SHM_REGION_H

#include "directory.h"
#include "lock.h"

/** What a region is made of, decided at creation. */
struct strait_region_plan {
    uint32_t flags; /* enum strait_region_flags */
    uint32_t parts;
    uint64_t bytes;       /* of one part's data */
    const void *initial;  /* bytes of every part's data, or NULL = zeroes */
    uint32_t runs;        /* of parts, each in pages of its own, if more than one; 0 as 1. Never more than parts */
    const int32_t *nodes; /* of each run, or NULL = where the object lies */
    /* filled in by strait_region_measure */
    uint64_t parts_at, part_bytes, copy_bytes, run_bytes, object_bytes;
    uint32_t cells_at, data_at, run_parts;
};

/** Where everything lies. 0, -EINVAL nonsense, -EFBIG. */
int strait_region_measure(struct strait_region_plan *plan);

/** Fill in a prepared, zeroed object. */
void strait_region_build(const struct strait_segment_map *map, const struct strait_object *object,
                         const struct strait_region_plan *plan);

/** A checked copy of a region's head. */
struct strait_region_view {
    struct strait_segment_map *map;
    struct strait_object object;
    struct strait_region_head *shared;
    uint32_t flags, parts, cells_at, data_at, run_parts;
    uint64_t bytes, parts_off, part_bytes, copy_bytes, run_bytes;
};

/** 0, -EPROTO the head points outside its object. */
int strait_region_view(struct strait_segment_map *map, const struct strait_object *object,
                       struct strait_region_view *view);

/** Part i as our lease sees it: 0, -EPROTO. */
int strait_region_part(const struct strait_region_view *view, uint32_t i, struct strait_part *part);

/** Our lease may read-lock the region, or may not any more. Admin. */
void strait_region_enter(const struct strait_region_view *view);
void strait_region_leave(const struct strait_region_view *view);

/** Remove a dead lease from all parts: how many it had locked. Admin, the lease probed since. */
uint32_t strait_region_sweep(const struct strait_region_view *view, uint32_t dead);

/* ---- atomic regions ---- */

/** The published copy. Stays as it is while we have the lock. */
unsigned char *strait_region_current(const struct strait_part *part);

/** The owner begins to write: the spare copy, made equal to the published one. */
unsigned char *strait_region_begin_part(const struct strait_part *part);

/** The owner publishes the spare copy: one store. */
void strait_region_commit_part(const struct strait_part *part);

/** Copy the published bytes: 0, -EAGAIN a writer came in between, and *to is rubbish. */
int strait_region_snapshot_step(const struct strait_part *part, void *to, uint64_t bytes);

#endif
