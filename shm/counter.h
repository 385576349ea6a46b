/* SPDX-License-Identifier: MIT */
/** A counter's bytes: a cell for each handle, written by it alone and summed by readers. Nothing here blocks. */
#ifndef STRAIT_SHM_COUNTER_H
#define STRAIT_SHM_COUNTER_H

#include "directory.h"

/** What a counter is made of, decided at creation. */
struct strait_counter_plan {
    uint32_t handles;     /* at once; dealt out evenly over the shards */
    uint32_t shards;      /* each in pages of its own, if more than one */
    const int32_t *nodes; /* of each shard, or NULL = where the object lies */
    /* filled in by strait_counter_measure */
    uint32_t cells; /* of each shard */
    uint64_t shards_at, shard_bytes, object_bytes;
};

/** Where everything lies. 0, -EINVAL not 1 to 65536 handles, or not 1 to STRAIT_SHARDS_MOST shards. */
int strait_counter_measure(struct strait_counter_plan *plan);

/** Fill in a prepared, zeroed object. */
void strait_counter_build(const struct strait_segment_map *map, const struct strait_object *object,
                          const struct strait_counter_plan *plan);

/** A checked copy of a counter's head. */
struct strait_counter_view {
    struct strait_segment_map *map;
    struct strait_object object;
    struct strait_counter_head *shared;
    uint32_t shards, cells; /* cells: of each shard */
    uint64_t shards_off, shard_bytes;
};

/** 0, -EPROTO the head points outside its object. */
int strait_counter_view(struct strait_segment_map *map, const struct strait_object *object,
                        struct strait_counter_view *view);

/** Shard i < shards, and cell k < cells of it. */
struct strait_counter_shard *strait_counter_shard(const struct strait_counter_view *view, uint32_t i);
struct strait_counter_cell *strait_counter_cell(const struct strait_counter_view *view, uint32_t i, uint32_t k);

/** A cell of shard i for a handle of ours, with whatever value it has. Admin. 0, -ENOBUFS all are taken. */
int strait_counter_take(const struct strait_counter_view *view, uint32_t i, struct strait_counter_cell **cell);

/** The handle goes, its count stays. Admin. */
void strait_counter_give(struct strait_counter_cell *cell);

/** The sum of all cells, modulo 2^64. */
uint64_t strait_counter_sum(const struct strait_counter_view *view);

/** Free a dead lease's cells; their values stay. Admin, the lease probed since. */
void strait_counter_sweep(const struct strait_counter_view *view, uint32_t dead);

#endif
