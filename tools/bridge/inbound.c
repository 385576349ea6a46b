/* SPDX-License-Identifier: MIT */
/**
 * Stream -> local channel. We ask for no more messages than the local ring has free slots, commit each, and acknowledge it
 * when a local receiver has released it (or, if so asked, at the commit): a message of a machine that goes down is given
 * to another. What the server delivers again is looked up in the window; what is not there is delivered with its attempts
 * raised, so that a receiver knows that it may have come before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strait/error.h>

#include "endpoint.h"
#include "inbound.h"
#include "server.h"
#include "words.h"

#define ASK_NS      UINT64_C(5000000000) /* a request for messages ends after so long, and is made anew */
#define BATCH       256
#define PULSE_LEAST UINT64_C(1000000) /* how often released slots are looked for */
#define PULSE_MOST  UINT64_C(50000000)
#define LOOK_NS     UINT64_C(1000000000)

static uint32_t free_slots(const struct inbound *in)
{
    struct strait_ring_end end;
    uint32_t counts[8];

    if (!inbound_ring(in, in->tx->endpoint->ring, &end))
        return 0;
    strait_ring_count(&end, counts);
    return counts[STRAIT_SLOT_FREE];
}

/* ---- asking for messages ---- */

static uint32_t asked(const struct inbound *in)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < ASKS; i++)
        n += in->asks[i].remaining;
    return n;
}

static bool may_ask(const struct inbound *in)
{
    return in->stream.ready && server_up(in->link->bridge) && !in->closed && !in->link->bridge->stopping &&
           in->held == NULL && bridge_has_receivers(in->tx->endpoint);
}

static void ask_for(struct inbound *in, struct ask *ask, uint32_t n)
{
    char subject[256], reply[BRIDGE_SUBJECT_BYTES], body[80];
    struct out_message m = {.subject = subject, .reply = reply, .data = body};

    *ask = (struct ask){.number = ++in->ask_number, .until_ns = strait_after_ns(ASK_NS + LOOK_NS), .remaining = n};
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", in->stream.name, in->stream.durable);
    m.bytes = (uint32_t)snprintf(body, sizeof body, "{\"expires\":%" PRIu64 ",\"batch\":%u}", ASK_NS, n);
    if (server_pull_address(in->link, ask->number, reply) < 0 || server_send(in->link->bridge, &m) < 0)
        ask->remaining = 0;
}

/* Never more than the ring has free, and than the window can remember. */
static void want(struct inbound *in)
{
    uint32_t open = asked(in), depth = in->tx->end.mask + 1, room;
    struct ask *ask = NULL;

    for (unsigned i = 0; i < ASKS; i++)
        if (in->asks[i].remaining == 0)
            ask = &in->asks[i];
    if (ask == NULL || open > depth / 2 || open > BATCH / 2 || !may_ask(in))
        return;
    room = free_slots(in);
    if (room > window_room(&in->window))
        room = window_room(&in->window);
    room = room > open ? room - open : 0;
    if (room > BATCH)
        room = BATCH;
    if (room > 0 && (open == 0 || room >= depth / 4))
        ask_for(in, ask, room);
}

/* A message does not tell which request it answers: the server serves them in order. */
static void count_down(struct inbound *in)
{
    struct ask *oldest = NULL;

    for (unsigned i = 0; i < ASKS; i++)
        if (in->asks[i].remaining && (oldest == NULL || in->asks[i].number < oldest->number))
            oldest = &in->asks[i];
    if (oldest)
        oldest->remaining--;
}

static void ask_ended(struct inbound *in, const char *token)
{
    struct words w = words_of(token, '.');
    uint64_t number;

    words_skip(&w, 1);
    number = words_number(&w, 1, UINT64_MAX);
    for (unsigned i = 0; i < ASKS; i++)
        if (words_end(&w) && in->asks[i].number == number)
            in->asks[i].remaining = 0;
}

/* ---- delivering ---- */

static void start_pulse(struct inbound *in)
{
    in->pulse_ns = PULSE_LEAST;
    if (in->committed && !strait_op_pending(&in->pulse))
        strait_op_timer(in->link->bridge->loop, &in->pulse, strait_after_ns(in->pulse_ns));
}

static void pulse_done(struct strait_op *op, int res)
{
    struct inbound *in = (struct inbound *)(void *)op;
    bool any;

    if (res == -ECANCELED)
        return;
    any = inbound_acknowledge_released(in);
    in->pulse_ns = any ? PULSE_LEAST : in->pulse_ns * 2 < PULSE_MOST ? in->pulse_ns * 2 : PULSE_MOST;
    if (any)
        want(in);
    if (in->committed)
        strait_op_timer(in->link->bridge->loop, &in->pulse, strait_after_ns(in->pulse_ns));
}

