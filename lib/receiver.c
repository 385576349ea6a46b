/* SPDX-License-Identifier: MIT */
/* Receivers: the slow side of strait/channel.h. */
#include "strait/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "endpoint.h"
#include "error.h"
#include "pack.h"
#include "spread.h"

struct receiver {
    struct strait_rx rx; /* first: what the user holds */
    struct strait_endpoint endpoint;
};

int strait_rx_open(struct strait_segment *segment, const char *name, const struct strait_channel_options *options,
                   struct strait_rx **out)
{
    struct receiver *s = calloc(1, sizeof *s);
    struct strait_channel *shared;
    int r;

    if (s == NULL)
        return strait_fail(-ENOMEM, "channel %s: out of memory", name);
    r = strait_endpoint_open(&s->endpoint, segment, name, options, STRAIT_ROLE_RECEIVER, true);
    if (r < 0) {
        free(s);
        return r;
    }
    shared = s->endpoint.view.shared;
    s->rx.home = segment->home;
    s->rx.bell = &shared->readable;
    s->rx.busy = s->endpoint.view.flags & STRAIT_CHANNEL_BUSY;
    s->rx.slot_bytes = s->endpoint.view.slot_bytes;
    s->rx.window = s->endpoint.view.flags & STRAIT_CHANNEL_PACKED ? 1 : s->endpoint.view.peek_window;
    s->rx.fence = segment->map.fence;
    s->rx.lanes = s->endpoint.ends_n;
    s->rx.lane = s->endpoint.spread ? strait_spread_home(s->endpoint.spread) : 0;
    s->rx.end = s->endpoint.ends[s->rx.lane];
    s->rx.endpoint = &s->endpoint;
    *out = &s->rx;
    return 0;
}

void strait_rx_close(struct strait_rx *rx)
{
    if (rx == NULL)
        return;
    if (*rx->home) {
        strait_pack_leave(rx);
        strait_rx_half(rx);
    }
    strait_endpoint_close(rx->endpoint);
    free(rx);
}

static void turn(struct strait_rx *rx, uint32_t lane)
{
    struct strait_ring_end *ends = rx->endpoint->ends;

    ends[rx->lane] = rx->end;
    rx->lane = lane;
    rx->end = ends[lane];
}

/* Does a receiver hold on to its place while it has peeked messages? */
static bool holds(const struct strait_rx *rx)
{
    return rx->peeked && (rx->end.flags & (STRAIT_RING_MANY_CONSUMERS | STRAIT_RING_IN_ORDER | STRAIT_RING_PACKED)) !=
                             STRAIT_RING_MANY_CONSUMERS;
}

/* Turn to the next lane that has something: 1, or -EAGAIN. Of shards, the nearest comes first. A sole receiver stays where its
 * peeked messages are. */
static int next_lane(struct strait_rx *rx)
{
    struct strait_ring_end *ends = rx->endpoint->ends;
    const uint8_t *near = rx->endpoint->spread ? strait_spread_order(rx->endpoint->spread) : NULL;
    struct strait_place place;

    if (holds(rx))
        return -EAGAIN;
    ends[rx->lane] = rx->end;
    for (uint32_t i = 0; i < rx->lanes; i++) {
        uint32_t lane = near ? near[i] : (rx->lane + 1 + i) % rx->lanes;
        if (strait_ring_find(&ends[lane], &place) < 0)
            continue;
        rx->lane = lane;
        rx->end = ends[lane];
        return 1;
    }
    rx->end = ends[rx->lane];
    return -EAGAIN;
}

static void ring_senders(struct strait_rx *rx)
{
    if (rx->unrung && !rx->busy)
        strait_bell_ring(&rx->end.ring->writable, 1, rx->fence);
    rx->unrung = false;
}

/* Local first: back from another's shard. */
static void go_home(struct strait_rx *rx)
{
    uint32_t home = strait_spread_home(rx->endpoint->spread);

    if (rx->lane == home)
        return;
    ring_senders(rx); /* else nobody may ever ring for what we have released there */
    turn(rx, home);
}

