/* SPDX-License-Identifier: MIT */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL 32768
#define LARGE 262144 /* of 64 transfers at once: 16 MiB */

int strait_sink_create(struct strait_sink **sink)
{
    struct strait_sink *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->fd = -1;
    s->bytes = SMALL;
    s->buffer = malloc(SMALL);
    if (!s->buffer) {
        free(s);
        return -ENOMEM;
    }
    *sink = s;
    return 0;
}

int strait_sink_open(struct strait_sink *sink, const char *path, uint64_t from)
{
    struct stat st;

    /* O_NONBLOCK: a FIFO that nobody reads is refused, not waited for */
    if (sink->fd < 0)
        sink->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (sink->fd < 0 || fstat(sink->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < from)
        return -EINVAL;
    return ftruncate(sink->fd, (off_t)from) < 0 || lseek(sink->fd, (off_t)from, SEEK_SET) < 0 ? -errno : 0;
}

int strait_sink_read(const struct strait_sink *sink, void *to, uint32_t bytes, uint64_t offset)
{
    ssize_t n = pread(sink->fd, to, bytes, (off_t)offset);

    return n < 0 ? -errno : (int)n;
}

void strait_sink_close(struct strait_sink *sink)
{
    if (!sink)
        return;
    if (sink->fd >= 0)
        close(sink->fd);
    free(sink->buffer);
    free(sink);
}

void strait_sink_add(struct strait_sink *sink, uint32_t bytes)
{
    sink->filled += bytes;
}

int strait_sink_flush(struct strait_sink *sink)
{
    uint32_t at = 0;

    while (at < sink->filled) {
        ssize_t n = write(sink->fd, sink->buffer + at, sink->filled - at);
        if (n < 0 && errno != EINTR)
            return -errno;
        at += n > 0 ? (uint32_t)n : 0;
    }
    if (sink->filled == sink->bytes && sink->bytes < LARGE) { /* there is more than we take at once */
        char *more = realloc(sink->buffer, LARGE);
        if (more) {
            sink->buffer = more;
            sink->bytes = LARGE;
        }
    }
    sink->filled = 0;
    return 0;
}
