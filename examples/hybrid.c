/* SPDX-License-Identifier: MIT */
/**
 * Each kind of state by the means that fits it, in one system of five processes; one worker is killed in the middle.
 *
 *   config    atomic region    read by everybody, without a lock
 *   work      channel          each job to one worker; a dead worker's job to another one
 *   metrics   plain region     several numbers that belong together: a lock, and a repair after a death
 *   requests  counter          every worker adds, nobody waits
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 4
#define JOBS    1000
#define FATAL   500 /* whoever gets this job first is killed inside the metrics */

struct config {
    uint32_t factor;
    char greeting[28];
};

struct metrics {
    uint64_t jobs, total; /* total = sum of what the jobs gave */
    uint64_t repairs;
    uint64_t done[JOBS]; /* what job i gave: the total can be worked out again */
};

struct job {
    uint32_t number;
};

static struct {
    struct strait_segment *segment;
    struct strait_region *config, *metrics;
    struct strait_counter *requests;
} my;

static void must(int r)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%d: %s\n", getpid(), *strait_error() ? strait_error() : strait_strerror(r));
    exit(1);
}

static void join(const char *name)
{
    static const struct config config = {3, "hello"};
    struct strait_region_options c = {.bytes = sizeof config, .atomic = true, .initial = &config};
    struct strait_region_options m = {.bytes = sizeof(struct metrics)};

    must(strait_attach(name, NULL, &my.segment));
    must(strait_region_open(my.segment, "config", &c, &my.config));
    must(strait_region_open(my.segment, "metrics", &m, &my.metrics));
    must(strait_counter_open(my.segment, "requests", NULL, &my.requests));
}

/* The last owner died between its two stores: work the numbers out again from what is certain. */
static void repair(struct metrics *m)
{
    m->jobs = m->total = 0;
    for (int i = 0; i < JOBS; i++) {
        m->jobs += m->done[i] != 0;
        m->total += m->done[i];
    }
    m->repairs++;
    must(strait_region_heal(my.metrics));
}

static void account(uint32_t number, uint64_t result, bool die)
{
    struct metrics *m = strait_region_data(my.metrics);
    int r = strait_region_lock(my.metrics, STRAIT_FOREVER);

    must(r);
    if (r == 1)
        repair(m);
    if (m->done[number] == 0) { /* a job that comes again after a death counts once */
        m->jobs++;
        if (die)
            raise(SIGKILL);
        m->total += result;
        m->done[number] = result;
    }
    must(strait_region_unlock(my.metrics));
}

static void work(const char *name)
{
    struct strait_rx *rx;
    struct strait_msg msg;
    struct config config;
    int r;

    join(name);
    must(strait_rx_open(my.segment, "work", NULL, &rx));
    while ((r = strait_peek(rx, &msg, STRAIT_FOREVER)) == 0) {
        struct job job;
        memcpy(&job, msg.data, sizeof job);
        must(strait_counter_add(my.requests, 1));
        must(strait_region_snapshot(my.config, &config, sizeof config, STRAIT_FOREVER));
        account(job.number, (uint64_t)config.factor * (job.number + 1), job.number == FATAL && msg.attempts == 0);
        must(strait_release(rx, &msg));
    }
    must(r == -EPIPE ? 0 : r);
    _exit(0);
}

static int report(void)
{
    struct metrics *m = strait_region_data(my.metrics);
    uint64_t want = 3ull * JOBS * (JOBS + 1) / 2;
    int64_t requests;
    bool good;

    must(strait_region_lock(my.metrics, STRAIT_FOREVER));
    must(strait_counter_read(my.requests, &requests));
    printf("%llu jobs, total %llu; %lld requests; repaired %llu time(s)\n", (unsigned long long)m->jobs,
           (unsigned long long)m->total, (long long)requests, (unsigned long long)m->repairs);
    good = m->jobs == JOBS && m->total == want && m->repairs == 1 && requests == JOBS + 1;
    must(strait_region_unlock(my.metrics));
    return good ? 0 : 1;
}

int main(void)
{
    struct strait_hold *hold;
    struct strait_tx *tx;
    char name[32];
    int status, killed = 0, failed = 0;

    snprintf(name, sizeof name, "example-hybrid-%d", getpid());
    join(name);
    must(strait_tx_open(my.segment, "work", NULL, &tx));
    must(strait_channel_hold(my.segment, "work", &hold)); /* the only worker so far may be the one that dies */
    for (int i = 0; i < WORKERS; i++)
        if (fork() == 0)
            work(name);
    for (uint32_t i = 0; i < JOBS; i++) {
        struct job job = {i};
        must(strait_send(tx, &job, sizeof job, STRAIT_FOREVER));
    }
    must(strait_channel_shut(my.segment, "work")); /* workers drain the channel, then get -EPIPE */
    strait_channel_unhold(hold);
    strait_tx_close(tx);
    while (wait(&status) > 0) {
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    }
    printf("%d of %d workers killed\n", killed, WORKERS);
    failed += report() + (killed != 1);
    strait_detach(my.segment);
    strait_segment_remove(name, NULL);
    return failed != 0;
}
