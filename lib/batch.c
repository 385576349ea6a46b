/* SPDX-License-Identifier: MIT */
/*
 * The slow side of strait/batch.h, and batches where slots are won by compare-and-swap. Step by step the same as single
 * messages; what is saved is the look at the channel's status and the wake.
 */
#include "strait/batch.h"

#include "endpoint.h"
#include "pack.h"
#include "process.h"

/* ---- sending ---- */

static void put(struct strait_ring_end *end, const struct strait_place *place, const struct strait_out *out)
{
    strait_slot_describe(place->slot, strait_head(out->bytes, out->tag, 0));
    strait_payload_write(strait_slot_payload(place->slot), out->data, out->bytes);
    strait_ring_commit(end, place);
}

/* How many of the first n would fit their slots. */
static uint32_t fitting(const struct strait_tx *tx, const struct strait_out *out, uint32_t n)
{
    uint32_t i = 0;

    while (i < n && out[i].bytes <= tx->slot_bytes)
        i++;
    return i;
}

/* A sole producer. */
static uint32_t send_alone(struct strait_tx *tx, const struct strait_out *out, uint32_t n)
{
    struct strait_ring_end end = tx->end; /* in registers meanwhile */
    struct strait_place place;
    uint32_t sent = 0;

    if (strait_tx_shut(tx))
        return 0;
    for (; sent < n && strait_ring_claim_fast(&end, &place); sent++)
        put(&end, &place, &out[sent]);
    tx->end.cursor = end.cursor;
    return sent;
}

/* Many producers: each message is claimed before the look at the status, as strait_tx_shut asks for. (To claim a run of
 * slots before the first is filled was half as fast.) */
static uint32_t send_amid(struct strait_tx *tx, const struct strait_out *out, uint32_t n)
{
    struct strait_place place;
    uint32_t sent = 0;

    for (; sent < n && strait_ring_claim_fast(&tx->end, &place); sent++) {
        if (strait_tx_shut(tx)) {
            strait_ring_abort(&tx->end, &place);
            break;
        }
        put(&tx->end, &place, &out[sent]);
    }
    return sent;
}

int strait_send_many(struct strait_tx *tx, const struct strait_out *out, uint32_t n, uint64_t deadline_ns)
{
    uint32_t fit, sent;
    int r;

    if (*tx->home == 0)
        return strait_process_forked();
    if (n == 0)
        return 0;
    fit = fitting(tx, out, n);
    sent = tx->end.flags & STRAIT_RING_MANY_PRODUCERS ? send_amid(tx, out, fit) : send_alone(tx, out, fit);
    if (sent) {
        strait_tx_ring(tx, sent);
        return (int)sent;
    }
    r = strait_send_tagged(tx, out->tag, out->data, out->bytes, deadline_ns); /* knows how to wait, and what to say */
    return r < 0 ? r : 1;
}

/* Many producers, messages of one size. */
static uint32_t fill_amid(struct strait_tx *tx, uint64_t head, const unsigned char *data, uint32_t bytes, uint32_t n)
{
    struct strait_place place;
    uint32_t sent = 0;

    for (; sent < n && strait_ring_claim_fast(&tx->end, &place); sent++, data += bytes) {
        if (strait_tx_shut(tx)) {
            strait_ring_abort(&tx->end, &place);
            break;
        }
        strait_slot_describe(place.slot, head);
        strait_payload_write(strait_slot_payload(place.slot), data, bytes);
        strait_ring_commit(&tx->end, &place);
    }
    return sent;
}

int strait_send_array_slow(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                           uint64_t deadline_ns)
{
    uint32_t sent = 0;
    int r;

    if (*tx->home == 0)
        return strait_process_forked();
    if (n == 0)
        return 0;
    if (tx->end.flags & STRAIT_RING_PACKED && bytes <= tx->slot_bytes)
        return strait_pack_send(tx, tag, data, bytes, n, deadline_ns);
    if (tx->end.flags & STRAIT_RING_MANY_PRODUCERS && bytes <= tx->slot_bytes)
        sent = fill_amid(tx, strait_head(bytes, tag, 0), data, bytes, n);
    if (sent) {
        strait_tx_ring(tx, sent);
        return (int)sent;
    }
    r = strait_send_tagged(tx, tag, data, bytes, deadline_ns);
    return r < 0 ? r : 1;
}

/* ---- receiving ---- */

/* Is this message one that recv would take as it is? */
static bool plain(const struct strait_rx *rx, uint64_t head, const struct strait_in *in)
{
    return strait_head_bytes(head) <= in->size && strait_head_bytes(head) <= rx->slot_bytes &&
           strait_head_flags(head) == 0;
}

