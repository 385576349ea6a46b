/* SPDX-License-Identifier: MIT */
/*
 * Counting: one cell for each handle against an atomic add, of one process alone (counter), and of two processes that
 * count together (counter_shared; pinned one to a CPU): CPU time an add.
 */
#include <strait/strait.h>

#include "../crew.h"
#include "../machine.h"

#define ALONE    200000
#define BATCH_NS 20000000
#define WRITERS  2
#define CHUNK    256 /* adds between two looks whether it is over */

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "strait-bench: %s: %s (%s)\n", what, strait_strerror(r), strait_error());
    exit(3);
}

static struct shared {
    uint64_t word __attribute__((aligned(BENCH_LINE)));
    struct crew crew __attribute__((aligned(BENCH_LINE)));
} * shared;

static const struct strait_segment_options small = {.bytes = 512 << 10};
static struct strait_segment *segment;
static char name[32];

static struct strait_counter *open_counter(void)
{
    struct strait_counter *c;

    if (*name == 0)
        snprintf(name, sizeof name, "bench-%d-counter", getpid());
    must(strait_attach(name, &small, &segment), "attach");
    must(strait_counter_open(segment, "n", NULL, &c), "counter_open");
    return c;
}

static void gone(void)
{
    strait_detach(segment);
    strait_segment_remove(name, NULL);
}

static struct strait_counter *make(void)
{
    static struct strait_counter *c;

    if (c)
        return c;
    shared = bench_share(sizeof *shared);
    if (shared == NULL)
        must(-1, "mmap");
    c = open_counter();
    atexit(gone);
    return c;
}

static double fetch_add_alone(struct bench_run *run)
{
    static uint64_t own __attribute__((aligned(BENCH_LINE)));

    (void)run;
    uint64_t start = bench_now_ns();
    for (int i = 0; i < ALONE; i++)
        __atomic_fetch_add(&own, 1, __ATOMIC_RELAXED);
    return (double)(bench_now_ns() - start) / ALONE;
}

static double counter_alone(struct bench_run *run)
{
    struct strait_counter *c = make();

    (void)run;
    uint64_t start = bench_now_ns();
    for (int i = 0; i < ALONE; i++) {
        strait_counter_add(c, 1);
        __asm__ volatile("" ::: "memory"); /* each add is made */
    }
    return (double)(bench_now_ns() - start) / ALONE;
}

static uint64_t work_fetch_add(struct crew *c, unsigned who, const struct bench_run *run)
{
    uint64_t n = 0;

    (void)run;
    bench_machine_pin((int)who);
    for (crew_begin(c); !crew_over(c); n += CHUNK)
        for (int i = 0; i < CHUNK; i++)
            __atomic_fetch_add(&shared->word, 1, __ATOMIC_RELAXED);
    return n;
}

static uint64_t work_counter(struct crew *c, unsigned who, const struct bench_run *run)
{
    struct strait_counter *counter = open_counter();
    uint64_t n = 0;

    (void)run;
    bench_machine_pin((int)who);
    for (crew_begin(c); !crew_over(c); n += CHUNK)
        for (int i = 0; i < CHUNK; i++) {
            strait_counter_add(counter, 1);
            __asm__ volatile("" ::: "memory");
        }
    strait_counter_close(counter);
    strait_detach(segment);
    return n;
}

static double together(struct bench_run *run, crew_work *work)
{
    make();
    crew_run(&shared->crew, WRITERS, BATCH_NS, work, run);
    return crew_cpu_each(&shared->crew, WRITERS);
}

static double fetch_add_together(struct bench_run *run)
{
    return together(run, work_fetch_add);
}

static double counter_together(struct bench_run *run)
{
    return together(run, work_counter);
}

CREW_CONTENDER(fetch_add, "fetch_add", "atomic add to a word of its own", fetch_add_alone, BENCH_FLOOR);
CREW_CONTENDER(counter, "strait-counter", "strait_counter_add", counter_alone, BENCH_OURS);
CREW_CONTENDER(fetch_add2, "fetch_add", "atomic add to one shared word", fetch_add_together, BENCH_FLOOR);
CREW_CONTENDER(counter2, "strait-counter", "strait_counter_add", counter_together, BENCH_OURS);

static const struct bench_peer *const counter_peers[] = {&fetch_add, &counter, NULL};
static const struct bench_peer *const counter_shared_peers[] = {&fetch_add2, &counter2, NULL};
static const struct bench_case cases[] = {{.bytes = 8}};

CREW_SCENARIO(counter, "add to a counter, alone", "fetch_add", cases,
              "added to without pause; 1 process, pinned to CPU a");
CREW_SCENARIO(counter_shared, "add to a counter, 2 writers, pinned", "fetch_add", cases,
              "added to without pause; 2 processes, pinned to CPUs a and b");
