/* SPDX-License-Identifier: MIT */
/* shmctl repair, close, rm. */
#include "mend.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../../shm/attach.h"
#include "attach.h"
#include "commands.h"
#include "sweep.h"

/* ---- repair ---- */

static const struct ctl *told; /* what swept() writes for; NULL = nobody */
static struct json deaths;

static void swept(const struct strait_segment_map *map, const struct strait_left_behind *what)
{
    if (told && told->json) {
        json_object(&deaths, NULL);
        json_u64(&deaths, "lease", what->lease);
        json_u64(&deaths, "pid", what->pid);
        json_string(&deaths, "program", what->program);
        json_u64(&deaths, "voided", what->voided);
        json_u64(&deaths, "returned", what->returned);
        json_u64(&deaths, "locks", what->locks);
        json_close(&deaths);
    } else if (told) {
        printf("%s: %s (pid %u, lease %u) is dead: %u slots voided, %u given back, %u locks marked\n", map->path,
               table_text(what->program, sizeof what->program), what->pid, what->lease, what->voided, what->returned,
               what->locks);
    }
}

int ctl_sweep_path(const char *path)
{
    struct strait_segment_map map;
    struct strait_misfit misfit;
    int r = strait_segment_open(&map, path, true, false, &misfit);

    if (r < 0)
        return r;
    strait_swept_hook = swept;
    r = strait_sweep(&map, strait_after_ns(CTL_PATIENCE_NS));
    strait_segment_close(&map);
    if (r == -ETIMEDOUT)
        ctl_say_busy(path);
    return r;
}

static int run_repair(const struct ctl *ctl)
{
    struct strait_segment_map map;
    char path[PATH_MAX];
    int r = ctl_open_writable(ctl, ctl->word[0], &map); /* says what is wrong with it */

    if (r != CTL_GOOD)
        return r;
    strcpy(path, map.path);
    strait_segment_close(&map);
    told = ctl;
    if (ctl->json) {
        ctl_json_begin(&deaths, "repair");
        json_string(&deaths, "segment", ctl->word[0]);
        json_array(&deaths, "deaths");
    }
    r = ctl_sweep_path(path);
    if (r < 0 && r != -ETIMEDOUT)
        ctl_say("%s: %s", path, strait_strerror(r));
    if (ctl->json) {
        json_close(&deaths);
        json_u64(&deaths, "swept", r < 0 ? 0 : (uint64_t)r);
        json_close(&deaths);
    } else if (r == 0) {
        printf("%s: nobody is dead and unswept\n", path);
    }
    return r < 0 ? CTL_FINDING : CTL_GOOD;
}

const struct ctl_command ctl_repair = {
    .name = "repair",
    .arguments = "NAME",
    .summary = "Sweep: undo what dead processes left, as whoever waits or joins does by himself",
    .help =
        "Slots that they were writing are voided, messages that they were reading are given back, locks are marked\n"
        "\"an owner died inside\". Waits 2 s for the admin lock, and says who holds it. Nothing that lives is "
        "touched.\n"
        "\n"
        "  shmctl repair demo\n",
    .least = 1,
    .most = 1,
    .run = run_repair,
    .writes = true,
};

/* ---- close ---- */

/* {segment, and what of it, did: true} */
static void say_done(const struct ctl *ctl, const char *what, const char *did)
{
    struct json j;

    ctl_json_begin(&j, ctl->command->name);
    json_string(&j, "segment", ctl->word[0]);
    if (ctl->words > 1)
        json_string(&j, what, ctl->word[1]);
    json_bool(&j, did, true);
    json_close(&j);
}

static int run_close(const struct ctl *ctl)
{
    struct strait_segment *segment;
    int r = ctl_attach(ctl, ctl->word[0], &segment);

    if (r != CTL_GOOD)
        return r;
    r = strait_channel_shut(segment, ctl->word[1]);
    strait_detach(segment);
    if (r < 0)
        return ctl_say_failed(ctl->word[1], r);
    if (ctl->json)
        say_done(ctl, "channel", "closed");
    else
        printf("channel %s is closed: sends fail, receivers drain it\n", table_text(ctl->word[1], STRAIT_NAME_BYTES));
    return CTL_GOOD;
}

