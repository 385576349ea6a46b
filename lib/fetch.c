/* SPDX-License-Identifier: MIT */
/* The coordinator's side of strait/fetch.h, and what both sides agree on. */
#include "strait/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "url.h"

#define PART_BYTES    16368 /* with the slot's head, 16 KiB: what a socket gives at once */
#define PARTS         4     /* of one answer on the way */
#define REQUEST_BYTES 4096

static uint32_t power_of_two(uint32_t n)
{
    uint32_t power = 16;

    while (power < n)
        power *= 2;
    return power;
}

/* A job's slot comes free a moment after its answer does: who asks again at once needs another. */
static uint32_t jobs_depth(uint32_t in_flight)
{
    return power_of_two(2 * in_flight);
}

struct strait_channel_options strait_fetch_channel(uint32_t in_flight)
{
    return (struct strait_channel_options){
        .slot_bytes = REQUEST_BYTES,
        .depth = jobs_depth(in_flight),
        .max_attempts = 5, /* a GET may be repeated; a URL that kills whoever touches it still has an end */
        .peek_window = jobs_depth(in_flight),
        .replies = in_flight,
        .reply_bytes = PART_BYTES,
        .reply_depth = PARTS,
    };
}

uint64_t strait_fetch_segment_bytes(uint32_t in_flight)
{
    uint64_t replies = (uint64_t)in_flight * (sizeof(struct strait_reply) + PARTS * (PART_BYTES + 128));
    uint64_t ring = (uint64_t)jobs_depth(in_flight) * (REQUEST_BYTES + 128);

    return replies + ring + (UINT64_C(2) << 20);
}

/* One of the texts behind a request; NULL is an empty one. False: it does not fit. */
static bool add_text(unsigned char *bytes, size_t *at, size_t room, const char *text, uint16_t *length)
{
    size_t n = text ? strnlen(text, room) : 0;

    if (n > room - *at)
        return false;
    if (n)
        memcpy(bytes + *at, text, n);
    *at += n;
    *length = (uint16_t)n;
    return true;
}

int strait_fetch(struct strait_tx *tx, const char *url, const struct strait_fetch_ask *ask,
                 struct strait_reply_rx *reply, uint64_t deadline_ns)
{
    static const struct strait_fetch_ask plain;
    const struct strait_fetch_ask *a = ask ? ask : &plain;
    struct strait_fetch_request head = {.max_bytes = a->max_bytes,
                                        .idle_ns = a->idle_ns,
                                        .from = a->from,
                                        .bytes = a->bytes,
                                        .flags = a->flags,
                                        .redirects = (uint16_t)(a->redirects < UINT16_MAX ? a->redirects : UINT16_MAX),
                                        .retries = (uint16_t)(a->retries < UINT16_MAX ? a->retries : UINT16_MAX)};
    unsigned char bytes[REQUEST_BYTES - sizeof(struct strait_request_head)];
    size_t at = sizeof head;

    if (!add_text(bytes, &at, sizeof bytes, url, &head.url_bytes) ||
        !add_text(bytes, &at, sizeof bytes, a->fields, &head.fields_bytes) ||
        !add_text(bytes, &at, sizeof bytes, a->file, &head.file_bytes) ||
        !add_text(bytes, &at, sizeof bytes, a->checksum, &head.checksum_bytes))
        return strait_fail(-ENAMETOOLONG, "the URL, and what goes with it, has more than %zu bytes",
                           sizeof bytes - sizeof head);
    memcpy(bytes, &head, sizeof head);
    return strait_request(tx, STRAIT_FETCH_GET, bytes, (uint32_t)at, a->deadline_ns ? a->deadline_ns : STRAIT_FOREVER,
                          reply, deadline_ns);
}

int strait_fetch_part(const struct strait_msg *msg, struct strait_fetch_part *part)
{
    struct strait_fetch_part p = {.data = msg->data, .bytes = msg->bytes};

    p.last = msg->flags & STRAIT_MSG_LAST;
    p.failure = msg->flags & STRAIT_MSG_ERROR;
    p.stored = msg->tag == STRAIT_FETCH_STORED && !p.failure;
    p.first = msg->tag == STRAIT_FETCH_FIRST || p.failure;
    if (p.failure && p.last && p.bytes == sizeof p.head.error) { /* no worker's, but a bridge's: a number alone */
        static const char text[] = "no machine with workers can be reached";
        strait_payload_read(&p.head.error, p.data, sizeof p.head.error);
        p.head.kind = STRAIT_FETCH_WORKER;
        p.data = p.fields = text;
        p.bytes = sizeof text - 1;
        *part = p;
        return 0;
    }
    if (p.first || p.stored) {
        if (p.bytes < sizeof p.head)
            return -EBADMSG;
        strait_payload_read(&p.head, p.data, sizeof p.head);
        p.data += sizeof p.head;
        p.bytes -= (uint32_t)sizeof p.head;
        if (p.head.fields_bytes > p.bytes)
            return -EBADMSG;
        p.fields = p.data;
        p.data += p.head.fields_bytes;
        p.bytes -= p.head.fields_bytes;
    }
    if (p.failure != (p.head.kind != STRAIT_FETCH_OK) || (p.failure && !p.last) || p.head.kind >= STRAIT_FETCH_KINDS ||
        (p.stored && p.bytes))
        return -EBADMSG;
    *part = p;
    return 0;
}

const char *strait_fetch_kind_name(uint32_t kind)
{
    static const char *const names[] = {"ok",       "url",       "resolve", "connect", "protocol", "status",
                                        "timeout",  "too-large", "file",    "local",   "worker",   "tls",
                                        "redirect", "refused",   "proxy",   "checksum"};

    return kind < STRAIT_FETCH_KINDS ? names[kind] : "unknown";
}
