/* SPDX-License-Identifier: MIT */
/** What ours must reach. The table is in bars.c and nowhere else. */
#ifndef BENCH_BARS_H
#define BENCH_BARS_H

#include "result.h"

/** Prints the verdict of each bar that speaks of the case of `like`. */
void bench_bars_print(const struct bench_results *results, const struct bench_row *like);

struct bench_bars_count {
    unsigned met, missed, open; /* open: cannot be told, a row it needs is missing */
};

/** All bars of the cases in these results. */
struct bench_bars_count bench_bars_count(const struct bench_results *results);

#endif
