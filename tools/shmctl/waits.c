/* SPDX-License-Identifier: MIT */
#include "waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "region.h"
#include "reply.h"
#include "strait/atomic.h"

uint32_t ctl_set_next(const struct strait_set *set, uint32_t from)
{
    for (uint32_t i = from ? from : 1; i < STRAIT_LEASES; i++)
        if (set->bits[i / 64] >> i % 64 & 1)
            return i;
    return STRAIT_LEASE_NONE;
}

static void blame(struct ctl_wait *w, enum ctl_why why, uint64_t lease)
{
    w->why = why;
    if (lease > STRAIT_LEASE_NONE && lease < STRAIT_LEASES)
        w->culprits.bits[lease / 64] |= UINT64_C(1) << lease % 64;
}

static void blame_set(struct ctl_wait *w, enum ctl_why why, const struct strait_set *set)
{
    w->why = why;
    for (unsigned i = 0; i < STRAIT_LEASES / 64; i++)
        w->culprits.bits[i] |= strait_load64_relaxed(&set->bits[i]);
}

/* ---- locks ---- */

static void judge_readers(struct ctl_wait *w, const struct strait_part *part)
{
    w->why = CTL_WHY_MOVING;
    for (uint32_t i = 1; part->cells && i < STRAIT_LEASES; i++)
        if (strait_load32_relaxed(&part->cells[i].count))
            blame(w, CTL_WHY_READ, i);
}

static void judge_lock(struct ctl_segment *s, struct ctl_wait *w)
{
    struct strait_region_view view;
    struct strait_part part;
    uint32_t owner;

    if (strait_region_view(&s->map, &w->object, &view) < 0 ||
        strait_region_part(&view, (uint32_t)w->record.detail, &part) < 0)
        return;
    owner = strait_lock_owner(strait_load32_relaxed(&part.lock->word));
    if (owner == w->who.index && strait_load32_relaxed(&part.lock->draining) == owner)
        judge_readers(w, &part); /* it has the word, and waits until nobody reads */
    else if (owner)
        blame(w, CTL_WHY_HELD, owner);
    else
        w->why = CTL_WHY_MOVING;
}

/* ---- channels ---- */

static bool ends(const struct strait_channel_view *view, uint32_t i, struct strait_ring_end *producer,
                 struct strait_ring_end *consumer)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;

    if (strait_channel_ring(view, i, &ring, &checked, &slots) < 0)
        return false;
    strait_ring_join_producer(producer, ring, &checked, slots, 0);
    strait_ring_join_consumer(consumer, ring, &checked, slots, 0);
    return true;
}

/* Which ring does this lease send to? With lanes, its own. */
static uint32_t ring_of_sender(const struct strait_channel_view *view, uint32_t lease)
{
    struct strait_ring *ring, checked;
    unsigned char *slots;

    for (uint32_t i = 0; view->flags & STRAIT_CHANNEL_LANES && i < view->rings; i++)
        if (strait_channel_ring(view, i, &ring, &checked, &slots) == 0 &&
            strait_load32_relaxed(&ring->producer) == lease)
            return i;
    return 0;
}

static void judge_send(const struct strait_channel_view *view, struct ctl_wait *w)
{
    struct strait_ring_end producer, consumer;
    uint64_t word;

    if (!ends(view, ring_of_sender(view, w->who.index), &producer, &consumer))
        return;
    word = strait_load64_relaxed(&strait_ring_slot(&producer, producer.cursor)->word);
    switch (strait_slot_state(word)) {
    case STRAIT_SLOT_READY:
    case STRAIT_SLOT_RETURNED:
        blame_set(w, CTL_WHY_UNREAD, &view->shared->receivers);
        if (ctl_set_next(&w->culprits, 1) == STRAIT_LEASE_NONE)
            w->why = CTL_WHY_NO_RECEIVER;
        break;
    case STRAIT_SLOT_TAKEN:
        blame(w, CTL_WHY_TAKEN, word & STRAIT_OWNER_MASK);
        break;
    case STRAIT_SLOT_CLAIMED:
        blame(w, CTL_WHY_CLAIMED, word & STRAIT_OWNER_MASK);
        break;
    default:
        w->why = CTL_WHY_MOVING;
    }
}

/* What a receiver finds in a ring, from its head on. */
static enum ctl_why look_for_message(const struct strait_ring_end *head, uint64_t *owner)
{
    uint64_t cursor = head->cursor;

    for (uint32_t i = 0; i <= head->mask; i++, cursor = strait_ring_next(head, cursor)) {
        uint64_t word = strait_load64_relaxed(&strait_ring_slot(head, cursor)->word);
        enum strait_slot_state state = strait_slot_state(word);
        if (state == STRAIT_SLOT_FREE || (word & STRAIT_TURN_MASK) != (cursor & STRAIT_TURN_MASK))
            return CTL_WHY_IDLE;
        *owner = word & STRAIT_OWNER_MASK;
        if (state == STRAIT_SLOT_CLAIMED)
            return CTL_WHY_CLAIMED;
        if (state == STRAIT_SLOT_READY || state == STRAIT_SLOT_RETURNED)
            return CTL_WHY_MOVING;
    }
    return CTL_WHY_IDLE;
}

