/* SPDX-License-Identifier: MIT */
/* The main program of a harness: every model in turn, a line each. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define TRACE_LINES 800 /* of a violation */

struct settings {
    double seconds; /* for all models together */
    int preemptions, deaths, stale;
    const char *only;
    bool list;
};

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [-t SECONDS] [-m MODEL] [-p PREEMPTIONS] [-d DEATHS] [-s STALE] [-l]\n"
            "Explores schedules of the real code; exit status 1 if one violates its model.\n",
            program);
    return 2;
}

static struct model_bounds bounds_of(const struct model *m, const struct settings *s)
{
    struct model_bounds b = m->bounds;

    b.preemptions = s->preemptions >= 0 ? (unsigned)s->preemptions : b.preemptions;
    b.deaths = s->deaths >= 0 ? (unsigned)s->deaths : b.deaths;
    b.stale = s->stale >= 0 ? (unsigned)s->stale : b.stale;
    return b;
}

static const char *last_lines(const char *text, unsigned n)
{
    const char *at = text + strlen(text);

    while (at > text && n)
        n -= *--at == '\n';
    return at;
}

/* How far it got: a bound that time cut short is not exhausted, but the ones below it are. */
static void say_how_far(const struct model_bounds *b, const struct model_result *r, char *text, size_t n)
{
    if (r->exhaustive)
        snprintf(text, n, "exhaustive");
    else if (r->violated)
        snprintf(text, n, "stopped");
    else if (b->preemptions == 0)
        snprintf(text, n, "time-limited");
    else
        snprintf(text, n, "p%u exhaustive, then time-limited", b->preemptions - 1);
}

static void print_line(const struct model *m, const struct model_bounds *b, const struct model_result *r)
{
    unsigned actors = 0;
    char bound[48], far[48];

    while (actors < MODEL_ACTORS && m->actors[actors].run)
        actors++;
    if (m->memory == MODEL_WEAK)
        snprintf(bound, sizeof bound, "p%u d%u s%u weak", b->preemptions, b->deaths, b->stale);
    else
        snprintf(bound, sizeof bound, "p%u d%u", b->preemptions, b->deaths);
    say_how_far(b, r, far, sizeof far);
    printf("%-34s %6u  %-14s %10llu %9.0f/s %9llu states  %-12s %s\n", m->name, actors, bound,
           (unsigned long long)r->schedules, r->seconds > 0 ? (double)r->schedules / r->seconds : 0,
           (unsigned long long)r->states, r->violated ? "VIOLATION" : "0 violations", far);
    if (r->violated)
        printf("\n%s\n%s\n", r->violation, last_lines(model_trace(), TRACE_LINES));
    fflush(stdout);
}

/* Fewer preemptions first: they finish at once and find most faults. */
static bool check(const struct model *m, const struct settings *s, double seconds, uint64_t *schedules)
{
    struct model_bounds most = bounds_of(m, s), b = most;
    struct model_result r, all = {.schedules = 0};

    for (b.preemptions = 0;; b.preemptions++) {
        model_explore(m, &b, seconds > 0.05 ? seconds : 0.05, &r);
        seconds -= r.seconds;
        all.schedules += r.schedules;
        all.seconds += r.seconds;
        if (r.violated || !r.exhaustive || b.preemptions == most.preemptions)
            break;
    }
    r.schedules = all.schedules;
    r.seconds = all.seconds;
    print_line(m, &b, &r);
    *schedules += r.schedules;
    return !r.violated;
}

static int parse(int argc, char **argv, struct settings *s)
{
    for (int c; (c = getopt(argc, argv, "t:m:p:d:s:l")) != -1;) {
        switch (c) {
        case 't':
            s->seconds = strtod(optarg, NULL);
            break;
        case 'm':
            s->only = optarg;
            break;
        case 'p':
            s->preemptions = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            s->deaths = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            s->stale = (int)strtol(optarg, NULL, 10);
            break;
        case 'l':
            s->list = true;
            break;
        default:
            return usage(argv[0]);
        }
    }
    return 0;
}

int model_main(int argc, char **argv, const struct model *const *models, unsigned n)
{
    struct settings s = {60, -1, -1, -1, NULL, false};
    uint64_t schedules = 0;
    unsigned bad = 0, left = 0;

    if (parse(argc, argv, &s))
        return 2;
    for (unsigned i = 0; i < n; i++)
        left += !s.only || strcmp(s.only, models[i]->name) == 0;
    for (unsigned i = 0; i < n; i++) {
        if (s.list)
            printf("%s: %s\n", models[i]->name, models[i]->about ? models[i]->about : "");
        if (s.list || (s.only && strcmp(s.only, models[i]->name)))
            continue;
        double start = model_seconds();
        bad += !check(models[i], &s, s.seconds / left--, &schedules);
        s.seconds -= model_seconds() - start;
    }
    if (!s.list)
        printf("TOTAL schedules %llu violations %u\n", (unsigned long long)schedules, bad);
    return bad > 0;
}
