/* SPDX-License-Identifier: MIT */
/**
 * The world of a fuzzer: one segment in private memory between two guards, a kernel made of arrays, and a hostile peer
 * that writes into the segment between any two accesses of the library (each access to shared memory comes by here: the
 * library is built with STRAIT_MODEL).
 */
#ifndef STRAIT_FUZZ_WORLD_H
#define STRAIT_FUZZ_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"

/* ---- input: read from the front, zero when it is used up ---- */

struct input {
    const uint8_t *at;
    size_t left;
};

uint8_t input_u8(struct input *in);
uint16_t input_u16(struct input *in);
uint64_t input_u64(struct input *in);

/* ---- memory ---- */

/** `bytes` bytes, whole pages, with 1 GiB on either side that nobody may touch. Never freed. */
unsigned char *guarded_new(size_t bytes);

/* Accesses of the library must lie in this range, or in none of the guards. */
void world_watch(unsigned char *base, size_t bytes);

/* ---- the segment ---- */

#define WORLD_BYTES  (14 * 4096) /* header, leases (seam.h), directory, eight pages of objects */
#define WORLD_DIR    12
#define WORLD_LEASES 8 /* cells that an input can change */

/** Lay the segment out, once. Then add objects, then world_keep: what world_reset brings back. */
void world_build(struct strait_segment_map *map);
void world_add(struct strait_segment_map *map, const char *name, struct strait_channel_plan plan);

/** A channel of each sort: many to many with replies, just before its turns wrap; drop-oldest, packed; one to one, packed; lanes. */
#define WORLD_CHANNELS 4
extern const char *const world_names[WORLD_CHANNELS];
void world_add_all(struct strait_segment_map *map);
void world_keep(const struct strait_segment_map *map);
void world_reset(void);

/** From now on only this part of the segment is changed, and brought back. */
void world_focus(uint64_t offset, uint64_t bytes);

/** No segment but `bytes` bytes at `memory`, zeroed: these are changed. Before each input. */
void world_raw(unsigned char *memory, size_t bytes);

/** A map of the same memory for another process, whose lease is `lease`. */
void world_map(struct strait_segment_map *map, uint32_t lease);

extern bool world_alive[STRAIT_LEASES];
extern uint64_t world_now_ns;
extern bool world_unlinked; /* the segment's name is gone */
extern unsigned char *world_segment;
extern uint64_t world_arena_off;

/** Every access of the library to shared memory comes by here. */
void world_access(const volatile void *p, size_t bytes);

/* ---- the hostile peer ---- */

/** Change one word of the segment, as the input says. */
void world_poke(struct input *in);

/** The same, but later: before an access of the library that the input chooses. */
void world_trap(struct input *in);

/** The library may make this many accesses until the next call, else it counts as hung. */
void world_patience(uint64_t accesses);

#define MUST(cond) ((cond) ? (void)0 : world_fail(__FILE__, __LINE__, #cond))
_Noreturn void world_fail(const char *file, int line, const char *what);

#endif
