/* SPDX-License-Identifier: MIT */
/** On which NUMA node pages of a segment are to lie, and where they do. Raw system calls, because shm/ has no libnuma. */
#ifndef STRAIT_PAGES_H
#define STRAIT_PAGES_H

#include "strait/layout.h"

#define STRAIT_NODE_NUMBERS 1024 /* the kernel's numbers of nodes are below this */

/**
 * Pages of these bytes of a tmpfs file that are allocated from now on, by whatever process, lie on `node` (a number, or
 * STRAIT_NODE_INTERLEAVED: on all that we may use, in turn; or STRAIT_NODE_ANY: as the kernel likes). What is there already
 * stays where it is. offset, bytes: whole pages. 0, -EINVAL no such node for us, -EPERM this process may not ask for it.
 */
int strait_pages_place(int fd, uint64_t offset, uint64_t bytes, int32_t node);

/** Pages by node. */
struct strait_pages {
    uint64_t on[STRAIT_NODE_NUMBERS];
    uint64_t unknown; /* on the move */
};

/** Where do the pages of [from, from + bytes) lie? Mapped memory, whole pages; each is read once, because the kernel tells
 * only of what we have touched (so a page that the file did not have is allocated). 0, -EPERM this process may not ask,
 * -ENOSYS. */
int strait_pages_where(const void *from, uint64_t bytes, struct strait_pages *pages);

#endif
