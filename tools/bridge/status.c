/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <strait/error.h>

#include "bridge.h"
#include "process.h"

#define PATIENCE_NS UINT64_C(2000000000) /* a dead bridge's lock is had within 120 ms */
#define RATE_NS     UINT64_C(1000000000)

struct status_page {
    struct strait_region *region;
    struct bridge_status published;
    uint64_t counted[BRIDGE_LINKS]; /* messages at rated_ns */
    uint64_t rated_ns;
};

static uint64_t real_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void describe(struct bridge *b)
{
    struct bridge_status *s = &b->status;
    uint32_t lease = b->segment->map.lease;

    s->magic = BRIDGE_STATUS_MAGIC;
    s->pid = (uint32_t)getpid();
    s->lease = lease;
    s->lease_generation = strait_load64_relaxed(&strait_segment_lease(&b->segment->map, lease)->generation);
    s->started_ns = real_ns();
    s->links = b->options.links;
    snprintf(s->app, sizeof s->app, "%s", b->options.app);
    snprintf(s->server, sizeof s->server, "%s", b->options.server);
    for (uint32_t i = 0; i < b->options.links; i++) {
        struct bridge_link_status *l = &s->link[i];
        l->kind = b->options.link[i].kind;
        memcpy(l->name, b->options.link[i].name, sizeof l->name);
        memcpy(l->subject, b->link[i].subject, sizeof l->subject);
    }
}

int status_open(struct bridge *b)
{
    struct strait_region_options options = {.bytes = sizeof(struct bridge_status), .atomic = true};
    struct status_page *p = calloc(1, sizeof *p);
    int r;

    if (p == NULL)
        return -ENOMEM;
    r = strait_region_open(b->segment, b->options.name, &options, &p->region);
    if (r < 0) {
        free(p);
        return r;
    }
    r = strait_region_lock_for_heal(p->region, strait_after_ns(PATIENCE_NS));
    if (r < 0) {
        strait_region_close(p->region);
        free(p);
        return r == -ETIMEDOUT ? -EBUSY : r;
    }
    strait_region_heal(p->region);
    describe(b);
    b->page = p;
    return 0;
}

static void rate(struct bridge *b, uint64_t now_ns)
{
    struct status_page *p = b->page;
    uint64_t elapsed_ns = now_ns - p->rated_ns;

    for (uint32_t i = 0; i < b->options.links; i++) {
        struct bridge_link_status *l = &b->status.link[i];
        uint64_t n = l->messages - p->counted[i];
        l->per_second_milli = p->rated_ns ? (uint64_t)((double)n * 1e12 / (double)elapsed_ns) : 0;
        if (n)
            l->last_ns = real_ns();
        p->counted[i] = l->messages;
    }
    p->rated_ns = now_ns;
}

void status_publish(struct bridge *b, uint64_t now_ns)
{
    struct status_page *p = b->page;
    void *copy;

    if (now_ns - p->rated_ns >= RATE_NS)
        rate(b, now_ns);
    p->published.updated_ns = b->status.updated_ns;
    if (memcmp(&p->published, &b->status, sizeof p->published) == 0)
        return;
    b->status.updated_ns = real_ns();
    if (strait_region_begin(p->region, &copy) < 0)
        return;
    memcpy(copy, &b->status, sizeof b->status);
    strait_region_commit(p->region);
    p->published = b->status;
}

void status_close(struct bridge *b)
{
    if (b->page == NULL)
        return;
    status_publish(b, strait_now_ns());
    strait_region_unlock(b->page->region);
    strait_region_close(b->page->region);
    free(b->page);
    b->page = NULL;
}
