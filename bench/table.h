/* SPDX-License-Identifier: MIT */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "bars.h"
#include "result.h"

/** Prints the machine and how to read the table. */
void bench_table_head(const struct bench_results *results);

/** Prints the rows of one case, which begin at `first`; gives back the index of the next case's first row. */
unsigned bench_table_case(const struct bench_results *results, unsigned first);

#endif
