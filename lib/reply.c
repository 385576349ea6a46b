/* SPDX-License-Identifier: MIT */
/* Requests and answers: both sides of strait/reply.h. */
#include "strait/reply.h"

#include <errno.h>

#include "await.h"
#include "endpoint.h"
#include "error.h"
#include "lease.h"
#include "reply.h"

/* ---- caller: request ---- */

static uint32_t index_of(uint64_t token)
{
    return (uint32_t)(token & STRAIT_TOKEN_INDEX_MASK);
}

/* The search begins at the reply that was closed last: it is free, and in our cache. */

static int open_reply(struct strait_tx *tx, struct strait_reply_rx *r)
{
    struct strait_channel_view *view = &tx->endpoint->view;
    int e = strait_reply_open(view, tx->endpoint->reply % view->replies, &r->end, &r->token);

    if (e == -ENOBUFS)
        return strait_fail(strait_endpoint_error(tx->endpoint, STRAIT_ERROR_NO_REPLY, e),
                           "channel %s: all %u replies are in use; close some, or create it with more",
                           tx->endpoint->name, view->replies);
    if (e < 0)
        return strait_fail(strait_endpoint_error(tx->endpoint, STRAIT_ERROR_DAMAGED, e),
                           "channel %s: its replies are damaged", tx->endpoint->name);
    tx->endpoint->reply = index_of(r->token) + 1;
    r->tx = tx;
    r->unrung = 0;
    r->last = false;
    return strait_reply_at(view, index_of(r->token), &r->reply);
}

int strait_request(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint64_t job_deadline_ns,
                   struct strait_reply_rx *reply, uint64_t deadline_ns)
{
    struct strait_request_head head = {.deadline_ns = job_deadline_ns == STRAIT_FOREVER ? 0 : job_deadline_ns};
    struct strait_reply_rx r = {.token = 0};
    struct strait_claim claim;
    int e;

    if (*tx->home == 0)
        return strait_process_forked();
    if (tx->endpoint->view.replies == 0)
        return strait_fail(-EOPNOTSUPP, "channel %s has no replies: create it with options.replies",
                           tx->endpoint->name);
    if (tx->slot_bytes < sizeof head || bytes > tx->slot_bytes - sizeof head)
        return strait_fail(-EMSGSIZE, "channel %s takes requests of %zu bytes at most, this one has %u",
                           tx->endpoint->name, tx->slot_bytes < sizeof head ? 0 : tx->slot_bytes - sizeof head, bytes);
    e = open_reply(tx, &r);
    if (e < 0)
        return e;
    e = strait_claim(tx, &claim, deadline_ns);
    if (e != 0) {
        strait_reply_drop(r.reply, r.token, tx->endpoint->segment->map.lease);
        return e < 0 ? e : -EAGAIN; /* a dropped request is no request */
    }
    head.token = r.token;
    strait_payload_write(claim.data, &head, sizeof head);
    strait_payload_write((unsigned char *)claim.data + sizeof head, data, bytes);
    strait_store64_relaxed(&claim.place.slot->head,
                           strait_head(bytes + (uint32_t)sizeof head, tag, STRAIT_MSG_REQUEST));
    strait_ring_commit(&tx->end, &claim.place);
    strait_tx_ring(tx, 1);
    *reply = r;
    return 0;
}

/* ---- caller: receive ---- */

static void ring_worker(struct strait_reply_rx *r)
{
    if (r->unrung)
        strait_bell_ring(&r->reply->ring.writable, 1, r->tx->fence);
    r->unrung = 0;
}

/* Will nobody take a request any more: the workers have gone, or the channel was closed before one came? */
static bool deserted(const struct strait_endpoint *e)
{
    uint32_t status = strait_endpoint_status(e);

    if (status & STRAIT_CHANNEL_NO_RECEIVERS)
        return true;
    return (status & STRAIT_CHANNEL_CLOSED) && strait_set_count(&e->view.shared->receivers) == 0;
}

/* No part is there: -EAGAIN, or why none will come. */
static int no_part(struct strait_reply_rx *r)
{
    /* acquire [P15] <- [P14] strait_reply_fail, [P8] end_with: what was written before it is in the ring */
    uint64_t word = strait_load64_acquire(&r->reply->word);
    struct strait_place place;

    ring_worker(r);
    if (r->last)
        return -ENODATA;
    if ((word ^ r->token) >> STRAIT_REPLY_GENERATION_SHIFT)
        return -EOWNERDEAD; /* only a lie can take it from us */
    switch (strait_reply_state(word)) {
    case STRAIT_REPLY_OPEN:
        return deserted(r->tx->endpoint) ? -EPIPE : -EAGAIN;
    case STRAIT_REPLY_BUSY:
        return -EAGAIN;
    default: /* DONE, FAILED: whatever came before is in the ring */
        return strait_ring_find(&r->end, &place) == 0 ? -EAGAIN : -EOWNERDEAD;
    }
}

