/* SPDX-License-Identifier: MIT */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "options.h"
#include "result.h"

/** Runs one case: all its competitors, piece by piece; adds their rows. 0 or -errno (no memory). */
int bench_case_run(const struct bench_options *o, const struct bench_scenario *scenario,
                   const struct bench_case *setting, struct bench_results *results);

#endif
