/* SPDX-License-Identifier: MIT */
/* file://: open, look what it is, read. */
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "landing.h"
#include "statx.h"

void strait_fetch_file_end(struct strait_transfer *t)
{
    if (t->fd >= 0)
        close(t->fd); /* opened for reading: nothing to flush, nothing to wait for */
    t->fd = -1;
}

static void read_more(struct strait_transfer *t);

static void finish(struct strait_transfer *t)
{
    if (t->head.length != STRAIT_FETCH_LENGTH_UNKNOWN && t->body_bytes < t->head.length)
        strait_transfer_fail(t, STRAIT_FETCH_FILE, -EIO, "the file became shorter while it was read");
    else
        strait_transfer_succeed(t);
}

static void read_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res < 0) {
        strait_transfer_broke(t, STRAIT_FETCH_FILE, res, "reading the file");
        return;
    }
    if (res == 0) {
        finish(t);
        return;
    }
    if (t->bounce)
        strait_payload_write(strait_transfer_at(t), t->bounce, (size_t)res);
    if (strait_transfer_got(t, (uint32_t)res))
        strait_transfer_more(t, read_more);
}

static void read_more(struct strait_transfer *t)
{
    uint64_t left = t->head.length - t->body_bytes; /* as announced: a file that grows is cut there */
    uint32_t bytes = strait_transfer_space(t);

    if (left == 0) {
        finish(t);
        return;
    }
    if (bytes > left)
        bytes = (uint32_t)left;
    t->op.done = read_done;
    strait_transfer_stuck(t,
                          strait_op_read(t->worker->loop, &t->op, t->fd, t->bounce ? t->bounce : strait_transfer_at(t),
                                         bytes, t->head.offset + t->body_bytes, t->deadline_ns));
}

static const char *odd_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

/* How much of it is wanted. False: the transfer has failed. */
static bool measure(struct strait_transfer *t, uint64_t size)
{
    const struct strait_fetch_request *r = &t->request;

    if (r->from > size) {
        strait_transfer_fail(t, STRAIT_FETCH_FILE, -ERANGE, "file has %llu bytes, the range begins at %llu",
                             (unsigned long long)size, (unsigned long long)r->from);
        return false;
    }
    t->head.offset = r->from;
    if (size) /* files of /proc say 0 and have content */
        t->head.length = r->bytes && r->bytes < size - r->from ? r->bytes : size - r->from;
    if (r->flags & STRAIT_FETCH_HEAD)
        t->head.length = 0;
    if (r->max_bytes && size && t->head.length > r->max_bytes) {
        strait_transfer_fail(t, STRAIT_FETCH_TOO_LARGE, -EFBIG, "file has %llu bytes, the limit is %llu",
                             (unsigned long long)t->head.length, (unsigned long long)r->max_bytes);
        return false;
    }
    return strait_transfer_head(t);
}

static void stat_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;
    struct statx *st = t->scratch;
    int flags;

    if (res < 0) {
        strait_transfer_broke(t, STRAIT_FETCH_FILE, res, "looking at the file");
        return;
    }
    if (!S_ISREG(st->stx_mode)) {
        strait_transfer_fail(t, STRAIT_FETCH_FILE, S_ISDIR(st->stx_mode) ? -EISDIR : -EINVAL,
                             "is %s, not a regular file", odd_kind(st->stx_mode));
        return;
    }
    if (!measure(t, st->stx_size))
        return;
    /* O_NONBLOCK was for FIFOs; on some file systems it makes a read of what is not cached fail with -EAGAIN. */
    flags = fcntl(t->fd, F_GETFL);
    fcntl(t->fd, F_SETFL, flags & ~O_NONBLOCK);
    if (!t->sink && !strait_landing_safe(t->fd)) {
        t->bounce = malloc(strait_answer_size(&t->answer));
        if (!t->bounce) {
            strait_transfer_broke(t, STRAIT_FETCH_LOCAL, -ENOMEM, "reading the file");
            return;
        }
    }
    strait_transfer_room(t, read_more);
}

static void open_done(struct strait_op *op, int res)
{
    struct strait_transfer *t = (struct strait_transfer *)op;

    if (res == -ENXIO || res == -ENODEV)
        strait_transfer_fail(t, STRAIT_FETCH_FILE, res, "is a socket or a device, not a regular file");
    else if (res < 0)
        strait_transfer_broke(t, STRAIT_FETCH_FILE, res, "opening the file");
    if (res < 0)
        return;
    t->fd = res;
    t->op.done = stat_done;
    strait_transfer_stuck(t, strait_op_stat(t->worker->loop, &t->op, t->fd, t->scratch, t->deadline_ns));
}

void strait_fetch_file(struct strait_transfer *t)
{
    const char *why = NULL;
    int error;

    _Static_assert(PATH_MAX >= sizeof(struct statx), "scratch holds the path, then what statx says");
    t->scratch = malloc(PATH_MAX);
    if (!t->scratch) {
        strait_transfer_broke(t, STRAIT_FETCH_LOCAL, -ENOMEM, "opening the file");
        return;
    }
    error = strait_url_path(&t->url, t->scratch, PATH_MAX, &why);
    if (error) {
        strait_transfer_fail(t, STRAIT_FETCH_URL, error, "%s", why);
        return;
    }
    t->op.done = open_done;
    strait_transfer_stuck(t, strait_op_open(t->worker->loop, &t->op, AT_FDCWD, t->scratch,
                                            O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, t->deadline_ns));
}
