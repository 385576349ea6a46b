/* SPDX-License-Identifier: MIT */
/*
 * Four to one and one to four, on two CPUs. Five processes do not fit them: they are left to the scheduler, as they
 * would be in the field, and a piece lasts 100 ms, so that the worst piece shows a convoy.
 */
#include "../bench.h"
#include "../clock.h"
#include "../worker.h"

#define CROWD    4
#define PIECE_NS (100 * 1000 * 1000)

/* Worker 0 is the one that is alone. */
static void fanin_roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? rx_channel : tx_channel) = 0;
}

static void fanin_piece(struct bench_worker *w)
{
    if (w->role == 0)
        w->run->peer->consume_many(w);
    else
        w->run->peer->produce_many(w);
}

static void fanout_roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? tx_channel : rx_channel) = 0;
}

static void fanout_piece(struct bench_worker *w)
{
    if (w->role == 0)
        w->run->peer->produce_many(w);
    else
        w->run->peer->consume_many(w);
}

/* The lone one's messages are everybody's. */
static double millions(const struct bench_run *run)
{
    const struct bench_report *r = run->control->reports;
    uint64_t start = UINT64_MAX, end = 0;
    for (unsigned i = 0; i < run->workers; i++) {
        start = r[i].start < start ? r[i].start : start;
        end = r[i].end > end ? r[i].end : end;
    }
    return (double)r[0].messages / bench_to_ns(end - start) * 1e3;
}

static const struct bench_case cases[] = {{.bytes = 64, .quick_pieces = 8, .full_pieces = 30}};

const struct bench_scenario bench_scenario_fanin = {
    .name = "fanin",
    .what = "4 producers, 1 consumer, on 2 CPUs",
    .unit = "M msg/s",
    .better = BENCH_HIGHER,
    .takes = BENCH_FANIN,
    .floor = "vyukov",
    .cases = cases,
    .cases_n = 1,
    .piece_ns = PIECE_NS,
    .producers = CROWD,
    .consumers = 1,
    .crowded = true,
    .roles = fanin_roles,
    .piece = fanin_piece,
    .value = millions,
};

const struct bench_scenario bench_scenario_fanout = {
    .name = "fanout",
    .what = "1 producer, 4 consumers, on 2 CPUs",
    .unit = "M msg/s",
    .better = BENCH_HIGHER,
    .takes = BENCH_FANOUT,
    .floor = "vyukov",
    .cases = cases,
    .cases_n = 1,
    .piece_ns = PIECE_NS,
    .producers = 1,
    .consumers = CROWD,
    .crowded = true,
    .roles = fanout_roles,
    .piece = fanout_piece,
    .value = millions,
};
