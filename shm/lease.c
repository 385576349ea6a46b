/* SPDX-License-Identifier: MIT */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "strait/atomic.h"

/* ---- the lock that is the lease ---- */

static struct flock byte_of(uint32_t lease, short type)
{
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_LEASES + (off_t)lease, .l_len = 1};
}

/* A description of our own: the kernel's name for "the same file again" is its /proc entry. */
static int reopen(int fd)
{
    char path[32] = "/proc/self/fd/", digits[12];
    size_t n = 0, at = strlen(path);

    do
        digits[n++] = (char)('0' + fd % 10);
    while ((fd /= 10) != 0);
    while (n)
        path[at++] = digits[--n];
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Lock byte `lease` through a page that maps a private description: a descriptor would survive in a forked child, and
 * would be lost in closefrom(3). */
static int hold(struct strait_segment_map *map, int fd, uint32_t lease)
{
    struct flock lock = byte_of(lease, F_WRLCK);
    int private = reopen(fd), r = 0;
    void *page;

    if (private < 0)
        return private;
    page = mmap(NULL, map->page_bytes, PROT_READ, MAP_SHARED, private, 0);
    if (page == MAP_FAILED) {
        r = -errno;
        close(private);
        return r;
    }
    if (madvise(page, map->page_bytes, MADV_DONTFORK) < 0 || fcntl(private, F_OFD_SETLK, &lock) < 0)
        r = -errno;
    madvise(page, map->page_bytes, MADV_DONTDUMP);
    close(private);
    if (r < 0)
        munmap(page, map->page_bytes);
    else
        map->lease_page = page;
    return r;
}

/* ---- who we are, for people ---- */

static size_t slurp(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

/* Field 22 of /proc/self/stat; the name in field 2 may hold spaces and brackets. */
static uint64_t start_ticks(void)
{
    char text[1024], *at;
    uint64_t ticks = 0;

    slurp("/proc/self/stat", text, sizeof text);
    at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    for (; at && at[1] >= '0' && at[1] <= '9'; at++)
        ticks = ticks * 10 + (uint64_t)(at[1] - '0');
    return ticks;
}

static void introduce(struct strait_lease_cell *cell)
{
    struct timespec now;
    struct stat ns;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    cell->pid = (uint32_t)getpid();
    cell->started = start_ticks();
    cell->pid_ns = stat("/proc/self/ns/pid", &ns) == 0 ? ns.st_ino : 0;
    cell->joined_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    n = slurp("/proc/self/comm", cell->program, sizeof cell->program);
    if (n && cell->program[n - 1] == '\n')
        cell->program[n - 1] = 0;
    memset(cell->waits, 0, sizeof cell->waits);
}

/* ---- take and give ---- */

int strait_lease_take(struct strait_segment_map *map)
{
    int fd = strait_segment_fd(map);

    if (fd < 0)
        return fd;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        struct strait_lease_cell *cell = strait_segment_lease(map, i);
        if (strait_load32_acquire(&cell->state) != STRAIT_LEASE_FREE) /* acquire [L2] <- [L1] strait_lease_buried */
            continue;
        int r = hold(map, fd, i);
        if (r == -EAGAIN || r == -EACCES)
            continue; /* locked by somebody who is about to be in the table, or by a stranger with read access */
        if (r < 0)
            return r;
        introduce(cell);
        strait_store64_relaxed(&cell->generation, strait_load64_relaxed(&cell->generation) + 1);
        /* release [L3] -> [L4] strait_lease_dead: locked before it is in the table, so never seen dead in between */
        strait_store32_release(&cell->state, STRAIT_LEASE_USED);
        map->lease = i;
        return (int)i;
    }
    return -EAGAIN;
}

void strait_lease_give(struct strait_segment_map *map)
{
    uint32_t lease = map->lease;

    if (lease == 0)
        return;
    munmap(map->lease_page, map->page_bytes); /* never F_UNLCK: the description is not ours to ask any more */
    map->lease_page = NULL;
    map->lease = 0;
    strait_lease_buried(map, lease);
}

void strait_lease_buried(struct strait_segment_map *map, uint32_t lease)
{
    /* release [L1] -> [L2] strait_lease_take: swept before it is handed out again */
    strait_store32_release(&strait_segment_lease(map, lease)->state, STRAIT_LEASE_FREE);
}

/* ---- alive? ---- */

int strait_lease_alive(struct strait_segment_map *map, uint32_t lease)
{
    struct flock lock = byte_of(lease, F_WRLCK);
    int fd = strait_segment_fd(map);

    if (fd < 0)
        return fd;
    /* map->fd holds no lease itself: asked through a holder's own description, the answer would be "free" */
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type != F_UNLCK;
}

bool strait_lease_dead(struct strait_segment_map *map, uint32_t lease)
{
    /* acquire [L4] <- [L3] strait_lease_take */
    return strait_load32_acquire(&strait_segment_lease(map, lease)->state) == STRAIT_LEASE_USED &&
           strait_lease_alive(map, lease) == 0;
}

uint32_t strait_lease_next_dead(struct strait_segment_map *map, uint32_t from)
{
    for (uint32_t i = from ? from : 1; i < STRAIT_LEASES; i++)
        if (strait_lease_dead(map, i))
            return i;
    return 0;
}

/* ---- sets ---- */

/* Written under the admin lock only, but read without it: hence atomic, and a plain read-modify-write is enough. */
void strait_set_add(struct strait_set *set, uint32_t lease)
{
    uint64_t *word = &set->bits[lease / 64 % (STRAIT_LEASES / 64)];
    /* seq_cst [L5] -> [L7] strait_set_has */
    strait_store64_seq_cst(word, strait_load64_relaxed(word) | UINT64_C(1) << lease % 64);
}

void strait_set_remove(struct strait_set *set, uint32_t lease)
{
    uint64_t *word = &set->bits[lease / 64 % (STRAIT_LEASES / 64)];
    /* seq_cst [L6] -> [L7] strait_set_has */
    strait_store64_seq_cst(word, strait_load64_relaxed(word) & ~(UINT64_C(1) << lease % 64));
}

bool strait_set_has(const struct strait_set *set, uint32_t lease)
{
    /* seq_cst [L7] <- [L5] strait_set_add, [L6] strait_set_remove */
    return strait_load64_seq_cst(&set->bits[lease / 64 % (STRAIT_LEASES / 64)]) >> lease % 64 & 1;
}

uint32_t strait_set_count(const struct strait_set *set)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < STRAIT_LEASES / 64; i++)
        n += (uint32_t)__builtin_popcountll(strait_load64_relaxed(&set->bits[i]));
    return n;
}
