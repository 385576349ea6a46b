/* SPDX-License-Identifier: MIT */
#include "sweep.h"

#include <errno.h>
#include <string.h>

#include "admin.h"
#include "counter.h"
#include "directory.h"
#include "errors.h"
#include "lease.h"
#include "probe.h"
#include "region.h"
#include "reply.h"

/* ---- one lease, all objects ---- */

struct burial {
    struct strait_ring_bury how; /* first: the ring knows only this */
    const struct strait_channel_view *view;
    uint32_t dead, buried;
};

static uint32_t ring_index(const struct strait_channel_view *view, const struct strait_ring_end *end)
{
    return (uint32_t)(end->ring - (struct strait_ring *)(void *)(view->map->base + view->rings_off));
}

/* A message that has used up its attempts: keep its bytes, tell whoever waits for the answer. */
static void bury(struct strait_ring_bury *how, const struct strait_ring_end *end, uint32_t slot, uint64_t word)
{
    struct burial *b = (struct burial *)(void *)how;
    struct strait_slot *s = strait_ring_slot(end, slot);

    b->buried++;
    strait_channel_bury(b->view, ring_index(b->view, end), end, slot, word);
    if (strait_head_flags(strait_load64_relaxed(&s->head)) & STRAIT_MSG_REQUEST) {
        struct strait_request_head head;
        strait_payload_read(&head, strait_slot_payload(s), sizeof head);
        strait_reply_fail(b->view, head.token, b->dead);
    }
}

static void note(const struct strait_segment_map *map, enum strait_error_kind kind, const struct strait_object *object,
                 uint32_t lease, uint64_t n)
{
    strait_error_note(map, kind, strait_segment_entry(map, object->entry)->name, lease, n);
}

static void sweep_channel(struct strait_segment_map *map, const struct strait_object *object, uint32_t lease,
                          struct strait_left_behind *what)
{
    struct strait_ring_swept swept = {0, 0};
    struct strait_channel_view view;
    struct burial burial = {{bury}, &view, lease, 0};

    if (strait_channel_view(map, object, &view) < 0)
        return;                       /* damaged: there is nothing in it that could be believed; verify says so */
    strait_reply_sweep(&view, lease); /* first: a job goes back into the ring only once its reply is OPEN again */
    strait_channel_sweep(&view, lease, &burial.how, &swept);
    what->voided += swept.voided;
    what->returned += swept.returned;
    note(map, STRAIT_ERROR_DEAD_LETTER, object, lease, burial.buried);
    note(map, STRAIT_ERROR_HALF_WRITTEN, object, lease,
         swept.voided > burial.buried ? swept.voided - burial.buried : 0);
    note(map, STRAIT_ERROR_REDELIVERED, object, lease, swept.returned);
}

static void sweep_region(struct strait_segment_map *map, const struct strait_object *object, uint32_t lease,
                         struct strait_left_behind *what)
{
    struct strait_region_view view;
    uint32_t locks;

    if (strait_region_view(map, object, &view) < 0)
        return;
    locks = strait_region_sweep(&view, lease);
    what->locks += locks;
    note(map, STRAIT_ERROR_LOCK_DIED, object, lease, locks);
}

static void sweep_counter(struct strait_segment_map *map, const struct strait_object *object, uint32_t lease)
{
    struct strait_counter_view view;

    if (strait_counter_view(map, object, &view) == 0)
        strait_counter_sweep(&view, lease);
}

static void sweep_object(struct strait_segment_map *map, const struct strait_object *object, uint32_t lease,
                         struct strait_left_behind *what)
{
    switch (object->kind) {
    case STRAIT_KIND_CHANNEL:
        sweep_channel(map, object, lease, what);
        break;
    case STRAIT_KIND_REGION:
        sweep_region(map, object, lease, what);
        break;
    case STRAIT_KIND_COUNTER:
        sweep_counter(map, object, lease);
        break;
    default:
        break;
    }
}

void strait_sweep_objects(struct strait_segment_map *map, uint32_t lease, struct strait_left_behind *what)
{
    uint64_t left = map->bytes - map->arena_off;

    for (uint32_t i = 0; i < map->directory_max; i++) {
        struct strait_object object;
        int r = strait_directory_at(map, i, &object);

        if (r == -ENOENT)
            continue;
        /* objects that overlap are a lie, and could cost the segment's size once for each entry */
        if (r == 0 && object.bytes <= left) {
            left -= object.bytes;
            sweep_object(map, &object, lease, what);
        }
        strait_directory_unrefer(map, i, lease);
    }
}

/* ---- all leases ---- */

void (*strait_swept_hook)(const struct strait_segment_map *map, const struct strait_left_behind *what);

static void introduce(const struct strait_segment_map *map, uint32_t dead, struct strait_left_behind *what)
{
    const struct strait_lease_cell *cell = strait_segment_lease(map, dead);

    *what = (struct strait_left_behind){.lease = dead, .pid = strait_load32_relaxed(&cell->pid)};
    memcpy(what->program, cell->program, sizeof what->program - 1);
}

int strait_sweep_admin(struct strait_segment_map *map)
{
    struct strait_header *h = strait_segment_header(map);
    int n = 0;

    for (uint32_t dead = 0; (dead = strait_lease_next_dead(map, dead + 1)) != 0; n++) {
        struct strait_left_behind what;
        introduce(map, dead, &what);
        strait_sweep_objects(map, dead, &what);
        strait_error_note(map, STRAIT_ERROR_DIED, "", dead, 1);
        strait_lease_buried(map, dead);
        STRAIT_PROBE2(sweep, dead, what.pid);
        if (strait_swept_hook)
            strait_swept_hook(map, &what);
        strait_add64_relaxed(&h->sweeps, 1);
    }
    return n;
}

int strait_sweep(struct strait_segment_map *map, uint64_t until_ns)
{
    int r;

    strait_store64_relaxed(&strait_segment_header(map)->looked_ns, strait_now_ns());
    if (strait_lease_next_dead(map, 1) == 0)
        return 0;
    r = strait_admin_enter(map, until_ns);
    if (r < 0)
        return r;
    r = strait_sweep_admin(map);
    strait_admin_leave(map);
    return r;
}

int strait_sweep_after_sleep(struct strait_segment_map *map, uint64_t slept_ns, uint64_t until_ns)
{
    uint64_t looked = strait_load64_relaxed(&strait_segment_header(map)->looked_ns), now = strait_now_ns();

    /* A look in the future is a peer's lie or another boot's leftover. */
    if (looked <= now && now - looked < slept_ns / 10)
        return 0;
    return strait_sweep(map, until_ns);
}
