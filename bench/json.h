/* SPDX-License-Identifier: MIT */
/** A run on disk: schema "strait-bench/1", one object with the machine and an array of rows. */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include "result.h"

/** Writes the file whole or not at all. 0 or -errno, said on stderr. */
int bench_json_write(const struct bench_results *results, const char *path);

/** Reads what bench_json_write wrote; unknown members are passed over. 0 or -errno, said on stderr. */
int bench_json_read(struct bench_results *results, const char *path);

#endif
