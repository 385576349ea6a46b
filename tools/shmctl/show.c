/* SPDX-License-Identifier: MIT */
/* shmctl show: one segment: its header, leases, objects; show_channel.c has the channels, show_state.c the rest. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "huge.h"
#include "ps.h"
#include "show_channel.h"
#include "show_state.h"
#include "strait/atomic.h"

/** The segment as a whole. */
struct summary {
    uint64_t bytes, huge_bytes, free_bytes, longest, id, created_ns, sweeps;
    uint32_t creator_pid, gone;
    uint32_t admin; /* ctl_admin_holder */
    char name[STRAIT_NAME_BYTES];
};

static void summarize(struct ctl_segment *segment, struct summary *s)
{
    const struct strait_header *h = strait_segment_header(&segment->map);

    int64_t huge = segment->snapshot ? 0 : strait_huge_bytes(segment->map.fd, segment->map.bytes);

    s->bytes = segment->map.bytes;
    s->huge_bytes = huge > 0 ? (uint64_t)huge : 0;
    strait_directory_space(&segment->map, &s->free_bytes, &s->longest);
    s->id = strait_load64_relaxed(&h->id);
    s->created_ns = strait_load64_relaxed(&h->created_ns);
    s->sweeps = strait_load64_relaxed(&h->sweeps);
    s->creator_pid = strait_load32_relaxed(&h->creator_pid);
    s->gone = strait_load32_relaxed(&h->gone);
    s->admin = ctl_admin_holder(segment);
    memcpy(s->name, h->name, sizeof s->name);
}

/* ---- text ---- */

static const char *admin_text(struct ctl_segment *segment, uint32_t holder)
{
    struct ctl_lease l;

    if (holder == STRAIT_LEASE_NONE)
        return "free";
    return holder < STRAIT_LEASES && ctl_lease(segment, holder, &l) ? ctl_lease_name(&l)
                                                                    : "held: somebody joins, leaves, creates or sweeps";
}

static void print_summary(const struct ctl *ctl, struct ctl_segment *segment, const struct summary *s)
{
    uint64_t now = ctl_real_ns(segment);
    const char *bold = ctl->colours ? "\033[1m" : "", *plain = ctl->colours ? "\033[0m" : "";

    printf("%ssegment %s%s  %s\n", bold, table_text(s->name, sizeof s->name), plain, segment->map.path);
    if (segment->snapshot)
        printf("  a snapshot, taken %s ago\n", table_age(ctl_real_ns(NULL) - now));
    printf("  %s, %s free, %s of it in one piece; layout %d; id %016" PRIx64 "\n", table_bytes(s->bytes),
           table_bytes(s->free_bytes), table_bytes(s->longest), STRAIT_LAYOUT_VERSION, s->id);
    printf("  created %s ago by pid %u; %" PRIu64 " dead swept so far; admin lock %s%s\n",
           now > s->created_ns ? table_age(now - s->created_ns) : "?", s->creator_pid, s->sweeps,
           s->admin && s->admin < STRAIT_LEASES ? "held by " : "", admin_text(segment, s->admin));
    if (s->huge_bytes)
        printf("  %s of it in huge pages\n", table_bytes(s->huge_bytes));
    if (s->gone)
        printf("  collected: its name is going, nobody can join any more\n");
}

static void print_objects(const struct ctl *ctl, struct ctl_segment *s)
{
    static const char *const states[] = {"free", "named", "unlinked"};
    struct strait_object o;
    struct table t;

    table_begin(&t, "OBJECT KIND >SIZE >OFFSET STATE USED-BY");
    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        const struct strait_entry *e = strait_segment_entry(&s->map, i);
        uint32_t state = strait_load32_relaxed(&e->state);
        int r = strait_directory_at(&s->map, i, &o);
        if (r == -ENOENT)
            continue;
        table_cell(&t, TABLE_PLAIN, "%s", ctl_object_name(s, i));
        table_cell(&t, TABLE_PLAIN, "%s", ctl_kind_name(strait_load32_relaxed(&e->kind)));
        table_cell(&t, TABLE_PLAIN, "%s", r < 0 ? "?" : table_bytes(o.bytes));
        table_cell(&t, TABLE_PLAIN, "%#" PRIx64, strait_load64_relaxed(&e->offset));
        table_cell(&t, r < 0 ? TABLE_RED : TABLE_PLAIN, "%s", r < 0 ? "damaged" : state <= 2 ? states[state] : "?");
        table_cell(&t, TABLE_PLAIN, "%s", ctl_set_text(&e->refs));
    }
    printf(t.at > t.columns ? "\nobjects\n" : "\nno objects\n");
    table_end(&t, stdout, 2, ctl->colours);
}

static void print_object(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *o)
{
    if (o->kind == STRAIT_KIND_CHANNEL)
        ctl_channel_print(ctl, s, o);
    else if (o->kind == STRAIT_KIND_REGION)
        ctl_region_print(ctl, s, o);
    else if (o->kind == STRAIT_KIND_COUNTER)
        ctl_counter_print(ctl, s, o);
}

/* All, or the one that was asked for: how many were shown. */
static unsigned print_each(const struct ctl *ctl, struct ctl_segment *s)
{
    struct strait_object o;
    unsigned n = 0;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0)
            continue;
        if (ctl->words == 2 && strncmp(strait_segment_entry(&s->map, i)->name, ctl->word[1], STRAIT_NAME_BYTES) != 0)
            continue;
        print_object(ctl, s, &o);
        n++;
    }
    return n;
}

