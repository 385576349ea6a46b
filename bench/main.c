/* SPDX-License-Identifier: MIT */
/* strait-bench: reads the question, runs its cases one after the other, prints, judges, keeps. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "compare.h"
#include "json.h"
#include "machine.h"
#include "options.h"
#include "plot.h"
#include "run.h"
#include "table.h"
#include "worker.h"

enum { EXIT_FINE = 0, EXIT_MISSED = 1, EXIT_QUESTION = 2, EXIT_INTERRUPTED = 130 };

static int run_case(const struct bench_options *o, const struct bench_scenario *scenario, struct bench_case setting,
                    struct bench_results *results)
{
    unsigned first = results->rows_n;
    int r = bench_case_run(o, scenario, &setting, results);
    if (r == 0 && results->rows_n > first)
        bench_table_case(results, first);
    return r;
}

static int run_scenario(const struct bench_options *o, const struct bench_scenario *scenario,
                        struct bench_results *results)
{
    int r = 0;
    bool asked = !scenario->fixed && (o->sizes_n || o->depth);
    for (unsigned i = 0; !asked && r == 0 && i < scenario->cases_n; i++)
        r = run_case(o, scenario, scenario->cases[i], results);
    for (unsigned i = 0; asked && r == 0 && i < (o->sizes_n ? o->sizes_n : 1); i++) {
        struct bench_case setting = scenario->cases[0];
        setting.bytes = o->sizes_n ? o->sizes[i] : setting.bytes;
        setting.depth = o->depth ? o->depth : o->sizes_n && setting.bytes < 65536 ? 0 : setting.depth;
        r = run_case(o, scenario, setting, results);
    }
    return r;
}

static void set_down_facts(struct bench_results *results, const struct bench_options *o)
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(results->when, sizeof results->when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(results->command, sizeof results->command, "%s", o->command);
    results->machine = bench_machine;
    results->quick = o->quick;
}

static int finish(const struct bench_options *o, const struct bench_results *results)
{
    unsigned broken = 0;
    for (unsigned i = 0; i < results->rows_n; i++)
        broken += results->rows[i].outcome == BENCH_BROKEN;
    struct bench_bars_count bars = bench_bars_count(results);
    printf("\n%u bars met, %u missed, %u not judged; %u competitors broke\n", bars.met, bars.missed, bars.open, broken);
    if (o->json && bench_json_write(results, o->json) < 0)
        return EXIT_QUESTION;
    if (o->plot && bench_plot_all(results, o->plot) < 0)
        return EXIT_QUESTION;
    return broken || (o->check && (bars.missed || bars.open)) ? EXIT_MISSED : EXIT_FINE;
}

static int one_cpu_only(void)
{
    fprintf(stderr,
            "strait-bench: needs two CPUs, and may use %u: two processes on one CPU measure the scheduler.\n"
            "  A wider affinity mask (taskset, cpuset, the container's limits) helps.\n",
            bench_machine.cpus_n);
    return EXIT_QUESTION;
}

static void interrupted(int signal)
{
    (void)signal;
    bench_interrupted = 1;
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = interrupted};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int main(int argc, char **argv)
{
    struct bench_options o;
    struct bench_results results = {0};
    if (argc > 1 && strcmp(argv[1], "compare") == 0)
        return bench_compare(argc - 2, argv + 2);
    int machine = bench_machine_read();
    int r = bench_options_read(&o, argc, argv);
    if (r != 0)
        return r < 0 ? EXIT_QUESTION : EXIT_FINE;
    if (machine < 0)
        return one_cpu_only();
    catch_interrupts();
    bench_clock_start();
    set_down_facts(&results, &o);
    bench_table_head(&results);
    for (unsigned i = 0; r == 0 && i < o.scenarios_n; i++)
        r = run_scenario(&o, o.scenarios[i], &results);
    if (r < 0) {
        fprintf(stderr, "strait-bench: %s\n", r == -EINTR ? "interrupted" : strerror(-r));
        return r == -EINTR ? EXIT_INTERRUPTED : EXIT_QUESTION;
    }
    int status = finish(&o, &results);
    bench_results_free(&results);
    return status;
}
