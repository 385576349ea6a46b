/* SPDX-License-Identifier: MIT */
/* What verify knows of channels: their numbers, sets, rings, slots, replies. */
#include "channel.h"
#include "lease.h"
#include "pages.h"
#include "reply.h"
#include "strait/bell.h"
#include "strait/ring_pack.h"
#include "verify.h"

/* Tables and slots lie one behind the other, as strait_channel_measure puts them: so one number sees an overlap. */
struct packing {
    uint64_t end; /* of what came before */
};

/* false: it shares bytes with what came before. Its slots are not looked at then, so that a check stays linear. */
static bool packed(struct strait_look *look, struct packing *p, const uint64_t *word, uint64_t off, uint64_t bytes)
{
    if (off < p->end) {
        strait_look_found(look, STRAIT_RULE_RING_OVERLAP, word, off);
        return false;
    }
    p->end = off + bytes;
    return true;
}

/* ---- slots ---- */

/* The turn in which a slot was last filled. Producers fill in order: slot 0 is as far as the others, or one ahead. */
static uint64_t filled(uint64_t word)
{
    uint64_t turn = word & STRAIT_TURN_MASK;
    return strait_slot_state(word) == STRAIT_SLOT_FREE ? turn - STRAIT_TURN_ONE : turn;
}

static bool state_possible(uint32_t state, uint32_t flags)
{
    switch (state) {
    case STRAIT_SLOT_CLAIMED:
        return flags & STRAIT_RING_MANY_PRODUCERS;
    case STRAIT_SLOT_TAKEN:
    case STRAIT_SLOT_RETURNED:
        return flags & STRAIT_RING_MANY_CONSUMERS;
    case STRAIT_SLOT_VOID: /* a sole producer does not claim, a sole consumer is not returned to */
        return flags & (STRAIT_RING_MANY_PRODUCERS | STRAIT_RING_MANY_CONSUMERS);
    default:
        return state == STRAIT_SLOT_FREE || state == STRAIT_SLOT_READY;
    }
}

static bool attempts_possible(uint64_t word, uint32_t flags, uint32_t max_attempts)
{
    uint32_t attempts = strait_slot_attempts(word);

    switch (strait_slot_state(word)) {
    case STRAIT_SLOT_READY: /* a sole consumer's successor marks what its predecessor may have read; a bridge, what may
                               have been delivered elsewhere */
        return attempts < max_attempts || !(flags & STRAIT_RING_MANY_CONSUMERS);
    case STRAIT_SLOT_TAKEN: /* of a pack: a sweeper died between a letter and what comes behind it */
        return attempts < max_attempts || (flags & STRAIT_RING_PACKED && attempts == STRAIT_ATTEMPTS_MOST);
    case STRAIT_SLOT_RETURNED: /* of a pack: the rest, which nobody has had */
        return (attempts > 0 || flags & STRAIT_RING_PACKED) && attempts < max_attempts;
    default:
        return attempts == 0;
    }
}

struct ring_look {
    const struct strait_ring_end *end;
    uint32_t max_attempts;
    bool returned; /* a RETURNED slot was seen */
};

static void verify_message(struct strait_look *look, const struct ring_look *r, const struct strait_slot *slot,
                           uint64_t word)
{
    uint64_t head = strait_load64_relaxed(&slot->head);
    bool pack = r->end->flags & STRAIT_RING_PACKED && strait_head_is_pack(head);
    bool good = pack ? strait_pack_good(head, r->end->slot_bytes) : strait_head_bytes(head) <= r->end->slot_bytes;

    /* acquire [I10] alone: a look again; what has moved meanwhile is no finding */
    if (!good && strait_load64_acquire(&slot->word) == word)
        strait_look_found(look, STRAIT_RULE_SLOT_LENGTH, &slot->head, strait_head_bytes(head));
}

