/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "await.h"
#include "error.h"
#include "errors.h"
#include "node.h"
#include "rx_fd.h"
#include "spread.h"
#include "sweep.h"

#define SMALL_RING_BYTES     16384 /* a ring of small messages that fits this is several times as fast */
#define DEFAULT_SLOT_BYTES   48
#define DEFAULT_PACK_BYTES   496
#define DEFAULT_DEPTH_LEAST  16
#define DEFAULT_ATTEMPTS     3
#define DEFAULT_WINDOW_MANY  64
#define DEFAULT_DEAD_LETTERS 8
#define DEFAULT_REPLY_BYTES  1008
#define DEFAULT_REPLY_DEPTH  4
#define COUNT_EVERY          16 /* waits between counts of those who take part: it only says how long to spin */

/* ---- options to plan ---- */

static uint32_t default_depth(uint32_t slot_bytes)
{
    uint32_t depth = DEFAULT_DEPTH_LEAST;

    while ((uint64_t)depth * 2 * strait_ring_stride(slot_bytes) <= SMALL_RING_BYTES)
        depth *= 2;
    return depth;
}

static uint32_t spread_flags(const struct strait_channel_options *o)
{
    return (o->shards ? STRAIT_CHANNEL_SHARDED : 0) | (o->spread == STRAIT_SPREAD_KEY    ? STRAIT_CHANNEL_BY_KEY
                                                       : o->spread == STRAIT_SPREAD_TURN ? STRAIT_CHANNEL_IN_TURN
                                                                                         : 0);
}

static int plan_of(const char *name, const struct strait_channel_options *o, const struct strait_spread_nodes *shards,
                   struct strait_channel_plan *p)
{
    uint32_t slot = o->slot_bytes ? o->slot_bytes : o->packed ? DEFAULT_PACK_BYTES : DEFAULT_SLOT_BYTES;
    bool alone = o->receivers == STRAIT_ONE || o->spread == STRAIT_SPREAD_KEY || o->packed;
    uint32_t window = alone ? 1 : DEFAULT_WINDOW_MANY;
    uint32_t depth = o->depth ? o->depth : default_depth(slot < 1u << 30 ? slot : 1);

    *p = (struct strait_channel_plan){
        .flags = (o->senders == STRAIT_MANY ? STRAIT_CHANNEL_MANY_PRODUCERS : 0) |
                 (o->receivers == STRAIT_MANY ? STRAIT_CHANNEL_MANY_CONSUMERS : 0) |
                 (o->busy ? STRAIT_CHANNEL_BUSY : 0) | (o->lanes ? STRAIT_CHANNEL_LANES : 0) |
                 (o->packed ? STRAIT_CHANNEL_PACKED : 0) | spread_flags(o),
        .full = o->full,
        .slot_bytes = slot,
        .capacity = depth,
        .rings = o->lanes    ? o->lanes
                 : shards->n ? shards->n
                             : 1,
        .nodes = shards->n ? shards->node : NULL,
        .max_attempts = o->max_attempts ? o->max_attempts : DEFAULT_ATTEMPTS,
        .peek_window = o->peek_window   ? o->peek_window
                       : window < depth ? window
                                        : depth,
        .dead_max = o->dead_letters ? o->dead_letters : DEFAULT_DEAD_LETTERS,
        .replies = o->replies,
        .reply_bytes = o->reply_bytes ? o->reply_bytes : DEFAULT_REPLY_BYTES,
        .reply_capacity = o->reply_depth ? o->reply_depth : DEFAULT_REPLY_DEPTH,
        .first_turn = o->first_turn,
    };
    if (strait_channel_measure(p) == 0)
        return 0;
    return strait_fail(-EINVAL,
                       "channel %s: slot_bytes %u (1 to 2^30; requests need more than 16), depth %u (a power of two "
                       "from 2 to 2^22), max_attempts %u (1 to 31), peek_window %u (1 to depth), reply_depth %u (a "
                       "power of two from 2; no requests with drop-oldest), lanes %u (at most 512), shards %u (at most "
                       "64, many senders "
                       "and receivers, no lanes; by key peek_window 1)%s do not make a channel",
                       name, p->slot_bytes, p->capacity, p->max_attempts, p->peek_window, p->reply_capacity, o->lanes,
                       shards->n, o->packed ? ", packed (no requests, no shards, peek_window 1)" : "");
}

/* ---- create ---- */

int strait_endpoint_create(struct strait_segment *s, const char *name, const struct strait_channel_options *options,
                           struct strait_object *object)
{
    static const struct strait_channel_options defaults;
    struct strait_node_for placing = {s, "channel", name, options ? options->memory : STRAIT_MEMORY_ANYWHERE};
    struct strait_spread_nodes shards;
    struct strait_channel_plan plan;
    uint64_t room, longest;
    int32_t node;
    int r;

