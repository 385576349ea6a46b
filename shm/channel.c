/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <errno.h>
#include <string.h>

#include "lease.h"
#include "strait/bell.h"
#include "strait/ring_pack.h"

#define MOST_BYTES (UINT64_C(1) << 40)

static uint64_t up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* ---- measure, build ---- */

static bool power_of_two(uint32_t n)
{
    return n && (n & (n - 1)) == 0;
}

/* A shard has senders and receivers of its own and foreign ones: many of both. Who receives in order holds one message. */
static bool shards_sensible(const struct strait_channel_plan *p)
{
    const uint32_t many = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS;

    if (!(p->flags & STRAIT_CHANNEL_SHARDED))
        return !(p->flags & (STRAIT_CHANNEL_BY_KEY | STRAIT_CHANNEL_IN_TURN));
    return (p->flags & many) == many && !(p->flags & STRAIT_CHANNEL_LANES) && p->rings <= STRAIT_SHARDS_MOST &&
           (!(p->flags & STRAIT_CHANNEL_BY_KEY) || p->peek_window == 1);
}

static bool sensible(const struct strait_channel_plan *p)
{
    if (!power_of_two(p->capacity) || p->capacity < 2 || p->capacity > STRAIT_RING_SLOTS)
        return false;
    if (p->slot_bytes == 0 || p->slot_bytes > UINT32_C(1) << 30 || p->rings == 0 || p->rings > STRAIT_LEASES)
        return false;
    if (p->max_attempts == 0 || p->max_attempts > STRAIT_ATTEMPTS_MOST || p->full > STRAIT_FULL_DROP_OLDEST)
        return false;
    if (p->peek_window == 0 || p->peek_window > p->capacity || p->dead_max > 65536)
        return false;
    if (!shards_sensible(p))
        return false;
    if ((p->flags & STRAIT_CHANNEL_PACKED) && (p->peek_window != 1 || p->replies || p->flags & STRAIT_CHANNEL_SHARDED))
        return false;
    if (p->replies == 0)
        return true;
    return p->replies <= STRAIT_TOKEN_INDEX_MASK && power_of_two(p->reply_capacity) && p->reply_capacity >= 2 &&
           p->reply_capacity <= 65536 && p->reply_bytes > 0 && p->reply_bytes <= UINT32_C(1) << 30 &&
           p->slot_bytes > sizeof(struct strait_request_head) && p->full != STRAIT_FULL_DROP_OLDEST;
}

uint64_t strait_channel_letter_bytes(uint32_t slot_bytes)
{
    return up(sizeof(struct strait_dead_letter) + slot_bytes, STRAIT_LINE);
}

int strait_channel_measure(struct strait_channel_plan *p)
{
    uint64_t at = sizeof(struct strait_channel);
    uint64_t unit =
        p->flags & STRAIT_CHANNEL_SHARDED ? STRAIT_PAGE : STRAIT_LINE; /* shards lie on nodes of their own */

    if (!sensible(p))
        return -EINVAL;
    p->rings_at = up(at, STRAIT_LINE);
    at = p->rings_at + p->rings * sizeof(struct strait_ring);
    p->slots_at = up(at, unit);
    p->ring_bytes = up((uint64_t)p->capacity * strait_ring_stride(p->slot_bytes), unit);
    at = p->slots_at + p->rings * p->ring_bytes;
    p->replies_at = up(at, STRAIT_LINE);
    at = p->replies_at + p->replies * sizeof(struct strait_reply);
    p->reply_slots_at = up(at, STRAIT_LINE);
    at = p->reply_slots_at + (uint64_t)p->replies * p->reply_capacity * strait_ring_stride(p->reply_bytes);
    p->dead_at = up(at, STRAIT_LINE);
    at = p->dead_at + sizeof(struct strait_dead_letters) + p->dead_max * strait_channel_letter_bytes(p->slot_bytes);
    p->bytes = at;
    return at > MOST_BYTES ? -EFBIG : 0;
}