static void verify_slot(struct strait_look *look, struct ring_look *r, uint32_t i)
{
    const struct strait_slot *first = strait_ring_slot(r->end, 0), *slot = strait_ring_slot(r->end, i);
    uint64_t before = filled(strait_load64_acquire(&first->word)); /* acquire [I11] <- [R1] strait_ring_commit */
    uint64_t word = strait_load64_acquire(&slot->word);            /* acquire [I1] <- [R1] strait_ring_commit */
    uint64_t after = filled(strait_load64_acquire(&first->word));
    uint64_t owner = word & STRAIT_OWNER_MASK;
    uint32_t state = strait_slot_state(word);
    bool owned = state == STRAIT_SLOT_CLAIMED || state == STRAIT_SLOT_TAKEN;

    look->at.slot = i;
    if (!state_possible(state, r->end->flags)) {
        strait_look_found(look, STRAIT_RULE_SLOT_STATE, &slot->word, word);
        return;
    }
    if (owned != (owner != STRAIT_LEASE_NONE))
        strait_look_found(look, STRAIT_RULE_SLOT_OWNER, &slot->word, word);
    /* acquire [I12] alone: as [I10] */
    else if (owned && !strait_look_lease(look, owner) && strait_load64_acquire(&slot->word) == word)
        strait_look_found(look, STRAIT_RULE_SLOT_LEASE, &slot->word, word);
    if (!attempts_possible(word, r->end->flags, r->max_attempts))
        strait_look_found(look, STRAIT_RULE_SLOT_ATTEMPTS, &slot->word, word);
    if ((int64_t)(after - filled(word)) < 0 || (int64_t)(before - filled(word)) > (int64_t)STRAIT_TURN_ONE)
        strait_look_found(look, STRAIT_RULE_SLOT_TURN, &slot->word, word);
    if (state == STRAIT_SLOT_READY || state == STRAIT_SLOT_TAKEN || state == STRAIT_SLOT_RETURNED)
        verify_message(look, r, slot, word);
    r->returned = r->returned || state == STRAIT_SLOT_RETURNED;
}

static void verify_slots(struct strait_look *look, const struct strait_ring_end *end, uint32_t max_attempts)
{
    struct ring_look r = {end, max_attempts, false};

    for (uint32_t i = 0; i <= end->mask; i++)
        verify_slot(look, &r, i);
    look->at.slot = STRAIT_NOWHERE;
    if (r.returned && look->still && strait_load32_relaxed(&end->ring->returned) == 0)
        strait_look_found(look, STRAIT_RULE_RING_RETURNED, &end->ring->returned, 0);
}

/* ---- rings ---- */

static void verify_bell(struct strait_look *look, const struct strait_bell *bell)
{
    uint32_t mode = strait_load32_relaxed(&bell->mode);

    if ((mode & STRAIT_BELL_MODE_MASK) > STRAIT_BELL_SWITCHING)
        strait_look_found(look, STRAIT_RULE_BELL, &bell->mode, mode);
}

static void verify_role(struct strait_look *look, const uint32_t *role, bool sole, const struct strait_set *set)
{
    uint32_t lease = strait_load32_relaxed(role);

    if (lease == STRAIT_LEASE_NONE)
        return;
    if (!sole || (!strait_look_lease(look, lease) && strait_load32_relaxed(role) == lease) ||
        (look->still && !strait_set_has(set, lease)))
        strait_look_found(look, STRAIT_RULE_RING_ROLE, role, lease);
}

static void verify_ring(struct strait_look *look, const struct strait_channel_view *v, uint32_t i, struct packing *p)
{
    const struct strait_ring *ring = (const struct strait_ring *)(const void *)(look->map->base + v->rings_off) + i;
    const struct strait_channel *c = v->shared;
    struct strait_ring_end end;
    uint32_t suspect = strait_load32_relaxed(&ring->suspect);

    look->at.ring = i;
    verify_bell(look, &ring->writable);
    verify_role(look, &ring->producer, strait_channel_sole(v, STRAIT_ROLE_SENDER), &c->senders);
    verify_role(look, &ring->consumer, strait_channel_sole(v, STRAIT_ROLE_RECEIVER), &c->receivers);
    if (suspect > 1)
        strait_look_found(look, STRAIT_RULE_RING_ROLE, &ring->suspect, suspect);
    if (strait_channel_end(v, i, &end) < 0) {
        strait_look_found(look, STRAIT_RULE_RING_NUMBERS, ring, strait_load64_relaxed(&ring->slots_off));
        return;
    }
    if (end.flags != strait_channel_ring_flags(v->flags, v->full))
        strait_look_found(look, STRAIT_RULE_RING_FLAGS, &ring->flags, end.flags);
    if (packed(look, p, &ring->slots_off, (uint64_t)(end.slots - look->map->base),
               (end.mask + UINT64_C(1)) * end.stride))
        verify_slots(look, &end, v->max_attempts);
    if (v->flags & STRAIT_CHANNEL_SHARDED)
        strait_look_node(look, &ring->node, (uint64_t)(end.slots - look->map->base),
                         (end.mask + UINT64_C(1)) * end.stride);
}

