/* SPDX-License-Identifier: MIT */
/* The testing kit's segments: a name means an unnamed one, known to this process and to the children that it forks; and deaths
 * inside a region, which are real ones. */
#define STRAIT_TESTING_PLAIN
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"
#include "process.h"

#define NAMES 32

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct known {
    int fd; /* holds no lease */
    char name[STRAIT_NAME_BYTES];
} names[NAMES]; /* mutex; unused where the name is empty */

/* mutex */
static struct known *find(const char *name)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

/* mutex. A new segment under this name. */
static int make(const char *name, const struct strait_segment_options *options, struct strait_segment **segment)
{
    struct known *free_one = find("");
    int r;

    if (free_one == NULL)
        return -ENFILE;
    r = strait_attach_unnamed(options, segment);
    if (r < 0)
        return r;
    free_one->fd = strait_segment_fd_of(*segment);
    if (free_one->fd < 0) {
        strait_detach(*segment);
        return free_one->fd;
    }
    strcpy(free_one->name, name);
    return 0;
}

/* mutex */
static int attach(const char *name, const struct strait_segment_options *options, struct strait_segment **segment)
{
    struct strait_segment_options o = options ? *options : (struct strait_segment_options){0};
    enum strait_attach_mode mode = o.attach;
    struct known *known = find(name);

    o.attach = STRAIT_OPEN_OR_CREATE;
    if (known == NULL)
        return mode == STRAIT_OPEN_ONLY ? -ENOENT : make(name, &o, segment);
    return mode == STRAIT_CREATE_ONLY ? -EEXIST : strait_attach_fd(known->fd, &o, segment);
}

int strait_testing_attach(const char *name, const struct strait_segment_options *options,
                          struct strait_segment **segment)
{
    int r = testing_fault(STRAIT_TESTING_ATTACH, STRAIT_NOW);

    if (r < 0)
        return r;
    if (name == NULL || *name == 0 || strlen(name) >= STRAIT_NAME_BYTES)
        return -EINVAL;
    pthread_mutex_lock(&mutex);
    r = attach(name, options, segment);
    pthread_mutex_unlock(&mutex);
    return r;
}

int strait_testing_attach_unnamed(const struct strait_segment_options *options, struct strait_segment **segment)
{
    int fault = testing_fault(STRAIT_TESTING_ATTACH, STRAIT_NOW);
    return fault < 0 ? fault : strait_attach_unnamed(options, segment);
}

int strait_testing_attach_fd(int fd, const struct strait_segment_options *options, struct strait_segment **segment)
{
    int fault = testing_fault(STRAIT_TESTING_ATTACH, STRAIT_NOW);
    return fault < 0 ? fault : strait_attach_fd(fd, options, segment);
}

/* Does any process hold a lease? */
static bool in_use(int fd)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_LEASES, .l_len = STRAIT_LEASES};
    return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

static void forget(struct known *known)
{
    close(known->fd);
    known->name[0] = 0;
}

int strait_testing_segment_remove(const char *name, const char *directory)
{
    int r = -ENOENT;

    (void)directory;
    pthread_mutex_lock(&mutex);
    struct known *known = name && *name ? find(name) : NULL;
    if (known)
        r = !in_use(known->fd);
    if (r == 1)
        forget(known);
    pthread_mutex_unlock(&mutex);
    return r;
}

uint32_t strait_testing_forget_segments(void)
{
    uint32_t n = 0;

    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < NAMES; i++)
        if (*names[i].name) {
            forget(&names[i]);
            n++;
        }
    pthread_mutex_unlock(&mutex);
    return n;
}

/* ---- a death inside ---- */

/* The victim: attaches, locks, and is killed before it can return. */
static _Noreturn void die_with(int fd, const char *name)
{
    struct strait_segment *segment;
    struct strait_region *region;

    if (strait_attach_fd(fd, NULL, &segment) == 0 && strait_region_open(segment, name, NULL, &region) == 0 &&
        strait_region_lock_for_heal(region, strait_after_ns(UINT64_C(1000000000))) >= 0)
        raise(SIGKILL);
    _exit(1);
}

int testing_die_inside(struct strait_region *region)
{
    struct strait_guard *guard = region->guard;
    struct strait_segment *segment = guard->handle.segment;
    int fd, status = 0;
    pid_t victim;

    if (guard->parts != 1)
        return -EOPNOTSUPP;
    fd = strait_segment_fd_of(segment);
    if (fd < 0)
        return fd;
    victim = fork();
    if (victim == 0)
        die_with(fd, guard->handle.name);
    close(fd);
    if (victim < 0)
        return -errno;
    while (waitpid(victim, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFSIGNALED(status))
        return -EBUSY; /* it could not have the lock */
    return strait_sweep_dead(segment) < 0 ? -ETIMEDOUT : 0;
}
