/* SPDX-License-Identifier: MIT */
/**
 * Channels: bounded, lock-free, between processes.
 *
 * A handle (tx sends, rx receives) belongs to one thread at a time. Deadlines are absolute CLOCK_MONOTONIC nanoseconds,
 * or STRAIT_NOW, STRAIT_FOREVER. Blocking calls spin a little, then sleep; a signal handler that runs during the sleep
 * ends them with -EINTR, nothing lost.
 *
 * Deaths: a message whose send has returned is delivered. A sender killed inside send: its message arrives whole or not
 * at all. A receiver killed inside recv: the message may be lost with it, or come again with attempts raised; after recv
 * has returned it does not come again (at most once). Between peek and release it comes again to another receiver
 * (at least once). Not promised: fairness, order across senders, order after a redelivery.
 *
 * A sharded channel (option `shards`) is one name, one close, one bell and one end for several rings, one on each NUMA node.
 * Every receiver takes from its own node's ring first and, when that is empty, from the others', the nearest first: so
 * nothing lies unread while anybody receives, and a node whose receivers have all gone is served by the others. Order is per
 * ring. With STRAIT_SPREAD_KEY it is kept: no receiver passes a message that another has taken and not released.
 */
#ifndef STRAIT_CHANNEL_H
#define STRAIT_CHANNEL_H

#include <strait/bell.h>
#include <strait/numa.h>
#include <strait/ring.h>
#include <strait/segment.h>

STRAIT_BEGIN_DECLS

enum strait_ends {
    STRAIT_MANY = 0,
    STRAIT_ONE = 1 /**< cheaper: no compare-and-swap. A second one is refused with -EBUSY */
};

/** Sharded channels: which shard a message goes to. */
enum strait_spread {
    STRAIT_SPREAD_NODE = 0, /**< that of the node that the sender runs on, looked at every 64 messages or so */
    STRAIT_SPREAD_KEY,      /**< that of its key (strait_send_key): messages of one key stay in order */
    STRAIT_SPREAD_TURN      /**< one after the other */
};

/** All zero = the defaults. */
struct strait_channel_options {
    uint32_t slot_bytes;        /**< largest message; default 48: with the slot's word one cache line */
    uint32_t depth;             /**< slots, a power of two; default: as many as fit 16 KiB, at least 16 */
    enum strait_ends senders;   /**< default STRAIT_MANY */
    enum strait_ends receivers; /**< default STRAIT_MANY */
    enum strait_full full;      /**< when no slot is free; default: wait until the deadline */
    uint32_t lanes;             /**< > 0: each sender has a ring of its own, for at most so many senders; order is per
                                     sender, and none ever waits for another's claim. Default 0: one ring for all */
    uint32_t shards;            /**< > 0, at most 64, or STRAIT_SHARDS_NODES: a sharded channel, see there. Default 0 */
    enum strait_spread spread;  /**< of a sharded channel */
    bool packed; /**< strait_send_array puts as many messages of one size (of 65535 bytes at most) into one slot
                                     as fit slot_bytes, 255 at most: several times as fast for small ones. Such a pack goes
                                     to one receiver, message by message, as it takes them; who has peeked releases before
                                     it goes on. If that receiver dies or closes first and there are others, what is left
                                     comes with attempts of 1 at least, behind messages sent later. No replies, no
                                     shards; slot_bytes is 496 by default, peek_window is 1 */
    bool busy;   /**< nobody ever sleeps on this channel: waits spin, sends never look for sleepers */
    uint32_t max_attempts; /**< deliveries before a message becomes a dead letter; default 3, at most 31 */
    uint32_t peek_window;  /**< messages that one receiver may hold at once; default 1 for one receiver, else 64; of a
                                     channel that spreads by key always 1 */
    uint32_t dead_letters; /**< how many are kept; default 8 */
    uint32_t replies;      /**< requests that may be under way at once; default 0: no requests (reply.h) */
    uint32_t reply_bytes;  /**< largest part of an answer; default 1008 */
    uint32_t reply_depth;  /**< parts of one answer that may be on the way; default 4 */
    uint32_t memory;       /**< on which NUMA node: STRAIT_MEMORY_… (numa.h); default: as the kernel likes */
    uint64_t first_turn;   /**< for tests: slots begin at this turn, modulo 2^40 */
};

