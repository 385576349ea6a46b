/* SPDX-License-Identifier: MIT */
/** What every channel has carried so far, read off its slots' turns: two samples make a rate. No counter is shared for it. */
#ifndef STRAIT_TOOLS_SAMPLE_H
#define STRAIT_TOOLS_SAMPLE_H

#include "shmctl.h"

struct ctl_sample {
    bool unlinked; /* it has no name any more */
    char segment[STRAIT_NAME_BYTES], channel[STRAIT_NAME_BYTES];
    uint64_t id;             /* segment, entry and its serial: the same channel in the next sample? */
    uint64_t sent, received; /* slots, since it was made; those that were given up count, too */
    uint64_t packs, packed;  /* of a packed channel: slots that have been used, messages in them, now or last */
    uint64_t used, capacity; /* slots, of all rings */
    uint32_t senders, receivers, senders_asleep, receivers_asleep;
    uint64_t dropped, redelivered, dead_letters;
    uint32_t status;
    uint64_t ns; /* CLOCK_MONOTONIC */
};

struct ctl_samples {
    unsigned n, room;
    struct ctl_sample *sample;
    const char *channel; /* NULL = all; else only this one */
};

/** Add all channels of the segment. For ctl_each: arg is a struct ctl_samples. */
int ctl_sample(const struct ctl *ctl, struct ctl_segment *segment, void *samples);

/** The same channel in another sample, or NULL. */
const struct ctl_sample *ctl_sample_find(const struct ctl_samples *samples, const struct ctl_sample *like);

/** Messages a second from one to the next; of a packed channel, as if all slots had held as many as now. */
double ctl_sample_rate(const struct ctl_sample *before, const struct ctl_sample *now, bool received);

/** "950", "12.3 k", "4.5 M"; the fourth after it takes its buffer. */
const char *ctl_rate_text(double rate);

void ctl_samples_free(struct ctl_samples *samples);

#endif
