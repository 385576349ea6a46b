/* SPDX-License-Identifier: MIT */
/**
 * Progress on stderr: on a terminal a bar for all and a line for each of the largest transfers under way, redrawn ten times a
 * second; elsewhere a line a second.
 */
#ifndef STRAIT_PROGRESS_H
#define STRAIT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_LINES 6 /* transfers that are shown */

struct progress_line {
    const char *name;
    uint64_t bytes, length; /* length UINT64_MAX: unknown */
    uint64_t fresh;         /* bytes since the last drawing */
};

struct progress {
    /* the caller's */
    uint64_t total;               /* things to do */
    bool whole;                   /* and no more will come */
    uint64_t done, failed, bytes; /* so far */
    uint32_t busy;                /* under way */
    /* private */
    uint64_t began_ns, drawn_ns, drawn_bytes;
    uint64_t coming; /* bytes still to come of what is under way, as far as announced */
    double rate;     /* bytes a second, lately */
    double pace;     /* things a second, lately */
    uint64_t drawn_done;
    struct progress_line lines[PROGRESS_LINES];
    uint32_t lines_n, lines_drawn;
    bool terminal, quiet;
};

void progress_begin(struct progress *p, bool quiet);
/* Is it time to draw? Then: clear, add what is under way, draw. */
bool progress_due(const struct progress *p);
void progress_clear(struct progress *p);
void progress_add(struct progress *p, const char *name, uint64_t bytes, uint64_t length, uint64_t fresh);
void progress_draw(struct progress *p);
/* Takes the bar away. */
void progress_end(struct progress *p);
/* "1.5 MiB" */
const char *progress_size(char text[16], uint64_t bytes);
/* "0:07", "1:02:03" */
const char *progress_time(char text[16], double seconds);

#endif
