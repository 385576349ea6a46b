/* SPDX-License-Identifier: MIT */
/** Named objects of a segment. One store of the entry's state allocates, one frees; free space is what no entry covers. */
#ifndef STRAIT_DIRECTORY_H
#define STRAIT_DIRECTORY_H

#include "segment.h"

/** Where an object lies: a checked copy of its entry. */
struct strait_object {
    uint32_t entry;
    uint32_t kind;
    uint64_t offset;
    uint64_t bytes;
};

/**
 * Find a live object by name: 0, -ENOENT, -EPROTO its entry points outside the arena. `kind` 0 = any, else -EEXIST-like
 * mismatch is -ENOTUNIQ: the name is an object of another kind.
 */
int strait_directory_find(const struct strait_segment_map *map, const char *name, enum strait_kind kind,
                          struct strait_object *object);

/** Entry i as an object: 0, -ENOENT it is free, -EPROTO. LIVE and UNLINKED ones alike. */
int strait_directory_at(const struct strait_segment_map *map, uint32_t i, struct strait_object *object);

/**
 * Find room for an object: zeroed, reserved, page-aligned, its entry filled in but not yet published. Admin.
 * 0, -EEXIST the name is taken, -EMFILE no entry is left, -ENOSPC, or as strait_pages_place says about `node`.
 */
int strait_directory_prepare(struct strait_segment_map *map, const char *name, enum strait_kind kind, uint64_t bytes,
                             int32_t node, struct strait_object *object);

/** Where an object's pages are to lie: all on one node, or, STRAIT_NODE_SHARDED, parts of it, in whole pages, each on its own. */
struct strait_directory_place {
    int32_t node;
    uint32_t parts_n;
    const struct strait_directory_part {
        uint64_t at, bytes; /* from the object's start */
        int32_t node;
    } * parts;
};

/** strait_directory_prepare, with a place. */
int strait_directory_prepare_at(struct strait_segment_map *map, const char *name, enum strait_kind kind, uint64_t bytes,
                                const struct strait_directory_place *place, struct strait_object *object);

/** The object's bytes are in order: publish it, by one store. Admin. */
void strait_directory_publish(struct strait_segment_map *map, const struct strait_object *object);

/** Our lease refers to the object, or does not any more. An unlinked one goes with its last reference. Admin. */
void strait_directory_refer(struct strait_segment_map *map, uint32_t entry);
void strait_directory_unrefer(struct strait_segment_map *map, uint32_t entry, uint32_t lease);

/** Take the name away: the memory goes when no lease refers to it. Admin. 0, -ENOENT. */
int strait_directory_unlink(struct strait_segment_map *map, const char *name, enum strait_kind kind);

/** Bytes of the arena that no entry covers, and the longest run of them. A snapshot. */
void strait_directory_space(const struct strait_segment_map *map, uint64_t *free_bytes, uint64_t *longest);

#endif
