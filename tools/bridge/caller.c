/* SPDX-License-Identifier: MIT */
/**
 * Local callers -> a pool elsewhere. We are a worker of the local pool: a request is peeked and answered part by part as the
 * parts come from the other side. If that side dies the call is asked again, and the local caller is told to forget what
 * came before, as with a local worker's death; if we die, the request is redelivered like any other. A seat is one request
 * under way: a receiver of its own, because pools let each receiver hold one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strait/error.h>

#include "bridge.h"
#include "calls.h"
#include "endpoint.h"
#include "server.h"
#include "words.h"

#define BUSY_NS UINT64_C(20000000) /* all servers were busy: ask again so soon */

enum seat_state {
    SEAT_FREE,
    SEAT_PEEKING,
    SEAT_ASKED,   /* published; no word yet */
    SEAT_AT_WORK, /* the other side has said something */
    SEAT_AGAIN,   /* to be asked again at `again_ns` */
};

/** A part that found no room in the local answer. */
struct part {
    struct part *next;
    uint16_t tag, flags;
    uint32_t bytes;
    unsigned char data[];
};

struct seat {
    struct strait_await await; /* first: peeks, then waits for room in the answer */
    struct caller *caller;
    uint32_t index;
    enum seat_state state;
    struct strait_rx *rx;
    struct strait_msg msg;
    struct strait_answer answer;
    struct server_box box; /* what comes for this seat */
    bool plain;            /* a message without a reply */
    uint32_t number;       /* of the call: answers to others are not for us */
    uint32_t attempt;
    uint32_t received, passed_on, told; /* parts: from there, to the local caller, and what we have told there of it */
    uint64_t sent_ns, heard_ns, asked_ns, again_ns, first_ns;
    struct part *parts, **parts_end;
    char remote[BRIDGE_SUBJECT_BYTES]; /* the server's subject for this call; "" = not known */
};

struct caller {
    struct link *link;
    struct strait_hold *hold; /* callers wait for us as for a worker that restarts */
    struct seat *seats;
    uint32_t n;
    uint32_t request_bytes;
    bool paused, nobody;
};

static void peek_next(struct caller *c);

/* ---- the local side ---- */

