/* SPDX-License-Identifier: MIT */
/* shmctl doctor: what of this machine strait leans on, and what to do where it gives way. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <strait/strait.h>

#include "commands.h"
#include "futex.h"
#include "process.h"

#define TMPFS 0x01021994

enum level { FINE, NOTE, BAD };

struct doctor {
    const struct ctl *ctl;
    struct json *json; /* or NULL */
    unsigned counts[3];
};

static void __attribute__((format(printf, 5, 6)))
find(struct doctor *d, enum level level, const char *topic, const char *remedy, const char *format, ...)
{
    static const char *const levels[] = {"fine", "note", "bad"};
    static const int colours[] = {TABLE_GREEN, TABLE_YELLOW, TABLE_RED};
    char what[512];
    va_list list;

    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    d->counts[level]++;
    if (d->json) {
        json_object(d->json, NULL);
        json_string(d->json, "topic", topic);
        json_string(d->json, "level", levels[level]);
        json_string(d->json, "finding", what);
        if (level != FINE)
            json_string(d->json, "remedy", remedy);
        json_close(d->json);
        return;
    }
    if (d->ctl->colours)
        printf("\033[%dm%s\033[0m  %s: %s\n", colours[level], levels[level], topic, what);
    else
        printf("%s  %s: %s\n", levels[level], topic, what);
    if (level != FINE)
        printf("      %s\n", remedy);
}

/* ---- where segments lie ---- */

static void look_at_space(struct doctor *d)
{
    const char *dir = d->ctl->directory;
    struct statvfs v;
    struct statfs f;

    if (statvfs(dir, &v) < 0 || statfs(dir, &f) < 0) {
        find(d, BAD, "directory", "mount a tmpfs there, or name another one with $STRAIT_DIR", "%s: %s", dir,
             strerror(errno));
        return;
    }
    uint64_t all = (uint64_t)v.f_blocks * v.f_frsize, left = (uint64_t)v.f_bavail * v.f_frsize;
    find(d,
         left < all / 10               ? BAD
         : all < (UINT64_C(256) << 20) ? NOTE
                                       : FINE,
         "space", "mount -o remount,size=2G DIR; in a container: --shm-size=2g, or a medium: Memory volume; shmctl gc",
         "%s has %s, %s of it free; a segment that does not fit is -ENOSPC when it is made", dir, table_bytes(all),
         table_bytes(left));
    find(d, f.f_type == TMPFS ? FINE : NOTE, "file system", "a tmpfs keeps segments out of the page cache's write-back",
         "%s is %sa tmpfs", dir, f.f_type == TMPFS ? "" : "not ");
}

static void look_at_creation(struct doctor *d)
{
    int fd = open(d->ctl->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    find(d, fd >= 0 ? FINE : BAD, "unnamed files",
         "O_TMPFILE is needed to make segments: use a tmpfs; check permissions", "%s in %s",
         fd >= 0 ? "can be made" : strerror(errno), d->ctl->directory);
    if (fd >= 0)
        close(fd);
    bool proc = access("/proc/self/fd", X_OK) == 0;
    find(d, proc ? FINE : BAD, "/proc", "mount /proc: linkat needs it to give a segment its name", "%s",
         proc ? "is there" : strerror(errno));
}

/* ---- the kernel ---- */

static void look_at_kernel(struct doctor *d)
{
    const char *rung = strait_loop_probe();
    int barrier = strait_membarrier_register();

    find(d,
         rung && strcmp(rung, "uring") == 0 ? FINE
         : rung                             ? NOTE
                                            : BAD,
         "event loop",
         "allow io_uring_setup, io_uring_enter, io_uring_register in the seccomp profile; kernel.io_uring_disabled=0; "
         "futex operations need Linux 6.7",
         "stands on %s: %s", rung ? rung : "nothing", strait_loop_why());
    find(d, barrier == 0 ? FINE : NOTE, "membarrier",
         "allow membarrier(2) in the seccomp profile; without it each send pays a fence", "%s",
         barrier == 0 ? "works" : strait_strerror(barrier));
    find(d, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? FINE : NOTE, "CPUs",
         "none: with one CPU nobody spins, every wait sleeps", "%ld online", sysconf(_SC_NPROCESSORS_ONLN));
}

static void look_at_seccomp(struct doctor *d)
{
    find(d, FINE, "seccomp", "", "%s",
         prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER ? "a filter is active" : "no filter");
}

#ifdef __GLIBC__
typedef __rlimit_resource_t rlimit_resource;
#else
typedef int rlimit_resource;
#endif

static void look_at_limit(struct doctor *d, const char *name, rlimit_resource which, rlim_t enough, const char *remedy)
{
    struct rlimit limit;

    if (getrlimit(which, &limit) < 0)
        return;
    if (limit.rlim_cur == RLIM_INFINITY)
        find(d, FINE, name, remedy, "no limit");
    else
        find(d, limit.rlim_cur >= enough ? FINE : BAD, name, remedy, "%llu", (unsigned long long)limit.rlim_cur);
}

static void look_at_limits(struct doctor *d)
{
    look_at_limit(d, "open files", RLIMIT_NOFILE, 256, "ulimit -n 1024, LimitNOFILE= in a unit");
    look_at_limit(d, "file size", RLIMIT_FSIZE, 1 << 30, "ulimit -f unlimited: segments are files");
    look_at_limit(d, "address space", RLIMIT_AS, UINT64_C(1) << 32, "ulimit -v unlimited");
}

/* ---- RemoveIPC ---- */

/* The last RemoveIPC= of a file: -1 none, 0 no, 1 yes. */
static int remove_ipc(const char *path)
{
    char line[256], value[16];
    FILE *f = fopen(path, "re");
    int says = -1;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, " RemoveIPC = %15s", value) == 1)
            says = strcasecmp(value, "no") != 0 && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0;
    if (f)
        fclose(f);
    return says;
}

