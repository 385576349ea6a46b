/* SPDX-License-Identifier: MIT */
/**
 * What the kernel may write straight into a shared slot: an io_uring read can outlive its process (one with O_DIRECT landed
 * seconds after its process was dead, reaped and swept), and the slot may have a new owner by then.
 */
#ifndef STRAIT_LANDING_H
#define STRAIT_LANDING_H

#include <stdbool.h>

/* True for sockets, pipes, and for regular files without O_DIRECT on file systems whose buffered reads copy in the
 * reader's own context (ext4, xfs, btrfs, tmpfs). For all else, receive into private memory and copy. */
bool strait_landing_safe(int fd);

#endif
