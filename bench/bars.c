/* SPDX-License-Identifier: MIT */
/*
 * The bars. A row says: our competitor `subject`, in that case, divided by the best of the rows in `against` (GAIN: how
 * many times as good as that, whichever way good lies; or its plain value, or its worst piece by its median), must be at most or at least so much; and how far it would be splendid.
 */
#include "bars.h"

#include <stdio.h>
#include <string.h>

enum bar_kind { RATIO, GAIN, VALUE, WORST };
enum bar_sense { AT_MOST, AT_LEAST };

struct bar {
    const char *scenario;
    size_t bytes;   /* 0 = every size of the scenario */
    unsigned depth; /* 0 = the default depth of the size */
    const char *subject;
    enum bar_kind kind;
    enum bar_sense sense;
    double bar, stretch; /* stretch 0 = none */
    const char *against; /* comma list; the best of those that are there */
};

#define SINGLE "pipe,unix-stream,unix-seqpacket,mq,eventfd-ring,zeromq,nng,boost,ck-spsc,ck-mpmc,rte-spsc,rte-mpmc"
#define KERNEL "pipe,unix-stream,unix-seqpacket,mq,zeromq,nng"

/* clang-format off */
static const struct bar bars[] = {
    {"roundtrip", 48, 0, "strait", RATIO, AT_MOST, 1.25, 1.15, "mailbox"},
    {"roundtrip", 48, 0, "strait", RATIO, AT_MOST, 1.08, 1.02, "rotating"},
    {"roundtrip", 48, 0, "strait-many", RATIO, AT_MOST, 1.35, 1.20, "mailbox"},
    {"roundtrip", 48, 0, "strait-sleeping", RATIO, AT_MOST, 1.10, 1.02, "strait"},
    {"stream", 8, 0, "strait", RATIO, AT_LEAST, 1.2, 1.5, SINGLE},
    {"stream", 48, 0, "strait", RATIO, AT_LEAST, 2.5, 3.5, SINGLE},
    {"stream", 48, 0, "strait", RATIO, AT_LEAST, 0.9, 1.2, "rte-spsc-x32"},
    {"stream", 48, 0, "strait-sleeping", RATIO, AT_LEAST, 0.9, 1.0, "strait"},
    {"stream", 8, 0, "strait-x32", RATIO, AT_LEAST, 1.0, 1.5, "rte-spsc-x32"},
    {"stream", 48, 0, "strait-x32", RATIO, AT_LEAST, 0.9, 1.3, "rte-spsc-x32"},
    {"stream", 1024, 0, "strait", RATIO, AT_LEAST, 0.95, 1.2, SINGLE},
    {"stream", 48, 0, "strait-many", RATIO, AT_LEAST, 3.0, 6.0, "ck-mpmc,rte-mpmc"},
    {"stream", 48, 0, "strait-many", RATIO, AT_LEAST, 0.9, 1.0, "vyukov"},
    {"stream", 48, 1024, "strait-many", RATIO, AT_LEAST, 1.7, 2.6, "ck-mpmc,rte-mpmc"},
    {"stream", 48, 0, "strait-many-x32", RATIO, AT_LEAST, 0.7, 1.2, "rte-mpmc-x32"},
    {"watched", 48, 0, "strait-watched", RATIO, AT_LEAST, 0.97, 0.99, "strait"},
    {"large", 1 << 20, 4, "strait", RATIO, AT_LEAST, 0.95, 1.0, "write+read"},
    {"wake", 48, 0, "strait-sleeping", RATIO, AT_MOST, 1.1, 1.0, "futex"},
    {"wake", 48, 0, "strait-loop", RATIO, AT_MOST, 1.25, 1.1, "futex"},
    {"spawn", 8, 0, "strait-spawn-asleep", RATIO, AT_MOST, 1.2, 1.0, "condvar"},
    {"spawn", 8, 0, "strait-spawn", RATIO, AT_MOST, 0.7, 0.5, "condvar"},
    {"ready", 8, 0, "strait-poll", VALUE, AT_MOST, 20.0, 10.0, NULL},
    {"pending", 8, 0, "strait-10000", RATIO, AT_MOST, 1.5, 1.1, "strait-100"},
    {"region", 64, 0, "strait-region", RATIO, AT_MOST, 0.45, 0.35, "pthread-robust"},
    {"region_hot", 64, 0, "strait-region", GAIN, AT_LEAST, 1.2, 1.5, "pthread-robust"},
    {"region_mild", 64, 0, "strait-region", GAIN, AT_LEAST, 0.95, 1.0, "pthread-robust"},
    {"snapshot", 64, 0, "strait-snapshot", GAIN, AT_LEAST, 4.0, 6.0, "pthread-rwlock"},
    {"snapshot", 256, 0, "strait-snapshot", GAIN, AT_LEAST, 2.0, 4.0, "pthread-rwlock"},
    {"snapshot", 1024, 0, "strait-snapshot", GAIN, AT_LEAST, 1.2, 2.0, "pthread-rwlock"},
    {"counter", 8, 0, "strait-counter", RATIO, AT_MOST, 1.05, 0.5, "fetch_add"},
    {"counter_shared", 8, 0, "strait-counter", GAIN, AT_LEAST, 10.0, 20.0, "fetch_add"},
    {"idle", 48, 0, "strait-many-sleeping", VALUE, AT_MOST, 1.5, 0, NULL},
    {"idle-quiet", 48, 0, "strait-many-sleeping", VALUE, AT_MOST, 0.3, 0.1, NULL},
    {"fanin", 64, 0, "strait-lanes", RATIO, AT_LEAST, 8.0, 12.0, KERNEL},
    {"fanin", 64, 0, "strait-many-sleeping", RATIO, AT_LEAST, 3.0, 5.0, KERNEL},
    {"fanin", 64, 0, "strait-many-sleeping", WORST, AT_LEAST, 0.5, 0, NULL},
    {"sealed", 48, 0, "strait", VALUE, AT_MOST, 0.0, 0, NULL},
    {"sealed", 48, 0, "strait-many", VALUE, AT_MOST, 0.0, 0, NULL},
    {"numa", 48, 0, "strait-sharded", RATIO, AT_MOST, 1.05, 1.0, "strait-many"},
    {"numa-stream", 48, 0, "strait-sharded", RATIO, AT_LEAST, 1 / 1.05, 1.0, "strait-many"},
    {"recover", 48, 0, "strait-many-sleeping", VALUE, AT_MOST, 120.0, 10.0, NULL},
    {"fetch", 130, 0, "strait-fetch", RATIO, AT_LEAST, 1.0, 0, "wrk-style"},
    {"fetch-cpu", 130, 0, "strait-fetch", RATIO, AT_MOST, 0.5, 0, "libcurl"},
    {"fetch-body", 0, 0, "strait-fetch", RATIO, AT_LEAST, 0.9, 1.0, "libcurl"},
    {"fetch-memory", 0, 0, "strait-fetch", VALUE, AT_MOST, 4.0, 0, NULL},
    {"pool", 48, 0, "strait-pool", RATIO, AT_MOST, 2.5, 2.0, "strait"},
    {"bridge", 64, 0, "strait-bridge", RATIO, AT_MOST, 1.3, 1.1, "libnats"},
    {"bridge", 64, 0, "local-beside-bridge", RATIO, AT_MOST, 1.02, 0, "local"},
    {"recover-quiet", 48, 0, "strait-many-sleeping", VALUE, AT_MOST, 1100.0, 0, NULL},
};
/* clang-format on */

