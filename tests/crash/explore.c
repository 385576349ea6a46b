/* SPDX-License-Identifier: MIT */
#include "explore.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbol.h"

struct worker {
    struct totals *t;
    struct runner *r;
    const struct scene *scenes;
    size_t n;
    const struct explore_options *options;
};

static void add(uint64_t *to, uint64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static void write_down(struct failure *f, const struct point *p, const struct stage *st, uint64_t rip)
{
    *f = (struct failure){
        .scene = (uint32_t)p->scene_index, .verdict = st->verdict, .schedule = p->schedule, .n = p->n, .m = p->m};
    symbol_name(rip, f->where, sizeof(f->where));
    memcpy(f->text, st->text, sizeof(f->text));
}

static void add_most(uint64_t *to, uint64_t n)
{
    uint64_t was = __atomic_load_n(to, __ATOMIC_RELAXED);
    while (was < n && !__atomic_compare_exchange_n(to, &was, n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static void report(void *arg, const struct point *p, const struct stage *st, uint64_t rip, bool again)
{
    struct worker *w = arg;
    struct totals *t = w->t;
    struct scene_result *of = &t->scene[p->scene_index];
    bool kill = p->schedule == SCHEDULE_KILL;
    if (again) {
        uint64_t i = __atomic_fetch_add(&t->late_n, 1, __ATOMIC_RELAXED);
        if (i < EXPLORE_FAILURES)
            write_down(&t->late[i], p, st, rip);
        return;
    }
    add(kill ? &t->points : &t->schedules, 1);
    add(kill ? &of->points : &of->schedules, 1);
    add(&t->verdicts[st->verdict], 1);
    add_most(&t->waited_ns, st->waited_ns);
    if (p->trace && p->n < p->trace->n && rip != p->trace->rip[p->n])
        add(&of->elsewhere, 1);
    if (st->verdict == VERDICT_GOOD)
        return;
    add(&of->failures, 1);
    uint64_t i = __atomic_fetch_add(&t->failures_n, 1, __ATOMIC_RELAXED);
    if (i < EXPLORE_FAILURES)
        write_down(&t->failures[i], p, st, rip);
}

/* Is instruction n worth a stop: on the stride, or next to a change. */
static bool wanted(const struct step_trace *t, uint64_t n, uint32_t stride, bool changes_only)
{
    bool changed = (n < t->n && t->changed[n]) || (n > 0 && n <= t->n && t->changed[n - 1]);
    if (changed || n == t->n)
        return true;
    return changes_only ? n == 0 : n % (stride ? stride : 1) == 0;
}

static bool hopeless(const struct worker *w, const struct point *p)
{
    return __atomic_load_n(&w->t->scene[p->scene_index].failures, __ATOMIC_RELAXED) >= EXPLORE_GIVE_UP;
}

static void explore_kills(struct worker *w, struct point p, uint32_t part)
{
    const struct scene *sc = p.scene;
    struct step_trace t = {0};
    uint32_t parts = sc->parts ? sc->parts : 1;
    if (runner_record(w->r, &p, 0, &t) == 0) {
        bool changes_only = t.n > SCENE_WINDOW && (!sc->every || w->options->stride > 8);
        uint64_t skipped = 0;
        p.trace = &t;
        for (p.n = part; p.n <= t.n && !hopeless(w, &p); p.n += parts) {
            if (wanted(&t, p.n, w->options->stride, changes_only))
                runner_point(w->r, &p);
            else
                skipped++;
        }
        runner_drain(w->r);
        w->t->scene[p.scene_index].window = t.n;
        add(&w->t->scene[p.scene_index].skipped, skipped);
    }
    runner_drain(w->r);
    step_trace_free(&t);
}

struct stops {
    uint64_t at[EXPLORE_STOPS];
    size_t n;
};

/* Up to `most` places to stop at, spread over the whole way; of a long way, over those where something changes: the rest
 * is spinning and probing, and costs a step for each instruction. */
static struct stops stops_of(const struct step_trace *t, size_t most)
{
    struct stops s = {.n = 0};
    bool changes_only = t->n > SCENE_WINDOW;
    uint64_t all = 0, seen = 0;
    for (uint64_t k = 0; k < t->n; k++)
        all += wanted(t, k, 1, changes_only);
    for (uint64_t k = 0; k < t->n && s.n < most; k++)
        if (wanted(t, k, 1, changes_only) && ++seen * 2 * most > (2 * s.n + 1) * all)
            s.at[s.n++] = k;
    return s;
}

/* A grid of stops, so that there are about two_most schedules of each kind. */
static void explore_two(struct worker *w, struct point p)
{
    size_t side = 1;
    while ((side + 1) * (side + 1) <= w->options->two_most && side < EXPLORE_STOPS)
        side++;
    struct stops a = stops_of(p.trace, side), b = stops_of(p.trace_b, side);
    for (size_t i = 0; i < a.n; i++)
        for (size_t k = 0; k < b.n; k++)
            for (int how = SCHEDULE_TWO; how <= SCHEDULE_TWO_KILL_AB; how++) {
                p.n = a.at[i];
                p.m = b.at[k];
                p.schedule = (enum schedule)how;
                runner_point(w->r, &p);
            }
}

static void explore_schedules(struct worker *w, struct point p)
{
    struct step_trace a = {0}, b = {0};
    if (runner_record(w->r, &p, 0, &a) == 0 && runner_record(w->r, &p, 1, &b) == 0) {
        bool changes_only = a.n > SCENE_WINDOW;
        p.trace = &a;
        p.trace_b = &b;
        for (p.n = 0; p.n < a.n && !hopeless(w, &p); p.n++)
            if (wanted(&a, p.n, w->options->pair_stride, changes_only))
                for (int how = SCHEDULE_B_THEN_A; how <= SCHEDULE_KILL_B; how++) {
                    p.schedule = (enum schedule)how;
                    runner_point(w->r, &p);
                }
        if (w->options->two_most && !hopeless(w, &p))
            explore_two(w, p);
        w->t->scene[p.scene_index].window = a.n;
    }
    runner_drain(w->r);
    step_trace_free(&a);
    step_trace_free(&b);
}

static bool chosen(const struct scene *sc, const char *only)
{
    char name[160];
    snprintf(name, sizeof(name), "%s: %s", sc->row, sc->state);
    return !only || strstr(name, only);
}

/* Piece `item` of the work, counted over the parts of all scenes. False: there is no such piece. */
static bool piece(const struct worker *w, uint64_t item, struct point *p, uint32_t *part)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct scene *sc = &w->scenes[i];
        uint32_t parts = sc->parts && !sc->pair ? sc->parts : 1;
        if (!chosen(sc, w->options->only) || !(sc->pair ? w->options->schedules : w->options->kills))
            continue;
        if (item < parts) {
            *p = (struct point){.scene = sc, .scene_index = i, .schedule = SCHEDULE_KILL};
            *part = (uint32_t)item;
            return true;
        }
        item -= parts;
    }
    return false;
}

/* Of this worker and all children that it has reaped. */
static uint64_t cpu_ns(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    const struct timeval t[] = {self.ru_utime, self.ru_stime, children.ru_utime, children.ru_stime};
    uint64_t us = 0;
    for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
        us += (uint64_t)t[i].tv_sec * 1000000u + (uint64_t)t[i].tv_usec;
    return us * 1000;
}

static void work(struct worker *w, uint32_t index)
{
    cpu_set_t all, one;
    size_t cpu = SIZE_MAX; /* the one before the first */
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof(all), &all) == 0) {
        for (uint32_t left = index % (uint32_t)CPU_COUNT(&all) + 1; left; left--)
            while (!CPU_ISSET(++cpu, &all))
                ;
        CPU_SET(cpu, &one); /* the stepper and its victim on one core: no wake-up of another one in each step */
        sched_setaffinity(0, sizeof(one), &one);
    }
    w->r = runner_new(report, w);
    if (!w->r)
        _exit(1);
    struct point p;
    uint32_t part;
    while (piece(w, __atomic_fetch_add(&w->t->item, 1, __ATOMIC_RELAXED), &p, &part)) {
        uint64_t before = cpu_ns();
        if (p.scene->pair)
            explore_schedules(w, p);
        else
            explore_kills(w, p, part);
        add(&w->t->scene[p.scene_index].cpu_ns, cpu_ns() - before);
        add(&w->t->scenes_done, 1);
    }
    runner_free(w->r);
    _exit(0);
}

