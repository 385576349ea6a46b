/* SPDX-License-Identifier: MIT */
/**
 * Helper threads that sleep on futex words for somebody who cannot: a loop whose io_uring has no futex operations, a loop
 * on epoll, an fd for somebody else's loop. futex_waitv(2) takes 128 words, so a helper watches up to 127 and its own; where
 * the kernel has none, each word gets a helper.
 */
#ifndef STRAIT_DOORBELL_H
#define STRAIT_DOORBELL_H

#include "strait/loop.h"

struct strait_doorbell;

/** 0, -ENOMEM. Threads are started as words are watched. */
int strait_doorbell_open(struct strait_doorbell **doorbell);

/** Joins the helpers. Nothing may be watched any more. */
void strait_doorbell_close(struct strait_doorbell *doorbell);

/**
 * Watch watch->word until it is rung, or differs from watch->expected; then watch->rung is called once, by a helper that
 * holds the doorbell's lock: short, and without calls of this page. watch->pulse, if set, is called likewise about every
 * 100 ms, until then. The watch is the caller's and stays until it has rung or is removed.
 * 0, 1 the word differs already: nothing is watched, -EAGAIN no thread could be started.
 */
int strait_doorbell_add(struct strait_doorbell *doorbell, struct strait_watch *watch);

/** Stop watching: true; false it has rung (rung has returned) or was never added. Either way the watch is the caller's. A
 * wake that the helper took for it meanwhile is passed on. */
bool strait_doorbell_remove(struct strait_doorbell *doorbell, struct strait_watch *watch);

#endif
