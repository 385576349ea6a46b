/* SPDX-License-Identifier: MIT */
/** A segment's leases as a table and as JSON: shmctl ps and show. */
#ifndef STRAIT_TOOLS_PS_H
#define STRAIT_TOOLS_PS_H

#include "shmctl.h"

void ctl_leases_print(const struct ctl *ctl, struct ctl_segment *segment);

/** A member "leases" of the object that is open. */
void ctl_leases_json(struct json *j, struct ctl_segment *segment);

#endif