static void judge_receive(const struct strait_channel_view *view, struct ctl_wait *w)
{
    struct strait_ring_end producer, consumer;
    uint64_t owner = 0;

    blame_set(w, CTL_WHY_IDLE, &view->shared->senders);
    for (uint32_t i = 0; i < view->rings; i++) {
        enum ctl_why why = ends(view, i, &producer, &consumer) ? look_for_message(&consumer, &owner) : CTL_WHY_IDLE;
        if (why == CTL_WHY_IDLE)
            continue;
        memset(&w->culprits, 0, sizeof w->culprits);
        blame(w, why, why == CTL_WHY_CLAIMED ? owner : 0);
        return;
    }
}

static void judge_reply(const struct strait_channel_view *view, struct ctl_wait *w)
{
    struct strait_reply *reply;
    uint64_t word;

    if (w->record.detail > UINT32_MAX || strait_reply_at(view, (uint32_t)w->record.detail, &reply) < 0)
        return;
    word = strait_load64_relaxed(&reply->word);
    if (w->record.kind == STRAIT_WAIT_REPLY_SPACE)
        blame(w, CTL_WHY_ANSWER_NOT_READ, strait_load32_relaxed(&reply->caller));
    else if (strait_reply_state(word) == STRAIT_REPLY_BUSY)
        blame(w, CTL_WHY_ANSWERING, strait_reply_owner(word));
    else if (strait_reply_state(word) == STRAIT_REPLY_OPEN)
        blame_set(w, CTL_WHY_UNANSWERED, &view->shared->receivers);
    else
        w->why = CTL_WHY_MOVING;
}

static void judge_channel(struct ctl_segment *s, struct ctl_wait *w)
{
    struct strait_channel_view view;

    if (strait_channel_view(&s->map, &w->object, &view) < 0)
        return;
    if (w->record.kind == STRAIT_WAIT_SEND)
        judge_send(&view, w);
    else if (w->record.kind == STRAIT_WAIT_RECV)
        judge_receive(&view, w);
    else if (w->record.kind == STRAIT_WAIT_LOOP)
        w->why = CTL_WHY_IDLE; /* a loop waits for many things, and has written down one */
    else
        judge_reply(&view, w);
}

/* ---- all of them ---- */

static void judge(struct ctl_segment *s, struct ctl_wait *w)
{
    w->found = ctl_object_at(s, w->record.object, &w->object) >= 0;
    if (w->found && w->object.kind == STRAIT_KIND_REGION)
        judge_lock(s, w);
    else if (w->found && w->object.kind == STRAIT_KIND_CHANNEL)
        judge_channel(s, w);
}

struct ctl_waits *ctl_waits_collect(struct ctl_segment *s)
{
    struct ctl_waits *all = malloc(sizeof *all);
    struct ctl_lease l;

    if (all == NULL) {
        ctl_say("out of memory");
        return NULL;
    }
    all->n = 0;
    all->more = false;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(s, i, &l) || l.alive == 0) /* the dead wait for nothing */
            continue;
        for (unsigned r = 0; r < STRAIT_WAITS; r++) {
            if (l.waits[r].kind == STRAIT_WAIT_NONE)
                continue;
            if (all->n == sizeof all->wait / sizeof all->wait[0]) {
                all->more = true;
                return all;
            }
            all->wait[all->n] = (struct ctl_wait){.who = l, .record = l.waits[r]};
            judge(s, &all->wait[all->n++]);
        }
    }
    return all;
}

bool ctl_wait_blocked(const struct ctl_wait *w)
{
    return w->why > CTL_WHY_IDLE;
}

const char *ctl_wait_object(const struct ctl_segment *s, const struct ctl_wait *w)
{
    static const char *const what[] = {
        "",        "a message in", "space in", "an answer in", "space for an answer in", "the lock of",
        "to read", "something in"};
    const char *of = w->record.kind < sizeof what / sizeof what[0] ? what[w->record.kind] : "something in";
    char text[128];

    if (!w->found)
        return "something that is gone";
    if (w->record.detail && (w->record.kind == STRAIT_WAIT_LOCK || w->record.kind == STRAIT_WAIT_READ_LOCK))
        snprintf(text, sizeof text, "%s part %u of %s %s", of, (uint32_t)w->record.detail,
                 ctl_kind_name(w->object.kind), ctl_object_name(s, w->object.entry));
    else
        snprintf(text, sizeof text, "%s %s %s", of, ctl_kind_name(w->object.kind), ctl_object_name(s, w->object.entry));
    return table_text(text, sizeof text);
}

const char *ctl_why_name(enum ctl_why why)
{
    static const char *const names[] = {"unknown",     "moving",    "idle",       "held",
                                        "read",        "taken",     "claimed",    "unread",
                                        "no receiver", "answering", "unanswered", "answer not read"};
    return names[why];
}
