/* SPDX-License-Identifier: MIT */
/* Counters: the slow side of strait/counter.h. */
#include "strait/counter.h"

#include <errno.h>
#include <stdlib.h>

#include "counter.h"
#include "error.h"
#include "handle.h"

#define DEFAULT_HANDLES STRAIT_LEASES

struct strait_counter_rest {
    struct strait_handle handle; /* first: leave() has nothing else */
    struct strait_counter_view view;
    struct strait_counter_cell *cell;
};

struct asking {
    const struct strait_counter_options *options; /* of a new counter */
    struct strait_counter_plan plan;
    struct strait_spread_nodes nodes;
    struct strait_counter_rest *rest;
};

static int64_t measure(const char *name, void *ask)
{
    struct asking *a = ask;
    const struct strait_counter_options *o = a->options;

    strait_spread_nodes(o->shards, o->memory, &a->nodes);
    a->plan = (struct strait_counter_plan){.handles = o->handles ? o->handles : DEFAULT_HANDLES,
                                           .shards = a->nodes.n ? a->nodes.n : 1,
                                           .nodes = a->nodes.n ? a->nodes.node : NULL};
    if (strait_counter_measure(&a->plan) == 0)
        return (int64_t)a->plan.object_bytes;
    return strait_fail(-EINVAL, "counter %s: %u handles (1 to 65536), %u shards (at most %u) do not make a counter",
                       name, a->plan.handles, a->plan.shards, STRAIT_SHARDS_MOST);
}

static void spread(void *ask, struct strait_spread_object *object)
{
    struct asking *a = ask;

    object->shards_at = a->plan.shards_at;
    object->shard_bytes = a->plan.shard_bytes;
    object->nodes = &a->nodes;
}

static uint32_t memory(const void *ask)
{
    return ((const struct asking *)ask)->options->memory;
}

static void build(const struct strait_segment_map *map, const struct strait_object *object, void *ask)
{
    strait_counter_build(map, object, &((struct asking *)ask)->plan);
}

/* A cell of the nearest shard that has one. Admin. */
static int take(struct strait_counter_rest *rest)
{
    const struct strait_counter_view *v = &rest->view;
    int32_t node[STRAIT_SHARDS_MOST];
    uint8_t order[STRAIT_SHARDS_MOST] = {0};
    int r = -ENOBUFS;

    for (uint32_t i = 0; i < v->shards; i++)
        node[i] = (int32_t)strait_load32_relaxed((const uint32_t *)&strait_counter_shard(v, i)->node);
    if (v->shards > 1)
        strait_spread_near(node, v->shards, v->map->lease, order);
    for (uint32_t k = 0; k < v->shards && r == -ENOBUFS; k++)
        r = strait_counter_take(v, order[k], &rest->cell);
    return r;
}

/* Admin. */
static int enter(struct strait_handle *h, void *ask)
{
    struct strait_counter_rest *rest = ((struct asking *)ask)->rest;
    int r = strait_counter_view(&h->segment->map, &h->object, &rest->view);

    if (r < 0)
        return strait_fail(strait_handle_error(h, STRAIT_ERROR_DAMAGED, r), "counter %s of segment %s is damaged",
                           h->name, h->segment->map.path);
    r = take(rest);
    if (r < 0)
        return strait_fail(r, "counter %s: all %u handles are in use; close some, or create it with more", h->name,
                           rest->view.shards * rest->view.cells);
    return 0;
}

/* Admin. */
static void leave(struct strait_handle *h, bool last)
{
    (void)last;
    strait_counter_give(((struct strait_counter_rest *)(void *)h)->cell);
}

static const struct strait_handle_kind counter_kind = {.kind = STRAIT_KIND_COUNTER,
                                                       .noun = "counter",
                                                       .measure = measure,
                                                       .spread = spread,
                                                       .memory = memory,
                                                       .build = build,
                                                       .enter = enter,
                                                       .leave = leave};

struct opened {
    struct strait_counter counter; /* first: what the user holds */
    struct strait_counter_rest rest;
};

int strait_counter_open(struct strait_segment *segment, const char *name, const struct strait_counter_options *options,
                        struct strait_counter **counter)
{
    static const struct strait_counter_options defaults;
    struct opened *o = calloc(1, sizeof *o);
    struct asking ask = {.options = options ? options : &defaults};
    int r;

    if (o == NULL)
        return strait_fail(-ENOMEM, "counter %s: out of memory", name);
    ask.rest = &o->rest;
    r = strait_handle_open(&o->rest.handle, segment, name, &counter_kind, true, &ask);
    if (r < 0) {
        free(o);
        return r;
    }
    o->counter = (struct strait_counter){.home = segment->home, .value = &o->rest.cell->value, .rest = &o->rest};
    *counter = &o->counter;
    return 0;
}

void strait_counter_close(struct strait_counter *c)
{
    if (c == NULL)
        return;
    strait_handle_close(&c->rest->handle, &counter_kind);
    free(c);
}

int strait_counter_unlink(struct strait_segment *segment, const char *name)
{
    return strait_handle_unlink(segment, name, &counter_kind);
}

int strait_counter_read(const struct strait_counter *c, int64_t *sum)
{
    if (*c->home == 0)
        return strait_process_forked();
    *sum = (int64_t)strait_counter_sum(&c->rest->view);
    return 0;
}