/* Where everybody is busy at home, a shard without receivers of its own must not starve: now and then, a look at the next. */
static void visit(struct strait_rx *rx)
{
    struct strait_ring_end *ends = rx->endpoint->ends;
    struct strait_place place;
    uint32_t lane;

    go_home(rx);
    ends[rx->lane] = rx->end;
    lane = strait_spread_visit(rx->endpoint->spread);
    if (lane != rx->lane && strait_ring_find(&ends[lane], &place) == 0)
        turn(rx, lane);
}

/* Ring the senders' bell for what has been released since the last time; and a lane that is never empty does not keep the
 * others waiting. */
void strait_rx_half(struct strait_rx *rx)
{
    ring_senders(rx);
    if (rx->lanes > 1 && rx->endpoint->spread)
        visit(rx);
    else if (rx->lanes > 1)
        next_lane(rx);
}

/* After the status said that nothing new will come: is there nothing left in any lane? */
static int drained(struct strait_rx *rx)
{
    struct strait_ring_end *ends = rx->endpoint->ends;
    struct strait_place place;
    bool all = true;

    /* Look again after the status: what was committed before the close is still ours. */
    if (rx->lanes > 1 && next_lane(rx) > 0)
        return 1;
    if (strait_ring_find(&rx->end, &place) == 0)
        return 1;
    ends[rx->lane] = rx->end;
    for (uint32_t i = 0; i < rx->lanes && all; i++)
        all = strait_ring_drained(&ends[i]);
    if (!all)
        return -EAGAIN;
    /* Another receiver may have gone to sleep over a message that was still taken then: pass the end on. */
    strait_bell_wake(rx->bell, 1);
    return -EPIPE;
}

/* Nothing at the cursor: 1 if there is something after all, -EAGAIN, -EPIPE if nothing will come. */
static int empty(struct strait_rx *rx)
{
    uint32_t status = strait_endpoint_status(rx->endpoint);

    if (rx->unrung)
        ring_senders(rx);
    if (rx->lanes > 1 && next_lane(rx) > 0)
        return 1;
    if (STRAIT_LIKELY(!(status & (STRAIT_CHANNEL_CLOSED | STRAIT_CHANNEL_NO_SENDERS))))
        return -EAGAIN;
    return drained(rx);
}

/* Find the next message, in whichever lane: 0, -EAGAIN, -EPIPE. */
static int find(struct strait_rx *rx, struct strait_place *place)
{
    while (strait_ring_find(&rx->end, place) < 0) {
        int r = empty(rx);
        if (r < 0)
            return r;
    }
    return 0;
}

/* As find, but a pack is taken at once: 1 and we are in it. */
static int find_plain(struct strait_rx *rx, struct strait_place *place)
{
    int r = find(rx, place);

    while (r == 0 && strait_is_pack(rx, strait_load64_relaxed(&place->slot->head))) {
        r = strait_pack_open(rx, place);
        if (r != -EAGAIN)
            return r < 0 ? r : 1;
        r = find(rx, place);
    }
    return r;
}

int strait_rx_look(struct strait_rx *rx)
{
    struct strait_place place;
    return rx->pack.slot ? 0 : find(rx, &place);
}

static void give_back(struct strait_rx *rx, const struct strait_place *place)
{
    uint32_t lane = rx->lane;

    strait_ring_release(place);
    strait_rx_pass_on(rx);
    strait_rx_released(rx, place->slot);
    if (rx->endpoint->spread && rx->lane == lane) /* else it has just turned */
        go_home(rx);
}

/* A message that recv does not take as it is. */
static int64_t refuse(struct strait_rx *rx, struct strait_place *place, uint64_t head, uint32_t size)
{
    if (strait_head_bytes(head) > rx->slot_bytes || strait_head_flags(head) & ~STRAIT_MSG_REQUEST) {
        if (strait_ring_take(&rx->end, place) < 0)
            return -EAGAIN;
        give_back(rx, place);
        return strait_fail(
            strait_endpoint_error(rx->endpoint, STRAIT_ERROR_DAMAGED, -EBADMSG),
            "channel %s: a peer wrote a message that cannot be (%u bytes in a slot of %u, flags %#x); dropped",
            rx->endpoint->name, strait_head_bytes(head), rx->slot_bytes, strait_head_flags(head));
    }
    if (strait_head_flags(head) & STRAIT_MSG_REQUEST)
        return strait_fail(-EPROTOTYPE, "channel %s: the next message carries a reply: peek, accept, answer, release",
                           rx->endpoint->name);
    return strait_fail(-EMSGSIZE, "channel %s: the next message has %u bytes, the buffer %u", rx->endpoint->name,
                       strait_head_bytes(head), size);
}

