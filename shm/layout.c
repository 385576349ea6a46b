/* SPDX-License-Identifier: MIT */
#include "layout.h"

#define SIZE(type)                                                                                                     \
    {                                                                                                                  \
        "sizeof(struct " #type ")", (uint32_t)sizeof(struct type)                                                      \
    }
#define FIELD(type, member)                                                                                            \
    {                                                                                                                  \
#type "." #member, (uint32_t)offsetof(struct type, member)                                                     \
    }
#define VALUE(name)                                                                                                    \
    {                                                                                                                  \
#name, (uint32_t)(name)                                                                                        \
    }

/* Every number that two processes must agree on. Append only; the order is part of the fingerprint. */
const struct strait_layout_field strait_layout_fields[] = {
    VALUE(STRAIT_LEASES),
    VALUE(STRAIT_NAME_BYTES),
    VALUE(STRAIT_WAITS),
    VALUE(STRAIT_TURN_SHIFT),
    VALUE(STRAIT_ATTEMPTS_SHIFT),
    VALUE(STRAIT_STATE_SHIFT),
    VALUE(STRAIT_SLOT_HEAD),
    VALUE(STRAIT_REPLY_GENERATION_SHIFT),
    VALUE(STRAIT_REPLY_OWNER_SHIFT),
    SIZE(strait_header),
    FIELD(strait_header, id),
    FIELD(strait_header, gone),
    FIELD(strait_header, looked_ns),
    FIELD(strait_header, no_barrier),
    SIZE(strait_lease_cell),
    FIELD(strait_lease_cell, generation),
    FIELD(strait_lease_cell, program),
    FIELD(strait_lease_cell, waits),
    SIZE(strait_wait_record),
    SIZE(strait_entry),
    FIELD(strait_entry, offset),
    FIELD(strait_entry, name),
    FIELD(strait_entry, refs),
    SIZE(strait_set),
    SIZE(strait_bell),
    FIELD(strait_bell, mode),
    FIELD(strait_bell, sleepers),
    SIZE(strait_slot),
    FIELD(strait_slot, head),
    SIZE(strait_ring),
    FIELD(strait_ring, tail_hint),
    FIELD(strait_ring, head_hint),
    FIELD(strait_ring, producer),
    FIELD(strait_ring, returned),
    FIELD(strait_ring, suspect),
    FIELD(strait_ring, writable),
    SIZE(strait_channel),
    FIELD(strait_channel, rings_off),
    FIELD(strait_channel, status),
    FIELD(strait_channel, readable),
    FIELD(strait_channel, senders),
    FIELD(strait_channel, holders),
    FIELD(strait_channel, dropped_new),
    SIZE(strait_dead_letters),
    SIZE(strait_dead_letter),
    SIZE(strait_reply),
    FIELD(strait_reply, caller),
    FIELD(strait_reply, readable),
    FIELD(strait_reply, ring),
    SIZE(strait_request_head),
    VALUE(STRAIT_LOCK_DIED),
    VALUE(STRAIT_LOCK_POISONED),
    VALUE(STRAIT_LOCK_WAITERS),
    VALUE(STRAIT_SHARD_HASH),
    SIZE(strait_region_head),
    FIELD(strait_region_head, part_bytes),
    FIELD(strait_region_head, copy_bytes),
    FIELD(strait_region_head, run_bytes),
    FIELD(strait_region_head, readers),
    SIZE(strait_lock),
    FIELD(strait_lock, draining),
    FIELD(strait_lock, drained),
    FIELD(strait_lock, node),
    FIELD(strait_lock, sequence),
    SIZE(strait_reader_cell),
    SIZE(strait_counter_head),
    FIELD(strait_counter_head, shards_off),
    SIZE(strait_counter_shard),
    FIELD(strait_counter_shard, node),
    SIZE(strait_counter_cell),
    FIELD(strait_counter_cell, lease),
    VALUE(STRAIT_ERRORS),
    FIELD(strait_header, errors_lost),
    SIZE(strait_error_cell),
    FIELD(strait_error_cell, object),
    FIELD(strait_error_cell, program),
};

const uint32_t strait_layout_fields_n = sizeof strait_layout_fields / sizeof strait_layout_fields[0];

STRAIT_STATIC_ASSERT(sizeof strait_layout_fields / sizeof strait_layout_fields[0] <= STRAIT_LAYOUT_FIELDS,
                     "the header has no room to describe the layout");
STRAIT_STATIC_ASSERT(sizeof(struct strait_header) <= STRAIT_PAGE, "the header is one page");

uint64_t strait_layout_fingerprint(const uint32_t *values, uint32_t n)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint32_t i = 0; i < n; i++)
        for (unsigned byte = 0; byte < 4; byte++)
            hash = (hash ^ ((values[i] >> (8 * byte)) & 0xff)) * UINT64_C(0x100000001b3);
    return hash;
}
