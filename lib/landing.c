/* SPDX-License-Identifier: MIT */
#include "landing.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

bool strait_landing_safe(int fd)
{
    struct stat st;
    struct statfs fs;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &st) < 0)
        return false;
    if (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode))
        return true;
    if (!S_ISREG(st.st_mode) || (flags & O_DIRECT) || fstatfs(fd, &fs) < 0)
        return false;
    /* Not overlayfs: what lies under it may be anything. */
    return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC ||
           fs.f_type == TMPFS_MAGIC;
}