uint32_t strait_channel_ring_flags(uint32_t flags, uint32_t full)
{
    uint32_t more = (flags & STRAIT_CHANNEL_BY_KEY ? STRAIT_RING_IN_ORDER : 0) |
                    (flags & STRAIT_CHANNEL_PACKED ? STRAIT_RING_PACKED : 0);

    if (full == STRAIT_FULL_DROP_OLDEST) /* both sides touch unread slots: compare-and-swap even for one each */
        return STRAIT_RING_MANY_PRODUCERS | STRAIT_RING_MANY_CONSUMERS | more;
    if (flags & STRAIT_CHANNEL_LANES) /* each ring has a sender of its own */
        return (flags & STRAIT_CHANNEL_MANY_CONSUMERS ? STRAIT_RING_MANY_CONSUMERS : 0) | more;
    return (flags & STRAIT_CHANNEL_MANY_PRODUCERS ? STRAIT_RING_MANY_PRODUCERS : 0) |
           (flags & STRAIT_CHANNEL_MANY_CONSUMERS ? STRAIT_RING_MANY_CONSUMERS : 0) | more;
}

static void build_rings(const struct strait_segment_map *map, const struct strait_object *o,
                        const struct strait_channel_plan *p)
{
    unsigned char *base = map->base + o->offset;
    uint32_t stride = strait_ring_stride(p->slot_bytes);

    for (uint32_t i = 0; i < p->rings; i++) {
        struct strait_ring *ring = (struct strait_ring *)(void *)(base + p->rings_at) + i;
        uint64_t at = p->slots_at + i * p->ring_bytes;
        strait_ring_init(ring, base + at, o->offset + at, p->capacity, stride,
                         strait_channel_ring_flags(p->flags, p->full), p->first_turn);
        if (p->nodes)
            ring->node = p->nodes[i];
    }
}

static void build_replies(const struct strait_segment_map *map, const struct strait_object *o,
                          const struct strait_channel_plan *p)
{
    unsigned char *base = map->base + o->offset;
    uint32_t stride = strait_ring_stride(p->reply_bytes);

    for (uint32_t i = 0; i < p->replies; i++) {
        struct strait_reply *reply = (struct strait_reply *)(void *)(base + p->replies_at) + i;
        uint64_t at = p->reply_slots_at + (uint64_t)i * p->reply_capacity * stride;
        strait_ring_init(&reply->ring, base + at, o->offset + at, p->reply_capacity, stride, 0, p->first_turn);
    }
}

void strait_channel_build(const struct strait_segment_map *map, const struct strait_object *o,
                          const struct strait_channel_plan *p)
{
    struct strait_channel *c = (struct strait_channel *)(void *)(map->base + o->offset);
    struct strait_dead_letters *dead = (struct strait_dead_letters *)(void *)(map->base + o->offset + p->dead_at);

    c->flags = p->flags;
    c->full = p->full;
    c->slot_bytes = p->slot_bytes;
    c->rings = p->rings;
    c->max_attempts = p->max_attempts;
    c->peek_window = p->peek_window;
    c->replies = p->replies;
    c->dead_max = p->dead_max;
    c->rings_off = o->offset + p->rings_at;
    c->replies_off = o->offset + p->replies_at;
    c->dead_off = o->offset + p->dead_at;
    dead->entry_bytes = strait_channel_letter_bytes(p->slot_bytes);
    build_rings(map, o, p);
    if (p->replies)
        build_replies(map, o, p);
    /* as the rings' bells */
    c->readable.mode = STRAIT_BELL_ASYM;
}

/* ---- view ---- */

static bool inside(const struct strait_object *o, uint64_t off, uint64_t bytes)
{
    return off >= o->offset && off - o->offset <= o->bytes && bytes <= o->bytes - (off - o->offset) && off % 16 == 0;
}

