/* SPDX-License-Identifier: MIT */
/*
 * Each kind of state by the means that fits it, in one system of five processes; one worker is killed in the middle.
 *
 *   config    atomic region    read by everybody, without a lock
 *   work      channel          each job to one worker; a dead worker's job to another one
 *   metrics   plain region     several numbers that belong together: a lock, and a repair after a death
 *   requests  counter          every worker adds, nobody waits
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "guide.h"

#define WORKERS 4
#define JOBS    1000
#define FATAL   500 /* whoever gets this job first is killed inside the metrics */

struct metrics {
    uint64_t jobs, total; /* total = sum of what the jobs gave */
    uint64_t repairs;
    uint64_t done[JOBS]; /* what job i gave: the total can be worked out again */
};

static struct strait_region *config, *metrics;
static struct strait_counter *requests;

static void open_all(void)
{
    static const uint32_t factor = 3;
    struct strait_region_options c = {.bytes = sizeof factor, .atomic = true, .initial = &factor};
    struct strait_region_options m = {.bytes = sizeof(struct metrics)};

    must(strait_region_open(segment, "config", &c, &config));
    must(strait_region_open(segment, "metrics", &m, &metrics));
    must(strait_counter_open(segment, "requests", NULL, &requests));
}

/* The last owner died between its two stores: work the numbers out again from what is certain. */
static void repair(struct metrics *m)
{
    m->jobs = m->total = 0;
    for (int i = 0; i < JOBS; i++)
        m->jobs += m->done[i] != 0, m->total += m->done[i];
    m->repairs++;
    must(strait_region_heal(metrics));
}

static void account(uint32_t job, uint64_t result, bool die)
{
    struct metrics *m = strait_region_data(metrics);
    int r = strait_region_lock(metrics, STRAIT_FOREVER);

    must(r);
    if (r == 1)
        repair(m);
    if (m->done[job] == 0) { /* a job that comes again after a death counts once */
        m->jobs++;
        if (die)
            raise(SIGKILL);
        m->total += result;
        m->done[job] = result;
    }
    must(strait_region_unlock(metrics));
}

static void work(void)
{
    struct strait_rx *rx;
    struct strait_msg msg;
    uint32_t job, factor;
    int r;

    must(strait_rx_open(segment, "work", NULL, &rx));
    while ((r = strait_peek(rx, &msg, STRAIT_FOREVER)) == 0) {
        memcpy(&job, msg.data, sizeof job);
        must(strait_counter_add(requests, 1));
        must(strait_region_snapshot(config, &factor, sizeof factor, STRAIT_FOREVER));
        account(job, (uint64_t)factor * (job + 1), job == FATAL && msg.attempts == 0);
        must(strait_release(rx, &msg));
    }
    must(r == -EPIPE ? 0 : r);
}

static void part(int i)
{
    struct strait_tx *tx;

    open_all();
    if (i > 0) {
        work();
        return;
    }
    must(strait_tx_open(segment, "work", NULL, &tx));
    for (uint32_t job = 0; job < JOBS; job++)
        must(strait_send(tx, &job, sizeof job, STRAIT_FOREVER));
    must(strait_channel_shut(segment, "work")); /* workers drain the channel, then get -EPIPE */
    strait_tx_close(tx);
}

int main(void)
{
    const struct metrics *m;
    int64_t added;
    int killed;

    join();
    open_all();
    killed = in_parallel_at("work", NULL, 1 + WORKERS, part);
    must(strait_counter_read(requests, &added));
    m = strait_region_data(metrics);
    printf("%d jobs, total %d; %d requests; repaired %d time(s); %d of %d workers killed\n", (int)m->jobs,
           (int)m->total, (int)added, (int)m->repairs, killed, WORKERS);
    return leave(killed != 1 || m->jobs != JOBS || m->total != 3 * JOBS * (JOBS + 1) / 2 || m->repairs != 1 ||
                 added != JOBS + 1);
}
