/* SPDX-License-Identifier: MIT */
/* shmctl show: one segment: its header, leases, objects; shmctl_channel.c has the channels. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "admin.h"
#include "directory.h"
#include "shmctl.h"
#include "shmctl_channel.h"
#include "strait/atomic.h"

/** The segment as a whole. */
struct summary {
    uint64_t bytes, free_bytes, longest, id, created_ns, sweeps;
    uint32_t creator_pid, gone;
    int64_t admin; /* strait_admin_holder */
    char name[STRAIT_NAME_BYTES];
};

static void summarize(struct strait_segment_map *map, struct summary *s)
{
    const struct strait_header *h = strait_segment_header(map);

    s->bytes = map->bytes;
    strait_directory_space(map, &s->free_bytes, &s->longest);
    s->id = strait_load64_relaxed(&h->id);
    s->created_ns = strait_load64_relaxed(&h->created_ns);
    s->sweeps = strait_load64_relaxed(&h->sweeps);
    s->creator_pid = strait_load32_relaxed(&h->creator_pid);
    s->gone = strait_load32_relaxed(&h->gone);
    s->admin = strait_admin_holder(map);
    memcpy(s->name, h->name, sizeof s->name);
}

static const char *admin_text(int64_t holder)
{
    if (holder == 0)
        return "free";
    return holder > 0 || holder == -1 ? "held: somebody joins, leaves, creates or sweeps" : "cannot tell";
}

/* ---- text ---- */

static void print_summary(const struct ctl *ctl, const struct strait_segment_map *map, const struct summary *s)
{
    uint64_t now = ctl_now_ns();
    const char *bold = ctl->colours ? "\033[1m" : "", *plain = ctl->colours ? "\033[0m" : "";

    printf("%ssegment %s%s  %s\n", bold, table_text(s->name, sizeof s->name), plain, map->path);
    printf("  %s, %s free, %s of it in one piece; layout %d; id %016" PRIx64 "\n", table_bytes(s->bytes),
           table_bytes(s->free_bytes), table_bytes(s->longest), STRAIT_LAYOUT_VERSION, s->id);
    printf("  created %s ago by pid %u; %" PRIu64 " dead swept so far; admin lock %s\n",
           now > s->created_ns ? table_age(now - s->created_ns) : "?", s->creator_pid, s->sweeps, admin_text(s->admin));
    if (s->gone)
        printf("  collected: its name is going, nobody can join any more\n");
}

/* "receive jobs 3 s": what the first waiting thread of a lease waits for. */
static void wait_text(const struct strait_segment_map *map, const struct ctl_lease *l, char *text, size_t size)
{
    size_t at = 0;

    snprintf(text, size, "-");
    for (unsigned i = 0; i < STRAIT_WAITS && at < size; i++) {
        const struct strait_wait_record *w = &l->waits[i];
        uint64_t now = strait_now_ns();
        const char *name = "";
        struct strait_object o;
        if (w->kind == STRAIT_WAIT_NONE)
            continue;
        for (uint32_t e = 0; e < map->directory_max; e++)
            if (strait_directory_at(map, e, &o) == 0 && o.offset == w->object)
                name = ctl_object_name(map, e);
        at += (size_t)snprintf(text + at, size - at, "%s%s %s, %s", at ? "; " : "", ctl_wait_name(w->kind), name,
                               now > w->since_ns ? table_age(now - w->since_ns) : "?");
    }
}

