/* SPDX-License-Identifier: MIT */
/* Regions: opening, snapshots, figures. region_lock.c locks them. */
#include "strait/region.h"

#include <errno.h>
#include <stdlib.h>

#include "await.h"
#include "error.h"
#include "guard.h"

#define SNAPSHOT_TRIES 64

/* ---- what a region is made of ---- */

struct asking {
    const struct strait_region_options *options; /* NULL = whatever is there */
    uint32_t parts;                              /* 0 = as many as there are */
    uint32_t index;
    struct strait_region_plan plan;
    struct strait_spread_nodes nodes; /* of the plan's runs */
    struct strait_guard *guard;       /* NULL: only made, not opened */
};

static uint32_t flags_of(const struct strait_region_options *o)
{
    return (o->atomic ? STRAIT_REGION_ATOMIC : 0) | (o->readers ? STRAIT_REGION_READERS : 0);
}

static int64_t measure(const char *name, void *ask)
{
    struct asking *a = ask;
    const struct strait_region_options *o = a->options;

    if (a->parts > 1)
        strait_spread_nodes(STRAIT_SHARDS_NODES, o->memory, &a->nodes);
    a->plan = (struct strait_region_plan){.flags = flags_of(o),
                                          .parts = a->parts ? a->parts : 1,
                                          .bytes = o->bytes,
                                          .initial = o->initial,
                                          .runs = a->nodes.n && a->nodes.node[0] >= 0 ? a->nodes.n : 1,
                                          .nodes = a->nodes.n ? a->nodes.node : NULL};
    if (strait_region_measure(&a->plan) == 0) {
        a->nodes.n = (a->plan.parts + a->plan.run_parts - 1) / a->plan.run_parts;
        return (int64_t)a->plan.object_bytes;
    }
    return strait_fail(
        -EINVAL,
        "region %s: %llu bytes (1 to 2^40), %u shards (1 to %u), atomic %d, readers %d (not both) do not "
        "make a region",
        name, (unsigned long long)o->bytes, a->plan.parts, STRAIT_REGION_PARTS, o->atomic, o->readers);
}

static void spread(void *ask, struct strait_spread_object *object)
{
    struct asking *a = ask;

    if (a->plan.nodes == NULL)
        return;
    object->shards_at = a->plan.parts_at;
    object->shard_bytes = a->plan.run_bytes;
    object->nodes = &a->nodes;
}

static uint32_t memory(const void *ask)
{
    const struct strait_region_options *o = ((const struct asking *)ask)->options;
    return o ? o->memory : STRAIT_MEMORY_ANYWHERE;
}

static void build(const struct strait_segment_map *map, const struct strait_object *object, void *ask)
{
    strait_region_build(map, object, &((struct asking *)ask)->plan);
}

/* Does an existing region offer what is asked for? */
static int suits(const struct strait_region_view *v, const char *name, const struct asking *a)
{
    if (a->options && a->options->bytes > v->bytes)
        return strait_fail(-EINVAL, "region %s exists with %llu bytes, %llu are asked for", name,
                           (unsigned long long)v->bytes, (unsigned long long)a->options->bytes);
    if (a->options && flags_of(a->options) != v->flags)
        return strait_fail(-EINVAL, "region %s exists as %s region", name,
                           v->flags & STRAIT_REGION_ATOMIC    ? "an atomic"
                           : v->flags & STRAIT_REGION_READERS ? "a reader-writer"
                                                              : "a plain");
    if (a->parts && a->parts != v->parts)
        return strait_fail(-EINVAL, "region %s exists with %u shards, %u are asked for", name, v->parts, a->parts);
    return 0;
}

/* Admin. */
static int enter(struct strait_handle *h, void *ask)
{
    struct asking *a = ask;
    struct strait_guard *g = a->guard;
    struct strait_region_view view;
    int r = strait_region_view(&h->segment->map, &h->object, &view);

    if (r < 0)
        return strait_fail(strait_handle_error(h, STRAIT_ERROR_DAMAGED, r), "region %s of segment %s is damaged",
                           h->name, h->segment->map.path);
    r = suits(&view, h->name, a);
    if (r < 0)
        return r;
    r = strait_region_part(&view, a->index, &g->part);
    if (r < 0)
        return strait_fail(-EINVAL, "region %s has no shard %u", h->name, a->index);
    g->index = a->index;
    g->parts = view.parts;
    g->flags = view.flags;
    strait_region_enter(&view);
    return 0;
}

/* Admin. */
static void leave(struct strait_handle *h, bool last)
{
    struct strait_region_view view;

    if (last && strait_region_view(&h->segment->map, &h->object, &view) == 0)
        strait_region_leave(&view);
}

static const struct strait_handle_kind region_kind = {.kind = STRAIT_KIND_REGION,
                                                      .noun = "region",
                                                      .measure = measure,
                                                      .spread = spread,
                                                      .memory = memory,
                                                      .build = build,
                                                      .enter = enter,
                                                      .leave = leave};

/* ---- open, close ---- */

struct opened {
    struct strait_region region; /* first: what the user holds */
    struct strait_guard guard;
};

