/* SPDX-License-Identifier: MIT */
/*
 * The main job. Thousands of small and some large files from an embedded origin; the worker that has just sent the first
 * part of a large one, with the rest still to come, is killed. In the end every body must be there once, whole and right.
 */
#include "strait-fetch.h"

#include "../tests/support/origin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SMALL         4000
#define LARGE         16
#define NEIGHBOURS    8
#define LARGE_BYTES   UINT64_C(8388608)
#define SCRATCH_BYTES (UINT64_C(1) << 30)
#define FILES         (SMALL + LARGE)
#define URL_BYTES     80

struct plan {
    pid_t killed;
};

static uint64_t file_bytes(uint32_t i)
{
    if (i / NEIGHBOURS % (FILES / LARGE) == FILES / LARGE / 2) /* several in one worker's hands at once */
        return LARGE_BYTES + i;
    return (uint64_t)i * 7919 % 20000; /* some are empty */
}

static int make_list(struct run *run, uint16_t port)
{
    int error = 0;

    for (uint32_t i = 0; i < FILES && error == 0; i++) {
        char url[URL_BYTES];
        snprintf(url, sizeof url, "http://127.0.0.1:%u/%s/%u/%llu", port,
                 i % 10 == 3   ? "chunked"
                 : i % 50 == 9 ? "close"
                               : "blob",
                 i + 1, (unsigned long long)file_bytes(i));
        error = list_add(run, url, NULL);
    }
    return error;
}

/* A third of the way, at the first part of a large body: its worker cannot have finished, the ring has no room for it. */
static void kill_one(struct seat *seat, const struct strait_fetch_part *part)
{
    struct job *job = seat->job;
    struct plan *plan = seat->run->user;

    if (plan->killed || !part->first || part->last || file_bytes(job->number - 1) < LARGE_BYTES)
        return;
    if (seat->run->done < FILES / 3 || job->restarts)
        return;
    plan->killed = (pid_t)seat->worker;
    kill(plan->killed, SIGKILL);
}

static int hash_file(const char *name, uint64_t *hash, uint64_t *bytes)
{
    unsigned char piece[65536];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    *hash = ORIGIN_HASH;
    *bytes = 0;
    if (fd < 0)
        return -errno;
    while ((n = read(fd, piece, sizeof piece)) > 0) {
        *hash = origin_hash(*hash, piece, (size_t)n);
        *bytes += (uint64_t)n;
    }
    close(fd);
    return n < 0 ? -EIO : 0;
}

/* How many bodies are not what the origin made; each is named. */
static uint32_t check_bodies(const struct run *run)
{
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < FILES; i++) {
        char name[PATH_MAX];
        uint64_t hash, bytes;
        output_name(run, run->jobs[i], name, sizeof name);
        if (hash_file(name, &hash, &bytes) == 0 && bytes == file_bytes(i) &&
            hash == origin_hash_body(i + 1, file_bytes(i)) && run->jobs[i]->ends == 1)
            continue;
        wrong++;
        printf("%s: lost, wrong or answered twice\n", run->jobs[i]->url);
    }
    return wrong;
}

/* Names in the directory: whatever is there beside the bodies would be a duplicate or a leftover. */
static uint32_t count_names(const char *directory)
{
    DIR *d = opendir(directory);
    uint32_t n = 0;

    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static int judge(const struct run *run, const struct plan *plan)
{
    uint32_t wrong = check_bodies(run), names = count_names(run->options->directory), restarted = 0;
    bool good;

    for (uint32_t i = 0; i < run->n; i++)
        restarted += run->jobs[i]->restarts > 0;
    good = wrong == 0 && run->failed == 0 && names == FILES && plan->killed && run->died == 1 && restarted > 0;
    if (good)
        printf(
            "main job: every reply delivered: %u of %u bodies, each once, whole, with the right hash; none lost, none "
            "duplicated. Worker %d was killed on the way with %u transfers in its hands; others took them over.\n",
            FILES, FILES, (int)plan->killed, restarted);
    else
        printf("main job FAILED: %u of %u bodies lost or wrong, %u requests failed, %u names in the output; %u workers "
               "died "
               "(1 was to), %u transfers were redelivered (at least 1 was to)\n",
               wrong, FILES, run->failed, names, run->died, restarted);
    return good ? 0 : 1;
}

/* Where the bodies go: memory if there is plenty, because creating thousands of files where thousands have just been
 * deleted is slow on ext4, and the file system is not what this job is about. */
static const char *scratch(void)
{
    struct statvfs fs;

    if (getenv("TMPDIR"))
        return getenv("TMPDIR");
    if (statvfs("/dev/shm", &fs) == 0 && fs.f_bavail * fs.f_frsize > SCRATCH_BYTES)
        return "/dev/shm";
    return "/tmp";
}

int demo(const struct options *options)
{
    char directory[PATH_MAX];
    struct options o = *options;
    struct run run = RUN_EMPTY;
    struct plan plan = {0};
    struct origin origin;
    int status = 3;

    snprintf(directory, sizeof directory, "%s/main-job.XXXXXX", scratch());
    if (!mkdtemp(directory)) {
        perror("strait-fetch --demo");
        return status;
    }
    o.through_slots = true; /* the job is to hand bodies over */
    o.directory = o.directory ? o.directory : directory;
    if (origin_start(&origin) == 0) {
        run.on_part = kill_one;
        run.user = &plan;
        if (make_list(&run, origin.port) == 0 && run_all(&run, &o) == 0) {
            report(&run, stdout);
            status = judge(&run, &plan);
        }
        origin_stop(&origin);
    }
    run_free(&run);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}
