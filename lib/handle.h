/* SPDX-License-Identifier: MIT */
/**
 * A handle on a named object that is no channel: found or made, referred to, listed, let go. An object lives while a lease
 * refers to it; the lease refers as long as one of its handles is open.
 */
#ifndef STRAIT_HANDLE_H
#define STRAIT_HANDLE_H

#include "directory.h"
#include "process.h"
#include "spread.h"

struct strait_handle {
    struct strait_segment *segment;
    struct strait_object object;
    struct strait_handle *next; /* registry mutex */
    char name[STRAIT_NAME_BYTES];
};

/** What one kind of object does. */
struct strait_handle_kind {
    enum strait_kind kind;
    const char *noun; /* for sentences */
    /* Bytes of a new object, from what the caller asks for: or -errno with a sentence. */
    int64_t (*measure)(const char *name, void *ask);
    /* Where its shards lie, if it has any; may be null. After measure, before build. */
    void (*spread)(void *ask, struct strait_spread_object *object);
    /* The option `memory` of what the caller asks for (strait/numa.h). */
    uint32_t (*memory)(const void *ask);
    /* Fill in a new object. Admin. */
    void (*build)(const struct strait_segment_map *map, const struct strait_object *object, void *ask);
    /* Take our place in it: 0, or -errno with a sentence. Admin. */
    int (*enter)(struct strait_handle *handle, void *ask);
    /* Give it up; last: no other handle of this process is on the object. Admin. */
    void (*leave)(struct strait_handle *handle, bool last);
};

/** Open `name`, making it if `create`. 0, or -errno with a sentence. Blocks for the admin lock. */
int strait_handle_open(struct strait_handle *handle, struct strait_segment *segment, const char *name,
                       const struct strait_handle_kind *kind, bool create, void *ask);

void strait_handle_close(struct strait_handle *handle, const struct strait_handle_kind *kind);

/** Make the object without a handle: 0, -EEXIST, else as strait_handle_open. */
int strait_handle_make(struct strait_segment *segment, const char *name, const struct strait_handle_kind *kind,
                       void *ask);

/** Remember an error of this object in the segment, as ours; returns `error`. For slow paths. */
int strait_handle_error(const struct strait_handle *handle, enum strait_error_kind kind, int error);

/** Take the name away; the memory goes with the last reference. */
int strait_handle_unlink(struct strait_segment *segment, const char *name, const struct strait_handle_kind *kind);

#endif