static uint64_t pieces(const struct worker *w)
{
    struct point p;
    uint32_t part;
    uint64_t n = 0;
    while (piece(w, n, &p, &part))
        n++;
    return n;
}

static void show(const struct worker *w, uint64_t all, uint64_t begun)
{
    const struct totals *t = w->t;
    char bar[31] = "..............................";
    uint64_t done = __atomic_load_n(&t->scenes_done, __ATOMIC_RELAXED);
    memset(bar, '#', all ? (size_t)(30 * done / all) : 30);
    fprintf(stderr, "\r[%s] %llu/%llu  %llu kill points, %llu schedules, %llu failed, %llu s ", bar,
            (unsigned long long)done, (unsigned long long)all, (unsigned long long)t->points,
            (unsigned long long)t->schedules, (unsigned long long)explore_failed(t),
            (unsigned long long)((step_now_ns() - begun) / 1000000000u));
}

/* Waits for the workers; a worker that dies is a failure of its own. */
static void oversee(const struct worker *w, uint32_t jobs, uint64_t begun)
{
    uint64_t all = pieces(w);
    while (jobs) {
        int status;
        pid_t got = waitpid(-1, &status, w->options->progress ? WNOHANG : 0);
        if (got > 0) {
            jobs--;
            if (status) {
                add(&w->t->verdicts[VERDICT_BROKEN], 1);
                fprintf(stderr, "crash: a worker died with status 0x%x\n", status);
            }
        } else if (got < 0 && errno != EINTR) {
            break;
        } else if (got == 0) {
            show(w, all, begun);
            usleep(200000); /* only the picture's pace */
        }
    }
    if (w->options->progress)
        fprintf(stderr, "\r%-110s\r", "");
}

