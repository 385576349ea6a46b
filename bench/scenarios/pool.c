/* SPDX-License-Identifier: MIT */
/* A pool's task executed and answered, against a bare message there and one back. */
#include "../bench.h"

extern const struct bench_peer bench_peer_strait, bench_peer_strait_sleeping, bench_peer_strait_pool;

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *tx_channel = (int)role;
    *rx_channel = 1 - (int)role;
}

static void piece(struct bench_worker *w)
{
    const struct bench_peer *peer = w->run->peer;
    if (w->role == 0)
        peer->ping(w);
    else if (peer->work)
        peer->work(w);
    else
        peer->pong(w);
}

static const struct bench_peer *const peers[] = {&bench_peer_strait, &bench_peer_strait_sleeping,
                                                 &bench_peer_strait_pool, NULL};
static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_pool = {
    .name = "pool",
    .what = "a task to a pool's worker and its answer back",
    .unit = "ns",
    .better = BENCH_LOWER,
    .takes = BENCH_ROUNDTRIP,
    .floor = "strait",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .channels = 2,
    .latency = true,
    .peers = peers,
    .roles = roles,
    .piece = piece,
};
