/* SPDX-License-Identifier: MIT */
/**
 * The process that one starts: it keeps the bridge proper, its child, running, and holds the channels meanwhile. Without it a
 * bridge that is killed would be the last receiver that goes, and senders would get -EPIPE; so they wait, and go on.
 */
#ifndef STRAIT_TOOLS_BRIDGE_KEEPER_H
#define STRAIT_TOOLS_BRIDGE_KEEPER_H

#include "bridge.h"

/** Run `be_bridge` in a child, again whenever it is killed (with a growing pause), until it ends by itself or a signal ends us
 * both: the exit status. */
int keeper_run(struct bridge *bridge, int (*be_bridge)(struct bridge *bridge));

#endif
