/* SPDX-License-Identifier: MIT */
/* Header, leases, directory. A word that others may change meanwhile is judged only if it still stands after we have
 * looked at what it is compared with: turns and generations only grow, so it cannot have left and come back. */
#include "verify.h"

#include <string.h>
#include <sys/stat.h>

#include "directory.h"
#include "errors.h"
#include "lease.h"
#include "pages.h"
#include "strait/atomic.h"

#define ALIVE   "PROTOCOLS.md, Who is alive"
#define WORD    "PROTOCOLS.md, Ring word"
#define BELLS   "PROTOCOLS.md, Bells"
#define REPLY   "PROTOCOLS.md, Reply word"
#define OPEN    "PROTOCOLS.md, Open, close, last one gone"
#define SEGMENT "PROTOCOLS.md, Segment: create, attach, gc"
#define REGION  "PROTOCOLS.md, Region word"
#define LAYOUT  "shm/strait/layout.h"
#define NUMA    "NUMA.md, Where pages lie"

const struct strait_rule_text strait_rules[STRAIT_RULES] = {
    [STRAIT_RULE_HEADER] = {"header", "magic, version, layout, sizes and offsets are those of this build", LAYOUT},
    [STRAIT_RULE_HEADER_FLAGS] = {"header-flags", "gone and no_barrier are 0 or 1, and the segment has an id", SEGMENT},
    [STRAIT_RULE_LEASE_STATE] = {"lease-state", "a lease is FREE or USED, and lease 0 is nobody's", ALIVE},
    [STRAIT_RULE_LEASE_HELD] = {"lease-held", "nobody holds the lock of a lease that is FREE", ALIVE},
    [STRAIT_RULE_LEASE_WAIT] = {"lease-wait", "a wait is of a kind that this build knows", ALIVE},
    [STRAIT_RULE_ERROR] = {"error", "an error is of a kind that this build knows, and its key is its name's", LAYOUT},
    [STRAIT_RULE_ENTRY_STATE] = {"entry-state", "an entry is FREE, LIVE or UNLINKED", SEGMENT},
    [STRAIT_RULE_ENTRY_KIND] = {"entry-kind", "an object is of a kind that this build knows", LAYOUT},
    [STRAIT_RULE_ENTRY_BOUNDS] = {"entry-bounds", "an object is made of whole pages of the arena", SEGMENT},
    [STRAIT_RULE_ENTRY_OVERLAP] = {"entry-overlap", "no two objects share a byte", SEGMENT},
    [STRAIT_RULE_ENTRY_NAME] = {"entry-name", "a name has 1 to 47 printable bytes without '/', and ends", LAYOUT},
    [STRAIT_RULE_ENTRY_TWICE] = {"entry-twice", "no two live objects have one name", SEGMENT},
    [STRAIT_RULE_ENTRY_REFS] = {"entry-refs", "only leases in use refer to an object", ALIVE},
    [STRAIT_RULE_ENTRY_LEFT] = {"entry-left", "an unlinked object is freed with its last reference", SEGMENT},
    [STRAIT_RULE_ENTRY_NODE] = {"entry-node", "an object's pages lie on the node that was asked for", NUMA},
    [STRAIT_RULE_CHANNEL_NUMBERS] = {"channel-numbers", "a channel's tables lie in its object, in order", LAYOUT},
    [STRAIT_RULE_CHANNEL_OPTIONS] = {"channel-options", "flags, policy, attempts and window are possible ones", LAYOUT},
    [STRAIT_RULE_CHANNEL_SET] = {"channel-set", "senders, receivers and holders are leases in use", OPEN},
    [STRAIT_RULE_CHANNEL_STATUS] = {"channel-status", "the status says what the sets say", OPEN},
    [STRAIT_RULE_BELL] = {"bell", "the mode is FENCE, ASYM or SWITCHING", BELLS},
    [STRAIT_RULE_DEAD_LETTER] = {"dead-letter", "a dead letter fits its place and names a ring of its channel", WORD},
    [STRAIT_RULE_RING_NUMBERS] = {"ring-numbers", "capacity is a power of two; slots fit, and lie in the object", WORD},
    [STRAIT_RULE_RING_FLAGS] = {"ring-flags", "a ring's ends are one or many as its channel says", WORD},
    [STRAIT_RULE_RING_OVERLAP] = {"ring-overlap", "no two tables or rings of a channel share a byte", LAYOUT},
    [STRAIT_RULE_RING_ROLE] = {"ring-role", "a sole end is nobody's, or of a lease in use that has the role", OPEN},
    [STRAIT_RULE_RING_RETURNED] = {"ring-returned", "a sweep that returned a message raised the generation", WORD},
    [STRAIT_RULE_SLOT_STATE] = {"slot-state", "only states that this ring's ends can bring about", WORD},
    [STRAIT_RULE_SLOT_OWNER] = {"slot-owner", "CLAIMED and TAKEN have an owner, nothing else has", WORD},
    [STRAIT_RULE_SLOT_LEASE] = {"slot-lease", "a slot's owner is a lease in use", ALIVE},
    [STRAIT_RULE_SLOT_ATTEMPTS] = {"slot-attempts", "attempts are of a message, and fewer than max_attempts", WORD},
    [STRAIT_RULE_SLOT_TURN] = {"slot-turn", "slots are filled in order, so turns differ by one round at most", WORD},
    [STRAIT_RULE_SLOT_LENGTH] = {"slot-length", "a message fits its slot", WORD},
    [STRAIT_RULE_REPLY_STATE] = {"reply-state", "one of the six states", REPLY},
    [STRAIT_RULE_REPLY_OWNER] = {"reply-owner", "OPEN, BUSY and ABANDONED have an owner, nothing else has", REPLY},
    [STRAIT_RULE_REPLY_LEASE] = {"reply-lease", "owner, and caller while BUSY, are leases in use", REPLY},
    [STRAIT_RULE_REGION_NUMBERS] = {"region-numbers", "a region's parts, cells and copies lie in its object", LAYOUT},
    [STRAIT_RULE_REGION_LOCK] = {"region-lock", "a lock is free, ORPHAN, POISONED, or of a lease in use", REGION},
    [STRAIT_RULE_REGION_READERS] = {"region-readers", "only leases in use may read", REGION},
    [STRAIT_RULE_COUNTER_NUMBERS] = {"counter-numbers", "a counter's cells lie in its object", LAYOUT},
    [STRAIT_RULE_COUNTER_CELL] = {"counter-cell", "a cell is free, or of a lease in use", LAYOUT},
};

