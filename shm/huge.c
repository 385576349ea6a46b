/* SPDX-License-Identifier: MIT */
#include "huge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "strait/atomic.h"
#include "strait/layout.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define TRANSPARENT "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#define LINE_BYTES  128 /* of smaps; a longer one is a path's, whose end nobody needs */

/* ---- what there can be ---- */

static uint64_t transparent_bytes(void)
{
    char text[32];
    int fd = open(TRANSPARENT, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    return strtoull(text, NULL, 10);
}

struct strait_huge strait_huge_of(int fd, bool wanted)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return (struct strait_huge){0, false};
    if (fs.f_type == HUGETLBFS_MAGIC)
        return (struct strait_huge){(uint64_t)fs.f_bsize, true};
    return (struct strait_huge){wanted && fs.f_type == TMPFS_MAGIC ? transparent_bytes() : 0, false};
}

/* ---- asking ---- */

void *strait_huge_map(int fd, uint64_t bytes, uint64_t unit, int protection, int flags)
{
    unsigned char *room = mmap(NULL, bytes + unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char *base;
    uint64_t before;

    if (room == MAP_FAILED)
        return NULL;
    before = (unit - (uintptr_t)room % unit) % unit;
    base = mmap(room + before, bytes, protection, MAP_SHARED | MAP_FIXED | flags, fd, 0);
    if (base == MAP_FAILED) {
        int error = errno;
        munmap(room, bytes + unit);
        errno = error;
        return NULL;
    }
    if (before)
        munmap(room, before);
    munmap(base + bytes, unit - before);
    madvise(base, bytes, MADV_HUGEPAGE);
    return base;
}

void strait_huge_collapse(void *base, uint64_t bytes)
{
    madvise(base, bytes, MADV_COLLAPSE);
}

/* ---- what was given ---- */

/** smaps, line by line. */
struct lines {
    int fd;
    size_t at, n;
    char buffer[4096];
};

/* The next line, cut to LINE_BYTES - 1: 1, 0 no more, -errno. */
static int next_line(struct lines *l, char line[LINE_BYTES])
{
    size_t length = 0;

    for (;;) {
        if (l->at == l->n) {
            ssize_t n = read(l->fd, l->buffer, sizeof l->buffer);
            if (n <= 0)
                return n < 0 ? -errno : 0;
            l->at = 0;
            l->n = (size_t)n;
        }
        char c = l->buffer[l->at++];
        if (c == '\n')
            break;
        if (length < LINE_BYTES - 1)
            line[length++] = c;
    }
    line[length] = 0;
    return 1;
}

/* The bytes that this line counts as mapped huge: "ShmemPmdMapped:     8192 kB". */
static int64_t huge_in(const char *line)
{
    static const char *const fields[] = {"ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strncmp(line, fields[i], strlen(fields[i])) == 0)
            return (int64_t)strtoull(line + strlen(fields[i]), NULL, 10) * 1024;
    return 0;
}

/* "7fb132e00000-7fb133600000 rw-s …": does a mapping begin here, and is it within ours (which mbind may have cut)? */
static bool begins(const char *line, uintptr_t from, uint64_t bytes, bool *within)
{
    char *end;
    uintptr_t first = strtoull(line, &end, 16);

    if (end == line || *end != '-')
        return false;
    *within = first >= from && first - from < bytes;
    return true;
}

int64_t strait_huge_mapped(const void *base, uint64_t bytes)
{
    struct lines l = {.fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC)};
    char line[LINE_BYTES];
    bool within = false;
    int64_t sum = 0;
    int r;

    if (l.fd < 0)
        return -errno;
    while ((r = next_line(&l, line)) > 0)
        if (!begins(line, (uintptr_t)base, bytes, &within) && within)
            sum += huge_in(line);
    close(l.fd);
    return r < 0 ? r : sum;
}

int64_t strait_huge_bytes(int fd, uint64_t bytes)
{
    uint64_t unit = strait_huge_of(fd, true).bytes;
    unsigned char *base;
    int64_t r;

    if (unit == 0 || bytes < unit)
        return 0;
    bytes -= bytes % unit;
    base = strait_huge_map(fd, bytes, unit, PROT_READ, 0);
    if (base == NULL)
        return -errno;
    for (uint64_t at = 0; at < bytes; at += unit)
        strait_load32_relaxed((const uint32_t *)(const void *)(base + at)); /* relaxed alone: only to have it mapped */
    r = strait_huge_mapped(base, bytes);
    munmap(base, bytes);
    return r;
}
