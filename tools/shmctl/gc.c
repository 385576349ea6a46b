/* SPDX-License-Identifier: MIT */
/* shmctl gc: files that nobody is attached to go, what the dead left in the others is swept. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "../../shm/attach.h"
#include "commands.h"
#include "mend.h"

struct output {
    struct json *json; /* or NULL */
    bool dry, keep;
    unsigned removed, left;
    uint64_t bytes;
    int worst;
};

/* Messages that nobody has received yet. */
static uint64_t unread(struct ctl_segment *s)
{
    struct strait_channel_view view;
    struct strait_ring_end end;
    struct strait_object o;
    const uint32_t states = 1 << STRAIT_SLOT_READY | 1 << STRAIT_SLOT_TAKEN | 1 << STRAIT_SLOT_RETURNED;
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->map.directory_max; i++) {
        if (strait_directory_at(&s->map, i, &o) < 0 || o.kind != STRAIT_KIND_CHANNEL ||
            strait_channel_view(&s->map, &o, &view) < 0)
            continue;
        for (uint32_t r = 0; r < view.rings; r++)
            if (strait_channel_end(&view, r, &end) == 0)
                n += strait_ring_messages(&end, states);
    }
    return n;
}

static void tell(struct output *out, const char *path, const char *did, const char *why)
{
    if (out->json) {
        json_object(out->json, NULL);
        json_string(out->json, "path", path);
        json_string(out->json, "did", did);
        json_string(out->json, "why", why);
        json_close(out->json);
    } else {
        printf("%s: %s%s%s\n", path, did, *why ? ": " : "", why);
    }
}

static void remove_it(struct output *out, const char *path, uint64_t bytes, const char *why)
{
    struct strait_misfit misfit;
    int r = out->dry ? 1 : strait_collect(path, strait_after_ns(CTL_PATIENCE_NS), &misfit);

    if (r == 1 || r == -ENOENT) {
        tell(out, path, out->dry ? "would be removed" : "removed", why);
        out->removed++;
        out->bytes += bytes;
        return;
    }
    out->left++;
    tell(out, path, "left", r == 0 ? "somebody has just attached" : strait_strerror(r));
    if (r < 0)
        out->worst = CTL_FINDING;
}

/* Somebody is attached. */
static void mend_it(struct output *out, const char *path, unsigned alive, unsigned dead)
{
    char why[96];
    int n;

    out->left++;
    if (dead == 0 || out->dry) {
        snprintf(why, sizeof why, "%u attached%s", alive, dead ? "; the dead would be swept" : "");
        tell(out, path, "left", why);
        return;
    }
    n = ctl_sweep_path(path);
    if (n >= 0) {
        snprintf(why, sizeof why, "%d dead swept, %u attached", n, alive);
        tell(out, path, "left", why);
    } else {
        tell(out, path, "left", "its dead could not be swept");
        out->worst = CTL_FINDING;
    }
}

static void look(void *arg, const char *path)
{
    struct output *out = arg;
    struct ctl_segment s = {.snapshot = NULL};
    struct strait_misfit misfit;
    unsigned alive, dead;
    uint64_t lost, bytes;
    char why[96];
    int r = strait_segment_open(&s.map, path, false, false, &misfit);

    if (r < 0) {
        ctl_explain(r, &misfit, why, sizeof why);
        tell(out, path, "left", why);
        out->left++;
        return;
    }
    ctl_count_leases(&s, &alive, &dead);
    lost = unread(&s);
    bytes = s.map.bytes;
    ctl_close(&s);
    if (alive) {
        mend_it(out, path, alive, dead);
    } else if (lost && out->keep) {
        snprintf(why, sizeof why, "nobody is attached, but %" PRIu64 " messages are unread", lost);
        tell(out, path, "left", why);
        out->left++;
    } else {
        snprintf(why, sizeof why, "nobody is attached%s%.0" PRIu64 "%s", lost ? "; with " : "", lost,
                 lost ? " unread messages" : "");
        remove_it(out, path, bytes, why);
    }
}

static int look_at_all(const struct ctl *ctl, struct output *out)
{
    char path[PATH_MAX];

    for (unsigned i = 0; i < ctl->words; i++)
        if (ctl_path(ctl, ctl->word[i], path) == CTL_GOOD)
            look(out, path);
        else
            return CTL_USAGE;
    if (ctl->words)
        return out->worst;
    return ctl_worse(ctl_each_path(ctl, look, out), out->worst);
}

static int run(const struct ctl *ctl)
{
    struct json j;
    struct output out = {.json = ctl->json ? &j : NULL,
                         .dry = ctl_given(ctl, "dry-run") != NULL,
                         .keep = ctl_given(ctl, "keep-messages") != NULL};
    int r;

    if (ctl->json) {
        ctl_json_begin(&j, "gc");
        json_bool(&j, "dry_run", out.dry);
        json_array(&j, "segments");
    }
    r = look_at_all(ctl, &out);
    if (ctl->json) {
        json_close(&j);
        json_u64(&j, "removed", out.removed);
        json_u64(&j, "left", out.left);
        json_u64(&j, "bytes", out.bytes);
        json_close(&j);
    } else {
        printf("%u %s (%s), %u left\n", out.removed, out.dry ? "would be removed" : "removed", table_bytes(out.bytes),
               out.left);
    }
    return r;
}

const struct ctl_command ctl_gc = {
    .name = "gc",
    .arguments = "[NAME]…",
    .summary = "Remove segments that nobody is attached to; sweep the dead out of the others",
    .help =
        "One that is in use is never removed: a living process holds a lock of the kernel's, and gc looks under the\n"
        "segment's admin lock, which whoever joins needs. A segment outlives its last process on purpose, with what "
        "was\n"
        "sent and not received; --keep-messages leaves those. Files that are no segment are left, with the reason.\n"
        "\n"
        "  shmctl gc --dry-run\n"
        "  shmctl gc --keep-messages      after a crash\n",
    .most = 64,
    .run = run,
    .writes = true,
    .options = (const struct ctl_option[]){{"dry-run", 'n', NULL, "only say what would be done"},
                                           {"keep-messages", 'k', NULL, "leave segments with unread messages"},
                                           {NULL}},
};