static void drop_parts(struct seat *s)
{
    for (struct part *p = s->parts, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    s->parts = NULL;
    s->parts_end = &s->parts;
}

static void say(struct seat *s, const char *format, uint32_t n, const char *reply)
{
    char header[32];
    struct out_message m = {.subject = s->remote, .reply = reply, .header = header, .data = ""};

    snprintf(header, sizeof header, format, n);
    if (s->remote[0])
        server_send(s->caller->link->bridge, &m);
}

static void end(struct seat *s)
{
    if (strait_op_pending(&s->await.op)) {
        strait_op_cancel(&s->await.op); /* its done() comes back here */
        s->state = SEAT_AGAIN;
        s->again_ns = STRAIT_FOREVER;
        return;
    }
    drop_parts(s);
    strait_release(s->rx, &s->msg);
    s->state = SEAT_FREE;
    s->number++;
    peek_next(s->caller);
}

static void cancel(struct seat *s)
{
    say(s, "C", 0, NULL);
    strait_answer_abandon(&s->answer);
    end(s);
}

/* Our own word to the local caller: an error part, as a pool's worker says it. */
static void answer_error(struct seat *s, int error)
{
    int32_t number = error;

    s->caller->link->status->failed++;
    if (error == -EOWNERDEAD || s->plain ||
        strait_answer_send(&s->answer, 0, STRAIT_MSG_LAST | STRAIT_MSG_ERROR, &number, sizeof number, STRAIT_NOW) < 0)
        strait_answer_abandon(&s->answer);
    end(s);
}

static void done_well(struct seat *s)
{
    s->caller->link->status->messages++;
    end(s);
}

/* Pass on what has come: 0, -EAGAIN the caller's ring is full and we wait. */
static int pass(struct seat *s, uint16_t tag, uint16_t flags, const void *data, uint32_t bytes)
{
    int r = strait_answer_send(&s->answer, tag, flags, data, bytes, STRAIT_NOW);

    if (r == -EAGAIN)
        return r;
    s->passed_on++;
    s->caller->link->status->bytes += bytes;
    if (r < 0 && r != -EPIPE) { /* -EMSGSIZE: parts there are larger than here */
        bridge_say(s->caller->link->bridge, "%s: %s", s->caller->link->options->name, strait_error());
        say(s, "C", 0, NULL);
        answer_error(s, r);
    } else if (r == -EPIPE) {
        cancel(s);
    } else if (flags & STRAIT_MSG_LAST) {
        done_well(s);
    } else if (s->passed_on - s->told >= CALLS_WINDOW / 2) {
        s->told = s->passed_on;
        say(s, "W %u", s->passed_on, NULL);
    }
    return 0;
}

static void room_done(struct seat *s, int res)
{
    struct part *p = s->parts;

    if (p == NULL)
        return;
    if (res == 0) { /* it was sent */
        uint16_t flags = p->flags;
        s->passed_on++;
        s->caller->link->status->bytes += p->bytes;
        s->parts = p->next;
        if (s->parts == NULL)
            s->parts_end = &s->parts;
        free(p);
        if (flags & STRAIT_MSG_LAST) {
            done_well(s);
            return;
        }
        if (s->passed_on - s->told >= CALLS_WINDOW / 2) {
            s->told = s->passed_on;
            say(s, "W %u", s->passed_on, NULL);
        }
        p = s->parts;
    } else if (res < 0 && res != -EAGAIN && res != -ETIMEDOUT) {
        cancel(s);
        return;
    }
    if (p && strait_await_answer(s->caller->link->bridge->loop, &s->await, &s->answer, p->tag, p->flags, p->data,
                                 p->bytes, STRAIT_FOREVER) < 0)
        cancel(s);
}

static void part(struct seat *s, uint16_t tag, uint16_t flags, const void *data, uint32_t bytes)
{
    struct part *p;

    if (s->parts == NULL && pass(s, tag, flags, data, bytes) == 0)
        return;
    p = malloc(sizeof *p + bytes);
    if (p == NULL) {
        answer_error(s, -ENOMEM);
        return;
    }
    *p = (struct part){.tag = tag, .flags = flags, .bytes = bytes};
    memcpy(p->data, data, bytes);
    *s->parts_end = p;
    s->parts_end = &p->next;
    if (s->parts == p)
        room_done(s, -EAGAIN);
}

/* ---- asking ---- */

static void publish(struct seat *s)
{
    struct link *link = s->caller->link;
    char reply[BRIDGE_SUBJECT_BYTES], header[80];
    uint64_t now_ns = strait_now_ns(), left_us = 0;
    struct out_message m = {
        .subject = link->subject, .reply = reply, .header = header, .data = s->msg.data, .bytes = s->msg.bytes};

    if (s->msg.deadline_ns)
        left_us = s->msg.deadline_ns > now_ns ? (s->msg.deadline_ns - now_ns) / 1000 + 1 : 1;
    if (s->plain)
        snprintf(header, sizeof header, "M %u", s->msg.tag);
    else
        snprintf(header, sizeof header, "Q %u %u %u %" PRIu64, s->msg.tag, s->attempt, CALLS_WINDOW, left_us);
    s->state = SEAT_ASKED;
    s->sent_ns = s->heard_ns = s->asked_ns = now_ns;
    s->received = s->passed_on = s->told = 0;
    s->remote[0] = 0;
    if (server_box_address(link, &s->box, s->index, s->number, reply) < 0 || server_send(link->bridge, &m) < 0) {
        s->state = SEAT_AGAIN;
        s->again_ns = now_ns + BUSY_NS;
    }
}

/* Once more, perhaps to another server: what came of the last try is void. */
static void ask_again(struct seat *s, uint64_t in_ns)
{
    bool begun = s->received > 0 || s->answer.first_flags;

    s->number++;
    s->attempt++;
    s->caller->link->status->redelivered++;
    if (strait_op_pending(&s->await.op))
        strait_op_cancel(&s->await.op);
    else
        drop_parts(s);
    if (begun && !s->plain)
        s->answer.first_flags = STRAIT_MSG_RESTART;
    s->state = SEAT_AGAIN;
    s->again_ns = strait_after_ns(in_ns);
}

static void begin(struct seat *s)
{
    s->plain = !(s->msg.flags & STRAIT_MSG_REQUEST);
    s->attempt = 0;
    s->first_ns = strait_now_ns();
    drop_parts(s);
    if (!s->plain && strait_answer_accept(s->rx, &s->msg, &s->answer) < 0) {
        end(s); /* the caller has gone, or has its answer */
        return;
    }
    publish(s);
}

/* ---- taking ---- */

static void await_done(struct strait_op *op, int res)
{
    struct seat *s = (struct seat *)(void *)op;

    if (s->state == SEAT_PEEKING) {
        s->state = SEAT_FREE;
        if (res == -ECANCELED)
            return;
        if (res < 0)
            s->caller->paused = true;
        else
            begin(s);
        server_flush(s->caller->link->bridge); /* before the next peek, which costs a barrier of all CPUs */
        peek_next(s->caller);
        return;
    }
    if (s->state == SEAT_AGAIN) { /* cancelled by end() or ask_again() */
        drop_parts(s);
        if (s->again_ns == STRAIT_FOREVER)
            end(s);
        return;
    }
    room_done(s, res);
}

static void peek_next(struct caller *c)
{
    struct link *link = c->link;
    struct seat *s = NULL;

    if (!server_up(link->bridge) || c->paused || link->bridge->stopping)
        return;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->seats[i].state == SEAT_PEEKING)
            return;
        if (c->seats[i].state == SEAT_FREE && s == NULL)
            s = &c->seats[i];
    }
    if (s == NULL)
        return;
    if (s->rx == NULL && strait_rx_open(link->bridge->segment, link->options->name, NULL, &s->rx) < 0) {
        c->paused = true;
        return;
    }
    s->state = SEAT_PEEKING;
    if (strait_await_peek(link->bridge->loop, &s->await, s->rx, &s->msg, STRAIT_FOREVER) < 0)
        s->state = SEAT_FREE;
}

