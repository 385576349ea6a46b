/* SPDX-License-Identifier: MIT */
/**
 * A segment as it was, in a file: this head, then the segment's bytes. Who was alive is no byte of a segment but a lock
 * of the kernel's; so the head has it, and whoever opens a snapshot takes the same locks on it. Then everything that
 * reads segments reads snapshots.
 */
#ifndef STRAIT_TOOLS_SNAPSHOT_H
#define STRAIT_TOOLS_SNAPSHOT_H

#include "shmctl.h"

#define CTL_SNAPSHOT_MAGIC   "straitSN"
#define CTL_SNAPSHOT_VERSION 1

struct ctl_snapshot_lease {
    uint8_t alive;
    char state;
    uint8_t ours;
    uint8_t unused[5];
    uint32_t threads;
    uint32_t unused1;
};

struct ctl_snapshot {
    char magic[8];
    uint32_t version;
    uint32_t admin; /* ctl_admin_holder */
    uint64_t real_ns, mono_ns;
    char name[STRAIT_NAME_BYTES];
    struct ctl_snapshot_lease leases[STRAIT_LEASES];
};

/** Bytes before the segment's: whole pages. */
#define CTL_SNAPSHOT_HEAD ((sizeof(struct ctl_snapshot) + STRAIT_PAGE - 1) / STRAIT_PAGE * (uint64_t)STRAIT_PAGE)

/** Is this file a snapshot? Then map it: 1, 0 it is none, -errno as strait_segment_open. */
int ctl_snapshot_open(struct ctl_segment *segment, const char *path, struct strait_misfit *misfit);

void ctl_snapshot_close(struct ctl_segment *segment);

#endif
