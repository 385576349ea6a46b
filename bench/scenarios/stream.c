/* SPDX-License-Identifier: MIT */
/* One process sends as fast as it can, the other receives: small messages here, large ones in `large`. */
#include "../bench.h"
#include "../clock.h"
#include "../worker.h"

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? tx_channel : rx_channel) = 0;
}

static void piece(struct bench_worker *w)
{
    if (w->role == 0)
        w->run->peer->produce(w);
    else
        w->run->peer->consume(w);
}

/* From the first moment of the later starter to the moment the last message has been read. */
static double messages_per_ns(const struct bench_run *run)
{
    const struct bench_report *r = run->control->reports;
    uint64_t start = r[0].start > r[1].start ? r[0].start : r[1].start;
    uint64_t end = r[1].end > r[0].end ? r[1].end : r[0].end;
    return (double)r[0].messages / bench_to_ns(end - start);
}

static double millions(const struct bench_run *run)
{
    return messages_per_ns(run) * 1e3;
}

static double gigabytes(const struct bench_run *run)
{
    return messages_per_ns(run) * (double)run->shape.bytes;
}

static const struct bench_case small[] = {
    {.bytes = 8},
    {.bytes = 48},
    {.bytes = 48, .depth = 1024, .only = BENCH_MANY},
    {.bytes = 1024},
};

const struct bench_scenario bench_scenario_stream = {
    .name = "stream",
    .what = "one process sends, another receives, as fast as they can",
    .unit = "M msg/s",
    .better = BENCH_HIGHER,
    .takes = BENCH_STREAM,
    .floor = "write+read",
    .cases = small,
    .cases_n = sizeof small / sizeof small[0],
    .producers = 1,
    .consumers = 1,
    .roles = roles,
    .piece = piece,
    .value = millions,
};

static const struct bench_case large[] = {
    {.bytes = 64 << 10, .depth = 4},
    {.bytes = 1 << 20, .depth = 4},
    {.bytes = 4 << 20, .depth = 4},
};

const struct bench_scenario bench_scenario_large = {
    .name = "large",
    .what = "large messages, in place where the competitor can: written here, read there",
    .unit = "GB/s",
    .better = BENCH_HIGHER,
    .takes = BENCH_LARGE,
    .floor = "write+read",
    .cases = large,
    .cases_n = sizeof large / sizeof large[0],
    .producers = 1,
    .consumers = 1,
    .roles = roles,
    .piece = piece,
    .value = gigabytes,
};

/* What shards cost where there is one node. */
extern const struct bench_peer bench_peer_strait_many, bench_peer_strait_sharded, bench_peer_strait_by_key;
static const struct bench_peer *const shards[] = {&bench_peer_strait_many, &bench_peer_strait_sharded,
                                                  &bench_peer_strait_by_key, NULL};
static const struct bench_case one_line[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_numa_stream = {
    .name = "numa-stream",
    .what = "one process sends, another receives, a shard for each node",
    .unit = "M msg/s",
    .better = BENCH_HIGHER,
    .takes = BENCH_STREAM,
    .cases = one_line,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .peers = shards,
    .roles = roles,
    .piece = piece,
    .value = millions,
};
