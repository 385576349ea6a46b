/* SPDX-License-Identifier: MIT */
/**
 * Reads a segment's bytes by itself, without the library: is anything taken by somebody who is no more? Leases are probed
 * through a description of its own, and roles, sets, slots and replies are counted.
 */
#ifndef STRAIT_TESTS_CRASH_AUDIT_H
#define STRAIT_TESTS_CRASH_AUDIT_H

#include "stage.h"
#include "strait/layout.h"

struct audit {
    unsigned char *base;
    uint64_t bytes;
    int fd;
};

/** Maps the stage's object read-only. False and a verdict when it is not there. */
bool audit_open(struct audit *a, struct stage *st);
void audit_close(struct audit *a);

/** Is the lease held by a living address space? */
bool audit_alive(const struct audit *a, uint32_t lease);
/** The process that a lease names, for people. */
uint32_t audit_pid(const struct audit *a, uint32_t lease);
/** Leases that are USED and dead. */
uint32_t audit_dead(const struct audit *a);
/** Leases that are USED. */
uint32_t audit_used(const struct audit *a);

/** The live channel of that name, or null. */
const struct strait_channel *audit_channel(const struct audit *a, const char *name);
/** Slots of ring 0 that are in `state`. */
uint32_t audit_slots(const struct audit *a, const struct strait_channel *c, uint32_t state);

/**
 * After all messages were drained and all handles closed, with `attached` processes left: every slot FREE, every reply
 * FREE, no role, no set bit and no reference of anybody, nobody counted asleep, entries LIVE or FREE, leases used by
 * the attached only. False and a verdict otherwise.
 */
bool audit_clean(const struct audit *a, struct stage *st, uint32_t attached);

#endif
