/* SPDX-License-Identifier: MIT */
/** A terminal for a page that is drawn again and again: the other screen, single keys, its size. Plain ANSI sequences. */
#ifndef STRAIT_TOOLS_TERMINAL_H
#define STRAIT_TOOLS_TERMINAL_H

#include <stdbool.h>

/** Take the terminal (standard input and output): false if they are none. Given back at exit, and when killed by SIGTERM
 * or SIGINT, which the caller catches. */
bool terminal_begin(void);
void terminal_end(void);

void terminal_size(unsigned *columns, unsigned *rows);

/** Before a page, and behind each of its lines, and behind the page. */
void terminal_page(void);
void terminal_line(void);
void terminal_rest(void);

/** A key, or 0: none came within so many seconds. */
int terminal_key(double seconds);

#endif
