/* SPDX-License-Identifier: MIT */
/**
 * Callers elsewhere -> the local pool. We subscribe as long as somebody works here, so that "no responders" means what it
 * says; each request becomes a request of ours, and each part of its answer a message, as many ahead as the other side's
 * window allows: a caller that is slow slows our worker, and nothing piles up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strait/error.h>

#include "bridge.h"
#include "calls.h"
#include "endpoint.h"
#include "server.h"
#include "words.h"

struct call {
    struct strait_await await; /* first: waits for the next part */
    struct serve *serve;
    uint32_t index, number;
    bool open, ending;
    struct strait_reply_rx reply;
    struct strait_msg info;
    unsigned char *buffer;
    uint32_t sent, window, passed_on; /* parts */
    uint64_t heard_ns, said_ns;
    char to[BRIDGE_SUBJECT_BYTES]; /* the caller's subject for this call */
};

struct serve {
    struct link *link;
    struct strait_tx *tx;
    struct call *calls;
    uint32_t n, reply_bytes;
};

/* ---- telling ---- */

static void say(struct serve *v, const char *to, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct serve *v, const char *to, const char *format, ...)
{
    char header[BRIDGE_SUBJECT_BYTES + 64];
    struct out_message m = {.subject = to, .header = header, .data = ""};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(header, sizeof header, format, arguments);
    va_end(arguments);
    server_send(v->link->bridge, &m);
}

static void say_at_it(struct call *c)
{
    char own[BRIDGE_SUBJECT_BYTES];

    server_address(c->serve->link, 'c', own, "%u.%u", c->index, c->number);
    c->said_ns = strait_now_ns();
    say(c->serve, c->to, "A %u %s", c->sent, own);
}

/* ---- a call's end ---- */

static void end(struct call *c)
{
    if (strait_op_pending(&c->await.op)) {
        c->ending = true;
        strait_op_cancel(&c->await.op); /* its done() comes back here */
        return;
    }
    strait_reply_close(&c->reply);
    c->open = c->ending = false;
    c->number++;
}

static void fail(struct call *c, int error)
{
    c->serve->link->status->failed++;
    say(c->serve, c->to, "E %d", -error);
    end(c);
}

/* ---- parts ---- */

static void want_part(struct call *c)
{
    int r;

    if (!c->open || c->ending || strait_op_pending(&c->await.op) || c->sent - c->passed_on >= c->window ||
        !server_up(c->serve->link->bridge))
        return;
    r = strait_await_reply(c->serve->link->bridge->loop, &c->await, &c->reply, c->buffer, c->serve->reply_bytes,
                           &c->info, STRAIT_FOREVER);
    if (r < 0)
        fail(c, r);
}

static void send_part(struct call *c, uint32_t bytes)
{
    struct link *link = c->serve->link;
    char header[BRIDGE_SUBJECT_BYTES + 64], own[BRIDGE_SUBJECT_BYTES];
    struct out_message m = {.subject = c->to, .header = header, .data = c->buffer, .bytes = bytes};

    server_address(link, 'c', own, "%u.%u", c->index, c->number);
    snprintf(header, sizeof header, "P %u %u %u %s", c->sent, c->info.tag, c->info.flags, own);
    if (server_send(link->bridge, &m) == -EMSGSIZE) {
        fail(c, -EMSGSIZE);
        return;
    }
    c->sent++;
    c->said_ns = strait_now_ns();
    link->status->bytes += bytes;
    if (c->info.flags & STRAIT_MSG_LAST) {
        link->status->messages++;
        end(c);
    } else {
        want_part(c);
    }
}

static void part_done(struct strait_op *op, int res)
{
    struct call *c = (struct call *)(void *)op;

    if (c->ending)
        end(c);
    else if (res >= 0)
        send_part(c, (uint32_t)res);
    else if (res == -EPIPE)
        fail(c, -EHOSTDOWN); /* the last worker has gone */
    else if (res != -ECANCELED)
        fail(c, res);
}

/* ---- requests ---- */

static struct call *free_call(struct serve *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (!v->calls[i].open)
            return &v->calls[i];
    return NULL;
}

/* It says nothing that we could do: who asks is told so at once, and need not wait in vain. */
static void refuse(struct serve *v, const char *to)
{
    v->link->status->failed++;
    bridge_strange(v->link, "a request");
    say(v, to, "E %d", EPROTO);
}

static void begin(struct serve *v, const struct calls_request *q, natsMsg *msg)
{
    const char *to = natsMsg_GetReply(msg);
    struct call *c = free_call(v);
    int r;

    if (c && c->buffer == NULL)
        c->buffer = malloc(v->reply_bytes);
    r = c && c->buffer
            ? strait_request(v->tx, q->tag, natsMsg_GetData(msg), (uint32_t)natsMsg_GetDataLength(msg),
                             q->left_us ? strait_after_ns(q->left_us * 1000) : STRAIT_FOREVER, &c->reply, STRAIT_NOW)
            : -EAGAIN;
    if (r == -EAGAIN || r == -ETIMEDOUT || r == -ENOBUFS) {
        v->link->status->refused++;
        say(v, to, "B");
        return;
    }
    if (r < 0) {
        v->link->status->failed++;
        say(v, to, "E %d", r == -EPIPE ? EHOSTDOWN : -r);
        return;
    }
    c->open = true;
    c->sent = c->passed_on = 0;
    c->window = q->window;
    c->heard_ns = c->said_ns = strait_now_ns();
    snprintf(c->to, sizeof c->to, "%s", to);
    v->link->status->redelivered += q->attempt > 0;
    want_part(c);
}

