/* SPDX-License-Identifier: MIT */
/**
 * Many messages in one call: one look at the channel's state and one wake for all of them. Nothing is held back: each
 * message is there for the receiver as soon as it is written; on a channel made with `packed`, each slot full of an array is.
 * Crash contract, policies and threads as for single messages (channel.h); who dies inside a batch has sent its first few
 * messages, each of them whole.
 */
#ifndef STRAIT_BATCH_H
#define STRAIT_BATCH_H

#include <strait/channel.h>
#include <strait/ring_pack.h>

STRAIT_BEGIN_DECLS

/* ---- messages of any size, wherever they are ---- */

/** One message of a batch. */
struct strait_out {
    const void *data;
    uint32_t bytes;
    uint16_t tag;
};

/**
 * Send up to n messages. Waits only while there is no room for the first one: how many were sent (at least 1; 0 only if n
 * is 0) or, if none, -errno as strait_send_tagged. Send the rest with another call.
 */
STRAIT_API int strait_send_many(struct strait_tx *tx, const struct strait_out *out, uint32_t n, uint64_t deadline_ns);

/** One place of a batch. */
struct strait_in {
    void *data;
    uint32_t size;
    uint32_t bytes; /**< filled in */
    uint16_t tag;   /**< filled in */
};

/** Receive what is there, up to n messages. Waits only while there is none: how many (at least 1; 0 only if n is 0) or, if
 * none, -errno as strait_recv. A message that its place cannot hold ends the batch and stays. */
STRAIT_API int strait_recv_many(struct strait_rx *rx, struct strait_in *in, uint32_t n, uint64_t deadline_ns);

/* ---- an array: messages of one size, one behind the other; quicker still ---- */

/* The slow sides of the inline calls below. */
STRAIT_API int strait_send_array_slow(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                                      uint64_t deadline_ns);
STRAIT_API int strait_recv_array_slow(struct strait_rx *rx, void *to, uint32_t bytes, uint32_t n, uint64_t deadline_ns);

/* An array that fits one slot of a packed channel. */
STRAIT_INLINE int strait_send_pack(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                                   uint64_t deadline_ns)
{
    struct strait_place place;

    if (STRAIT_UNLIKELY(*tx->home == 0) || n - 1 >= STRAIT_PACK_MOST || bytes > STRAIT_PACK_BYTES ||
        n * bytes > tx->slot_bytes || STRAIT_UNLIKELY(!strait_ring_claim_fast(&tx->end, &place)))
        return strait_send_array_slow(tx, tag, data, bytes, n, deadline_ns);
    if (strait_tx_shut(tx)) {
        strait_ring_abort(&tx->end, &place);
        return -EPIPE;
    }
    strait_pack_fill(&place, tag, data, bytes, n);
    strait_ring_commit(&tx->end, &place);
    strait_tx_ring(tx, 1);
    return (int)n;
}

/* A whole pack into an array. */
STRAIT_INLINE int strait_recv_pack(struct strait_rx *rx, void *to, uint32_t bytes, uint32_t n, uint64_t deadline_ns)
{
    struct strait_place place;
    uint32_t count = 0;

    if (STRAIT_LIKELY(*rx->home != 0 && rx->peeked == 0 && strait_ring_find_fast(&rx->end, &place)))
        count = strait_pack_whole(strait_load64_relaxed(&place.slot->head), rx->slot_bytes, bytes, n);
    if (STRAIT_UNLIKELY(count == 0) || STRAIT_UNLIKELY(strait_ring_take(&rx->end, &place) < 0))
        return strait_recv_array_slow(rx, to, bytes, n, deadline_ns);
    strait_payload_read(to, strait_slot_payload(place.slot), (size_t)count * bytes);
    strait_ring_release(&place);
    strait_rx_pass_on(rx);
    if (!rx->unrung)
        rx->unrung = true;
    if (STRAIT_UNLIKELY(strait_ring_at_half(&rx->end)))
        strait_rx_half(rx);
    return (int)count;
}

/** strait_send_many of n messages of `bytes` bytes each, which lie one behind the other at `data`. */
STRAIT_INLINE int strait_send_array(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                                    uint64_t deadline_ns)
{
    struct strait_ring_end end; /* in registers meanwhile */
    uint32_t sent;

    if (tx->end.flags & STRAIT_RING_PACKED)
        return strait_send_pack(tx, tag, data, bytes, n, deadline_ns);
    end = tx->end;
    if (STRAIT_UNLIKELY(*tx->home == 0) || STRAIT_UNLIKELY(bytes > tx->slot_bytes) ||
        (end.flags & STRAIT_RING_MANY_PRODUCERS) || strait_tx_shut(tx))
        return strait_send_array_slow(tx, tag, data, bytes, n, deadline_ns);
    sent = strait_ring_fill(&end, strait_head(bytes, tag, 0), (const unsigned char *)data, bytes, n);
    if (STRAIT_UNLIKELY(sent == 0))
        return strait_send_array_slow(tx, tag, data, bytes, n, deadline_ns);
    tx->end.cursor = end.cursor;
    strait_tx_ring(tx, sent);
    return (int)sent;
}

/**
 * Receive up to n messages of at most `bytes` bytes to `to`, one every `bytes` bytes; a shorter one is padded with zeros.
 * Waits only while there is none: how many (at least 1; 0 only if n is 0) or, if none, -errno as strait_recv. A longer
 * message, or one that carries a reply, ends the array and stays: -EMSGSIZE, -EPROTOTYPE if it is the first.
 */
STRAIT_INLINE int strait_recv_array(struct strait_rx *rx, void *to, uint32_t bytes, uint32_t n, uint64_t deadline_ns)
{
    struct strait_ring_end end;
    bool half = false;
    uint32_t got;

    if (rx->end.flags & STRAIT_RING_PACKED)
        return strait_recv_pack(rx, to, bytes, n, deadline_ns);
    end = rx->end;
    if (STRAIT_UNLIKELY(*rx->home == 0) || STRAIT_UNLIKELY(bytes > rx->slot_bytes) || rx->peeked ||
        (end.flags & STRAIT_RING_MANY_CONSUMERS))
        return strait_recv_array_slow(rx, to, bytes, n, deadline_ns);
    got = strait_ring_empty(&end, (unsigned char *)to, bytes, n, &half);
    if (STRAIT_UNLIKELY(got == 0))
        return strait_recv_array_slow(rx, to, bytes, n, deadline_ns);
    rx->end.cursor = end.cursor;
    rx->unrung = true;
    if (STRAIT_UNLIKELY(half))
        strait_rx_half(rx);
    return (int)got;
}

STRAIT_END_DECLS

#endif
