/* SPDX-License-Identifier: MIT */
/** A segment's life: create or join, leave, collect. PROTOCOLS.md, "Segment: create, attach, gc". */
#ifndef STRAIT_ATTACH_H
#define STRAIT_ATTACH_H

#include "segment.h"

enum strait_attach_how {
    STRAIT_ATTACH_OPEN,   /* must exist */
    STRAIT_ATTACH_CREATE, /* must not exist */
    STRAIT_ATTACH_EITHER
};

/**
 * Open or make the segment at `path` and take a lease on it. By until_ns. 0, -ENOENT, -EEXIST, -EUSERS all leases are
 * held, -ETIMEDOUT the admin lock is held by somebody stopped, or what strait_segment_build and _open say.
 */
int strait_attach_map(struct strait_segment_map *map, const char *path, enum strait_attach_how how,
                      const struct strait_segment_shape *shape, uint64_t until_ns, struct strait_misfit *misfit);

/** Make an unnamed segment and take a lease on it; as strait_attach_map. */
int strait_attach_unnamed_map(struct strait_segment_map *map, const struct strait_segment_shape *shape,
                              uint64_t until_ns);

/** Take a lease on the segment that `fd` has open, named or not; as strait_attach_map. */
int strait_attach_fd_map(struct strait_segment_map *map, int fd, unsigned ask, uint64_t until_ns,
                         struct strait_misfit *misfit);

/** Leave: our lease is swept from every object and its index freed; unmapped in any case, by death if need be. */
void strait_detach_map(struct strait_segment_map *map, uint64_t until_ns);

/** Remove the name if no lease is alive: 1 removed, 0 in use, -errno. Never takes a name that means another file. */
int strait_collect(const char *path, uint64_t until_ns, struct strait_misfit *misfit);

#endif