static void pass_message(struct serve *v, const struct calls_request *q, natsMsg *msg)
{
    int r = strait_send_tagged(v->tx, q->tag, natsMsg_GetData(msg), (uint32_t)natsMsg_GetDataLength(msg), STRAIT_NOW);

    if (r == 0) {
        v->link->status->messages++;
        say(v, natsMsg_GetReply(msg), "D");
    } else if (r == -EAGAIN || r == -ETIMEDOUT) {
        say(v, natsMsg_GetReply(msg), "B");
    } else {
        say(v, natsMsg_GetReply(msg), "E %d", -r);
    }
}

static void request(struct link *link, natsMsg *msg)
{
    struct serve *v = link->state;
    const char *to = natsMsg_GetReply(msg);
    struct calls_request q;

    if (to == NULL)
        link->status->failed++; /* nobody to be told */
    else if (strlen(to) >= BRIDGE_SUBJECT_BYTES || !calls_read_request(server_header(msg), &q))
        refuse(v, to);
    else if (link->bridge->stopping)
        say(v, to, "B");
    else if (q.letter == 'M')
        pass_message(v, &q, msg);
    else
        begin(v, &q, msg);
}

/* What the caller's side says of a call that is open. */
static void follow(struct call *c, const char *header)
{
    struct calls_word word;

    if (!calls_read_word(header, c->sent, &word)) {
        bridge_strange(c->serve->link, "a word about a call");
        fail(c, -EPROTO);
        return;
    }
    if (word.letter == 'C') {
        end(c);
        return;
    }
    c->passed_on = word.parts;
    if (word.letter == 'K')
        say_at_it(c);
    want_part(c);
}

static void message(struct link *link, char what, const char *rest, natsMsg *msg)
{
    struct serve *v = link->state;
    const char *header = server_header(msg), *reply = natsMsg_GetReply(msg);
    struct words w = words_of(rest, '.');
    uint32_t index = (uint32_t)words_number(&w, 0, v->n - 1), number = (uint32_t)words_number(&w, 0, UINT32_MAX);
    struct call *c = &v->calls[index];

    if (what != 'c' || header == NULL || !words_end(&w)) {
        bridge_strange(link, "a word about a call");
        return;
    }
    if (!c->open || c->ending || c->number != number) {
        if (*header == 'K' && reply)
            say(v, reply, "U");
        return;
    }
    c->heard_ns = strait_now_ns();
    follow(c, header);
}

/* ---- time ---- */

static void tick(struct link *link, uint64_t now_ns)
{
    struct serve *v = link->state;
    bool workers = bridge_has_receivers(v->tx->endpoint);
    uint64_t open = 0;

    for (uint32_t i = 0; i < v->n; i++) {
        struct call *c = &v->calls[i];
        if (!c->open)
            continue;
        open++;
        if (now_ns - c->heard_ns > 3 * CALLS_PATIENCE_NS)
            end(c); /* the caller's side asks every second: it is gone */
        else if (c->sent == 0 && c->said_ns == c->heard_ns && now_ns - c->said_ns > CALLS_ACCEPT_NS)
            say_at_it(c);
    }
    link->status->under_way = open;
    if (!server_up(link->bridge))
        return;
    link->status->state = workers ? BRIDGE_LINK_RUNNING : BRIDGE_LINK_NOBODY;
    if (workers && !link->bridge->stopping)
        server_subscribe(link, link->subject, BRIDGE_DURABLE);
    else
        server_unsubscribe(link);
}

static void up(struct link *link)
{
    struct serve *v = link->state;

    tick(link, strait_now_ns());
    for (uint32_t i = 0; i < v->n; i++)
        want_part(&v->calls[i]);
}

static void down(struct link *link)
{
    link->status->state = BRIDGE_LINK_OFFLINE;
}

/* ---- open and close ---- */

static int open_link(struct link *link)
{
    struct bridge_channel channel;
    struct serve *v;
    int r = bridge_channel_look(link, &channel);

    if (r < 0)
        return r == -ENOENT ? -EAGAIN : r;
    if (channel.replies == 0) {
        bridge_fail(link->bridge, -EPROTOTYPE, "%s carries no requests: --in is for such channels, --serve is not",
                    link->options->name);
        return -EPROTOTYPE;
    }
    v = calloc(1, sizeof *v);
    if (v == NULL)
        return -ENOMEM;
    v->link = link;
    v->n = channel.replies < link->options->parallel ? channel.replies : link->options->parallel;
    v->reply_bytes = channel.reply_bytes;
    v->calls = calloc(v->n, sizeof *v->calls);
    r = v->calls ? strait_tx_open(link->bridge->segment, link->options->name, NULL, &v->tx) : -ENOMEM;
    if (r < 0) {
        free(v->calls);
        free(v);
        return r == -EBUSY ? -EAGAIN : r;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        v->calls[i].serve = v;
        v->calls[i].index = i;
        v->calls[i].await.op.done = part_done;
    }
    link->status->window = v->n;
    link->state = v;
    return 0;
}

static bool busy(const struct link *link)
{
    const struct serve *v = link->state;

    for (uint32_t i = 0; i < v->n; i++)
        if (v->calls[i].open)
            return true;
    return false;
}

static uint64_t largest(const struct link *link)
{
    const struct serve *v = link->state;
    return v->reply_bytes;
}

static void close_link(struct link *link)
{
    struct serve *v = link->state;

    for (uint32_t i = 0; i < v->n; i++) {
        if (v->calls[i].open)
            strait_reply_close(&v->calls[i].reply);
        free(v->calls[i].buffer);
    }
    strait_tx_close(v->tx);
    free(v->calls);
    free(v);
}

const struct link_kind link_serve = {.open = open_link,
                                     .up = up,
                                     .down = down,
                                     .message = message,
                                     .request = request,
                                     .tick = tick,
                                     .busy = busy,
                                     .largest = largest,
                                     .close = close_link};
