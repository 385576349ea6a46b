/* SPDX-License-Identifier: MIT */
/* shmctl check, numa. */
#include "health.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands.h"
#include "region.h"
#include "strait/atomic.h"
#include "waits.h"

static void count_regions(struct ctl_segment *s, struct ctl_health *h)
{
    struct strait_region_view view;
    struct strait_object o;
    struct strait_part part;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0 || o.kind != STRAIT_KIND_REGION ||
            strait_region_view(&s->map, &o, &view) < 0)
            continue;
        for (uint32_t p = 0; p < view.parts && strait_region_part(&view, p, &part) == 0; p++) {
            uint32_t word = strait_load32_relaxed(&part.lock->word);
            h->poisoned += (word & STRAIT_LOCK_POISONED) != 0;
            h->suspect += (word & STRAIT_LOCK_DIED) != 0;
        }
    }
}

static void count_waits(struct ctl_segment *s, struct ctl_health *h)
{
    struct ctl_waits *waits = ctl_waits_collect(s);
    struct ctl_cycle cycles[8];
    unsigned n = waits ? ctl_cycles(waits, cycles, 8) : 0;

    for (unsigned i = 0; waits && i < waits->n; i++)
        h->blocked += ctl_wait_blocked(&waits->wait[i]);
    for (unsigned i = 0; i < n; i++)
        h->deadlocks += cycles[i].certain;
    free(waits);
}

int ctl_health_add(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct ctl_health *h = arg;
    unsigned alive = 0;
    struct ctl_lease l;

    (void)ctl;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(s, i, &l))
            continue;
        alive += l.alive != 0;
        h->dead += l.alive == 0;
        h->stopped += l.alive && l.state == 'T';
    }
    h->segments++;
    h->alive += alive;
    h->unused += alive == 0;
    h->bytes += s->map.bytes;
    h->admin_held += ctl_admin_holder(s) != STRAIT_LEASE_NONE;
    count_regions(s, h);
    count_waits(s, h);
    return CTL_GOOD;
}

/* ---- check ---- */

static int run_check(const struct ctl *ctl)
{
    struct ctl_health h = {0};
    struct json j;
    int r = ctl_each(ctl, ctl_health_add, &h);
    int verdict = r == CTL_DAMAGED || h.deadlocks || h.poisoned                          ? CTL_CRITICAL
                  : h.dead || h.stopped || h.suspect || r || (h.admin_held && h.stopped) ? CTL_FINDING
                                                                                         : CTL_GOOD;
    static const char *const words[] = {"OK", "WARNING", "CRITICAL"};

    if (ctl->json) {
        ctl_json_begin(&j, "check");
        json_string(&j, "verdict", words[verdict]);
        json_u64(&j, "segments", h.segments);
        json_u64(&j, "alive", h.alive);
        json_u64(&j, "dead", h.dead);
        json_u64(&j, "stopped", h.stopped);
        json_u64(&j, "blocked", h.blocked);
        json_u64(&j, "deadlocks", h.deadlocks);
        json_u64(&j, "poisoned", h.poisoned);
        json_u64(&j, "suspect", h.suspect);
        json_close(&j);
        return verdict;
    }
    printf("STRAIT %s - %u segments, %u processes alive, %u dead, %u stopped, %u held up, %u deadlocks, %u regions "
           "poisoned, %u suspect | segments=%u alive=%u dead=%u blocked=%u deadlocks=%u bytes=%" PRIu64 "B\n",
           words[verdict], h.segments, h.alive, h.dead, h.stopped, h.blocked, h.deadlocks, h.poisoned, h.suspect,
           h.segments, h.alive, h.dead, h.blocked, h.deadlocks, h.bytes);
    return verdict;
}

const struct ctl_command ctl_check = {
    .name = "check",
    .arguments = "[NAME]…",
    .summary = "One line and an exit code, for monitoring",
    .help = "0 OK; 1 WARNING: somebody is dead and not swept, or stopped, or a region is suspect; 2 CRITICAL: a "
            "deadlock, a\n"
            "poisoned region, damage. The line is what Nagios, Icinga and their kin expect of a plugin.\n"
            "\n"
            "  shmctl check\n"
            "  shmctl check demo orders\n",
    .most = 64,
    .run = run_check,
};

/* ---- numa ---- */

