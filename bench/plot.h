/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "result.h"

/** Draws what these results allow into the folder (made if need be). 0 or -errno, said on stderr. */
int bench_plot_all(const struct bench_results *results, const char *folder);

#endif
