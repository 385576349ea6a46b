/* SPDX-License-Identifier: MIT */
/**
 * Who waits for what, and who stands in the way: the wait records of all leases, each judged by the words of the object
 * that it names. Reads only; what it says is true of one instant, and peers go on meanwhile.
 */
#ifndef STRAIT_TOOLS_WAITS_H
#define STRAIT_TOOLS_WAITS_H

#include "shmctl.h"

enum ctl_why {
    CTL_WHY_UNKNOWN,         /* the object is gone or damaged */
    CTL_WHY_MOVING,          /* nothing is in the way any more: it is about to go on */
    CTL_WHY_IDLE,            /* it waits for news, and there are none */
    CTL_WHY_HELD,            /* the culprit has the lock */
    CTL_WHY_READ,            /* the culprits read it: all of them have to leave */
    CTL_WHY_TAKEN,           /* full, and the culprit is reading the slot that is in the way */
    CTL_WHY_CLAIMED,         /* the culprit has claimed the next slot and not committed it */
    CTL_WHY_UNREAD,          /* full, and none of the culprits receives */
    CTL_WHY_NO_RECEIVER,     /* full, and there is nobody to receive */
    CTL_WHY_ANSWERING,       /* the culprit works on the request */
    CTL_WHY_UNANSWERED,      /* none of the culprits has begun with the request */
    CTL_WHY_ANSWER_NOT_READ, /* the culprit, who asked, does not read the answer */
};

struct ctl_wait {
    struct ctl_lease who;
    struct strait_wait_record record;
    struct strait_object object;
    bool found; /* `object` is there */
    enum ctl_why why;
    struct strait_set culprits; /* leases */
};

struct ctl_waits {
    unsigned n;
    bool more; /* there were more than fit */
    struct ctl_wait wait[1024];
};

/** All of a segment: NULL out of memory. Free it. */
struct ctl_waits *ctl_waits_collect(struct ctl_segment *segment);

/** Is somebody in the way? */
bool ctl_wait_blocked(const struct ctl_wait *wait);

/** "the lock of region table", "space in channel jobs"; buffer as table_text. */
const char *ctl_wait_object(const struct ctl_segment *segment, const struct ctl_wait *wait);

/** The same for scripts: "held", "unread", … */
const char *ctl_why_name(enum ctl_why why);

/** The first lease of a set from `from` on, or 0. */
uint32_t ctl_set_next(const struct strait_set *set, uint32_t from);

/* ---- deadlocks ---- */

#define CTL_CYCLE_MOST 64

/** Waits that end where they began. */
struct ctl_cycle {
    unsigned n;
    const struct ctl_wait *wait[CTL_CYCLE_MOST]; /* wait[i].who waits for wait[i + 1].who, the last for the first */
    bool certain;                                /* every thread of theirs waits; else one that does not might let go */
};

/** The cycles among these waits, each process in one at most: how many, at most `most`. */
unsigned ctl_cycles(const struct ctl_waits *waits, struct ctl_cycle *cycles, unsigned most);

/** Was it there already, the very same waits? */
bool ctl_cycle_stands(const struct ctl_cycle *cycle, const struct ctl_waits *before);

#endif