int strait_channel_view(struct strait_segment_map *map, const struct strait_object *o, struct strait_channel_view *view)
{
    struct strait_channel *c = (struct strait_channel *)(void *)(map->base + o->offset);
    struct strait_channel_view v = {.map = map, .object = *o, .shared = c};

    if (o->bytes < sizeof *c)
        return -EPROTO;
    v.flags = strait_load32_relaxed(&c->flags);
    v.full = strait_load32_relaxed(&c->full);
    v.slot_bytes = strait_load32_relaxed(&c->slot_bytes);
    v.rings = strait_load32_relaxed(&c->rings);
    v.max_attempts = strait_load32_relaxed(&c->max_attempts);
    v.peek_window = strait_load32_relaxed(&c->peek_window);
    v.replies = strait_load32_relaxed(&c->replies);
    v.dead_max = strait_load32_relaxed(&c->dead_max);
    v.rings_off = strait_load64_relaxed(&c->rings_off);
    v.replies_off = strait_load64_relaxed(&c->replies_off);
    v.dead_off = strait_load64_relaxed(&c->dead_off);
    if (v.rings == 0 || v.rings > STRAIT_LEASES || !inside(o, v.rings_off, v.rings * sizeof(struct strait_ring)))
        return -EPROTO;
    if ((v.flags & STRAIT_CHANNEL_SHARDED && v.rings > STRAIT_SHARDS_MOST) ||
        (v.flags & STRAIT_CHANNEL_BY_KEY && v.peek_window != 1))
        return -EPROTO;
    if (v.replies > STRAIT_TOKEN_INDEX_MASK ||
        !inside(o, v.replies_off, v.replies * (uint64_t)sizeof(struct strait_reply)))
        return -EPROTO;
    if (v.slot_bytes == 0 || v.slot_bytes > UINT32_C(1) << 30 || v.dead_max > 65536 || v.peek_window == 0)
        return -EPROTO;
    if (!inside(o, v.dead_off,
                sizeof(struct strait_dead_letters) + v.dead_max * strait_channel_letter_bytes(v.slot_bytes)))
        return -EPROTO;
    *view = v;
    return 0;
}

int strait_channel_ring(const struct strait_channel_view *view, uint32_t i, struct strait_ring **ring,
                        struct strait_ring *checked, unsigned char **slots)
{
    struct strait_ring *r = (struct strait_ring *)(void *)(view->map->base + view->rings_off) + i;

    if (i >= view->rings)
        return -EPROTO;
    if (strait_ring_check(r, view->object.offset, view->object.offset + view->object.bytes, checked) < 0 ||
        checked->stride - STRAIT_SLOT_HEAD < view->slot_bytes)
        return -EPROTO;
    /* all rings together fit the object: so whoever scans every ring scans the object once */
    if ((uint64_t)checked->capacity * checked->stride > view->object.bytes / view->rings)
        return -EPROTO;
    *ring = r;
    *slots = view->map->base + checked->slots_off;
    return 0;
}

int strait_channel_end(const struct strait_channel_view *view, uint32_t i, struct strait_ring_end *end)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;
    int r = strait_channel_ring(view, i, &ring, &checked, &slots);

    if (r < 0)
        return r;
    *end = (struct strait_ring_end){.slots = slots,
                                    .mask = checked.capacity - 1,
                                    .stride = checked.stride,
                                    .flags = checked.flags,
                                    .owner = view->map->lease,
                                    .ring = ring,
                                    .slot_bytes = view->slot_bytes};
    return 0;
}

/* ---- who is there ---- */

static struct strait_set *set_of(struct strait_channel *c, enum strait_role role)
{
    return role == STRAIT_ROLE_SENDER ? &c->senders : role == STRAIT_ROLE_RECEIVER ? &c->receivers : &c->holders;
}

static struct strait_ring *ring_at(const struct strait_channel_view *view, uint32_t i)
{
    return (struct strait_ring *)(void *)(view->map->base + view->rings_off) + i;
}

