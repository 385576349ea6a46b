/* SPDX-License-Identifier: MIT */
/** What holds a segment up without anybody waiting: a held admin lock, what the dead hold, locks that owners died in. */
#ifndef STRAIT_TOOLS_REMAINS_H
#define STRAIT_TOOLS_REMAINS_H

#include "shmctl.h"

/** A line for each: how many. */
unsigned ctl_remains_print(struct ctl_segment *segment);

/** Members "admin_lock", "dead" and "suspect" of the object that is open: how many there are. */
unsigned ctl_remains_json(struct json *j, struct ctl_segment *segment);

#endif