/* ---- opening and closing ---- */

/** Not part of the interface. */
struct strait_endpoint;

/** A sender. Opaque but for the inline fast path. */
struct strait_tx {
    const uint32_t *home;      /* 0 in a forked child */
    const uint32_t *status;    /* enum strait_channel_status */
    struct strait_bell *bell;  /* the receivers'; NULL on a busy channel */
    struct strait_bell *space; /* the senders' of our ring */
    uint32_t slot_bytes;
    bool fence;
    bool drop_oldest;
    bool spreads;    /* sharded, not by key: the shard may change from message to message */
    uint32_t stay;   /* so many messages more before we look whether it should */
    uint32_t shard;  /* that `end` stands in */
    uint32_t shards; /* how many there are; 0 = not by key */
    struct strait_ring_end end;
    struct strait_endpoint *endpoint;
};

/** A receiver. Opaque but for the inline fast path. */
struct strait_rx {
    const uint32_t *home;
    struct strait_bell *bell; /* the receivers' */
    uint32_t slot_bytes;
    uint32_t window; /* how many may be peeked at once */
    uint32_t peeked; /* are */
    bool unrung;     /* slots were released since we last rang the senders' bell */
    bool fence;
    bool busy;       /* nobody sleeps here */
    uint64_t oldest; /* sole receiver: cursor of the oldest peeked message; they are released in order */
    uint32_t lane;   /* the ring that `end` stands in */
    uint32_t lanes;  /* how many there are */
    struct strait_ring_end end;
    struct strait_endpoint *endpoint;
    struct strait_place pack; /* the slot that we are in the middle of; `peeked` is 1 as long as there is one */
    uint64_t pack_head;       /* our checked copy of its head */
    bool pack_returned;       /* another receiver had it before us */
    bool pack_peeked;         /* its next message is peeked */
};

/**
 * Open the channel `name` of a segment for sending; it is created with `options` if it is not there (NULL = defaults).
 * Options that ask for more than an existing channel has (larger messages, requests) are refused.
 *
 * Any thread; blocks for the admin lock, 5 s at most. 0, -EINVAL, -EBUSY the sole sender's place is taken, -ENOTUNIQ the
 * name is another kind of object, -ENOSPC the segment is full, -EMFILE its directory is, -EPROTO damaged, -ETIMEDOUT,
 * -ENOMEM, -ECHILD.
 */
STRAIT_API int strait_tx_open(struct strait_segment *segment, const char *name,
                              const struct strait_channel_options *options, struct strait_tx **tx);

/** Open for receiving; as strait_tx_open. */
STRAIT_API int strait_rx_open(struct strait_segment *segment, const char *name,
                              const struct strait_channel_options *options, struct strait_rx **rx);

/** Close a handle. The last sender's close lets receivers drain and then get -EPIPE; likewise the other way round.
 * NULL is ignored. Messages peeked and not released stay with this process until it detaches or dies. */
STRAIT_API void strait_tx_close(struct strait_tx *tx);
STRAIT_API void strait_rx_close(struct strait_rx *rx);

/** Make a channel without opening an end: 0, -EEXIST, else as strait_tx_open. */
STRAIT_API int strait_channel_create(struct strait_segment *segment, const char *name,
                                     const struct strait_channel_options *options);

/**
 * Close the channel for everybody and for good: sends get -EPIPE, receivers drain and then get -EPIPE. With one sender,
 * a message committed during this very call may stay undelivered. 0, -ENOENT, -ETIMEDOUT, -ECHILD.
 */
STRAIT_API int strait_channel_shut(struct strait_segment *segment, const char *name);

