/* SPDX-License-Identifier: MIT */
/** Charts with two axes, as SVG: lines or points, each axis linear or logarithmic, names at the right. */
#ifndef BENCH_SVG_H
#define BENCH_SVG_H

#include <stdbool.h>
#include <stdio.h>

#define BENCH_SERIES 40
#define BENCH_POINTS 32

struct svg_series {
    char name[32];
    bool ours, dashed; /* drawn bold; a floor */
    unsigned n;
    double x[BENCH_POINTS], y[BENCH_POINTS];
};

struct svg_axis {
    const char *title;
    bool log;
    double least, most; /* found by svg_chart */
};

struct svg_chart {
    char title[160];
    struct svg_axis x, y;
    bool lines; /* else points with names beside them */
    unsigned series_n;
    struct svg_series series[BENCH_SERIES];
};

/** A new series of the chart; NULL when there is no room. */
struct svg_series *svg_add(struct svg_chart *chart, const char *name);
void svg_point(struct svg_series *series, double x, double y);

/** Writes the chart to the file. 0 or -errno, said on stderr. */
int svg_write(struct svg_chart *chart, const char *path);

#endif
