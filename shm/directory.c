/* SPDX-License-Identifier: MIT */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lease.h"
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

/* The first object that overlaps [from, from + bytes), by entry, or -ENOENT. */
static int overlap(const struct strait_segment_map *map, uint64_t from, uint64_t bytes,
                   struct strait_object *in_the_way)
{
    for (uint32_t i = 0; i < map->directory_max; i++)
        if (strait_directory_at(map, i, in_the_way) == 0 && in_the_way->offset < from + bytes &&
            from < in_the_way->offset + in_the_way->bytes)
            return 0;
    return -ENOENT;
}

/* First fit: step over whatever lies in the way. */
static int find_room(const struct strait_segment_map *map, uint64_t bytes, uint64_t *offset)
{
    uint64_t from = map->arena_off;
    struct strait_object o;

    while (from <= map->bytes && bytes <= map->bytes - from) {
        if (overlap(map, from, bytes, &o) < 0) {
            *offset = from;
            return 0;
        }
        from = o.offset + o.bytes;
    }
    return -ENOSPC;
}

/* Where the first object behind `from` begins, or the segment ends. */
static uint64_t next_object(const struct strait_segment_map *map, uint64_t from)
{
    uint64_t next = map->bytes;
    struct strait_object o;

    for (uint32_t i = 0; i < map->directory_max; i++)
        if (strait_directory_at(map, i, &o) == 0 && o.offset >= from && o.offset < next)
            next = o.offset;
    return next;
}

void strait_directory_space(const struct strait_segment_map *map, uint64_t *free_bytes, uint64_t *longest)
{
    uint64_t at = map->arena_off;
    struct strait_object o;

    *free_bytes = *longest = 0;
    while (at < map->bytes) {
        uint64_t end;
        if (overlap(map, at, STRAIT_PAGE, &o) == 0) {
            at = o.offset + o.bytes;
            continue;
        }
        end = next_object(map, at);
        *free_bytes += end - at;
        *longest = end - at > *longest ? end - at : *longest;
        at = end;
    }
}

/* The pages must be fresh: zeroed, and on the node that was asked for. Reserved again, or a full file system would
 * answer the first store with SIGBUS. */
static int fresh_pages(struct strait_segment_map *map, uint64_t offset, uint64_t bytes, int node)
{
    int fd = strait_segment_fd(map), r;

    if (fd < 0)
        return fd;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) < 0)
        memset(map->base + offset, 0, bytes); /* a file system without holes: overwrite */
    if (node >= 0 && node < 64) {
        unsigned long nodes = 1UL << node; /* raw, because shm/ has no libnuma */
        if (syscall(SYS_mbind, map->base + offset, bytes, MPOL_BIND, &nodes, 65UL, 0UL) < 0)
            return -errno;
    }
    do
        r = posix_fallocate(fd, (off_t)offset, (off_t)bytes);
    while (r == EINTR);
    return -r;
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
                             int node, struct strait_object *object)
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
        r = fresh_pages(map, o.offset, o.bytes, node);
    if (r < 0)
        return r;
    o.entry = (uint32_t)i;
    entry = strait_segment_entry(map, o.entry);
    strait_store32_relaxed(&entry->kind, kind);
    strait_store64_relaxed(&entry->offset, o.offset);
    strait_store64_relaxed(&entry->bytes, o.bytes);
    entry->node = node;
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