const struct ctl_command ctl_close_channel = {
    .name = "close",
    .arguments = "NAME CHANNEL",
    .summary = "Close a channel for everybody and for good",
    .help = "Sends get -EPIPE; receivers get what is there, and then -EPIPE.\n"
            "\n"
            "  shmctl close demo jobs\n",
    .least = 2,
    .most = 2,
    .run = run_close,
    .writes = true,
};

/* ---- rm ---- */

static int unlink_object(struct strait_segment *segment, struct strait_segment_map *map, const char *name)
{
    struct strait_object o;
    int r = strait_directory_find(map, name, STRAIT_KIND_NONE, &o);

    if (r < 0)
        return r;
    if (o.kind == STRAIT_KIND_CHANNEL)
        return strait_channel_unlink(segment, name);
    return o.kind == STRAIT_KIND_REGION ? strait_region_unlink(segment, name) : strait_counter_unlink(segment, name);
}

static int rm_object(const struct ctl *ctl)
{
    struct strait_segment *segment;
    struct ctl_segment look;
    int r = ctl_attach(ctl, ctl->word[0], &segment);

    if (r != CTL_GOOD)
        return r;
    r = ctl_open(ctl, ctl->word[0], &look);
    if (r == CTL_GOOD) {
        r = unlink_object(segment, &look.map, ctl->word[1]);
        ctl_close(&look);
        if (r < 0)
            r = ctl_say_failed(ctl->word[1], r);
        else if (ctl->json)
            say_done(ctl, "object", "removed");
        else
            printf("%s has no name any more; its memory goes with the last who uses it\n",
                   table_text(ctl->word[1], STRAIT_NAME_BYTES));
    }
    strait_detach(segment);
    return r;
}

/* Who keeps it from being removed. */
static int say_in_use(const struct ctl *ctl, const char *name)
{
    struct ctl_segment s;
    struct ctl_lease l;
    int r = ctl_open(ctl, name, &s);

    if (r != CTL_GOOD)
        return r;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (ctl_lease(&s, i, &l) && l.alive)
            ctl_say("%s is in use by %s", ctl_segment_name(&s), ctl_lease_name(&l));
    ctl_close(&s);
    return CTL_FINDING;
}

static int rm_segment(const struct ctl *ctl)
{
    struct strait_segment_map map;
    struct strait_misfit misfit;
    char path[PATH_MAX];
    int r = ctl_open_writable(ctl, ctl->word[0], &map);

    if (r != CTL_GOOD)
        return r;
    strcpy(path, map.path);
    strait_segment_close(&map);
    r = strait_collect(path, strait_after_ns(CTL_PATIENCE_NS), &misfit);
    if (r == 0)
        return say_in_use(ctl, ctl->word[0]);
    if (r == -ETIMEDOUT)
        return ctl_say_busy(path);
    if (r < 0)
        return ctl_say_failed(path, r);
    if (ctl->json)
        say_done(ctl, "object", "removed");
    else
        printf("%s is removed\n", path);
    return CTL_GOOD;
}

static int run_rm(const struct ctl *ctl)
{
    return ctl->words == 2 ? rm_object(ctl) : rm_segment(ctl);
}

const struct ctl_command ctl_rm = {
    .name = "rm",
    .arguments = "NAME [OBJECT]",
    .summary = "Remove a segment that nobody is attached to, or take an object's name away",
    .help =
        "An object's memory goes with the last handle on it, by close or by death; its name can be used anew at once.\n"
        "\n"
        "  shmctl rm demo                 the whole segment\n"
        "  shmctl rm demo jobs            one object in it\n",
    .least = 1,
    .most = 2,
    .run = run_rm,
    .writes = true,
};
