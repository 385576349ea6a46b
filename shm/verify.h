/* SPDX-License-Identifier: MIT */
/**
 * A segment's fsck: every invariant that can be read off the shared bytes, checked one by one, nothing changed. What is
 * broken is named, with the page that defines it. Like everything here it believes no byte: a damaged segment ends in
 * findings, never in an access outside of it.
 */
#ifndef STRAIT_VERIFY_H
#define STRAIT_VERIFY_H

#include "segment.h"

enum strait_rule {
    STRAIT_RULE_HEADER,
    STRAIT_RULE_HEADER_FLAGS,
    STRAIT_RULE_LEASE_STATE,
    STRAIT_RULE_LEASE_HELD,
    STRAIT_RULE_LEASE_WAIT,
    STRAIT_RULE_ERROR,
    STRAIT_RULE_ENTRY_STATE,
    STRAIT_RULE_ENTRY_KIND,
    STRAIT_RULE_ENTRY_BOUNDS,
    STRAIT_RULE_ENTRY_OVERLAP,
    STRAIT_RULE_ENTRY_NAME,
    STRAIT_RULE_ENTRY_TWICE,
    STRAIT_RULE_ENTRY_REFS,
    STRAIT_RULE_ENTRY_LEFT,
    STRAIT_RULE_ENTRY_NODE,
    STRAIT_RULE_CHANNEL_NUMBERS,
    STRAIT_RULE_CHANNEL_OPTIONS,
    STRAIT_RULE_CHANNEL_SET,
    STRAIT_RULE_CHANNEL_STATUS,
    STRAIT_RULE_BELL,
    STRAIT_RULE_DEAD_LETTER,
    STRAIT_RULE_RING_NUMBERS,
    STRAIT_RULE_RING_FLAGS,
    STRAIT_RULE_RING_OVERLAP,
    STRAIT_RULE_RING_ROLE,
    STRAIT_RULE_RING_RETURNED,
    STRAIT_RULE_SLOT_STATE,
    STRAIT_RULE_SLOT_OWNER,
    STRAIT_RULE_SLOT_LEASE,
    STRAIT_RULE_SLOT_ATTEMPTS,
    STRAIT_RULE_SLOT_TURN,
    STRAIT_RULE_SLOT_LENGTH,
    STRAIT_RULE_REPLY_STATE,
    STRAIT_RULE_REPLY_OWNER,
    STRAIT_RULE_REPLY_LEASE,
    STRAIT_RULE_REGION_NUMBERS,
    STRAIT_RULE_REGION_LOCK,
    STRAIT_RULE_REGION_READERS,
    STRAIT_RULE_COUNTER_NUMBERS,
    STRAIT_RULE_COUNTER_CELL,
    STRAIT_RULES
};

/** What people are told about a rule. */
struct strait_rule_text {
    const char *name;    /* stable, for scripts: "slot-owner" */
    const char *says;    /* the invariant */
    const char *section; /* where it is defined: of docs/PROTOCOLS.md, or a file */
};

extern const struct strait_rule_text strait_rules[STRAIT_RULES];

#define STRAIT_NOWHERE UINT32_MAX

/** One broken invariant. */
struct strait_finding {
    enum strait_rule rule;
    uint32_t lease, entry, ring, reply, slot; /* STRAIT_NOWHERE where it does not apply; slot: part, cell, too */
    uint64_t offset;                          /* of the word, from the segment's start */
    uint64_t value;                           /* what it was */
    const char *field;                        /* header: which one; else NULL */
};

/** Called for each finding. Extend it by embedding. */
struct strait_verify {
    void (*found)(struct strait_verify *how, const struct strait_finding *finding);
    /* The caller holds the admin lock, and map->fd can probe leases: sets, roles and statuses stand still and are checked
     * against each other. Without it only what holds at every instant of a living segment is checked. */
    bool admin;
    /* Ask the kernel where the pages of objects lie that were made for a node; each page is read. Not asked
     * of a file with holes: a stranger's could be larger than the memory. */
    bool pages;
};

/** Check everything: how many findings. Reads only; map->base may be mapped read-only. Never blocks. */
uint32_t strait_verify(struct strait_segment_map *map, struct strait_verify *how);

/* ---- between verify.c, verify_channel.c and verify_state.c ---- */

struct strait_look {
    struct strait_segment_map *map;
    struct strait_verify *how;
    struct strait_finding at; /* where we are; rule, offset and value are filled in when something is found */
    uint32_t findings;
    bool pages; /* ask where they lie */
    bool still; /* admin, and no lease is dead and unswept: nothing is on the way from one state to another */
};

/** Something is broken. `word` lies in the segment. */
void strait_look_found(struct strait_look *look, enum strait_rule rule, const void *word, uint64_t value);

/** These bytes, whole pages or up to the next, are to lie on the node that `said` names, if any; if they do not, or it names none that can
 * be, it is said with the number of pages that lie elsewhere. Where the kernel does not answer there is nothing to say. */
void strait_look_node(struct strait_look *look, const int32_t *said, uint64_t offset, uint64_t bytes);

/** Is this the index of a lease that is handed out, and has not been buried? */
bool strait_look_lease(const struct strait_look *look, uint64_t lease);

struct strait_object;
void strait_verify_channel(struct strait_look *look, const struct strait_object *object);
void strait_verify_region(struct strait_look *look, const struct strait_object *object);
void strait_verify_counter(struct strait_look *look, const struct strait_object *object);

/** Every lease that the set names must be in use. */
void strait_verify_set(struct strait_look *look, enum strait_rule rule, const struct strait_set *set);

#endif
