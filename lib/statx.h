/* SPDX-License-Identifier: MIT */
/** statx(2) and its structure, also where the C library has none (musl before 1.2.5). */
#ifndef STRAIT_LIB_STATX_H
#define STRAIT_LIB_STATX_H

#include <sys/stat.h>

#ifndef STATX_BASIC_STATS
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int statx(int dir, const char *path, int flags, unsigned mask, struct statx *to)
{
    return (int)syscall(SYS_statx, dir, path, flags, mask, to);
}
#endif

#endif