/* Commit: 0, -EAGAIN no room after all, -EPIPE nobody receives here any more, -EMSGSIZE. */
static int commit(struct inbound *in, const struct held *h, const void *data)
{
    struct strait_tx *tx = in->tx;
    const struct strait_endpoint *e = tx->endpoint;
    struct strait_claim claim;
    struct strait_ring_end end;
    uint64_t cursor;
    int entry, r;

    if (h->bytes > tx->slot_bytes)
        return -EMSGSIZE;
    r = window_room(&in->window) ? strait_claim(tx, &claim, STRAIT_NOW) : -EAGAIN;
    if (r != 0)
        return r < 0 ? r : -EAGAIN;
    if (!inbound_ring(in, e->ring, &end))
        return -EPROTO;
    cursor =
        (claim.place.word & STRAIT_TURN_MASK) | (uint64_t)((unsigned char *)claim.place.slot - end.slots) / end.stride;
    strait_payload_write(claim.data, data, h->bytes);
    strait_slot_describe(claim.place.slot, strait_head(h->bytes, h->tag, 0));
    if (h->again)
        strait_ring_commit_again(&tx->end, &claim.place, e->view.max_attempts);
    else
        strait_ring_commit(&tx->end, &claim.place);
    strait_tx_ring(tx, 1);
    entry = window_add(
        &in->window,
        &(struct window_place){
            .sequence = h->sequence, .cursor = cursor, .consumer = h->consumer, .tries = h->tries, .ring = e->ring});
    if (entry < 0)
        return entry; /* cannot be: there was a free entry before the claim */
    in->given[entry].state = GIVEN_COMMITTED;
    in->committed++;
    snprintf(in->given[entry].ack, ACK_BYTES, "%s", h->ack);
    in->link->status->messages++;
    in->link->status->bytes += h->bytes;
    in->link->status->redelivered += h->again;
    if (in->link->options->ack_commit)
        inbound_acknowledge(in, (uint32_t)entry);
    else
        start_pulse(in);
    return 0;
}

static void hold(struct inbound *in, const struct held *head, const void *data)
{
    struct held *h = malloc(sizeof *h + head->bytes);

    if (h == NULL) {
        inbound_say(in, head->ack, "-NAK", NULL); /* the server will give it to somebody */
        return;
    }
    *h = *head;
    memcpy(h->data, data, head->bytes);
    h->next = NULL;
    *in->held_end = h;
    in->held_end = &h->next;
    in->held_n++;
}

static void refuse(struct inbound *in, const struct held *h, int r)
{
    struct bridge *b = in->link->bridge;

    if (r == -EMSGSIZE)
        bridge_fail(b, r,
                    "channel %s takes %u bytes at most, a message of %u came: make it with slots as large as on the "
                    "sending side",
                    in->link->options->name, in->tx->slot_bytes, h->bytes);
    inbound_say(in, h->ack, "-NAK", NULL);
}

/* What was held goes first. */
static void deliver_held(struct inbound *in)
{
    while (in->held) {
        struct held *h = in->held;
        int r = window_find(&in->window, h->sequence) >= 0 ? 0 : commit(in, h, h->data);

        if (r == -EAGAIN)
            return;
        if (r < 0)
            refuse(in, h, r);
        in->held = h->next;
        in->held_n--;
        free(h);
    }
    in->held_end = &in->held;
}

static void deliver(struct inbound *in, struct held *h, const void *data)
{
    int entry = window_find(&in->window, h->sequence), r;

    if (entry >= 0) { /* delivered here before: only the acknowledgement got lost, or is not due yet */
        struct given *g = &in->given[entry];
        in->link->status->duplicates++;
        snprintf(g->ack, ACK_BYTES, "%s", h->ack);
        if (g->state == GIVEN_STALE) {
            g->state = GIVEN_COMMITTED;
            in->committed++;
        }
        if (g->state == GIVEN_DONE)
            inbound_say(in, g->ack, "+ACK", NULL); /* the server that knew it is not the one that asks */
        else if (g->state == GIVEN_RELEASED || in->link->options->ack_commit)
            inbound_acknowledge(in, (uint32_t)entry);
        else
            start_pulse(in);
        return;
    }
    r = in->held ? -EAGAIN : commit(in, h, data);
    if (r == -EAGAIN)
        hold(in, h, data);
    else if (r < 0)
        refuse(in, h, r);
}

