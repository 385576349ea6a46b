/* SPDX-License-Identifier: MIT */
/* Beside musl there is no liburing, and party has no loop: nothing ever awaits its region there. */
#include "await.h"

void strait_await_orphan(struct strait_await *first, const void *handle)
{
    (void)first;
    (void)handle;
}
