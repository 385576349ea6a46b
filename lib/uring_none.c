/* SPDX-License-Identifier: MIT */
/* In the place of uring.c where there is no liburing (musl, a cross build): loops stand on epoll. */
#include "uring.h"

#include <errno.h>

static int no_ring(uint32_t ops, void **io, const char **why)
{
    (void)ops;
    (void)io;
    if (why)
        *why = "this build is without liburing";
    return -ENOSYS;
}

const struct strait_io_method strait_uring_method = {.name = "uring", .open = no_ring};

int strait_uring_probe(struct strait_uring_features *features, const char **why)
{
    (void)features;
    return no_ring(0, NULL, why);
}
