/* SPDX-License-Identifier: MIT */
#include "strait-fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- names ---- */

static bool has_output(const struct options *o)
{
    return (o->directory || o->file) && !(o->ask.flags & STRAIT_FETCH_HEAD);
}

static bool is_stdout(const struct options *o)
{
    return o->file && strcmp(o->file, "-") == 0;
}

/* -r: only the part is wanted, and written from the beginning. */
static bool is_range(const struct options *o)
{
    return o->ask.from || o->ask.bytes;
}

/* 00042-index.html: the number makes it unique, whatever the URLs are. */
void output_name(const struct run *run, const struct job *job, char *name, size_t bytes)
{
    const char *path = strstr(job->url, "://"), *base;
    size_t n;

    if (run->options->file) {
        snprintf(name, bytes, "%s", run->options->file);
        return;
    }
    path = path ? path + 3 : job->url;
    n = strcspn(path, "?#");
    for (base = path + n; base > path && base[-1] != '/';)
        base--;
    if (base == path) /* no path at all: what stands there is the host */
        n = 0;
    n -= n ? (size_t)(base - path) : 0;
    snprintf(name, bytes, "%s/%05u%s%.*s", run->options->directory, job->number, n ? "-" : "", (int)(n < 200 ? n : 200),
             base);
}

/* Where it grows: hidden and gone with us, or, with -C, where the next run finds it. */
static void temporary_name(const struct seat *seat, char *name, size_t bytes)
{
    const struct options *o = seat->run->options;
    char final[PATH_MAX];
    const char *slash;

    output_name(seat->run, seat->job, final, sizeof final);
    slash = strrchr(final, '/');
    if (o->resume)
        snprintf(name, bytes, "%.*s.part", (int)sizeof final - 8, final);
    else
        snprintf(name, bytes, "%.*s/.strait-fetch.%d.%u", slash ? (int)(slash - final) : 1, slash ? final : ".",
                 (int)getpid(), seat->job->number);
}

/* ---- what is there already ---- */

