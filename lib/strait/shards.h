/* SPDX-License-Identifier: MIT */
/**
 * A sharded region: many regions under one name, each for a range of keys' hashes. Who works on different keys rarely
 * meets at a lock. On a machine with several NUMA nodes the ranges are dealt out over them, each node's shards in pages of
 * their own there, unless `each.memory` says where all of them lie.
 */
#ifndef STRAIT_SHARDS_H
#define STRAIT_SHARDS_H

#include <strait/region.h>

STRAIT_BEGIN_DECLS

struct strait_shards;

struct strait_shards_options {
    uint32_t shards;                   /**< 1 to 4096; default 16 */
    struct strait_region_options each; /**< of one shard; `initial` is every shard's */
};

/** Open the shards; with options they are created if they are not there. As strait_region_open. One handle for each shard:
 * all of them belong to one thread at a time. */
STRAIT_API int strait_shards_open(struct strait_segment *segment, const char *name,
                                  const struct strait_shards_options *options, struct strait_shards **shards);

/** Close all of them. NULL is ignored. */
STRAIT_API void strait_shards_close(struct strait_shards *shards);

/** Take the name away; as strait_region_unlink. */
STRAIT_API int strait_shards_unlink(struct strait_segment *segment, const char *name);

/** How many shards there are. Any thread; never blocks. */
STRAIT_API uint32_t strait_shards_count(const struct strait_shards *shards);

/** The shard that a key of `bytes` bytes belongs to: the same in every process and build of this layout. Never NULL. */
STRAIT_API struct strait_region *strait_shards_of(const struct strait_shards *shards, const void *key, size_t bytes);

/** Shard i, or NULL. */
STRAIT_API struct strait_region *strait_shards_at(const struct strait_shards *shards, uint32_t i);

/** The NUMA node that shard i lies on; -ENODEV it was not placed: one node, or another `memory` was asked for. -EINVAL no shard i,
 * -EPROTO damaged, -ECHILD. Never blocks. */
STRAIT_API int strait_shards_node(const struct strait_shards *shards, uint32_t i);

STRAIT_END_DECLS

#endif