struct part {
    struct strait_reply_rx *reply;
    struct strait_msg *msg;
};

static int64_t part_step(void *arg)
{
    struct part *p = arg;
    struct strait_reply_rx *r = p->reply;
    struct strait_place place;
    uint64_t head;

    if (strait_ring_find(&r->end, &place) < 0)
        return no_part(r);
    head = strait_load64_relaxed(&place.slot->head);
    if (strait_head_bytes(head) > r->end.slot_bytes)
        return -EPROTO;
    *p->msg = (struct strait_msg){.data = strait_slot_payload(place.slot),
                                  .bytes = strait_head_bytes(head),
                                  .tag = strait_head_tag(head),
                                  .flags = strait_head_flags(head),
                                  .place = place};
    return 0;
}

static int remembered(struct strait_reply_rx *r, int e)
{
    enum strait_error_kind kind = e == -ETIMEDOUT    ? STRAIT_ERROR_UNANSWERED
                                  : e == -EOWNERDEAD ? STRAIT_ERROR_JOB_LOST
                                  : e == -EPROTO     ? STRAIT_ERROR_DAMAGED
                                                     : STRAIT_ERROR_NONE;

    if (kind != STRAIT_ERROR_NONE)
        strait_endpoint_error(r->tx->endpoint, kind, e);
    return e;
}

int strait_reply_peek(struct strait_reply_rx *r, struct strait_msg *msg, uint64_t deadline_ns)
{
    struct part arg = {r, msg};
    struct strait_wait wait;
    int e;

    if (r->reply == NULL)
        return strait_fail(-EINVAL, "this reply is not open");
    if (*r->tx->home == 0)
        return strait_process_forked();
    e = (int)part_step(&arg);
    if (e != -EAGAIN || deadline_ns == STRAIT_NOW)
        return remembered(r, e);
    wait = strait_endpoint_wait(r->tx->endpoint, &r->reply->readable, STRAIT_WAIT_REPLY,
                                r->token & STRAIT_TOKEN_INDEX_MASK);
    wait.parties = 2;
    wait.step = part_step;
    wait.arg = &arg;
    return remembered(r, (int)strait_wait(&wait, deadline_ns));
}

void strait_reply_release(struct strait_reply_rx *r, struct strait_msg *msg)
{
    struct strait_place place = msg->place;

    if (place.slot == NULL || strait_ring_take(&r->end, &place) < 0)
        return;
    if (msg->flags & STRAIT_MSG_LAST)
        r->last = true;
    strait_ring_release(&place);
    msg->place.slot = NULL;
    r->unrung = 1;
    if (strait_ring_half(&r->end, place.slot))
        ring_worker(r);
}

int64_t strait_reply_recv(struct strait_reply_rx *r, void *to, uint32_t size, struct strait_msg *info,
                          uint64_t deadline_ns)
{
    struct strait_msg msg = {.bytes = 0};
    int e = strait_reply_peek(r, &msg, deadline_ns);

    if (e < 0)
        return e;
    if (msg.bytes > size)
        return strait_fail(-EMSGSIZE, "this part of the answer has %u bytes, the buffer %u", msg.bytes, size);
    strait_payload_read(to, msg.data, msg.bytes);
    strait_reply_release(r, &msg);
    if (info) {
        *info = msg;
        info->data = to;
    }
    return msg.bytes;
}

void strait_reply_close(struct strait_reply_rx *r)
{
    if (r->reply == NULL || *r->tx->home == 0)
        return;
    strait_await_orphan(r->tx->endpoint->awaits, r);
    strait_reply_drop(r->reply, r->token, r->tx->endpoint->segment->map.lease);
    r->tx->endpoint->reply = index_of(r->token);
    r->reply = NULL;
}

/* All parts of an answer, one behind the other. */
static int64_t gather(struct strait_reply_rx *r, unsigned char *to, uint32_t size, struct strait_msg *info,
                      uint64_t deadline_ns)
{
    uint32_t at = 0;

    for (;;) {
        struct strait_msg msg = {.bytes = 0};
        int e = strait_reply_peek(r, &msg, deadline_ns);

        if (e < 0)
            return e;
        if (msg.flags & (STRAIT_MSG_RESTART | STRAIT_MSG_ERROR))
            at = 0; /* what came before counts no more */
        if (msg.bytes > size - at)
            return strait_fail(-EMSGSIZE, "the answer has more than the %u bytes that the buffer has", size);
        strait_payload_read(to + at, msg.data, msg.bytes);
        at += msg.bytes;
        strait_reply_release(r, &msg);
        if (info) {
            *info = msg;
            info->data = to;
            info->bytes = at;
        }
        if (msg.flags & STRAIT_MSG_LAST)
            return msg.flags & STRAIT_MSG_ERROR ? -EREMOTEIO : (int64_t)at;
    }
}