/* $JS.ACK.[domain.account.]stream.consumer.tries.sequence.consumer's sequence.… */
static bool read_ack(const char *ack, struct held *h)
{
    struct words w = words_of(ack, '.');
    unsigned dots = 0;

    for (const char *c = strchr(ack, '.'); c; c = strchr(c + 1, '.'))
        dots++;
    if (strncmp(ack, "$JS.ACK.", 8) != 0 || dots < 8 || strlen(ack) >= ACK_BYTES)
        return false;
    words_skip(&w, dots >= 10 ? 6 : 4);
    h->tries = (uint32_t)words_number(&w, 1, UINT32_MAX);
    h->sequence = words_number(&w, 1, UINT64_MAX);
    h->consumer = words_number(&w, 1, UINT64_MAX);
    if (dots >= 10)
        h->consumer = 0; /* inbound_adopt does not know the domain and the account */
    return !w.wrong;
}

/* "M tag tries", or no header at all: then it is of somebody who knows nothing of us, and of the first try. */
static bool read_header(const char *header, struct held *h)
{
    struct words w = words_of(header, ' ');

    if (header == NULL)
        return true;
    words_letter(&w, 'M');
    h->tag = (uint16_t)words_number(&w, 0, UINT16_MAX);
    h->again = words_number(&w, 0, UINT32_MAX) > 0;
    return words_end(&w);
}

static void received(struct inbound *in, natsMsg *msg)
{
    const char *ack = natsMsg_GetReply(msg), *header;
    struct held h = {.bytes = (uint32_t)natsMsg_GetDataLength(msg)};

    if (ack == NULL || !read_ack(ack, &h)) {
        if (server_word(msg) != 100) /* the request has ended: 408 its time, 404, 409, 503 */
            ask_ended(in, strrchr(natsMsg_GetSubject(msg), '.'));
        return;
    }
    count_down(in);
    header = server_header(msg);
    if (header && strcmp(header, "C") == 0) {
        snprintf(in->close_ack, sizeof in->close_ack, "%s", ack);
        return;
    }
    if (!read_header(header, &h)) {
        in->link->status->failed++;
        bridge_strange(in->link, "a message");
        inbound_say(in, ack, "+TERM", NULL); /* it would be none of ours for others, too */
        return;
    }
    snprintf(h.ack, sizeof h.ack, "%s", ack);
    h.again |= h.tries > 1 || h.sequence <= in->suspect;
    deliver(in, &h, natsMsg_GetData(msg));
}

/* A server that was killed has lost what it knew last of deliveries and acknowledgements: what it delivers again it then
 * counts as the first time. So, if this is another process than before, what is in the stream already may have come. */
static void begin_stream(struct inbound *in)
{
    uint64_t server = server_identity(in->link->bridge);
    bool fresh = in->window.page->server == 0;

    if (window_stream(&in->window, in->stream.made)) {
        memset(in->given, 0, WINDOW_ENTRIES * sizeof *in->given);
        in->committed = 0;
    }
    inbound_adopt(in);
    start_pulse(in);
    if (in->window.page->server != server)
        in->suspect = fresh ? 0 : in->stream.last;
    in->window.page->server = server;
}

static void message(struct link *link, char what, const char *rest, natsMsg *msg)
{
    struct inbound *in = link->state;

    if (what == 'a')
        inbound_confirmed(in, rest);
    else if (what == 's' && stream_message(&in->stream, rest, msg) && in->stream.ready && strcmp(rest, "consumer") == 0)
        begin_stream(in);
    want(in);
}

static void pulled(struct link *link, natsMsg *msg)
{
    struct inbound *in = link->state;

    if (msg) {
        received(in, msg);
        want(in);
        return;
    }
    memset(in->asks, 0, sizeof in->asks); /* no such stream: make it again */
    if (in->stream.ready)
        stream_ensure(&in->stream);
}

/* ---- the end ---- */

static void shut(struct inbound *in)
{
    if (in->closed)
        return;
    in->closed = true;
    in->link->status->state = BRIDGE_LINK_CLOSED;
    strait_channel_shut(in->link->bridge->segment, in->link->options->name);
    bridge_say(in->link->bridge, "%s is closed: the senders' side says so", in->link->options->name);
}

/* The close is the last message that the stream has: everything before it was acknowledged, here and elsewhere. */
static void finish(struct inbound *in)
{
    struct out_message m = {.subject = in->close_subject, .header = "C", .data = ""};

    inbound_say(in, in->close_ack, "+WPI", NULL);
    if (in->stream.left > 1 || in->committed || in->held) {
        stream_count(&in->stream);
        return;
    }
    server_send(in->link->bridge, &m);
    shut(in);
    inbound_say(in, in->close_ack, "+ACK", NULL);
    in->close_ack[0] = 0;
}

