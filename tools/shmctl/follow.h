/* SPDX-License-Identifier: MIT */
/**
 * Reading a channel's messages without taking any: the slot's word, a copy of the payload, the word again. Nothing is
 * written, so senders and receivers do not know; who is too slow misses messages, and is told how many.
 *
 * A message that was received before we looked lies in its slot until the next one is written there, and is read all the
 * same ("late"). With one sender nothing else can lie there, and the sender's place tells whether it has begun to
 * overwrite it. With many senders a claim that was given up leaves such a slot, too: `late` says so. A pack is read whole,
 * however far its receiver has come; one that is missed counts as one message.
 */
#ifndef STRAIT_TOOLS_FOLLOW_H
#define STRAIT_TOOLS_FOLLOW_H

#include "channel.h"
#include "message.h"

struct ctl_follow {
    struct strait_channel_view view;
    struct strait_ring_end *ends; /* one a ring; cursor = what we look at next */
    unsigned char *bytes;         /* the last slot's payload */
    struct ctl_message pack;      /* what is left of it: its next message, */
    uint32_t left;                /* and how many there are */
    uint32_t next;                /* ring to begin with */
    uint64_t seen, missed;
};

/** Begin behind the newest message, or at the oldest that is unread. CTL_GOOD, else it has said why. */
int ctl_follow_begin(struct ctl_follow *f, struct ctl_segment *segment, const char *channel, bool oldest);
void ctl_follow_end(struct ctl_follow *f);

/** The next message, in `m` until the next call: true; false: none is there now. Adds to f->missed. */
bool ctl_follow_next(struct ctl_follow *f, struct ctl_message *m);

/** Paces a follower: at most `rate` messages a second (0 = no limit), and pauses where there is nothing. */
struct ctl_pace {
    uint64_t rate, n, due_ns;
    double idle;
};
void ctl_pace_message(struct ctl_pace *p);
void ctl_pace_idle(struct ctl_pace *p);

#endif
