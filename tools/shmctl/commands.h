/* SPDX-License-Identifier: MIT */
/** Every subcommand, for main.c's table; each file has its own. */
#ifndef STRAIT_TOOLS_COMMANDS_H
#define STRAIT_TOOLS_COMMANDS_H

#include "shmctl.h"

/* see */
extern const struct ctl_command ctl_ls, ctl_show, ctl_ps, ctl_tree, ctl_limits;
/* why */
extern const struct ctl_command ctl_blame, ctl_deadlock;
/* mend */
extern const struct ctl_command ctl_verify, ctl_snapshot;

#endif
