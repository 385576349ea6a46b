/* SPDX-License-Identifier: MIT */
#include "spread.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "node.h"
#include "strait/atomic.h"
#include "strait/channel.h"
#include "topology.h"

#define VISIT_EVERY 8 /* half rings between two looks into another shard while the own one is never empty */

struct strait_spread_map {
    uint32_t shards, home;
    uint32_t halves, visited;
    uint32_t cpus;   /* entries of near */
    uint8_t stray;   /* the shard of a CPU that was not ours when we looked */
    uint8_t *near;   /* of each CPU: its shard */
    uint8_t order[]; /* shards times shards: row i begins with i */
};

/* ---- where new shards lie ---- */

static uint32_t places(const struct strait_topology *t, int32_t number[STRAIT_NODES])
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n; i++)
        if (strait_topology_places(t, i))
            number[n++] = t->node[i].number;
    return n;
}

void strait_spread_nodes(uint32_t shards, uint32_t memory, struct strait_spread_nodes *s)
{
    int32_t number[STRAIT_NODES];
    struct strait_topology t;
    uint32_t n;

    s->n = 0;
    if (shards == 0)
        return;
    strait_topology_read(&t);
    n = places(&t, number);
    s->n = shards != STRAIT_SHARDS_NODES ? shards : n ? n : 1;
    for (uint32_t i = 0; i < s->n && i < STRAIT_SHARDS_MOST; i++)
        s->node[i] = n > 1 && memory == STRAIT_MEMORY_ANYWHERE ? number[i % n] : -1;
}

static void spread_nowhere(struct strait_spread_nodes *s)
{
    for (uint32_t i = 0; i < s->n && i < STRAIT_SHARDS_MOST; i++)
        s->node[i] = STRAIT_NODE_ANY;
}

int strait_spread_prepare(struct strait_segment *s, const char *name, const struct strait_spread_object *o,
                          int32_t node, struct strait_object *made)
{
    struct strait_directory_part parts[STRAIT_SHARDS_MOST];
    struct strait_directory_place place = {.node = node, .parts = parts};
    struct strait_spread_nodes *nodes = o->nodes;
    int r;

    if (!strait_node_placeable(s))
        spread_nowhere(nodes);
    for (uint32_t i = 0; i < nodes->n; i++)
        if (nodes->node[i] >= 0)
            parts[place.parts_n++] =
                (struct strait_directory_part){o->shards_at + i * o->shard_bytes, o->shard_bytes, nodes->node[i]};
    if (place.parts_n)
        place.node = STRAIT_NODE_SHARDED;
    r = strait_directory_prepare_at(&s->map, name, o->kind, o->bytes, &place, made);
    if (place.parts_n == 0 || (r != -EPERM && r != -ENOSYS))
        return r;
    spread_nowhere(nodes); /* nobody asked for these very nodes: better anywhere than not at all */
    return strait_directory_prepare(&s->map, name, o->kind, o->bytes, node, made);
}

/* ---- near and far ---- */

/* How many nodes are nearer to the node at index `from` than this shard's; -1 or unknown: none is farther. */
static uint32_t rank(const struct strait_topology *t, const uint32_t order[STRAIT_NODES], int32_t node)
{
    uint32_t k = 0;

    while (k < t->n && t->node[order[k]].number != node)
        k++;
    return k;
}

/* The shards as seen from a node: those of the nearest first; equally near ones follow each other round from `first`. */
static void arrange(const struct strait_topology *t, uint32_t from, const int32_t *node, uint32_t n, uint32_t first,
                    uint8_t *to)
{
    uint32_t order[STRAIT_NODES], ranks[STRAIT_SHARDS_MOST];

    strait_topology_order(t, from, order);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t shard = (first + k) % n, at = k, r = rank(t, order, node[shard]);
        for (; at > 0 && ranks[at - 1] > r; at--) {
            to[at] = to[at - 1];
            ranks[at] = ranks[at - 1];
        }
        to[at] = (uint8_t)shard;
        ranks[at] = r;
    }
}

