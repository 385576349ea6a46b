/* SPDX-License-Identifier: MIT */
/* The search: a path of choices, run again from the first state with its last untried choice taken differently. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "internal.h"

#define DEPTH 8192

struct choice {
    uint8_t taken, options;
};

struct range {
    unsigned char *at, *first;
    size_t bytes;
};

const struct model *model_now;
unsigned model_actor_count;
struct run model_run;
uint64_t model_steps_of_run;

static struct choice path[DEPTH];
static unsigned depth, fixed; /* choices made in this run; of those, prescribed */
static bool merging = true;
static struct range ranges[MODEL_RANGES];
static unsigned range_count;
unsigned char *model_lowest;
bool model_shared_word[MODEL_SPAN / 8];
static char violation[400];

/* ---- memory ---- */

static void give_up(const char *why)
{
    fprintf(stderr, "model %s: %s\n", model_now->name, why);
    abort();
}

static void add_range(void *at, size_t bytes)
{
    if (range_count == MODEL_RANGES)
        give_up("too many ranges of memory");
    ranges[range_count++] = (struct range){at, NULL, bytes};
}

/* The span of shared memory begins with the first range that is told, less what may come before it. */
void model_share(void *at, size_t bytes)
{
    size_t first;

    if (!model_lowest)
        model_lowest = (unsigned char *)((uintptr_t)at & ~(uintptr_t)63) - MODEL_SPAN / 2;
    first = model_offset(at);
    if (first % 8 || bytes % 8 || (unsigned char *)at < model_lowest || first + bytes > MODEL_SPAN)
        give_up("shared memory is not aligned, or too far apart");
    memset(model_shared_word + first / 8, 1, bytes / 8);
    add_range(at, bytes);
}

void model_private(void *at, size_t bytes)
{
    add_range(at, bytes);
}

static void keep_memory(void)
{
    for (unsigned i = 0; i < range_count; i++) {
        ranges[i].first = malloc(ranges[i].bytes);
        if (!ranges[i].first)
            abort();
        memcpy(ranges[i].first, ranges[i].at, ranges[i].bytes);
    }
}

static void restore_memory(void)
{
    for (unsigned i = 0; i < range_count; i++)
        memcpy(ranges[i].at, ranges[i].first, ranges[i].bytes);
}

static void forget_memory(void)
{
    for (unsigned i = 0; i < range_count; i++)
        free(ranges[i].first);
    range_count = 0;
    memset(model_shared_word, 0, sizeof model_shared_word);
    model_lowest = NULL;
}

uint64_t model_hash_memory(void)
{
    uint64_t h = 0;

    for (unsigned i = 0; i < range_count; i++)
        h = model_hash(h, ranges[i].at, ranges[i].bytes);
    return h;
}

/* ---- choices ---- */

/* What was tried from a state with larger budgets left need not be tried with smaller ones. */
static bool is_new(unsigned tag)
{
    struct run run = model_run;
    uint64_t h = model_mix(model_actors_hash(), tag);

    run.left.preemptions = run.left.stale = 0;
    if (model_now->memory == MODEL_WEAK)
        h = model_weak_hash(h);
    h = model_hash(h, &run, sizeof run);
    return model_states_add(model_mix(h, model_hash_memory()), model_run.left.preemptions, model_run.left.stale);
}

unsigned model_pick(unsigned n, unsigned tag)
{
    if (n < 2)
        return 0;
    if (depth < fixed) {
        if (path[depth].options != n) {
            fprintf(stderr, "model %s: a run did not repeat itself (%u options, then %u)\n", model_now->name,
                    path[depth].options, n);
            abort();
        }
        return path[depth++].taken;
    }
    if (merging && !is_new(tag))
        model_leave(RUN_MERGED);
    if (depth == DEPTH)
        model_fail("more than %d choices in one run", DEPTH);
    path[depth++] = (struct choice){0, (uint8_t)n};
    return 0;
}

unsigned model_choose(unsigned n)
{
    MODEL_ENTER(n, 0, 0);
    return model_pick(n, 1000);
}

static bool next_path(void)
{
    while (depth > 0 && path[depth - 1].taken + 1 == path[depth - 1].options)
        depth--;
    if (depth == 0)
        return false;
    path[depth - 1].taken++;
    fixed = depth;
    return true;
}

/* ---- runs ---- */

void model_leave(enum run_outcome how)
{
    model_switch_to_main(how);
}

void model_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(violation, sizeof violation, format, args);
    va_end(args);
    model_trace_line("VIOLATION: %s", violation);
    model_leave(RUN_VIOLATED);
}

static enum run_outcome run_once(const struct model_bounds *bounds)
{
    memset(&model_run, 0, sizeof model_run);
    model_run.left = *bounds;
    model_run.now_ns = 1000;
    memset(model_run.lock_owner, MODEL_NO_ACTOR, sizeof model_run.lock_owner);
    memset(model_run.lease_owner, MODEL_NO_ACTOR, sizeof model_run.lease_owner);
    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_now->actors[i].lease)
            model_run.lease_owner[model_now->actors[i].lease] = (uint8_t)i;
    model_steps_of_run = 0;
    depth = 0;
    restore_memory();
    if (model_now->memory == MODEL_WEAK)
        model_weak_reset();
    model_actors_reset();
    return model_actors_run();
}

static void retrace(const struct model_bounds *bounds)
{
    fixed = depth;
    model_tracing = true;
    merging = false;
    run_once(bounds);
    model_tracing = false;
    merging = true;
}

/* CPU time: on a busy machine a search takes longer, but gets as far. */
double model_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void search(const struct model_bounds *bounds, double until, struct model_result *r)
{
    depth = fixed = 0;
    do {
        enum run_outcome how = run_once(bounds);
        r->schedules++;
        r->steps += model_steps_of_run;
        r->merged += how == RUN_MERGED;
        if (how == RUN_VIOLATED) {
            bool merged = merging;
            r->violated = true;
            memcpy(r->violation, violation, sizeof violation);
            retrace(bounds);
            merging = merged;
            return;
        }
        if (r->schedules % 1024 == 0 && model_seconds() > until)
            return;
    } while (next_path());
    r->exhaustive = true;
}

void model_explore(const struct model *m, const struct model_bounds *b, double seconds, struct model_result *r)
{
    double start = model_seconds();

    memset(r, 0, sizeof *r);
    model_now = m;
    for (model_actor_count = 0; model_actor_count < MODEL_ACTORS && m->actors[model_actor_count].run;)
        model_actor_count++;
    model_trace_clear();
    model_labels_clear();
    model_states_clear();
    m->setup();
    keep_memory();
    model_weak_search();
    search(b, start + seconds, r);
    r->states = model_states_count();
    r->seconds = model_seconds() - start;
    forget_memory();
}

const struct model *model_current(void)
{
    return model_now;
}

void model_merge(bool on)
{
    merging = on;
}
