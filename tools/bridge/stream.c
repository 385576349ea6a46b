/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"
#include "words.h"

#define ASK_AGAIN_NS UINT64_C(1000000000)

/* Error codes of the server that mean: it is there, made otherwise. */
#define STREAM_EXISTS             10058
#define CONSUMER_EXISTS           10013
#define CONSUMER_EXISTS_OTHERWISE 10148

void stream_init(struct stream *s, struct link *link, bool consumer)
{
    const struct link_options *o = link->options;
    int n;

    *s = (struct stream){.link = link, .consumer = consumer, .left = STREAM_UNKNOWN};
    n = snprintf(s->name, sizeof s->name, "strait_%s_%s", link->bridge->options.app, o->subject);
    for (int i = 0; i < n; i++)
        if (!isalnum((unsigned char)s->name[i]) && s->name[i] != '-')
            s->name[i] = '_';
    if (o->partition >= 0)
        snprintf(s->durable, sizeof s->durable, BRIDGE_DURABLE "-%d", o->partition);
    else
        snprintf(s->durable, sizeof s->durable, BRIDGE_DURABLE);
}

static void ask(struct stream *s, const char *step, const char *subject, const char *body)
{
    char reply[BRIDGE_SUBJECT_BYTES];
    struct out_message m = {.subject = subject, .reply = reply, .data = body, .bytes = (uint32_t)strlen(body)};

    server_address(s->link, 's', reply, "%s", step);
    server_send(s->link->bridge, &m);
}

static void ask_stream(struct stream *s)
{
    const struct link_options *o = s->link->options;
    char subject[256], body[1280];

    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s", s->name);
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"subjects\":[\"%s\",\"%s.>\"],\"retention\":\"workqueue\",\"discard\":\"new\","
             "\"max_msgs\":%" PRIi64 ",\"max_bytes\":-1,\"max_age\":0,\"max_consumers\":-1,\"max_msg_size\":-1,"
             "\"storage\":\"%s\",\"num_replicas\":%u,\"duplicate_window\":%" PRIu64 "}",
             s->name, s->link->subject, s->link->subject, o->limit ? (int64_t)o->limit : -1,
             o->memory ? "memory" : "file", o->replicas, o->duplicates_ns);
    ask(s, "stream", subject, body);
}

static void ask_consumer(struct stream *s)
{
    const struct link_options *o = s->link->options;
    char subject[256], body[1024], filter[BRIDGE_SUBJECT_BYTES + 64] = "";

    if (o->partition >= 0)
        snprintf(filter, sizeof filter, "\"filter_subject\":\"%s.%d.>\",", s->link->subject, o->partition);
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DURABLE.CREATE.%s.%s", s->name, s->durable);
    snprintf(body, sizeof body,
             "{\"stream_name\":\"%s\",\"config\":{\"durable_name\":\"%s\",\"deliver_policy\":\"all\",%s"
             "\"ack_policy\":\"explicit\",\"ack_wait\":%" PRIu64 ",\"max_deliver\":-1,\"max_ack_pending\":65536,"
             "\"max_waiting\":512,\"replay_policy\":\"instant\"}}",
             s->name, s->durable, filter, o->ack_wait_ns);
    ask(s, "consumer", subject, body);
}

void stream_ensure(struct stream *s)
{
    s->ready = false;
    s->asked_ns = strait_now_ns();
    ask_stream(s);
}

void stream_look(struct stream *s)
{
    char subject[256];

    s->looked_ns = strait_now_ns();
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.INFO.%s.%s", s->name, s->durable);
    ask(s, "look", subject, "");
}

void stream_count(struct stream *s)
{
    char subject[256];

    s->left = STREAM_UNKNOWN;
    if (s->link->options->partition < 0)
        snprintf(subject, sizeof subject, "$JS.API.CONSUMER.INFO.%s.%s", s->name, s->durable);
    else
        snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", s->name);
    ask(s, "count", subject, "");
}

/* ---- answers ---- */

