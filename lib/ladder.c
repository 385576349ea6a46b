/* SPDX-License-Identifier: MIT */
/* Which way of waiting a loop gets: what works here, tried from the top; never a guess from the kernel's version. */
#include "method.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { URING, URING_THREAD, EPOLL, RUNGS };

static const struct strait_rung rungs[RUNGS] = {
    [URING] = {"uring", &strait_uring_method, false},
    [URING_THREAD] = {"uring-thread", &strait_uring_method, true},
    [EPOLL] = {"epoll", &strait_epoll_method, true},
};

static int open_forced(const char *name, uint32_t ops, const struct strait_rung **rung, void **io, const char **why)
{
    for (int i = 0; i < RUNGS; i++) {
        int error;

        if (strcmp(name, rungs[i].name) != 0)
            continue;
        error = rungs[i].method->open(ops, io, why);
        if (error)
            return error;
        if (!rungs[i].thread && !rungs[i].method->bells(*io)) {
            rungs[i].method->close(*io);
            *why = "STRAIT_BACKEND wants uring, but this kernel's io_uring has no futex operations";
            return -ENOSYS;
        }
        *rung = &rungs[i];
        *why = "STRAIT_BACKEND says so";
        return 0;
    }
    *why = "STRAIT_BACKEND is none of uring, uring-thread and epoll";
    return -EINVAL;
}

int strait_ladder_open(uint32_t ops, const struct strait_rung **rung, void **io, const char **why)
{
    const char *forced = secure_getenv("STRAIT_BACKEND"), *excuse = "io_uring_setup failed";

    if (forced && *forced)
        return open_forced(forced, ops, rung, io, why);
    if (strait_uring_method.open(ops, io, &excuse) < 0) {
        int error = strait_epoll_method.open(ops, io, why);
        if (error)
            return error;
        *rung = &rungs[EPOLL];
        *why = excuse;
    } else if (strait_uring_method.bells(*io)) {
        *rung = &rungs[URING];
        *why = "io_uring and its futex operations work here";
    } else {
        *rung = &rungs[URING_THREAD];
        *why = "io_uring works here, but it has no futex operations (Linux 6.7 has): a helper thread sleeps on bells";
    }
    return 0;
}
