/* SPDX-License-Identifier: MIT */
/**
 * The ops of a loop by deadline: a pairing heap that lives in the ops themselves, so nothing is allocated. Putting in
 * is O(1); so is taking out an op that was not the earliest, which is what nearly always happens: most I/O is in time.
 */
#ifndef STRAIT_DEADLINE_H
#define STRAIT_DEADLINE_H

#include "strait/loop.h"

void strait_deadline_add(struct strait_op **heap, struct strait_op *op);
void strait_deadline_remove(struct strait_op **heap, struct strait_op *op); /* nothing if it is not in */

#endif
