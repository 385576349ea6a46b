/* SPDX-License-Identifier: MIT */
/**
 * A body that goes to a file instead of into slots: received into a private buffer, which grows for those that are large,
 * and written from there by write(2), which is over when the process is.
 */
#ifndef STRAIT_SINK_H
#define STRAIT_SINK_H

#include <stdint.h>

struct strait_sink {
    int fd;
    char *buffer;
    uint32_t bytes, filled;
};

/* A buffer without a file. 0, -ENOMEM. */
int strait_sink_create(struct strait_sink **sink);
void strait_sink_close(struct strait_sink *sink); /* NULL is ignored */

/* Opens (or makes) the regular file `path` unless it is open, and cuts it to `from` bytes, to go on there. 0 or -errno;
 * -EINVAL no regular file, or shorter than that. Blocks as open(2) does. */
int strait_sink_open(struct strait_sink *sink, const char *path, uint64_t from);

/* `bytes` have been put at strait_sink_at. */
void strait_sink_add(struct strait_sink *sink, uint32_t bytes);

/* Writes what is there: 0 or -errno. */
int strait_sink_flush(struct strait_sink *sink);

/* Bytes of the file at `offset`, for who has to see those that are there already: how many (0: the end) or -errno. */
int strait_sink_read(const struct strait_sink *sink, void *to, uint32_t bytes, uint64_t offset);

static inline char *strait_sink_at(const struct strait_sink *sink)
{
    return sink->buffer + sink->filled;
}

static inline uint32_t strait_sink_space(const struct strait_sink *sink)
{
    return sink->bytes - sink->filled;
}

#endif
