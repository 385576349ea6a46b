/* SPDX-License-Identifier: MIT */
#include "handle.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "admin.h"
#include "error.h"
#include "errors.h"
#include "node.h"

/* ---- make ---- */

static int no_room(const struct strait_segment *s, const char *noun, const char *name, uint64_t bytes)
{
    uint64_t room, longest;

    strait_directory_space(&s->map, &room, &longest);
    return strait_fail(-ENOSPC,
                       "%s %s needs %" PRIu64 " KiB in one piece; segment %s has %" PRIu64 " KiB free, %" PRIu64
                       " KiB in its longest piece: make it smaller or the segment larger",
                       noun, name, (bytes + 1023) / 1024, s->map.path, room / 1024, longest / 1024);
}

/* Admin. */
static int make(struct strait_segment *s, const char *name, const struct strait_handle_kind *kind, void *ask,
                struct strait_object *object)
{
    struct strait_node_for placing = {s, kind->noun, name, kind->memory(ask)};
    struct strait_spread_nodes none = {0};
    struct strait_spread_object spread = {.kind = kind->kind, .nodes = &none};
    int64_t bytes;
    int32_t node;
    int r;

    if (!strait_name_good(name))
        return strait_fail(-EINVAL, "'%s' is no name for a %s: 1 to %d printable bytes without '/' or space", name,
                           kind->noun, STRAIT_NAME_BYTES - 1);
    bytes = kind->measure(name, ask);
    if (bytes < 0)
        return (int)bytes;
    r = strait_node_wanted(&placing, &node);
    if (r < 0)
        return r;
    spread.bytes = (uint64_t)bytes;
    if (kind->spread)
        kind->spread(ask, &spread);
    r = strait_spread_prepare(s, name, &spread, node, object);
    if (strait_node_refused(&placing, r))
        return r;
    if (r == -ENOSPC || r == -EMFILE)
        strait_error_note(&s->map, STRAIT_ERROR_NO_ROOM, name, s->map.lease, 1);
    if (r == -ENOSPC)
        return no_room(s, kind->noun, name, (uint64_t)bytes);
    if (r == -EMFILE)
        return strait_fail(r, "%s %s: all %u directory entries of segment %s are used", kind->noun, name,
                           s->map.directory_max, s->map.path);
    if (r < 0)
        return strait_fail(r, "%s %s: %s", kind->noun, name, strait_strerror(r));
    kind->build(&s->map, object, ask);
    strait_directory_publish(&s->map, object);
    return 0;
}

int strait_handle_make(struct strait_segment *s, const char *name, const struct strait_handle_kind *kind, void *ask)
{
    struct strait_object object;
    int r;

    strait_process_lock();
    r = strait_process_admin(s);
    if (r == 0) {
        r = make(s, name, kind, ask, &object);
        strait_admin_leave(&s->map);
    }
    strait_process_unlock();
    return r;
}

int strait_handle_error(const struct strait_handle *h, enum strait_error_kind kind, int error)
{
    const struct strait_segment_map *map = &h->segment->map;

    strait_error_note(map, kind, h->name, map->lease, 1);
    return error;
}

int strait_handle_unlink(struct strait_segment *s, const char *name, const struct strait_handle_kind *kind)
{
    int r;

    strait_process_lock();
    r = strait_process_admin(s);
    if (r == 0) {
        r = strait_directory_unlink(&s->map, name, kind->kind);
        if (r < 0)
            strait_fail(r, "%s %s of segment %s: %s", kind->noun, name, s->map.path, strait_strerror(r));
        strait_admin_leave(&s->map);
    }
    strait_process_unlock();
    return r;
}

/* ---- open, close ---- */

/* Admin. */
static int open_admin(struct strait_handle *h, const struct strait_handle_kind *kind, bool create, void *ask)
{
    struct strait_segment_map *map = &h->segment->map;
    struct strait_node_for placing = {h->segment, kind->noun, h->name, kind->memory(ask)};
    int r = strait_directory_find(map, h->name, kind->kind, &h->object);

    if (r == -ENOENT && create) {
        r = make(h->segment, h->name, kind, ask, &h->object);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return strait_fail(r, "%s %s of segment %s: %s", kind->noun, h->name, map->path, strait_strerror(r));
    r = strait_node_suits(&placing, h->object.entry);
    if (r == 0)
        r = kind->enter(h, ask);
    if (r < 0)
        return r;
    strait_directory_refer(map, h->object.entry);
    return 0;
}

int strait_handle_open(struct strait_handle *h, struct strait_segment *segment, const char *name,
                       const struct strait_handle_kind *kind, bool create, void *ask)
{
    int r;

    if (strnlen(name, STRAIT_NAME_BYTES) == STRAIT_NAME_BYTES)
        return strait_fail(-EINVAL, "'%s' is too long a name for a %s", name, kind->noun);
    memset(h, 0, sizeof *h);
    h->segment = segment;
    strcpy(h->name, name);
    strait_process_lock();
    r = strait_process_admin(segment);
    if (r == 0) {
        r = open_admin(h, kind, create, ask);
        strait_admin_leave(&segment->map);
    }
    if (r == 0) {
        h->next = segment->handles;
        segment->handles = h;
    }
    strait_process_unlock();
    return r;
}

/* Registry. Takes the handle off the list: was it the last one of this process on its object? */
static bool unlist(struct strait_handle *h)
{
    struct strait_handle **at = &h->segment->handles;
    bool last = true;

    while (*at) {
        if (*at == h) {
            *at = h->next;
            continue;
        }
        last = last && (*at)->object.entry != h->object.entry;
        at = &(*at)->next;
    }
    return last;
}

void strait_handle_close(struct strait_handle *h, const struct strait_handle_kind *kind)
{
    bool last;

    if (*h->segment->home == 0)
        return; /* a forked child's copy: nothing of it is shared */
    strait_process_lock();
    last = unlist(h);
    if (strait_process_admin(h->segment) == 0) {
        kind->leave(h, last);
        if (last)
            strait_directory_unrefer(&h->segment->map, h->object.entry, h->segment->map.lease);
        strait_admin_leave(&h->segment->map);
    }
    strait_process_unlock();
}
