/* SPDX-License-Identifier: MIT */
/* Senders: the slow side of strait/channel.h. */
#include "strait/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "endpoint.h"
#include "error.h"
#include "spread.h"
#include "strait/ring_pack.h"

#define STAY 64 /* messages of a sender to its own node, between two looks at where that is */

struct sender {
    struct strait_tx tx; /* first: what the user holds */
    struct strait_endpoint endpoint;
};

int strait_tx_open(struct strait_segment *segment, const char *name, const struct strait_channel_options *options,
                   struct strait_tx **out)
{
    struct sender *s = calloc(1, sizeof *s);
    struct strait_channel *shared;
    int r;

    if (s == NULL)
        return strait_fail(-ENOMEM, "channel %s: out of memory", name);
    r = strait_endpoint_open(&s->endpoint, segment, name, options, STRAIT_ROLE_SENDER, true);
    if (r < 0) {
        free(s);
        return r;
    }
    shared = s->endpoint.view.shared;
    s->endpoint.reply = segment->map.lease; /* callers begin apart */
    s->tx.home = segment->home;
    s->tx.status = &shared->status;
    s->tx.bell = s->endpoint.view.flags & STRAIT_CHANNEL_BUSY ? NULL : &shared->readable;
    s->tx.slot_bytes = s->endpoint.view.slot_bytes;
    s->tx.fence = segment->map.fence;
    s->tx.drop_oldest = s->endpoint.view.full == STRAIT_FULL_DROP_OLDEST;
    s->tx.spreads = s->endpoint.spread && !(s->endpoint.view.flags & STRAIT_CHANNEL_BY_KEY);
    s->tx.shards = s->endpoint.view.flags & STRAIT_CHANNEL_BY_KEY ? s->endpoint.ends_n : 0;
    s->tx.shard = s->endpoint.spread ? strait_spread_home(s->endpoint.spread) : 0;
    s->tx.end = s->endpoint.ends[s->tx.shard];
    s->tx.space = &s->tx.end.ring->writable;
    s->tx.endpoint = &s->endpoint;
    *out = &s->tx;
    return 0;
}

/* ---- shards ---- */

static void turn(struct strait_tx *tx, uint32_t shard)
{
    struct strait_ring_end *ends = tx->endpoint->ends;

    ends[tx->shard] = tx->end;
    tx->shard = shard;
    tx->end = ends[shard];
    tx->space = &tx->end.ring->writable;
}

void strait_tx_spread(struct strait_tx *tx)
{
    struct strait_endpoint *e = tx->endpoint;
    bool in_turn = e->view.flags & STRAIT_CHANNEL_IN_TURN;

    tx->stay = in_turn ? 0 : STAY - 1;
    turn(tx, in_turn ? (tx->shard + 1) % e->ends_n : strait_spread_home(e->spread));
}

int strait_tx_key_slow(struct strait_tx *tx, uint32_t shard)
{
    if (*tx->home == 0)
        return strait_process_check(tx->endpoint->segment);
    if (tx->shards == 0)
        return strait_fail(-EINVAL, "channel %s does not spread by key (options shards, spread)", tx->endpoint->name);
    turn(tx, shard);
    return 0;
}

void strait_tx_close(struct strait_tx *tx)
{
    if (tx == NULL)
        return;
    strait_endpoint_close(tx->endpoint);
    free(tx);
}

int strait_tx_fail(struct strait_tx *tx, int error, uint32_t bytes)
{
    return strait_fail(error, "channel %s takes messages of %u bytes at most, this one has %u", tx->endpoint->name,
                       tx->slot_bytes, bytes);
}

/* Claim one slot of an open channel: 0, -EAGAIN full, -EPIPE, -EPROTO. */
static int claim_open(struct strait_tx *tx, struct strait_place *place)
{
    int r = strait_ring_claim(&tx->end, place);

    if (r == -EPROTO)
        return strait_endpoint_error(tx->endpoint, STRAIT_ERROR_DAMAGED, r);
    if ((r == 0 || r == -EAGAIN) && strait_tx_shut(tx)) {
        if (r == 0)
            strait_ring_abort(&tx->end, place);
        return -EPIPE;
    }
    return r;
}

/* How many messages lie in a slot that we have claimed over their heads. */
static uint32_t messages_in(const struct strait_tx *tx, const struct strait_slot *slot)
{
    uint64_t head = strait_load64_relaxed(&slot->head);

    return tx->end.flags & STRAIT_RING_PACKED && strait_pack_good(head, tx->slot_bytes)
               ? strait_pack_count(head) - strait_pack_next(head)
               : 1;
}

