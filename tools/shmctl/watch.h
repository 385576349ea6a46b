/* SPDX-License-Identifier: MIT */
/**
 * Segments that are looked at again and again: they stay mapped from look to look, which then costs a stat(2) each. One that was
 * removed, replaced or cut short is let go of; new ones of a directory are looked for once a second.
 */
#ifndef STRAIT_TOOLS_WATCH_H
#define STRAIT_TOOLS_WATCH_H

#include "shmctl.h"

struct ctl_watch {
    const struct ctl *ctl;
    struct ctl_segment **segment; /* those of the command line, in its order; else the directory's, by name */
    unsigned n;
    uint64_t search_ns; /* when to look for new ones: CLOCK_MONOTONIC */
};

/** As ctl_each, with what is mapped already. Begin with {.ctl = …}. */
int ctl_watch_each(struct ctl_watch *watch, ctl_look *look, void *arg);

void ctl_watch_end(struct ctl_watch *watch);

#endif
