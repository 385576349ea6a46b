/* SPDX-License-Identifier: MIT */
/* Ours: this process asks, one worker process fetches; as strait-fetch does it, on one loop each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../clock.h"
#include "../worker.h"
#include "fetch.h"

#define LOOK_NS UINT64_C(1000000000)

static struct seat {
    struct strait_reply_rx reply;
    uint64_t got;
    bool busy;
} seats[FETCH_AT_ONCE];

static struct strait_op news;
static struct strait_bell_ticket ticket; /* of news */
static struct strait_segment *segment;
static struct strait_loop *loop;
static struct strait_tx *tx;
static struct strait_hold *hold;
static const char *url;
static char name[STRAIT_NAME_BYTES];
static pid_t worker;
static unsigned to_ask, done;
static uint64_t look_ns;  /* until when we wait for anything: read from the clock once a look */
static uint64_t expected; /* bytes of each body */
static int failed;

static _Noreturn void be_worker(void)
{
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY};
    struct strait_fetch_options o = {.in_flight = FETCH_AT_ONCE};
    struct strait_segment *s;
    bench_worker_alone();
    _exit(strait_attach(name, &options, &s) < 0 || strait_fetch_serve(s, "fetch", &o) < 0);
}

static int begin(const char *small_url)
{
    struct strait_segment_options options = {.attach = STRAIT_CREATE_ONLY,
                                             .bytes = strait_fetch_segment_bytes(FETCH_AT_ONCE)};
    struct strait_channel_options channel = strait_fetch_channel(FETCH_AT_ONCE);
    url = small_url;
    failed = 0; /* an earlier end cancelled what was awaited */
    snprintf(name, sizeof name, "bench-%d-fetch", getpid());
    int r = strait_attach(name, &options, &segment);
    if (r == 0)
        r = strait_loop_create(&loop, FETCH_AT_ONCE * 2);
    if (r == 0)
        r = strait_tx_open(segment, "fetch", &channel, &tx);
    if (r == 0)
        r = strait_channel_hold(segment, "fetch", &hold);
    if (r < 0)
        return r;
    fflush(NULL);
    worker = fork();
    if (worker == 0)
        be_worker();
    return worker < 0 ? -errno : 0;
}

/* ---- GETs ---- */

static void ask(struct seat *seat, const char *what, const struct strait_fetch_ask *how)
{
    int r = strait_fetch(tx, what, how, &seat->reply, look_ns);
    seat->got = 0;
    seat->busy = r == 0;
    if (r < 0)
        failed = r;
}

/* Takes the parts that are there. True: that was the last one. */
static bool take(struct seat *seat)
{
    struct strait_fetch_part part = {0};
    struct strait_msg msg;
    while (!part.last) {
        int r = strait_reply_peek(&seat->reply, &msg, STRAIT_NOW);
        if (r == -EAGAIN)
            return false;
        if (r == 0)
            r = strait_fetch_part(&msg, &part);
        if (r == 0 && part.failure)
            r = -EPROTO;
        if (r < 0) {
            failed = r;
            return true;
        }
        seat->got = part.stored ? part.head.stored : seat->got + part.bytes;
        strait_reply_release(&seat->reply, &msg);
    }
    strait_reply_close(&seat->reply);
    return true;
}

static void finished(struct seat *seat)
{
    seat->busy = false;
    done++;
    if (seat->got != expected)
        failed = -EPROTO;
    if (!to_ask || failed)
        return;
    to_ask--;
    ask(seat, url, NULL);
}

static bool any_part(void)
{
    struct strait_msg msg;
    for (int i = 0; i < FETCH_AT_ONCE; i++)
        if (seats[i].busy && strait_reply_peek(&seats[i].reply, &msg, STRAIT_NOW) != -EAGAIN)
            return true;
    return false;
}

static void listen_to_all(void);

static void news_came(struct strait_op *op, int res)
{
    (void)op;
    strait_bell_leave(tx->space, &ticket);
    if (res != -ECANCELED)
        listen_to_all();
}

/* Takes what is there; then sleeps on the one bell that the worker rings with every part. */
static void listen_to_all(void)
{
    for (;;) {
        look_ns = strait_after_ns(LOOK_NS);
        for (int i = 0; i < FETCH_AT_ONCE; i++)
            if (seats[i].busy && take(&seats[i]))
                finished(&seats[i]);
        strait_bell_enter(tx->space, &ticket, STRAIT_BELL_FENCE);
        if (!any_part())
            break;
        strait_bell_leave(tx->space, &ticket);
    }
    news.done = news_came;
    int r = strait_op_bell(loop, &news, &tx->space->seq, ticket.seq, look_ns);
    if (r < 0)
        failed = r;
}

static int until(unsigned n)
{
    if (!strait_op_pending(&news))
        listen_to_all();
    while (done < n && !failed)
        if (strait_loop_step(loop, STRAIT_FOREVER) < 0)
            return -EIO;
    return failed;
}

static int small(unsigned n)
{
    done = 0;
    look_ns = strait_after_ns(LOOK_NS);
    expected = FETCH_SMALL_BYTES;
    to_ask = n > FETCH_AT_ONCE ? n - FETCH_AT_ONCE : 0;
    for (unsigned i = 0; i < n && i < FETCH_AT_ONCE; i++)
        ask(&seats[i], url, NULL);
    return until(n);
}

static int body(const char *large_url, const char *file, uint64_t bytes)
{
    struct strait_fetch_ask how = {.file = file};
    done = to_ask = 0;
    look_ns = strait_after_ns(LOOK_NS);
    expected = bytes;
    ask(&seats[0], large_url, &how);
    return until(1);
}

/* ---- what it costs ---- */

static uint64_t cpu_ns(void)
{
    clockid_t clock;
    uint64_t mine = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    return clock_getcpuclockid(worker, &clock) == 0 ? mine + bench_clock_ns(clock) : mine;
}

static uint64_t peak_bytes(void)
{
    char path[64], line[128];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", worker);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (uint64_t)kib << 10;
}

static void end(void)
{
    if (tx)
        strait_send_tagged(tx, STRAIT_FETCH_SHUTDOWN, NULL, 0, STRAIT_NOW);
    if (worker > 0)
        waitpid(worker, NULL, 0);
    strait_loop_destroy(loop);
    if (hold)
        strait_channel_unhold(hold);
    strait_tx_close(tx);
    strait_detach(segment);
    strait_segment_remove(name, NULL);
}

const struct bench_fetcher bench_fetcher_strait = {
    .begin = begin, .small = small, .body = body, .cpu_ns = cpu_ns, .peak_bytes = peak_bytes, .end = end};