int64_t strait_try_recv_slow(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info)
{
    struct strait_place place;
    uint64_t head;
    uint32_t bytes;

    if (rx->pack.slot && !rx->pack_peeked)
        return strait_pack_recv(rx, to, size, info);
    if (holds(rx))
        return strait_fail(-EBUSY, "channel %s: a receiver that keeps an order releases what it has peeked first",
                           rx->endpoint->name);
    do {
        int r = find_plain(rx, &place);
        if (r < 0)
            return r;
        if (r > 0)
            return strait_pack_recv(rx, to, size, info);
        head = strait_load64_relaxed(&place.slot->head);
        bytes = strait_head_bytes(head);
        if (bytes > size || bytes > rx->slot_bytes || strait_head_flags(head) != 0)
            return refuse(rx, &place, head, size);
    } while (strait_ring_take(&rx->end, &place) < 0);
    strait_payload_read(to, strait_slot_payload(place.slot), bytes);
    if (info)
        *info = (struct strait_msg){
            .bytes = bytes, .tag = strait_head_tag(head), .attempts = strait_slot_attempts(place.word)};
    give_back(rx, &place);
    return bytes;
}

struct receiving {
    struct strait_rx *rx;
    void *to;
    uint32_t size;
    struct strait_msg *info;
};

static int64_t recv_step(void *arg)
{
    struct receiving *r = arg;
    return strait_try_recv(r->rx, r->to, r->size, r->info);
}

/* A wait for the next message. */
static struct strait_wait wait_for(struct strait_rx *rx, int64_t (*step)(void *), struct receiving *arg)
{
    struct strait_wait wait = strait_endpoint_wait(rx->endpoint, rx->bell, STRAIT_WAIT_RECV, 0);

    /* messages so far; where there are lanes, the difference of two of these is anything, which does no harm */
    rx->endpoint->mood.news = (rx->end.cursor >> STRAIT_TURN_SHIFT) * (rx->end.mask + UINT64_C(1)) +
                              ((uint32_t)rx->end.cursor & rx->end.mask);
    wait.step = step;
    wait.arg = arg;
    return wait;
}

int64_t strait_recv_slow(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info, uint64_t deadline_ns)
{
    struct receiving arg = {rx, to, size, info};
    struct strait_wait wait;

    if (deadline_ns == STRAIT_NOW)
        return -EAGAIN;
    wait = wait_for(rx, recv_step, &arg);
    return strait_wait(&wait, deadline_ns);
}

/* ---- in place ---- */

/* Describe a taken message; false if a peer wrote what cannot be. */
static bool describe(const struct strait_rx *rx, const struct strait_place *place, struct strait_msg *msg)
{
    uint64_t head = strait_load64_relaxed(&place->slot->head);
    struct strait_request_head request = {0, 0};
    unsigned char *data = strait_slot_payload(place->slot);
    uint32_t bytes = strait_head_bytes(head), skip = 0;

    if (strait_head_flags(head) & STRAIT_MSG_REQUEST) {
        skip = sizeof request;
        if (bytes < skip)
            return false;
        strait_payload_read(&request, data, sizeof request);
    }
    if (bytes > rx->slot_bytes)
        return false;
    *msg = (struct strait_msg){.data = data + skip,
                               .bytes = bytes - skip,
                               .tag = strait_head_tag(head),
                               .flags = strait_head_flags(head),
                               .attempts = strait_slot_attempts(place->word),
                               .token = request.token,
                               .deadline_ns = request.deadline_ns,
                               .place = *place};
    return true;
}

