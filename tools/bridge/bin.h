/* SPDX-License-Identifier: MIT */
/**
 * Messages that libnats may have back, kept until there are some. natsMsg_Destroy wakes a collector thread of libnats each
 * time: on the way of a call that is two thread switches in each bridge that nobody waits for, and everybody pays.
 */
#ifndef STRAIT_TOOLS_BRIDGE_BIN_H
#define STRAIT_TOOLS_BRIDGE_BIN_H

#include <stdint.h>

#include <nats/nats.h>

#define BIN_MESSAGES 64
#define BIN_BYTES    (256 * 1024) /* of payload */

struct bin {
    natsMsg *msg[BIN_MESSAGES];
    uint32_t n;
    uint64_t bytes;
};

/** The message is not used any more; NULL is none. */
void bin_put(struct bin *bin, natsMsg *msg);

/** Give all back: when nothing is urgent, and before the connection goes. */
void bin_empty(struct bin *bin);

#endif
