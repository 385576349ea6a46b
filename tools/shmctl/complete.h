/* SPDX-License-Identifier: MIT */
/** What is written from the tables of commands and options. */
#ifndef STRAIT_TOOLS_COMPLETE_H
#define STRAIT_TOOLS_COMPLETE_H

#include "shmctl.h"

/** shmctl completion bash|zsh|fish: the whole command line. */
int ctl_completion(int argc, char **argv);

/** shmctl --manual: the commands, as scdoc has them, for the man page. */
int ctl_manual(void);

#endif