static void look_at_removal(struct doctor *d)
{
    int says = 1, more = remove_ipc("/etc/systemd/logind.conf");
    struct dirent *e;
    char path[PATH_MAX];
    DIR *dir;

    if (access("/run/systemd/system", F_OK) < 0) {
        find(d, FINE, "RemoveIPC", "", "no systemd here");
        return;
    }
    says = more >= 0 ? more : says;
    dir = opendir("/etc/systemd/logind.conf.d");
    while (dir && (e = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "/etc/systemd/logind.conf.d/%s", e->d_name);
        more = remove_ipc(path);
        says = more >= 0 ? more : says;
    }
    if (dir)
        closedir(dir);
    find(d,
         says && getuid() >= 1000 ? BAD
         : says                   ? NOTE
                                  : FINE,
         "RemoveIPC", "RemoveIPC=no in /etc/systemd/logind.conf, loginctl enable-linger, or run as a system user", "%s",
         says ? "when a user's last session ends, logind deletes that user's files in /dev/shm" : "is off");
}

/* ---- what is there ---- */

struct census {
    unsigned segments, unused, dead, foreign;
    uint64_t unused_bytes;
};

static int count(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct census *c = arg;
    struct ctl_lease l;
    unsigned alive, dead;

    (void)ctl;
    ctl_count_leases(s, &alive, &dead);
    c->segments++;
    c->dead += alive ? dead : 0;
    c->unused += alive == 0;
    c->unused_bytes += alive == 0 ? s->map.bytes : 0;
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        c->foreign += ctl_lease(s, i, &l) && !l.ours;
    return CTL_GOOD;
}

static void look_at_segments(struct doctor *d)
{
    struct census c = {0};

    ctl_each(d->ctl, count, &c);
    find(d, c.unused ? NOTE : FINE, "leftovers", "shmctl gc --dry-run, then shmctl gc",
         "%u of %u segments are used by nobody, %s", c.unused, c.segments, table_bytes(c.unused_bytes));
    find(d, c.dead ? NOTE : FINE, "the dead", "shmctl repair NAME; shmctl blame says what holds a sweep up",
         "%u processes are dead and not swept", c.dead);
    find(d, FINE, "namespaces", "",
         "ours is pid:[%" PRIu64
         "]; %u processes are of others: who lives is known across, only their pids mean nothing here",
         ctl_process_namespace(), c.foreign);
}

static int run(const struct ctl *ctl)
{
    struct json j;
    struct doctor d = {.ctl = ctl, .json = ctl->json ? &j : NULL};

    if (ctl->json) {
        ctl_json_begin(&j, "doctor");
        json_array(&j, "findings");
    }
    look_at_space(&d);
    look_at_creation(&d);
    look_at_kernel(&d);
    look_at_seccomp(&d);
    look_at_limits(&d);
    look_at_removal(&d);
    if (d.counts[BAD] == 0 || access(ctl->directory, R_OK) == 0)
        look_at_segments(&d);
    if (ctl->json) {
        json_close(&j);
        json_close(&j);
    } else {
        printf("%u fine, %u to note, %u bad\n", d.counts[FINE], d.counts[NOTE], d.counts[BAD]);
    }
    return d.counts[BAD] ? CTL_FINDING : CTL_GOOD;
}

const struct ctl_command ctl_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "Is this machine, or container, fit for strait? Each finding with its remedy",
    .help = "The directory's size and use, limits, io_uring and seccomp, membarrier, RemoveIPC, namespaces, leftovers. "
            "Run it\n"
            "where the programs run: as their user, in their container. Exit 1: something is bad.\n"
            "\n"
            "  shmctl doctor\n"
            "  shmctl doctor --json | jq '.findings[] | select(.level == \"bad\").remedy'\n",
    .run = run,
};
