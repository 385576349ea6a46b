/* SPDX-License-Identifier: MIT */
/* nng: push0 → pull0 over ipc://, with its own defaults. No fan-out: a push deals messages out in turn. */
#include "absent.h"

#define PLAYS (BENCH_SLEEPS | BENCH_MANY | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_FANIN | BENCH_WAKE | BENCH_IDLE)

#ifndef BENCH_HAVE_NNG
BENCH_ABSENT_PEER(nng, "nng", PLAYS, "libnng-dev");
#else

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../ends.h"
#include "../payload.h"

struct nng_end {
    nng_socket socket;
    unsigned char *buffer;
    size_t room;
};

static void died(const char *what, int error)
{
    fprintf(stderr, "strait-bench: %s: %s\n", what, nng_strerror(error));
    _exit(3);
}

BENCH_INLINE void *push_pull_claim(struct nng_end *e, size_t bytes)
{
    (void)bytes;
    return e->buffer;
}

BENCH_INLINE void push_pull_commit(struct nng_end *e, size_t bytes)
{
    int r = nng_send(e->socket, e->buffer, bytes, 0);
    if (r)
        died("nng_send", r);
}

BENCH_INLINE void push_pull_flush(struct nng_end *e)
{
    (void)e;
}

BENCH_INLINE const void *push_pull_peek(struct nng_end *e, size_t bytes)
{
    size_t got = bytes;
    int r = nng_recv(e->socket, e->buffer, &got, 0);
    if (r || got != bytes)
        died("nng_recv", r);
    return e->buffer;
}

BENCH_INLINE void push_pull_release(struct nng_end *e)
{
    (void)e;
}

#define PEER(verb) push_pull_##verb
#define PEER_END   struct nng_end
#include "../pieces.h"

static void name_of(char *to, size_t room, const struct bench_run *run, int channel, int harness)
{
    snprintf(to, room, "ipc:///tmp/strait-bench-%d-%s-%d", harness, run->scenario->name, channel);
}

/* Who is alone listens; who is many dials, in the background until the listener is there. */
static struct nng_end *open_end(const struct bench_run *run, int channel, bool sends)
{
    char name[96];
    struct nng_end *e = calloc(1, sizeof *e);
    bool listens = sends ? run->shape.consumers > 1 : run->shape.consumers == 1;
    if (!e || !(e->buffer = aligned_alloc(BENCH_LINE, (run->shape.bytes + 63) / 64 * 64)))
        return NULL;
    name_of(name, sizeof name, run, channel, getppid());
    int r = sends ? nng_push0_open(&e->socket) : nng_pull0_open(&e->socket);
    if (r == 0)
        r = listens ? nng_listen(e->socket, name, NULL, 0) : nng_dial(e->socket, name, NULL, NNG_FLAG_NONBLOCK);
    if (r)
        died(name, r);
    return e;
}

static int enter(struct bench_worker *w)
{
    if (w->tx_channel >= 0 && !(w->tx = open_end(w->run, w->tx_channel, true)))
        return -ENOMEM;
    if (w->rx_channel >= 0 && !(w->rx = open_end(w->run, w->rx_channel, false)))
        return -ENOMEM;
    return 0;
}

static int setup(struct bench_run *run)
{
    run->depth = 1; /* nng's own: no queue but what the socket holds */
    return 0;
}

static void teardown(struct bench_run *run)
{
    for (unsigned i = 0; i < run->shape.channels; i++) {
        char name[96];
        name_of(name, sizeof name, run, (int)i, getpid());
        unlink(name + sizeof "ipc://" - 1);
    }
}

/* clang-format off */
const struct bench_peer bench_peer_nng = {
    .name = "nng",
    .what = "push and pull over ipc",
    .flags = PLAYS,
    .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
#endif
