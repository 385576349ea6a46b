/* SPDX-License-Identifier: MIT */
/* Opening a segment that anybody may be changing, or a snapshot of one; its objects. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <strait/error.h>

#include "lease.h"
#include "shmctl.h"
#include "snapshot.h"
#include "strait/atomic.h"

int ctl_explain(int error, const struct strait_misfit *misfit, char *text, size_t size)
{
    switch (error) {
    case -ENOENT:
        snprintf(text, size, "no such segment");
        return CTL_FINDING;
    case -EBADMSG:
        if (strcmp(misfit->field, "file type") == 0)
            snprintf(text, size, "not a segment: no regular file");
        else
            snprintf(text, size, "not a segment: its %s is %#" PRIx64 ", not %#" PRIx64, misfit->field, misfit->there,
                     misfit->here);
        return CTL_DAMAGED;
    case -ESTALE:
        snprintf(text, size, "made by a build with another layout: %s is %" PRIu64 " there, %" PRIu64 " here",
                 misfit->field, misfit->there, misfit->here);
        return CTL_DAMAGED;
    case -EPROTO:
        snprintf(text, size, "damaged: its %s is %" PRIu64 ", expected %" PRIu64, misfit->field, misfit->there,
                 misfit->here);
        return CTL_DAMAGED;
    case -ELOOP:
        snprintf(text, size, "not a segment: a symbolic link");
        return CTL_DAMAGED;
    case -EISDIR:
    case -ENXIO:
        snprintf(text, size, "not a segment: %s", strerror(-error));
        return CTL_DAMAGED;
    default:
        snprintf(text, size, "%s", strait_strerror(error));
        return CTL_FINDING;
    }
}

/* ---- open ---- */

int ctl_path(const struct ctl *ctl, const char *name, char *path)
{
    int r = 0;

    if (strchr(name, '/') == NULL)
        r = strait_segment_path(path, ctl->directory, name);
    else if (strlen(name) < PATH_MAX)
        strcpy(path, name);
    else
        r = -ENAMETOOLONG;
    return r < 0 ? ctl_usage("'%s' is no name for a segment", table_text(name, 80)) : CTL_GOOD;
}

int ctl_open(const struct ctl *ctl, const char *name, struct ctl_segment *s)
{
    struct strait_misfit misfit = {NULL, 0, 0};
    char path[PATH_MAX], text[256];
    int r = ctl_path(ctl, name, path);

    if (r != CTL_GOOD)
        return r;
    s->snapshot = NULL;
    r = strait_segment_open(&s->map, path, false, false, &misfit);
    if (r == -EBADMSG) { /* where its magic number is another, it may be a snapshot */
        r = ctl_snapshot_open(s, path, &misfit);
        r = r == 0 ? -EBADMSG : r;
    }
    if (r >= 0)
        return CTL_GOOD;
    r = ctl_explain(r, &misfit, text, sizeof text);
    ctl_say("%s: %s", path, text);
    return r;
}

void ctl_close(struct ctl_segment *s)
{
    strait_segment_close(&s->map);
    ctl_snapshot_close(s);
}

const char *ctl_segment_name(const struct ctl_segment *s)
{
    const char *slash = strrchr(s->map.path, '/'), *file = slash ? slash + 1 : s->map.path;

    if (s->snapshot)
        return table_text(s->snapshot->name, sizeof s->snapshot->name);
    if (strncmp(file, STRAIT_FILE_PREFIX, sizeof STRAIT_FILE_PREFIX - 1) == 0)
        file += sizeof STRAIT_FILE_PREFIX - 1;
    return table_text(file, NAME_MAX);
}

/* ---- time, JSON ---- */

void ctl_json_line(const struct ctl *ctl)
{
    printf("{\"schema\": \"strait.shmctl.%s\", \"version\": %d, ", ctl->command->name, CTL_JSON_VERSION);
}

void ctl_json_begin(struct json *j, const char *command)
{
    char schema[64];

    snprintf(schema, sizeof schema, "strait.shmctl.%s", command);
    json_begin(j, stdout);
    json_object(j, NULL);
    json_string(j, "schema", schema);
    json_u64(j, "version", CTL_JSON_VERSION);
}

uint64_t ctl_real_ns(const struct ctl_segment *s)
{
    struct timespec t;

    if (s && s->snapshot)
        return s->snapshot->real_ns;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t ctl_mono_ns(const struct ctl_segment *s)
{
    return s->snapshot ? s->snapshot->mono_ns : strait_now_ns();
}

/* ---- objects ---- */

const char *ctl_kind_name(uint32_t kind)
{
    static const char *const names[] = {"none", "channel", "region", "counter", "pool"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

const char *ctl_object_name(const struct ctl_segment *s, uint32_t entry)
{
    return table_text(strait_segment_entry(&s->map, entry)->name, STRAIT_NAME_BYTES);
}

int ctl_object_at(const struct ctl_segment *s, uint64_t offset, struct strait_object *object)
{
    for (uint32_t i = 0; i < s->map.directory_max; i++)
        if (strait_directory_at(&s->map, i, object) == 0 && object->offset == offset)
            return (int)i;
    return -ENOENT;
}

int ctl_object(const struct ctl_segment *s, const char *name, enum strait_kind kind, struct strait_object *object)
{
    int r = strait_directory_find(&s->map, name, kind, object);

    if (r == 0)
        return CTL_GOOD;
    if (r == -EPROTO) {
        ctl_say("%s: the entry of %s points outside of it", s->map.path, table_text(name, STRAIT_NAME_BYTES));
        return CTL_DAMAGED;
    }
    ctl_say("%s has no %s %s", s->map.path, kind ? ctl_kind_name(kind) : "object", table_text(name, STRAIT_NAME_BYTES));
    return CTL_FINDING;
}

void ctl_json_set(struct json *j, const char *key, const struct strait_set *set)
{
    json_array(j, key);
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (strait_set_has(set, i))
            json_u64(j, NULL, i);
    json_close(j);
}

const char *ctl_set_text(const struct strait_set *set)
{
    char text[64] = "";
    size_t at = 0;

    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!strait_set_has(set, i))
            continue;
        if (at > sizeof text - 12) {
            strcpy(text + at, " …");
            break;
        }
        at += (size_t)snprintf(text + at, sizeof text - at, at ? " %u" : "%u", i);
    }
    return table_text(*text ? text : "-", sizeof text);
}
