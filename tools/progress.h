/* SPDX-License-Identifier: MIT */
/** A progress bar on stderr: redrawn ten times a second on a terminal, a line a second elsewhere. */
#ifndef STRAIT_PROGRESS_H
#define STRAIT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    uint64_t total;               /* things to do */
    uint64_t done, failed, bytes; /* so far; the caller's */
    uint32_t busy;                /* under way; the caller's */
    /* private */
    uint64_t began_ns, drawn_ns, drawn_bytes;
    double rate; /* bytes a second, lately */
    bool terminal, quiet;
};

void progress_begin(struct progress *p, uint64_t total, bool quiet);
/* When it should be drawn next, CLOCK_MONOTONIC ns. */
uint64_t progress_next_ns(const struct progress *p);
/* Draws, if it is time. */
void progress_draw(struct progress *p);
/* Takes the bar away. */
void progress_end(struct progress *p);
/* "1.5 MiB" */
const char *progress_size(char text[16], uint64_t bytes);

#endif
