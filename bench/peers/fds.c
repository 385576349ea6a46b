/* SPDX-License-Identifier: MIT */
/* What the kernel offers with read and write: pipes, Unix stream sockets, Unix sequenced-packet sockets. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

#define PIPE_MOST (1 << 20) /* what an ordinary user may ask for */

struct fds {
    int in[8], out[8]; /* of each channel */
};

struct fds_end {
    int in, out;
    unsigned char *buffer;
};

static void died(const char *what)
{
    fprintf(stderr, "strait-bench: %s: %m\n", what);
    _exit(3);
}

BENCH_INLINE void *fds_claim(struct fds_end *e, size_t bytes)
{
    (void)bytes;
    return e->buffer;
}

BENCH_INLINE void fds_commit(struct fds_end *e, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = write(e->in, e->buffer + done, bytes - done);
        if (n <= 0)
            died("write");
        done += (size_t)n;
    }
}

BENCH_INLINE void fds_flush(struct fds_end *e)
{
    (void)e;
}

BENCH_INLINE const void *fds_peek(struct fds_end *e, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = read(e->out, e->buffer + done, bytes - done);
        if (n <= 0)
            died("read");
        done += (size_t)n;
    }
    return e->buffer;
}

BENCH_INLINE void fds_release(struct fds_end *e)
{
    (void)e;
}

#define PEER(verb) fds_##verb
#define PEER_END   struct fds_end
#include "../pieces.h"

enum fds_kind { PIPE, STREAM, SEQPACKET };

static int open_pair(enum fds_kind kind, size_t bytes, int fd[2])
{
    if (kind == PIPE) {
        int pair[2];
        if (pipe2(pair, O_CLOEXEC))
            return -errno;
        if (bytes > 4096)
            fcntl(pair[1], F_SETPIPE_SZ, PIPE_MOST); /* refused: it stays at 64 KiB */
        fd[0] = pair[1];
        fd[1] = pair[0];
        return 0;
    }
    if (socketpair(AF_UNIX, (kind == STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, fd))
        return -errno;
    int room = (int)(bytes < 65536 ? 0 : bytes * 2); /* a packet must fit; else as the system has it */
    if (room)
        setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    return 0;
}

/* What the kernel may hold in one channel. */
static size_t state_of(enum fds_kind kind, int in)
{
    if (kind == PIPE)
        return (size_t)fcntl(in, F_GETPIPE_SZ);
    int room = 0;
    socklen_t bytes = sizeof room;
    getsockopt(in, SOL_SOCKET, SO_SNDBUF, &room, &bytes);
    return (size_t)room;
}

static int setup(struct bench_run *run)
{
    enum fds_kind kind = *(const enum fds_kind *)run->peer->own;
    struct fds *fds = calloc(1, sizeof *fds);
    if (!fds)
        return -ENOMEM;
    run->own = fds;
    memset(fds, -1, sizeof *fds);
    for (unsigned i = 0; i < run->shape.channels; i++) {
        int pair[2], r = open_pair(kind, run->shape.bytes, pair);
        if (r < 0)
            return bench_why(run, r, "not run: %s", strerror(-r));
        fds->in[i] = pair[0];
        fds->out[i] = pair[1];
    }
    run->state_bytes = state_of(kind, fds->in[0]);
    run->depth = (unsigned)(run->state_bytes / run->shape.bytes);
    return 0;
}

static void teardown(struct bench_run *run)
{
    struct fds *fds = run->own;
    for (unsigned i = 0; fds && i < run->shape.channels; i++) {
        if (fds->in[i] >= 0)
            close(fds->in[i]);
        if (fds->out[i] >= 0)
            close(fds->out[i]);
    }
    free(fds);
    run->own = NULL;
}

static struct fds_end *open_end(const struct bench_run *run, int channel)
{
    const struct fds *fds = run->own;
    struct fds_end *e = calloc(1, sizeof *e);
    if (!e || !(e->buffer = aligned_alloc(BENCH_LINE, (run->shape.bytes + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE)))
        return NULL;
    e->in = fds->in[channel];
    e->out = fds->out[channel];
    return e;
}

BENCH_DEFINE_ENTER(open_end)

static const enum fds_kind pipe_kind = PIPE, stream_kind = STREAM, seqpacket_kind = SEQPACKET;
#define PLAYS                                                                                                          \
    (BENCH_SLEEPS | BENCH_MANY | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_FANIN | BENCH_FANOUT | BENCH_WAKE |            \
     BENCH_IDLE | BENCH_LARGE)

/* clang-format off */
const struct bench_peer bench_peer_pipe = {
    .name = "pipe",
    .what = "write and read on a pipe",
    .flags = PLAYS,
    .own = &pipe_kind,
    .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};

const struct bench_peer bench_peer_unix_stream = {
    .name = "unix-stream",
    .what = "a pair of Unix stream sockets",
    .flags = PLAYS,
    .own = &stream_kind,
    .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};

const struct bench_peer bench_peer_unix_seqpacket = {
    .name = "unix-seqpacket",
    .what = "a pair of Unix sockets that keep message boundaries",
    .flags = PLAYS & ~(unsigned)BENCH_LARGE,
    .own = &seqpacket_kind,
    .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
