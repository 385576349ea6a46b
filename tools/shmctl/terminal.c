/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile bool taken; /* signal handlers look */

void terminal_end(void)
{
    static const char text[] = "\033[?7h\033[?25h\033[?1049l"; /* long lines, the cursor, the screen that was there */

    if (!taken)
        return;
    taken = false;
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0) {
        /* nobody sees it */
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool terminal_begin(void)
{
    struct termios raw;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
        return false;
    taken = true;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a page is one write(2), or what follows would see half of it */
    atexit(terminal_end);
    fputs("\033[?1049h\033[?25l\033[?7l", stdout); /* a line that is too long is cut, not wrapped */
    return true;
}

void terminal_size(unsigned *columns, unsigned *rows)
{
    struct winsize w;

    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
        *columns = w.ws_col;
        *rows = w.ws_row;
    }
}

/* ---- the page ---- */

#define LINES 512

static struct {
    unsigned columns, rows, lines;
    char *line[LINES];
} shown;

/* After a change of size a terminal may show anything: begin anew. */
static void look_at_size(void)
{
    unsigned columns, rows;

    terminal_size(&columns, &rows);
    if (columns == shown.columns && rows == shown.rows)
        return;
    for (unsigned i = 0; i < LINES; i++) {
        free(shown.line[i]);
        shown.line[i] = NULL;
    }
    shown.columns = columns;
    shown.rows = rows;
    shown.lines = 0;
    fputs("\033[H\033[2J", stdout);
}

void terminal_line(unsigned row, const char *text)
{
    if (row == 0)
        look_at_size();
    if (row >= shown.rows || row >= LINES || (shown.line[row] && strcmp(shown.line[row], text) == 0))
        return;
    printf("\033[%u;1H", row + 1);
    fputs(text, stdout);
    fputs("\033[K", stdout);
    free(shown.line[row]);
    shown.line[row] = strdup(text); /* NULL = drawn again next time */
}

void terminal_rest(unsigned rows)
{
    if (rows < shown.lines)
        printf("\033[%u;1H\033[J", rows + 1);
    for (unsigned i = rows; i < shown.lines && i < LINES; i++) {
        free(shown.line[i]);
        shown.line[i] = NULL;
    }
    shown.lines = rows;
    fflush(stdout);
}

int terminal_key(double seconds)
{
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};
    unsigned char key;

    if (poll(&p, 1, (int)(seconds * 1000)) <= 0)
        return 0;
    return read(STDIN_FILENO, &key, 1) == 1 ? key : 'q'; /* gone: so do we */
}
