/* SPDX-License-Identifier: MIT */
#include "counter.h"

#include <errno.h>

#include "strait/atomic.h"

#define CELLS_MOST 65536

uint64_t strait_counter_measure(uint32_t cells)
{
    if (cells == 0 || cells > CELLS_MOST)
        return 0;
    return sizeof(struct strait_counter_head) + (uint64_t)cells * sizeof(struct strait_counter_cell);
}

void strait_counter_build(const struct strait_segment_map *map, const struct strait_object *o, uint32_t cells)
{
    struct strait_counter_head *h = (struct strait_counter_head *)(void *)(map->base + o->offset);

    h->cells = cells;
    h->cells_off = o->offset + sizeof *h;
}

int strait_counter_view(struct strait_segment_map *map, const struct strait_object *o, struct strait_counter_view *view)
{
    struct strait_counter_head *h = (struct strait_counter_head *)(void *)(map->base + o->offset);
    uint64_t off, cells_bytes;
    uint32_t cells;

    if (o->bytes < sizeof *h)
        return -EPROTO;
    cells = strait_load32_relaxed(&h->cells);
    off = strait_load64_relaxed(&h->cells_off);
    cells_bytes = (uint64_t)cells * sizeof(struct strait_counter_cell);
    if (cells == 0 || cells > CELLS_MOST || off % STRAIT_LINE || off < o->offset + sizeof *h ||
        off - o->offset > o->bytes || cells_bytes > o->bytes - (off - o->offset))
        return -EPROTO;
    *view = (struct strait_counter_view){.map = map,
                                         .object = *o,
                                         .shared = h,
                                         .first = (struct strait_counter_cell *)(void *)(map->base + off),
                                         .cells = cells};
    return 0;
}

static uint32_t used(const struct strait_counter_view *v)
{
    /* acquire [N2] <- [N1] strait_counter_take */
    uint32_t n = strait_load32_acquire(&v->shared->used);
    return n < v->cells ? n : v->cells;
}

int strait_counter_take(const struct strait_counter_view *v, struct strait_counter_cell **cell)
{
    for (uint32_t i = 0; i < v->cells; i++) {
        struct strait_counter_cell *c = &v->first[i];
        /* acquire [N4] <- [N3] strait_counter_give: the value that the last one left, for us to add to */
        if (strait_load32_acquire(&c->lease) != STRAIT_LEASE_NONE)
            continue;
        if (i >= used(v)) /* first: the sweep looks at used cells only. release [N1] -> [N2] used */
            strait_store32_release(&v->shared->used, i + 1);
        strait_store32_release(&c->lease, v->map->lease); /* release [N5] alone: after used, for the sweep */
        *cell = c;
        return 0;
    }
    return -ENOBUFS;
}

void strait_counter_give(struct strait_counter_cell *cell)
{
    strait_store32_release(&cell->lease, STRAIT_LEASE_NONE); /* release [N3] -> [N4] strait_counter_take */
}

uint64_t strait_counter_sum(const struct strait_counter_view *v)
{
    uint64_t sum = 0;

    for (uint32_t i = 0, n = used(v); i < n; i++)
        sum += strait_load64_relaxed(&v->first[i].value);
    return sum;
}

void strait_counter_sweep(const struct strait_counter_view *v, uint32_t dead)
{
    for (uint32_t i = 0, n = used(v); i < n; i++)
        if (strait_load32_relaxed(&v->first[i].lease) == dead)
            strait_counter_give(&v->first[i]);
}
