/* SPDX-License-Identifier: MIT */
/** Commands that change a segment: as a process that attaches to it, or from outside under the admin lock. */
#ifndef STRAIT_TOOLS_ATTACH_H
#define STRAIT_TOOLS_ATTACH_H

#include <strait/strait.h>

#include "channel.h"
#include "shmctl.h"

/** Attach to an existing segment by name or path; by CTL_PATIENCE_NS. CTL_GOOD, else it has said why. */
int ctl_attach(const struct ctl *ctl, const char *name, struct strait_segment **segment);

/** Map a segment for writing, without a lease. CTL_GOOD, else it has said why. */
int ctl_open_writable(const struct ctl *ctl, const char *name, struct strait_segment_map *map);

/** The admin lock was not to be had: say who holds it. CTL_FINDING. */
int ctl_say_busy(const char *path);

/** A call of the library failed: say so with its sentence. CTL_FINDING, or CTL_DAMAGED for -EPROTO and the like. */
int ctl_say_failed(const char *what, int error);

/** Attach to the segment of the first word, open an end of the channel of the second (never makes one), act, and leave. What act
 * says, else it has said why. */
int ctl_as_sender(const struct ctl *ctl, int (*act)(const struct ctl *, struct strait_tx *, void *arg), void *arg);
int ctl_as_receiver(const struct ctl *ctl, int (*act)(const struct ctl *, struct strait_rx *));

/** The numbers of a channel that we are attached to. */
int ctl_attached_view(struct strait_segment *segment, const char *channel, struct strait_channel_view *view);

#endif