static uint32_t *role_word(const struct strait_channel_view *view, enum strait_role role, uint32_t i)
{
    struct strait_ring *ring = ring_at(view, i);
    return role == STRAIT_ROLE_SENDER ? &ring->producer : &ring->consumer;
}

bool strait_channel_sole(const struct strait_channel_view *view, enum strait_role role)
{
    if (role == STRAIT_ROLE_SENDER)
        return (view->flags & STRAIT_CHANNEL_LANES) || !(view->flags & STRAIT_CHANNEL_MANY_PRODUCERS);
    return role == STRAIT_ROLE_RECEIVER && !(view->flags & STRAIT_CHANNEL_MANY_CONSUMERS);
}

/* Is the role of ring i vacant? 0, -EBUSY, -EOWNERDEAD. */
static int vacant(const struct strait_channel_view *view, enum strait_role role, uint32_t i)
{
    uint32_t holder = strait_load32_relaxed(role_word(view, role, i));

    if (holder == STRAIT_LEASE_NONE)
        return 0;
    if (holder != view->map->lease && holder < STRAIT_LEASES && strait_lease_alive(view->map, holder) == 0)
        return -EOWNERDEAD;
    return -EBUSY;
}

/* A lane that nobody sends on; a dead sender's counts once it is swept. */
static int vacant_lane(const struct strait_channel_view *view, uint32_t *ring)
{
    int r = -EUSERS;

    for (uint32_t i = 0; i < view->rings; i++) {
        int v = vacant(view, STRAIT_ROLE_SENDER, i);
        if (v == 0) {
            *ring = i;
            return 0;
        }
        r = v == -EOWNERDEAD ? v : r;
    }
    return r;
}

static int take_roles(const struct strait_channel_view *view, enum strait_role role, uint32_t *ring)
{
    uint32_t first = *ring, last = *ring;
    int r;

    if (role == STRAIT_ROLE_SENDER && (view->flags & STRAIT_CHANNEL_LANES)) {
        r = vacant_lane(view, ring);
        first = last = *ring;
    } else {
        if (role == STRAIT_ROLE_RECEIVER) {
            first = 0;
            last = view->rings - 1;
        }
        r = *ring < view->rings ? vacant(view, role, first) : -EPROTO;
    }
    for (uint32_t i = first; r == 0 && i <= last; i++)
        /* release [C8] alone: roles are read under the admin lock only */
        strait_store32_release(role_word(view, role, i), view->map->lease);
    return r;
}

/* Does no ring hold anything that somebody could still receive? */
static bool rings_empty(const struct strait_channel_view *view)
{
    uint32_t counts[8];
    struct strait_ring_end end;

    for (uint32_t i = 0; i < view->rings; i++) {
        if (strait_channel_end(view, i, &end) < 0)
            return false;
        strait_ring_count(&end, counts);
        if (counts[STRAIT_SLOT_FREE] + counts[STRAIT_SLOT_VOID] != end.mask + 1)
            return false;
    }
    return true;
}

/* Who comes to a channel that everybody has left begins afresh: those who were there before are not "gone" for it. What
 * they left unread is still to be had. */
static void begin_afresh(const struct strait_channel_view *view, enum strait_role role)
{
    struct strait_channel *c = view->shared;

    if (strait_set_count(&c->senders) || strait_set_count(&c->receivers) || strait_set_count(&c->holders))
        return;
    if (role == STRAIT_ROLE_SENDER)
        strait_store32_relaxed(&c->had_receivers, 0);
    else if (rings_empty(view))
        strait_store32_relaxed(&c->had_senders, 0);
}

int strait_channel_enter(const struct strait_channel_view *view, enum strait_role role, uint32_t *ring)
{
    struct strait_channel *c = view->shared;
    int r = strait_channel_sole(view, role) ? take_roles(view, role, ring) : 0;

    if (r < 0)
        return r;
    begin_afresh(view, role);
    strait_set_add(set_of(c, role), view->map->lease);
    if (role == STRAIT_ROLE_SENDER)
        strait_store32_relaxed(&c->had_senders, 1);
    else if (role == STRAIT_ROLE_RECEIVER)
        strait_store32_relaxed(&c->had_receivers, 1);
    strait_channel_settle(view);
    return 0;
}

