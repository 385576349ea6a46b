/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <errno.h>
#include <string.h>

#include "lease.h"

#define MOST_BYTES (UINT64_C(1) << 40)
#define KNOWN      (STRAIT_REGION_ATOMIC | STRAIT_REGION_READERS)
#define CELLS      (STRAIT_LEASES * sizeof(struct strait_reader_cell))

static uint64_t up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static uint64_t lines(uint64_t bytes)
{
    return up(bytes, STRAIT_LINE);
}

/* ---- measure, build ---- */

/* Snapshots need no lock, so an atomic region has no use for readers that take it. */
static bool sensible(uint32_t flags, uint32_t parts, uint64_t bytes)
{
    return (flags & ~(uint32_t)KNOWN) == 0 && flags != KNOWN && parts > 0 && parts <= STRAIT_REGION_PARTS &&
           bytes > 0 && bytes <= MOST_BYTES;
}

static void measure_runs(struct strait_region_plan *p)
{
    uint32_t runs = p->runs ? p->runs : 1;
    uint64_t unit = runs > 1 ? STRAIT_PAGE : STRAIT_LINE;

    p->run_parts = (p->parts + runs - 1) / runs;
    p->run_bytes = up(p->run_parts * p->part_bytes, unit);
    p->parts_at = up(sizeof(struct strait_region_head), unit);
    p->object_bytes = p->parts_at + (p->parts + p->run_parts - 1) / p->run_parts * p->run_bytes;
}

int strait_region_measure(struct strait_region_plan *p)
{
    if (!sensible(p->flags, p->parts, p->bytes))
        return -EINVAL;
    p->cells_at = sizeof(struct strait_lock);
    p->data_at = p->cells_at + (p->flags & STRAIT_REGION_READERS ? CELLS : 0);
    p->copy_bytes = p->flags & STRAIT_REGION_ATOMIC ? lines(p->bytes) : 0;
    p->part_bytes = p->data_at + lines(p->bytes) + p->copy_bytes;
    measure_runs(p);
    return p->object_bytes > MOST_BYTES ? -EFBIG : 0;
}

void strait_region_build(const struct strait_segment_map *map, const struct strait_object *o,
                         const struct strait_region_plan *p)
{
    struct strait_region_head *h = (struct strait_region_head *)(void *)(map->base + o->offset);

    h->flags = p->flags;
    h->parts = p->parts;
    h->bytes = p->bytes;
    h->parts_off = o->offset + p->parts_at;
    h->part_bytes = p->part_bytes;
    h->cells_at = p->cells_at;
    h->data_at = p->data_at;
    h->copy_bytes = p->copy_bytes;
    h->run_bytes = p->run_bytes;
    h->run_parts = p->run_parts;
    for (uint32_t i = 0; i < p->parts; i++) {
        uint32_t run = i / p->run_parts;
        unsigned char *part = map->base + h->parts_off + run * p->run_bytes + i % p->run_parts * p->part_bytes;
        ((struct strait_lock *)(void *)part)->node = p->nodes ? p->nodes[run] : STRAIT_NODE_ANY;
        if (p->initial)
            memcpy(part + p->data_at, p->initial, p->bytes);
    }
}

/* ---- view ---- */

/* Does one part hold what its head says, whatever it says? */
static bool part_fits(const struct strait_region_view *v)
{
    uint64_t copies = v->flags & STRAIT_REGION_ATOMIC ? 2 : 1;

    if (v->cells_at < sizeof(struct strait_lock) || v->cells_at > v->data_at || v->data_at > v->part_bytes)
        return false;
    if (v->flags & STRAIT_REGION_READERS && v->data_at - v->cells_at < CELLS)
        return false;
    if (copies == 2 ? v->copy_bytes < v->bytes : v->copy_bytes != 0)
        return false;
    if ((v->part_bytes | v->cells_at | v->data_at | v->copy_bytes) % STRAIT_LINE)
        return false;
    return v->bytes <= MOST_BYTES && v->copy_bytes <= MOST_BYTES && v->part_bytes <= MOST_BYTES &&
           (copies - 1) * v->copy_bytes + lines(v->bytes) <= v->part_bytes - v->data_at;
}

static bool runs_fit(const struct strait_region_view *v)
{
    uint64_t unit = v->run_parts < v->parts ? STRAIT_PAGE : STRAIT_LINE;

    return v->run_parts > 0 && v->run_parts <= STRAIT_REGION_PARTS && v->run_bytes <= MOST_BYTES &&
           (v->parts_off | v->run_bytes) % unit == 0 && v->run_parts * v->part_bytes <= v->run_bytes;
}

static bool parts_fit(const struct strait_region_view *v)
{
    const struct strait_object *o = &v->object;
    uint64_t at = v->parts_off - o->offset;

    return v->parts_off >= o->offset && at >= sizeof(struct strait_region_head) && at <= o->bytes &&
           (v->parts + v->run_parts - 1) / v->run_parts * v->run_bytes <= o->bytes - at;
}

