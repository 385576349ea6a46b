/* SPDX-License-Identifier: MIT */
/* Beside musl there is no liburing, and what is built there has no loop: nothing ever awaits. */
#include "await.h"
#include "rx_fd.h"

void strait_await_orphan(struct strait_await *first, const void *handle)
{
    (void)first;
    (void)handle;
}

void strait_rx_fd_close(struct strait_endpoint *endpoint)
{
    (void)endpoint;
}
