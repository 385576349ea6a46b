/* SPDX-License-Identifier: MIT */
#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double bench_shares[BENCH_SHARES] = {0.0, 0.01, 0.05, 0.1,   0.25,  0.5,    0.75,
                                           0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0};

struct bench_row *bench_results_add(struct bench_results *results)
{
    if (results->rows_n == results->rows_room) {
        results->rows_room = results->rows_room ? results->rows_room * 2 : 64;
        results->rows = realloc(results->rows, results->rows_room * sizeof *results->rows);
        if (!results->rows)
            abort();
    }
    struct bench_row *row = &results->rows[results->rows_n++];
    memset(row, 0, sizeof *row);
    return row;
}

void bench_results_free(struct bench_results *results)
{
    free(results->rows);
    results->rows = NULL;
    results->rows_n = results->rows_room = 0;
}

bool bench_same_case(const struct bench_row *a, const struct bench_row *b)
{
    return strcmp(a->scenario, b->scenario) == 0 && a->bytes == b->bytes && a->case_depth == b->case_depth;
}

const struct bench_row *bench_row_find(const struct bench_results *results, const struct bench_row *like,
                                       const char *name)
{
    for (unsigned i = 0; i < results->rows_n; i++) {
        const struct bench_row *row = &results->rows[i];
        if (bench_same_case(row, like) && strcmp(row->name, name) == 0 && row->outcome == BENCH_FINE)
            return row;
    }
    return NULL;
}

bool bench_row_better(const struct bench_row *a, const struct bench_row *b)
{
    return a->better == BENCH_HIGHER ? a->value > b->value : a->value < b->value;
}

double bench_ratio(const struct bench_row *a, const struct bench_row *b)
{
    return a && b && b->value > 0 ? a->value / b->value : 0.0;
}

const char *bench_bytes_text(size_t bytes, char text[BENCH_TEXT])
{
    if (bytes >= 1u << 20 && bytes % (1u << 20) == 0)
        snprintf(text, BENCH_TEXT, "%zu MiB", bytes >> 20);
    else if (bytes >= 1024 && bytes % 1024 == 0)
        snprintf(text, BENCH_TEXT, "%zu KiB", bytes >> 10);
    else
        snprintf(text, BENCH_TEXT, "%zu B", bytes);
    return text;
}
