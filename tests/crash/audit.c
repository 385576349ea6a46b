/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool audit_open(struct audit *a, struct stage *st)
{
    struct stat is;
    void *p = MAP_FAILED;
    a->fd = shm_open(st->object, O_RDWR | O_CLOEXEC, 0);
    if (a->fd >= 0 && fstat(a->fd, &is) == 0)
        p = mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_SHARED, a->fd, 0);
    if (p == MAP_FAILED) {
        if (a->fd >= 0)
            close(a->fd);
        return stage_fail(st, VERDICT_BROKEN, "the segment's name is gone");
    }
    a->base = p;
    a->bytes = (uint64_t)is.st_size;
    return true;
}

void audit_close(struct audit *a)
{
    munmap(a->base, a->bytes);
    close(a->fd);
}

static const struct strait_header *header(const struct audit *a)
{
    return (const void *)a->base;
}

static const struct strait_lease_cell *lease_cell(const struct audit *a, uint32_t i)
{
    return (const struct strait_lease_cell *)(const void *)(a->base + header(a)->leases_off) + i;
}

static const struct strait_entry *entry(const struct audit *a, uint32_t i)
{
    return (const struct strait_entry *)(const void *)(a->base + header(a)->directory_off) + i;
}

bool audit_alive(const struct audit *a, uint32_t lease)
{
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_LEASES + lease, .l_len = 1};
    return fcntl(a->fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

uint32_t audit_pid(const struct audit *a, uint32_t lease)
{
    return lease_cell(a, lease)->state == STRAIT_LEASE_USED ? lease_cell(a, lease)->pid : 0;
}

uint32_t audit_used(const struct audit *a)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        n += lease_cell(a, i)->state == STRAIT_LEASE_USED;
    return n;
}

uint32_t audit_dead(const struct audit *a)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        n += lease_cell(a, i)->state == STRAIT_LEASE_USED && !audit_alive(a, i);
    return n;
}

const struct strait_channel *audit_channel(const struct audit *a, const char *name)
{
    for (uint32_t i = 0; i < header(a)->directory_max; i++)
        if (entry(a, i)->state == STRAIT_ENTRY_LIVE && !strcmp(entry(a, i)->name, name))
            return (const void *)(a->base + entry(a, i)->offset);
    return NULL;
}

static uint32_t ring_slots(const struct audit *a, const struct strait_ring *ring, uint32_t state)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < ring->capacity; i++) {
        const struct strait_slot *slot = (const void *)(a->base + ring->slots_off + (uint64_t)i * ring->stride);
        n += (slot->word & STRAIT_STATE_MASK) >> STRAIT_STATE_SHIFT == state;
    }
    return n;
}

uint32_t audit_slots(const struct audit *a, const struct strait_channel *c, uint32_t state)
{
    return ring_slots(a, (const void *)(a->base + c->rings_off), state);
}

static bool empty(const struct strait_set *set)
{
    for (unsigned i = 0; i < STRAIT_LEASES / 64; i++)
        if (set->bits[i])
            return false;
    return true;
}

static bool bell_clean(const struct strait_bell *bell)
{
    return (uint32_t)bell->sleepers == 0; /* counts of the current epoch */
}

static bool ring_clean(const struct audit *a, struct stage *st, const struct strait_ring *ring)
{
    for (uint32_t state = STRAIT_SLOT_CLAIMED; state < 8; state++)
        if (ring_slots(a, ring, state))
            return stage_fail(st, VERDICT_LEAKED, "%u slots are left in state %u", ring_slots(a, ring, state), state);
    if (ring->producer || ring->consumer)
        return stage_fail(st, VERDICT_LEAKED, "leases %u and %u are left as sole ends", ring->producer, ring->consumer);
    if (!bell_clean(&ring->writable))
        return stage_fail(st, VERDICT_LEAKED, "somebody is left counted asleep at a ring");
    return true;
}

static bool channel_clean(const struct audit *a, struct stage *st, const struct strait_channel *c)
{
    const struct strait_ring *rings = (const void *)(a->base + c->rings_off);
    const struct strait_reply *replies = (const void *)(a->base + c->replies_off);
    for (uint32_t i = 0; i < c->rings; i++)
        if (!ring_clean(a, st, &rings[i]))
            return false;
    if (!empty(&c->senders) || !empty(&c->receivers) || !empty(&c->holders))
        return stage_fail(st, VERDICT_LEAKED, "somebody is left in the channel's sets");
    if (!bell_clean(&c->readable))
        return stage_fail(st, VERDICT_LEAKED, "somebody is left counted asleep at the channel");
    for (uint32_t i = 0; i < c->replies; i++) {
        if ((replies[i].word & STRAIT_REPLY_STATE_MASK) != STRAIT_REPLY_FREE)
            return stage_fail(st, VERDICT_LEAKED, "reply %u is left in state %u", i,
                              (unsigned)(replies[i].word & STRAIT_REPLY_STATE_MASK));
        if (!bell_clean(&replies[i].readable) || !bell_clean(&replies[i].ring.writable))
            return stage_fail(st, VERDICT_LEAKED, "somebody is left counted asleep at reply %u", i);
    }
    return true;
}

bool audit_clean(const struct audit *a, struct stage *st, uint32_t attached)
{
    uint32_t dead = audit_dead(a), used = audit_used(a);
    if (dead || used != attached)
        return stage_fail(st, VERDICT_LEAKED, "%u leases are used, %u of them dead; %u are attached", used, dead,
                          attached);
    for (uint32_t i = 0; i < header(a)->directory_max; i++) {
        const struct strait_entry *e = entry(a, i);
        if (e->state == STRAIT_ENTRY_FREE)
            continue;
        if (e->state != STRAIT_ENTRY_LIVE)
            return stage_fail(st, VERDICT_LEAKED, "entry %u (%s) is left in state %u", i, e->name, e->state);
        if (!empty(&e->refs))
            return stage_fail(st, VERDICT_LEAKED, "entry %u (%s) is left referred to", i, e->name);
        if (e->kind == STRAIT_KIND_CHANNEL &&
            !channel_clean(a, st, (const struct strait_channel *)(const void *)(a->base + e->offset)))
            return false;
    }
    return true;
}