void strait_look_found(struct strait_look *look, enum strait_rule rule, const void *word, uint64_t value)
{
    struct strait_finding finding = look->at;

    finding.rule = rule;
    finding.offset = (uint64_t)((const unsigned char *)word - look->map->base);
    finding.value = value;
    look->findings++;
    look->how->found(look->how, &finding);
}

/* ---- header ---- */

static void verify_header(struct strait_look *look)
{
    const struct strait_header *h = strait_segment_header(look->map);
    struct strait_misfit misfit = {NULL, 0, 0};
    uint32_t gone = strait_load32_relaxed(&h->gone), no_barrier = strait_load32_relaxed(&h->no_barrier);

    if (strait_segment_check(h, look->map->bytes, &misfit) < 0) {
        look->at.field = misfit.field;
        strait_look_found(look, STRAIT_RULE_HEADER, h, misfit.there);
        look->at.field = NULL;
    }
    if (gone > STRAIT_GONE_YES)
        strait_look_found(look, STRAIT_RULE_HEADER_FLAGS, &h->gone, gone);
    if (no_barrier > 1)
        strait_look_found(look, STRAIT_RULE_HEADER_FLAGS, &h->no_barrier, no_barrier);
    if (strait_load64_relaxed(&h->id) == 0)
        strait_look_found(look, STRAIT_RULE_HEADER_FLAGS, &h->id, 0);
}

/* ---- leases ---- */

