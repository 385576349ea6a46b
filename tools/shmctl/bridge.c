/* SPDX-License-Identifier: MIT */
/* shmctl bridge: what strait-bridge says of itself in the segment; also of one that is dead or was killed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../bridge/status.h"
#include "commands.h"
#include "region.h"
#include "strait/atomic.h"

#define TRIES 1000 /* a bridge publishes ten times a second; who meets it so often in a row reads garbage */

struct output {
    struct ctl_list list;
    unsigned n, bad; /* bridges, and those that somebody should look at */
};

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"?", "out", "in", "call", "serve"};
    return names[kind < sizeof names / sizeof names[0] ? kind : 0];
}

static const char *state_name(const struct bridge_link_status *l, bool alive, enum table_colour *colour)
{
    static const char *const names[] = {"waiting", "offline", "running", "full", "nobody", "closed"};
    static const enum table_colour colours[] = {TABLE_YELLOW, TABLE_RED,    TABLE_GREEN,
                                                TABLE_YELLOW, TABLE_YELLOW, TABLE_DIM};

    *colour = alive ? TABLE_PLAIN : TABLE_RED;
    if (!alive)
        return "dead";
    if (l->state >= sizeof names / sizeof names[0])
        return "?";
    *colour = colours[l->state];
    return names[l->state];
}

/* A consistent copy, if this region is a bridge's. */
static bool read_status(struct ctl_segment *s, const struct strait_object *o, struct bridge_status *status)
{
    struct strait_region_view v;
    struct strait_part part;

    if (strait_region_view(&s->map, o, &v) < 0 || !(v.flags & STRAIT_REGION_ATOMIC) || v.bytes != sizeof *status ||
        strait_region_part(&v, 0, &part) < 0)
        return false;
    for (unsigned i = 0; i < TRIES; i++)
        if (strait_region_snapshot_step(&part, status, sizeof *status) == 0)
            return status->magic == BRIDGE_STATUS_MAGIC && status->links <= BRIDGE_LINKS;
    return false;
}

static bool is_alive(struct ctl_segment *s, const struct bridge_status *status)
{
    struct ctl_lease l;

    return status->lease > 0 && status->lease < STRAIT_LEASES && ctl_lease(s, status->lease, &l) && l.alive &&
           l.generation == status->lease_generation;
}

/* ---- for programs ---- */

static void json_link(struct json *j, const struct bridge_link_status *l, bool alive)
{
    enum table_colour colour;

    json_object(j, NULL);
    json_string(j, "kind", kind_name(l->kind));
    json_bytes(j, "name", l->name, strnlen(l->name, sizeof l->name));
    json_bytes(j, "subject", l->subject, strnlen(l->subject, sizeof l->subject));
    json_string(j, "state", state_name(l, alive, &colour));
    json_u64(j, "messages", l->messages);
    json_u64(j, "bytes", l->bytes);
    json_double(j, "per_second", (double)l->per_second_milli / 1000);
    json_u64(j, "under_way", l->under_way);
    json_u64(j, "lag", l->lag);
    json_u64(j, "redelivered", l->redelivered);
    json_u64(j, "duplicates", l->duplicates);
    json_u64(j, "refused", l->refused);
    json_u64(j, "failed", l->failed);
    json_u64(j, "window", l->window);
    json_u64(j, "last_ns", l->last_ns);
    json_close(j);
}

static void json_bridge(struct json *j, struct ctl_segment *s, const char *name, const struct bridge_status *b)
{
    bool alive = is_alive(s, b);

    json_object(j, NULL);
    json_string(j, "segment", ctl_segment_name(s));
    json_string(j, "bridge", name);
    json_u64(j, "pid", b->pid);
    json_bool(j, "alive", alive);
    json_bytes(j, "app", b->app, strnlen(b->app, sizeof b->app));
    json_bytes(j, "server", b->server, strnlen(b->server, sizeof b->server));
    json_u64(j, "started_ns", b->started_ns);
    json_u64(j, "updated_ns", b->updated_ns);
    json_u64(j, "unreachable_since_ns", b->unreachable_since_ns);
    json_u64(j, "reconnects", b->reconnects);
    json_u64(j, "max_payload", b->max_payload);
    json_array(j, "links");
    for (uint32_t i = 0; i < b->links; i++)
        json_link(j, &b->link[i], alive);
    json_close(j);
    json_close(j);
}