#define BARS (sizeof bars / sizeof bars[0])

static bool speaks_of(const struct bar *bar, const struct bench_row *row)
{
    unsigned depth = bar->depth ? bar->depth : bench_depth(row->bytes);
    return strcmp(bar->scenario, row->scenario) == 0 && (!bar->bytes || bar->bytes == row->bytes) &&
           row->case_depth == depth;
}

/* The row of `name` in the case, whatever came of it. */
static const struct bench_row *any_row(const struct bench_results *results, const struct bench_row *like,
                                       const char *name)
{
    for (unsigned i = 0; i < results->rows_n; i++) {
        if (bench_same_case(&results->rows[i], like) && strcmp(results->rows[i].name, name) == 0)
            return &results->rows[i];
    }
    return NULL;
}

/* The best of the rows that a comma list names. *missing gets the first that is absent, left out or broken: the best of
 * the others says less than the bar asks. (Who cannot hold the size is no competitor there.) */
static const struct bench_row *best_of(const struct bench_results *results, const struct bench_row *like,
                                       const char *names, char missing[32])
{
    const struct bench_row *best = NULL;
    missing[0] = 0;
    for (const char *at = names; *at;) {
        char name[32];
        size_t n = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        const struct bench_row *row = any_row(results, like, name);
        if (!missing[0] && (!row || row->outcome == BENCH_ABSENT || row->outcome == BENCH_BROKEN))
            snprintf(missing, 32, "%s", name);
        if (row && row->outcome == BENCH_FINE && (!best || bench_row_better(row, best)))
            best = row;
        at += n + (at[n] == ',');
    }
    return best;
}

