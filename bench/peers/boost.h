/* SPDX-License-Identifier: MIT */
/** What boost.cpp gives to boost.c: a boost::interprocess::message_queue behind four C functions. */
#ifndef BENCH_BOOST_H
#define BENCH_BOOST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Makes a queue under a name of its own, which is removed at once. NULL when that fails. */
void *bench_boost_open(unsigned channel, size_t depth, size_t bytes);
void bench_boost_close(void *queue);
/** Wait for room, for a message. 0, or -1 when the queue threw. */
int bench_boost_send(void *queue, const void *from, size_t bytes);
int bench_boost_receive(void *queue, void *to, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
