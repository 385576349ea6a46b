/* SPDX-License-Identifier: MIT */
/** What is wrong with all segments together, in numbers: shmctl check, exporter, errors. */
#ifndef STRAIT_TOOLS_HEALTH_H
#define STRAIT_TOOLS_HEALTH_H

#include "shmctl.h"

struct ctl_health {
    unsigned segments, unused, alive, dead, stopped, blocked, deadlocks, poisoned, suspect, admin_held;
    uint64_t bytes;
};

/** Add one segment. For ctl_each. */
int ctl_health_add(const struct ctl *ctl, struct ctl_segment *segment, void *health);

#endif