static uint64_t our_pid_ns(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

static void print_leases(const struct ctl *ctl, struct strait_segment_map *map)
{
    uint64_t now = ctl_now_ns(), ns = our_pid_ns();
    struct ctl_lease l;
    struct table t;

    table_begin(&t, ">LEASE >PID STATE PROGRAM >JOINED WAITS");
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        char waits[256];
        if (!ctl_lease(map, i, &l))
            continue;
        wait_text(map, &l, waits, sizeof waits);
        table_cell(&t, TABLE_PLAIN, "%u", l.index);
        table_cell(&t, TABLE_PLAIN, l.pid_ns == ns ? "%u" : "%u*", l.pid);
        if (l.alive < 0)
            table_cell(&t, TABLE_YELLOW, "cannot tell");
        else
            table_cell(&t, l.alive ? TABLE_GREEN : TABLE_RED, l.alive ? "alive" : "dead");
        table_cell(&t, TABLE_PLAIN, "%s", table_text(l.program, sizeof l.program));
        table_cell(&t, TABLE_PLAIN, "%s", now > l.joined_ns ? table_age(now - l.joined_ns) : "?");
        table_cell(&t, l.waits[0].kind ? TABLE_YELLOW : TABLE_DIM, "%s", waits);
    }
    printf(t.at > t.columns ? "\nleases (* = a pid of another namespace)\n" : "\nno leases: nobody is attached\n");
    table_end(&t, stdout, 2, ctl->colours);
}

static void print_objects(const struct ctl *ctl, const struct strait_segment_map *map)
{
    static const char *const states[] = {"free", "named", "unlinked"};
    struct strait_object o;
    struct table t;

    table_begin(&t, "OBJECT KIND >SIZE >OFFSET STATE USED-BY");
    for (uint32_t i = 0; i < map->directory_max; i++) {
        const struct strait_entry *e = strait_segment_entry(map, i);
        uint32_t state = strait_load32_relaxed(&e->state);
        int r = strait_directory_at(map, i, &o);
        if (r == -ENOENT)
            continue;
        table_cell(&t, TABLE_PLAIN, "%s", ctl_object_name(map, i));
        table_cell(&t, TABLE_PLAIN, "%s", ctl_kind_name(strait_load32_relaxed(&e->kind)));
        table_cell(&t, TABLE_PLAIN, "%s", r < 0 ? "?" : table_bytes(o.bytes));
        table_cell(&t, TABLE_PLAIN, "%#" PRIx64, strait_load64_relaxed(&e->offset));
        table_cell(&t, r < 0 ? TABLE_RED : TABLE_PLAIN, "%s", r < 0 ? "damaged" : state <= 2 ? states[state] : "?");
        table_cell(&t, TABLE_PLAIN, "%s", ctl_set_text(&e->refs));
    }
    printf(t.at > t.columns ? "\nobjects\n" : "\nno objects\n");
    table_end(&t, stdout, 2, ctl->colours);
}

/* ---- JSON ---- */

static void json_summary(struct json *j, const struct strait_segment_map *map, const struct summary *s)
{
    json_object(j, "segment");
    json_bytes(j, "name", s->name, strnlen(s->name, sizeof s->name));
    json_string(j, "path", map->path);
    json_u64(j, "bytes", s->bytes);
    json_u64(j, "bytes_free", s->free_bytes);
    json_u64(j, "bytes_free_longest", s->longest);
    json_u64(j, "layout", STRAIT_LAYOUT_VERSION);
    json_u64(j, "id", s->id);
    json_u64(j, "created_ns", s->created_ns);
    json_u64(j, "creator_pid", s->creator_pid);
    json_u64(j, "sweeps", s->sweeps);
    json_bool(j, "admin_lock_held", s->admin > 0 || s->admin == -1);
    json_bool(j, "collected", s->gone != STRAIT_GONE_NO);
    json_close(j);
}

static void json_waits(struct json *j, const struct ctl_lease *l)
{
    uint64_t now = strait_now_ns();

    json_array(j, "waits");
    for (unsigned i = 0; i < STRAIT_WAITS; i++) {
        const struct strait_wait_record *w = &l->waits[i];
        if (w->kind == STRAIT_WAIT_NONE)
            continue;
        json_object(j, NULL);
        json_string(j, "for", ctl_wait_name(w->kind));
        json_u64(j, "thread", w->thread);
        json_u64(j, "object_offset", w->object);
        json_u64(j, "detail", w->detail);
        json_u64(j, "for_ns", now > w->since_ns ? now - w->since_ns : 0);
        json_close(j);
    }
    json_close(j);
}

