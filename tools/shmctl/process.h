/* SPDX-License-Identifier: MIT */
/** What /proc says about a process that has a lease. Nothing is decided by it: who lives, the lease's lock says. */
#ifndef STRAIT_TOOLS_PROCESS_H
#define STRAIT_TOOLS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct ctl_process {
    char state; /* R, S, D, T, t, Z as in proc(5) */
    uint32_t threads;
    uint64_t started; /* clock ticks since boot */
};

/** False: there is no such process, or we may not look. */
bool ctl_process_look(uint32_t pid, struct ctl_process *process);

/** Inode of the pid namespace that we are in. */
uint64_t ctl_process_namespace(void);

/** Has this process an OFD write lock on this byte of a file with this inode? */
bool ctl_process_locks(uint32_t pid, uint64_t inode, uint64_t byte);

#endif
