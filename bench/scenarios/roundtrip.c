/* SPDX-License-Identifier: MIT */
/* A message there and one back: two channels, two processes. */
#include "../bench.h"

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *tx_channel = (int)role;
    *rx_channel = 1 - (int)role;
}

static void piece(struct bench_worker *w)
{
    if (w->role == 0)
        w->run->peer->ping(w);
    else
        w->run->peer->pong(w);
}

static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_roundtrip = {
    .name = "roundtrip",
    .what = "a message there and one back",
    .unit = "ns",
    .better = BENCH_LOWER,
    .takes = BENCH_ROUNDTRIP,
    .floor = "mailbox",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .channels = 2,
    .latency = true,
    .roles = roles,
    .piece = piece,
};

/* What shards cost where there is one node. */
extern const struct bench_peer bench_peer_strait_many, bench_peer_strait_sharded, bench_peer_strait_by_key;
static const struct bench_peer *const shards[] = {&bench_peer_strait_many, &bench_peer_strait_sharded,
                                                  &bench_peer_strait_by_key, NULL};

const struct bench_scenario bench_scenario_numa = {
    .name = "numa",
    .what = "a message there and one back, a shard for each node",
    .unit = "ns",
    .better = BENCH_LOWER,
    .takes = BENCH_ROUNDTRIP,
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .channels = 2,
    .latency = true,
    .peers = shards,
    .roles = roles,
    .piece = piece,
};
