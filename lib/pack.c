/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <errno.h>

#include "endpoint.h"
#include "error.h"

/* ---- receiving ---- */

int strait_pack_open(struct strait_rx *rx, struct strait_place *place)
{
    bool returned = strait_slot_state(place->word) == STRAIT_SLOT_RETURNED;
    uint64_t head;

    if (strait_ring_take(&rx->end, place) < 0)
        return -EAGAIN;
    /* acquire [J2] <- [J1] strait_pack_advance, and only now that it is ours: as far as the one before us has come */
    head = strait_load64_acquire(&place->slot->head);
    if (!strait_pack_good(head, rx->slot_bytes)) {
        strait_ring_release(place);
        strait_rx_gave_back(rx, place->slot);
        return strait_fail(-EBADMSG,
                           "channel %s: a peer wrote a pack that cannot be (%u messages of %u bytes, %u received, in a "
                           "slot of %u); dropped",
                           rx->endpoint->name, strait_pack_count(head), strait_pack_bytes(head), strait_pack_next(head),
                           rx->slot_bytes);
    }
    rx->pack = *place;
    rx->pack_head = head;
    rx->pack_returned = returned;
    rx->pack_peeked = false;
    rx->peeked = 1;
    strait_rx_pass_on(rx);
    return 0;
}

/* Past n messages. */
static void advance(struct strait_rx *rx, uint32_t n)
{
    struct strait_slot *slot = rx->pack.slot;

    if (!strait_pack_advance(&rx->pack, &rx->pack_head, n))
        return;
    rx->pack.slot = NULL;
    rx->peeked = 0;
    strait_rx_gave_back(rx, slot);
}

/* Later messages may have overtaken all that was returned, so all of it is marked. The word goes on counting the deliveries of
 * its next message alone: by those it becomes a letter. */
static void describe(const struct strait_rx *rx, struct strait_msg *msg)
{
    uint32_t attempts = strait_slot_attempts(rx->pack.word);

    *msg = (struct strait_msg){.bytes = strait_pack_bytes(rx->pack_head),
                               .tag = strait_head_tag(rx->pack_head),
                               .attempts = attempts || !rx->pack_returned ? attempts : 1};
}

int64_t strait_pack_recv(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info)
{
    uint32_t bytes = strait_pack_bytes(rx->pack_head);

    if (bytes > size)
        return strait_fail(-EMSGSIZE, "channel %s: the next message has %u bytes, the buffer %u", rx->endpoint->name,
                           bytes, size);
    strait_payload_read(to, strait_pack_at(rx->pack.slot, rx->pack_head), bytes);
    if (info)
        describe(rx, info);
    advance(rx, 1);
    return bytes;
}

/* No slot begins where a message of a pack does: so the inline release leaves these to us. */
static struct strait_slot *mark_of(const struct strait_rx *rx)
{
    return (struct strait_slot *)(void *)strait_pack_at(rx->pack.slot, rx->pack_head);
}

int strait_pack_peek(struct strait_rx *rx, struct strait_msg *msg)
{
    describe(rx, msg);
    msg->data = strait_pack_at(rx->pack.slot, rx->pack_head);
    msg->place = (struct strait_place){mark_of(rx), rx->pack.word};
    rx->pack_peeked = true;
    return 0;
}

bool strait_pack_holds(const struct strait_rx *rx, const struct strait_msg *msg)
{
    return rx->pack_peeked && msg->place.slot == mark_of(rx);
}

void strait_pack_release(struct strait_rx *rx, struct strait_msg *msg)
{
    rx->pack_peeked = false;
    msg->place.slot = NULL;
    advance(rx, 1);
}

/* Be in a pack, if the next thing is one; one that cannot be is strait_recv's to refuse. */
static bool enter(struct strait_rx *rx)
{
    struct strait_place place;

    return rx->pack.slot || (rx->peeked == 0 && strait_ring_find(&rx->end, &place) == 0 &&
                             strait_pack_good(strait_load64_relaxed(&place.slot->head), rx->slot_bytes) &&
                             strait_pack_open(rx, &place) == 0);
}

uint32_t strait_pack_empty(struct strait_rx *rx, unsigned char *to, uint32_t bytes, uint32_t n)
{
    uint32_t got = 0, left;

    while (got < n && enter(rx) && !rx->pack_peeked && strait_pack_bytes(rx->pack_head) == bytes) {
        left = strait_pack_count(rx->pack_head) - strait_pack_next(rx->pack_head);
        left = left < n - got ? left : n - got;
        strait_payload_read(to + (size_t)got * bytes, strait_pack_at(rx->pack.slot, rx->pack_head),
                            (size_t)left * bytes);
        advance(rx, left);
        got += left;
    }
    return got;
}

void strait_pack_leave(struct strait_rx *rx)
{
    if (rx->pack.slot == NULL || rx->pack_peeked || !(rx->end.flags & STRAIT_RING_MANY_CONSUMERS))
        return; /* a sole receiver's successor finds the slot READY, and how far we have come */
    strait_pack_return(&rx->end, &rx->pack);
    rx->pack.slot = NULL;
    rx->peeked = 0;
    if (!rx->busy)
        strait_bell_ring(rx->bell, 1, rx->fence);
}

/* ---- sending ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As far as slots are simply free. */
static uint32_t send_ready(struct strait_tx *tx, uint16_t tag, const unsigned char *data, uint32_t bytes, uint32_t n,
                           uint32_t *packs)
{
    uint32_t room = strait_pack_room(tx->slot_bytes, bytes), sent = 0;
    struct strait_place place;

    for (; sent < n && strait_ring_claim_fast(&tx->end, &place); ++*packs) {
        uint32_t some = least(room, n - sent);
        if (strait_tx_shut(tx)) {
            strait_ring_abort(&tx->end, &place);
            break;
        }
        strait_pack_fill(&place, tag, data + (size_t)sent * bytes, bytes, some);
        strait_ring_commit(&tx->end, &place);
        sent += some;
    }
    return sent;
}

int strait_pack_send(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                     uint64_t deadline_ns)
{
    uint32_t packs = 0, sent = send_ready(tx, tag, data, bytes, n, &packs);
    struct strait_claim claim;
    int r;

    if (sent) {
        strait_tx_ring(tx, packs);
        return (int)sent;
    }
    r = strait_claim(tx, &claim, deadline_ns); /* knows how to wait, and what to say */
    if (r != 0)
        return r;
    sent = least(strait_pack_room(tx->slot_bytes, bytes), n);
    strait_pack_fill(&claim.place, tag, data, bytes, sent);
    strait_ring_commit(&tx->end, &claim.place);
    strait_tx_ring(tx, 1);
    return (int)sent;
}
