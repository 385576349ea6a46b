/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "futex.h"
#include "strait/atomic.h"

#define BACKOFF_FIRST_NS 20000
#define BACKOFF_MOST_NS  2000000

/* ---- among our own threads: a mutex of three states (Drepper, "Futexes Are Tricky", 2011) ---- */

static int lock_threads(uint32_t *word, uint64_t until_ns)
{
    uint32_t seen = 0;

    if (strait_cas32(word, &seen, 1)) /* seq_cst [M2] <-> [M3]: the section before ours */
        return 0;
    while (strait_exchange32_acq_rel(word, 2) != 0) /* acq_rel [M1] <-> [M3]: likewise */
        if (strait_futex_wait(word, 2, until_ns) == -ETIMEDOUT)
            return -ETIMEDOUT;
    return 0;
}

static void unlock_threads(uint32_t *word)
{
    if (strait_exchange32_acq_rel(word, 0) == 2) /* acq_rel [M3] <-> [M1], [M2]: our section before the next */
        strait_futex_wake(word, 1);
}

void strait_admin_hold_threads(struct strait_segment_map *map)
{
    lock_threads(&map->admin, STRAIT_FOREVER);
}

void strait_admin_release_threads(struct strait_segment_map *map)
{
    unlock_threads(&map->admin);
}

/* ---- among processes ---- */

static int lock_byte(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_ADMIN, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* SETLK with backoff, never SETLKW: the deadline holds, and a stopped holder cannot take us with it. */
static int lock_file(int fd, uint64_t until_ns)
{
    long pause_ns = BACKOFF_FIRST_NS;

    for (;;) {
        int r = lock_byte(fd, F_WRLCK);
        if (r != -EAGAIN && r != -EACCES)
            return r;
        if (strait_now_ns() >= until_ns)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
        if (pause_ns < BACKOFF_MOST_NS)
            pause_ns *= 2;
    }
}

int strait_admin_enter(struct strait_segment_map *map, uint64_t until_ns)
{
    int fd, r;

    if (!map->writable)
        return -EACCES;
    r = lock_threads(&map->admin, until_ns);
    if (r < 0)
        return r;
    fd = strait_segment_fd(map);
    r = fd < 0 ? fd : lock_file(fd, until_ns);
    if (r < 0)
        unlock_threads(&map->admin);
    return r;
}

void strait_admin_leave(struct strait_segment_map *map)
{
    int fd = strait_segment_fd(map);

    if (fd >= 0)
        lock_byte(fd, F_UNLCK);
    unlock_threads(&map->admin);
}

int64_t strait_admin_holder(struct strait_segment_map *map)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_ADMIN, .l_len = 1};
    int fd = strait_segment_fd(map);

    if (fd < 0)
        return fd;
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
