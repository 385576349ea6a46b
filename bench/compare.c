/* SPDX-License-Identifier: MIT */
/*
 * Two runs side by side. A change counts when it is larger than both runs' spreads together and than 3 %; rows taken at
 * different distances of the CPUs are not compared, because that distance changes everything.
 */
#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

#define LEAST_CHANGE 0.03

struct tally {
    unsigned better, worse, same, apart, gone;
};

static void print_change(const struct bench_row *a, const struct bench_row *b, double change, bool better)
{
    char bytes[BENCH_TEXT];
    char ring[16] = "";
    if (!a->setting[0])
        snprintf(ring, sizeof ring, "ring %u", a->case_depth);
    printf("  %-6s %-14s %-8s %-11s %-20s %9.4g -> %-9.4g %-10s %+5.1f %%\n", better ? "better" : "WORSE", a->scenario,
           bench_bytes_text(a->bytes, bytes), ring, a->name, a->value, b->value, a->unit, change * 100);
}

static void compare_rows(const struct bench_row *a, const struct bench_row *b, struct tally *tally)
{
    double change = a->value > 0 ? (b->value - a->value) / a->value : b->value > 0 ? 1.0 : 0.0;
    double noise = a->value > 0 ? (a->spread + b->spread) / a->value : 0;
    if (a->place != b->place) {
        tally->apart++;
    } else if (fabs(change) <= noise || fabs(change) < LEAST_CHANGE) {
        tally->same++;
    } else {
        bool better = (change > 0) == (a->better == BENCH_HIGHER);
        *(better ? &tally->better : &tally->worse) += 1;
        print_change(a, b, change, better);
    }
}

static void warn_of_machines(const struct bench_machine *a, const struct bench_machine *b)
{
    if (strcmp(a->cpu_model, b->cpu_model) || strcmp(a->kernel, b->kernel) || a->cpus_n != b->cpus_n)
        printf("  careful: different machines (%s, %u CPUs, %s; %s, %u CPUs, %s)\n", a->cpu_model, a->cpus_n, a->kernel,
               b->cpu_model, b->cpus_n, b->kernel);
}

int bench_compare(int argc, char **argv)
{
    struct bench_results a, b;
    struct tally tally = {0};
    if (argc != 2) {
        fputs("strait-bench: compare takes two files: strait-bench compare before.json after.json\n", stderr);
        return 2;
    }
    if (bench_json_read(&a, argv[0]) < 0)
        return 2;
    if (bench_json_read(&b, argv[1]) < 0) {
        bench_results_free(&a);
        return 2;
    }
    printf("%s (%s) -> %s (%s)\n", argv[0], a.when, argv[1], b.when);
    warn_of_machines(&a.machine, &b.machine);
    for (unsigned i = 0; i < a.rows_n; i++) {
        const struct bench_row *before = &a.rows[i], *after = bench_row_find(&b, before, before->name);
        if (before->outcome != BENCH_FINE)
            continue;
        if (after)
            compare_rows(before, after, &tally);
        else
            tally.gone++;
    }
    printf("%u better, %u worse, %u within the noise, %u at another distance, %u not in the second run\n", tally.better,
           tally.worse, tally.same, tally.apart, tally.gone);
    bench_results_free(&a);
    bench_results_free(&b);
    return 0;
}