static void get(const struct strait_place *place, uint64_t head, struct strait_in *in)
{
    in->bytes = strait_head_bytes(head);
    in->tag = strait_head_tag(head);
    strait_payload_read(in->data, strait_slot_payload(place->slot), in->bytes);
    strait_ring_release(place);
}

/* A sole consumer. *half: the end of a half of the ring was passed. */
static uint32_t recv_alone(struct strait_rx *rx, struct strait_in *in, uint32_t n, bool *half)
{
    struct strait_ring_end end = rx->end;
    struct strait_place place;
    uint32_t got = 0;

    for (; got < n && strait_ring_find_fast(&end, &place); got++) {
        uint64_t head = strait_load64_relaxed(&place.slot->head);
        if (!plain(rx, head, &in[got]))
            break;
        get(&place, head, &in[got]);
        end.cursor = strait_ring_next(&end, end.cursor);
        *half |= strait_ring_at_half(&end);
    }
    rx->end.cursor = end.cursor;
    return got;
}

static uint32_t recv_amid(struct strait_rx *rx, struct strait_in *in, uint32_t n, bool *half)
{
    struct strait_place place;
    uint32_t got = 0;

    for (; got < n && strait_ring_find(&rx->end, &place) == 0; got++) {
        uint64_t head = strait_load64_relaxed(&place.slot->head);
        if (!plain(rx, head, &in[got]) || strait_ring_take(&rx->end, &place) < 0)
            break;
        get(&place, head, &in[got]);
        *half |= strait_ring_at_half(&rx->end);
    }
    return got;
}

/* After a batch: pass a wake on, and ring the senders' bell where a half of the ring came free. */
static void received(struct strait_rx *rx, bool half)
{
    rx->unrung = true;
    strait_rx_pass_on(rx);
    if (half)
        strait_rx_half(rx);
}

/* What is there, without waiting and without saying why not. */
static uint32_t recv_ready(struct strait_rx *rx, struct strait_in *in, uint32_t n)
{
    bool half = false;
    uint32_t got;

    if (rx->peeked)
        return 0;
    got = rx->end.flags & STRAIT_RING_MANY_CONSUMERS ? recv_amid(rx, in, n, &half) : recv_alone(rx, in, n, &half);
    if (got)
        received(rx, half);
    return got;
}

int strait_recv_many(struct strait_rx *rx, struct strait_in *in, uint32_t n, uint64_t deadline_ns)
{
    struct strait_msg info;
    uint32_t got;
    int64_t r;

    if (*rx->home == 0)
        return strait_process_forked();
    if (n == 0)
        return 0;
    got = recv_ready(rx, in, n);
    if (got)
        return (int)got;
    r = strait_recv_info(rx, in->data, in->size, &info,
                         deadline_ns); /* knows where to look, how to wait, what to say */
    if (r < 0)
        return (int)r;
    in->bytes = (uint32_t)r;
    in->tag = info.tag;
    return 1;
}

/* Many consumers, messages of one size. */
static uint32_t empty_amid(struct strait_rx *rx, unsigned char *to, uint32_t bytes, uint32_t n)
{
    struct strait_place place;
    uint32_t got = 0;
    bool half = false;

    for (; got < n && strait_ring_find(&rx->end, &place) == 0; got++, to += bytes) {
        uint64_t head = strait_load64_relaxed(&place.slot->head);
        if (strait_head_bytes(head) != bytes || strait_head_flags(head) != 0 || strait_ring_take(&rx->end, &place) < 0)
            break;
        strait_payload_read(to, strait_slot_payload(place.slot), bytes);
        strait_ring_release(&place);
        half |= strait_ring_at_half(&rx->end);
    }
    if (got)
        received(rx, half);
    return got;
}

int strait_recv_array_slow(struct strait_rx *rx, void *to, uint32_t bytes, uint32_t n, uint64_t deadline_ns)
{
    uint32_t got = 0;
    int64_t r;

    if (*rx->home == 0)
        return strait_process_forked();
    if (n == 0)
        return 0;
    if (rx->end.flags & STRAIT_RING_PACKED)
        got = strait_pack_empty(rx, to, bytes, n);
    else if (rx->end.flags & STRAIT_RING_MANY_CONSUMERS && rx->peeked == 0 && bytes <= rx->slot_bytes)
        got = empty_amid(rx, to, bytes, n);
    if (got)
        return (int)got;
    r = strait_recv(rx, to, bytes, deadline_ns);
    if (r < 0)
        return (int)r;
    memset((unsigned char *)to + r, 0, bytes - (size_t)r);
    return 1;
}