int strait_region_view(struct strait_segment_map *map, const struct strait_object *o, struct strait_region_view *view)
{
    struct strait_region_head *h = (struct strait_region_head *)(void *)(map->base + o->offset);
    struct strait_region_view v = {.map = map, .object = *o, .shared = h};

    if (o->bytes < sizeof *h)
        return -EPROTO;
    v.flags = strait_load32_relaxed(&h->flags);
    v.parts = strait_load32_relaxed(&h->parts);
    v.bytes = strait_load64_relaxed(&h->bytes);
    v.parts_off = strait_load64_relaxed(&h->parts_off);
    v.part_bytes = strait_load64_relaxed(&h->part_bytes);
    v.cells_at = strait_load32_relaxed(&h->cells_at);
    v.data_at = strait_load32_relaxed(&h->data_at);
    v.copy_bytes = strait_load64_relaxed(&h->copy_bytes);
    v.run_bytes = strait_load64_relaxed(&h->run_bytes);
    v.run_parts = strait_load32_relaxed(&h->run_parts);
    if (!sensible(v.flags, v.parts, v.bytes) || !part_fits(&v) || !runs_fit(&v) || !parts_fit(&v))
        return -EPROTO;
    *view = v;
    return 0;
}

int strait_region_part(const struct strait_region_view *v, uint32_t i, struct strait_part *part)
{
    unsigned char *at;

    if (i >= v->parts)
        return -EPROTO;
    at = v->map->base + v->parts_off + i / v->run_parts * v->run_bytes + i % v->run_parts * v->part_bytes;
    *part = (struct strait_part){.lock = (struct strait_lock *)(void *)at,
                                 .readers = &v->shared->readers,
                                 .data = at + v->data_at,
                                 .bytes = v->bytes,
                                 .copy_bytes = v->copy_bytes,
                                 .lease = v->map->lease};
    if (v->flags & STRAIT_REGION_READERS)
        part->cells = (struct strait_reader_cell *)(void *)(at + v->cells_at);
    return 0;
}

void strait_region_enter(const struct strait_region_view *v)
{
    if (v->flags & STRAIT_REGION_READERS)
        strait_set_add(&v->shared->readers, v->map->lease);
}

void strait_region_leave(const struct strait_region_view *v)
{
    if (v->flags & STRAIT_REGION_READERS)
        strait_set_remove(&v->shared->readers, v->map->lease);
}

uint32_t strait_region_sweep(const struct strait_region_view *v, uint32_t dead)
{
    uint32_t mark = v->flags & STRAIT_REGION_ATOMIC ? 0 : STRAIT_LOCK_DIED, locks = 0;
    struct strait_part part;

    for (uint32_t i = 0; i < v->parts && strait_region_part(v, i, &part) == 0; i++)
        locks += strait_lock_sweep(&part, dead, mark);
    strait_set_remove(&v->shared->readers, dead);
    return locks;
}

/* ---- atomic regions ---- */

static unsigned char *copy_of(const struct strait_part *part, uint64_t sequence)
{
    return part->data + (sequence & 1) * part->copy_bytes;
}

/* A reader of snapshots may be in the copy that a writer begins to overwrite; it throws away what it got. By the letter of
 * C11 that is a race unless each word is atomic, so the model checker and ThreadSanitizer get it word by word (the latter
 * still sees the owner's own plain stores into the spare copy). Elsewhere memcpy, three times as fast at 1 KiB: a call
 * between two fences, which the compiler can neither move nor repeat. */
#if defined(STRAIT_MODEL) || defined(STRAIT_TSAN)
static void copy(void *to, const void *from, uint64_t bytes)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    uint64_t at = 0;

    for (; bytes - at >= sizeof(uint64_t); at += sizeof(uint64_t))
        strait_store64_relaxed((uint64_t *)(void *)(out + at),
                               strait_load64_relaxed((const uint64_t *)(const void *)(in + at)));
    for (; at < bytes; at++)
        out[at] = in[at];
}
#else
static void copy(void *to, const void *from, uint64_t bytes)
{
    memcpy(to, from, bytes);
}
#endif

unsigned char *strait_region_current(const struct strait_part *part)
{
    return copy_of(part, strait_load64_relaxed(&part->lock->sequence));
}

unsigned char *strait_region_begin_part(const struct strait_part *part)
{
    uint64_t sequence = strait_load64_relaxed(&part->lock->sequence);
    unsigned char *spare = copy_of(part, sequence + 1);

    strait_fence_release(); /* release fence [A1] -> [A2]: who reads what we write from here on sees the commit before */
    copy(spare, copy_of(part, sequence), part->bytes);
    return spare;
}

void strait_region_commit_part(const struct strait_part *part)
{
    uint64_t *sequence = &part->lock->sequence;
    strait_store64_release(sequence, strait_load64_relaxed(sequence) + 1); /* release [A3] -> [A4] */
}

int strait_region_snapshot_step(const struct strait_part *part, void *to, uint64_t bytes)
{
    /* acquire [A4] <- [A3] strait_region_commit_part: the copy that it published */
    uint64_t sequence = strait_load64_acquire(&part->lock->sequence);

    copy(to, copy_of(part, sequence), bytes);
    strait_fence_acquire(); /* acquire fence [A2] <- [A1] strait_region_begin_part: a torn copy comes with a newer sequence */
    return strait_load64_relaxed(&part->lock->sequence) == sequence ? 0 : -EAGAIN;
}
