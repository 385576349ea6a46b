/* SPDX-License-Identifier: MIT */
/** A small segment with one channel, made by the real code, and the processes that live in it. */
#ifndef STRAIT_TESTS_MODEL_WORLD_H
#define STRAIT_TESTS_MODEL_WORLD_H

#include "endpoint.h"
#include "engine.h"
#include "region.h"
#include "strait/reply.h"

/** For setup: the segment, the channel, the first leases (actor i holds lease i + 1, if its model says so). */
void world_setup(const struct strait_channel_plan *plan);

/** For setup: a region instead of the channel. */
void world_setup_region(struct strait_region_plan *plan);
extern struct strait_part world_part; /* as checks see it */

struct strait_channel *world_channel(void);
struct strait_ring *world_ring(unsigned i);
struct strait_slot *world_slot(unsigned i); /* of all rings, one ring's behind another's */
struct strait_reply *world_reply(unsigned i);

/** The process of the running actor: as at the start, or (reborn, or without a lease) joined anew: it sweeps and takes a
 * lease, as strait_attach does. */
struct strait_segment *world_process(void);

/** The channel's name, for strait_tx_open and its like. */
#define WORLD_CHANNEL "c"
#define WORLD_REGION  "r"

/** For setup: whose process is at work, as long as no actor runs. */
struct strait_segment *world_become(unsigned actor);

/** Memory of the running actor's process; zeroed. */
void *world_allocate(size_t bytes);

/** Is a lease used, but its holder dead? For checks and for those who wait: no choice point. */
bool world_unswept(void);

/** Wait without bells: sweep if somebody has died, else until something changes. */
void world_idle(struct strait_segment *s);

/** Nobody else runs any more: sweep what is left, as any process would. */
void world_bury_all(void);

/** For checks: an end of ring i, with its cursor, looked at from outside. */
void world_producer_end(unsigned i, struct strait_ring_end *end);
void world_consumer_end(unsigned i, struct strait_ring_end *end);

/** How a slot word reads in a trace. */
void world_show_slot(uint64_t word, char *text, size_t n);

#endif