/* Seen from a shard: itself, then the others as its node sees them. */
static void arrange_from_shard(const struct strait_topology *t, const int32_t *node, uint32_t n, uint32_t shard,
                               uint8_t *to)
{
    int at = strait_topology_find(t, node[shard]);
    uint32_t i = 0;

    arrange(t, at < 0 ? 0 : (uint32_t)at, node, n, shard, to);
    while (to[i] != shard)
        i++;
    for (; i > 0; i--)
        to[i] = to[i - 1];
    to[0] = (uint8_t)shard;
}

void strait_spread_near(const int32_t *node, uint32_t shards, uint32_t first, uint8_t *order)
{
    struct strait_topology t;
    int cpu = sched_getcpu(), here;

    strait_topology_read(&t);
    here = cpu < 0 ? cpu : strait_topology_of_cpu(&t, (uint32_t)cpu);
    arrange(&t, here < 0 ? 0 : (uint32_t)here, node, shards, first % shards, order);
}

/* Where several shards are equally near, handles of different processes begin with different ones. */
static void find_near(const struct strait_topology *t, const int32_t *node, struct strait_spread_map *s, uint32_t lease)
{
    uint8_t seen[STRAIT_NODES];

    assert(s->shards > 0);
    s->stray = (uint8_t)(lease % s->shards);
    for (uint32_t i = 0; i < t->n; i++) {
        uint8_t order[STRAIT_SHARDS_MOST];
        arrange(t, i, node, s->shards, lease % s->shards, order);
        seen[i] = order[0];
    }
    for (uint32_t cpu = 0; cpu < s->cpus; cpu++) {
        int i = strait_topology_of_cpu(t, cpu);
        s->near[cpu] = i < 0 ? s->stray : seen[i];
    }
}

int strait_spread_make(const struct strait_channel_view *view, struct strait_spread_map **out)
{
    const struct strait_ring *rings = (const struct strait_ring *)(const void *)(view->map->base + view->rings_off);
    uint32_t n = view->rings < STRAIT_SHARDS_MOST ? view->rings : STRAIT_SHARDS_MOST;
    long conf = sysconf(_SC_NPROCESSORS_CONF);
    uint32_t cpus = conf > 0 && conf < CPU_SETSIZE ? (uint32_t)conf : CPU_SETSIZE;
    int32_t node[STRAIT_SHARDS_MOST];
    struct strait_topology t;
    struct strait_spread_map *s = calloc(1, sizeof *s + (size_t)n * n + cpus);

    if (s == NULL)
        return strait_fail(-ENOMEM, "a sharded channel: out of memory");
    s->shards = n;
    s->cpus = cpus;
    s->near = s->order + (size_t)n * n;
    strait_topology_read(&t);
    for (uint32_t i = 0; i < n; i++)
        node[i] = (int32_t)strait_load32_relaxed((const uint32_t *)&rings[i].node);
    for (uint32_t i = 0; i < n; i++)
        arrange_from_shard(&t, node, n, i, s->order + (size_t)i * n);
    find_near(&t, node, s, view->map->lease);
    s->home = strait_spread_home(s);
    *out = s;
    return 0;
}

uint32_t strait_spread_home(struct strait_spread_map *s)
{
    int cpu = s->shards > 1 ? sched_getcpu() : 0;

    s->home = cpu >= 0 && (uint32_t)cpu < s->cpus ? s->near[cpu] : s->stray;
    return s->home;
}

const uint8_t *strait_spread_order(const struct strait_spread_map *s)
{
    return s->order + (size_t)s->home * s->shards;
}

uint32_t strait_spread_visit(struct strait_spread_map *s)
{
    if (++s->halves % VISIT_EVERY)
        return s->home;
    s->visited = (s->visited + 1) % s->shards;
    return s->visited;
}
