/* SPDX-License-Identifier: MIT */
/* Channels without an end of their own: create, shut, unlink, hold. */
#include "strait/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "admin.h"
#include "endpoint.h"
#include "error.h"

int strait_channel_create(struct strait_segment *s, const char *name, const struct strait_channel_options *options)
{
    struct strait_object object;
    int r;

    strait_process_lock();
    r = strait_process_admin(s);
    if (r == 0) {
        r = strait_endpoint_create(s, name, options, &object);
        strait_admin_leave(&s->map);
    }
    strait_process_unlock();
    return r;
}

int strait_channel_shut(struct strait_segment *s, const char *name)
{
    struct strait_channel_view view;
    struct strait_object object;
    int r;

    strait_process_lock();
    r = strait_process_admin(s);
    if (r == 0) {
        r = strait_directory_find(&s->map, name, STRAIT_KIND_CHANNEL, &object);
        if (r == 0)
            r = strait_channel_view(&s->map, &object, &view);
        if (r == 0)
            strait_channel_close(&view);
        else
            strait_fail(r, "channel %s of segment %s: %s", name, s->map.path, strait_strerror(r));
        strait_admin_leave(&s->map);
    }
    strait_process_unlock();
    return r;
}

int strait_channel_unlink(struct strait_segment *s, const char *name)
{
    int r;

    strait_process_lock();
    r = strait_process_admin(s);
    if (r == 0) {
        r = strait_directory_unlink(&s->map, name, STRAIT_KIND_CHANNEL);
        if (r < 0)
            strait_fail(r, "channel %s of segment %s: %s", name, s->map.path, strait_strerror(r));
        strait_admin_leave(&s->map);
    }
    strait_process_unlock();
    return r;
}

struct strait_hold {
    struct strait_endpoint endpoint;
};

int strait_channel_hold(struct strait_segment *segment, const char *name, struct strait_hold **hold)
{
    struct strait_hold *h = calloc(1, sizeof *h);
    int r;

    if (h == NULL)
        return strait_fail(-ENOMEM, "channel %s: out of memory", name);
    r = strait_endpoint_open(&h->endpoint, segment, name, NULL, STRAIT_ROLE_HOLDER, false);
    if (r < 0)
        free(h);
    else
        *hold = h;
    return r;
}

void strait_channel_unhold(struct strait_hold *hold)
{
    if (hold == NULL)
        return;
    strait_endpoint_close(&hold->endpoint);
    free(hold);
}