bool strait_look_lease(const struct strait_look *look, uint64_t lease)
{
    return lease > STRAIT_LEASE_NONE && lease < STRAIT_LEASES &&
           /* acquire [I4] <- [L3] strait_lease_take */
           strait_load32_acquire(&strait_segment_lease(look->map, (uint32_t)lease)->state) == STRAIT_LEASE_USED;
}

void strait_verify_set(struct strait_look *look, enum strait_rule rule, const struct strait_set *set)
{
    for (uint32_t i = 0; i < STRAIT_LEASES / 64; i++) {
        uint64_t word = strait_load64_relaxed(&set->bits[i]);

        for (uint64_t left = word; left; left &= left - 1) {
            uint64_t lease = i * 64 + (uint32_t)__builtin_ctzll(left);
            if (!strait_look_lease(look, lease) && strait_load64_relaxed(&set->bits[i]) == word)
                strait_look_found(look, rule, &set->bits[i], lease);
        }
    }
}

static void verify_waits(struct strait_look *look, const struct strait_lease_cell *cell)
{
    for (unsigned i = 0; i < STRAIT_WAITS; i++) {
        uint32_t kind = strait_load32_relaxed(&cell->waits[i].kind);
        if (kind > STRAIT_WAIT_LOOP)
            strait_look_found(look, STRAIT_RULE_LEASE_WAIT, &cell->waits[i].kind, kind);
    }
}

static void verify_leases(struct strait_look *look)
{
    for (uint32_t i = 0; i < STRAIT_LEASES; i++) {
        const struct strait_lease_cell *cell = strait_segment_lease(look->map, i);
        uint32_t state = strait_load32_relaxed(&cell->state);

        look->at.lease = i;
        if (state > STRAIT_LEASE_USED || (i == STRAIT_LEASE_NONE && state != STRAIT_LEASE_FREE))
            strait_look_found(look, STRAIT_RULE_LEASE_STATE, &cell->state, state);
        else if (look->how->admin && state == STRAIT_LEASE_FREE && strait_lease_alive(look->map, i) == 1)
            strait_look_found(look, STRAIT_RULE_LEASE_HELD, &cell->state, state);
        if (state != STRAIT_LEASE_FREE)
            verify_waits(look, cell);
    }
    look->at.lease = STRAIT_NOWHERE;
}

/* ---- errors ---- */

/* Cells without a count are half-written: whoever meets that error next finishes them. */
static void verify_errors(struct strait_look *look)
{
    struct strait_error_seen seen;

    for (uint32_t i = 0; i < STRAIT_ERRORS; i++) {
        const struct strait_error_cell *cell = strait_segment_error(look->map, i);
        /* acquire [E5] <- [E1] strait_error_count: a counted cell is whole */
        uint64_t count = strait_load64_acquire(&cell->count), key = strait_load64_relaxed(&cell->key);
        if (count && (!strait_error_read(look->map, i, &seen) || strait_error_key(seen.kind, seen.object) != key))
            strait_look_found(look, STRAIT_RULE_ERROR, &cell->key, key);
    }
}

/* ---- directory ---- */

/* Compare with the entries before this one. Does it lie in a place of its own? */
static bool alone(struct strait_look *look, const struct strait_object *o, bool live)
{
    const struct strait_entry *entry = strait_segment_entry(look->map, o->entry);
    struct strait_object other;

    for (uint32_t i = 0; i < o->entry; i++) {
        const struct strait_entry *before = strait_segment_entry(look->map, i);
        if (strait_directory_at(look->map, i, &other) < 0)
            continue;
        if (other.offset < o->offset + o->bytes && o->offset < other.offset + other.bytes) {
            strait_look_found(look, STRAIT_RULE_ENTRY_OVERLAP, &entry->offset, o->offset);
            return false;
        }
        if (live && strait_load32_relaxed(&before->state) == STRAIT_ENTRY_LIVE &&
            strncmp(before->name, entry->name, STRAIT_NAME_BYTES) == 0)
            strait_look_found(look, STRAIT_RULE_ENTRY_TWICE, &entry->name, i);
    }
    return true;
}

