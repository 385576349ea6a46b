/* SPDX-License-Identifier: MIT */
/**
 * Shared state, killed at every instruction: tests/crash has the engine, ops.c the operations.
 *
 *   kill [--quick] [--jobs N] [--stride N] [--pair-stride N] [--two N] [--only TEXT] [--table] [--rows] [--json]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../crash/audit.h"
#include "../crash/explore.h"
#include "../crash/report.h"
#include "kill.h"

struct hands my;

bool kill_open(struct stage *st, enum strait_attach_mode how, enum flavour flavour)
{
    static const struct pair_of_numbers first = {KILL_FIRST, KILL_FIRST};
    struct strait_segment_options s = {.attach = how,
                                       .bytes = flavour == READERS ? 384 << 10 : 256 << 10,
                                       .directory_max = 8,
                                       .directory = "/dev/shm"};
    struct strait_region_options o = {.bytes = sizeof first,
                                      .atomic = flavour == ATOMIC,
                                      .readers = flavour == READERS,
                                      .initial = (const void *)&first};
    char name[STRAIT_NAME_BYTES];
    int r;

    snprintf(name, sizeof name, "state-%llx", (unsigned long long)st->serial);
    r = strait_attach(name, &s, &my.segment);
    for (int i = 0; i < KILL_REGIONS && r == 0; i++) {
        char which[3] = {'r', (char)('0' + i), 0};
        r = strait_region_open(my.segment, which, &o, &my.region[i]);
    }
    if (r == 0)
        r = strait_counter_open(my.segment, "n", &(struct strait_counter_options){.handles = 4}, &my.counter);
    return r == 0 || stage_fail(st, VERDICT_BROKEN, "open: %s", strait_error());
}

void kill_close(void)
{
    for (int i = 0; i < KILL_REGIONS; i++)
        strait_region_close(my.region[i]);
    strait_counter_close(my.counter);
    memset(my.region, 0, sizeof my.region);
    my.counter = NULL;
}

/* ---- a scene's functions ---- */

static bool prepare(struct stage *st, const void *arg)
{
    const struct operation *op = arg;

    my.wait_ns = 5 * KILL_WAIT_NS;
    snprintf(st->object, sizeof st->object, "/strait.state-%llx", (unsigned long long)st->serial);
    return kill_open(st, STRAIT_CREATE_ONLY, op->flavour) && (!op->prepare || op->prepare(st));
}

static bool enter(struct stage *st, const void *arg, int who)
{
    const struct operation *op = arg;

    my.wait_ns = op->act_too ? KILL_WAIT_NS / 50 : 5 * KILL_WAIT_NS;
    return kill_open(st, STRAIT_OPEN_ONLY, op->flavour) && (!op->enter || op->enter(st, who) >= 0);
}

static int act(struct stage *st, const void *arg, int who)
{
    const struct operation *op = arg;
    return who == 0 ? op->act(st, who) : op->act_too(st, who);
}

static void leave(struct stage *st, const void *arg, int who)
{
    const struct operation *op = arg;

    if (op->leave && who == 0 && st->actor[who].result >= 0)
        op->leave(st, who);
    kill_close();
    strait_detach(my.segment);
}

/* Who gets a dead one's index gets nothing else of it: a newcomer can lock, and nobody waits for its predecessor. */
static void join_again(struct stage *st, const struct operation *op)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        my = (struct hands){NULL};
        bool good = kill_open(st, STRAIT_OPEN_ONLY, op->flavour);
        good = good && strait_region_lock(my.region[0], STRAIT_NOW) == 0 && strait_region_unlock(my.region[0]) == 0;
        kill_close();
        strait_detach(my.segment);
        _exit(good ? 0 : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        stage_fail(st, VERDICT_LEAKED, "a newcomer cannot lock");
}

