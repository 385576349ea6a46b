/* SPDX-License-Identifier: MIT */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

/** `strait-bench compare A.json B.json`: prints what changed beyond the noise. The exit status: 0, or 2. */
int bench_compare(int argc, char **argv);

#endif
