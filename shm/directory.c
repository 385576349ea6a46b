/* SPDX-License-Identifier: MIT */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lease.h"
#include "pages.h"
#include "strait/atomic.h"

static uint32_t state_of(const struct strait_entry *entry)
{
    /* acquire [D2] <- [D1] strait_directory_publish, [D3] free_if_unwanted, [D4] strait_directory_unlink */
    return strait_load32_acquire(&entry->state);
}

int strait_directory_at(const struct strait_segment_map *map, uint32_t i, struct strait_object *object)
{
    const struct strait_entry *entry = strait_segment_entry(map, i);
    struct strait_object o = {.entry = i};

    if (state_of(entry) == STRAIT_ENTRY_FREE)
        return -ENOENT;
    o.kind = strait_load32_relaxed(&entry->kind);
    o.offset = strait_load64_relaxed(&entry->offset);
    o.bytes = strait_load64_relaxed(&entry->bytes);
    if (!strait_segment_holds(map, o.offset, o.bytes) || o.offset % STRAIT_PAGE || o.bytes % STRAIT_PAGE)
        return -EPROTO;
    if (o.bytes == 0) /* whoever goes from object to object would stand still here */
        return -EPROTO;
    *object = o;
    return 0;
}

/* The entry of a live object of that name, or -ENOENT. */
static int entry_of(const struct strait_segment_map *map, const char *name)
{
    for (uint32_t i = 0; i < map->directory_max; i++) {
        const struct strait_entry *entry = strait_segment_entry(map, i);
        if (state_of(entry) == STRAIT_ENTRY_LIVE && strncmp(entry->name, name, STRAIT_NAME_BYTES) == 0)
            return (int)i;
    }
    return -ENOENT;
}

int strait_directory_find(const struct strait_segment_map *map, const char *name, enum strait_kind kind,
                          struct strait_object *object)
{
    struct strait_object o;
    int i = entry_of(map, name);
    int r = i < 0 ? i : strait_directory_at(map, (uint32_t)i, &o);

    if (r < 0)
        return r;
    if (kind != STRAIT_KIND_NONE && o.kind != kind)
        return -ENOTUNIQ;
    *object = o;
    return 0;
}

/* ---- space ---- */

/* A walk over the gaps between objects, by address. The directory is in no order, and shm/ has no heap: each look over it
 * keeps the WINDOW objects that come next. One look for each object in the way would cost minutes under the admin lock
 * where there are tens of thousands of them. */
#define WINDOW 512

struct extent {
    uint64_t offset, end;
};

struct gaps {
    const struct strait_segment_map *map;
    uint64_t at;   /* what lies before is done */
    uint32_t n, i; /* of the window; the objects before i are done */
    uint32_t looks;
    bool last; /* nothing follows the window */
    struct extent window[WINDOW];
};

static void swap(struct extent *a, struct extent *b)
{
    struct extent c = *a;
    *a = *b;
    *b = c;
}

/* window[0..n) is a heap, the farthest object on top, but for window[i]. */
static void sink(struct extent *window, uint32_t n, uint32_t i)
{
    for (uint32_t child = 2 * i + 1; child < n; i = child, child = 2 * i + 1) {
        if (child + 1 < n && window[child + 1].offset > window[child].offset)
            child++;
        if (window[i].offset >= window[child].offset)
            return;
        swap(&window[i], &window[child]);
    }
}

static void keep(struct gaps *g, struct extent e)
{
    if (g->n < WINDOW) {
        uint32_t i = g->n++;
        for (g->window[i] = e; i && g->window[(i - 1) / 2].offset < g->window[i].offset; i = (i - 1) / 2)
            swap(&g->window[i], &g->window[(i - 1) / 2]);
        return;
    }
    g->last = false;
    if (e.offset >= g->window[0].offset)
        return;
    g->window[0] = e;
    sink(g->window, g->n, 0);
}

/* One look over the directory: the objects that end behind g->at, the nearest first. */
static void look(struct gaps *g)
{
    struct strait_object o;

    g->n = g->i = 0;
    g->last = true;
    for (uint32_t i = 0; i < g->map->directory_max; i++)
        if (strait_directory_at(g->map, i, &o) == 0 && o.offset + o.bytes > g->at)
            keep(g, (struct extent){o.offset, o.offset + o.bytes});
    for (uint32_t n = g->n; n > 1; n--) {
        swap(&g->window[0], &g->window[n - 1]);
        sink(g->window, n - 1, 0);
    }
    /* a full window is used up by each look, unless a peer moves entries while we walk */
    if (++g->looks > g->map->directory_max / WINDOW + 1)
        g->last = true;
}

static void gaps_begin(struct gaps *g, const struct strait_segment_map *map)
{
    g->map = map;
    g->at = map->arena_off;
    g->looks = 0;
    look(g);
}

/* The next gap, [from, to): false when there is none left. */
static bool gaps_next(struct gaps *g, uint64_t *from, uint64_t *to)
{
    for (;;) {
        *from = g->at;
        while (g->i < g->n) {
            struct extent e = g->window[g->i++];
            g->at = e.end > g->at ? e.end : g->at;
            if (e.offset > *from) {
                *to = e.offset;
                return true;
            }
            *from = g->at;
        }
        if (g->last)
            break;
        look(g);
    }
    *to = g->at = g->map->bytes;
    return *from < *to;
}