    if (!strait_name_good(name))
        return strait_fail(-EINVAL, "'%s' is no name for a channel: 1 to %d printable bytes without '/' or space", name,
                           STRAIT_NAME_BYTES - 1);
    options = options ? options : &defaults;
    strait_spread_nodes(options->shards, placing.memory, &shards);
    r = plan_of(name, options, &shards, &plan);
    if (r == 0)
        r = strait_node_wanted(&placing, &node);
    if (r < 0)
        return r;
    r = strait_spread_prepare(
        s, name,
        &(struct strait_spread_object){STRAIT_KIND_CHANNEL, plan.bytes, plan.slots_at, plan.ring_bytes, &shards}, node,
        object);
    if (strait_node_refused(&placing, r))
        return r;
    if (r == -ENOSPC || r == -EMFILE)
        strait_error_note(&s->map, STRAIT_ERROR_NO_ROOM, name, s->map.lease, 1);
    if (r == -ENOSPC) {
        strait_directory_space(&s->map, &room, &longest);
        return strait_fail(r,
                           "channel %s needs %llu KiB in one piece; segment %s has %llu KiB free, %llu KiB in its "
                           "longest piece: make the channel shallower or the segment larger",
                           name, (unsigned long long)plan.bytes / 1024, s->map.path, (unsigned long long)room / 1024,
                           (unsigned long long)longest / 1024);
    }
    if (r == -EMFILE)
        return strait_fail(r, "channel %s: all %u directory entries of segment %s are used", name, s->map.directory_max,
                           s->map.path);
    if (r < 0)
        return strait_fail(r, "channel %s: %s", name, strait_strerror(r));
    strait_channel_build(&s->map, object, &plan);
    strait_directory_publish(&s->map, object);
    return 0;
}

/* ---- open ---- */

/* Admin. Does an existing channel offer what the options ask for? */
static int suits(const struct strait_endpoint *e, const struct strait_channel_options *o)
{
    const struct strait_channel_view *v = &e->view;
    const char *name = e->name;

    if (o == NULL)
        return 0;
    if (o->slot_bytes > v->slot_bytes)
        return strait_fail(-EINVAL, "channel %s exists with messages of %u bytes at most, %u are asked for", name,
                           v->slot_bytes, o->slot_bytes);
    if (o->replies && v->replies == 0)
        return strait_fail(-EINVAL, "channel %s exists without replies: it carries no requests", name);
    if (spread_flags(o) & ~v->flags)
        return strait_fail(-EINVAL, "channel %s exists and %s", name,
                           v->flags & STRAIT_CHANNEL_SHARDED ? "spreads its messages otherwise" : "is not sharded");
    return strait_node_suits(&(struct strait_node_for){e->segment, "channel", name, o->memory}, v->object.entry);
}

/* Admin. */
static int find_or_create(struct strait_endpoint *e, const struct strait_channel_options *options, bool may_create)
{
    struct strait_segment_map *map = &e->segment->map;
    struct strait_object object;
    bool made = false;
    int r = strait_directory_find(map, e->name, STRAIT_KIND_CHANNEL, &object);

    if (r == -ENOENT && may_create) {
        r = strait_endpoint_create(e->segment, e->name, options, &object);
        if (r < 0)
            return r;
        made = true;
    }
    if (r == 0)
        r = strait_channel_view(map, &object, &e->view);
    if (r == -EPROTO)
        strait_endpoint_error(e, STRAIT_ERROR_DAMAGED, r);
    if (r < 0)
        return strait_fail(r, "channel %s of segment %s: %s", e->name, map->path, strait_strerror(r));
    return made ? 0 : suits(e, options);
}

/* Admin. Take the role; a dead holder is swept first. */
static int enter(struct strait_endpoint *e)
{
    const char *who = e->role == STRAIT_ROLE_SENDER ? "sender" : "receiver";
    int r = strait_channel_enter(&e->view, e->role, &e->ring);

    if (r == -EOWNERDEAD) {
        strait_sweep_admin(&e->segment->map);
        r = strait_channel_enter(&e->view, e->role, &e->ring);
    }
    if (r == -EBUSY)
        return strait_fail(r, "channel %s has one %s only, and it is there already", e->name, who);
    if (r == -EUSERS)
        return strait_fail(r, "channel %s has %u lanes, and each has its sender", e->name, e->view.rings);
    return r;
}

/* Admin. Stand at the right place of ring i. */
static int join(struct strait_endpoint *e, uint32_t i, struct strait_ring_end *end)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;
    uint32_t lease = e->segment->map.lease;
    int r = strait_channel_ring(&e->view, i, &ring, &checked, &slots);

    if (r < 0)
        return strait_fail(strait_endpoint_error(e, STRAIT_ERROR_DAMAGED, r), "channel %s of segment %s is damaged",
                           e->name, e->segment->map.path);
    if (e->role == STRAIT_ROLE_SENDER) {
        strait_ring_join_producer(end, ring, &checked, slots, lease);
    } else {
        strait_ring_join_consumer(end, ring, &checked, slots, lease);
        /* where takes are marked TAKEN, the sweep has seen to them */
        if (!(checked.flags & STRAIT_RING_MANY_CONSUMERS) && strait_load32_relaxed(&ring->suspect)) {
            strait_ring_suspect(end, e->view.peek_window);
            strait_store32_relaxed(&ring->suspect, 0);
        }
    }
    end->slot_bytes = e->view.slot_bytes;
    return 0;
}