enum verdict { MET, SPLENDID, MISSED, OPEN };

static enum verdict judge(const struct bar *bar, double value)
{
    bool met = bar->sense == AT_MOST ? value <= bar->bar : value >= bar->bar;
    bool more = bar->stretch > 0 && (bar->sense == AT_MOST ? value <= bar->stretch : value >= bar->stretch);
    return more ? SPLENDID : met ? MET : MISSED;
}

/* A bar seen in the light of some results. */
struct sight {
    enum verdict verdict;
    double value;
    const struct bench_row *other; /* who it was divided by */
    char missing[32];              /* whose row would be needed */
};

static struct sight look(const struct bench_results *results, const struct bench_row *like, const struct bar *bar)
{
    struct sight s = {.verdict = OPEN};
    const struct bench_row *subject = bench_row_find(results, like, bar->subject);
    if (bar->against)
        s.other = best_of(results, like, bar->against, s.missing);
    if (!subject)
        snprintf(s.missing, sizeof s.missing, "%s", bar->subject);
    if (!subject || (bar->against && !s.other))
        return s;
    s.value = s.other ? bench_ratio(subject, s.other) : subject->value;
    if (bar->kind == GAIN && subject->better == BENCH_LOWER && s.value > 0)
        s.value = 1 / s.value;
    if (bar->kind == WORST)
        s.value = subject->value > 0 ? subject->worst / subject->value : 0;
    s.verdict = judge(bar, s.value);
    if (s.verdict != MISSED && s.missing[0])
        s.verdict = OPEN;
    if (subject->place == BENCH_MIXED && subject->line > 0) { /* a restless machine proves nothing, neither way */
        s.verdict = OPEN;
        snprintf(s.missing, sizeof s.missing, "steady pieces");
    }
    return s;
}

static void print_bar(const struct bench_results *results, const struct bench_row *like, const struct bar *bar)
{
    static const char *const verdicts[] = {"ok", "ok, and the stretch", "MISSED", "not judged"};
    struct sight s = look(results, like, bar);
    static const char *const units[] = {[RATIO] = "x ", [GAIN] = "x as good as ", [WORST] = "of its median"};
    const char *what = bar->kind == VALUE ? like->unit : units[bar->kind];
    printf("  bar: %-20s %s %.4g %s%s", bar->subject, bar->sense == AT_MOST ? "<=" : ">=", bar->bar, what,
           s.other ? s.other->name : "");
    if (bar->stretch > 0)
        printf(" (stretch %.4g)", bar->stretch);
    if (s.value > 0 || s.verdict != OPEN)
        printf("   %.3g", s.value);
    printf("   %s%s%s\n", verdicts[s.verdict], s.verdict == OPEN ? ": lacks " : "", s.verdict == OPEN ? s.missing : "");
}

void bench_bars_print(const struct bench_results *results, const struct bench_row *like)
{
    for (unsigned i = 0; i < BARS; i++) {
        if (speaks_of(&bars[i], like))
            print_bar(results, like, &bars[i]);
    }
}

struct bench_bars_count bench_bars_count(const struct bench_results *results)
{
    struct bench_bars_count count = {0};
    for (unsigned first = 0; first < results->rows_n; first++) {
        const struct bench_row *row = &results->rows[first];
        if (first > 0 && bench_same_case(row, row - 1))
            continue;
        for (unsigned i = 0; i < BARS; i++) {
            if (!speaks_of(&bars[i], row))
                continue;
            enum verdict verdict = look(results, row, &bars[i]).verdict;
            *(verdict == OPEN ? &count.open : verdict == MISSED ? &count.missed : &count.met) += 1;
        }
    }
    return count;
}