void strait_channel_vacate(const struct strait_channel_view *view, enum strait_role role, uint32_t ring)
{
    bool all = role == STRAIT_ROLE_RECEIVER;

    if (!strait_channel_sole(view, role))
        return;
    for (uint32_t i = all ? 0 : ring; i < (all ? view->rings : ring + 1); i++)
        if (strait_load32_relaxed(role_word(view, role, i)) == view->map->lease)
            strait_store32_release(role_word(view, role, i), STRAIT_LEASE_NONE); /* release [C9] alone: as [C8] */
}

void strait_channel_leave(const struct strait_channel_view *view, enum strait_role role)
{
    strait_set_remove(set_of(view->shared, role), view->map->lease);
    strait_channel_settle(view);
}

static void wake_all(const struct strait_channel_view *view)
{
    strait_bell_wake_all(&view->shared->readable);
    for (uint32_t i = 0; i < view->rings; i++)
        strait_bell_wake_all(&ring_at(view, i)->writable);
    for (uint32_t i = 0; i < view->replies; i++) {
        struct strait_reply *reply = (struct strait_reply *)(void *)(view->map->base + view->replies_off) + i;
        if (strait_bell_count(strait_load64_relaxed(&reply->readable.sleepers)))
            strait_bell_wake_all(&reply->readable); /* a caller whose worker may never come */
    }
}

void strait_channel_close(const struct strait_channel_view *view)
{
    struct strait_channel *c = view->shared;
    /* seq_cst [C1] -> [C2] strait_send: a sender claims, then looks at the status */
    strait_store32_seq_cst(&c->status, strait_load32_relaxed(&c->status) | STRAIT_CHANNEL_CLOSED);
    wake_all(view);
}

void strait_channel_settle(const struct strait_channel_view *view)
{
    struct strait_channel *c = view->shared;
    uint32_t was = strait_load32_relaxed(&c->status), now = was & STRAIT_CHANNEL_CLOSED;
    bool held = strait_set_count(&c->holders) != 0;

    if (!held && strait_load32_relaxed(&c->had_senders) && strait_set_count(&c->senders) == 0)
        now |= STRAIT_CHANNEL_NO_SENDERS;
    if (!held && strait_load32_relaxed(&c->had_receivers) && strait_set_count(&c->receivers) == 0)
        now |= STRAIT_CHANNEL_NO_RECEIVERS;
    if (now == was)
        return;
    strait_store32_seq_cst(&c->status, now); /* seq_cst [C3] -> [C2] strait_send */
    wake_all(view);
}

uint32_t strait_channel_parties(const struct strait_channel_view *view)
{
    return strait_set_count(&view->shared->senders) + strait_set_count(&view->shared->receivers);
}

/* ---- death ---- */

static void sweep_roles(struct strait_ring *ring, uint32_t dead)
{
    if (strait_load32_relaxed(&ring->producer) == dead)
        strait_store32_release(&ring->producer, STRAIT_LEASE_NONE); /* release [C10] alone: as [C8] */
    if (strait_load32_relaxed(&ring->consumer) == dead) {
        /* first the mark, then the vacancy: a sweeper that dies in between leaves both to the next one */
        strait_store32_relaxed(&ring->suspect, 1);
        strait_store32_release(&ring->consumer, STRAIT_LEASE_NONE); /* release [C11] alone: as [C8] */
    }
}

void strait_channel_sweep(const struct strait_channel_view *view, uint32_t dead, struct strait_ring_bury *bury,
                          struct strait_ring_swept *total)
{
    struct strait_channel *c = view->shared;
    struct strait_ring_swept swept = {0, 0};
    struct strait_ring_end end;

