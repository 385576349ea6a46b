/* SPDX-License-Identifier: MIT */
/**
 * Local channel -> stream. A message is peeked, published, and released when the server has it: a bridge that is killed
 * loses nothing, and its successor publishes it under the same id, which comes from where the message lies and not from
 * who carries it. A stream that is full leaves the messages in the ring, and then the channel's own policy applies.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strait/error.h>

#include "bridge.h"
#include "endpoint.h"
#include "server.h"
#include "stream.h"
#include "words.h"

#define WINDOW       256
#define ACK_NS       UINT64_C(2000000000) /* no word from the server for so long: publish again */
#define FULL_NS      UINT64_C(100000000)  /* a full stream is asked again so soon */
#define CLOSE_FLIGHT UINT64_C(0xFFFFFFFF)

enum flight_state { FLIGHT_SENT, FLIGHT_AGAIN, FLIGHT_ACKED };

struct flight {
    struct strait_msg msg;
    enum flight_state state;
    uint32_t tries;
    uint64_t at_ns; /* SENT: when; AGAIN: when to try again */
};

struct outbound {
    struct strait_await peek; /* first: what the loop gives back */
    struct link *link;
    struct strait_rx *rx;
    struct stream stream;
    struct flight flights[WINDOW]; /* in the order of the peeks */
    uint64_t first, next;          /* numbers of the oldest flight and of the one that comes */
    uint32_t window;
    uint32_t again; /* flights in AGAIN */
    struct strait_msg peeked;
    uint64_t epoch;    /* which channel of that name */
    bool ended;        /* the channel is closed for good and drained */
    bool full;         /* the stream takes no more */
    bool paused;       /* all senders have gone: look again at the next tick */
    uint64_t close_ns; /* when the close was published; 0 = not yet */
    bool lanes;
};

static struct flight *flight_at(struct outbound *o, uint64_t number)
{
    return &o->flights[number % WINDOW];
}

/* ---- what a message is called ---- */

/* The place of a peeked message is the same for whoever peeks it, as long as the segment and the channel are. Of a pack we
 * hold one message at a time: its number is the second half of its place. */
static uint64_t position(const struct outbound *o, const struct strait_msg *msg, uint32_t *lane)
{
    const struct strait_endpoint *e = o->rx->endpoint;
    const unsigned char *slot = (const unsigned char *)msg->place.slot;

    for (uint32_t i = 0; i < e->ends_n; i++) {
        const struct strait_ring_end *end = &e->ends[i];
        uint64_t bytes = (uint64_t)end->stride * (end->mask + 1);
        if (slot < end->slots || slot >= end->slots + bytes)
            continue;
        *lane = i;
        return (msg->place.word >> STRAIT_TURN_SHIFT) * (end->mask + UINT64_C(1)) +
               (uint64_t)(slot - end->slots) / end->stride;
    }
    return 0; /* cannot be: it came from one of them */
}

static void message_id(const struct outbound *o, const struct strait_msg *msg, char *id, size_t size)
{
    const struct strait_segment_map *map = &o->link->bridge->segment->map;
    uint32_t lane = 0;
    uint64_t at = position(o, msg, &lane);
    int n = snprintf(id, size, "%016" PRIx64 ":%" PRIx64 ":%x.%" PRIx64, strait_segment_header(map)->id, o->epoch, lane,
                     at);

    if (o->rx->pack.slot)
        snprintf(id + n, size - (size_t)n, ".%x", strait_pack_next(o->rx->pack_head));
}

static int publish(struct outbound *o, uint64_t number)
{
    struct flight *f = flight_at(o, number);
    char reply[BRIDGE_SUBJECT_BYTES], subject[BRIDGE_SUBJECT_BYTES + 8], header[48], id[80];
    uint32_t again = f->msg.attempts + f->tries;
    struct out_message m = {.subject = o->link->subject,
                            .reply = reply,
                            .header = f->msg.tag || again ? header : NULL,
                            .id = id,
                            .data = f->msg.data,
                            .bytes = f->msg.bytes};

    server_address(o->link, 'p', reply, "%" PRIu64, number);
    snprintf(header, sizeof header, "M %u %u", f->msg.tag, again);
    message_id(o, &f->msg, id, sizeof id);
    if (o->link->options->key_tag) {
        snprintf(subject, sizeof subject, "%s.%u", o->link->subject, f->msg.tag);
        m.subject = subject;
    }
    f->at_ns = strait_now_ns();
    if (f->state == FLIGHT_AGAIN)
        o->again--;
    f->state = FLIGHT_SENT;
    o->link->status->redelivered += f->tries > 0;
    f->tries++;
    return server_send(o->link->bridge, &m);
}

/* ---- taking ---- */

