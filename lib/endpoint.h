/* SPDX-License-Identifier: MIT */
/** What stands behind a tx, an rx or a hold: the checked view of the channel and this process's place in it. */
#ifndef STRAIT_ENDPOINT_H
#define STRAIT_ENDPOINT_H

#include "channel.h"
#include "process.h"
#include "strait/channel.h"
#include "wait.h"

struct strait_await;
struct strait_rx_fd;
struct strait_spread_map;

struct strait_endpoint {
    struct strait_segment *segment;
    struct strait_channel_view view;
    enum strait_role role;
    uint32_t ring;                /* senders: the ring they send on */
    uint32_t reply;               /* senders: where the search for a free reply begins. The handle's thread */
    struct strait_ring_end *ends; /* senders: one, or all shards; receivers: one for each ring; ours to free */
    uint32_t ends_n;
    struct strait_spread_map *spread; /* sharded channels: which shard is near. Else NULL. Ours to free */
    struct strait_mood mood;
    struct strait_error_cell *error; /* the last kind that we met, and its cell. The handle's thread */
    enum strait_error_kind error_kind;
    uint32_t waits,
        parties; /* how many take part in the channel, as we counted it some waits ago. The handle's thread */
    struct strait_await *awaits;  /* asleep in a loop for this handle. The handle's thread */
    struct strait_rx_fd *fd;      /* for somebody else's loop, or NULL. The handle's thread */
    struct strait_endpoint *next; /* registry mutex */
    char name[STRAIT_NAME_BYTES];
};

/** Open the channel (creating it, if it may be) and enter it in a role; fills in the endpoint. 0 or -errno with a
 * sentence. */
int strait_endpoint_open(struct strait_endpoint *endpoint, struct strait_segment *segment, const char *name,
                         const struct strait_channel_options *options, enum strait_role role, bool may_create);

/** Make a channel's object and publish it. Admin. 0 or -errno with a sentence. */
int strait_endpoint_create(struct strait_segment *segment, const char *name,
                           const struct strait_channel_options *options, struct strait_object *object);

/** Remember an error of this channel in the segment, as ours; returns `error`. For slow paths. */
int strait_endpoint_error(struct strait_endpoint *endpoint, enum strait_error_kind kind, int error);

/** Leave the channel, unless another handle of this process has the same role. */
void strait_endpoint_close(struct strait_endpoint *endpoint);

/** Is the channel closed, or the other side gone? The status word. */
static inline uint32_t strait_endpoint_status(const struct strait_endpoint *endpoint)
{
    /* seq_cst [C6] <- [C1] strait_channel_close, [C3] strait_channel_settle: first the status, then the slots again */
    return strait_load32_seq_cst(&endpoint->view.shared->status);
}

/** A slot was given back, in whatever order: ring for the senders where it may be room for one. */
void strait_rx_gave_back(struct strait_rx *rx, const struct strait_slot *slot);

/** Is there something to receive? Takes nothing. 0, -EAGAIN, -EPIPE nothing will come. */
int strait_rx_look(struct strait_rx *rx);

/** strait_release without a ring of the senders' bell: for who rings it once for many. */
int strait_release_quietly(struct strait_rx *rx, struct strait_msg *msg);

/** A wait of this endpoint; step and arg are the caller's to fill in. */
struct strait_wait strait_endpoint_wait(struct strait_endpoint *endpoint, struct strait_bell *bell,
                                        enum strait_wait_kind kind, uint64_t detail);

#endif
