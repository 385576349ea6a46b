/* SPDX-License-Identifier: MIT */
/* The testing kit's own matters: the clock, the faults, both ends of a channel. testing_calls.c has what stands in for the
 * library's calls. One mutex for everything: tests are in no hurry. */
#define STRAIT_TESTING_PLAIN
#include "testing.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define FAULTS   16
#define SLICE_NS UINT64_C(5000000)    /* how long a wait lasts before it looks at the test's clock again */
#define FOREVER  UINT64_C(1000000000) /* what a timeout without a deadline takes */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t ahead_ns; /* mutex: how far the test's clock is ahead of the real one */
static uint32_t calls[STRAIT_TESTING_CALLS];
static struct {
    enum strait_testing_call call;
    uint32_t left; /* calls until it happens; 0 = unused */
    enum strait_testing_fault fault;
} faults[FAULTS];

/* ---- the clock ---- */

static uint64_t ahead(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t ns = ahead_ns;
    pthread_mutex_unlock(&mutex);
    return ns;
}

void strait_testing_advance(uint64_t ns)
{
    pthread_mutex_lock(&mutex);
    ahead_ns += ns;
    pthread_mutex_unlock(&mutex);
}

uint64_t strait_testing_now_ns(void)
{
    return strait_now_ns() + ahead();
}

uint64_t strait_testing_after_ns(uint64_t ns)
{
    uint64_t now = strait_testing_now_ns();
    return ns > STRAIT_FOREVER - now ? STRAIT_FOREVER : now + ns;
}

uint64_t testing_slice(uint64_t deadline_ns, bool *last)
{
    uint64_t now = strait_now_ns(), shift = ahead();

    *last = true;
    if (deadline_ns == STRAIT_NOW || deadline_ns == STRAIT_FOREVER)
        return deadline_ns;
    if (deadline_ns <= now + shift)
        return now; /* it is tried once, and has passed */
    *last = deadline_ns - shift <= now + SLICE_NS;
    return *last ? deadline_ns - shift : now + SLICE_NS;
}

uint64_t testing_real(uint64_t deadline_ns)
{
    uint64_t shift = ahead();

    if (deadline_ns == STRAIT_NOW || deadline_ns == STRAIT_FOREVER)
        return deadline_ns;
    return deadline_ns > shift ? deadline_ns - shift : 1;
}

/* ---- faults ---- */

int strait_testing_inject(enum strait_testing_call call, uint32_t nth, enum strait_testing_fault fault)
{
    int r = -ENOBUFS;

    if ((unsigned)call >= STRAIT_TESTING_CALLS || nth == 0 || fault < STRAIT_TESTING_FULL ||
        fault > STRAIT_TESTING_OWNER_DIED)
        return -EINVAL;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < FAULTS && r < 0; i++)
        if (faults[i].left == 0) {
            faults[i].call = call;
            faults[i].left = nth;
            faults[i].fault = fault;
            r = 0;
        }
    pthread_mutex_unlock(&mutex);
    return r;
}

enum strait_testing_fault testing_count(enum strait_testing_call call)
{
    enum strait_testing_fault now = 0;

    pthread_mutex_lock(&mutex);
    calls[call]++;
    for (size_t i = 0; i < FAULTS; i++)
        if (faults[i].left && faults[i].call == call && --faults[i].left == 0)
            now = faults[i].fault;
    pthread_mutex_unlock(&mutex);
    return now;
}

/* Nothing could be had until the deadline. */
static int run_out(uint64_t deadline_ns, bool full)
{
    uint64_t now = strait_testing_now_ns();

    if (deadline_ns == STRAIT_NOW || (full && deadline_ns == STRAIT_FOREVER))
        return -EAGAIN;
    if (deadline_ns == STRAIT_FOREVER)
        strait_testing_advance(FOREVER);
    else if (deadline_ns > now)
        strait_testing_advance(deadline_ns - now);
    return -ETIMEDOUT;
}

int testing_fault(enum strait_testing_call call, uint64_t deadline_ns)
{
    switch (testing_count(call)) {
    case STRAIT_TESTING_FULL:
        return call == STRAIT_TESTING_ATTACH ? -ENOSPC : run_out(deadline_ns, true);
    case STRAIT_TESTING_TIMEOUT:
        return run_out(deadline_ns, false);
    case STRAIT_TESTING_CLOSED:
        return call == STRAIT_TESTING_LOCK ? -ENOTRECOVERABLE : -EPIPE;
    case STRAIT_TESTING_OWNER_DIED:
        return -EOWNERDEAD;
    default:
        return 0;
    }
}

uint32_t strait_testing_calls(enum strait_testing_call call)
{
    if ((unsigned)call >= STRAIT_TESTING_CALLS)
        return 0;
    pthread_mutex_lock(&mutex);
    uint32_t n = calls[call];
    pthread_mutex_unlock(&mutex);
    return n;
}

uint32_t strait_testing_reset(void)
{
    uint32_t waiting = 0;

    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < FAULTS; i++)
        waiting += faults[i].left != 0;
    memset(faults, 0, sizeof faults);
    memset(calls, 0, sizeof calls);
    pthread_mutex_unlock(&mutex);
    return waiting;
}

/* ---- both ends ---- */

int strait_testing_pair_open(struct strait_testing_pair *pair, const struct strait_channel_options *options)
{
    struct strait_testing_pair p = {NULL, NULL, NULL};
    int r = strait_attach_unnamed(NULL, &p.segment);

    if (r == 0)
        r = strait_tx_open(p.segment, "pair", options, &p.tx);
    if (r == 0)
        r = strait_rx_open(p.segment, "pair", NULL, &p.rx);
    if (r < 0)
        strait_testing_pair_close(&p);
    else
        *pair = p;
    return r;
}

void strait_testing_pair_close(struct strait_testing_pair *pair)
{
    strait_tx_close(pair->tx);
    strait_rx_close(pair->rx);
    strait_detach(pair->segment);
    memset(pair, 0, sizeof *pair);
}
