/* SPDX-License-Identifier: MIT */
/**
 * What went wrong, kept in the segment itself so that it can be read when nobody runs any more: each distinct error once,
 * with a count, its first and its last time and whose the last one was. For slow paths: finding a cell reads a line or two,
 * counting costs an atomic add. Nothing in strait ever decides by it.
 */
#ifndef STRAIT_ERRORS_H
#define STRAIT_ERRORS_H

#include "segment.h"

/**
 * The cell of this kind of error in the object of this name ("" = the segment; at most STRAIT_NAME_BYTES are read, and
 * they may be shared ones). It is there for good: a handle may keep it. NULL: all cells are other errors', which the
 * header counts. Killed inside, it leaves a cell that nobody is shown until the same error is met again.
 */
struct strait_error_cell *strait_error_find(const struct strait_segment_map *map, enum strait_error_kind kind,
                                            const char *object);

/** Once more, n times: now, and of this lease (0 = whose is not known). A NULL cell is no harm. */
void strait_error_count(const struct strait_segment_map *map, struct strait_error_cell *cell, uint32_t lease,
                        uint64_t n);

/** Both; nothing if n is 0. */
void strait_error_note(const struct strait_segment_map *map, enum strait_error_kind kind, const char *object,
                       uint32_t lease, uint64_t n);

/** A private copy of a cell, for people. */
struct strait_error_seen {
    enum strait_error_kind kind;
    uint64_t count, first_ns, last_ns;
    uint32_t pid, lease;
    char object[STRAIT_NAME_BYTES], program[STRAIT_PROGRAM_BYTES]; /* end with 0; the bytes are anything */
};

/** Cell i of STRAIT_ERRORS: true, or nothing is in it, or no error of this build. */
bool strait_error_read(const struct strait_segment_map *map, uint32_t i, struct strait_error_seen *seen);

/** The key of a cell. */
uint64_t strait_error_key(enum strait_error_kind kind, const char *object);

#endif