/** Take the name away; the memory goes with the last handle, by close or by death. 0, -ENOENT, -ETIMEDOUT, -ECHILD. */
STRAIT_API int strait_channel_unlink(struct strait_segment *segment, const char *name);

/** Keep a channel open without sending or receiving (a supervisor whose workers restart), until unhold. 0, -ENOENT, else as
 * strait_tx_open. */
struct strait_hold;
STRAIT_API int strait_channel_hold(struct strait_segment *segment, const char *name, struct strait_hold **hold);
STRAIT_API void strait_channel_unhold(struct strait_hold *hold);

/* ---- sending ---- */

struct strait_claim;

/* The slow sides of the inline calls below. */
STRAIT_API int strait_try_send_slow(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes);
STRAIT_API int strait_send_slow(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                                uint64_t deadline_ns);
STRAIT_API int strait_tx_fail(struct strait_tx *tx, int error, uint32_t bytes);
STRAIT_API int strait_claim_slow(struct strait_tx *tx, struct strait_claim *claim, uint64_t deadline_ns);
STRAIT_API void strait_tx_spread(struct strait_tx *tx);
STRAIT_API int strait_tx_key_slow(struct strait_tx *tx, uint32_t shard);
STRAIT_API int strait_commit_slow(struct strait_tx *tx, struct strait_claim *claim, uint32_t bytes);

/** After a commit: wake whoever waits for it. */
STRAIT_INLINE void strait_tx_ring(struct strait_tx *tx, uint32_t n)
{
    if (tx->bell)
        strait_bell_ring(tx->bell, n, tx->fence);
    /* Pass it on: a sender woken for one free slot wakes the next one, if there are more. */
    if ((tx->end.flags & STRAIT_RING_MANY_PRODUCERS) && strait_bell_asleep(tx->space) &&
        strait_ring_more_free(&tx->end))
        strait_bell_wake(tx->space, 1);
    if (STRAIT_UNLIKELY(tx->spreads) && tx->stay-- == 0)
        strait_tx_spread(tx);
}

/** Is the channel closed, or has its last receiver gone? A sender claims first, then looks. */
STRAIT_INLINE bool strait_tx_shut(const struct strait_tx *tx)
{
    /* seq_cst [C2] <- [C1] strait_channel_close, [C3] strait_channel_settle: first the claim, then this look */
    return STRAIT_UNLIKELY(strait_load32_seq_cst(tx->status) & (STRAIT_CHANNEL_CLOSED | STRAIT_CHANNEL_NO_RECEIVERS));
}

/**
 * Send without waiting. data: `bytes` bytes; tag: yours. Never blocks, no system call unless a receiver sleeps.
 * 0, -EAGAIN full, -EMSGSIZE, -EPIPE closed or no receiver is left, -EPROTO damaged, -ECHILD.
 */
STRAIT_INLINE int strait_try_send(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes)
{
    struct strait_place place;

    if (STRAIT_UNLIKELY(*tx->home == 0))
        return -ECHILD;
    if (STRAIT_UNLIKELY(bytes > tx->slot_bytes) || STRAIT_UNLIKELY(!strait_ring_claim_fast(&tx->end, &place)))
        return strait_try_send_slow(tx, tag, data, bytes);
    if (strait_tx_shut(tx)) {
        strait_ring_abort(&tx->end, &place);
        return -EPIPE;
    }
    strait_slot_describe(place.slot, strait_head(bytes, tag, 0));
    strait_payload_write(strait_slot_payload(place.slot), data, bytes);
    strait_ring_commit(&tx->end, &place);
    strait_tx_ring(tx, 1);
    return 0;
}

/**
 * Send a message of `bytes` bytes with a tag of yours.
 *
 * One thread at a time per handle. When the channel is full it does what the channel's policy says: waits until the
 * deadline, fails, drops. 0 sent, 1 something was dropped and counted (this message, or the oldest), -ETIMEDOUT,
 * -EAGAIN (STRAIT_NOW, or policy "fail"), -EMSGSIZE, -EPIPE closed or no receiver is left, -EINTR, -EPROTO, -ECHILD.
 */
