/* SPDX-License-Identifier: MIT */
/** Stackful coroutines, the least of them. */
#ifndef STRAIT_TESTS_MODEL_SWITCH_H
#define STRAIT_TESTS_MODEL_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#define MODEL_STACK ((size_t)64 * 1024)

/** Leaves this stack, saying in *from how to come back, and goes on at `to`. */
void model_switch(void **from, void *to);

/** What to give to model_switch to begin `entry` on an empty stack of MODEL_STACK bytes below the 16-aligned `top`. */
void *model_new_stack(void *top, void (*entry)(void));

#endif
