/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "admin.h"
#include "attach.h"
#include "error.h"
#include "errors.h"
#include "huge.h"
#include "sweep.h"

#define DEFAULT_BYTES         (UINT64_C(8) << 20)
#define DEFAULT_DIRECTORY_MAX 128
#define DEFAULT_MODE          0600

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct strait_segment *attached; /* registry */
static uint32_t *home;                  /* registry; *home: 1 here, wiped to 0 by the kernel in a forked child */

void strait_process_lock(void)
{
    pthread_mutex_lock(&registry);
}

void strait_process_unlock(void)
{
    pthread_mutex_unlock(&registry);
}

/* ---- fork ---- */

/* No fork falls inside attach or an administrative section: the child would keep the admin lock's description alive
 * after the parent's death. */
static void before_fork(void)
{
    pthread_mutex_lock(&registry);
    for (struct strait_segment *s = attached; s; s = s->next)
        strait_admin_hold_threads(&s->map);
}

static void after_fork_parent(void)
{
    for (struct strait_segment *s = attached; s; s = s->next)
        strait_admin_release_threads(&s->map);
    pthread_mutex_unlock(&registry);
}

/* The child has none of the mappings (DONTFORK), and must not touch the parent's file locks. Its inherited handles
 * answer -ECHILD for good: if it attaches, it gets a new home page. */
static void after_fork_child(void)
{
    for (struct strait_segment *s = attached; s; s = s->next) {
        s->map.base = NULL;
        s->map.lease_page = NULL;
        strait_segment_close(&s->map);
    }
    attached = NULL;
    home = NULL;
    pthread_mutex_unlock(&registry);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Registry. The home page of this process, made at the first attach. */
static const uint32_t *my_home(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void *page;

    pthread_once(&once, watch_forks);
    if (home && *home)
        return home;
    attached = NULL; /* a child of _Fork(3), which runs no handlers */
    page = mmap(NULL, STRAIT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, STRAIT_PAGE, MADV_WIPEONFORK) < 0) {
        munmap(page, STRAIT_PAGE);
        return NULL;
    }
    home = page;
    *home = 1;
    return home;
}

int strait_process_check(const struct strait_segment *segment)
{
    return *segment->home ? 0 : strait_process_forked();
}

int strait_process_admin(struct strait_segment *segment)
{
    int r = strait_process_check(segment);

    if (r == 0)
        r = strait_admin_enter(&segment->map, strait_after_ns(segment->patience_ns));
    if (r == -ETIMEDOUT)
        strait_error_note(&segment->map, STRAIT_ERROR_ADMIN_LATE, "", segment->map.lease, 1);
    if (r == -ETIMEDOUT)
        strait_fail(r, "segment %s: another process has held the admin lock for %" PRIu64 " ms; is it stopped?",
                    segment->map.path, segment->patience_ns / 1000000);
    else if (r == -EBADF)
        strait_fail(r, "segment %s: its descriptor was closed and its name now means another file", segment->map.path);
    return r;
}

/* ---- attach ---- */

static int explain(int r, const char *path, const struct strait_misfit *misfit)
{
    switch (r) {
    case -EUSERS:
        return strait_fail(r, "segment %s: all %d leases are held by living processes", path, STRAIT_LEASES - 1);
    case -ETIMEDOUT:
        return strait_fail(r, "segment %s: another process holds the admin lock and does not go on; is it stopped?",
                           path);
    case -EBADMSG:
        return strait_fail(r, "%s is not a strait segment: its %s is %#" PRIx64 ", not %#" PRIx64, path, misfit->field,
                           misfit->there, misfit->here);
    case -ESTALE:
        return strait_fail(r,
                           "segment %s was made by a build with another layout: %s is %" PRIu64 " there, %" PRIu64
                           " here; stop its processes and remove it, or use that build",
                           path, misfit->field, misfit->there, misfit->here);
    case -EPROTO:
        return strait_fail(r, "segment %s is damaged: its %s is %" PRIu64 ", expected %" PRIu64 "; remove it", path,
                           misfit->field ? misfit->field : "header", misfit->there, misfit->here);
    case -ENOENT:
        return strait_fail(r, "segment %s does not exist", path);
    case -EEXIST:
        return strait_fail(r, "segment %s exists already", path);
    case -EOPNOTSUPP:
        return strait_fail(r,
                           "segment %s: not all of it is in huge pages; put it on a hugetlbfs with free ones "
                           "(vm.nr_hugepages), or make it anew on a tmpfs where /sys/kernel/mm/transparent_hugepage/"
                           "shmem_enabled is not 'deny' (Linux 6.1), or do without (STRAIT_HUGE_TRY)",
                           path);
    default:
        return strait_fail(r, "segment %s: %s", path, strait_strerror(r));
    }
}

