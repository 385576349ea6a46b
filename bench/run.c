/* SPDX-License-Identifier: MIT */
/*
 * One case: every competitor is set up, then their pieces alternate, round by round, until each of them has enough
 * pieces taken at the same distance. What is compared was measured in the same minute at the same distance.
 */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "worker.h"

#define QUICK_ROUNDS 15
#define FULL_ROUNDS  60
#define LEAST_ROUNDS 3
#define QUICK_NS     (UINT64_C(10) * 1000 * 1000 * 1000) /* of one case, with --quick: then it makes do with LEAST_ROUNDS */
#define PATIENCE     3                                   /* times the rounds, to get half of them at one distance */
#define TIME_ALL_NS  2000 /* an operation this slow does not notice two looks at the clock */

size_t bench_stride(size_t bytes)
{
    size_t stride = (bytes + 16 + 15) / 16 * 16;
    return stride < BENCH_LINE ? stride : (stride + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE;
}

unsigned bench_depth(size_t bytes)
{
    unsigned depth = 16;
    while (depth * 2 * bench_stride(bytes) <= 16384)
        depth *= 2;
    return depth;
}

/* So many messages to a look at the clock that the look costs nothing, and so few that a piece ends in time. */
static unsigned block_of(size_t bytes, const struct bench_scenario *scenario)
{
    if (scenario->latency)
        return 64;
    size_t block = (256u * 4096) / (bytes < 4096 ? 4096 : bytes);
    return block < 4 ? 4 : (unsigned)block;
}

/* ---- who takes part ---- */

static bool takes_part(const struct bench_options *o, const struct bench_scenario *scenario,
                       const struct bench_case *setting, const struct bench_peer *peer)
{
    return (peer->flags & scenario->takes) && (peer->flags & setting->only) == setting->only &&
           bench_options_wants(o, peer);
}

static struct bench_run *run_new(const struct bench_scenario *scenario, const struct bench_case *setting,
                                 const struct bench_peer *peer)
{
    struct bench_run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->peer = peer;
    run->scenario = scenario;
    run->setting = setting;
    run->shape = (struct bench_shape){.bytes = setting->bytes,
                                      .depth = setting->depth ? setting->depth : bench_depth(setting->bytes),
                                      .producers = scenario->producers,
                                      .consumers = scenario->consumers,
                                      .channels = scenario->channels ? scenario->channels : 1};
    run->depth = run->shape.depth;
    run->block = block_of(setting->bytes, scenario);
    if (peer->absent) {
        run->outcome = BENCH_ABSENT;
        bench_why(run, 0, "absent: %s was not installed at build time", peer->absent);
    } else if (peer->most_bytes && setting->bytes > peer->most_bytes) {
        run->outcome = BENCH_NOT_RUN;
        bench_why(run, 0, "not run: takes %zu B at most", peer->most_bytes);
    }
    return run;
}

/* ---- pieces ---- */

static double middle(const uint32_t *ticks, unsigned n)
{
    double v[BENCH_SAMPLES];
    for (unsigned i = 0; i < n; i++)
        v[i] = bench_to_ns(ticks[i]);
    return bench_median(v, n);
}

/* For latency scenarios: the median block, which no look at the clock has slowed down; else the median operation. */
static double latency_value(const struct bench_run *run)
{
    const struct bench_report *r = &run->control->reports[0];
    if (r->blocks_n >= 3 || (r->blocks_n && !r->samples_n))
        return middle(r->blocks, r->blocks_n) / run->block;
    return r->samples_n ? middle(r->samples, r->samples_n) - bench_look_ns : 0.0;
}

static void keep_samples(struct bench_run *run, enum bench_place place)
{
    for (unsigned i = 0; i < run->workers; i++) {
        const struct bench_report *r = &run->control->reports[i];
        for (unsigned k = 0; k < r->samples_n; k++)
            bench_histogram_add(&run->latency[place], bench_to_ns(r->samples[k]) - bench_look_ns);
    }
}

static bool payload_wrong(struct bench_run *run)
{
    uint64_t sent = 0, received = 0;
    for (unsigned i = 0; i < run->workers; i++) {
        const struct bench_report *r = &run->control->reports[i];
        bool receives = i >= run->shape.producers || (run->shape.producers > 1 && i == 0);
        if (run->shape.producers > 1)
            receives = i == 0;
        *(receives ? &received : &sent) += r->messages;
        if (r->bad) {
            bench_why(run, 0, "WRONG PAYLOAD in process %u", i);
            return true;
        }
    }
    if (sent == received || run->peer->flags & BENCH_UNTOUCHED)
        return false;
    bench_why(run, 0, "LOST: %lu messages sent, %lu received", (unsigned long)sent, (unsigned long)received);
    return true;
}

/* Two processes that spin use two CPUs whole. If they did not, somebody else ran here meanwhile. */
#define UNDISTURBED 1.9

static bool disturbed(const struct bench_run *run, double cpu)
{
    return !run->scenario->crowded && !(run->peer->flags & (BENCH_SLEEPS | BENCH_UNTOUCHED)) && cpu < UNDISTURBED;
}

static void keep_piece(struct bench_run *run)
{
    const struct bench_report *r = run->control->reports;
    struct bench_piece *p = &run->pieces[run->pieces_n];
    uint64_t start = UINT64_MAX, end = 0, cpu_ns = 0;
    for (unsigned i = 0; i < run->workers; i++) {
        start = r[i].start < start ? r[i].start : start;
        end = r[i].end > end ? r[i].end : end;
        cpu_ns += r[i].cpu_ns;
    }
    double wall = bench_to_ns(end - start);
    p->place = bench_probe_place(r[0].line_before, r[0].line_after);
    p->line = (r[0].line_before + r[0].line_after) / 2;
    p->value = run->scenario->value ? run->scenario->value(run) : latency_value(run);
    if (p->value <= 0) /* too slow to end a single block in time: another round will do */
        return;
    p->cpu = (double)cpu_ns / wall;
    if (disturbed(run, p->cpu))
        p->place = BENCH_MIXED;
    p->cpu_rx = (double)r[run->workers - 1].cpu_ns / wall;
    keep_samples(run, p->place);
    run->pieces_n++;
}

/* The first piece only warms caches and predictors, and tells how slow an operation is. */
static void one_piece(struct bench_run *run, bool warm_up)
{
    if (run->outcome != BENCH_FINE || run->pieces_n == BENCH_PIECES)
        return;
    if (bench_workers_piece(run) < 0 || payload_wrong(run)) {
        run->outcome = BENCH_BROKEN;
        bench_workers_stop(run);
        return;
    }
    if (!warm_up)
        keep_piece(run);
    else if (run->scenario->latency)
        run->time_all = latency_value(run) > TIME_ALL_NS;
}

/* ---- where ---- */

static unsigned pieces_in(const struct bench_run *run, enum bench_place place)
{
    unsigned n = 0;
    for (unsigned i = 0; i < run->pieces_n; i++)
        n += run->pieces[i].place == place;
    return n;
}

/* The distance at which the worst served competitor has the most pieces; near when in doubt. */
static enum bench_place best_place(struct bench_run **runs, unsigned n, unsigned *least)
{
    enum bench_place best = BENCH_NEAR;
    unsigned best_n = 0, best_all = 0;
    static const enum bench_place order[] = {BENCH_NEAR, BENCH_FAR, BENCH_CORE, BENCH_MIXED};
    for (unsigned k = 0; k < BENCH_PLACES; k++) {
        unsigned min = UINT32_MAX, all = 0;
        for (unsigned i = 0; i < n; i++) {
            if (runs[i]->outcome != BENCH_FINE)
                continue;
            unsigned has = pieces_in(runs[i], order[k]);
            min = has < min ? has : min;
            all += has;
        }
        if (min != UINT32_MAX && (min > best_n || (best_n == 0 && all > best_all))) {
            best = order[k];
            best_n = min;
            best_all = all;
        }
    }
    *least = best_n;
    return best;
}

static void alternate(struct bench_run **runs, unsigned n, unsigned rounds, uint64_t give_up_ns)
{
    for (unsigned i = 0; i < n && !bench_interrupted; i++)
        one_piece(runs[i], true);
    for (unsigned round = 0; round < rounds * PATIENCE && !bench_interrupted; round++) {
        unsigned least;
        best_place(runs, n, &least);
        bool enough = round >= rounds && least >= (rounds + 1) / 2;
        if (enough || (round >= LEAST_ROUNDS && bench_now_ns() > give_up_ns))
            break;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r  %s: round %u of %u \r", runs[0]->scenario->name, round + 1, rounds);
        for (unsigned i = 0; i < n && !bench_interrupted; i++)
            one_piece(runs[(i + round) % n], false);
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%60s\r", "");
}

/* ---- rows ---- */

/* Where no distance has pieces of everybody the row is of all its pieces, and says "mixed". */
static void row_values(struct bench_row *row, const struct bench_run *run, enum bench_place place)
{
    double value[BENCH_PIECES], line[BENCH_PIECES], cpu[BENCH_PIECES], cpu_rx[BENCH_PIECES];
    struct bench_histogram all = run->latency[place];
    unsigned n = 0;
    for (int i = 0; place == BENCH_MIXED && i < BENCH_MIXED; i++)
        bench_histogram_join(&all, &run->latency[i]);
    for (unsigned i = 0; i < run->pieces_n; i++) {
        const struct bench_piece *p = &run->pieces[i];
        if (p->place != place && place != BENCH_MIXED)
            continue;
        bool worse = row->better == BENCH_HIGHER ? p->value < row->worst : p->value > row->worst;
        row->worst = n == 0 || worse ? p->value : row->worst;
        value[n] = p->value;
        line[n] = p->line;
        cpu[n] = p->cpu;
        cpu_rx[n++] = p->cpu_rx;
    }
    row->pieces = n;
    row->value = bench_median(value, n);
    row->spread = bench_half_spread(value, n);
    row->line = bench_median(line, n);
    row->cpu = bench_median(cpu, n);
    row->cpu_rx = bench_median(cpu_rx, n);
    for (unsigned i = 0; i < BENCH_SHARES; i++)
        row->latency[i] = bench_histogram_at(&all, bench_shares[i]);
}

static void add_row(struct bench_results *results, const struct bench_run *run, enum bench_place place)
{
    struct bench_row *row = bench_results_add(results);
    snprintf(row->scenario, sizeof row->scenario, "%s", run->scenario->name);
    snprintf(row->name, sizeof row->name, "%s", run->peer->name);
    snprintf(row->unit, sizeof row->unit, "%s", run->scenario->unit);
    snprintf(row->why, sizeof row->why, "%s", run->why);
    snprintf(row->setting, sizeof row->setting, "%s", run->scenario->setting ? run->scenario->setting : "");
    snprintf(row->note, sizeof row->note, "%s", run->note);
    row->better = run->scenario->better;
    row->has_latency = run->scenario->latency;
    row->flags = run->peer->flags;
    row->bytes = run->shape.bytes;
    row->case_depth = run->shape.depth;
    row->depth = run->depth;
    row->state_bytes = run->state_bytes;
    row->outcome = run->outcome;
    row->place = place;
    row->pieces_all = run->pieces_n;
    if (run->outcome != BENCH_FINE)
        return;
    row_values(row, run, place);
    if (row->pieces == 0) {
        row->outcome = BENCH_NOT_RUN;
        snprintf(row->why, sizeof row->why, "no piece at this distance (%s); more --rounds may help",
                 bench_place_name(place));
    }
}

static void measure_pieces(struct bench_run **runs, unsigned n, unsigned rounds, bool quick)
{
    for (unsigned i = 0; i < n; i++) {
        if (runs[i]->outcome == BENCH_FINE && bench_workers_start(runs[i]) < 0)
            runs[i]->outcome = BENCH_NOT_RUN;
    }
    alternate(runs, n, rounds, quick ? bench_now_ns() + QUICK_NS : UINT64_MAX);
    for (unsigned i = 0; i < n; i++) {
        if (runs[i]->workers)
            bench_workers_stop(runs[i]);
    }
}

static unsigned rounds_of(const struct bench_options *o, const struct bench_case *setting)
{
    if (o->rounds)
        return o->rounds;
    if (o->quick)
        return setting->quick_pieces ? setting->quick_pieces : QUICK_ROUNDS;
    return setting->full_pieces ? setting->full_pieces : FULL_ROUNDS;
}

int bench_case_run(const struct bench_options *o, const struct bench_scenario *scenario,
                   const struct bench_case *setting, struct bench_results *results)
{
    struct bench_run *runs[64];
    unsigned n = 0, least;
    const struct bench_peer *const *peers = scenario->peers ? scenario->peers : bench_peers;
    for (; *peers && n < 64; peers++) {
        if (!takes_part(o, scenario, setting, *peers))
            continue;
        runs[n] = run_new(scenario, setting, *peers);
        if (!runs[n++])
            return -ENOMEM;
    }
    if (n == 0 || bench_interrupted)
        return bench_interrupted ? -EINTR : 0;
    if (scenario->measure)
        scenario->measure(runs, n, o->quick);
    else
        measure_pieces(runs, n, rounds_of(o, setting), o->quick);
    enum bench_place place = best_place(runs, n, &least);
    for (unsigned i = 0; i < n; i++) {
        if (!bench_interrupted)
            add_row(results, runs[i], place);
        free(runs[i]);
    }
    return bench_interrupted ? -EINTR : 0;
}
