/* SPDX-License-Identifier: MIT */
/* shmctl errors: what went wrong since each object was made, as far as the segment counts it. */
#include <inttypes.h>
#include <stdio.h>

#include "channel.h"
#include "commands.h"
#include "region.h"
#include "strait/atomic.h"

struct output {
    struct table table;
    struct json *json; /* or NULL */
    unsigned n;
};

static void row(struct output *out, const struct ctl_segment *s, const char *object, const char *what, uint64_t n)
{
    if (n == 0)
        return;
    out->n++;
    if (out->json) {
        json_object(out->json, NULL);
        json_string(out->json, "segment", ctl_segment_name(s));
        json_string(out->json, "object", object);
        json_string(out->json, "error", what);
        json_u64(out->json, "count", n);
        json_close(out->json);
        return;
    }
    table_cell(&out->table, TABLE_PLAIN, "%s", ctl_segment_name(s));
    table_cell(&out->table, TABLE_PLAIN, "%s", object);
    table_cell(&out->table, TABLE_PLAIN, "%" PRIu64, n);
    table_cell(&out->table, TABLE_PLAIN, "%s", what);
}

static void channel_rows(struct output *out, struct ctl_segment *s, const struct strait_object *o)
{
    const char *name = ctl_object_name(s, o->entry);
    const struct strait_dead_letters *d;
    struct strait_channel_view v;

    if (strait_channel_view(&s->map, o, &v) < 0) {
        row(out, s, name, "damaged: its numbers do not hold together", 1);
        return;
    }
    d = (const struct strait_dead_letters *)(const void *)(s->map.base + v.dead_off);
    row(out, s, name, "new messages dropped, full", strait_load64_relaxed(&v.shared->dropped_new));
    row(out, s, name, "oldest messages dropped, full", strait_load64_relaxed(&v.shared->dropped_oldest));
    row(out, s, name, "messages given back, a receiver died", strait_load64_relaxed(&v.shared->redelivered));
    row(out, s, name, "messages half-written, a sender died; or buried", strait_load64_relaxed(&v.shared->voided));
    row(out, s, name, "dead letters, receivers died too often", strait_load64_relaxed(&d->count));
}

static void region_rows(struct output *out, struct ctl_segment *s, const struct strait_object *o)
{
    struct strait_region_view v;
    struct strait_part part;
    uint64_t deaths = 0, poisoned = 0;

    if (strait_region_view(&s->map, o, &v) < 0) {
        row(out, s, ctl_object_name(s, o->entry), "damaged: its numbers do not hold together", 1);
        return;
    }
    for (uint32_t i = 0; i < v.parts && strait_region_part(&v, i, &part) == 0; i++) {
        deaths += strait_load64_relaxed(&part.lock->deaths);
        poisoned += (strait_load32_relaxed(&part.lock->word) & STRAIT_LOCK_POISONED) != 0;
    }
    row(out, s, ctl_object_name(s, o->entry), "owners died inside", deaths);
    row(out, s, ctl_object_name(s, o->entry), "locks poisoned now", poisoned);
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct strait_object o;

    (void)ctl;
    row(arg, s, "-", "processes died attached", strait_load64_relaxed(&strait_segment_header(&s->map)->sweeps));
    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0)
            continue;
        if (o.kind == STRAIT_KIND_CHANNEL)
            channel_rows(arg, s, &o);
        else if (o.kind == STRAIT_KIND_REGION)
            region_rows(arg, s, &o);
    }
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct json j;
    struct output out = {.json = ctl->json ? &j : NULL};
    int r;

    if (ctl->json) {
        ctl_json_begin(&j, "errors");
        json_array(&j, "errors");
    }
    table_begin(&out.table, "SEGMENT OBJECT >COUNT ERROR");
    r = ctl_each(ctl, look, &out);
    table_end(&out.table, stdout, 0, ctl->colours);
    if (ctl->json) {
        json_close(&j);
        json_close(&j);
    } else if (out.n == 0) {
        printf("none so far\n");
    }
    return r == CTL_GOOD && out.n ? CTL_FINDING : r;
}

const struct ctl_command ctl_errors = {
    .name = "errors",
    .arguments = "[NAME]…",
    .summary = "What went wrong so far: deaths, drops, redeliveries, dead letters, each with its count",
    .help = "What the segments count; when it happened they do not record. Exit 1: there is something.\n"
            "\n"
            "  shmctl errors\n"
            "  shmctl errors demo --json | jq '.errors[] | select(.error | startswith(\"dead\"))'\n",
    .most = 64,
    .run = run,
};