static int explain_new(int r, const char *path, const struct strait_segment_shape *shape,
                       const struct strait_misfit *misfit)
{
    switch (r) {
    case -ENOSPC:
        return strait_fail(r,
                           "segment %s: its file system has no room for %" PRIu64 " KiB; free some, enlarge it "
                           "(mount -o remount,size=…), or ask for a smaller segment",
                           path, shape->bytes / 1024);
    case -EINVAL:
        return strait_fail(r, "segment %s: %" PRIu64 " KiB do not hold a segment with %u directory entries", path,
                           shape->bytes / 1024, shape->directory_max);
    default:
        return explain(r, path, misfit);
    }
}

static int path_of(char *path, const char *name, const char *directory)
{
    const char *dir = directory ? directory : getenv("STRAIT_DIR");
    int r;

    if (dir == NULL || *dir == 0)
        dir = STRAIT_DIRECTORY_DEFAULT;
    if (name == NULL)
        return strait_fail(-EINVAL, "a segment needs a name");
    r = strait_segment_path(path, dir, name);
    if (r < 0)
        strait_fail(r, "'%s' is no name for a segment: 1 to %d printable bytes without '/' or space", name,
                    STRAIT_NAME_BYTES - 1);
    return r;
}

/* Registry. The attachment to the file that the path names now (or that fd has open), or NULL. */
static struct strait_segment *find_attached(const char *path, int fd)
{
    struct stat st;

    if ((path ? lstat(path, &st) : fstat(fd, &st)) < 0)
        return NULL;
    for (struct strait_segment *s = attached; s; s = s->next)
        if (s->map.device == st.st_dev && s->map.inode == st.st_ino)
            return s;
    return NULL;
}

static const struct strait_segment_options defaults;

/* What is to be attached to: a path, or (NULL) a descriptor, or (-1, too) a new unnamed segment. */
struct target {
    const char *path;
    int fd;
};

static int attach_map(struct strait_segment *s, const struct target *t, const struct strait_segment_options *o,
                      const struct strait_segment_shape *shape, struct strait_misfit *misfit)
{
    static const enum strait_attach_how how[] = {STRAIT_ATTACH_EITHER, STRAIT_ATTACH_OPEN, STRAIT_ATTACH_CREATE};
    uint64_t until_ns = strait_after_ns(s->patience_ns);

    if (t->path)
        return strait_attach_map(&s->map, t->path, how[o->attach], shape, until_ns, misfit);
    if (t->fd < 0)
        return strait_attach_unnamed_map(&s->map, shape, until_ns);
    return strait_attach_fd_map(&s->map, t->fd, shape->ask, until_ns, misfit);
}

static unsigned asked(const struct strait_segment_options *o)
{
    return (o->no_prefault ? 0u : STRAIT_MAP_PREFAULT) | (o->huge == STRAIT_HUGE_TRY ? STRAIT_MAP_HUGE : 0u) |
           (o->huge == STRAIT_HUGE_MUST ? STRAIT_MAP_ALL_HUGE : 0u);
}

/* Registry. */
static int attach_new(const struct target *t, const struct strait_segment_options *o, struct strait_segment **out)
{
    struct strait_segment_shape shape = {.bytes = o->bytes ? o->bytes : DEFAULT_BYTES,
                                         .directory_max = o->directory_max ? o->directory_max : DEFAULT_DIRECTORY_MAX,
                                         .mode = o->mode ? (mode_t)o->mode : DEFAULT_MODE,
                                         .group = (gid_t)o->group,
                                         .ask = asked(o),
                                         .unnamed = t->path == NULL};
    const char *path = t->path ? t->path : STRAIT_UNNAMED;
    struct strait_misfit misfit = {NULL, 0, 0};
    const uint32_t *page = my_home();
    struct strait_segment *s = page ? calloc(1, sizeof *s) : NULL;
    int r;

    if (s == NULL)
        return strait_fail(-ENOMEM, "segment %s: out of memory", path);
    s->home = page;
    s->uses = 1;
    s->patience_ns = o->timeout_ns ? o->timeout_ns : STRAIT_ADMIN_PATIENCE_NS;
    r = attach_map(s, t, o, &shape, &misfit);
    if (r < 0) {
        free(s);
        return explain_new(r, path, &shape, &misfit);
    }
    s->next = attached;
    attached = s;
    *out = s;
    return 0;
}

