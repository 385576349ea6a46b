/* SPDX-License-Identifier: MIT */
/** One channel, for shmctl show. */
#ifndef STRAIT_TOOLS_SHMCTL_CHANNEL_H
#define STRAIT_TOOLS_SHMCTL_CHANNEL_H

#include "directory.h"
#include "shmctl.h"

/** Do its numbers hold together? */
bool ctl_channel_good(struct strait_segment_map *map, const struct strait_object *object);

void ctl_channel_print(const struct ctl *ctl, struct strait_segment_map *map, const struct strait_object *object);

/** A member "channel" of the object that is open. */
void ctl_channel_json(struct json *j, struct strait_segment_map *map, const struct strait_object *object);

#endif
