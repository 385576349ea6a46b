/* SPDX-License-Identifier: MIT */
/**
 * What must be delivered, what may be, and what was: the books of one kill point. They lie in the stage, so that they
 * survive everybody. Payloads are made from their value, so that a torn one shows.
 */
#ifndef STRAIT_TESTS_CRASH_LEDGER_H
#define STRAIT_TESTS_CRASH_LEDGER_H

#include "stage.h"

#define LEDGER_ENTRIES 64
#define LEDGER_SEEN    128
#define LEDGER_PAYLOAD 48 /* bytes, at most */

struct ledger_entry {
    uint64_t value;
    uint16_t least, most;                   /* deliveries */
    uint16_t attempts_least, attempts_most; /* of a delivery to the survivor */
};

struct ledger_sight {
    uint64_t value;
    uint32_t attempts;
    uint32_t observer; /* who received it: each sees every producer's messages in order */
};

struct ledger {
    uint32_t entries_n, seen_n;
    uint32_t slack;     /* so many entries may be missing: a receiver was killed with them */
    uint32_t slack_any; /* whichever they are; else the oldest ones */
    uint32_t unordered; /* 1: a sender's messages lie in several rings, and come in any order */
    uint32_t drops;     /* 1: the channel drops the oldest message when it is full */
    uint32_t own;       /* the survivor's next own number */
    uint32_t closed;    /* 1: the channel may be closed; 2: it must be */
    struct ledger_entry entries[LEDGER_ENTRIES];
    struct ledger_sight seen[LEDGER_SEEN];
};

/** The ledger of a stage. */
struct ledger *ledger_of(struct stage *st);

/** Producer p's i-th value. */
#define LEDGER_VALUE(p, i) ((uint64_t)(p) << 32 | (uint64_t)(i) << 1 | 1)

/** Length and bytes of the message of a value; lengths differ, from 8 to LEDGER_PAYLOAD. */
uint32_t ledger_write(uint64_t value, void *payload);
/** The value of a received message; 0 when nobody has ever sent these bytes. */
uint64_t ledger_read(const void *payload, uint32_t bytes);

/** It was committed: exactly one delivery, never attempted before. The entry, for exceptions. */
struct ledger_entry *ledger_expect(struct ledger *l, uint64_t value);
struct ledger_entry *ledger_find(struct ledger *l, uint64_t value);

/** It was received; value 0 is a torn one. */
void ledger_see(struct ledger *l, uint64_t value, uint32_t attempts, uint32_t observer);

/** Compares the two sides; what does not agree becomes the stage's verdict. */
bool ledger_close(struct stage *st);

#endif
