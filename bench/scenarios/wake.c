/* SPDX-License-Identifier: MIT */
/*
 * From the send to the moment a sleeping receiver has its message. The receiver is truly asleep: the sender asks
 * /proc for its state before every message, and lets it rest a little longer.
 */
#include "../asleep.h"
#include "../bench.h"
#include "../clock.h"
#include "../payload.h"
#include "../worker.h"

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? tx_channel : rx_channel) = 0;
}

/* Messages carry the tick of their sending; a stop ends the piece. The sleeper's `messages` tells what it has had. */
static void waker(struct bench_worker *w)
{
    const struct bench_report *sleeper = &w->run->control->reports[1];
    bool sleeps = w->run->peer->flags & BENCH_SLEEPS;
    int stat = bench_asleep_open((pid_t)sleeper->pid);
    uint64_t sent = 0, end = bench_ticks() + w->piece_ticks;
    for (bool last = false; !last;) {
        last = bench_ticks() >= end;
        while (__atomic_load_n(&sleeper->messages, __ATOMIC_ACQUIRE) != sent)
            ;
        while (sleeps && !bench_asleep(stat))
            ;
        bench_rest(BENCH_REST_NS);
        sent++;
        w->run->peer->send_one(w, last ? BENCH_STOP : bench_ticks());
    }
    close(stat);
    w->out->messages = sent;
}

static void sleeper(struct bench_worker *w)
{
    struct bench_report *out = w->out;
    for (uint64_t received = 1;; received++) {
        uint64_t first = w->run->peer->recv_one(w), took = bench_ticks() - first;
        if (first == BENCH_STOP) {
            out->messages = received;
            return;
        }
        if (out->samples_n < BENCH_SAMPLES)
            out->samples[out->samples_n++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
        __atomic_store_n(&out->messages, received, __ATOMIC_RELEASE);
    }
}

static void piece(struct bench_worker *w)
{
    if (w->role == 0)
        waker(w);
    else
        sleeper(w);
}

static double median_us(const struct bench_run *run)
{
    const struct bench_report *r = &run->control->reports[1];
    double v[BENCH_SAMPLES];
    for (unsigned i = 0; i < r->samples_n; i++)
        v[i] = bench_to_ns(r->samples[i]) / 1e3;
    return bench_median(v, r->samples_n);
}

static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_wake = {
    .name = "wake",
    .what = "from the send until a receiver that was truly asleep has the message",
    .unit = "us",
    .better = BENCH_LOWER,
    .takes = BENCH_WAKE,
    .floor = "futex",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .latency = true,
    .roles = roles,
    .piece = piece,
    .value = median_us,
};
