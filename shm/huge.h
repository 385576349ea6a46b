/* SPDX-License-Identifier: MIT */
/** Huge pages under a segment: which there can be, asking for them, and what the kernel gave. */
#ifndef STRAIT_HUGE_H
#define STRAIT_HUGE_H

#include <stdbool.h>
#include <stdint.h>

/** What the pages of an open file may be. Transparent ones are only looked for where they are wanted: that reads /sys. */
struct strait_huge {
    uint64_t bytes; /* of one; 0 = this kernel has none for this file */
    bool only;      /* hugetlbfs: the file has no others, and every mapping of it is whole ones */
};

struct strait_huge strait_huge_of(int fd, bool wanted);

/**
 * Map `bytes` (whole units) of fd shared, where huge pages can be mapped at all: at a multiple of the unit. As mmap(2), which
 * may be asked to populate. NULL with errno.
 */
void *strait_huge_map(int fd, uint64_t bytes, uint64_t unit, int protection, int flags);

/** Ask for the mapping's plain pages, which are reserved, to be made huge. No error is possible: see strait_huge_mapped. */
void strait_huge_collapse(void *base, uint64_t bytes);

/** How many bytes of [base, base + bytes) are mapped by huge pages here and now, as /proc/self/smaps says; or -errno. */
int64_t strait_huge_mapped(const void *base, uint64_t bytes);

/** How many bytes of fd's first `bytes` lie in huge pages, through a mapping that is made for the question; or -errno. Reads
 * one byte of each huge page. */
int64_t strait_huge_bytes(int fd, uint64_t bytes);

#endif
