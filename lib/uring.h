/* SPDX-License-Identifier: MIT */
/** The io_uring method; uring.c is the only file that knows liburing. */
#ifndef STRAIT_URING_H
#define STRAIT_URING_H

#include "method.h"

/* What this kernel's io_uring can do, from a probe, never from a version. 0, or -errno as strait_loop_create. */
struct strait_uring_features {
    bool futex;         /* FUTEX_WAIT: bells are awaited in the ring itself */
    bool defer_taskrun; /* completions run only when the loop asks */
};
int strait_uring_probe(struct strait_uring_features *features, const char **why);

#endif