static int attach(const struct target *t, const struct strait_segment_options *o, struct strait_segment **segment)
{
    struct strait_segment *s;
    int r = 0;

    if (o->attach > STRAIT_CREATE_ONLY || (o->mode & ~0777u) || o->huge > STRAIT_HUGE_MUST)
        return strait_fail(-EINVAL, "segment %s: attach mode %u, permissions %#o, huge pages %u",
                           t->path ? t->path : STRAIT_UNNAMED, o->attach, o->mode, o->huge);
    strait_process_lock();
    my_home();
    s = find_attached(t->path, t->fd);
    if (s && o->attach == STRAIT_CREATE_ONLY) {
        r = explain(-EEXIST, s->map.path, NULL);
    } else if (s && o->huge == STRAIT_HUGE_MUST &&
               strait_huge_mapped(s->map.base, s->map.bytes) != (int64_t)s->map.bytes) {
        r = explain(-EOPNOTSUPP, s->map.path, NULL); /* one mapping a process, and that is another's */
    } else if (s) {
        s->uses++;
        *segment = s;
    } else {
        r = attach_new(t, o, segment);
    }
    strait_process_unlock();
    return r;
}

int strait_attach(const char *name, const struct strait_segment_options *options, struct strait_segment **segment)
{
    const struct strait_segment_options *o = options ? options : &defaults;
    char path[PATH_MAX];
    int r = path_of(path, name, o->directory);

    return r < 0 ? r : attach(&(struct target){path, -1}, o, segment);
}

int strait_attach_fd(int fd, const struct strait_segment_options *options, struct strait_segment **segment)
{
    if (fd < 0)
        return strait_fail(-EBADF, "segment %s: %d is no descriptor", STRAIT_UNNAMED, fd);
    return attach(&(struct target){NULL, fd}, options ? options : &defaults, segment);
}

int strait_attach_unnamed(const struct strait_segment_options *options, struct strait_segment **segment)
{
    return attach(&(struct target){NULL, -1}, options ? options : &defaults, segment);
}

int strait_segment_fd_of(const struct strait_segment *segment)
{
    int r = strait_process_check(segment);

    if (r == 0)
        r = strait_segment_reopen(segment->map.fd, segment->map.writable);
    return r < 0 && r != -ECHILD ? strait_fail(r, "segment %s: %s", segment->map.path, strait_strerror(r)) : r;
}

int64_t strait_segment_huge(const struct strait_segment *segment)
{
    int64_t r = strait_process_check(segment);

    if (r == 0)
        r = strait_huge_mapped(segment->map.base, segment->map.bytes);
    return r < 0 && r != -ECHILD
               ? strait_fail((int)r, "segment %s: /proc/self/smaps: %s", segment->map.path, strait_strerror((int)r))
               : r;
}

void strait_detach(struct strait_segment *segment)
{
    struct strait_segment **at = &attached;

    if (segment == NULL)
        return;
    strait_process_lock();
    if (--segment->uses) {
        strait_process_unlock();
        return;
    }
    while (*at && *at != segment)
        at = &(*at)->next;
    if (*at)
        *at = segment->next;
    if (*segment->home)
        strait_detach_map(&segment->map, strait_after_ns(segment->patience_ns));
    strait_process_unlock();
    free(segment);
}

int strait_segment_remove(const char *name, const char *directory)
{
    struct strait_misfit misfit = {NULL, 0, 0};
    char path[PATH_MAX];
    int r = path_of(path, name, directory);

    if (r < 0)
        return r;
    strait_process_lock(); /* no fork while we are in the admin section */
    r = strait_collect(path, strait_after_ns(STRAIT_ADMIN_PATIENCE_NS), &misfit);
    strait_process_unlock();
    return r < 0 ? explain(r, path, &misfit) : r;
}

int strait_sweep_dead(struct strait_segment *segment)
{
    int r = strait_process_check(segment);
    return r < 0 ? r : strait_sweep(&segment->map, strait_after_ns(segment->patience_ns));
}

/* ---- deaths ---- */

static void (*death_hook)(const struct strait_death *death);

static void tell_death(const struct strait_segment_map *map, const struct strait_left_behind *what)
{
    struct strait_death death = {.segment = map->path,
                                 .lease = what->lease,
                                 .pid = what->pid,
                                 .program = what->program,
                                 .voided = what->voided,
                                 .returned = what->returned,
                                 .locks = what->locks};
    if (death_hook)
        death_hook(&death);
    strait_log(STRAIT_LOG_DEATH,
               "segment %s: %s (pid %u, lease %u) has died; %u messages that it was writing are gone, %u that it was "
               "reading come again, %u locks are free",
               map->path, what->program, what->pid, what->lease, what->voided, what->returned, what->locks);
}

static void listen_for_deaths(void)
{
    strait_swept_hook = death_hook || strait_logs() ? tell_death : NULL;
}

void strait_on_death(void (*hook)(const struct strait_death *death))
{
    strait_process_lock();
    death_hook = hook;
    listen_for_deaths();
    strait_process_unlock();
}

void strait_on_log(strait_log_hook *hook, void *context)
{
    strait_process_lock();
    strait_log_to(hook, context);
    listen_for_deaths();
    strait_process_unlock();
}
