/* SPDX-License-Identifier: MIT */
/* What all links need: complaints, and a look at the local object before it is opened. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <strait/error.h>

#include "bridge.h"
#include "channel.h"
#include "endpoint.h"
#include "lease.h"

void bridge_say(const struct bridge *b, const char *format, ...)
{
    va_list arguments;

    if (b->options.quiet)
        return;
    va_start(arguments, format);
    fputs("strait-bridge: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void bridge_strange(struct link *link, const char *what)
{
    if (!link->strange)
        bridge_say(link->bridge,
                   "%s: %s was refused: its header " BRIDGE_HEADER " is none of ours. More of the kind is only counted "
                   "(failed in shmctl bridge)",
                   link->options->name, what);
    link->strange = true;
}

void bridge_fail(struct bridge *b, int error, const char *format, ...)
{
    va_list arguments;

    if (b->failed)
        return;
    b->failed = error;
    va_start(arguments, format);
    fputs("strait-bridge: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static const char *why_not(uint32_t kind)
{
    if (kind == STRAIT_KIND_REGION)
        return "a region: its lock means something on one machine only. Keep it there, and send messages about it";
    if (kind == STRAIT_KIND_COUNTER)
        return "a counter: its cells are summed on one machine only. Send its value as a message instead";
    return "no channel";
}

int bridge_channel_look(struct link *link, struct bridge_channel *channel)
{
    struct strait_segment_map *map = &link->bridge->segment->map;
    const char *name = link->options->name;
    struct strait_object object;
    struct strait_channel_view v;
    struct strait_ring checked, *ring;
    struct strait_reply *reply;
    unsigned char *slots;
    int r = strait_directory_find(map, name, 0, &object);

    if (r < 0)
        return r;
    if (object.kind != STRAIT_KIND_CHANNEL) {
        bridge_fail(link->bridge, -ENOTUNIQ, "%s is %s", name, why_not(object.kind));
        return -ENOTUNIQ;
    }
    r = strait_channel_view(map, &object, &v);
    if (r == 0)
        r = strait_channel_ring(&v, 0, &ring, &checked, &slots);
    if (r < 0) {
        bridge_fail(link->bridge, r, "channel %s is damaged: shmctl verify says where", name);
        return r;
    }
    *channel = (struct bridge_channel){.slot_bytes = v.slot_bytes,
                                       .replies = v.replies,
                                       .window = v.peek_window,
                                       .lanes = v.flags & STRAIT_CHANNEL_LANES};
    if (v.replies) {
        reply = (struct strait_reply *)(void *)(map->base + v.replies_off);
        channel->reply_bytes = strait_load32_relaxed(&reply->ring.stride) - STRAIT_SLOT_HEAD;
    }
    return 0;
}

bool bridge_has_receivers(const struct strait_endpoint *endpoint)
{
    return strait_set_count(&endpoint->view.shared->receivers) > 0;
}
