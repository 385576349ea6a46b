/* SPDX-License-Identifier: MIT */
/** What this process is attached to: the registry, the fork page, and who keeps forks out of administration. */
#ifndef STRAIT_PROCESS_H
#define STRAIT_PROCESS_H

#include <errno.h>

#include "error.h"
#include "segment.h"
#include "strait/segment.h"

/** How long a call may wait for the admin lock when the caller gave no deadline. */
#define STRAIT_ADMIN_PATIENCE_NS UINT64_C(5000000000)

struct strait_endpoint;
struct strait_handle;

/** One attachment, shared by everybody in the process that attaches to the same file. */
struct strait_segment {
    struct strait_segment_map map;
    const uint32_t *home; /* 1 in the process that attached, 0 in its forked children */
    uint32_t uses;        /* registry mutex */
    uint64_t patience_ns;
    struct strait_endpoint *endpoints; /* open channel handles. registry mutex */
    struct strait_handle *handles;     /* open handles on other objects. registry mutex */
    struct strait_segment *next;       /* registry mutex */
};

/** The registry's mutex: short sections only. Taken before any admin lock. */
void strait_process_lock(void);
void strait_process_unlock(void);

/** What every call answers in a child that uses its parent's handle: -ECHILD with a sentence. */
static inline int strait_process_forked(void)
{
    return strait_fail(-ECHILD, "this handle was made by the parent process; attach again after fork()");
}

/** 0, or that. */
int strait_process_check(const struct strait_segment *segment);

/** Enter the segment's admin section within its patience: 0, or -errno with a sentence. */
int strait_process_admin(struct strait_segment *segment);

#endif
