/* SPDX-License-Identifier: MIT */
/** A folder of a test's own for its segments, in memory, gone with everything in it when the test ends. */
#ifndef STRAIT_TESTS_PLACE_H
#define STRAIT_TESTS_PLACE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct strait_segment;
struct strait_segment_shape;
struct strait_segment_map;

/** Make the folder and let STRAIT_DIR name it. Never returns when it cannot. */
void place_new(void);
void place_free(void);

const char *place_dir(void);

/** The path of a file in it. Valid until the next call of this thread. */
const char *place_path(const char *file);

/** How many files lie in it. */
int place_files(void);

/** Write a file of these bytes into it. */
void place_write(const char *file, const void *bytes, size_t n);

/** Overwrite bytes of a file in it, at an offset. */
void place_patch(const char *file, uint64_t off, const void *bytes, size_t n);

/** cmocka's setup and teardown: a place for each test. */
int place_setup(void **state);
int place_teardown(void **state);

#endif