static size_t add_date(char *text, size_t bytes, const char *name, time_t when)
{
    struct tm tm;
    char date[64];
    int n;

    gmtime_r(&when, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    n = snprintf(text, bytes, "%s: %s\n", name, date);
    return n > 0 && (size_t)n < bytes ? (size_t)n : 0;
}

/* Header fields that ask for what is new only. The date of a file that we have written is the server's. */
static void ask_for_news(struct seat *seat, struct strait_fetch_ask *ask, char *fields, size_t bytes)
{
    const struct options *o = seat->run->options;
    char name[PATH_MAX + 8];
    struct stat st;

    output_name(seat->run, seat->job, name, sizeof name);
    if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) {
        add_date(fields, bytes, "If-Modified-Since", st.st_mtime);
        return;
    }
    temporary_name(seat, name, sizeof name);
    if (!o->resume || stat(name, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 || st.st_mtime == 0)
        return;
    seat->from = ask->from = (uint64_t)st.st_size;
    add_date(fields, bytes, "If-Range", st.st_mtime);
}

void output_ask(struct seat *seat, struct strait_fetch_ask *ask, char *text, size_t bytes)
{
    const struct options *o = seat->run->options;
    size_t n;

    if (o->newer || o->resume || o->heads)
        ask->flags |= STRAIT_FETCH_FIELDS;
    if (!has_output(o))
        return;
    if (!is_stdout(o) && !o->through_slots && !is_range(o)) {
        temporary_name(seat, text, bytes);
        ask->file = text;
        n = strlen(text) + 1;
        text += n;
        bytes -= n;
        seat->temporary = true;
    }
    if (is_stdout(o) || (!o->newer && !o->resume))
        return;
    n = (size_t)snprintf(text, bytes, "%s", ask->fields ? ask->fields : "");
    if (n < bytes)
        ask_for_news(seat, ask, text + n, bytes - n);
    ask->fields = text;
}

/* ---- bodies that come to us ---- */

static int open_temporary(struct seat *seat)
{
    char name[PATH_MAX + 8];

    temporary_name(seat, name, sizeof name);
    seat->fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    seat->temporary = seat->fd >= 0;
    return seat->fd < 0 ? -errno : 0;
}

/* "last-modified: …" as seconds, 0 if there is none. */
static int64_t read_modified(const char *fields)
{
    static const char name[] = "last-modified: ";
    struct tm tm = {0};

    for (; fields && *fields; fields += strcspn(fields, "\n"), fields += *fields == '\n')
        if (strncasecmp(fields, name, sizeof name - 1) == 0)
            return strptime(fields + sizeof name - 1, "%a, %d %b %Y %H:%M:%S GMT", &tm) ? timegm(&tm) : 0;
    return 0;
}

int output_begin(struct seat *seat, const struct strait_fetch_head *head, const char *fields)
{
    seat->modified = read_modified(fields);
    seat->unchanged = head->status == 304;
    if (is_range(seat->run->options))
        return head->offset != seat->run->options->ask.from ? -ERANGE : seat->wrote ? -ESPIPE : 0;
    if (seat->fd < 0)
        return 0;
    if (seat->fd == STDOUT_FILENO) /* what is out is out */
        return seat->job->bytes || seat->wrote ? -ESPIPE : 0;
    return ftruncate(seat->fd, (off_t)head->offset) < 0 || lseek(seat->fd, (off_t)head->offset, SEEK_SET) < 0 ? -errno
                                                                                                              : 0;
}

int output_write(struct seat *seat, const char *data, uint32_t bytes)
{
    const struct options *o = seat->run->options;
    int error = 0;

    if (!has_output(o) || seat->unchanged)
        return 0;
    if (is_stdout(o))
        seat->fd = STDOUT_FILENO;
    else if (seat->fd < 0)
        error = open_temporary(seat);
    seat->wrote = seat->wrote || bytes;
    while (error == 0 && bytes) {
        ssize_t n = write(seat->fd, data, bytes);
        if (n < 0 && errno != EINTR)
            error = -errno;
        if (n > 0) {
            data += n;
            bytes -= (uint32_t)n;
        }
    }
    return error;
}

/* ---- ends ---- */

static void close_output(struct seat *seat)
{
    if (seat->fd > STDOUT_FILENO)
        close(seat->fd);
    seat->fd = -1;
}

static void set_date(const struct seat *seat, const char *name)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)seat->modified}};

    utimensat(AT_FDCWD, name, times, 0);
}

int output_finish(struct seat *seat)
{
    const struct options *o = seat->run->options;
    char from[PATH_MAX + 8], to[PATH_MAX];
    int error = 0;

    if (!has_output(o) || is_stdout(o) || seat->unchanged)
        return 0;
    if (!seat->temporary)
        error = output_write(seat, NULL, 0); /* an empty body is a file, too */
    close_output(seat);
    if (error)
        return error;
    temporary_name(seat, from, sizeof from);
    output_name(seat->run, seat->job, to, sizeof to);
    if ((o->newer || o->resume) && seat->modified)
        set_date(seat, from);
    if (rename(from, to) < 0)
        return -errno;
    seat->temporary = false;
    return 0;
}

/* With -C what there is stays, dated so that the next run can tell whether it still fits. */
void output_drop(struct seat *seat, uint32_t kind)
{
    char name[PATH_MAX + 8];
    bool keep = seat->run->options->resume && seat->modified && kind != STRAIT_FETCH_CHECKSUM;

    close_output(seat);
    if (!seat->temporary)
        return;
    seat->temporary = false;
    temporary_name(seat, name, sizeof name);
    if (keep)
        set_date(seat, name);
    else if (!seat->from || kind == STRAIT_FETCH_CHECKSUM)
        unlink(name);
}