/* ---- sets, status ---- */

/* What strait_channel_settle would say. */
static uint32_t status_of(const struct strait_channel *c)
{
    bool held = strait_set_count(&c->holders) != 0;
    uint32_t status = 0;

    if (!held && strait_load32_relaxed(&c->had_senders) && strait_set_count(&c->senders) == 0)
        status |= STRAIT_CHANNEL_NO_SENDERS;
    if (!held && strait_load32_relaxed(&c->had_receivers) && strait_set_count(&c->receivers) == 0)
        status |= STRAIT_CHANNEL_NO_RECEIVERS;
    return status;
}

static void verify_status(struct strait_look *look, const struct strait_channel *c)
{
    uint32_t status = strait_load32_relaxed(&c->status);

    if (status > (STRAIT_CHANNEL_CLOSED | STRAIT_CHANNEL_NO_SENDERS | STRAIT_CHANNEL_NO_RECEIVERS) ||
        (look->still && (status & ~(uint32_t)STRAIT_CHANNEL_CLOSED) != status_of(c)))
        strait_look_found(look, STRAIT_RULE_CHANNEL_STATUS, &c->status, status);
    if (look->still && strait_set_count(&c->senders) && !strait_load32_relaxed(&c->had_senders))
        strait_look_found(look, STRAIT_RULE_CHANNEL_STATUS, &c->had_senders, 0);
    if (look->still && strait_set_count(&c->receivers) && !strait_load32_relaxed(&c->had_receivers))
        strait_look_found(look, STRAIT_RULE_CHANNEL_STATUS, &c->had_receivers, 0);
}

static void verify_options(struct strait_look *look, const struct strait_channel_view *v)
{
    const uint32_t known = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS | STRAIT_CHANNEL_BUSY |
                           STRAIT_CHANNEL_LANES | STRAIT_CHANNEL_SHARDED | STRAIT_CHANNEL_BY_KEY |
                           STRAIT_CHANNEL_IN_TURN | STRAIT_CHANNEL_PACKED;

    if (v->flags & ~known)
        strait_look_found(look, STRAIT_RULE_CHANNEL_OPTIONS, &v->shared->flags, v->flags);
    if (v->full > STRAIT_FULL_DROP_OLDEST)
        strait_look_found(look, STRAIT_RULE_CHANNEL_OPTIONS, &v->shared->full, v->full);
    if (v->max_attempts == 0 || v->max_attempts > STRAIT_ATTEMPTS_MOST)
        strait_look_found(look, STRAIT_RULE_CHANNEL_OPTIONS, &v->shared->max_attempts, v->max_attempts);
    if ((v->flags & STRAIT_CHANNEL_PACKED) && (v->peek_window != 1 || v->replies || v->flags & STRAIT_CHANNEL_SHARDED))
        strait_look_found(look, STRAIT_RULE_CHANNEL_OPTIONS, &v->shared->peek_window, v->peek_window);
}

/* ---- replies ---- */

static void verify_reply_word(struct strait_look *look, const struct strait_reply *reply)
{
    uint64_t word = strait_load64_acquire(&reply->word); /* acquire [I2] <- [P3] open_one */
    uint32_t state = strait_reply_state(word), owner = strait_reply_owner(word);
    uint32_t caller = strait_load32_relaxed(&reply->caller);
    bool owned = state == STRAIT_REPLY_OPEN || state == STRAIT_REPLY_BUSY || state == STRAIT_REPLY_ABANDONED;
    bool known = !owned || strait_look_lease(look, owner);

    if (state == STRAIT_REPLY_BUSY)
        known = known && strait_look_lease(look, caller);
    if (state > STRAIT_REPLY_FAILED)
        strait_look_found(look, STRAIT_RULE_REPLY_STATE, &reply->word, word);
    else if (owned != (owner != STRAIT_LEASE_NONE))
        strait_look_found(look, STRAIT_RULE_REPLY_OWNER, &reply->word, word);
    /* acquire [I13] alone: as [I10] */
    else if (!known && strait_load64_acquire(&reply->word) == word)
        strait_look_found(look, STRAIT_RULE_REPLY_LEASE, &reply->word, word);
}

