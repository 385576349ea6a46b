/* SPDX-License-Identifier: MIT */
/* Three pictures: the latency distribution of each case, throughput by size, CPU against latency of the wait modes. */
#include "plot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "svg.h"

static void set_title(struct svg_chart *c, const struct bench_results *results, const char *what)
{
    snprintf(c->title, sizeof c->title, "%s (%.60s)", what, results->machine.cpu_model);
}

static struct svg_series *add_row(struct svg_chart *c, const struct bench_row *row)
{
    struct svg_series *s = svg_add(c, row->name);
    if (s) {
        s->ours = row->flags & BENCH_OURS;
        s->dashed = row->flags & BENCH_FLOOR;
    }
    return s;
}

static int write_into(struct svg_chart *c, const char *folder, const char *name)
{
    char path[4096];
    if (c->series_n == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s.svg", folder, name);
    int r = svg_write(c, path);
    if (r == 0)
        printf("drew %s\n", path);
    return r;
}

/* Share of operations that take longer, on a logarithmic axis: 1 (all) to 0.0001. */
static int plot_distribution(const struct bench_results *results, const struct bench_row *first, const char *folder)
{
    char what[96], bytes[BENCH_TEXT], name[96];
    struct svg_chart *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    snprintf(what, sizeof what, "%s, %s: how many take longer", first->scenario, bench_bytes_text(first->bytes, bytes));
    set_title(c, results, what);
    c->x = (struct svg_axis){.title = "nanoseconds", .log = true};
    c->y = (struct svg_axis){.title = "share of operations that take longer", .log = true};
    c->lines = true;
    for (const struct bench_row *row = first; row < results->rows + results->rows_n; row++) {
        if (!bench_same_case(row, first) || row->outcome != BENCH_FINE || row->latency[5] <= 0)
            continue;
        struct svg_series *s = add_row(c, row);
        for (unsigned i = 1; i + 1 < BENCH_SHARES; i++)
            svg_point(s, row->latency[i], 1 - bench_shares[i]);
    }
    snprintf(name, sizeof name, "latency-%s-%zu-%u", first->scenario, first->bytes, first->case_depth);
    int r = write_into(c, folder, name);
    free(c);
    return r;
}

static struct svg_series *series_named(struct svg_chart *c, const struct bench_row *row)
{
    for (unsigned i = 0; i < c->series_n; i++) {
        if (strcmp(c->series[i].name, row->name) == 0)
            return &c->series[i];
    }
    return add_row(c, row);
}

/* Streams and large messages, in gigabytes a second, so that both fit one picture. */
static int plot_throughput(const struct bench_results *results, const char *folder)
{
    struct svg_chart *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    set_title(c, results, "Throughput by message size");
    c->x = (struct svg_axis){.title = "bytes of a message", .log = true};
    c->y = (struct svg_axis){.title = "GB/s", .log = true};
    c->lines = true;
    for (unsigned i = 0; i < results->rows_n; i++) {
        const struct bench_row *row = &results->rows[i];
        bool stream = strcmp(row->scenario, "stream") == 0, large = strcmp(row->scenario, "large") == 0;
        if (row->outcome != BENCH_FINE || !(large || (stream && row->case_depth == bench_depth(row->bytes))))
            continue;
        double rate = stream ? row->value * (double)row->bytes / 1e3 : row->value;
        svg_point(series_named(c, row), (double)row->bytes, rate);
    }
    int r = write_into(c, folder, "throughput");
    free(c);
    return r;
}

static int plot_waiting(const struct bench_results *results, const char *folder)
{
    struct svg_chart *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    set_title(c, results, "What waiting costs: the receiver's CPU against the time to wake it");
    c->x = (struct svg_axis){.title = "CPU of the receiver, share of a core"};
    c->y = (struct svg_axis){.title = "microseconds from send to received", .log = true};
    for (unsigned i = 0; i < results->rows_n; i++) {
        const struct bench_row *row = &results->rows[i];
        if (row->outcome == BENCH_FINE && strcmp(row->scenario, "wake") == 0)
            svg_point(add_row(c, row), row->cpu_rx, row->value);
    }
    int r = write_into(c, folder, "waiting");
    free(c);
    return r;
}

int bench_plot_all(const struct bench_results *results, const char *folder)
{
    int r = 0;
    if (mkdir(folder, 0777) && errno != EEXIST) {
        r = -errno;
        fprintf(stderr, "strait-bench: cannot make the folder %s: %s\n", folder, strerror(-r));
        return r;
    }
    for (unsigned i = 0; r == 0 && i < results->rows_n; i++) {
        const struct bench_row *row = &results->rows[i];
        if (row->has_latency && (i == 0 || !bench_same_case(row, row - 1)))
            r = plot_distribution(results, row, folder);
    }
    if (r == 0)
        r = plot_throughput(results, folder);
    if (r == 0)
        r = plot_waiting(results, folder);
    return r;
}