/* ---- what comes from the other side ---- */

static void nobody(struct seat *s)
{
    struct link *link = s->caller->link;

    link->status->refused++;
    s->caller->nobody = true;
    /* A call that was under way when its server died gets some time: another may come. So does a message. */
    if ((s->attempt > 0 || s->plain) && strait_now_ns() - s->first_ns < CALLS_PATIENCE_NS)
        ask_again(s, BRIDGE_TICK_NS);
    else
        answer_error(s, -EHOSTDOWN);
}

static void answered_part(struct seat *s, const struct calls_reply *reply, natsMsg *msg)
{
    s->state = SEAT_AT_WORK;
    snprintf(s->remote, sizeof s->remote, "%s", reply->call);
    s->caller->nobody = false;
    if (reply->number != s->received) { /* one got lost with a connection */
        say(s, "C", 0, NULL);
        ask_again(s, 0);
        return;
    }
    s->received++;
    if (reply->flags & STRAIT_MSG_RESTART)
        s->answer.first_flags = s->passed_on || s->answer.first_flags ? STRAIT_MSG_RESTART : 0;
    part(s, reply->tag, reply->flags, natsMsg_GetData(msg), (uint32_t)natsMsg_GetDataLength(msg));
}

static void answered_at_it(struct seat *s, const struct calls_reply *reply)
{
    s->state = SEAT_AT_WORK;
    snprintf(s->remote, sizeof s->remote, "%s", reply->call);
    s->caller->nobody = false;
    if (reply->number > s->received) { /* in order: what was sent before this would be here */
        say(s, "C", 0, NULL);
        ask_again(s, 0);
    }
}

static void answered(struct seat *s, const char *header, natsMsg *msg)
{
    struct calls_reply reply;

    s->heard_ns = strait_now_ns();
    if (!calls_read_reply(header, s->plain, &reply)) {
        bridge_strange(s->caller->link, "an answer");
        say(s, "C", 0, NULL);
        answer_error(s, -EPROTO);
        return;
    }
    switch (reply.letter) {
    case 'P':
        answered_part(s, &reply, msg);
        break;
    case 'A':
        answered_at_it(s, &reply);
        break;
    case 'B':
        s->caller->link->status->refused++;
        ask_again(s, BUSY_NS);
        s->attempt--; /* nobody has begun it */
        break;
    case 'D':
        done_well(s);
        break;
    case 'E':
        answer_error(s, -(int)reply.number);
        break;
    case 'U':
        ask_again(s, 0);
        break;
    }
}

static void look_into(struct seat *s, natsMsg *msg, int r)
{
    struct words w;

    if (s->state != SEAT_ASKED && s->state != SEAT_AT_WORK)
        return;
    if (r < 0 && s->state == SEAT_AT_WORK) {
        ask_again(s, 0); /* its server is no longer there */
    } else if (r < 0) {
        nobody(s);
    } else {
        w = words_of(strrchr(natsMsg_GetSubject(msg), '.'), '.');
        words_skip(&w, 1);
        if (words_number(&w, 0, UINT32_MAX) == s->number && words_end(&w)) /* else an earlier call's */
            answered(s, server_header(msg), msg);
    }
}

static void drain(struct link *link)
{
    struct caller *c = link->state;
    natsMsg *msg = NULL;
    int r;

    for (uint32_t i = 0; i < c->n; i++)
        while (c->seats[i].state != SEAT_FREE && (r = server_next(c->seats[i].box.subscription, &msg)) != 0) {
            look_into(&c->seats[i], msg, r);
            if (r > 0)
                bin_put(&link->bridge->bin, msg);
        }
}

