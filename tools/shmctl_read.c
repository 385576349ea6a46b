/* SPDX-License-Identifier: MIT */
/* Reading a segment that anybody may be changing: copies, each word loaded once. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <strait/error.h>

#include "lease.h"
#include "shmctl.h"
#include "strait/atomic.h"

int ctl_explain(int error, const struct strait_misfit *misfit, char *text, size_t size)
{
    switch (error) {
    case -ENOENT:
        snprintf(text, size, "no such segment");
        return CTL_FINDING;
    case -EBADMSG:
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
    case -EISDIR:
    case -ELOOP:
    case -ENXIO:
        snprintf(text, size, "not a segment: %s", strerror(-error));
        return CTL_DAMAGED;
    default:
        snprintf(text, size, "%s", strait_strerror(error));
        return CTL_FINDING;
    }
}

int ctl_open(const struct ctl *ctl, const char *name, struct strait_segment_map *map)
{
    struct strait_misfit misfit = {NULL, 0, 0};
    char path[PATH_MAX], text[256];
    int r = 0;

    if (strchr(name, '/') == NULL)
        r = strait_segment_path(path, ctl->directory, name);
    else if (strlen(name) < sizeof path)
        strcpy(path, name);
    else
        r = -ENAMETOOLONG;
    if (r < 0) {
        fprintf(stderr, "shmctl: '%s' is no name for a segment\n", name);
        return CTL_USAGE;
    }
    r = strait_segment_open(map, path, false, false, &misfit);
    if (r == 0)
        return CTL_GOOD;
    r = ctl_explain(r, &misfit, text, sizeof text);
    fprintf(stderr, "shmctl: %s: %s\n", path, text);
    return r;
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

uint64_t ctl_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- leases ---- */

bool ctl_lease(struct strait_segment_map *map, uint32_t i, struct ctl_lease *lease)
{
    const struct strait_lease_cell *cell = strait_segment_lease(map, i);

    if (strait_load32_acquire(&cell->state) != STRAIT_LEASE_USED) /* acquire [L8] <- [L3] strait_lease_take */
        return false;
    lease->index = i;
    lease->alive = strait_lease_alive(map, i);
    lease->pid = strait_load32_relaxed(&cell->pid);
    lease->generation = strait_load64_relaxed(&cell->generation);
    lease->started = strait_load64_relaxed(&cell->started);
    lease->pid_ns = strait_load64_relaxed(&cell->pid_ns);
    lease->joined_ns = strait_load64_relaxed(&cell->joined_ns);
    memcpy(lease->program, cell->program, sizeof lease->program);
    for (unsigned w = 0; w < STRAIT_WAITS; w++) {
        const struct strait_wait_record *record = &cell->waits[w];
        /* acquire [W2] <- [W1] strait_wait_note */
        lease->waits[w].kind = strait_load32_acquire(&record->kind);
        lease->waits[w].thread = strait_load32_relaxed(&record->thread);
        lease->waits[w].object = strait_load64_relaxed(&record->object);
        lease->waits[w].detail = strait_load64_relaxed(&record->detail);
        lease->waits[w].since_ns = strait_load64_relaxed(&record->since_ns);
    }
    return true;
}

void ctl_count_leases(struct strait_segment_map *map, unsigned *alive, unsigned *dead)
{
    struct ctl_lease lease;

    *alive = *dead = 0;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (ctl_lease(map, i, &lease)) {
            *alive += lease.alive != 0;
            *dead += lease.alive == 0;
        }
}

const char *ctl_wait_name(uint32_t kind)
{
    static const char *const names[] = {"", "receive", "send", "reply", "reply space", "lock", "read lock", "loop"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

/* ---- objects ---- */

const char *ctl_kind_name(uint32_t kind)
{
    static const char *const names[] = {"none", "channel", "region", "counter", "pool"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

const char *ctl_object_name(const struct strait_segment_map *map, uint32_t entry)
{
    return table_text(strait_segment_entry(map, entry)->name, STRAIT_NAME_BYTES);
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