void strait_look_node(struct strait_look *look, const int32_t *said, uint64_t offset, uint64_t bytes)
{
    int32_t node = (int32_t)strait_load32_relaxed((const uint32_t *)said);
    uint64_t all = (bytes + STRAIT_PAGE - 1) / STRAIT_PAGE, elsewhere = all;
    struct strait_pages pages;

    if (node == STRAIT_NODE_ANY)
        return;
    if (node >= 0 && node < STRAIT_NODE_NUMBERS) {
        if (!look->pages || strait_pages_where(look->map->base + offset, all * STRAIT_PAGE, &pages) < 0)
            return;
        elsewhere = all - pages.on[node] - pages.unknown;
    }
    if (elsewhere)
        strait_look_found(look, STRAIT_RULE_ENTRY_NODE, said, elsewhere);
}

static void verify_node(struct strait_look *look, const struct strait_object *o)
{
    const int32_t *said = &strait_segment_entry(look->map, o->entry)->node;
    int32_t node = (int32_t)strait_load32_relaxed((const uint32_t *)said);

    if (node != STRAIT_NODE_INTERLEAVED && node != STRAIT_NODE_SHARDED)
        strait_look_node(look, said, o->offset, o->bytes);
}

static void verify_entry(struct strait_look *look, uint32_t i)
{
    const struct strait_entry *entry = strait_segment_entry(look->map, i);
    struct strait_object o;
    int r = strait_directory_at(look->map, i, &o);
    uint32_t state = strait_load32_relaxed(&entry->state);

    if (state == STRAIT_ENTRY_FREE)
        return;
    if (state > STRAIT_ENTRY_UNLINKED)
        strait_look_found(look, STRAIT_RULE_ENTRY_STATE, &entry->state, state);
    strait_verify_set(look, STRAIT_RULE_ENTRY_REFS, &entry->refs);
    if (look->still && state == STRAIT_ENTRY_UNLINKED && strait_set_count(&entry->refs) == 0)
        strait_look_found(look, STRAIT_RULE_ENTRY_LEFT, &entry->state, state);
    if (!strait_name_good(entry->name))
        strait_look_found(look, STRAIT_RULE_ENTRY_NAME, entry->name, 0);
    if (r < 0) {
        strait_look_found(look, STRAIT_RULE_ENTRY_BOUNDS, &entry->offset, strait_load64_relaxed(&entry->offset));
        return;
    }
    if (o.kind == STRAIT_KIND_NONE || o.kind > STRAIT_KIND_POOL)
        strait_look_found(look, STRAIT_RULE_ENTRY_KIND, &entry->kind, o.kind);
    /* what shares its bytes with something else would be judged twice; so a check is linear in the segment's size */
    if (!alone(look, &o, state == STRAIT_ENTRY_LIVE))
        return;
    verify_node(look, &o);
    if (o.kind == STRAIT_KIND_CHANNEL)
        strait_verify_channel(look, &o);
    else if (o.kind == STRAIT_KIND_REGION)
        strait_verify_region(look, &o);
    else if (o.kind == STRAIT_KIND_COUNTER)
        strait_verify_counter(look, &o);
}

/* Are all of the file's pages there? */
static bool whole(const struct strait_segment_map *map)
{
    struct stat st;
    return fstat(map->fd, &st) == 0 && (uint64_t)st.st_blocks * 512 >= map->bytes;
}

uint32_t strait_verify(struct strait_segment_map *map, struct strait_verify *how)
{
    struct strait_look look = {.map = map,
                               .how = how,
                               .at = {.lease = STRAIT_NOWHERE,
                                      .entry = STRAIT_NOWHERE,
                                      .ring = STRAIT_NOWHERE,
                                      .reply = STRAIT_NOWHERE,
                                      .slot = STRAIT_NOWHERE},
                               .pages = how->pages && whole(map),
                               .still = how->admin && strait_lease_next_dead(map, 1) == 0};

    verify_header(&look);
    verify_leases(&look);
    verify_errors(&look);
    for (uint32_t i = 0; i < map->directory_max; i++) {
        look.at.entry = i;
        verify_entry(&look, i);
    }
    return look.findings;
}
