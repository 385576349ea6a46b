/* SPDX-License-Identifier: MIT */
/** Sweeping from outside, for shmctl repair and gc. */
#ifndef STRAIT_TOOLS_MEND_H
#define STRAIT_TOOLS_MEND_H

#include "shmctl.h"

/** Sweep the dead of the segment at this path, telling each: how many, or -errno (-ETIMEDOUT: and who is in the way). */
int ctl_sweep_path(const char *path);

#endif
