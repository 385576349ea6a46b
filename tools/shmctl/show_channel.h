/* SPDX-License-Identifier: MIT */
/** One channel, for shmctl show. */
#ifndef STRAIT_TOOLS_SHOW_CHANNEL_H
#define STRAIT_TOOLS_SHOW_CHANNEL_H

#include "shmctl.h"

/** Do its numbers hold together? */
bool ctl_channel_good(struct ctl_segment *s, const struct strait_object *object);

void ctl_channel_print(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *object);

/** A member "channel" of the object that is open. */
void ctl_channel_json(struct json *j, struct ctl_segment *s, const struct strait_object *object);

#endif
