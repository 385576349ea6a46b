/* SPDX-License-Identifier: MIT */
/* shmctl limits: how much there may be of everything, and how much there is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "commands.h"
#include "counter.h"
#include "strait/atomic.h"

/* Bytes as people read them, all else as it is; buffer as table_text. */
static const char *number(const char *what, uint64_t n)
{
    static char texts[2][24];
    static unsigned next;
    char *text = texts[next++ % 2];

    if (strncmp(what, "bytes", 5) == 0)
        return table_bytes(n);
    snprintf(text, sizeof texts[0], "%" PRIu64, n);
    return text;
}

static void row(struct ctl_list *out, const struct ctl_segment *s, const char *what, uint64_t used, uint64_t most,
                const char *beyond)
{
    if (out->json) {
        json_object(out->json, NULL);
        json_string(out->json, "segment", ctl_segment_name(s));
        json_string(out->json, "what", what);
        json_u64(out->json, "used", used);
        json_u64(out->json, "most", most);
        json_string(out->json, "beyond", beyond);
        json_close(out->json);
        return;
    }
    table_cell(&out->table, TABLE_PLAIN, "%s", ctl_segment_name(s));
    table_cell(&out->table, TABLE_PLAIN, "%s", what);
    table_cell(&out->table, used * 10 >= most * 9 ? TABLE_RED : TABLE_PLAIN, "%s", number(what, used));
    table_cell(&out->table, TABLE_PLAIN, "%s", number(what, most));
    table_cell(&out->table, TABLE_DIM, "%.0f %%", most ? 100.0 * (double)used / (double)most : 0.0);
    table_cell(&out->table, TABLE_DIM, "%s", beyond);
}

static void counter_row(struct ctl_list *out, struct ctl_segment *s, const struct strait_object *o)
{
    struct strait_counter_view v;
    uint64_t used = 0;
    char what[96];

    if (strait_counter_view(&s->map, o, &v) < 0)
        return;
    for (uint32_t i = 0; i < v.shards; i++)
        for (uint32_t k = 0; k < v.cells; k++)
            used += strait_load32_relaxed(&strait_counter_cell(&v, i, k)->lease) != STRAIT_LEASE_NONE;
    snprintf(what, sizeof what, "handles of counter %s", ctl_object_name(s, o->entry));
    row(out, s, what, used, (uint64_t)v.shards * v.cells, "-ENOBUFS");
}

static void channel_rows(struct ctl_list *out, struct ctl_segment *s, const struct strait_object *o)
{
    struct strait_channel_view v;
    struct strait_ring *ring, checked;
    unsigned char *slots;
    uint64_t lanes = 0;
    char what[96];

    if (strait_channel_view(&s->map, o, &v) < 0 || !(v.flags & STRAIT_CHANNEL_LANES))
        return;
    for (uint32_t i = 0; i < v.rings; i++)
        lanes += strait_channel_ring(&v, i, &ring, &checked, &slots) == 0 &&
                 strait_load32_relaxed(&ring->producer) != STRAIT_LEASE_NONE;
    snprintf(what, sizeof what, "lanes of channel %s", ctl_object_name(s, o->entry));
    row(out, s, what, lanes, v.rings, "-EUSERS for a sender");
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct ctl_list *out = arg;
    uint64_t space, longest, entries = 0, arena = s->map.bytes - s->map.arena_off;
    unsigned alive, dead;
    struct strait_object o;

    (void)ctl;
    ctl_count_leases(s, &alive, &dead);
    strait_directory_space(&s->map, &space, &longest);
    for (uint32_t i = 0; i < s->map.directory_max; i++)
        entries += strait_load32_relaxed(&strait_segment_entry(&s->map, i)->state) != STRAIT_ENTRY_FREE;
    row(out, s, "bytes of the arena", arena - space, arena, "-ENOSPC");
    row(out, s, "processes attached", alive + dead, STRAIT_LEASES - 1, "-EUSERS");
    row(out, s, "objects", entries, s->map.directory_max, "-EMFILE");
    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0)
            continue;
        if (o.kind == STRAIT_KIND_COUNTER)
            counter_row(out, s, &o);
        else if (o.kind == STRAIT_KIND_CHANNEL)
            channel_rows(out, s, &o);
    }
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct ctl_list list;
    int r = ctl_list_each(ctl, &list, "limits", "SEGMENT WHAT >USED >MOST >% BEYOND", look);

    ctl_list_end(&list);
    return r;
}

const struct ctl_command ctl_limits = {
    .name = "limits",
    .arguments = "[NAME]…",
    .summary = "How much there may be of everything, how much there is, and what happens beyond",
    .help =
        "Red from nine tenths on. What is fixed for all segments: 511 processes, 47 bytes of a name, 2^22 slots of a\n"
        "ring, 4 noted waits a process. shmctl doctor has the machine's limits.\n"
        "\n"
        "  shmctl limits demo\n",
    .most = 64,
    .run = run,
};
