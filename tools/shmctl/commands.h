/* SPDX-License-Identifier: MIT */
/** Every subcommand, for main.c's table; each file has its own. */
#ifndef STRAIT_TOOLS_COMMANDS_H
#define STRAIT_TOOLS_COMMANDS_H

#include "shmctl.h"

/* see */
extern const struct ctl_command ctl_ls, ctl_show, ctl_ps, ctl_tree, ctl_limits, ctl_letters, ctl_numa;
/* traffic */
extern const struct ctl_command ctl_top, ctl_hz, ctl_tap, ctl_record, ctl_replay;
extern const struct ctl_command ctl_send, ctl_recv, ctl_call, ctl_latency;
/* why */
extern const struct ctl_command ctl_blame, ctl_deadlock, ctl_errors, ctl_snapshot;
/* mend */
extern const struct ctl_command ctl_verify, ctl_gc, ctl_repair, ctl_heal, ctl_drain, ctl_close_channel, ctl_rm;
/* the machine, and machines */
extern const struct ctl_command ctl_doctor, ctl_check, ctl_exporter, ctl_bridge;

#endif