/* ---- for people ---- */

static void print_link(struct table *t, const struct bridge_link_status *l, bool alive)
{
    enum table_colour colour;
    const char *state = state_name(l, alive, &colour);

    table_cell(t, TABLE_PLAIN, "%s", kind_name(l->kind));
    table_cell(t, TABLE_PLAIN, "%s", table_text(l->name, sizeof l->name));
    table_cell(t, colour, "%s", state);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->messages);
    table_cell(t, TABLE_PLAIN, "%.1f", (double)l->per_second_milli / 1000);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->lag);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->under_way);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->redelivered);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->duplicates);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->refused);
    table_cell(t, TABLE_PLAIN, "%" PRIu64, l->failed);
    table_cell(t, TABLE_PLAIN, "%s", table_text(l->subject, sizeof l->subject));
}

static void print_bridge(const struct ctl *ctl, struct ctl_segment *s, const char *name, const struct bridge_status *b)
{
    const char *bold = ctl->colours ? "\033[1m" : "", *plain = ctl->colours ? "\033[0m" : "";
    uint64_t now_ns = ctl_real_ns(s), down_ns = b->unreachable_since_ns;
    bool alive = is_alive(s, b);
    struct table t;

    printf("%s%s%s: %s, pid %u, %s", bold, ctl_segment_name(s), plain, name, b->pid, alive ? "alive" : "dead");
    if (!alive)
        printf(" (last word %s ago)", table_age(now_ns > b->updated_ns ? now_ns - b->updated_ns : 0));
    printf(", server %s ", table_text(b->server, sizeof b->server));
    if (down_ns)
        printf("unreachable since %s", table_age(now_ns > down_ns ? now_ns - down_ns : 0));
    else
        printf("%s", alive ? "reachable" : "not asked");
    printf(", reconnects %" PRIu64 "\n", b->reconnects);
    table_begin(
        &t, "KIND NAME STATE >MESSAGES >PER-SECOND >LAG >UNDER-WAY >REDELIVERED >DUPLICATES >REFUSED >FAILED SUBJECT");
    for (uint32_t i = 0; i < b->links; i++)
        print_link(&t, &b->link[i], alive);
    table_end(&t, stdout, 2, ctl->colours);
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct output *out = arg;
    struct bridge_status status;
    struct strait_object o;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0 || o.kind != STRAIT_KIND_REGION || !read_status(s, &o, &status))
            continue;
        out->n++;
        out->bad += !is_alive(s, &status) || status.unreachable_since_ns;
        if (out->list.json)
            json_bridge(out->list.json, s, ctl_object_name(s, i), &status);
        else
            print_bridge(ctl, s, ctl_object_name(s, i), &status);
    }
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct output out = {.n = 0};
    int r = ctl_list_each(ctl, &out.list, "bridges", NULL, look);

    if (!out.list.json && out.n == 0)
        printf("no bridge\n");
    ctl_list_end(&out.list);
    return r == CTL_GOOD && out.bad ? CTL_FINDING : r;
}

const struct ctl_command ctl_bridge = {
    .name = "bridge",
    .arguments = "[NAME]…",
    .summary = "Links to other machines: rates, lag, redeliveries, unreachable since when",
    .help = "What each strait-bridge has last said of itself, ten times a second; also of one that is dead. LAG: of "
            "out, what\n"
            "waits in the local ring; of in, what waits in the stream. DUPLICATES came again and were dropped, "
            "REDELIVERED\n"
            "ones went on, marked. Exit 1: a bridge is dead, or its server cannot be reached.\n"
            "\n"
            "  shmctl bridge\n"
            "  shmctl bridge shop --json | jq '.bridges[].links[] | {name, state, lag}'\n",
    .most = 64,
    .run = run,
};
