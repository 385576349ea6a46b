/* SPDX-License-Identifier: MIT */
/** Is that thread asleep? Asked of /proc, which knows it truly. */
#ifndef BENCH_ASLEEP_H
#define BENCH_ASLEEP_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define BENCH_REST_NS 20000 /* after it is seen asleep */

/** A file to ask again and again; `thread` is a kernel's id of a thread or a process. */
static inline int bench_asleep_open(pid_t thread)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", thread);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static inline bool bench_asleep(int stat)
{
    char text[256];
    ssize_t n = pread(stat, text, sizeof text - 1, 0);
    if (n <= 0)
        return false;
    text[n] = 0;
    const char *after_name = strrchr(text, ')');
    return after_name && after_name[1] == ' ' && after_name[2] == 'S';
}

static inline void bench_rest(uint64_t ns)
{
    uint64_t end = bench_ticks() + bench_to_ticks(ns);
    while (bench_ticks() < end)
        ;
}

#endif
