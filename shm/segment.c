/* SPDX-License-Identifier: MIT */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "huge.h"
#include "layout.h"
#include "strait/atomic.h"

#define FD_PATH_BYTES 32

static uint64_t whole(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static uint64_t pages(uint64_t bytes)
{
    return whole(bytes, STRAIT_PAGE);
}

/* "/proc/self/fd/<fd>", without stdio */
static void fd_path(char out[FD_PATH_BYTES], int fd)
{
    char digits[12];
    size_t n = 0, at = sizeof "/proc/self/fd/" - 1;

    memcpy(out, "/proc/self/fd/", at);
    do
        digits[n++] = (char)('0' + fd % 10);
    while ((fd /= 10) != 0);
    while (n)
        out[at++] = digits[--n];
    out[at] = 0;
}

int strait_segment_reopen(int fd, bool writable)
{
    char path[FD_PATH_BYTES];

    fd_path(path, fd);
    fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool strait_name_good(const char *name)
{
    size_t n = strnlen(name, STRAIT_NAME_BYTES);

    if (n == 0 || n == STRAIT_NAME_BYTES)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == '/' || name[i] == 0x7f)
            return false;
    return true;
}

int strait_segment_path(char *path, const char *dir, const char *name)
{
    size_t dir_n = strlen(dir), name_n = strlen(name), prefix_n = sizeof STRAIT_FILE_PREFIX - 1;

    if (!strait_name_good(name))
        return name_n >= STRAIT_NAME_BYTES ? -ENAMETOOLONG : -EINVAL;
    if (dir_n == 0 || dir_n + 1 + prefix_n + name_n + 1 > PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(path, dir, dir_n);
    path[dir_n] = '/';
    memcpy(path + dir_n + 1, STRAIT_FILE_PREFIX, prefix_n);
    memcpy(path + dir_n + 1 + prefix_n, name, name_n + 1);
    return 0;
}

/* ---- build ---- */

static void fill_header(struct strait_segment_map *map, const struct strait_segment_shape *shape)
{
    struct strait_header *h = strait_segment_header(map);
    const char *slash = strrchr(map->path, '/');
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    h->magic = STRAIT_MAGIC;
    h->version = STRAIT_LAYOUT_VERSION;
    h->layout_n = strait_layout_fields_n;
    for (uint32_t i = 0; i < strait_layout_fields_n; i++)
        h->layout[i] = strait_layout_fields[i].value;
    h->fingerprint = strait_layout_fingerprint(h->layout, h->layout_n);
    h->bytes = map->bytes;
    h->leases_off = map->leases_off;
    h->errors_off = map->errors_off;
    h->directory_off = map->directory_off;
    h->arena_off = map->arena_off;
    h->directory_max = shape->directory_max;
    h->page_bytes = STRAIT_PAGE;
    h->created_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    h->creator_pid = (uint32_t)getpid();
    while (h->id == 0)
        if (getrandom(&h->id, sizeof h->id, 0) != (ssize_t)sizeof h->id)
            h->id = h->created_ns ^ ((uint64_t)map->inode << 32); /* unique on this machine is all it needs */
    if (slash)
        memccpy(h->name, slash + sizeof STRAIT_FILE_PREFIX, 0, sizeof h->name - 1);
}

/* Where the tables lie is a matter of their sizes alone. */
static void lay_out(struct strait_segment_map *map, uint32_t directory_max)
{
    map->directory_max = directory_max;
    map->leases_off = STRAIT_PAGE;
    map->errors_off = map->leases_off + pages(STRAIT_LEASES * sizeof(struct strait_lease_cell));
    map->directory_off = map->errors_off + pages(STRAIT_ERRORS * sizeof(struct strait_error_cell));
    map->arena_off = map->directory_off + pages((uint64_t)directory_max * sizeof(struct strait_entry));
}

static int place_tables(struct strait_segment_map *map, const struct strait_segment_shape *shape)
{
    map->bytes = whole(shape->bytes, map->huge_bytes ? map->huge_bytes : STRAIT_PAGE);
    lay_out(map, shape->directory_max);
    if (shape->directory_max == 0 || shape->directory_max > 65535 || map->bytes <= map->arena_off)
        return -EINVAL;
    return 0;
}

/* A file that was made without huge pages has a size that need not be whole ones. */
static void *map_bytes(const struct strait_segment_map *map, int fd, int protection, int flags)
{
    if (map->huge_bytes && map->bytes % map->huge_bytes == 0)
        return strait_huge_map(fd, map->bytes, map->huge_bytes, protection, flags);
    void *base = mmap(NULL, map->bytes, protection, MAP_SHARED | flags, fd, 0);
    return base == MAP_FAILED ? NULL : base;
}

/* Mapped through a description of its own: a mapping keeps its description, and with it the admin lock if that were held
 * through it, alive after closefrom(3). */
static int map_file(struct strait_segment_map *map, unsigned ask)
{
    int protection = map->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    int fd = strait_segment_reopen(map->fd, map->writable), error;
    void *base;

    if (fd < 0)
        return fd;
    base = map_bytes(map, fd, protection, ask & (STRAIT_MAP_PREFAULT | STRAIT_MAP_ALL_HUGE) ? MAP_POPULATE : 0);
    error = errno;
    close(fd);
    if (base == NULL)
        return -error;
    map->base = base;
    /* a forked child must not hold the segment, and a core dump must not carry it */
    if (madvise(base, map->bytes, MADV_DONTFORK) < 0)
        return -errno;
    madvise(base, map->bytes, MADV_DONTDUMP);
    return 0;
}

static void choose_pages(struct strait_segment_map *map, unsigned ask)
{
    struct strait_huge huge = strait_huge_of(map->fd, ask & (STRAIT_MAP_HUGE | STRAIT_MAP_ALL_HUGE));

    map->huge_bytes = huge.bytes;
    map->page_bytes = huge.only ? huge.bytes : STRAIT_PAGE;
}

static int judge_pages(const struct strait_segment_map *map, unsigned ask)
{
    int64_t huge = ask & STRAIT_MAP_ALL_HUGE ? strait_huge_mapped(map->base, map->bytes) : (int64_t)map->bytes;

    return huge < 0 ? (int)huge : (uint64_t)huge < map->bytes ? -EOPNOTSUPP : 0;
}

static int remember_file(struct strait_segment_map *map)
{
    struct stat st;

    if (fstat(map->fd, &st) < 0)
        return -errno;
    map->device = st.st_dev;
    map->inode = st.st_ino;
    return 0;
}

static int reserve(int fd, uint64_t bytes)
{
    int r;

    do
        r = posix_fallocate(fd, 0, (off_t)bytes);
    while (r == EINTR);
    return -r;
}

/* A file without a name: to be linked to `path` when it is whole, or never. A descriptor or -errno. */
static int new_file(const char *path, const struct strait_segment_shape *shape)
{
    char dir[PATH_MAX];
    int fd;

    if (shape->unnamed) {
        fd = memfd_create("strait", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    } else {
        strcpy(dir, path);
        *strrchr(dir, '/') = 0;
        fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, shape->mode);
    }
    return fd < 0 ? -errno : fd;
}

/* Whatever the umask says; the group first, because chown(2) may clear mode bits. */
static int permit(int fd, const struct strait_segment_shape *shape)
{
    if (shape->group && fchown(fd, (uid_t)-1, shape->group) < 0)
        return -errno;
    return fchmod(fd, shape->mode) < 0 ? -errno : 0;
}

static int seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int strait_segment_build(struct strait_segment_map *map, const char *path, const struct strait_segment_shape *shape)
{
    int r, fd;

    memset(map, 0, sizeof *map);
    map->fd = -1;
    map->writable = true;
    strcpy(map->path, path);
    fd = new_file(path, shape);
    if (fd < 0)
        return fd;
    map->fd = fd;
    choose_pages(map, shape->ask);
    r = place_tables(map, shape);
    if (r == 0)
        r = permit(map->fd, shape);
    if (r == 0)
        r = remember_file(map);
    if (r == 0)
        r = reserve(map->fd, map->bytes);
    if (r == 0 && shape->unnamed)
        r = seal(map->fd);
    if (r == 0)
        r = map_file(map, shape->ask);
    if (r == 0 && map->huge_bytes > map->page_bytes)
        strait_huge_collapse(map->base, map->bytes);
    if (r == 0)
        r = judge_pages(map, shape->ask);
    if (r < 0) {
        strait_segment_close(map);
        return r;
    }
    fill_header(map, shape);
    return 0;
}

int strait_segment_publish(struct strait_segment_map *map)
{
    char source[FD_PATH_BYTES];

    fd_path(source, map->fd);
    return linkat(AT_FDCWD, source, AT_FDCWD, map->path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* ---- check ---- */

static int differs(struct strait_misfit *misfit, int error, const char *field, uint64_t here, uint64_t there)
{
    *misfit = (struct strait_misfit){field, here, there};
    return error;
}

static int check_layout(const struct strait_header *h, struct strait_misfit *misfit)
{
    if (h->version != STRAIT_LAYOUT_VERSION)
        return differs(misfit, -ESTALE, "layout version", STRAIT_LAYOUT_VERSION, h->version);
    for (uint32_t i = 0; i < strait_layout_fields_n && i < h->layout_n && i < STRAIT_LAYOUT_FIELDS; i++)
        if (h->layout[i] != strait_layout_fields[i].value)
            return differs(misfit, -ESTALE, strait_layout_fields[i].name, strait_layout_fields[i].value, h->layout[i]);
    if (h->layout_n != strait_layout_fields_n)
        return differs(misfit, -ESTALE, "number of layout fields", strait_layout_fields_n, h->layout_n);
    if (h->fingerprint != strait_layout_fingerprint(h->layout, h->layout_n))
        return differs(misfit, -EPROTO, "layout fingerprint", strait_layout_fingerprint(h->layout, h->layout_n),
                       h->fingerprint);
    return 0;
}

static int check_tables(const struct strait_header *h, struct strait_misfit *misfit)
{
    struct strait_segment_map want = {.base = NULL};

    if (h->page_bytes != STRAIT_PAGE)
        return differs(misfit, -EPROTO, "page bytes", STRAIT_PAGE, h->page_bytes);
    if (h->directory_max == 0 || h->directory_max > 65535)
        return differs(misfit, -EPROTO, "directory entries", 65535, h->directory_max);
    lay_out(&want, h->directory_max);
    if (h->leases_off != want.leases_off)
        return differs(misfit, -EPROTO, "offset of the leases", want.leases_off, h->leases_off);
    if (h->errors_off != want.errors_off)
        return differs(misfit, -EPROTO, "offset of the errors", want.errors_off, h->errors_off);
    if (h->directory_off != want.directory_off)
        return differs(misfit, -EPROTO, "offset of the directory", want.directory_off, h->directory_off);
    if (h->arena_off != want.arena_off)
        return differs(misfit, -EPROTO, "offset of the arena", want.arena_off, h->arena_off);
    if (h->arena_off >= h->bytes)
        return differs(misfit, -EPROTO, "offset of the arena", h->bytes, h->arena_off);
    return 0;
}

int strait_segment_check(const void *bytes, uint64_t file_bytes, struct strait_misfit *misfit)
{
    struct strait_header copy; /* loaded once: a peer may write while we look */
    int r;

    if (file_bytes < sizeof copy)
        return differs(misfit, -EBADMSG, "file size", sizeof copy, file_bytes);
    memcpy(&copy, bytes, sizeof copy);
    strait_fence_compiler(); /* compiler [G5] alone: or the compiler reads the shared bytes again where we use the copy */
    if (copy.magic != STRAIT_MAGIC)
        return differs(misfit, -EBADMSG, "magic number", STRAIT_MAGIC, copy.magic);
    r = check_layout(&copy, misfit);
    if (r < 0)
        return r;
    if (copy.bytes != file_bytes)
        return differs(misfit, -EPROTO, "file size", copy.bytes, file_bytes);
    return check_tables(&copy, misfit);
}

/* ---- open ---- */

/* Before anything is mapped: prefaulting a stranger's sparse file would fill the memory. */
static int check_file(int fd, uint64_t bytes, struct strait_misfit *misfit)
{
    struct strait_header head;
    ssize_t n = pread(fd, &head, sizeof head, 0);

    if (n < 0)
        return -errno;
    return strait_segment_check(&head, n == (ssize_t)sizeof head ? bytes : (uint64_t)n, misfit);
}

static int open_checked(struct strait_segment_map *map, unsigned ask, struct strait_misfit *misfit)
{
    struct stat st;
    int r;

    if (fstat(map->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return differs(misfit, -EBADMSG, "file type", S_IFREG, st.st_mode & S_IFMT);
    if (st.st_size < STRAIT_PAGE)
        return differs(misfit, -EBADMSG, "file size", STRAIT_PAGE, (uint64_t)st.st_size);
    map->device = st.st_dev;
    map->inode = st.st_ino;
    map->bytes = (uint64_t)st.st_size;
    r = check_file(map->fd, map->bytes, misfit);
    choose_pages(map, ask);
    if (r == 0)
        r = map_file(map, ask);
    if (r == 0)
        r = judge_pages(map, ask);
    if (r < 0)
        return r;
    r = strait_segment_check(map->base, map->bytes, misfit);
    if (r < 0)
        return r;
    lay_out(map, strait_load32_relaxed(&strait_segment_header(map)->directory_max));
    /* checked a moment ago, but a peer may have changed it since */
    return map->arena_off < map->bytes ? 0 : differs(misfit, -EPROTO, "directory entries", 0, map->directory_max);
}

int strait_segment_open(struct strait_segment_map *map, const char *path, bool writable, unsigned ask,
                        struct strait_misfit *misfit)
{
    int r;

    memset(map, 0, sizeof *map);
    *misfit = (struct strait_misfit){NULL, 0, 0};
    strcpy(map->path, path);
    map->writable = writable;
    map->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (map->fd < 0)
        return -errno;
    r = open_checked(map, ask, misfit);
    if (r < 0)
        strait_segment_close(map);
    return r;
}

int strait_segment_adopt(struct strait_segment_map *map, int fd, unsigned ask, struct strait_misfit *misfit)
{
    int r;

    memset(map, 0, sizeof *map);
    *misfit = (struct strait_misfit){NULL, 0, 0};
    strcpy(map->path, STRAIT_UNNAMED);
    map->writable = true;
    map->fd = -1;
    fd = strait_segment_reopen(fd, true);
    if (fd < 0)
        return fd;
    map->fd = fd;
    r = open_checked(map, ask, misfit);
    if (r < 0)
        strait_segment_close(map);
    return r;
}

void strait_segment_close(struct strait_segment_map *map)
{
    if (map->base)
        munmap(map->base, map->bytes);
    if (map->lease_page)
        munmap(map->lease_page, map->page_bytes);
    if (map->fd >= 0)
        close(map->fd);
    map->base = map->lease_page = NULL;
    map->lease = 0;
    map->fd = -1;
}

static bool same_file(const struct strait_segment_map *map, const struct stat *st)
{
    return st->st_dev == map->device && st->st_ino == map->inode;
}

int strait_segment_fd(struct strait_segment_map *map)
{
    struct stat st;

    if (map->fd >= 0 && fstat(map->fd, &st) == 0 && same_file(map, &st))
        return map->fd;
    int fd = open(map->path, (map->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !same_file(map, &st)) {
        close(fd);
        return -EBADF;
    }
    map->fd = fd; /* the old number is somebody else's by now: not ours to close */
    return fd;
}

bool strait_segment_named(const struct strait_segment_map *map)
{
    struct stat st;
    return lstat(map->path, &st) == 0 && same_file(map, &st);
}
