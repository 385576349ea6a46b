/* SPDX-License-Identifier: MIT */
/* A kernel made of arrays: what the library calls when seam.h has been put before it. */
#include "seam.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <string.h>

#include "world.h"

#define FD      3
#define INODE   77
#define TICK_NS 5000 /* what a look at the clock costs */

/* ---- the kernel ---- */

int seam_open(const char *path, int flags, ...)
{
    (void)path, (void)flags;
    if (!world_unlinked)
        return FD;
    errno = ENOENT;
    return -1;
}

int seam_close(int fd)
{
    (void)fd;
    return 0;
}

int seam_fstat(int fd, struct stat *st)
{
    (void)fd;
    memset(st, 0, sizeof *st);
    st->st_mode = S_IFREG | 0600;
    st->st_size = WORLD_BYTES;
    st->st_dev = 1;
    st->st_ino = INODE;
    return 0;
}

int seam_stat(const char *path, struct stat *st)
{
    (void)path;
    return seam_fstat(FD, st);
}

int seam_fchmod(int fd, mode_t mode)
{
    (void)fd, (void)mode;
    return 0;
}

int seam_fcntl(int fd, int command, ...)
{
    va_list args;
    struct flock *lock;
    uint64_t lease;

    (void)fd;
    va_start(args, command);
    lock = va_arg(args, struct flock *);
    va_end(args);
    lease = (uint64_t)lock->l_start - STRAIT_LOCK_LEASES;
    if (lease >= STRAIT_LEASES) /* the admin lock: ours */
        return 0;
    if (command == F_OFD_GETLK) {
        lock->l_type = world_alive[lease] ? F_WRLCK : F_UNLCK;
        return 0;
    }
    if (world_alive[lease]) {
        errno = EAGAIN;
        return -1;
    }
    world_alive[lease] = lock->l_type == F_WRLCK;
    return 0;
}

void *seam_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t off)
{
    static _Alignas(STRAIT_PAGE) unsigned char page[STRAIT_PAGE];

    (void)at, (void)protection, (void)flags, (void)fd, (void)off;
    return bytes == WORLD_BYTES ? world_segment : page;
}

int seam_munmap(void *at, size_t bytes)
{
    (void)at, (void)bytes;
    return 0;
}

int seam_madvise(void *at, size_t bytes, int advice)
{
    (void)at, (void)bytes, (void)advice;
    return 0;
}

int seam_fallocate(int fd, int mode, off_t off, off_t bytes)
{
    (void)fd, (void)mode;
    MUST(off >= (off_t)world_arena_off && off + bytes <= WORLD_BYTES);
    memset(world_segment + off, 0, (size_t)bytes);
    return 0;
}

int seam_posix_fallocate(int fd, off_t off, off_t bytes)
{
    (void)fd;
    MUST(off >= 0 && bytes > 0 && off + bytes <= WORLD_BYTES);
    return 0;
}

ssize_t seam_getrandom(void *to, size_t bytes, unsigned flags)
{
    (void)flags;
    memset(to, 0x5a, bytes);
    return (ssize_t)bytes;
}

ssize_t seam_read(int fd, void *to, size_t bytes)
{
    (void)fd;
    memset(to, 'x', bytes);
    return bytes < 5 ? (ssize_t)bytes : 5;
}

ssize_t seam_pread(int fd, void *to, size_t bytes, off_t off)
{
    (void)fd;
    MUST(off >= 0 && bytes <= WORLD_BYTES - (size_t)off);
    memcpy(to, world_segment + off, bytes);
    return (ssize_t)bytes;
}

int seam_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    (void)from_dir, (void)from, (void)to_dir, (void)to, (void)flags;
    return 0;
}

int seam_unlink(const char *path)
{
    (void)path;
    world_unlinked = true;
    return 0;
}

static long seam_futex(uint32_t *word, int op, uint32_t value, const struct timespec *until)
{
    if ((op & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET)
        return 0;
    world_access(word, sizeof *word);
    if (*word != value) {
        errno = EAGAIN;
        return -1;
    }
    MUST(until != NULL); /* no sleep without a bound */
    uint64_t ns = (uint64_t)until->tv_sec * 1000000000 + (uint64_t)until->tv_nsec;
    world_now_ns = ns > world_now_ns ? ns : world_now_ns;
    errno = ETIMEDOUT;
    return -1;
}

long seam_syscall(long number, ...)
{
    va_list args;
    long r = 0;

    va_start(args, number);
    if (number == SYS_futex) {
        uint32_t *word = va_arg(args, uint32_t *);
        int op = va_arg(args, int);
        uint32_t value = va_arg(args, uint32_t);
        r = seam_futex(word, op, value, va_arg(args, const struct timespec *));
    } else if (number == SYS_gettid) {
        r = 100;
    }
    va_end(args);
    return r;
}

int seam_clock_gettime(clockid_t clock, struct timespec *t)
{
    (void)clock;
    world_now_ns += TICK_NS;
    t->tv_sec = (time_t)(world_now_ns / 1000000000);
    t->tv_nsec = (long)(world_now_ns % 1000000000);
    return 0;
}

int seam_nanosleep(const struct timespec *t, struct timespec *left)
{
    (void)left;
    world_now_ns += (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
    return 0;
}

int seam_sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set)
{
    (void)pid;
    memset(set, 0, bytes);
    CPU_SET(0, set);
    CPU_SET(1, set);
    return 0;
}
