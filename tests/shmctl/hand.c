/* SPDX-License-Identifier: MIT */
/* Processes for shmctl to look at, one kind for each first argument; each prints "ready" and lives until it is killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <strait/strait.h>

#include "peer.h"
#include "process.h"

static struct strait_segment *attach(const char *name)
{
    struct strait_segment *s;

    CHECK_IS(strait_attach(name, NULL, &s), 0);
    return s;
}

static void stay(void)
{
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* lock SEGMENT REGION: holds it. */
static void hold_lock(char **word)
{
    struct strait_region_options options = {.bytes = 64};
    struct strait_region *region;

    CHECK_IS(strait_region_open(attach(word[0]), word[1], &options, &region), 0);
    CHECK_IS(strait_region_lock(region, STRAIT_FOREVER), 0);
    memset(strait_region_data(region), 'x', 64);
    stay();
}

/* count SEGMENT COUNTER: has counted to 3. */
static void count(char **word)
{
    struct strait_counter *counter;

    CHECK_IS(strait_counter_open(attach(word[0]), word[1], NULL, &counter), 0);
    strait_counter_add(counter, 3);
    stay();
}

/* send SEGMENT CHANNEL N: "message 0" to "message N - 1", with tags. */
static void send_some(char **word)
{
    struct strait_channel_options options = {.depth = 64};
    struct strait_tx *tx;
    char text[48];

    CHECK_IS(strait_tx_open(attach(word[0]), word[1], &options, &tx), 0);
    for (int i = 0; i < atoi(word[2]); i++) {
        snprintf(text, sizeof text, "message %d", i);
        CHECK_IS(strait_send_tagged(tx, (uint16_t)i, text, (uint32_t)strlen(text), soon()), 0);
    }
    stay();
}

/* peek SEGMENT CHANNEL: has a message in its hands. */
static void peek_one(char **word)
{
    struct strait_rx *rx;
    struct strait_msg msg;

    CHECK_IS(strait_rx_open(attach(word[0]), word[1], NULL, &rx), 0);
    CHECK_IS(strait_peek(rx, &msg, soon()), 0);
    stay();
}

/* race SEED: attach, send, receive, leave, again and again, on one of four names; what it is attached to keeps its name. */
static void race(char **word)
{
    unsigned seed = (unsigned)atoi(word[0]);

    printf("ready\n");
    fflush(stdout);
    for (;;) {
        char name[16], got[16];
        struct strait_segment_options options = {.bytes = 1 << 20, .no_prefault = true};
        struct strait_segment *s;
        struct strait_tx *tx;
        struct strait_rx *rx;

        snprintf(name, sizeof name, "race-%d", rand_r(&seed) % 4);
        CHECK_IS(strait_attach(name, &options, &s), 0);
        CHECK(strait_segment_named(&s->map));
        CHECK_IS(strait_rx_open(s, name, NULL, &rx), 0);
        CHECK_IS(strait_tx_open(s, name, NULL, &tx), 0);
        CHECK_IS(strait_send(tx, name, 6, soon()), 0);
        CHECK_IS(strait_recv(rx, got, sizeof got, soon()), 6); /* somebody else's, perhaps */
        CHECK(strait_segment_named(&s->map));
        strait_tx_close(tx);
        strait_rx_close(rx);
        strait_detach(s);
    }
}

static uint64_t per_second; /* 0 = as fast as it goes */

static void produce(void *arg)
{
    struct strait_channel_options options = {.senders = STRAIT_ONE, .receivers = STRAIT_ONE};
    struct strait_tx *tx;
    uint64_t next = strait_now_ns();

    CHECK_IS(strait_tx_open(attach(arg), "stream", &options, &tx), 0);
    for (uint64_t n[6] = {0};; n[0]++) {
        for (int i = 1; i < 6; i++)
            n[i] = n[0]; /* a torn copy shows */
        if (strait_send(tx, n, sizeof n, STRAIT_FOREVER) < 0)
            return;
        for (next += per_second ? 1000000000 / per_second : 0; per_second && strait_now_ns() < next;)
            nanosleep(&(struct timespec){0, 100000}, NULL);
    }
}

/* stream SEGMENT [PER-SECOND]: one to one; prints how many were received, now and then. */
static void stream(char **word)
{
    struct strait_channel_options options = {.senders = STRAIT_ONE, .receivers = STRAIT_ONE};
    struct strait_rx *rx;
    uint64_t n[6], got = 0, said = strait_now_ns();

    per_second = word[1] ? strtoull(word[1], NULL, 10) : 0;
    CHECK_IS(strait_rx_open(attach(word[0]), "stream", &options, &rx), 0);
    peer_start(produce, word[0]);
    printf("ready\n");
    fflush(stdout);
    while (strait_recv(rx, n, sizeof n, STRAIT_FOREVER) == sizeof n) {
        if ((++got & 0xffff) != 0 || strait_now_ns() - said < 100000000)
            continue;
        said = strait_now_ns();
        printf("%llu %llu\n", (unsigned long long)said, (unsigned long long)got);
        fflush(stdout);
    }
}

static int echo(struct strait_task *task, void *context)
{
    (void)context;
    return strait_task_answer(task, STRAIT_MSG_LAST, task->data, task->bytes);
}

/* serve SEGMENT POOL: an echo. */
static void serve(char **word)
{
    struct strait_pool *pool;

    CHECK_IS(strait_pool_open(attach(word[0]), word[1], NULL, &pool), 0);
    printf("ready\n");
    fflush(stdout);
    strait_pool_serve(pool, echo, NULL, STRAIT_FOREVER);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
        void (*act)(char **word);
    } kinds[] = {{"lock", 2, hold_lock}, {"count", 2, count},   {"send", 3, send_some}, {"peek", 2, peek_one},
                 {"race", 1, race},      {"stream", 1, stream}, {"serve", 2, serve}};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (argc > kinds[i].words + 1 && strcmp(argv[1], kinds[i].name) == 0)
            kinds[i].act(argv + 2);
    return 99;
}
