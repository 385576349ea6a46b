/* SPDX-License-Identifier: MIT */
/**
 * What a bridge says of itself, in an atomic region of the segment: `bridge` (or its --name). Readers need no bridge that
 * lives. The writer is the one bridge of that name, which holds the region's lock as long as it runs.
 */
#ifndef STRAIT_TOOLS_BRIDGE_STATUS_H
#define STRAIT_TOOLS_BRIDGE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <strait/strait.h>

#define BRIDGE_LINKS         16
#define BRIDGE_SUBJECT_BYTES 160
#define BRIDGE_STATUS_MAGIC  UINT64_C(0x3145474449524253) /* "SBRIDGE1" */
#define BRIDGE_STATUS_NAME   "bridge"
#define BRIDGE_WINDOW_PREFIX "bridge.in."

enum bridge_link_kind { BRIDGE_OUT = 1, BRIDGE_IN = 2, BRIDGE_CALL = 3, BRIDGE_SERVE = 4 };

enum bridge_link_state {
    BRIDGE_LINK_WAITING = 0, /* for the local object */
    BRIDGE_LINK_OFFLINE = 1, /* for the server */
    BRIDGE_LINK_RUNNING = 2,
    BRIDGE_LINK_FULL = 3,   /* out: the stream takes no more */
    BRIDGE_LINK_NOBODY = 4, /* in, serve: nobody receives here; call: nobody serves there */
    BRIDGE_LINK_CLOSED = 5  /* the channel is closed, everything has arrived */
};

struct bridge_link_status {
    uint32_t kind, state;
    char name[STRAIT_NAME_BYTES];
    char subject[BRIDGE_SUBJECT_BYTES];
    uint64_t messages; /* carried to the other side: acknowledged there (out, call), committed here (in, serve) */
    uint64_t bytes;
    uint64_t under_way;   /* out: published, not acknowledged; in: delivered, not acknowledged; calls: open */
    uint64_t lag;         /* out: waiting in the local ring; in: waiting in the stream */
    uint64_t redelivered; /* came or went again, and are marked */
    uint64_t duplicates;  /* came again and were dropped: the window knew them, or the server's did */
    uint64_t refused;     /* out: the stream was full; calls: nobody there, or busy */
    uint64_t failed;      /* calls that ended with an error of the bridge; what came and was not of ours */
    uint64_t window;      /* in: how many deliveries are remembered; out, calls: most under way */
    uint64_t per_second_milli;
    uint64_t last_ns; /* CLOCK_REALTIME of the last message */
    uint64_t unused[4];
};

struct bridge_status {
    uint64_t magic;
    uint32_t pid, lease;
    uint64_t lease_generation;
    uint64_t started_ns, updated_ns; /* CLOCK_REALTIME */
    uint64_t unreachable_since_ns;   /* 0 = the server is there */
    uint64_t reconnects;
    uint64_t max_payload;
    uint32_t links, unused0;
    char app[STRAIT_NAME_BYTES];
    char server[128];
    uint64_t unused[8];
    struct bridge_link_status link[BRIDGE_LINKS];
};

struct bridge;
struct status_page;

/** Take the region of this bridge's name. 0, -EBUSY another bridge has it, or as strait_region_open. */
int status_open(struct bridge *bridge);

/** Publish the status if it has changed: no system call. */
void status_publish(struct bridge *bridge, uint64_t now_ns);

void status_close(struct bridge *bridge);

#endif