static void json_leases(struct json *j, struct strait_segment_map *map)
{
    struct ctl_lease l;

    json_array(j, "leases");
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(map, i, &l))
            continue;
        json_object(j, NULL);
        json_u64(j, "lease", l.index);
        json_u64(j, "pid", l.pid);
        if (l.alive < 0)
            json_null(j, "alive");
        else
            json_bool(j, "alive", l.alive);
        json_bytes(j, "program", l.program, strnlen(l.program, sizeof l.program));
        json_u64(j, "generation", l.generation);
        json_u64(j, "pid_namespace", l.pid_ns);
        json_u64(j, "joined_ns", l.joined_ns);
        json_waits(j, &l);
        json_close(j);
    }
    json_close(j);
}

static void json_objects(struct json *j, struct strait_segment_map *map)
{
    struct strait_object o;

    json_array(j, "objects");
    for (uint32_t i = 0; i < map->directory_max; i++) {
        const struct strait_entry *e = strait_segment_entry(map, i);
        int r = strait_directory_at(map, i, &o);
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
            ctl_channel_json(j, map, &o);
        json_close(j);
    }
    json_close(j);
}

/* ---- the command ---- */

/* Is anything that we show damaged? */
static int verdict(struct strait_segment_map *map)
{
    struct strait_object o;

    for (uint32_t i = 0; i < map->directory_max; i++) {
        int r = strait_directory_at(map, i, &o);
        if ((r < 0 && r != -ENOENT) || (r == 0 && o.kind == STRAIT_KIND_CHANNEL && !ctl_channel_good(map, &o)))
            return CTL_DAMAGED;
    }
    return CTL_GOOD;
}

static bool wanted(const struct ctl *ctl, const struct strait_segment_map *map, uint32_t entry)
{
    return ctl->words < 2 || strncmp(strait_segment_entry(map, entry)->name, ctl->word[1], STRAIT_NAME_BYTES) == 0;
}

/* The channels, or the one that was asked for: how many were shown. */
static unsigned print_channels(const struct ctl *ctl, struct strait_segment_map *map)
{
    struct strait_object o;
    unsigned n = 0;

    for (uint32_t i = 0; i < map->directory_max; i++)
        if (strait_directory_at(map, i, &o) == 0 && o.kind == STRAIT_KIND_CHANNEL && wanted(ctl, map, i)) {
            ctl_channel_print(ctl, map, &o);
            n++;
        }
    return n;
}

static int run(const struct ctl *ctl)
{
    struct strait_segment_map map;
    struct summary s;
    struct json j;
    int r = ctl_open(ctl, ctl->word[0], &map);

    if (r != CTL_GOOD)
        return r;
    if (ctl->json) {
        summarize(&map, &s);
        ctl_json_begin(&j, "show");
        json_summary(&j, &map, &s);
        json_leases(&j, &map);
        json_objects(&j, &map);
        json_close(&j);
    } else {
        if (ctl->words < 2) {
            summarize(&map, &s);
            print_summary(ctl, &map, &s);
            print_leases(ctl, &map);
            print_objects(ctl, &map);
        }
        if (print_channels(ctl, &map) == 0 && ctl->words == 2) {
            fprintf(stderr, "shmctl: %s has no channel %s\n", map.path, ctl->word[1]);
            r = CTL_FINDING;
        }
    }
    r = r == CTL_GOOD ? verdict(&map) : r;
    strait_segment_close(&map);
    return r;
}

const struct ctl_command ctl_show = {
    .name = "show",
    .arguments = "NAME [CHANNEL]",
    .summary = "Show one segment: who is attached, what is in it, how full the rings are",
    .help = "NAME is a segment's name, or a path (with a '/'). Nothing is written, no lock of a peer is waited for.\n"
            "A ring's slots are counted by state: ready = sent and unread, taken = a receiver is at it, claimed = a\n"
            "sender is at it, returned = its receiver died, void = to be stepped over.\n"
            "\n"
            "  shmctl show demo               everything\n"
            "  shmctl show demo jobs          one channel\n"
            "  shmctl show ./strait.demo      a file, wherever it lies\n"
            "  shmctl show demo --json | jq '.leases[] | select(.alive | not)'\n",
    .least = 1,
    .most = 2,
    .run = run,
};
