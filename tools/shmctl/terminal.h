/* SPDX-License-Identifier: MIT */
/** A terminal for a page that is drawn again and again: the other screen, single keys, its size. Plain ANSI sequences. */
#ifndef STRAIT_TOOLS_TERMINAL_H
#define STRAIT_TOOLS_TERMINAL_H

#include <stdbool.h>

/** Take the terminal (standard input and output): false if they are none. Given back at exit, and when killed by SIGTERM
 * or SIGINT, which the caller catches. */
bool terminal_begin(void);

/** Give it back, if it was taken. Signal handlers may. */
void terminal_end(void);

void terminal_size(unsigned *columns, unsigned *rows);

/** Line `row` of the page, from 0 in order, without its end: the terminal gets it if it has changed. */
void terminal_line(unsigned row, const char *text);

/** The page has so many lines, and is whole. */
void terminal_rest(unsigned rows);

/** A key, or 0: none came within so many seconds. */
int terminal_key(double seconds);

#endif
