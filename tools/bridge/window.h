/* SPDX-License-Identifier: MIT */
/**
 * The last WINDOW_ENTRIES deliveries, and of those all that are not known to be acknowledged: a region of the segment, so that
 * it outlives the bridge. An entry is written after the local commit and before the acknowledgement. A message that the server delivers again is
 * looked up here; one that was committed in the instant before a bridge died is not, and comes twice (marked): that is one
 * for each death at most.
 */
#ifndef STRAIT_TOOLS_BRIDGE_WINDOW_H
#define STRAIT_TOOLS_BRIDGE_WINDOW_H

#include "bridge.h"

#define WINDOW_ENTRIES 4096 /* the most; its size is stated in status and docs */

/** Where a delivered message lies: until that slot's turn has passed, nobody has released it. */
struct window_place {
    uint64_t sequence; /* of the stream; 0 = the entry is free. Written last */
    uint64_t cursor;   /* turn 40 | slot 24, as a ring's cursors */
    uint64_t consumer; /* its number as the consumer counts, and */
    uint32_t tries;    /* how often it was delivered: with these a successor speaks for it. consumer 0: it cannot */
    uint32_t ring;
};

struct window_page {
    uint64_t made;   /* which stream the sequences are of */
    uint64_t server; /* which server process delivered last: another one may have forgotten what it delivered */
    uint64_t epoch;  /* which channel the places are in */
    struct window_place place[WINDOW_ENTRIES];
};

struct window {
    struct strait_region *region;
    struct window_page *page;
    uint16_t slot[2 * WINDOW_ENTRIES]; /* sequence -> entry + 1, open addressing; private */
    uint16_t free[WINDOW_ENTRIES];
    uint16_t done[WINDOW_ENTRIES]; /* acknowledged for certain, oldest first: forgotten when their place is needed */
    uint32_t free_n, done_first, done_n;
};

/** Take the link's window; what a dead bridge left in it counts, if it is of this channel. 0, -EBUSY another bridge has
 * it, or as strait_region_open. */
int window_open(struct window *window, struct link *link, uint64_t epoch);
void window_close(struct window *window);

/** These sequences are of the stream that was made then: those of another are forgotten. Were there any? */
bool window_stream(struct window *window, uint64_t made);

/** The entry of a sequence, or -ENOENT. */
int window_find(const struct window *window, uint64_t sequence);

/** Remember a delivery: its entry, or -ENOSPC. */
int window_add(struct window *window, const struct window_place *place);

/** The acknowledgement is confirmed. It is remembered all the same, as long as there is room. */
void window_done(struct window *window, uint32_t entry);

/** How many deliveries can be added. */
uint32_t window_room(const struct window *window);

#endif