int64_t strait_call(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, void *to, uint32_t size,
                    struct strait_msg *info, uint64_t deadline_ns)
{
    struct strait_reply_rx reply;
    int64_t r = strait_request(tx, tag, data, bytes, deadline_ns, &reply, deadline_ns);

    if (r < 0)
        return r;
    r = gather(&reply, to, size, info, deadline_ns);
    strait_reply_close(&reply);
    return r;
}

/* ---- worker ---- */

static uint32_t lease_of(const struct strait_answer *a)
{
    return a->rx->endpoint->segment->map.lease;
}

int strait_answer_accept(struct strait_rx *rx, const struct strait_msg *request, struct strait_answer *answer)
{
    struct strait_answer a = {.rx = rx, .token = request->token, .open = true};
    int r;

    if (*rx->home == 0)
        return strait_process_forked();
    if (!(request->flags & STRAIT_MSG_REQUEST))
        return strait_fail(-EBADMSG, "channel %s: this message carries no reply", rx->endpoint->name);
    r = strait_reply_accept(&rx->endpoint->view, request->token, &a.end, &a.reply);
    if (r < 0)
        return r;
    a.first_flags = request->attempts ? STRAIT_MSG_RESTART : 0;
    *answer = a;
    return 0;
}

uint32_t strait_answer_size(const struct strait_answer *a)
{
    return a->end.slot_bytes;
}

int strait_answer_wanted(const struct strait_answer *a)
{
    return a->open ? strait_reply_wanted(a->reply, a->token, lease_of(a)) : -EPIPE;
}

void strait_answer_abandon(struct strait_answer *a)
{
    if (!a->open || *a->rx->home == 0)
        return;
    strait_reply_fail_own(a->reply, a->token, lease_of(a));
    a->open = false;
}

struct answering {
    struct strait_answer *answer;
    struct strait_claim *claim;
};

static int64_t answer_step(void *arg)
{
    struct answering *s = arg;
    struct strait_answer *a = s->answer;
    int r = strait_answer_wanted(a);

    if (r < 0) {
        strait_answer_abandon(a); /* the caller left it to us to free */
        return r;
    }
    r = strait_ring_claim(&a->end, &s->claim->place);
    if (r < 0)
        return r;
    s->claim->data = strait_slot_payload(s->claim->place.slot);
    s->claim->size = a->end.slot_bytes;
    return 0;
}

int strait_answer_claim(struct strait_answer *a, struct strait_claim *claim, uint64_t deadline_ns)
{
    struct answering arg = {a, claim};
    struct strait_endpoint *e = a->rx->endpoint;
    struct strait_wait wait;
    int r;

    if (*a->rx->home == 0)
        return strait_process_forked();
    r = (int)answer_step(&arg);
    if (r != -EAGAIN || deadline_ns == STRAIT_NOW)
        return r;
    wait =
        strait_endpoint_wait(e, &a->reply->ring.writable, STRAIT_WAIT_REPLY_SPACE, a->token & STRAIT_TOKEN_INDEX_MASK);
    wait.parties = 2;
    wait.step = answer_step;
    wait.arg = &arg;
    return (int)strait_wait(&wait, deadline_ns);
}

int strait_answer_commit(struct strait_answer *a, struct strait_claim *claim, uint16_t tag, uint16_t flags,
                         uint32_t bytes)
{
    uint16_t known = STRAIT_MSG_LAST | STRAIT_MSG_ERROR;

    if (*a->rx->home == 0)
        return strait_process_forked();
    if (bytes > claim->size)
        return strait_fail(-EMSGSIZE, "a part of this answer has %u bytes at most, this one %u", claim->size, bytes);
    strait_store64_relaxed(&claim->place.slot->head, strait_head(bytes, tag, (flags & known) | a->first_flags));
    strait_ring_commit(&a->end, &claim->place);
    a->first_flags = 0;
    claim->data = NULL;
    if (flags & STRAIT_MSG_LAST) {
        a->open = false;
        return strait_reply_finish(a->reply, a->token, lease_of(a));
    }
    strait_bell_ring(&a->reply->readable, 1, a->rx->fence);
    return 0;
}

int strait_answer_send(struct strait_answer *a, uint16_t tag, uint16_t flags, const void *data, uint32_t bytes,
                       uint64_t deadline_ns)
{
    struct strait_claim claim;
    int r;

    if (bytes > a->end.slot_bytes)
        return strait_fail(-EMSGSIZE, "a part of this answer has %u bytes at most, this one %u", a->end.slot_bytes,
                           bytes);
    r = strait_answer_claim(a, &claim, deadline_ns);
    if (r < 0)
        return r;
    strait_payload_write(claim.data, data, bytes);
    return strait_answer_commit(a, &claim, tag, flags, bytes);
}