static void fill(struct opened *o)
{
    struct strait_guard *g = &o->guard;
    const struct strait_segment *s = g->handle.segment;

    g->ranked = strait_rank_wanted();
    g->idle = g->ranked || g->part.cells ? STRAIT_REGION_CAREFUL : STRAIT_REGION_FREE;
    g->rank_segment = strait_load64_relaxed(&strait_segment_header(&s->map)->id);
    g->rank_offset = (uint64_t)((unsigned char *)g->part.lock - s->map.base);
    o->region = (struct strait_region){.home = s->home,
                                       .word = &g->part.lock->word,
                                       .lease = s->map.lease,
                                       .state = g->idle,
                                       .data = g->part.data,
                                       .bytes = g->part.bytes,
                                       .guard = g};
}

int strait_region_open_part(struct strait_segment *segment, const char *name,
                            const struct strait_region_options *options, uint32_t parts, uint32_t index,
                            struct strait_region **region)
{
    struct opened *o = aligned_alloc(STRAIT_LINE, (sizeof *o + STRAIT_LINE - 1) / STRAIT_LINE * STRAIT_LINE);
    struct asking ask = {.options = options, .parts = parts, .index = index};
    int r;

    if (o == NULL)
        return strait_fail(-ENOMEM, "region %s: out of memory", name);
    o->guard = (struct strait_guard){.index = 0};
    ask.guard = &o->guard;
    r = strait_handle_open(&o->guard.handle, segment, name, &region_kind, options != NULL, &ask);
    if (r < 0) {
        free(o);
        return r;
    }
    fill(o);
    *region = &o->region;
    return 0;
}

int strait_region_open(struct strait_segment *segment, const char *name, const struct strait_region_options *options,
                       struct strait_region **region)
{
    return strait_region_open_part(segment, name, options, 1, 0, region);
}

int strait_region_create(struct strait_segment *segment, const char *name, const struct strait_region_options *options)
{
    struct asking ask = {.options = options, .parts = 1};

    if (options == NULL)
        return strait_fail(-EINVAL, "region %s: how many bytes?", name);
    return strait_handle_make(segment, name, &region_kind, &ask);
}

void strait_region_close(struct strait_region *r)
{
    if (r == NULL)
        return;
    if (*r->home)
        strait_await_orphan(r->guard->awaits, NULL);
    if (*r->home && r->state == STRAIT_REGION_READING)
        strait_region_read_unlock(r);
    else if (*r->home && strait_region_held(r))
        strait_region_restore(r);
    strait_handle_close(&r->guard->handle, &region_kind);
    free(r);
}

int strait_region_unlink(struct strait_segment *segment, const char *name)
{
    return strait_handle_unlink(segment, name, &region_kind);
}

uint64_t strait_region_bytes(const struct strait_region *r)
{
    return r->bytes;
}

void *strait_region_data(const struct strait_region *r)
{
    return *r->home ? strait_region_current(&r->guard->part) : NULL;
}

/* ---- atomic regions ---- */

static int not_atomic(const struct strait_region *r)
{
    return strait_fail(-EOPNOTSUPP, "region %s was not made with options.atomic", r->guard->handle.name);
}

int strait_region_begin(struct strait_region *r, void **data)
{
    struct strait_guard *g = r->guard;

    if (*r->home == 0)
        return strait_process_forked();
    if (!(g->flags & STRAIT_REGION_ATOMIC))
        return not_atomic(r);
    if (!strait_region_held(r))
        return strait_region_not_held(r);
    r->state = STRAIT_REGION_HELD_CAREFUL; /* unlocking forgets what is not committed */
    g->spare = strait_region_begin_part(&g->part);
    *data = g->spare;
    return 0;
}

int strait_region_commit(struct strait_region *r)
{
    struct strait_guard *g = r->guard;

    if (*r->home == 0)
        return strait_process_forked();
    if (g->spare == NULL)
        return strait_fail(-EPERM, "region %s: nothing was begun", g->handle.name);
    g->spare = NULL;
    strait_region_commit_part(&g->part);
    return 0;
}

/* Commits came faster than we copy: keep them out for once. */
static int snapshot_locked(struct strait_region *r, void *to, uint64_t bytes, uint64_t deadline_ns)
{
    int e = strait_region_lock_slow(r, deadline_ns);

    if (e < 0)
        return e;
    strait_region_snapshot_step(&r->guard->part, to, bytes);
    return strait_region_unlock(r);
}

int strait_region_snapshot(struct strait_region *r, void *to, uint64_t bytes, uint64_t deadline_ns)
{
    const struct strait_guard *g = r->guard;

    if (*r->home == 0)
        return strait_process_forked();
    if (!(g->flags & STRAIT_REGION_ATOMIC))
        return not_atomic(r);
    if (bytes > r->bytes)
        return strait_fail(-EMSGSIZE, "region %s has %llu bytes, %llu are asked for", g->handle.name,
                           (unsigned long long)r->bytes, (unsigned long long)bytes);
    for (int i = 0; i < SNAPSHOT_TRIES; i++)
        if (strait_region_snapshot_step(&g->part, to, bytes) == 0)
            return 0;
    return strait_region_held(r) ? -EPROTO : snapshot_locked(r, to, bytes, deadline_ns);
}

/* ---- figures ---- */

int strait_region_contention(const struct strait_region *r, struct strait_contention *figures)
{
    const struct strait_lock *lock = r->guard->part.lock;

    if (*r->home == 0)
        return strait_process_forked();
    *figures = (struct strait_contention){.contended = strait_load64_relaxed(&lock->contended),
                                          .slept = strait_load64_relaxed(&lock->slept),
                                          .deaths = strait_load64_relaxed(&lock->deaths)};
    return 0;
}
