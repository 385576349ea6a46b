/* SPDX-License-Identifier: MIT */
/** Regions and counters, for shmctl show. */
#ifndef STRAIT_TOOLS_SHOW_STATE_H
#define STRAIT_TOOLS_SHOW_STATE_H

#include "shmctl.h"

void ctl_region_print(const struct ctl *ctl, struct ctl_segment *segment, const struct strait_object *object);
void ctl_counter_print(const struct ctl *ctl, struct ctl_segment *segment, const struct strait_object *object);

/** Members "region", "counter" of the object that is open. */
void ctl_region_json(struct json *j, struct ctl_segment *segment, const struct strait_object *object);
void ctl_counter_json(struct json *j, struct ctl_segment *segment, const struct strait_object *object);

/** Do the numbers of a region or counter hold together? Of anything else: true. */
bool ctl_state_good(struct ctl_segment *segment, const struct strait_object *object);

#endif
