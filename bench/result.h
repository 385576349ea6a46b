/* SPDX-License-Identifier: MIT */
/** What a whole run found: one row for each competitor in each case. Table, bars, JSON, plots and compare read it. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "bench.h"
#include "machine.h"

#define BENCH_SHARES 14 /* points of the latency distribution */
extern const double bench_shares[BENCH_SHARES];

#define BENCH_JSON_SCHEMA "strait-bench/1"

struct bench_row {
    char scenario[24], name[32], unit[16];
    enum bench_better better;
    bool has_latency;
    unsigned flags; /* of the peer */
    size_t bytes;
    unsigned case_depth; /* the case's; rows of one case share scenario, bytes and this */
    unsigned depth;      /* what the peer really had */
    size_t state_bytes;
    enum bench_outcome outcome;
    char why[BENCH_WORDS];
    char setting[112], note[48]; /* the scenario's, where there is no ring; the run's */
    enum bench_place place;
    unsigned pieces, pieces_all;  /* in this place; in all */
    double value, spread, worst;  /* median, half the quartiles' distance, worst piece */
    double line;                  /* ns, median */
    double cpu, cpu_rx;           /* cores */
    double latency[BENCH_SHARES]; /* ns at bench_shares, 0 = none */
};

struct bench_results {
    struct bench_machine machine;
    char command[256], when[40];
    bool quick;
    unsigned rows_n, rows_room;
    struct bench_row *rows;
};

struct bench_row *bench_results_add(struct bench_results *results);
void bench_results_free(struct bench_results *results);

/** True when both are rows of one case. */
bool bench_same_case(const struct bench_row *a, const struct bench_row *b);

/** The row of `name` in the case that `like` is of; NULL when it is not there or has no value. */
const struct bench_row *bench_row_find(const struct bench_results *results, const struct bench_row *like,
                                       const char *name);

/** true when a is the better of two rows of one case. */
bool bench_row_better(const struct bench_row *a, const struct bench_row *b);

/** a ÷ b in the sense of the case: above 1 = slower where lower is better, faster where higher is. 0 = unknown. */
double bench_ratio(const struct bench_row *a, const struct bench_row *b);

/** "8 B", "1 KiB", "1 MiB". */
#define BENCH_TEXT 24
const char *bench_bytes_text(size_t bytes, char text[BENCH_TEXT]);

#endif
