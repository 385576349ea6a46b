/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of shm/. Stands in for futex.c, clock.c, segment.c, pages.c, errors.c, for lib/process.c, lib/node.c, lib/spread.c and
 * lib/error.c, and for the
 * system calls of admin.c, lease.c and wait.c (prelude.h), which are otherwise the real code: the admin lock and the
 * leases are locks of the checker, which lets them go when their holder dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "errors.h"
#include "futex.h"
#include "node.h"
#include "pages.h"
#include "process.h"
#include "rx_fd.h"
#include "spread.h"
#include "strait/atomic.h"
#include "admin.h"
#include "await.h"
#include "error.h"
#include "world.h"

#define ADMIN      0 /* which of the checker's locks */
#define PRIVATE_FD 1000

static unsigned char page[STRAIT_PAGE];

/* ---- pages.c, node.c: a machine with one node, and nobody asks for it ---- */

int strait_pages_place(int fd, uint64_t offset, uint64_t bytes, int32_t node)
{
    (void)fd, (void)offset, (void)bytes, (void)node;
    return 0;
}

int strait_node_wanted(const struct strait_node_for *object, int32_t *node)
{
    (void)object;
    *node = STRAIT_NODE_ANY;
    return 0;
}

bool strait_node_refused(const struct strait_node_for *object, int error)
{
    (void)object, (void)error;
    return false;
}

int strait_node_suits(const struct strait_node_for *object, uint32_t entry)
{
    (void)object, (void)entry;
    return 0;
}

/* ---- errors.c: notes for people, by which nothing is decided ---- */

struct strait_error_cell *strait_error_find(const struct strait_segment_map *map, enum strait_error_kind kind,
                                            const char *object)
{
    (void)map, (void)kind, (void)object;
    return NULL;
}

void strait_error_count(const struct strait_segment_map *map, struct strait_error_cell *cell, uint32_t lease,
                        uint64_t n)
{
    (void)map, (void)cell, (void)lease, (void)n;
}

void strait_error_note(const struct strait_segment_map *map, enum strait_error_kind kind, const char *object,
                       uint32_t lease, uint64_t n)
{
    (void)map, (void)kind, (void)object, (void)lease, (void)n;
}

/* ---- spread.c: everybody is at home in the shard of its lease, and the others are the farther the higher ---- */

struct strait_spread_map {
    uint32_t home, shards;
    uint8_t order[STRAIT_SHARDS_MOST];
};

void strait_spread_nodes(uint32_t shards, uint32_t memory, struct strait_spread_nodes *nodes)
{
    (void)memory;
    *nodes = (struct strait_spread_nodes){.n = shards};
}

int strait_spread_prepare(struct strait_segment *segment, const char *name, const struct strait_spread_object *object,
                          int32_t node, struct strait_object *made)
{
    return strait_directory_prepare(&segment->map, name, object->kind, object->bytes, node, made);
}

int strait_spread_make(const struct strait_channel_view *view, struct strait_spread_map **map)
{
    struct strait_spread_map *m = calloc(1, sizeof *m);

    if (m == NULL)
        return -ENOMEM;
    m->shards = view->rings;
    m->home = view->map->lease % view->rings;
    for (uint32_t i = 0; i < view->rings; i++)
        m->order[i] = (uint8_t)((m->home + i) % view->rings);
    *map = m;
    return 0;
}

uint32_t strait_spread_home(struct strait_spread_map *map)
{
    return map->home;
}

const uint8_t *strait_spread_order(const struct strait_spread_map *map)
{
    return map->order;
}

uint32_t strait_spread_visit(struct strait_spread_map *map)
{
    return (map->home + 1) % map->shards;
}

/* ---- futex.c, clock.c, segment.c ---- */

int strait_futex_wait(uint32_t *word, uint32_t value, uint64_t until_ns)
{
    return model_futex_wait(word, value, until_ns);
}

int strait_futex_wake(uint32_t *word, uint32_t n)
{
    return model_futex_wake(word, n);
}