static void request(struct link *link, natsMsg *msg)
{
    (void)msg;
    shut(link->state);
}

/* ---- time ---- */

static void tick(struct link *link, uint64_t now_ns)
{
    struct inbound *in = link->state;
    struct bridge_link_status *s = link->status;

    s->under_way = in->committed + in->held_n;
    s->lag = in->stream.waiting;
    if (!server_up(link->bridge))
        return;
    stream_tick(&in->stream, now_ns);
    if (!in->stream.ready)
        return;
    for (unsigned i = 0; i < ASKS; i++)
        if (in->asks[i].remaining && now_ns > in->asks[i].until_ns)
            in->asks[i].remaining = 0; /* its end got lost */
    deliver_held(in);
    inbound_remind(in, now_ns);
    if (now_ns - in->stream.looked_ns > LOOK_NS)
        stream_look(&in->stream);
    if (in->close_ack[0])
        finish(in);
    if (!in->closed)
        s->state = bridge_has_receivers(in->tx->endpoint) ? BRIDGE_LINK_RUNNING : BRIDGE_LINK_NOBODY;
    want(in);
}

static void up(struct link *link)
{
    struct inbound *in = link->state;

    for (unsigned i = 0; i < ASKS; i++)
        in->asks[i].remaining = 0;
    server_subscribe(link, in->close_subject, NULL);
    stream_ensure(&in->stream);
}

static void down(struct link *link)
{
    struct inbound *in = link->state;

    in->stream.ready = false;
    if (!in->closed)
        link->status->state = BRIDGE_LINK_OFFLINE;
}

/* ---- open and close ---- */

static int open_parts(struct inbound *in)
{
    struct link *link = in->link;
    const struct strait_entry *entry;
    const struct strait_endpoint *e;
    int r = strait_tx_open(link->bridge->segment, link->options->name, NULL, &in->tx);

    if (r < 0)
        return r == -EBUSY ? -EAGAIN : r;
    e = in->tx->endpoint;
    entry = strait_segment_entry(&e->segment->map, e->view.object.entry);
    r = window_open(&in->window, link,
                    (uint64_t)e->view.object.entry << 32 | strait_load32_relaxed(&entry->serial) | UINT64_C(1) << 63);
    if (r == -EBUSY)
        bridge_fail(link->bridge, r, "--in %s is another bridge's already (region %s%s: shmctl show says whose)",
                    link->options->name, BRIDGE_WINDOW_PREFIX, link->options->name);
    return r;
}

static int open_link(struct link *link)
{
    struct bridge_channel channel;
    struct inbound *in;
    int r = bridge_channel_look(link, &channel);

    if (r < 0)
        return r == -ENOENT ? -EAGAIN : r;
    if (channel.replies) {
        bridge_fail(link->bridge, -EPROTOTYPE, "%s carries requests: --call and --serve are for those, --in is not",
                    link->options->name);
        return -EPROTOTYPE;
    }
    in = calloc(1, sizeof *in);
    if (in)
        in->given = calloc(WINDOW_ENTRIES, sizeof *in->given);
    if (in == NULL || in->given == NULL) {
        free(in);
        return -ENOMEM;
    }
    in->link = link;
    in->held_end = &in->held;
    in->pulse.done = pulse_done;
    r = open_parts(in);
    if (r < 0) {
        strait_tx_close(in->tx);
        free(in->given);
        free(in);
        return r;
    }
    snprintf(in->close_subject, sizeof in->close_subject, "strait-close.%s.%s", link->bridge->options.app,
             link->options->subject);
    link->status->window = WINDOW_ENTRIES;
    link->state = in;
    stream_init(&in->stream, link, true);
    return 0;
}

static bool busy(const struct link *link)
{
    (void)link;
    return false; /* what is not acknowledged is in the window, or comes again */
}

static uint64_t largest(const struct link *link)
{
    (void)link;
    return 0;
}

static void close_link(struct link *link)
{
    struct inbound *in = link->state;

    window_close(&in->window);
    strait_tx_close(in->tx);
    for (struct held *h = in->held, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    free(in->given);
    free(in);
}

const struct link_kind link_in = {.open = open_link,
                                  .up = up,
                                  .down = down,
                                  .message = message,
                                  .request = request,
                                  .pulled = pulled,
                                  .tick = tick,
                                  .busy = busy,
                                  .largest = largest,
                                  .close = close_link};