    for (uint32_t i = 0; i < view->rings; i++) {
        if (strait_channel_end(view, i, &end) < 0)
            continue; /* damaged: verify tells; nothing here can be trusted to be repaired */
        strait_ring_sweep(&end, dead, view->max_attempts, bury, &swept);
        sweep_roles(end.ring, dead);
        strait_ring_sweep_end(&end);
    }
    strait_add64_relaxed(&c->voided, swept.voided);
    strait_add64_relaxed(&c->redelivered, swept.returned);
    total->voided += swept.voided;
    total->returned += swept.returned;
    strait_set_remove(&c->senders, dead);
    strait_set_remove(&c->receivers, dead);
    strait_set_remove(&c->holders, dead);
    strait_channel_settle(view);
    strait_bell_sweep(&c->readable);
    for (uint32_t i = 0; i < view->rings; i++)
        strait_bell_sweep(&ring_at(view, i)->writable);
}

/* ---- dead letters ---- */

static struct strait_dead_letters *letters(const struct strait_channel_view *view)
{
    return (struct strait_dead_letters *)(void *)(view->map->base + view->dead_off);
}

static struct strait_dead_letter *letter(const struct strait_channel_view *view, uint64_t number)
{
    unsigned char *first = (unsigned char *)letters(view) + sizeof(struct strait_dead_letters);
    return (struct strait_dead_letter *)(void *)(first + number % view->dead_max *
                                                             strait_channel_letter_bytes(view->slot_bytes));
}

void strait_channel_bury(const struct strait_channel_view *view, uint32_t ring, const struct strait_ring_end *end,
                         uint32_t slot, uint64_t word)
{
    struct strait_slot *s = strait_ring_slot(end, slot);
    /* acquire [C12] <- [C4]: an earlier sweeper's letter */
    uint64_t count = strait_load64_acquire(&letters(view)->count), id = (word & STRAIT_TURN_MASK) | slot;
    uint64_t head = strait_load64_relaxed(&s->head);
    bool pack = strait_head_is_pack(head);
    uint32_t bytes = pack ? strait_pack_bytes(head) : strait_head_bytes(head);
    uint16_t part = pack ? (uint16_t)strait_pack_next(head) : 0;

    if (view->dead_max == 0 || (pack && !strait_pack_good(head, view->slot_bytes)))
        return;
    /* the sweeper before us may have died between burying and voiding */
    if (count && letter(view, count - 1)->turn == id && letter(view, count - 1)->ring == ring &&
        letter(view, count - 1)->part == part)
        return;
    struct strait_dead_letter *l = letter(view, count);
    bytes = bytes < view->slot_bytes ? bytes : view->slot_bytes;
    l->turn = id;
    l->ring = ring;
    l->bytes = bytes;
    l->tag = strait_head_tag(head);
    l->flags = pack ? 0 : strait_head_flags(head);
    l->part = part;
    l->attempts = (uint16_t)(strait_slot_attempts(word) + 1);
    /* not l->bytes: a peer may have changed it by now */
    memcpy(l + 1, pack ? strait_pack_at(s, head) : strait_slot_payload(s), bytes);
    strait_store64_release(&letters(view)->count, count + 1); /* release [C4] -> [C5] strait_channel_dead_letter */
}

int64_t strait_channel_dead_letter(const struct strait_channel_view *view, uint64_t i, struct strait_dead_letter *head,
                                   void *to, uint64_t size)
{
    uint64_t count = strait_load64_acquire(&letters(view)->count); /* acquire [C5] <- [C4] strait_channel_bury */

    if (i >= count || i >= view->dead_max)
        return -ENOENT;
    const struct strait_dead_letter *l = letter(view, count - 1 - i);
    struct strait_dead_letter copy = *l;
    /* what is checked is what is used, and not read a second time; a sweep may be writing here, too */
    copy.bytes = strait_load32_relaxed(&l->bytes);
    if (copy.bytes > view->slot_bytes)
        return -EPROTO;
    memcpy(to, l + 1, copy.bytes < size ? copy.bytes : size);
    *head = copy;
    return copy.bytes;
}