int strait_membarrier_register(void)
{
    return 0;
}

int strait_membarrier(void)
{
    strait_model_membarrier();
    return 0;
}

uint64_t strait_now_ns(void)
{
    return model_now_ns();
}

uint64_t strait_after_ns(uint64_t ns)
{
    return ns > STRAIT_FOREVER - model_now_ns() ? STRAIT_FOREVER : model_now_ns() + ns;
}

int strait_segment_fd(struct strait_segment_map *map)
{
    return map->fd;
}

bool strait_name_good(const char *name)
{
    return *name != 0;
}

/* ---- lib/process.c, lib/error.c: what a process has for itself ---- */

void strait_process_lock(void)
{
}

void strait_process_unlock(void)
{
}

int strait_process_check(const struct strait_segment *segment)
{
    (void)segment;
    return 0;
}

int strait_process_admin(struct strait_segment *segment)
{
    return strait_admin_enter(&segment->map, STRAIT_FOREVER);
}

void strait_explain(const char *format, ...)
{
    (void)format;
}

const char *strait_strerror(int error)
{
    (void)error;
    return "";
}

/* lib/await.c: nobody awaits here */
void strait_await_orphan(struct strait_await *first, const void *handle)
{
    (void)first, (void)handle;
}

/* lib/rx_fd.c: nor polls */
void strait_rx_fd_close(struct strait_endpoint *endpoint)
{
    (void)endpoint;
}

void *calloc(size_t n, size_t bytes)
{
    return world_allocate(n * bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    (void)alignment; /* a matter of speed */
    return world_allocate(bytes);
}

void free(void *at)
{
    (void)at; /* a process has two handles, and lives for a hundred accesses */
}

/* ---- system calls ---- */

static int busy(void)
{
    errno = EAGAIN;
    return -1;
}

static int lock_admin(short type)
{
    if (type == F_UNLCK)
        model_unlock(ADMIN);
    else if (!model_trylock(ADMIN))
        return busy();
    return 0;
}

static int lock_lease(unsigned lease, int cmd, struct flock *lock)
{
    if (cmd == F_OFD_GETLK) {
        lock->l_type = model_lease_alive(lease) ? F_WRLCK : F_UNLCK;
        return 0;
    }
    if (lease >= MODEL_LEASES || model_lease_alive(lease))
        return busy();
    model_lease_take(lease);
    return 0;
}

int fcntl(int fd, int cmd, ...)
{
    struct flock *lock;
    va_list args;

    (void)fd;
    va_start(args, cmd);
    lock = va_arg(args, struct flock *);
    va_end(args);
    if (lock->l_start == STRAIT_LOCK_ADMIN)
        return lock_admin(lock->l_type);
    return lock_lease((unsigned)(lock->l_start - STRAIT_LOCK_LEASES), cmd, lock);
}

/* The backoff of the admin lock: until it is worth trying again. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time, (void)left;
    model_lock_wait(ADMIN);
    return 0;
}

int open(const char *path, int flags, ...)
{
    (void)flags;
    if (strncmp(path, "/proc/self/fd/", 14) == 0)
        return PRIVATE_FD;
    errno = ENOENT; /* who we are, for people */
    return -1;
}

int stat(const char *restrict path, struct stat *restrict status)
{
    (void)path, (void)status;
    return -1;
}

pid_t getpid(void)
{
    return (pid_t)model_self() + 1;
}

int close(int fd)
{
    (void)fd;
    return 0;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    (void)at, (void)bytes, (void)protection, (void)flags, (void)fd, (void)offset;
    return page;
}

/* The page that holds a lease; each process has one lease. */
int munmap(void *at, size_t bytes)
{
    (void)at, (void)bytes;
    model_lease_drop_mine();
    return 0;
}

int madvise(void *at, size_t bytes, int advice)
{
    (void)at, (void)bytes, (void)advice;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    *time = (struct timespec){0, 0};
    return 0;
}

/* gettid */
long syscall(long number, ...)
{
    (void)number;
    return model_self() + 1;
}
