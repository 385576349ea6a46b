/* SPDX-License-Identifier: MIT */
/** How objects spread over nodes: where their shards lie, which one is a handle's own, and how far the others are. */
#ifndef STRAIT_LIB_SPREAD_H
#define STRAIT_LIB_SPREAD_H

#include "channel.h"
#include "process.h"

/** The nodes that a new object's shards are to lie on; -1 = where the object lies. */
struct strait_spread_nodes {
    uint32_t n; /* shards; 0 = not sharded */
    int32_t node[STRAIT_SHARDS_MOST];
};

/** A new object: shards.n of them, each shard_bytes long and whole pages if there are several. */
struct strait_spread_object {
    enum strait_kind kind;
    uint64_t bytes, shards_at, shard_bytes;
    struct strait_spread_nodes *nodes;
};

/** For the option `shards`: dealt out over the nodes on which pages may lie, unless `memory` names another place for all of
 * the object, or there is one such node only. More than STRAIT_SHARDS_MOST are left to strait_channel_measure to refuse.
 * Under the registry's mutex. */
void strait_spread_nodes(uint32_t shards, uint32_t memory, struct strait_spread_nodes *nodes);

/** strait_directory_prepare, each shard on its node. Where pages cannot be placed (no tmpfs, a container that forbids it)
 * and nobody asked for `node`, they lie anywhere, and object->nodes say so. Registry, admin. */
int strait_spread_prepare(struct strait_segment *segment, const char *name, const struct strait_spread_object *object,
                          int32_t node, struct strait_object *made);

/** Shards that lie on these nodes, as seen from the CPU that we run on: the nearest first, equally near ones round from
 * `first`. Registry. */
void strait_spread_near(const int32_t *node, uint32_t shards, uint32_t first, uint8_t *order);

struct strait_spread_map;

/** For a handle of a sharded channel: *spread is the caller's to free. Under the registry's mutex. 0 or -ENOMEM. */
int strait_spread_make(const struct strait_channel_view *view, struct strait_spread_map **spread);

/** The shard of the CPU that the calling thread runs on. No system call where the C library knows the CPU. */
uint32_t strait_spread_home(struct strait_spread_map *spread);

/** All shards, the one that strait_spread_home last said first, then by distance. */
const uint8_t *strait_spread_order(const struct strait_spread_map *spread);

/** Called once for every half ring: the shard to look into now, most often the own one. */
uint32_t strait_spread_visit(struct strait_spread_map *spread);

#endif