static int64_t peek_step(void *arg)
{
    struct receiving *p = arg;
    struct strait_rx *rx = p->rx;
    struct strait_place place;

    if (rx->pack.slot)
        return strait_pack_peek(rx, p->info);
    do {
        int r = find_plain(rx, &place);
        if (r < 0)
            return r;
        if (r > 0)
            return strait_pack_peek(rx, p->info);
    } while (strait_ring_take(&rx->end, &place) < 0);
    if (!describe(rx, &place, p->info)) {
        strait_ring_release(&place);
        return strait_fail(strait_endpoint_error(rx->endpoint, STRAIT_ERROR_DAMAGED, -EBADMSG),
                           "channel %s: a peer wrote a message that cannot be; dropped", rx->endpoint->name);
    }
    if (rx->peeked++ == 0)
        rx->oldest = (place.word & STRAIT_TURN_MASK) |
                     (uint64_t)(((unsigned char *)place.slot - rx->end.slots) / rx->end.stride);
    strait_rx_pass_on(rx);
    if (rx->endpoint->spread && !holds(rx))
        go_home(rx);
    return 0;
}

int strait_peek_slow(struct strait_rx *rx, struct strait_msg *msg, uint64_t deadline_ns)
{
    struct receiving arg = {rx, NULL, 0, msg};
    struct strait_wait wait;
    int64_t r;

    if (*rx->home == 0)
        return strait_process_forked();
    if (rx->peeked >= rx->window && (rx->pack.slot == NULL || rx->pack_peeked))
        return strait_fail(-ENOBUFS, "channel %s: %u messages are peeked, its peek_window; release one",
                           rx->endpoint->name, rx->window);
    r = peek_step(&arg);
    if (r != -EAGAIN || deadline_ns == STRAIT_NOW)
        return (int)r;
    wait = wait_for(rx, peek_step, &arg);
    return (int)strait_wait(&wait, deadline_ns);
}

/* The end of the lane that a slot lies in; a receiver may have turned to another lane since its peek. */
static const struct strait_ring_end *end_of(const struct strait_rx *rx, const struct strait_slot *slot)
{
    const unsigned char *at = (const unsigned char *)slot;

    for (uint32_t i = 0; i < rx->lanes && rx->lanes > 1; i++) {
        const struct strait_ring_end *end = i == rx->lane ? &rx->end : &rx->endpoint->ends[i];
        if (at >= end->slots && (size_t)(at - end->slots) < ((size_t)end->mask + 1) * end->stride)
            return end;
    }
    return &rx->end;
}

/* Jobs are released in any order, so half-ring boundaries say little about space: look each time. */
void strait_rx_gave_back(struct strait_rx *rx, const struct strait_slot *slot)
{
    if (!(rx->end.flags & STRAIT_RING_MANY_CONSUMERS) || rx->busy)
        strait_rx_released(rx, slot);
    else
        strait_bell_ring(&end_of(rx, slot)->ring->writable, 1, rx->fence);
}

int strait_release_quietly(struct strait_rx *rx, struct strait_msg *msg)
{
    if (*rx->home == 0)
        return strait_process_forked();
    if (rx->peeked == 0 || msg->place.slot == NULL || rx->pack.slot)
        return strait_fail(-EINVAL, "channel %s: this message is not peeked", rx->endpoint->name);
    if (!(rx->end.flags & STRAIT_RING_MANY_CONSUMERS)) {
        if (strait_ring_slot(&rx->end, rx->oldest) != msg->place.slot)
            return strait_fail(-EINVAL, "channel %s: a sole receiver releases in the order of its peeks",
                               rx->endpoint->name);
        rx->oldest = strait_ring_next(&rx->end, rx->oldest);
    }
    strait_ring_release(&msg->place);
    rx->peeked--;
    if (rx->end.flags & STRAIT_RING_IN_ORDER)
        strait_rx_pass_on(rx); /* only now may somebody else take the next */
    msg->place.slot = NULL;
    return 0;
}

int strait_release_slow(struct strait_rx *rx, struct strait_msg *msg)
{
    struct strait_slot *slot = msg->place.slot;
    int r;

    if (*rx->home && rx->pack.slot && strait_pack_holds(rx, msg)) {
        strait_pack_release(rx, msg);
        return 0;
    }
    r = strait_release_quietly(rx, msg);
    if (r < 0)
        return r;
    strait_rx_gave_back(rx, slot);
    return 0;
}
