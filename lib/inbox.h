/* SPDX-License-Identifier: MIT */
/** Letters from other threads to the thread of a loop. */
#ifndef STRAIT_INBOX_H
#define STRAIT_INBOX_H

#include "strait/loop.h"

struct strait_inbox {
    uint32_t lock;
    int fd;    /* eventfd: readable while there are letters, and now and then when there are none */
    bool rung; /* it was written since we last took letters */
    struct strait_letter *first, **last;
};

/** 0, -EMFILE, -ENFILE, -ENOMEM. */
int strait_inbox_open(struct strait_inbox *inbox);
void strait_inbox_close(struct strait_inbox *inbox);

/** Any thread. The letter must not be in an inbox already; it belongs to the loop's thread from here on. */
void strait_inbox_post(struct strait_inbox *inbox, struct strait_letter *letter);

/** The loop's thread: calls read of each letter that is there; says how many. */
uint32_t strait_inbox_take(struct strait_inbox *inbox);

#endif