static void message(struct link *link, char what, const char *rest, natsMsg *msg)
{
    (void)link; /* all that comes for us comes into the seats' boxes */
    (void)what;
    (void)rest;
    (void)msg;
}

/* ---- time ---- */

static void watch(struct seat *s, uint64_t now_ns)
{
    char reply[BRIDGE_SUBJECT_BYTES];

    if (!s->plain && strait_answer_wanted(&s->answer) < 0) {
        cancel(s);
        return;
    }
    if (s->state == SEAT_AGAIN) {
        if (now_ns >= s->again_ns && !strait_op_pending(&s->await.op))
            publish(s);
        return;
    }
    if (now_ns - s->heard_ns > CALLS_PATIENCE_NS || (!s->remote[0] && now_ns - s->heard_ns > 2 * CALLS_ASK_NS)) {
        ask_again(s, 0);
    } else if (s->remote[0] && now_ns - s->asked_ns > CALLS_ASK_NS) {
        s->asked_ns = now_ns;
        s->told = s->passed_on;
        if (server_box_address(s->caller->link, &s->box, s->index, s->number, reply) == 0)
            say(s, "K %u", s->passed_on, reply);
    }
}

static void tick(struct link *link, uint64_t now_ns)
{
    struct caller *c = link->state;
    uint64_t open = 0;

    for (uint32_t i = 0; i < c->n; i++)
        if (c->seats[i].state > SEAT_PEEKING) {
            open++;
            if (server_up(link->bridge) || !c->seats[i].plain)
                watch(&c->seats[i], now_ns);
        }
    link->status->under_way = open;
    if (!server_up(link->bridge))
        return;
    link->status->state = c->nobody ? BRIDGE_LINK_NOBODY : BRIDGE_LINK_RUNNING;
    c->paused = false;
    peek_next(c);
}

static void up(struct link *link)
{
    struct caller *c = link->state;

    for (uint32_t i = 0; i < c->n; i++) {
        struct seat *s = &c->seats[i];
        if (s->state == SEAT_AT_WORK)
            s->asked_ns = 0; /* ask at once whether anything got lost */
        if (s->state == SEAT_ASKED)
            ask_again(s, 0);
        if (s->state > SEAT_PEEKING)
            s->heard_ns = strait_now_ns();
    }
    peek_next(c);
}

static void down(struct link *link)
{
    link->status->state = BRIDGE_LINK_OFFLINE;
}

/* ---- open and close ---- */

static int open_link(struct link *link)
{
    struct bridge_channel channel;
    struct caller *c;
    int r = bridge_channel_look(link, &channel);

    if (r < 0)
        return r == -ENOENT ? -EAGAIN : r;
    if (channel.replies == 0) {
        bridge_fail(link->bridge, -EPROTOTYPE, "%s carries no requests: --out is for such channels, --call is not",
                    link->options->name);
        return -EPROTOTYPE;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    c->link = link;
    c->n = channel.replies < link->options->parallel ? channel.replies : link->options->parallel;
    c->request_bytes = channel.slot_bytes;
    c->seats = calloc(c->n, sizeof *c->seats);
    r = c->seats ? strait_channel_hold(link->bridge->segment, link->options->name, &c->hold) : -ENOMEM;
    if (r == 0)
        r = strait_rx_open(link->bridge->segment, link->options->name, NULL, &c->seats[0].rx);
    if (r < 0) {
        strait_channel_unhold(c->hold);
        free(c->seats);
        free(c);
        return r == -EBUSY ? -EAGAIN : r;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        c->seats[i].caller = c;
        c->seats[i].index = i;
        c->seats[i].await.op.done = await_done;
        c->seats[i].parts_end = &c->seats[i].parts;
    }
    link->status->window = c->n;
    link->state = c;
    return 0;
}

static bool busy(const struct link *link)
{
    const struct caller *c = link->state;

    for (uint32_t i = 0; i < c->n; i++)
        if (c->seats[i].state > SEAT_PEEKING)
            return true;
    return false;
}

static uint64_t largest(const struct link *link)
{
    const struct caller *c = link->state;
    return c->request_bytes;
}

static void close_link(struct link *link)
{
    struct caller *c = link->state;

    for (uint32_t i = 0; i < c->n; i++) {
        drop_parts(&c->seats[i]);
        server_box_close(&c->seats[i].box);
        strait_rx_close(c->seats[i].rx);
    }
    strait_channel_unhold(c->hold);
    free(c->seats);
    free(c);
}

const struct link_kind link_call = {.open = open_link,
                                    .up = up,
                                    .down = down,
                                    .message = message,
                                    .drain = drain,
                                    .tick = tick,
                                    .busy = busy,
                                    .largest = largest,
                                    .close = close_link};
