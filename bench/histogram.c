/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <math.h>
#include <stdlib.h>

void bench_histogram_add(struct bench_histogram *h, double ns)
{
    double at = ns <= 1.0 ? 0.0 : log2(ns) * BENCH_BUCKETS_PER_OCTAVE;
    unsigned i = (unsigned)at;
    h->counts[i < BENCH_BUCKETS ? i : BENCH_BUCKETS - 1]++;
    h->n++;
}

void bench_histogram_join(struct bench_histogram *h, const struct bench_histogram *other)
{
    for (unsigned i = 0; i < BENCH_BUCKETS; i++)
        h->counts[i] += other->counts[i];
    h->n += other->n;
}

double bench_histogram_bucket_ns(unsigned i)
{
    return exp2((i + 0.5) / BENCH_BUCKETS_PER_OCTAVE);
}

double bench_histogram_at(const struct bench_histogram *h, double share)
{
    if (h->n == 0)
        return 0.0;
    uint64_t want = (uint64_t)(share * (double)(h->n - 1)), seen = 0;
    for (unsigned i = 0; i < BENCH_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > want)
            return bench_histogram_bucket_ns(i);
    }
    return bench_histogram_bucket_ns(BENCH_BUCKETS - 1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *v, unsigned n)
{
    if (n == 0)
        return 0.0;
    qsort(v, n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double bench_half_spread(double *v, unsigned n)
{
    if (n < 2)
        return 0.0;
    qsort(v, n, sizeof *v, by_size);
    return (v[(n - 1) * 3 / 4] - v[(n - 1) / 4]) / 2;
}