static void verify_reply(struct strait_look *look, const struct strait_channel_view *v, uint32_t i, struct packing *p)
{
    struct strait_reply *reply = (struct strait_reply *)(void *)(look->map->base + v->replies_off) + i;
    uint64_t low = v->object.offset, high = low + v->object.bytes;
    struct strait_ring checked;
    struct strait_ring_end end = {.ring = &reply->ring};

    look->at.reply = i;
    verify_reply_word(look, reply);
    verify_bell(look, &reply->readable);
    verify_bell(look, &reply->ring.writable);
    if (strait_ring_check(&reply->ring, low, high, &checked) < 0) {
        strait_look_found(look, STRAIT_RULE_RING_NUMBERS, &reply->ring, strait_load64_relaxed(&reply->ring.slots_off));
        return;
    }
    if (checked.flags != 0)
        strait_look_found(look, STRAIT_RULE_RING_FLAGS, &reply->ring.flags, checked.flags);
    end.slots = look->map->base + checked.slots_off;
    end.mask = checked.capacity - 1;
    end.stride = checked.stride;
    end.slot_bytes = checked.stride - STRAIT_SLOT_HEAD;
    if (packed(look, p, &reply->ring.slots_off, checked.slots_off, (uint64_t)checked.capacity * checked.stride))
        verify_slots(look, &end, v->max_attempts);
}

/* ---- dead letters ---- */

static void verify_dead_letters(struct strait_look *look, const struct strait_channel_view *v)
{
    const unsigned char *at = look->map->base + v->dead_off;
    const struct strait_dead_letters *letters = (const void *)at;
    uint64_t count = strait_load64_acquire(&letters->count); /* acquire [I3] <- [C4] strait_channel_bury */
    uint64_t entry_bytes = strait_load64_relaxed(&letters->entry_bytes),
             want = strait_channel_letter_bytes(v->slot_bytes);

    if (entry_bytes != want)
        strait_look_found(look, STRAIT_RULE_DEAD_LETTER, &letters->entry_bytes, entry_bytes);
    for (uint32_t i = 0; i < v->dead_max && i < count; i++) {
        const struct strait_dead_letter *l = (const void *)(at + sizeof *letters + i * want);
        uint32_t ring = strait_load32_relaxed(&l->ring), bytes = strait_load32_relaxed(&l->bytes);
        if (ring >= v->rings)
            strait_look_found(look, STRAIT_RULE_DEAD_LETTER, &l->ring, ring);
        if (bytes > v->slot_bytes)
            strait_look_found(look, STRAIT_RULE_DEAD_LETTER, &l->bytes, bytes);
    }
}

/* ---- channels ---- */

static void verify_ends(struct strait_look *look, const struct strait_channel *c)
{
    verify_bell(look, &c->readable);
    strait_verify_set(look, STRAIT_RULE_CHANNEL_SET, &c->senders);
    strait_verify_set(look, STRAIT_RULE_CHANNEL_SET, &c->receivers);
    strait_verify_set(look, STRAIT_RULE_CHANNEL_SET, &c->holders);
    verify_status(look, c);
}

void strait_verify_channel(struct strait_look *look, const struct strait_object *object)
{
    struct strait_channel *c = (struct strait_channel *)(void *)(look->map->base + object->offset);
    struct packing p = {object->offset + sizeof *c};
    struct strait_channel_view v;

    if (strait_channel_view(look->map, object, &v) < 0) {
        strait_look_found(look, STRAIT_RULE_CHANNEL_NUMBERS, c, strait_load32_relaxed(&c->rings));
        return;
    }
    verify_options(look, &v);
    verify_ends(look, c);
    packed(look, &p, &c->rings_off, v.rings_off, v.rings * sizeof(struct strait_ring));
    for (uint32_t i = 0; i < v.rings; i++)
        verify_ring(look, &v, i, &p);
    look->at.ring = STRAIT_NOWHERE;
    packed(look, &p, &c->replies_off, v.replies_off, (uint64_t)v.replies * sizeof(struct strait_reply));
    for (uint32_t i = 0; i < v.replies; i++)
        verify_reply(look, &v, i, &p);
    look->at.reply = STRAIT_NOWHERE;
    packed(look, &p, &c->dead_off, v.dead_off, sizeof(struct strait_dead_letters));
    verify_dead_letters(look, &v);
}