/* Nothing is left of the dead: locks, cells, references, leases. */
static void epilogue(struct stage *st, const struct operation *op)
{
    struct audit audit;
    int r = strait_sweep_dead(my.segment);

    for (int i = 0; i < KILL_REGIONS && r >= 0; i++) {
        r = strait_region_lock(my.region[i], STRAIT_NOW);
        if (r >= 0)
            strait_region_unlock(my.region[i]);
        if (r != 0 && (r < 0 || op->judge == NULL))
            stage_fail(st, VERDICT_LEAKED, "at the end, region %d says %s", i, strait_strerror(r));
        if (r == 1) /* died in, and not looked at by the judge */
            r = 0;
    }
    if (r >= 0 && op->flavour == READERS)
        join_again(st, op);
    kill_close();
    if (audit_open(&audit, st)) {
        audit_clean(&audit, st, 1);
        audit_close(&audit);
    }
    strait_detach(my.segment);
}

static void check(struct stage *st, const void *arg)
{
    const struct operation *op = arg;
    int slept = -1;

    if (op->sleep) {
        slept = op->sleep(st);
        uint64_t woke = step_now_ns();
        gate_wait(&st->go, UINT64_MAX / 2);
        st->waited_ns = woke > st->decided_ns ? woke - st->decided_ns : 0;
        if (slept < 0 || st->waited_ns > KILL_WAIT_NS)
            stage_fail(st, VERDICT_HUNG, "the sleeper woke after %llu ms with %d",
                       (unsigned long long)st->waited_ns / 1000000, slept);
    }
    if (op->judge(st, slept))
        epilogue(st, op);
}

/* ---- all scenes ---- */

static struct scene scenes[EXPLORE_SCENES];

static void build(void)
{
    for (size_t i = 0; i < operations_n; i++) {
        const struct operation *op = &operations[i];
        scenes[i] = (struct scene){.row = op->row,
                                   .state = op->state,
                                   .arg = op,
                                   .prepare = prepare,
                                   .enter = enter,
                                   .act = act,
                                   .leave = leave,
                                   .check = check,
                                   .asleep = op->sleep != NULL,
                                   .pair = op->act_too != NULL};
    }
}

struct flags {
    struct explore_options explore;
    bool table, rows, json;
};

static bool parse_number(const char *name, const char *value, struct explore_options *o)
{
    uint32_t *to = !strcmp(name, "--jobs")          ? &o->jobs
                   : !strcmp(name, "--stride")      ? &o->stride
                   : !strcmp(name, "--pair-stride") ? &o->pair_stride
                   : !strcmp(name, "--two")         ? &o->two_most
                                                    : NULL;

    if (!to || !value)
        return false;
    *to = (uint32_t)strtoul(value, NULL, 10);
    return true;
}

static int parse(int argc, char **argv, struct flags *f)
{
    f->explore =
        (struct explore_options){.stride = 1, .pair_stride = 2, .two_most = 64, .kills = true, .schedules = true};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--quick"))
            f->explore.stride = 12, f->explore.pair_stride = 24, f->explore.two_most = 4;
        else if (!strcmp(argv[i], "--table"))
            f->table = true;
        else if (!strcmp(argv[i], "--rows"))
            f->rows = true;
        else if (!strcmp(argv[i], "--json"))
            f->json = true;
        else if (!strcmp(argv[i], "--only") && value)
            f->explore.only = argv[++i];
        else if (parse_number(argv[i], value, &f->explore))
            i++;
        else
            return fprintf(stderr, "kill: unknown option %s\n", argv[i]), -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct flags f = {.table = false};

    if (parse(argc, argv, &f) < 0)
        return 2;
    build();
    for (size_t i = 0; f.rows && i < operations_n; i++)
        if (!scenes[i].pair)
            printf("%s\n", scenes[i].row);
    if (f.rows)
        return 0;
    if (!step_supported()) {
        printf("SKIPPED: this machine's single-stepping is not known to the harness\n");
        return 77;
    }
    struct totals *t = explore(scenes, operations_n, &f.explore);
    if (!t)
        return 1;
    report_failures(f.json ? stderr : stdout, scenes, t);
    if (f.table)
        report_scenes(stdout, scenes, operations_n, t);
    if (f.json)
        report_json(stdout, scenes, operations_n, t);
    else
        report_summary(stdout, t);
    bool failed = explore_failed(t) != 0 || (t->points == 0 && t->schedules == 0);
    explore_free(t);
    return failed;
}
