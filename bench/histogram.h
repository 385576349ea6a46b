/* SPDX-License-Identifier: MIT */
/** Latencies in buckets of 3 %: 32 to each power of two, so percentiles of millions of samples cost 8 KiB. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define BENCH_BUCKETS_PER_OCTAVE 32
#define BENCH_BUCKETS            (40 * BENCH_BUCKETS_PER_OCTAVE)

struct bench_histogram {
    uint64_t n;
    uint64_t counts[BENCH_BUCKETS];
};

void bench_histogram_add(struct bench_histogram *h, double ns);

/** Adds all samples of `other`. */
void bench_histogram_join(struct bench_histogram *h, const struct bench_histogram *other);

/** The value below which `share` (0 … 1) of the samples lie; 0 when there are none. */
double bench_histogram_at(const struct bench_histogram *h, double share);

/** Middle of bucket i, in nanoseconds. */
double bench_histogram_bucket_ns(unsigned i);

/** Median of v[0 … n); reorders v. 0 when n is 0. */
double bench_median(double *v, unsigned n);

/** Half the distance between the quartiles; reorders v. The spread of the table. */
double bench_half_spread(double *v, unsigned n);

#endif