uint64_t stream_number(const char *json, const char *key, uint64_t otherwise)
{
    char pattern[64];
    struct words w;
    uint64_t value;
    const char *at;

    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    at = json ? strstr(json, pattern) : NULL;
    if (at == NULL)
        return otherwise;
    w = words_of(at + strlen(pattern), ',');
    value = words_number(&w, 0, UINT64_MAX);
    return w.wrong ? otherwise : value;
}

int stream_error(natsMsg *msg)
{
    const char *text = natsMsg_GetData(msg);

    if (server_word(msg))
        return server_word(msg);
    if (text == NULL || *text != '{')
        return -EBADMSG;
    text = strstr(text, "\"error\":{");
    return text ? (int)stream_number(text, "err_code", 1) : 0;
}

/* "created":"2026-…": another time is another stream, whose numbers begin anew. */
static void remember_made(struct stream *s, const char *text)
{
    const char *at = strstr(text, "\"created\":\"");
    uint64_t hash = UINT64_C(14695981039346656037);

    for (at = at ? at + strlen("\"created\":\"") : ""; *at && *at != '"'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    s->made = hash;
}

static void complain(struct stream *s, const char *what, natsMsg *msg)
{
    if (strait_now_ns() - s->looked_ns > 10 * ASK_AGAIN_NS) /* once in a while, not ten times a second */
        bridge_say(s->link->bridge, "%s: the server refuses the %s: %.*s", s->link->options->name, what,
                   natsMsg_GetDataLength(msg), natsMsg_GetData(msg) ? natsMsg_GetData(msg) : "JetStream is off");
    s->looked_ns = strait_now_ns();
}

static bool have_stream(struct stream *s, natsMsg *msg)
{
    remember_made(s, natsMsg_GetData(msg));
    s->last = stream_number(natsMsg_GetData(msg), "last_seq", 0);
    if (s->consumer) {
        ask_consumer(s);
        return false;
    }
    s->asked_ns = 0;
    return s->ready = true;
}

static bool look_answered(struct stream *s, const char *text)
{
    const char *floor = strstr(text, "\"ack_floor\":{");

    s->waiting = stream_number(text, "num_pending", 0);
    s->pending = stream_number(text, "num_ack_pending", 0);
    s->floor = floor ? stream_number(floor, "stream_seq", 0) : 0;
    return true;
}

static uint64_t count_answered(const struct stream *s, const char *text)
{
    uint64_t waiting = stream_number(text, "num_pending", STREAM_UNKNOWN);

    if (s->link->options->partition >= 0)
        return stream_number(text, "messages", STREAM_UNKNOWN);
    return waiting == STREAM_UNKNOWN ? waiting : waiting + stream_number(text, "num_ack_pending", 0);
}

bool stream_message(struct stream *s, const char *rest, natsMsg *msg)
{
    int error = stream_error(msg);
    char subject[256];

    if (strcmp(rest, "look") == 0)
        return error == 0 && look_answered(s, natsMsg_GetData(msg));
    if (strcmp(rest, "count") == 0) {
        s->left = error ? STREAM_UNKNOWN : count_answered(s, natsMsg_GetData(msg));
        return error == 0;
    }
    if (s->ready)
        return false;
    if (strcmp(rest, "consumer") == 0) {
        if (error && error != CONSUMER_EXISTS && error != CONSUMER_EXISTS_OTHERWISE) {
            complain(s, "consumer", msg);
            return false;
        }
        s->asked_ns = 0;
        return s->ready = true;
    }
    if (error == 0)
        return have_stream(s, msg);
    if (error == STREAM_EXISTS && strcmp(rest, "stream") == 0) {
        snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", s->name);
        ask(s, "info", subject, "");
        return false;
    }
    complain(s, "stream", msg);
    return false;
}

void stream_tick(struct stream *s, uint64_t now_ns)
{
    if (!s->ready && s->asked_ns && now_ns - s->asked_ns > ASK_AGAIN_NS)
        stream_ensure(s);
}
