/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool taken;

void terminal_end(void)
{
    if (!taken)
        return;
    taken = false;
    fputs("\033[?7h\033[?25h\033[?1049l", stdout); /* long lines, the cursor, the screen that was there */
    fflush(stdout);
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

void terminal_page(void)
{
    fputs("\033[H", stdout);
}

void terminal_line(void)
{
    fputs("\033[K\n", stdout);
}

void terminal_rest(void)
{
    fputs("\033[J", stdout);
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