/* Admin. One end for a sender, one of every ring for a receiver and where there are shards. */
static int join_all(struct strait_endpoint *e)
{
    bool sharded = e->view.flags & STRAIT_CHANNEL_SHARDED, one = e->role == STRAIT_ROLE_SENDER && !sharded;
    int r = 0;

    e->ends_n = one ? 1 : e->view.rings;
    e->ends = calloc(e->ends_n, sizeof *e->ends);
    if (e->ends == NULL)
        return strait_fail(-ENOMEM, "channel %s: out of memory", e->name);
    for (uint32_t i = 0; i < e->ends_n && r == 0; i++)
        r = join(e, one ? e->ring : i, &e->ends[i]);
    if (r == 0 && sharded)
        r = strait_spread_make(&e->view, &e->spread);
    return r;
}

/* Registry. Has another handle of this process the same channel open: in the same role, in any role? */
static void others(const struct strait_endpoint *e, bool *same_role, bool *any_role)
{
    *same_role = *any_role = false;
    for (const struct strait_endpoint *o = e->segment->endpoints; o; o = o->next) {
        if (o == e || o->view.object.entry != e->view.object.entry)
            continue;
        *any_role = true;
        *same_role = *same_role || o->role == e->role;
    }
}

/* Registry, admin. */
static void leave(struct strait_endpoint *e)
{
    bool same_role, any_role;

    others(e, &same_role, &any_role);
    strait_channel_vacate(&e->view, e->role, e->ring);
    if (!same_role)
        strait_channel_leave(&e->view, e->role);
    if (!any_role)
        strait_directory_unrefer(&e->segment->map, e->view.object.entry, e->segment->map.lease);
}

/* Admin. */
static int open_admin(struct strait_endpoint *e, const struct strait_channel_options *options, bool may_create)
{
    int r = find_or_create(e, options, may_create);

    if (r == 0)
        r = enter(e);
    if (r < 0)
        return r;
    strait_directory_refer(&e->segment->map, e->view.object.entry);
    if (e->role != STRAIT_ROLE_HOLDER)
        r = join_all(e);
    if (r < 0)
        leave(e);
    return r;
}

static void forget(struct strait_endpoint *e)
{
    free(e->ends);
    free(e->spread);
}

int strait_endpoint_open(struct strait_endpoint *e, struct strait_segment *segment, const char *name,
                         const struct strait_channel_options *options, enum strait_role role, bool may_create)
{
    int r;

    memset(e, 0, sizeof *e);
    e->segment = segment;
    e->role = role;
    if (strnlen(name, STRAIT_NAME_BYTES) == STRAIT_NAME_BYTES)
        return strait_fail(-EINVAL, "'%s' is too long a name for a channel", name);
    strcpy(e->name, name);
    strait_process_lock();
    r = strait_process_admin(segment);
    if (r == 0) {
        r = open_admin(e, options, may_create);
        strait_admin_leave(&segment->map);
    }
    if (r == 0) {
        e->next = segment->endpoints;
        segment->endpoints = e;
    }
    strait_process_unlock();
    if (r < 0)
        forget(e);
    return r;
}

/* ---- close ---- */

static void unlist(struct strait_endpoint *e)
{
    struct strait_endpoint **at = &e->segment->endpoints;

    while (*at && *at != e)
        at = &(*at)->next;
    if (*at)
        *at = e->next;
}

void strait_endpoint_close(struct strait_endpoint *e)
{
    strait_rx_fd_close(e);
    if (*e->segment->home) { /* else a forked child's copy: nothing of it is shared */
        strait_await_orphan(e->awaits, NULL);
        strait_process_lock();
        if (strait_process_admin(e->segment) == 0) {
            leave(e);
            strait_admin_leave(&e->segment->map);
        }
        unlist(e);
        strait_process_unlock();
    }
    forget(e);
}

int strait_endpoint_error(struct strait_endpoint *e, enum strait_error_kind kind, int error)
{
    const struct strait_segment_map *map = &e->segment->map;

    if (e->error_kind != kind) {
        e->error = strait_error_find(map, kind, e->name);
        e->error_kind = kind;
    }
    strait_error_count(map, e->error, map->lease, 1);
    return error;
}

struct strait_wait strait_endpoint_wait(struct strait_endpoint *e, struct strait_bell *bell, enum strait_wait_kind kind,
                                        uint64_t detail)
{
    if (e->waits++ % COUNT_EVERY == 0)
        e->parties = strait_channel_parties(&e->view);
    return (struct strait_wait){.map = &e->segment->map,
                                .bell = bell,
                                .mood = &e->mood,
                                .parties = e->parties,
                                .busy = e->view.flags & STRAIT_CHANNEL_BUSY,
                                .kind = kind,
                                .object = e->view.object.offset,
                                .detail = detail};
}
