/* SPDX-License-Identifier: MIT */
/** What an exploration says at its end, to people and to programs. */
#ifndef STRAIT_TESTS_CRASH_REPORT_H
#define STRAIT_TESTS_CRASH_REPORT_H

#include <stdio.h>

#include "explore.h"

/** One line a failing stretch of a scene: neighbours with the same verdict are put together. */
void report_failures(FILE *to, const struct scene *scenes, const struct totals *t);
/** The table of scenes: points, schedules, longest window. */
void report_scenes(FILE *to, const struct scene *scenes, size_t n, const struct totals *t);
void report_summary(FILE *to, const struct totals *t);
void report_json(FILE *to, const struct scene *scenes, size_t n, const struct totals *t);

#endif
