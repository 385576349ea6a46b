/* SPDX-License-Identifier: MIT */
/* Messages from one process to another, for strace to count what the kernel sees of them. Usage: core-busy N [busy]: on
 * a busy channel nobody ever sleeps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <strait/strait.h>

#include "peer.h"

static struct strait_channel_options options = {
    .senders = STRAIT_ONE, .receivers = STRAIT_ONE, .slot_bytes = 16, .depth = 16384};

static void send_all(void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    struct strait_segment *s;
    struct strait_tx *tx;

    CHECK_IS(strait_attach("busy", NULL, &s), 0);
    CHECK_IS(strait_tx_open(s, "c", &options, &tx), 0);
    for (uint64_t i = 0; i < n; i++)
        CHECK_IS(strait_send(tx, &i, sizeof i, soon()), 0);
    strait_tx_close(tx);
    strait_detach(s);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, got = 0, value;
    struct strait_segment *s;
    struct strait_rx *rx;
    pid_t pid;

    options.busy = argc > 2;
    CHECK_IS(strait_attach("busy", NULL, &s), 0);
    CHECK_IS(strait_rx_open(s, "c", &options, &rx), 0);
    pid = peer_start(send_all, &n);
    while (strait_recv(rx, &value, sizeof value, STRAIT_FOREVER) == sizeof value)
        CHECK_IS(value, got++);
    CHECK_IS(got, n);
    strait_rx_close(rx);
    peer_join(pid);
    strait_detach(s);
    printf("%llu messages\n", (unsigned long long)got);
    return 0;
}
