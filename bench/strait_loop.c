/* SPDX-License-Identifier: MIT */
/* Ours in a loop: the receiver waits with an op of a strait_loop, on the rung that STRAIT_BACKEND or the machine gives. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <unistd.h>

#include "bench.h"

struct loop_end {
    struct strait_loop *loop;
    struct strait_rx *rx;
    struct strait_await wait;
    int res;
    bool told;
    uint64_t words[6]; /* 48 bytes */
};

static void name_of(char name[STRAIT_NAME_BYTES], pid_t harness)
{
    snprintf(name, STRAIT_NAME_BYTES, "bench-%d-loop", harness);
}

static int setup(struct bench_run *run)
{
    struct strait_channel_options options = {
        .slot_bytes = 48, .senders = STRAIT_ONE, .receivers = STRAIT_ONE, .depth = run->shape.depth};
    struct strait_segment_options new_one = {.attach = STRAIT_CREATE_ONLY};
    struct strait_segment *segment;
    char name[STRAIT_NAME_BYTES];
    name_of(name, getpid());
    int r = strait_attach(name, &new_one, &segment);
    if (r < 0)
        return bench_why(run, r, "not run: strait_attach: %.100s", strait_error());
    r = strait_channel_create(segment, "c", &options);
    strait_detach(segment);
    return r < 0 ? bench_why(run, r, "not run: strait_channel_create: %.100s", strait_error()) : 0;
}

static void teardown(struct bench_run *run)
{
    char name[STRAIT_NAME_BYTES];
    (void)run;
    name_of(name, getpid());
    strait_segment_remove(name, NULL);
}

static void done(struct strait_op *op, int res)
{
    struct loop_end *e = (struct loop_end *)(void *)((char *)op - offsetof(struct loop_end, wait));
    e->res = res;
    e->told = true;
}

static int enter(struct bench_worker *w)
{
    struct strait_segment *segment;
    char name[STRAIT_NAME_BYTES];
    name_of(name, getppid());
    int r = strait_attach(name, NULL, &segment);
    if (r == 0 && w->tx_channel >= 0)
        r = strait_tx_open(segment, "c", NULL, (struct strait_tx **)&w->tx);
    if (r == 0 && w->rx_channel >= 0) {
        struct loop_end *e = calloc(1, sizeof *e);
        w->rx = e;
        e->wait.op.done = done;
        r = strait_rx_open(segment, "c", NULL, &e->rx);
        if (r == 0)
            r = strait_loop_create(&e->loop, 0);
    }
    return r;
}

static void send_one(struct bench_worker *w, uint64_t word)
{
    uint64_t words[6] = {word};
    int r = strait_send(w->tx, words, sizeof words, STRAIT_FOREVER);
    if (r != 0) {
        fprintf(stderr, "strait-bench: strait_send: %s\n", strait_strerror(r));
        _exit(3);
    }
}

static uint64_t recv_one(struct bench_worker *w)
{
    struct loop_end *e = w->rx;
    e->told = false;
    int r = strait_await_recv(e->loop, &e->wait, e->rx, e->words, sizeof e->words, NULL, STRAIT_FOREVER);
    while (r >= 0 && !e->told)
        r = strait_loop_step(e->loop, STRAIT_FOREVER);
    if (r < 0 || e->res != sizeof e->words) {
        fprintf(stderr, "strait-bench: strait_await_recv: %s\n", strait_strerror(r < 0 ? r : e->res));
        _exit(3);
    }
    return e->words[0];
}

const struct bench_peer bench_peer_strait_loop = {
    .name = "strait-loop",
    .what = "one/one, the receiver in a loop",
    .flags = BENCH_OURS | BENCH_SLEEPS | BENCH_WAKE,
    .most_bytes = 48,
    .setup = setup,
    .enter = enter,
    .teardown = teardown,
    .send_one = send_one,
    .recv_one = recv_one,
};
