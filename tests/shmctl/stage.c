/* SPDX-License-Identifier: MIT */
/* A scene for shmctl: segment "scene" in STRAIT_DIR with a full channel, a request, peeked messages of a dead process, a
 * sleeping receiver, an unlinked channel; the admin lock is held. Prints its pids and "ready", then waits to be killed. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <strait/strait.h>

#include "admin.h"
#include "peer.h"
#include "process.h"

static struct strait_segment *segment;
static gate *gates; /* 0: the victim has peeked */

static struct strait_segment *attach(void)
{
    struct strait_segment *s;

    CHECK_IS(strait_attach("scene", NULL, &s), 0);
    return s;
}

static void peek_and_wait(void *arg)
{
    struct strait_segment *s = attach();
    struct strait_rx *rx;
    struct strait_msg msg;

    (void)arg;
    CHECK_IS(strait_rx_open(s, "jobs", NULL, &rx), 0);
    CHECK_IS(strait_peek(rx, &msg, soon()), 0);
    gate_open(&gates[0]);
    gate_wait(&gates[1]);
}

static void receive_for_ever(void *arg)
{
    struct strait_segment *s = attach();
    struct strait_rx *rx;
    char text[48];

    (void)arg;
    CHECK_IS(strait_rx_open(s, "quiet", NULL, &rx), 0);
    strait_recv(rx, text, sizeof text, STRAIT_FOREVER);
}

int main(void)
{
    struct strait_channel_options jobs = {.depth = 4, .replies = 2}, quiet = {.senders = STRAIT_ONE};
    struct strait_tx *tx, *tx2;
    struct strait_reply_rx reply;
    pid_t victim, sleeper;

    gates = shared_new(4096);
    segment = attach();
    CHECK_IS(strait_tx_open(segment, "jobs", &jobs, &tx), 0);
    CHECK_IS(strait_request(tx, 0, "job", 3, STRAIT_FOREVER, &reply, STRAIT_NOW), 0);
    for (int i = 0; i < 3; i++)
        CHECK_IS(strait_send(tx, "x", 1, STRAIT_NOW), 0);
    victim = peer_start(peek_and_wait, NULL);
    gate_wait(&gates[0]);
    CHECK_IS(strait_tx_open(segment, "quiet", &quiet, &tx2), 0);
    sleeper = peer_start(receive_for_ever, NULL);
    CHECK_IS(strait_channel_create(segment, "old", NULL), 0);
    struct strait_tx *old;
    CHECK_IS(strait_tx_open(segment, "old", NULL, &old), 0);
    CHECK_IS(strait_channel_unlink(segment, "old"), 0);
    while (strait_bell_count(__atomic_load_n(&tx2->bell->sleepers, __ATOMIC_SEQ_CST)) == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL); /* between looks, not to be in time */
    CHECK_IS(strait_admin_enter(&segment->map, soon()), 0);
    peer_kill(victim); /* with the admin lock held nobody can sweep it */
    printf("%d %d %d\nready\n", getpid(), victim, sleeper);
    fflush(stdout);
    for (;;)
        pause();
}
