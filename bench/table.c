/* SPDX-License-Identifier: MIT */
/* The table for people: a block for each case, aligned, with ratios that say "times as good". */
#include "table.h"

#include <stdio.h>
#include <string.h>

void bench_table_head(const struct bench_results *results)
{
    const struct bench_machine *m = &results->machine;
    printf("%s, %u CPUs, %s; on CPUs %d and %d\n", m->cpu_model, m->cpus_n, m->kernel, m->cpus[0], m->cpus[1]);
    puts("medians of pieces at one distance; ± half the quartiles' distance; every payload byte written and read, "
         "unless\n"
         "marked untouched; x floor, x best: times as good as the floor, as the best peer that sends the same way");
}

static const char *number_text(double v, char text[16])
{
    snprintf(text, 16, v == 0 ? "%.0f" : v < 0.1 ? "%.4f" : v < 10 ? "%.2f" : v < 1000 ? "%.1f" : "%.0f", v);
    return text;
}

static const char *state_text(size_t bytes, char text[16])
{
    if (bytes == 0)
        snprintf(text, 16, "-");
    else if (bytes >= 10u << 20)
        snprintf(text, 16, "%.0fM", (double)bytes / (1 << 20));
    else if (bytes >= 10u << 10)
        snprintf(text, 16, "%.0fK", (double)bytes / 1024);
    else
        snprintf(text, 16, "%zu", bytes);
    return text;
}

/* The best row of the case that is a product and sends as `like` does: singly, or in batches. */
static const struct bench_row *best_peer(const struct bench_results *results, const struct bench_row *like)
{
    const struct bench_row *best = NULL;
    for (unsigned i = 0; i < results->rows_n; i++) {
        const struct bench_row *row = &results->rows[i];
        if (!bench_same_case(row, like) || row->outcome != BENCH_FINE || row->flags & (BENCH_FLOOR | BENCH_OURS) ||
            (row->flags ^ like->flags) & BENCH_BATCHES)
            continue;
        if (!best || bench_row_better(row, best))
            best = row;
    }
    return best;
}

static const struct bench_row *floor_of(const struct bench_results *results, const struct bench_row *row)
{
    for (const struct bench_scenario *const *s = bench_scenarios; *s; s++) {
        if (strcmp((*s)->name, row->scenario) == 0)
            return (*s)->floor ? bench_row_find(results, row, (*s)->floor) : NULL;
    }
    return NULL;
}

/* "1.31" = 1.31 times as good as the other, whichever way good lies. */
static const char *times_text(const struct bench_row *row, const struct bench_row *other, char text[16])
{
    double ratio = bench_ratio(row, other);
    if (ratio <= 0)
        snprintf(text, 16, "-");
    else
        snprintf(text, 16, "%.2f", row->better == BENCH_HIGHER ? ratio : 1 / ratio);
    return text;
}

static void print_latency(const struct bench_row *row)
{
    char a[16], b[16], c[16];
    if (row->latency[5] <= 0)
        printf(" %26s", "");
    else
        printf(" %8s %8s %8s", number_text(row->latency[5], a), number_text(row->latency[9], b),
               number_text(row->latency[11], c));
}

/* What such a figure is worth depends on it: how much data, how often written, who runs where. */
static void print_setting(const struct bench_row *row)
{
    char bytes[BENCH_TEXT];
    printf(" %5u  %s%s%s; %s\n", row->pieces, row->note, row->note[0] ? "; " : "", bench_bytes_text(row->bytes, bytes),
           row->setting);
}

static void print_row(const struct bench_results *results, const struct bench_row *row)
{
    char state[16], value[16], floor[16], best[16];
    printf("  %-20s", row->name);
    if (row->outcome != BENCH_FINE) {
        printf(" %s\n", row->why);
        return;
    }
    if (!row->setting[0])
        printf(" %7u %7s", row->depth, state_text(row->state_bytes, state));
    printf(" %9s", number_text(row->value, value));
    if (row->pieces > 1)
        printf(" %4.0f%%", row->value > 0 ? 100 * row->spread / row->value : 0);
    else
        printf("     -");
    if (row->has_latency)
        print_latency(row);
    else
        printf(" %9s", number_text(row->worst, state));
    printf(" %8s %8s", times_text(row, floor_of(results, row), floor), times_text(row, best_peer(results, row), best));
    if (row->setting[0])
        print_setting(row);
    else
        printf(" %6.2f %5u%s\n", row->cpu, row->pieces, row->flags & BENCH_UNTOUCHED ? "  untouched" : "");
}

static void print_title(const struct bench_row *row)
{
    char bytes[BENCH_TEXT];
    printf("\n%s · %s", row->scenario, bench_bytes_text(row->bytes, bytes));
    if (!row->setting[0])
        printf(" · ring of %u", row->case_depth);
    if (row->line > 0)
        printf(" · %s, the bare line takes %.0f ns there and back", bench_place_name(row->place), row->line);
    if (row->line > 0 && row->place == BENCH_MIXED)
        printf(
            "\n  RESTLESS: the CPUs moved, or somebody else used them, in nearly every piece; do not trust these rows");
    printf("\n  %-20s", "");
    if (!row->setting[0])
        printf(" %7s %7s", "depth", "state");
    printf(" %9s %5s", row->unit, "±");
    if (row->has_latency)
        printf(" %8s %8s %8s", "p50 ns", "p99", "p99.9");
    else
        printf(" %9s", "worst");
    printf(" %8s %8s", "x floor", "x best");
    if (row->setting[0])
        printf(" %5s  %s\n", "n", "data; who writes, who runs where (a, b: the pair of CPUs)");
    else
        printf(" %6s %5s\n", "CPUs", "n");
}

unsigned bench_table_case(const struct bench_results *results, unsigned first)
{
    unsigned end = first;
    const struct bench_row *title = &results->rows[first];
    while (end < results->rows_n && bench_same_case(&results->rows[end], &results->rows[first])) {
        if (title->outcome != BENCH_FINE)
            title = &results->rows[end];
        end++;
    }
    print_title(title);
    for (unsigned i = first; i < end; i++)
        print_row(results, &results->rows[i]);
    bench_bars_print(results, &results->rows[first]);
    fflush(stdout);
    return end;
}