/* First fit. */
static int find_room(const struct strait_segment_map *map, uint64_t bytes, uint64_t *offset)
{
    struct gaps gaps;
    uint64_t from, to;

    gaps_begin(&gaps, map);
    while (gaps_next(&gaps, &from, &to))
        if (to - from >= bytes) {
            *offset = from;
            return 0;
        }
    return -ENOSPC;
}

void strait_directory_space(const struct strait_segment_map *map, uint64_t *free_bytes, uint64_t *longest)
{
    struct gaps gaps;
    uint64_t from, to;

    *free_bytes = *longest = 0;
    gaps_begin(&gaps, map);
    while (gaps_next(&gaps, &from, &to)) {
        *free_bytes += to - from;
        *longest = to - from > *longest ? to - from : *longest;
    }
}

/* The pages must be fresh: zeroed, and on the node that was asked for. Reserved again, or a full file system would
 * answer the first store with SIGBUS. */
static int fresh_pages(struct strait_segment_map *map, uint64_t offset, uint64_t bytes,
                       const struct strait_directory_place *place)
{
    int fd = strait_segment_fd(map), r, placed;

    if (fd < 0)
        return fd;
    if (map->huge_bytes && place->node == STRAIT_NODE_ANY) { /* a hole would cut huge pages into plain ones */
        memset(map->base + offset, 0, bytes);
        return 0;
    }
    if (map->page_bytes > STRAIT_PAGE)
        return -EOPNOTSUPP;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) < 0)
        memset(map->base + offset, 0, bytes); /* a file system without holes: overwrite */
    placed = strait_pages_place(fd, offset, bytes, place->node == STRAIT_NODE_SHARDED ? STRAIT_NODE_ANY : place->node);
    for (uint32_t i = 0; i < place->parts_n && placed == 0; i++)
        placed = strait_pages_place(fd, offset + place->parts[i].at, place->parts[i].bytes, place->parts[i].node);
    do
        r = posix_fallocate(fd, (off_t)offset, (off_t)bytes); /* not placed: what was free is to stay reserved */
    while (r == EINTR);
    return placed < 0 ? placed : -r;
}

/* ---- prepare, publish ---- */

static int free_entry(const struct strait_segment_map *map)
{
    for (uint32_t i = 0; i < map->directory_max; i++)
        if (state_of(strait_segment_entry(map, i)) == STRAIT_ENTRY_FREE)
            return (int)i;
    return -EMFILE;
}

int strait_directory_prepare(struct strait_segment_map *map, const char *name, enum strait_kind kind, uint64_t bytes,
                             int32_t node, struct strait_object *object)
{
    return strait_directory_prepare_at(map, name, kind, bytes, &(struct strait_directory_place){.node = node}, object);
}

int strait_directory_prepare_at(struct strait_segment_map *map, const char *name, enum strait_kind kind, uint64_t bytes,
                                const struct strait_directory_place *place, struct strait_object *object)
{
    struct strait_object o = {.kind = kind, .bytes = (bytes + STRAIT_PAGE - 1) / STRAIT_PAGE * STRAIT_PAGE};
    struct strait_entry *entry;
    int i, r;

    if (bytes == 0 || bytes > map->bytes)
        return -ENOSPC;
    if (entry_of(map, name) >= 0)
        return -EEXIST;
    i = free_entry(map);
    if (i < 0)
        return i;
    r = find_room(map, o.bytes, &o.offset);
    if (r == 0)
        r = fresh_pages(map, o.offset, o.bytes, place);
    if (r < 0)
        return r;
    o.entry = (uint32_t)i;
    entry = strait_segment_entry(map, o.entry);
    strait_store32_relaxed(&entry->kind, kind);
    strait_store64_relaxed(&entry->offset, o.offset);
    strait_store64_relaxed(&entry->bytes, o.bytes);
    entry->node = place->node;
    entry->serial++;
    memset(entry->name, 0, sizeof entry->name);
    memcpy(entry->name, name, strnlen(name, STRAIT_NAME_BYTES - 1));
    memset(&entry->refs, 0, sizeof entry->refs);
    *object = o;
    return 0;
}

void strait_directory_publish(struct strait_segment_map *map, const struct strait_object *object)
{
    /* release [D1] -> [D2] state_of: the single store that allocates */
    strait_store32_release(&strait_segment_entry(map, object->entry)->state, STRAIT_ENTRY_LIVE);
}

/* ---- references ---- */

static void free_if_unwanted(struct strait_entry *entry)
{
    if (state_of(entry) == STRAIT_ENTRY_UNLINKED && strait_set_count(&entry->refs) == 0)
        strait_store32_release(&entry->state, STRAIT_ENTRY_FREE); /* release [D3] -> [D2] state_of */
}

void strait_directory_refer(struct strait_segment_map *map, uint32_t entry)
{
    strait_set_add(&strait_segment_entry(map, entry)->refs, map->lease);
}

void strait_directory_unrefer(struct strait_segment_map *map, uint32_t entry, uint32_t lease)
{
    strait_set_remove(&strait_segment_entry(map, entry)->refs, lease);
    free_if_unwanted(strait_segment_entry(map, entry));
}

int strait_directory_unlink(struct strait_segment_map *map, const char *name, enum strait_kind kind)
{
    struct strait_object o;
    struct strait_entry *entry;
    int r = strait_directory_find(map, name, kind, &o);

    if (r < 0)
        return r;
    entry = strait_segment_entry(map, o.entry);
    strait_store32_release(&entry->state, STRAIT_ENTRY_UNLINKED); /* release [D4] -> [D2] state_of */
    free_if_unwanted(entry);
    return 0;
}
