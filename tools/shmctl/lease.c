/* SPDX-License-Identifier: MIT */
/* Leases: who is attached, is it alive, what does it wait for. Copies, each word loaded once. */
#include "lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "process.h"
#include "shmctl.h"
#include "snapshot.h"
#include "strait/atomic.h"

/* What /proc says, if the pid still is that process. */
static void look_at_process(const struct ctl_segment *s, struct ctl_lease *l)
{
    struct ctl_process p;

    if (s->snapshot) {
        const struct ctl_snapshot_lease *was = &s->snapshot->leases[l->index];
        l->ours = was->ours;
        l->state = was->state;
        l->threads = was->threads;
        return;
    }
    l->ours = l->pid_ns == ctl_process_namespace();
    if (l->ours && ctl_process_look(l->pid, &p) && p.started == l->started) {
        l->state = p.state;
        l->threads = p.threads;
    }
}

bool ctl_lease(struct ctl_segment *s, uint32_t i, struct ctl_lease *lease)
{
    const struct strait_lease_cell *cell = strait_segment_lease(&s->map, i);

    if (strait_load32_acquire(&cell->state) != STRAIT_LEASE_USED) /* acquire [L8] <- [L3] strait_lease_take */
        return false;
    *lease = (struct ctl_lease){.index = i, .alive = strait_lease_alive(&s->map, i)};
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
    if (lease->alive)
        look_at_process(s, lease);
    else
        lease->ours = lease->pid_ns == ctl_process_namespace();
    return true;
}

void ctl_count_leases(struct ctl_segment *s, unsigned *alive, unsigned *dead)
{
    struct ctl_lease lease;

    *alive = *dead = 0;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (ctl_lease(s, i, &lease)) {
            *alive += lease.alive != 0;
            *dead += lease.alive == 0;
        }
}

const char *ctl_lease_state(const struct ctl_lease *l, enum table_colour *colour)
{
    *colour = l->alive > 0 ? TABLE_GREEN : l->alive == 0 ? TABLE_RED : TABLE_YELLOW;
    if (l->alive <= 0)
        return l->alive == 0 ? "dead" : "cannot tell";
    if (l->state == 'T' || l->state == 't') {
        *colour = TABLE_RED;
        return l->state == 'T' ? "stopped" : "traced";
    }
    return "alive";
}

const char *ctl_lease_name(const struct ctl_lease *l)
{
    char text[128];

    snprintf(text, sizeof text, "%s (pid %u%s, lease %u)", table_text(l->program, sizeof l->program), l->pid,
             l->ours ? "" : "*", l->index);
    return table_text(text, sizeof text);
}

void ctl_json_lease(struct json *j, const struct ctl_lease *l)
{
    enum table_colour colour;

    json_u64(j, "lease", l->index);
    json_u64(j, "pid", l->pid);
    if (l->alive < 0)
        json_null(j, "alive");
    else
        json_bool(j, "alive", l->alive);
    json_string(j, "state", ctl_lease_state(l, &colour));
    json_bytes(j, "program", l->program, strnlen(l->program, sizeof l->program));
    json_u64(j, "generation", l->generation);
    json_u64(j, "pid_namespace", l->pid_ns);
    json_bool(j, "our_namespace", l->ours);
    json_u64(j, "joined_ns", l->joined_ns);
}

const char *ctl_wait_name(uint32_t kind)
{
    static const char *const names[] = {"", "receive", "send", "reply", "reply space", "lock", "read lock", "loop"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

uint32_t ctl_admin_holder(struct ctl_segment *s)
{
    struct ctl_lease l;

    if (s->snapshot)
        return s->snapshot->admin;
    if (strait_admin_holder(&s->map) == 0)
        return STRAIT_LEASE_NONE;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (ctl_lease(s, i, &l) && l.ours && ctl_process_locks(l.pid, s->map.inode, STRAIT_LOCK_ADMIN))
            return i;
    return STRAIT_LEASE_ORPHAN;
}