STRAIT_INLINE int strait_send_tagged(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                                     uint64_t deadline_ns)
{
    int r = strait_try_send(tx, tag, data, bytes);
    return STRAIT_LIKELY(r != -EAGAIN) ? r : strait_send_slow(tx, tag, data, bytes, deadline_ns);
}

/** strait_send_tagged with tag 0. */
STRAIT_INLINE int strait_send(struct strait_tx *tx, const void *data, uint32_t bytes, uint64_t deadline_ns)
{
    return strait_send_tagged(tx, 0, data, bytes, deadline_ns);
}

/**
 * The shard of `shards` that a key belongs to: the same in every process and build of this layout. MurmurHash3's finaliser
 * (Appleby), and of that the range.
 */
STRAIT_INLINE uint32_t strait_shard_of_key(uint64_t key, uint32_t shards)
{
    key = (key ^ key >> 33) * UINT64_C(0xff51afd7ed558ccd);
    key = (key ^ key >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(((key ^ key >> 33) >> 32) * shards >> 32);
}

/**
 * What this handle sends from now on, by whatever call, belongs to `key`; the channel spreads by key. Takes nothing and
 * waits for nothing. 0, -EINVAL the channel does not spread by key, -ECHILD.
 */
STRAIT_INLINE int strait_tx_key(struct strait_tx *tx, uint64_t key)
{
    uint32_t shard = strait_shard_of_key(key, tx->shards);

    if (STRAIT_UNLIKELY(*tx->home == 0) || shard != tx->shard || STRAIT_UNLIKELY(tx->shards == 0))
        return strait_tx_key_slow(tx, shard);
    return 0;
}

/**
 * Send a message that belongs to `key` through a channel that spreads by key: as strait_send_tagged, and -EINVAL the channel
 * does not. One sender's messages of one key are taken in the order in which they were sent, whoever receives them. Who
 * peeks one has its shard to itself: nobody gets a later one before the release, so they are worked on in order, too; if it
 * dies first, the same message comes again, marked by its attempts, before the later ones. Who receives a copy (recv) has
 * let go of the shard: another may work on the next one before it has finished.
 */
STRAIT_INLINE int strait_send_key(struct strait_tx *tx, uint64_t key, uint16_t tag, const void *data, uint32_t bytes,
                                  uint64_t deadline_ns)
{
    int r = strait_tx_key(tx, key);
    return STRAIT_UNLIKELY(r < 0) ? r : strait_send_tagged(tx, tag, data, bytes, deadline_ns);
}

/** A slot to write in place. */
struct strait_claim {
    void *data;
    uint32_t size;
    struct strait_place place;
};

/**
 * Claim a slot and write the message into it; then commit (or abort). Waits as strait_send does; policies that drop the
 * new message answer 1 and give no slot, one that drops the oldest for it answers 0 (it is counted). A claim is owned by this process: if it dies, receivers step over the slot; a
 * claim that is never committed by a living process blocks the receivers. A sole sender has one claim at a time.
 */
STRAIT_INLINE int strait_claim(struct strait_tx *tx, struct strait_claim *claim, uint64_t deadline_ns)
{
    if (STRAIT_UNLIKELY(*tx->home == 0) || STRAIT_UNLIKELY(!strait_ring_claim_fast(&tx->end, &claim->place)))
        return strait_claim_slow(tx, claim, deadline_ns);
    if (strait_tx_shut(tx)) {
        strait_ring_abort(&tx->end, &claim->place);
        return -EPIPE;
    }
    claim->data = strait_slot_payload(claim->place.slot);
    claim->size = tx->slot_bytes;
    return 0;
}

/** Publish a claim of which `bytes` bytes were written. 0, -EMSGSIZE (the claim stays). */
STRAIT_INLINE int strait_commit(struct strait_tx *tx, struct strait_claim *claim, uint16_t tag, uint32_t bytes)
{
    if (STRAIT_UNLIKELY(*tx->home == 0) || STRAIT_UNLIKELY(bytes > claim->size))
        return strait_commit_slow(tx, claim, bytes);
    strait_slot_describe(claim->place.slot, strait_head(bytes, tag, 0));
    strait_ring_commit(&tx->end, &claim->place);
    strait_tx_ring(tx, 1);
    claim->data = NULL;
    return 0;
}

/** Give a claim up. */
STRAIT_API void strait_abort(struct strait_tx *tx, struct strait_claim *claim);

/* ---- receiving ---- */

/** A message as a receiver sees it. */
struct strait_msg {
    const void *data; /**< peek: in place, valid until release */
    uint32_t bytes;
    uint16_t tag;
    uint16_t flags;       /**< enum strait_slot_flags */
    uint32_t attempts;    /**< 0; more if earlier receivers died holding it, or left a pack that it lies in */
    uint64_t token;       /**< requests: where the answer goes (reply.h) */
    uint64_t deadline_ns; /**< requests: when the caller stops caring; 0 = never */
    struct strait_place place;
};

/* The slow sides of the inline calls below. */
STRAIT_API int64_t strait_try_recv_slow(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info);
STRAIT_API int64_t strait_recv_slow(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info,
                                    uint64_t deadline_ns);
STRAIT_API int strait_peek_slow(struct strait_rx *rx, struct strait_msg *msg, uint64_t deadline_ns);
STRAIT_API int strait_release_slow(struct strait_rx *rx, struct strait_msg *msg);
STRAIT_API void strait_rx_half(struct strait_rx *rx);

/** After a take: pass a wake on, if there is another message and another sleeper. */
STRAIT_INLINE void strait_rx_pass_on(struct strait_rx *rx)
{
    if (!(rx->end.flags & STRAIT_RING_MANY_CONSUMERS))
        return;
    /* In order, another receiver may have gone to sleep over the message that we have just released: our release, then
     * this look; there its count, then its look. */
    if (STRAIT_UNLIKELY(rx->end.flags & STRAIT_RING_IN_ORDER))
        strait_bell_order(rx->bell, rx->fence);
    if (strait_bell_asleep(rx->bell) && strait_ring_more_ready(&rx->end))
        strait_bell_wake(rx->bell, 1);
}

/** After a release: the senders' bell, at half-ring boundaries only. */
STRAIT_INLINE void strait_rx_released(struct strait_rx *rx, const struct strait_slot *slot)
{
    if (!rx->unrung)
        rx->unrung = true;
    if (STRAIT_UNLIKELY(strait_ring_half(&rx->end, slot)))
        strait_rx_half(rx);
}

/**
 * Receive without waiting, as strait_recv_info. Never blocks, no system call unless somebody sleeps. -EAGAIN nothing.
 */
STRAIT_INLINE int64_t strait_try_recv(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info)
{
    struct strait_place place;
    uint64_t head;
    uint32_t bytes;

    if (STRAIT_UNLIKELY(*rx->home == 0))
        return -ECHILD;
    if (STRAIT_UNLIKELY(rx->peeked != 0) || STRAIT_UNLIKELY(!strait_ring_find_fast(&rx->end, &place)))
        return strait_try_recv_slow(rx, to, size, info);
    head = strait_load64_relaxed(&place.slot->head);
    bytes = strait_head_bytes(head);
    if (STRAIT_UNLIKELY(bytes > size || bytes > rx->slot_bytes || strait_head_flags(head) != 0) ||
        STRAIT_UNLIKELY(strait_ring_take(&rx->end, &place) < 0))
        return strait_try_recv_slow(rx, to, size, info);
    if (bytes == size) /* a size that the compiler knows needs no call */
        strait_payload_read(to, strait_slot_payload(place.slot), size);
    else
        strait_payload_read(to, strait_slot_payload(place.slot), bytes);
    strait_ring_release(&place);
    if (info) {
        info->bytes = bytes;
        info->tag = strait_head_tag(head);
        info->flags = 0;
        info->attempts = strait_slot_attempts(place.word);
    }
    strait_rx_pass_on(rx);
    if (!rx->unrung)
        rx->unrung = true;
    if (STRAIT_UNLIKELY(strait_ring_at_half(&rx->end)))
        strait_rx_half(rx);
    return bytes;
}

/**
 * Receive a message into `to` (at most `size` bytes), with its tag and attempts in *info (may be NULL).
 *
 * One thread at a time per handle. Its length, -ETIMEDOUT, -EAGAIN (STRAIT_NOW), -EPIPE closed or all senders gone, and
 * drained, -EMSGSIZE `to` is too small (the message stays), -EPROTOTYPE a request: peek it (it stays), -EBADMSG a peer
 * wrote a length that cannot be (the message is dropped), -EBUSY a sole receiver that has peeked releases first, -EINTR,
 * -ECHILD.
 */
STRAIT_INLINE int64_t strait_recv_info(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info,
                                       uint64_t deadline_ns)
{
    int64_t r = strait_try_recv(rx, to, size, info);
    return STRAIT_LIKELY(r != -EAGAIN) ? r : strait_recv_slow(rx, to, size, info, deadline_ns);
}

/** strait_recv_info without the info. */
STRAIT_INLINE int64_t strait_recv(struct strait_rx *rx, void *to, uint32_t size, uint64_t deadline_ns)
{
    return strait_recv_info(rx, to, size, NULL, deadline_ns);
}

/**
 * Read the next message in place. It stays under this process's lease until release; if the process dies first, it comes
 * again to another receiver with attempts raised, and after max_attempts becomes a dead letter. A peeked slot blocks a
 * sender that has gone round the ring. 0, -ENOBUFS peek_window messages are held already, else as strait_recv.
 */
STRAIT_INLINE int strait_peek(struct strait_rx *rx, struct strait_msg *msg, uint64_t deadline_ns)
{
    struct strait_place place;
    uint64_t head, at = rx->end.cursor;

    if (STRAIT_UNLIKELY(*rx->home == 0) || rx->peeked >= rx->window || !strait_ring_find_fast(&rx->end, &place))
        return strait_peek_slow(rx, msg, deadline_ns);
    head = strait_load64_relaxed(&place.slot->head);
    if (STRAIT_UNLIKELY(strait_head_bytes(head) > rx->slot_bytes || strait_head_flags(head) != 0) ||
        STRAIT_UNLIKELY(strait_ring_take(&rx->end, &place) < 0))
        return strait_peek_slow(rx, msg, deadline_ns);
    msg->data = strait_slot_payload(place.slot);
    msg->bytes = strait_head_bytes(head);
    msg->tag = strait_head_tag(head);
    msg->flags = 0;
    msg->attempts = strait_slot_attempts(place.word);
    msg->token = msg->deadline_ns = 0;
    msg->place = place;
    if (rx->peeked++ == 0)
        rx->oldest = at;
    strait_rx_pass_on(rx);
    return 0;
}

/** Give a peeked message's slot back. A sole receiver releases in the order of its peeks. 0, -EINVAL. */
STRAIT_INLINE int strait_release(struct strait_rx *rx, struct strait_msg *msg)
{
    struct strait_place place = msg->place;

    if (STRAIT_UNLIKELY(*rx->home == 0) || (rx->end.flags & STRAIT_RING_MANY_CONSUMERS) || rx->peeked == 0 ||
        strait_ring_slot(&rx->end, rx->oldest) != place.slot)
        return strait_release_slow(rx, msg);
    rx->oldest = strait_ring_next(&rx->end, rx->oldest);
    rx->peeked--;
    msg->place.slot = NULL;
    strait_ring_release(&place);
    strait_rx_released(rx, place.slot);
    return 0;
}

STRAIT_END_DECLS

#endif
