/* SPDX-License-Identifier: MIT */
/* shmctl snapshot: a segment as it is now into a file, and how such a file is opened. */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "strait/atomic.h"

/* ---- open ---- */

/* Everybody who was alive holds his lock again: ours are read locks, which two viewers can have at once. */
static int lock_bytes(const struct ctl_snapshot *head, int fd)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};

    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        lock.l_start = STRAIT_LOCK_LEASES + (off_t)i;
        if (head->leases[i].alive && fcntl(fd, F_OFD_SETLK, &lock) < 0)
            return -errno;
    }
    lock.l_start = STRAIT_LOCK_ADMIN;
    return head->admin && fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static int map_file(struct ctl_segment *s, struct ctl_snapshot *head, uint64_t bytes, struct strait_misfit *misfit)
{
    struct strait_segment_map *map = &s->map;
    struct strait_header header;
    void *base;
    int r;

    map->bytes = bytes - CTL_SNAPSHOT_HEAD;
    base = mmap(NULL, map->bytes, PROT_READ, MAP_PRIVATE, map->fd, (off_t)CTL_SNAPSHOT_HEAD);
    if (base == MAP_FAILED)
        return -errno;
    map->base = base;
    memcpy(&header, base, sizeof header); /* what is checked is what is used */
    r = strait_segment_check(&header, map->bytes, misfit);
    if (r < 0)
        return r;
    map->leases_off = header.leases_off;
    map->errors_off = header.errors_off;
    map->directory_off = header.directory_off;
    map->arena_off = header.arena_off;
    map->directory_max = header.directory_max;
    head->name[sizeof head->name - 1] = 0;
    s->snapshot = head;
    return 0;
}

static bool is_snapshot(const struct ctl_snapshot *head, ssize_t n)
{
    return n == (ssize_t)sizeof *head && memcmp(head->magic, CTL_SNAPSHOT_MAGIC, sizeof head->magic) == 0 &&
           head->version == CTL_SNAPSHOT_VERSION;
}

/* The file is open in map->fd, and it is a snapshot. */
static int open_rest(struct ctl_segment *s, struct ctl_snapshot *head, struct strait_misfit *misfit)
{
    struct stat st;
    int r, locks = open(s->map.path, O_RDONLY | O_CLOEXEC);

    if (locks < 0)
        return -errno;
    r = fstat(s->map.fd, &st) < 0 ? -errno : 0;
    if (r == 0 && (uint64_t)st.st_size <= CTL_SNAPSHOT_HEAD) {
        *misfit = (struct strait_misfit){"file size", CTL_SNAPSHOT_HEAD, (uint64_t)st.st_size};
        r = -EBADMSG;
    }
    if (r == 0) {
        s->map.device = st.st_dev;
        s->map.inode = st.st_ino;
        r = lock_bytes(head, locks); /* `locks` stays open, and with it the locks, as long as the program runs */
    }
    if (r == 0)
        r = map_file(s, head, (uint64_t)st.st_size, misfit);
    if (r < 0)
        close(locks);
    return r;
}

int ctl_snapshot_open(struct ctl_segment *s, const char *path, struct strait_misfit *misfit)
{
    struct ctl_snapshot *head = malloc(sizeof *head);
    int r, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || head == NULL || !is_snapshot(head, pread(fd, head, sizeof *head, 0))) {
        if (fd >= 0)
            close(fd);
        free(head);
        return 0;
    }
    *s = (struct ctl_segment){.map.fd = fd};
    snprintf(s->map.path, sizeof s->map.path, "%s", path);
    r = open_rest(s, head, misfit);
    if (r == 0)
        return 1;
    strait_segment_close(&s->map);
    s->snapshot = NULL;
    free(head);
    return r;
}

void ctl_snapshot_close(struct ctl_segment *s)
{
    free((void *)(uintptr_t)s->snapshot);
    s->snapshot = NULL;
}

/* ---- take ---- */

static void fill_head(struct ctl_segment *s, struct ctl_snapshot *head)
{
    struct ctl_lease l;

    *head = (struct ctl_snapshot){.magic = CTL_SNAPSHOT_MAGIC,
                                  .version = CTL_SNAPSHOT_VERSION,
                                  .admin = ctl_admin_holder(s),
                                  .real_ns = ctl_real_ns(s),
                                  .mono_ns = ctl_mono_ns(s)};
    snprintf(head->name, sizeof head->name, "%s", ctl_segment_name(s));
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (ctl_lease(s, i, &l))
            head->leases[i] = (struct ctl_snapshot_lease){
                .alive = l.alive != 0, .state = l.state, .threads = l.threads, .ours = l.ours};
}

static bool write_all(int fd, const void *bytes, uint64_t n)
{
    const char *at = bytes;

    while (n) {
        ssize_t w = write(fd, at, n);
        if (w < 0 && errno != EINTR)
            return false;
        if (w > 0) {
            at += w;
            n -= (uint64_t)w;
        }
    }
    return true;
}

static int save(struct ctl_segment *s, const struct ctl_snapshot *head, const char *file)
{
    static const char zeroes[STRAIT_PAGE];
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good;

    if (fd < 0) {
        ctl_say("%s: %s", file, strerror(errno));
        return CTL_FINDING;
    }
    good = write_all(fd, head, sizeof *head) && write_all(fd, zeroes, CTL_SNAPSHOT_HEAD - sizeof *head) &&
           write_all(fd, s->map.base, s->map.bytes);
    if (close(fd) < 0 || !good) {
        ctl_say("%s: %s", file, strerror(errno));
        unlink(file);
        return CTL_FINDING;
    }
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct ctl_segment s;
    struct ctl_snapshot *head;
    struct json j;
    int r = ctl_open(ctl, ctl->word[0], &s);

    if (r != CTL_GOOD)
        return r;
    head = malloc(sizeof *head);
    if (head == NULL) {
        ctl_close(&s);
        ctl_say("out of memory");
        return CTL_FINDING;
    }
    fill_head(&s, head);
    r = save(&s, head, ctl->word[1]);
    if (r == CTL_GOOD && ctl->json) {
        ctl_json_begin(&j, "snapshot");
        json_string(&j, "segment", ctl_segment_name(&s));
        json_string(&j, "file", ctl->word[1]);
        json_u64(&j, "bytes", CTL_SNAPSHOT_HEAD + s.map.bytes);
        json_close(&j);
    } else if (r == CTL_GOOD) {
        printf("%s: %s, as it was; shmctl show %s%s\n", ctl->word[1], table_bytes(CTL_SNAPSHOT_HEAD + s.map.bytes),
               strchr(ctl->word[1], '/') ? "" : "./", ctl->word[1]);
    }
    free(head);
    ctl_close(&s);
    return r;
}

const struct ctl_command ctl_snapshot = {
    .name = "snapshot",
    .arguments = "NAME FILE",
    .summary = "Keep a segment as it is now in a file, for all commands that only look",
    .help = "The file has the segment's bytes and who was alive, stopped or dead. It may hold what was sent: mode "
            "0600. An\n"
            "existing file is not overwritten. Nothing is stopped meanwhile: words that change together may be apart.\n"
            "\n"
            "  shmctl snapshot demo demo.snap\n"
            "  shmctl blame ./demo.snap       later, elsewhere\n",
    .least = 2,
    .most = 2,
    .run = run,
};
