/* SPDX-License-Identifier: MIT */
#include "counter.h"

#include <errno.h>

#include "strait/atomic.h"

#define CELLS_MOST 65536

static uint64_t up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

int strait_counter_measure(struct strait_counter_plan *p)
{
    uint64_t unit = p->shards > 1 ? STRAIT_PAGE : STRAIT_LINE;

    if (p->handles == 0 || p->handles > CELLS_MOST || p->shards == 0 || p->shards > STRAIT_SHARDS_MOST)
        return -EINVAL;
    p->cells = (p->handles + p->shards - 1) / p->shards;
    p->shards_at = up(sizeof(struct strait_counter_head), unit);
    p->shard_bytes =
        up(sizeof(struct strait_counter_shard) + (uint64_t)p->cells * sizeof(struct strait_counter_cell), unit);
    p->object_bytes = p->shards_at + p->shards * p->shard_bytes;
    return 0;
}

void strait_counter_build(const struct strait_segment_map *map, const struct strait_object *o,
                          const struct strait_counter_plan *p)
{
    struct strait_counter_head *h = (struct strait_counter_head *)(void *)(map->base + o->offset);

    h->shards = p->shards;
    h->cells = p->cells;
    h->shards_off = o->offset + p->shards_at;
    h->shard_bytes = p->shard_bytes;
    for (uint32_t i = 0; i < p->shards; i++) {
        void *shard = map->base + h->shards_off + i * p->shard_bytes;
        ((struct strait_counter_shard *)shard)->node = p->nodes ? p->nodes[i] : STRAIT_NODE_ANY;
    }
}

static bool shards_fit(const struct strait_counter_view *v)
{
    const struct strait_object *o = &v->object;
    uint64_t at = v->shards_off - o->offset, unit = v->shards > 1 ? STRAIT_PAGE : STRAIT_LINE;

    return v->shards > 0 && v->shards <= STRAIT_SHARDS_MOST && v->cells > 0 && v->cells <= CELLS_MOST &&
           (v->shards_off | v->shard_bytes) % unit == 0 && v->shards_off >= o->offset && at >= sizeof *v->shared &&
           at <= o->bytes && v->shard_bytes <= o->bytes && v->shards * v->shard_bytes <= o->bytes - at &&
           sizeof(struct strait_counter_shard) + (uint64_t)v->cells * sizeof(struct strait_counter_cell) <=
               v->shard_bytes;
}

int strait_counter_view(struct strait_segment_map *map, const struct strait_object *o, struct strait_counter_view *view)
{
    struct strait_counter_head *h = (struct strait_counter_head *)(void *)(map->base + o->offset);
    struct strait_counter_view v = {.map = map, .object = *o, .shared = h};

    if (o->bytes < sizeof *h)
        return -EPROTO;
    v.shards = strait_load32_relaxed(&h->shards);
    v.cells = strait_load32_relaxed(&h->cells);
    v.shards_off = strait_load64_relaxed(&h->shards_off);
    v.shard_bytes = strait_load64_relaxed(&h->shard_bytes);
    if (!shards_fit(&v))
        return -EPROTO;
    *view = v;
    return 0;
}

struct strait_counter_shard *strait_counter_shard(const struct strait_counter_view *v, uint32_t i)
{
    return (struct strait_counter_shard *)(void *)(v->map->base + v->shards_off + i * v->shard_bytes);
}

struct strait_counter_cell *strait_counter_cell(const struct strait_counter_view *v, uint32_t i, uint32_t k)
{
    return (struct strait_counter_cell *)(void *)(strait_counter_shard(v, i) + 1) + k;
}

static uint32_t used(const struct strait_counter_view *v, uint32_t i)
{
    /* acquire [N2] <- [N1] strait_counter_take */
    uint32_t n = strait_load32_acquire(&strait_counter_shard(v, i)->used);
    return n < v->cells ? n : v->cells;
}

int strait_counter_take(const struct strait_counter_view *v, uint32_t i, struct strait_counter_cell **cell)
{
    for (uint32_t k = 0; k < v->cells; k++) {
        struct strait_counter_cell *c = strait_counter_cell(v, i, k);
        /* acquire [N4] <- [N3] strait_counter_give: the value that the last one left, for us to add to */
        if (strait_load32_acquire(&c->lease) != STRAIT_LEASE_NONE)
            continue;
        if (k >= used(v, i)) /* first: the sweep looks at used cells only. release [N1] -> [N2] used */
            strait_store32_release(&strait_counter_shard(v, i)->used, k + 1);
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

    for (uint32_t i = 0; i < v->shards; i++)
        for (uint32_t k = 0, n = used(v, i); k < n; k++)
            sum += strait_load64_relaxed(&strait_counter_cell(v, i, k)->value);
    return sum;
}

void strait_counter_sweep(const struct strait_counter_view *v, uint32_t dead)
{
    for (uint32_t i = 0; i < v->shards; i++)
        for (uint32_t k = 0, n = used(v, i); k < n; k++)
            if (strait_load32_relaxed(&strait_counter_cell(v, i, k)->lease) == dead)
                strait_counter_give(strait_counter_cell(v, i, k));
}
