/* SPDX-License-Identifier: MIT */
#include "strait-fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

int list_add(struct run *run, const char *url, const char *checksum)
{
    struct job *job = calloc(1, sizeof *job);

    if ((run->n & (run->n - 1)) == 0) { /* full at every power of two */
        struct job **more = realloc(run->jobs, (run->n ? 2 * (size_t)run->n : 1) * sizeof(struct job *));
        if (more)
            run->jobs = more;
        else
            free(job), job = NULL;
    }
    if (job)
        job->url = strdup(url);
    if (job && checksum)
        job->checksum = strdup(checksum);
    if (!job || !job->url || (checksum && !job->checksum)) {
        if (job)
            free(job->url);
        free(job);
        return -ENOMEM;
    }
    run->jobs[run->n++] = job;
    job->number = run->n;
    return 0;
}

/* "URL" or "URL sha256:HEX". Another blank is the URL's, which is told so. */
static int add_line(struct run *run, char *line)
{
    static const char blanks[] = " \t\r\n";
    char *url = line + strspn(line, blanks), *checksum;
    size_t n = strlen(url);

    while (n && strchr(blanks, url[n - 1]))
        url[--n] = 0;
    if (n == 0 || *url == '#')
        return 0;
    checksum = url + strcspn(url, blanks);
    if (*checksum && checksum[1 + strcspn(checksum + 1, "/: \t")] == ':')
        *checksum++ = 0;
    else
        checksum = NULL;
    return list_add(run, url, checksum ? checksum + strspn(checksum, blanks) : NULL);
}

/* The whole lines of what was read; at the end the rest, too. */
static int take_lines(struct run *run, bool end)
{
    struct source *s = &run->source;
    char *at = s->text, *stop = s->text + s->bytes, *line_end;
    int error = 0;

    while (error == 0 && at < stop && ((line_end = memchr(at, '\n', (size_t)(stop - at))) != NULL || end)) {
        line_end = line_end ? line_end : stop;
        *line_end = 0; /* there is room behind the last byte */
        error = add_line(run, at);
        at = line_end < stop ? line_end + 1 : stop;
    }
    s->bytes = (size_t)(stop - at);
    memmove(s->text, at, s->bytes);
    return error;
}

/* One read. 1: there may be more; 0: that was all; -errno. */
static int read_piece(struct run *run)
{
    struct source *s = &run->source;
    ssize_t n;
    int error;

    if (s->room - s->bytes < PIECE + 1) {
        char *more = realloc(s->text, s->bytes + 2 * PIECE);
        if (!more)
            return -ENOMEM;
        s->text = more;
        s->room = s->bytes + 2 * PIECE;
    }
    do
        n = read(s->fd, s->text + s->bytes, PIECE);
    while (n < 0 && errno == EINTR && !run->interrupted);
    if (n < 0)
        return -errno;
    s->bytes += (size_t)n;
    error = take_lines(run, n == 0);
    return error ? error : n > 0;
}

static void close_source(struct source *s)
{
    if (s->fd > STDIN_FILENO)
        close(s->fd);
    s->fd = -1;
    free(s->text);
    s->text = NULL;
    s->bytes = s->room = 0;
}

int list_read(struct run *run, const char *name)
{
    struct source *s = &run->source;
    struct stat st;
    int more = 1;

    while (s->fd >= 0 && more > 0) /* one that may wait was there before: only the last one does */
        more = read_piece(run);
    close_source(s);
    s->fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        more = -errno;
        fprintf(stderr, "strait-fetch: %s: %s\n", name, strerror(-more));
        return more;
    }
    if (S_ISREG(st.st_mode)) {
        while ((more = read_piece(run)) > 0) {
        }
        close_source(s);
    }
    if (more < 0)
        fprintf(stderr, "strait-fetch: %s: %s\n", name, strerror(-more));
    return more < 0 ? more : 0;
}

static void readable(struct strait_op *op, int res)
{
    struct source *s = (struct source *)op;
    struct run *run = s->run;
    int more = res;

    if (res == -ECANCELED)
        return;
    if (res >= 0)
        more = read_piece(run);
    if (more < 0)
        fprintf(stderr, "strait-fetch: reading URLs: %s\n", strerror(-more));
    if (more <= 0)
        close_source(s);
    else
        list_follow(run);
    run_ask_more(run);
}

void list_follow(struct run *run)
{
    struct source *s = &run->source;

    if (s->fd < 0)
        return;
    s->run = run;
    s->op.done = readable;
    if (strait_op_poll(run->loop, &s->op, s->fd, POLLIN, STRAIT_FOREVER) == 0)
        return;
    while (read_piece(run) > 0) { /* cannot be polled: then it is not waited for either */
    }
    close_source(s);
}

bool list_is_whole(const struct run *run)
{
    return run->source.fd < 0;
}