static bool may_take(const struct outbound *o)
{
    return o->stream.ready && server_up(o->link->bridge) && o->again == 0 && !o->ended && !o->paused &&
           o->next - o->first < o->window && !o->link->bridge->stopping;
}

static void take(struct outbound *o)
{
    struct flight *f = flight_at(o, o->next);

    *f = (struct flight){.msg = o->peeked};
    publish(o, o->next++);
}

static void want(struct outbound *o)
{
    int r = 0;

    while (may_take(o) && !strait_op_pending(&o->peek.op)) {
        r = strait_peek(o->rx, &o->peeked, STRAIT_NOW);
        if (r < 0)
            break;
        take(o);
    }
    if (r == -EPIPE && (strait_endpoint_status(o->rx->endpoint) & STRAIT_CHANNEL_CLOSED))
        o->ended = true;
    else if (r < 0 && r != -EAGAIN)
        o->paused = true;
    else if (r == -EAGAIN)
        strait_await_peek(o->link->bridge->loop, &o->peek, o->rx, &o->peeked, STRAIT_FOREVER);
}

static void peek_done(struct strait_op *op, int res)
{
    struct outbound *o = (struct outbound *)(void *)op;

    if (res == -ECANCELED)
        return;
    if (res == 0)
        take(o); /* there was room when it was asked for */
    else if (res == -EPIPE && (strait_endpoint_status(o->rx->endpoint) & STRAIT_CHANNEL_CLOSED))
        o->ended = true;
    else
        o->paused = true;
    want(o);
}

/* ---- the server's answers ---- */

static void release_acked(struct outbound *o)
{
    while (o->first < o->next && flight_at(o, o->first)->state == FLIGHT_ACKED) {
        struct flight *f = flight_at(o, o->first++);
        o->link->status->messages++;
        o->link->status->bytes += f->msg.bytes;
        strait_release(o->rx, &f->msg);
    }
}

static void retry(struct outbound *o, struct flight *f, uint64_t in_ns)
{
    if (f->state != FLIGHT_AGAIN)
        o->again++;
    f->state = FLIGHT_AGAIN;
    f->at_ns = strait_after_ns(in_ns);
}

/* What is due. Of a full stream we ask with the oldest alone. */
static void send_again(struct outbound *o, uint64_t now_ns)
{
    for (uint64_t n = o->first; n < o->next; n++) {
        struct flight *f = flight_at(o, n);
        bool due = f->state == FLIGHT_AGAIN
                       ? now_ns >= f->at_ns
                       : f->state == FLIGHT_SENT && now_ns != STRAIT_FOREVER && now_ns - f->at_ns > ACK_NS;
        if (!due)
            continue;
        publish(o, n);
        if (o->full)
            return;
    }
}

static void close_acked(struct outbound *o)
{
    o->link->status->state = BRIDGE_LINK_CLOSED;
    o->close_ns = STRAIT_FOREVER;
    bridge_say(o->link->bridge, "%s is closed, and the other side knows", o->link->options->name);
}

static void acked(struct outbound *o, uint64_t number, natsMsg *msg)
{
    int error = stream_error(msg);
    struct flight *f;

    if (number == CLOSE_FLIGHT) {
        if (error == 0 && o->close_ns != STRAIT_FOREVER)
            close_acked(o);
        return;
    }
    if (number < o->first || number >= o->next)
        return; /* an earlier try was answered already */
    f = flight_at(o, number);
    if (f->state == FLIGHT_ACKED)
        return;
    if (error) {
        if (error == STREAM_FULL || error == STREAM_FULL_BYTES) {
            o->link->status->refused++;
            o->full = true;
        }
        f->tries--; /* it is certain that this one has not arrived: nothing to be marked */
        retry(o, f, FULL_NS);
        return;
    }
    if (strstr(natsMsg_GetData(msg), "\"duplicate\":true") || strstr(natsMsg_GetData(msg), "\"duplicate\": true"))
        o->link->status->duplicates++;
    if (f->state == FLIGHT_AGAIN)
        o->again--;
    f->state = FLIGHT_ACKED;
    release_acked(o);
    if (o->full) {
        o->full = false;
        send_again(o, STRAIT_FOREVER);
    }
    want(o);
}

static void message(struct link *link, char what, const char *rest, natsMsg *msg)
{
    struct outbound *o = link->state;
    struct words w = words_of(rest, '.');

    if (what == 'p') {
        uint64_t number = words_number(&w, 0, UINT64_MAX);
        if (words_end(&w))
            acked(o, number, msg);
    } else if (what == 's' && stream_message(&o->stream, rest, msg)) {
        if (o->stream.ready && link->status->state != BRIDGE_LINK_CLOSED)
            link->status->state = BRIDGE_LINK_RUNNING;
        want(o);
    }
}

