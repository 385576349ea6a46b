/* SPDX-License-Identifier: MIT */
/** A counter's bytes: a cell for each handle, written by it alone and summed by readers. Nothing here blocks. */
#ifndef STRAIT_SHM_COUNTER_H
#define STRAIT_SHM_COUNTER_H

#include "directory.h"

/** Bytes of a counter with so many cells (1 to 65536), or 0. */
uint64_t strait_counter_measure(uint32_t cells);

/** Fill in a prepared, zeroed object. */
void strait_counter_build(const struct strait_segment_map *map, const struct strait_object *object, uint32_t cells);

/** A checked copy of a counter's head. */
struct strait_counter_view {
    struct strait_segment_map *map;
    struct strait_object object;
    struct strait_counter_head *shared;
    struct strait_counter_cell *first;
    uint32_t cells;
};

/** 0, -EPROTO the head points outside its object. */
int strait_counter_view(struct strait_segment_map *map, const struct strait_object *object,
                        struct strait_counter_view *view);

/** A cell for a handle of ours, with whatever value it has. Admin. 0, -ENOBUFS all are taken. */
int strait_counter_take(const struct strait_counter_view *view, struct strait_counter_cell **cell);

/** The handle goes, its count stays. Admin. */
void strait_counter_give(struct strait_counter_cell *cell);

/** The sum of all cells, modulo 2^64. */
uint64_t strait_counter_sum(const struct strait_counter_view *view);

/** Free a dead lease's cells; their values stay. Admin, the lease probed since. */
void strait_counter_sweep(const struct strait_counter_view *view, uint32_t dead);

#endif