/* ---- JSON ---- */

static void json_summary(struct json *j, const struct ctl_segment *segment, const struct summary *s)
{
    json_object(j, "segment");
    json_bytes(j, "name", s->name, strnlen(s->name, sizeof s->name));
    json_string(j, "path", segment->map.path);
    json_bool(j, "snapshot", segment->snapshot != NULL);
    json_u64(j, "bytes", s->bytes);
    json_u64(j, "bytes_huge", s->huge_bytes);
    json_u64(j, "bytes_free", s->free_bytes);
    json_u64(j, "bytes_free_longest", s->longest);
    json_u64(j, "layout", STRAIT_LAYOUT_VERSION);
    json_u64(j, "id", s->id);
    json_u64(j, "created_ns", s->created_ns);
    json_u64(j, "creator_pid", s->creator_pid);
    json_u64(j, "sweeps", s->sweeps);
    json_bool(j, "admin_lock_held", s->admin != STRAIT_LEASE_NONE);
    if (s->admin < STRAIT_LEASES && s->admin != STRAIT_LEASE_NONE)
        json_u64(j, "admin_lock_lease", s->admin);
    json_bool(j, "collected", s->gone != STRAIT_GONE_NO);
    json_close(j);
}

static void json_objects(struct json *j, struct ctl_segment *s)
{
    struct strait_object o;

    json_array(j, "objects");
    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        const struct strait_entry *e = strait_segment_entry(&s->map, i);
        int r = strait_directory_at(&s->map, i, &o);
        if (r == -ENOENT)
            continue;
        json_object(j, NULL);
        json_bytes(j, "name", e->name, strnlen(e->name, sizeof e->name));
        json_string(j, "kind", ctl_kind_name(strait_load32_relaxed(&e->kind)));
        json_u64(j, "offset", strait_load64_relaxed(&e->offset));
        json_u64(j, "bytes", strait_load64_relaxed(&e->bytes));
        json_bool(j, "unlinked", strait_load32_relaxed(&e->state) == STRAIT_ENTRY_UNLINKED);
        json_bool(j, "damaged", r < 0);
        ctl_json_set(j, "used_by", &e->refs);
        if (r == 0 && o.kind == STRAIT_KIND_CHANNEL)
            ctl_channel_json(j, s, &o);
        if (r == 0 && o.kind == STRAIT_KIND_REGION)
            ctl_region_json(j, s, &o);
        if (r == 0 && o.kind == STRAIT_KIND_COUNTER)
            ctl_counter_json(j, s, &o);
        json_close(j);
    }
    json_close(j);
}

/* ---- the command ---- */

static bool good(struct ctl_segment *s, const struct strait_object *o)
{
    if (o->kind == STRAIT_KIND_CHANNEL)
        return ctl_channel_good(s, o);
    return ctl_state_good(s, o);
}

/* Is anything that we show damaged? */
static int verdict(struct ctl_segment *s)
{
    struct strait_object o;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        int r = strait_directory_at(&s->map, i, &o);
        if ((r < 0 && r != -ENOENT) || (r == 0 && !good(s, &o)))
            return CTL_DAMAGED;
    }
    return CTL_GOOD;
}

static void print_json(struct ctl_segment *segment)
{
    struct summary s;
    struct json j;

    summarize(segment, &s);
    ctl_json_begin(&j, "show");
    json_summary(&j, segment, &s);
    ctl_leases_json(&j, segment);
    json_objects(&j, segment);
    json_close(&j);
}

static int run(const struct ctl *ctl)
{
    struct ctl_segment segment;
    struct summary s;
    int r = ctl_open(ctl, ctl->word[0], &segment);

    if (r != CTL_GOOD)
        return r;
    if (ctl->json) {
        print_json(&segment);
    } else {
        if (ctl->words < 2) {
            summarize(&segment, &s);
            print_summary(ctl, &segment, &s);
            ctl_leases_print(ctl, &segment);
            print_objects(ctl, &segment);
        }
        if (print_each(ctl, &segment) == 0 && ctl->words == 2) {
            ctl_say("%s has no object %s", segment.map.path, table_text(ctl->word[1], STRAIT_NAME_BYTES));
            r = CTL_FINDING;
        }
    }
    r = r == CTL_GOOD ? verdict(&segment) : r;
    ctl_close(&segment);
    return r;
}

const struct ctl_command ctl_show = {
    .name = "show",
    .arguments = "NAME [OBJECT]",
    .summary = "Show one segment: who is attached, what is in it, how full the rings are, who has the locks",
    .help = "NAME is a segment's name, or a path (with a '/'). Nothing is written, no lock of a peer is waited for.\n"
            "A ring's slots are counted by state: ready = sent and unread, taken = a receiver is at it, claimed = a\n"
            "sender is at it, returned = its receiver died, void = to be stepped over.\n"
            "\n"
            "  shmctl show demo               everything\n"
            "  shmctl show demo jobs          one channel, region or counter\n"
            "  shmctl show ./strait.demo      a file, wherever it lies\n"
            "  shmctl show demo --json | jq '.leases[] | select(.alive | not)'\n",
    .least = 1,
    .most = 2,
    .run = run,
};
