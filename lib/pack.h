/* SPDX-License-Identifier: MIT */
/** A receiver in the middle of a pack, a sender that makes them: shm/strait/ring_pack.h has the steps. */
#ifndef STRAIT_LIB_PACK_H
#define STRAIT_LIB_PACK_H

#include "strait/channel.h"
#include "strait/ring_pack.h"

/** Does a found message's head say that it is a pack? On other channels it is what cannot be. */
static inline bool strait_is_pack(const struct strait_rx *rx, uint64_t head)
{
    return rx->end.flags & STRAIT_RING_PACKED && strait_head_is_pack(head);
}

/** Take a found pack: 0 and rx is in it; -EAGAIN somebody was quicker, -EBADMSG a peer wrote what cannot be: dropped. */
int strait_pack_open(struct strait_rx *rx, struct strait_place *place);

/** The next message of the pack that we are in: its length, or -EMSGSIZE and it stays. */
int64_t strait_pack_recv(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info);

/** The next message in place; is it this one that is peeked; give it back. */
int strait_pack_peek(struct strait_rx *rx, struct strait_msg *msg);
bool strait_pack_holds(const struct strait_rx *rx, const struct strait_msg *msg);
void strait_pack_release(struct strait_rx *rx, struct strait_msg *msg);

/** As many messages of exactly `bytes` bytes as packs hold ready, n at most. */
uint32_t strait_pack_empty(struct strait_rx *rx, unsigned char *to, uint32_t bytes, uint32_t n);

/** The receiver closes: others may have the rest, unless it is peeked. */
void strait_pack_leave(struct strait_rx *rx);

/** As strait_send_array, on a packed channel. */
int strait_pack_send(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                     uint64_t deadline_ns);

#endif