/* A place to write, as the channel's policy allows: 0; 1 = a place, and the oldest message was dropped for it; -EAGAIN. */
static int claim_place(struct strait_tx *tx, struct strait_place *place)
{
    int r = claim_open(tx, place);

    if (r != -EAGAIN || !tx->drop_oldest)
        return r;
    r = strait_ring_claim_oldest(&tx->end, place);
    if (r > 0)
        strait_add64_relaxed(&tx->endpoint->view.shared->dropped_oldest, messages_in(tx, place->slot));
    return r > 0 ? strait_endpoint_error(tx->endpoint, STRAIT_ERROR_DROPPED_OLDEST, r) : r;
}

struct claiming {
    struct strait_tx *tx;
    struct strait_place *place;
};

static int64_t claim_step(void *arg)
{
    struct claiming *c = arg;
    return claim_place(c->tx, c->place);
}

/* Wait for a place: 0, 1 the oldest was dropped for it, 2 this message is to be dropped, -errno. */
static int wait_place(struct strait_tx *tx, struct strait_place *place, uint64_t deadline_ns)
{
    struct strait_endpoint *e = tx->endpoint;
    struct claiming arg = {tx, place};
    struct strait_wait wait;
    int r;

    if (*tx->home == 0)
        return strait_process_forked();
    switch (e->view.full) {
    case STRAIT_FULL_WAIT:
        wait = strait_endpoint_wait(e, tx->space, STRAIT_WAIT_SEND, 0);
        wait.step = claim_step;
        wait.arg = &arg;
        r = (int)strait_wait(&wait, deadline_ns);
        return r == -ETIMEDOUT ? strait_endpoint_error(e, STRAIT_ERROR_FULL, r) : r;
    case STRAIT_FULL_FAIL:
        r = claim_place(tx, place);
        return r == -EAGAIN ? strait_endpoint_error(e, STRAIT_ERROR_FULL, r) : r;
    default: /* drop-oldest drops the new one, where the slot in the way is being read or written */
        r = claim_place(tx, place);
        if (r != -EAGAIN)
            return r;
        strait_add64_relaxed(&e->view.shared->dropped_new, 1);
        return strait_endpoint_error(e, STRAIT_ERROR_DROPPED_NEW, 2);
    }
}

static void fill(const struct strait_place *place, uint16_t tag, const void *data, uint32_t bytes)
{
    strait_slot_describe(place->slot, strait_head(bytes, tag, 0));
    strait_payload_write(strait_slot_payload(place->slot), data, bytes);
}

/* A message into a place, and out. */
static void put(struct strait_tx *tx, struct strait_place *place, uint16_t tag, const void *data, uint32_t bytes)
{
    fill(place, tag, data, bytes);
    strait_ring_commit(&tx->end, place);
    strait_tx_ring(tx, 1);
}

int strait_try_send_slow(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes)
{
    struct strait_place place;
    int r;

    if (bytes > tx->slot_bytes)
        return strait_tx_fail(tx, -EMSGSIZE, bytes);
    r = claim_open(tx, &place);
    if (r == 0)
        put(tx, &place, tag, data, bytes);
    return r;
}

int strait_send_slow(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint64_t deadline_ns)
{
    struct strait_place place;
    int r = wait_place(tx, &place, deadline_ns);

    if (r < 0 || r == 2)
        return r < 0 ? r : 1;
    put(tx, &place, tag, data, bytes);
    return r;
}

int strait_claim_slow(struct strait_tx *tx, struct strait_claim *claim, uint64_t deadline_ns)
{
    int r = *tx->home ? claim_open(tx, &claim->place) : -ECHILD;

    if (r == -EAGAIN)
        r = wait_place(tx, &claim->place, deadline_ns);
    if (r < 0 || r == 2)
        return r < 0 ? r : 1;
    claim->data = strait_slot_payload(claim->place.slot);
    claim->size = tx->slot_bytes;
    return 0;
}

int strait_commit_slow(struct strait_tx *tx, struct strait_claim *claim, uint32_t bytes)
{
    (void)claim;
    return *tx->home ? strait_tx_fail(tx, -EMSGSIZE, bytes) : strait_process_forked();
}

void strait_abort(struct strait_tx *tx, struct strait_claim *claim)
{
    if (*tx->home == 0 || claim->data == NULL)
        return;
    strait_ring_abort(&tx->end, &claim->place);
    strait_tx_ring(tx, 1); /* VOID: receivers step over it, perhaps to a message behind it */
    claim->data = NULL;
}