/* Perhaps ours: then the stream is gone, and is to be made again. */
static void unheard(struct link *link)
{
    struct outbound *o = link->state;

    if (o->stream.ready && o->first != o->next)
        stream_ensure(&o->stream);
}

/* ---- time ---- */

static void close_remote(struct outbound *o, uint64_t now_ns)
{
    char id[96], reply[BRIDGE_SUBJECT_BYTES], subject[BRIDGE_SUBJECT_BYTES + 8];
    struct out_message m = {.subject = o->link->subject, .reply = reply, .header = "C", .id = id, .data = ""};

    if (o->close_ns == STRAIT_FOREVER || (o->close_ns && now_ns - o->close_ns < ACK_NS))
        return;
    o->close_ns = now_ns;
    if (o->link->options->key_tag) {
        snprintf(subject, sizeof subject, "%s.close", o->link->subject);
        m.subject = subject;
    }
    snprintf(id, sizeof id, "%016" PRIx64 ":%" PRIx64 ":close",
             strait_segment_header(&o->link->bridge->segment->map)->id, o->epoch);
    server_address(o->link, 'p', reply, "%" PRIu64, CLOSE_FLIGHT);
    server_send(o->link->bridge, &m);
}

static void count_lag(struct outbound *o)
{
    const struct strait_endpoint *e = o->rx->endpoint;
    uint64_t lag = 0;

    for (uint32_t i = 0; i < e->ends_n; i++)
        lag += strait_ring_messages(&e->ends[i], 1 << STRAIT_SLOT_READY | 1 << STRAIT_SLOT_RETURNED);
    o->link->status->lag = lag;
    o->link->status->under_way = o->next - o->first;
}

static void tick(struct link *link, uint64_t now_ns)
{
    struct outbound *o = link->state;

    count_lag(o);
    if (!server_up(link->bridge))
        return;
    stream_tick(&o->stream, now_ns);
    if (o->stream.ready)
        send_again(o, now_ns);
    if (link->status->state == BRIDGE_LINK_RUNNING || link->status->state == BRIDGE_LINK_FULL)
        link->status->state = o->full ? BRIDGE_LINK_FULL : BRIDGE_LINK_RUNNING;
    o->paused = false;
    if (o->ended && o->first == o->next && o->stream.ready)
        close_remote(o, now_ns);
    else
        want(o);
}

static void up(struct link *link)
{
    struct outbound *o = link->state;

    for (uint64_t n = o->first; n < o->next; n++) {
        struct flight *f = flight_at(o, n);
        if (f->state == FLIGHT_SENT) /* its acknowledgement may have gone with the connection */
            retry(o, f, 0);
    }
    stream_ensure(&o->stream);
}

static void down(struct link *link)
{
    struct outbound *o = link->state;

    o->stream.ready = false;
    if (link->status->state != BRIDGE_LINK_CLOSED)
        link->status->state = BRIDGE_LINK_OFFLINE;
}

/* ---- open and close ---- */

static uint64_t epoch_of(const struct strait_endpoint *e)
{
    const struct strait_entry *entry = strait_segment_entry(&e->segment->map, e->view.object.entry);

    return (uint64_t)e->view.object.entry << 32 | strait_load32_relaxed(&entry->serial);
}

static int open_link(struct link *link)
{
    struct bridge_channel channel;
    struct outbound *o;
    int r = bridge_channel_look(link, &channel);

    if (r < 0)
        return r == -ENOENT ? -EAGAIN : r;
    if (channel.replies) {
        bridge_fail(link->bridge, -EPROTOTYPE, "%s carries requests: --call and --serve are for those, --out is not",
                    link->options->name);
        return -EPROTOTYPE;
    }
    o = calloc(1, sizeof *o);
    if (o == NULL)
        return -ENOMEM;
    r = strait_rx_open(link->bridge->segment, link->options->name, NULL, &o->rx);
    if (r < 0) {
        free(o);
        return r == -EBUSY ? -EAGAIN : r;
    }
    o->link = link;
    o->peek.op.done = peek_done;
    o->window = o->rx->window < WINDOW ? o->rx->window : WINDOW;
    o->epoch = epoch_of(o->rx->endpoint);
    link->status->window = o->window;
    link->state = o;
    stream_init(&o->stream, link, false);
    return 0;
}

static bool busy(const struct link *link)
{
    const struct outbound *o = link->state;
    return o->first != o->next;
}

static uint64_t largest(const struct link *link)
{
    const struct outbound *o = link->state;
    return o->rx->slot_bytes;
}

static void close_link(struct link *link)
{
    struct outbound *o = link->state;

    strait_rx_close(o->rx);
    free(o);
}

const struct link_kind link_out = {.open = open_link,
                                   .up = up,
                                   .down = down,
                                   .message = message,
                                   .unheard = unheard,
                                   .tick = tick,
                                   .busy = busy,
                                   .largest = largest,
                                   .close = close_link};