static uint32_t cores(void)
{
    cpu_set_t all;
    return sched_getaffinity(0, sizeof(all), &all) == 0 ? (uint32_t)CPU_COUNT(&all) : 1;
}

struct totals *explore(const struct scene *scenes, size_t n, const struct explore_options *options)
{
    struct worker w = {.scenes = scenes, .n = n, .options = options};
    uint64_t begun = step_now_ns();
    uint32_t jobs = options->jobs ? options->jobs : 3 * cores(), started = 0;
    if (n > EXPLORE_SCENES)
        return NULL;
    w.t = mmap(NULL, sizeof(*w.t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w.t == MAP_FAILED)
        return NULL;
    fflush(NULL);
    for (uint32_t i = 0; i < jobs; i++) {
        pid_t pid = fork();
        if (pid == 0)
            work(&w, i);
        started += pid > 0;
    }
    if (!started) {
        explore_free(w.t);
        return NULL;
    }
    oversee(&w, started, begun);
    w.t->seconds = (double)(step_now_ns() - begun) / 1e9;
    return w.t;
}

void explore_free(struct totals *t)
{
    munmap(t, sizeof(*t));
}

uint64_t explore_failed(const struct totals *t)
{
    uint64_t n = 0;
    for (int v = VERDICT_GOOD + 1; v < VERDICTS; v++)
        n += t->verdicts[v];
    return n;
}
