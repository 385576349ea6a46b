/* SPDX-License-Identifier: MIT */
#include "strait/base.h"

#include <time.h>

uint64_t strait_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

uint64_t strait_after_ns(uint64_t ns)
{
    uint64_t now = strait_now_ns();
    return ns > STRAIT_FOREVER - now ? STRAIT_FOREVER : now + ns;
}
