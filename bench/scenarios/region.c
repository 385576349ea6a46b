/* SPDX-License-Identifier: MIT */
/*
 * Locks and what they guard, against pthread's: a robust process-shared mutex, and a process-shared rwlock.
 *
 *   region        lock and unlock, nobody else wants it; 64 B of data, one process
 *   region_hot    four processes, nothing outside the lock; 64 B written inside; not pinned
 *   region_mild   likewise, about 2 us outside
 *   snapshot      two readers copy the data again and again, a writer changes them every 0.5 ms; not pinned
 *
 * Times are wall time divided by what all processes did together; of snapshot, the readers' CPU time a read (a reader of
 * the rwlock that sleeps costs nothing in it).
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strait/strait.h>

#include "../crew.h"
#include "../machine.h"

#define ALONE      20000 /* operations of a batch */
#define BATCH_NS   20000000
#define WRITE_NS   500000
#define OUTSIDE    60 /* pauses outside the lock */
#define DATA_BYTES 64
#define DATA_MOST  1024

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "strait-bench: %s: %s (%s)\n", what, strait_strerror(r), strait_error());
    exit(3);
}

/* ---- both kinds of locks ---- */

static struct pthread_side {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    unsigned char data[DATA_MOST] __attribute__((aligned(BENCH_LINE)));
    struct crew crew;
} * side;

static void make_side(void)
{
    pthread_mutexattr_t m;
    pthread_rwlockattr_t rw;

    if (side)
        return;
    side = bench_share(sizeof *side);
    if (side == NULL)
        must(-errno, "mmap");
    pthread_mutexattr_init(&m);
    pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&side->mutex, &m);
    pthread_rwlockattr_init(&rw);
    pthread_rwlockattr_setpshared(&rw, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&side->rwlock, &rw);
}

static const struct strait_segment_options small = {.bytes = 512 << 10};
static struct strait_segment *segment;
static char name[32];

/* In this process, or in a worker of it. Data of `bytes`, atomic or plain. */
static struct strait_region *open_region(uint64_t bytes, bool atomic)
{
    struct strait_region_options o = {.bytes = bytes, .atomic = atomic};
    struct strait_region *r;
    char which[16];

    if (*name == 0)
        snprintf(name, sizeof name, "bench-%d-region", getpid());
    snprintf(which, sizeof which, "%s%u", atomic ? "atomic" : "plain", (unsigned)bytes);
    must(strait_attach(name, &small, &segment), "attach");
    must(strait_region_open(segment, which, &o, &r), "region_open");
    return r;
}

static void gone(void)
{
    strait_detach(segment);
    strait_segment_remove(name, NULL);
}

static void make_segment(void)
{
    make_side();
    if (segment)
        return;
    open_region(DATA_BYTES, false);
    atexit(gone);
}

/* ---- alone ---- */

static double mutex_alone(struct bench_run *run)
{
    (void)run;
    make_side();
    uint64_t start = bench_now_ns();
    for (int i = 0; i < ALONE; i++) {
        pthread_mutex_lock(&side->mutex);
        pthread_mutex_unlock(&side->mutex);
    }
    return (double)(bench_now_ns() - start) / ALONE;
}

static double region_alone(struct bench_run *run)
{
    static struct strait_region *r;

    (void)run;
    make_segment();
    if (r == NULL)
        r = open_region(DATA_BYTES, false);
    uint64_t start = bench_now_ns();
    for (int i = 0; i < ALONE; i++)
        if (strait_region_lock(r, STRAIT_FOREVER) != 0 || strait_region_unlock(r) != 0)
            must(-EPROTO, "region_lock");
    return (double)(bench_now_ns() - start) / ALONE;
}

/* ---- contended ---- */

#define CONTENDERS 4

static void touch(void *data)
{
    volatile uint64_t *word = data;
    for (int i = 0; i < DATA_BYTES / 8; i++)
        word[i] = word[i] + 1;
}

static void outside(const struct bench_run *run)
{
    bool mild = strcmp(run->scenario->name, "region_mild") == 0;
    for (int i = 0; mild && i < OUTSIDE; i++)
        strait_pause();
}

static uint64_t work_mutex(struct crew *c, unsigned who, const struct bench_run *run)
{
    uint64_t n = 0;

    (void)who;
    for (crew_begin(c); !crew_over(c); n++) {
        pthread_mutex_lock(&side->mutex);
        touch(side->data);
        pthread_mutex_unlock(&side->mutex);
        outside(run);
    }
    return n;
}

static uint64_t work_region(struct crew *c, unsigned who, const struct bench_run *run)
{
    struct strait_region *r = open_region(DATA_BYTES, false);
    uint64_t n = 0;

    (void)who;
    for (crew_begin(c); !crew_over(c); n++) {
        must(strait_region_lock(r, STRAIT_FOREVER), "region_lock");
        touch(r->data);
        must(strait_region_unlock(r), "region_unlock");
        outside(run);
    }
    strait_detach(segment);
    return n;
}

