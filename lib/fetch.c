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
#define REQUEST_BYTES 2048

static uint32_t power_of_two(uint32_t n)
{
    uint32_t power = 16;

    while (power < n)
        power *= 2;
    return power;
}

struct strait_channel_options strait_fetch_channel(uint32_t in_flight)
{
    return (struct strait_channel_options){
        .slot_bytes = REQUEST_BYTES,
        .depth = power_of_two(in_flight),
        .max_attempts = 5, /* a GET may be repeated; a URL that kills whoever touches it still has an end */
        .peek_window = power_of_two(in_flight),
        .replies = in_flight,
        .reply_bytes = PART_BYTES,
        .reply_depth = PARTS,
    };
}

uint64_t strait_fetch_segment_bytes(uint32_t in_flight)
{
    uint64_t replies = (uint64_t)in_flight * (sizeof(struct strait_reply) + PARTS * (PART_BYTES + 128));
    uint64_t ring = (uint64_t)power_of_two(in_flight) * (REQUEST_BYTES + 128);

    return replies + ring + (UINT64_C(2) << 20);
}

int strait_fetch(struct strait_tx *tx, const char *url, uint64_t max_bytes, uint64_t transfer_deadline_ns,
                 struct strait_reply_rx *reply, uint64_t deadline_ns)
{
    struct strait_fetch_request head = {.max_bytes = max_bytes};
    unsigned char bytes[REQUEST_BYTES];
    size_t n = strnlen(url, STRAIT_URL_BYTES);

    if (n > sizeof bytes - sizeof head - sizeof(struct strait_request_head))
        return strait_fail(-ENAMETOOLONG, "the URL has more than %zu bytes",
                           sizeof bytes - sizeof head - sizeof(struct strait_request_head));
    head.url_bytes = (uint32_t)n;
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, url, n);
    return strait_request(tx, STRAIT_FETCH_GET, bytes, (uint32_t)(sizeof head + n), transfer_deadline_ns, reply,
                          deadline_ns);
}

int strait_fetch_part(const struct strait_msg *msg, struct strait_fetch_part *part)
{
    struct strait_fetch_part p = {.data = msg->data, .bytes = msg->bytes};

    p.last = msg->flags & STRAIT_MSG_LAST;
    p.failure = msg->flags & STRAIT_MSG_ERROR;
    p.first = msg->tag == STRAIT_FETCH_FIRST || p.failure;
    if (p.first) {
        if (p.bytes < sizeof p.head)
            return -EBADMSG;
        strait_payload_read(&p.head, p.data, sizeof p.head);
        p.data += sizeof p.head;
        p.bytes -= (uint32_t)sizeof p.head;
    }
    if (p.failure != (p.head.kind != STRAIT_FETCH_OK) || (p.failure && !p.last) || p.head.kind >= STRAIT_FETCH_KINDS)
        return -EBADMSG;
    *part = p;
    return 0;
}

const char *strait_fetch_kind_name(uint32_t kind)
{
    static const char *const names[] = {"ok",      "url",       "resolve", "connect", "protocol", "status",
                                        "timeout", "too-large", "file",    "local",   "worker"};

    return kind < STRAIT_FETCH_KINDS ? names[kind] : "unknown";
}
