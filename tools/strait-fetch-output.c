/* SPDX-License-Identifier: MIT */
#include "strait-fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void temporary_name(const struct job *job, char *name, size_t bytes)
{
    snprintf(name, bytes, "%s/.strait-fetch.%d.%u", job->run->options->directory, (int)getpid(), job->number);
}

/* 00042-index.html: the number makes it unique, whatever the URLs are. */
void output_name(const struct job *job, char *name, size_t bytes)
{
    const char *path = strstr(job->url, "://"), *base;
    size_t n;

    path = path ? path + 3 : job->url;
    n = strcspn(path, "?#");
    for (base = path + n; base > path && base[-1] != '/';)
        base--;
    if (base == path) /* no path at all: what stands there is the host */
        n = 0;
    n -= n ? (size_t)(base - path) : 0;
    snprintf(name, bytes, "%s/%05u%s%.*s", job->run->options->directory, job->number, n ? "-" : "",
             (int)(n < 200 ? n : 200), base);
}

static int open_temporary(struct job *job)
{
    char name[PATH_MAX];

    temporary_name(job, name, sizeof name);
    job->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return job->fd < 0 ? -errno : 0;
}

int output_write(struct job *job, const char *data, uint32_t bytes)
{
    int error = 0;

    if (!job->run->options->directory)
        return 0;
    if (job->fd < 0)
        error = open_temporary(job);
    while (error == 0 && bytes) {
        ssize_t n = write(job->fd, data, bytes);
        if (n < 0 && errno != EINTR)
            error = -errno;
        if (n > 0) {
            data += n;
            bytes -= (uint32_t)n;
        }
    }
    return error;
}

int output_restart(struct job *job)
{
    if (job->fd < 0)
        return 0;
    return ftruncate(job->fd, 0) < 0 || lseek(job->fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

int output_finish(struct job *job)
{
    char from[PATH_MAX], to[PATH_MAX];
    int error = output_write(job, NULL, 0); /* an empty body is a file, too */

    if (error || job->fd < 0)
        return error;
    close(job->fd);
    job->fd = -1;
    temporary_name(job, from, sizeof from);
    output_name(job, to, sizeof to);
    return rename(from, to) < 0 ? -errno : 0;
}

void output_drop(struct job *job)
{
    char name[PATH_MAX];

    if (job->fd < 0)
        return;
    close(job->fd);
    job->fd = -1;
    temporary_name(job, name, sizeof name);
    unlink(name);
}