/* How even it was: the least over the most that one of them did, mean of the batches. */
static double contended(struct bench_run *run, crew_work *work)
{
    uint64_t all = 0, least = UINT64_MAX, most = 0;

    bench_machine_pin(-1);
    double ns = crew_run(&side->crew, CONTENDERS, BATCH_NS, work, run);
    for (unsigned i = 0; i < CONTENDERS; i++) {
        uint64_t done = side->crew.each[i].done;
        all += done;
        least = done < least ? done : least;
        most = done > most ? done : most;
    }
    run->even = (run->pieces_n ? run->even : 0) + (most ? (double)least / (double)most : 0);
    snprintf(run->note, sizeof run->note, "least/most served %.2f", run->even / (run->pieces_n + 1));
    return ns / (double)(all ? all : 1);
}

static double mutex_contended(struct bench_run *run)
{
    make_side();
    return contended(run, work_mutex);
}

static double region_contended(struct bench_run *run)
{
    make_segment();
    return contended(run, work_region);
}

/* ---- snapshots ---- */

#define READERS 2 /* and one writer */

static void until_next(struct crew *c)
{
    nanosleep(&(struct timespec){0, WRITE_NS}, NULL);
    (void)c;
}

static uint64_t check(const unsigned char *copy, size_t bytes)
{
    if (copy[0] != copy[bytes - 1])
        must(-EBADMSG, "a torn copy");
    return 1;
}

static uint64_t work_rwlock(struct crew *c, unsigned who, const struct bench_run *run)
{
    unsigned char copy[DATA_MOST];
    size_t bytes = run->shape.bytes;
    uint64_t n = 0;

    for (crew_begin(c); !crew_over(c);)
        if (who == READERS) {
            pthread_rwlock_wrlock(&side->rwlock);
            memset(side->data, side->data[0] + 1, bytes);
            pthread_rwlock_unlock(&side->rwlock);
            until_next(c);
        } else {
            pthread_rwlock_rdlock(&side->rwlock);
            memcpy(copy, side->data, bytes);
            pthread_rwlock_unlock(&side->rwlock);
            n += check(copy, bytes);
        }
    return n;
}

static uint64_t work_snapshot(struct crew *c, unsigned who, const struct bench_run *run)
{
    unsigned char copy[DATA_MOST], *spare;
    size_t bytes = run->shape.bytes;
    struct strait_region *r = open_region(bytes, true);
    uint64_t n = 0;

    for (crew_begin(c); !crew_over(c);)
        if (who == READERS) {
            must(strait_region_lock(r, STRAIT_FOREVER), "region_lock");
            must(strait_region_begin(r, (void **)&spare), "region_begin");
            memset(spare, spare[0] + 1, bytes);
            must(strait_region_commit(r), "region_commit");
            must(strait_region_unlock(r), "region_unlock");
            until_next(c);
        } else {
            must(strait_region_snapshot(r, copy, bytes, STRAIT_FOREVER), "region_snapshot");
            n += check(copy, bytes);
        }
    strait_detach(segment);
    return n;
}

static double reading(struct bench_run *run, crew_work *work)
{
    bench_machine_pin(-1);
    crew_run(&side->crew, READERS + 1, BATCH_NS, work, run);
    return crew_cpu_each(&side->crew, READERS);
}

static double rwlock_reading(struct bench_run *run)
{
    make_side();
    memset(side->data, 0, sizeof side->data); /* another size was here before */
    return reading(run, work_rwlock);
}

static double snapshot_reading(struct bench_run *run)
{
    make_segment();
    return reading(run, work_snapshot);
}

/* ---- who competes ---- */

CREW_CONTENDER(mutex, "pthread-robust", "a robust process-shared mutex", mutex_alone, 0);
CREW_CONTENDER(region, "strait-region", "strait_region_lock and _unlock", region_alone, BENCH_OURS);
CREW_CONTENDER(mutex4, "pthread-robust", "a robust process-shared mutex", mutex_contended, 0);
CREW_CONTENDER(region4, "strait-region", "strait_region_lock and _unlock", region_contended, BENCH_OURS);
CREW_CONTENDER(rwlock, "pthread-rwlock", "a process-shared rwlock", rwlock_reading, 0);
CREW_CONTENDER(snapshot, "strait-snapshot", "strait_region_snapshot", snapshot_reading, BENCH_OURS);

static const struct bench_peer *const region_peers[] = {&mutex, &region, NULL};
static const struct bench_peer *const region_hot_peers[] = {&mutex4, &region4, NULL};
#define region_mild_peers region_hot_peers
static const struct bench_peer *const snapshot_peers[] = {&rwlock, &snapshot, NULL};

static const struct bench_case one_case[] = {{.bytes = DATA_BYTES}};
static const struct bench_case sizes[] = {{.bytes = 64}, {.bytes = 256}, {.bytes = 1024}};

CREW_SCENARIO(region, "lock and unlock, uncontended, 64 B", "pthread-robust", one_case,
              "nothing written inside; 1 process, again at once; pinned to CPU a");
CREW_SCENARIO(region_hot, "4 processes at one lock, nothing outside, 64 B written inside", "pthread-robust", one_case,
              "all written each time; 4 processes, again at once; not pinned on CPUs a, b");
CREW_SCENARIO(region_mild, "4 processes at one lock, 60 pauses outside, 64 B written inside", "pthread-robust",
              one_case, "all written each time; 4 processes, again after 60 pauses; not pinned on CPUs a, b");
CREW_SCENARIO(snapshot, "2 readers, a writer every 0.5 ms", "pthread-rwlock", sizes,
              "a write every 0.5 ms and a sleep's slack; 2 readers, 1 writer; not pinned on CPUs a, b");