#define NODES 64
#define PAGES 512 /* asked for at once */

struct pages {
    uint64_t on[NODES], absent;
};

/* On which node does each page lie? The kernel tells of pages that we have mapped: so each is read. */
static int count_pages(const struct ctl_segment *s, uint64_t from, uint64_t bytes, struct pages *p)
{
    uint64_t all = bytes / STRAIT_PAGE;

    *p = (struct pages){.absent = 0};
    for (uint64_t done = 0; done < all; done += PAGES) {
        unsigned long n = all - done < PAGES ? (unsigned long)(all - done) : PAGES;
        void *at[PAGES];
        int status[PAGES];
        for (unsigned long i = 0; i < n; i++) {
            at[i] = s->map.base + from + (done + i) * STRAIT_PAGE;
            strait_load32_relaxed(at[i]);
        }
        if (syscall(SYS_move_pages, 0, n, at, NULL, status, 0) < 0)
            return -errno;
        for (unsigned long i = 0; i < n; i++)
            if (status[i] >= 0 && status[i] < NODES)
                p->on[status[i]]++;
            else
                p->absent++;
    }
    return 0;
}

static void pages_text(const struct pages *p, char *text, size_t size)
{
    size_t at = 0;

    text[0] = 0;
    for (int node = 0; node < NODES && at < size; node++)
        if (p->on[node])
            at += (size_t)snprintf(text + at, size - at, "%s%d: %" PRIu64, at ? ", " : "", node, p->on[node]);
    if (p->absent && at < size)
        snprintf(text + at, size - at, "%snowhere: %" PRIu64, at ? ", " : "", p->absent);
}

static int numa_row(struct ctl_list *out, struct ctl_segment *s, const struct strait_object *o)
{
    int32_t asked = strait_segment_entry(&s->map, o->entry)->node;
    struct pages pages = {.absent = 0};
    char text[256] = "not in a snapshot";
    int r = s->snapshot ? 0 : count_pages(s, o->offset, o->bytes, &pages);

    if (r < 0) {
        ctl_say("move_pages: %s", strerror(-r));
        return CTL_FINDING;
    }
    if (!s->snapshot)
        pages_text(&pages, text, sizeof text);
    if (out->json) {
        json_object(out->json, NULL);
        json_string(out->json, "segment", ctl_segment_name(s));
        json_string(out->json, "object", ctl_object_name(s, o->entry));
        json_i64(out->json, "asked", asked);
        json_array(out->json, "pages");
        for (int node = 0; node < NODES; node++)
            if (pages.on[node]) {
                json_object(out->json, NULL);
                json_i64(out->json, "node", node);
                json_u64(out->json, "pages", pages.on[node]);
                json_close(out->json);
            }
        json_close(out->json);
        json_close(out->json);
        return CTL_GOOD;
    }
    table_cell(&out->table, TABLE_PLAIN, "%s", ctl_segment_name(s));
    table_cell(&out->table, TABLE_PLAIN, "%s", ctl_object_name(s, o->entry));
    table_cell(&out->table, TABLE_PLAIN,
               asked == STRAIT_NODE_SHARDED       ? "each shard's"
               : asked == STRAIT_NODE_INTERLEAVED ? "all"
               : asked < 0                        ? "any"
                                                  : "%d",
               asked);
    table_cell(&out->table, TABLE_PLAIN, "%s", text);
    return CTL_GOOD;
}

static int numa_look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct strait_object o;
    int r = CTL_GOOD;

    (void)ctl;
    for (uint32_t i = 0; i < s->map.directory_max && r == CTL_GOOD; i++)
        if (strait_directory_at(&s->map, i, &o) == 0)
            r = numa_row(arg, s, &o);
    return r;
}

static int run_numa(const struct ctl *ctl)
{
    struct ctl_list list;
    int r = ctl_list_each(ctl, &list, "objects", "SEGMENT OBJECT >ASKED-FOR NODE:PAGES", numa_look);

    ctl_list_end(&list);
    return r;
}

const struct ctl_command ctl_numa = {
    .name = "numa",
    .arguments = "[NAME]…",
    .summary = "On which NUMA nodes the pages of each object lie",
    .help = "As the kernel says (move_pages(2)). Reads one word of each page.\n"
            "\n"
            "  shmctl numa demo\n",
    .most = 64,
    .run = run_numa,
};
