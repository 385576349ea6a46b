/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <strait/base.h>

#define TERMINAL_NS UINT64_C(100000000)
#define LINE_NS     UINT64_C(1000000000)
#define BAR_MOST    30
#define NAME_MOST   36
#define SHOWN_BYTES 1048576 /* a transfer that is expected to be smaller has no line of its own */

void progress_begin(struct progress *p, bool quiet)
{
    *p = (struct progress){.terminal = isatty(STDERR_FILENO), .quiet = quiet};
    p->began_ns = p->drawn_ns = strait_now_ns();
}

bool progress_due(const struct progress *p)
{
    return !p->quiet && strait_now_ns() - p->drawn_ns >= (p->terminal ? TERMINAL_NS : LINE_NS);
}

const char *progress_size(char text[16], uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double n = (double)bytes;
    int unit = 0;

    for (; n >= 1024 && unit < 5; unit++)
        n /= 1024;
    snprintf(text, 16, unit ? "%.1f %ciB" : "%.0f %c", n, units[unit]);
    return text;
}

const char *progress_time(char text[16], double seconds)
{
    unsigned s = seconds < 3.6e6 ? (unsigned)(seconds + 0.5) : 3600000;

    if (s < 3600)
        snprintf(text, 16, "%u:%02u", s / 60, s % 60);
    else
        snprintf(text, 16, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    return text;
}

/* ---- what is under way ---- */

void progress_clear(struct progress *p)
{
    p->lines_n = 0;
    p->coming = 0;
}

/* The largest are kept, the very largest first. */
void progress_add(struct progress *p, const char *name, uint64_t bytes, uint64_t length, uint64_t fresh)
{
    uint64_t size = length == UINT64_MAX ? bytes : length;
    uint32_t at = p->lines_n;

    if (length != UINT64_MAX && length > bytes)
        p->coming += length - bytes;
    if (size < SHOWN_BYTES)
        return;
    while (at > 0) {
        const struct progress_line *l = &p->lines[at - 1];
        if ((l->length == UINT64_MAX ? l->bytes : l->length) >= size)
            break;
        at--;
    }
    if (at == PROGRESS_LINES)
        return;
    if (p->lines_n < PROGRESS_LINES)
        p->lines_n++;
    memmove(&p->lines[at + 1], &p->lines[at], (p->lines_n - 1 - at) * sizeof *p->lines);
    p->lines[at] = (struct progress_line){name, bytes, length, fresh};
}

/* ---- drawing ---- */

/* Seconds until all is done, below 0: nobody knows. What is under way has a length; the rest is as the rest was. */
static double remaining(const struct progress *p)
{
    double left = 0, waiting = (double)(p->total - p->done - p->busy);

    if (!p->whole || (p->done == 0 && waiting > 0) || (p->coming && p->rate <= 0))
        return -1;
    if (p->coming)
        left = (double)p->coming / p->rate;
    if (waiting > 0 && p->pace > 0)
        left += waiting / p->pace;
    return left;
}

static void draw_line(const struct progress_line *l, double seconds)
{
    char size[16], whole[16], rate[16], left[16];
    double now = (double)l->fresh / seconds;
    size_t n = strlen(l->name);

    fprintf(stderr, "\n  %s%-*.*s %9s", n > NAME_MOST ? "…" : "", NAME_MOST - (n > NAME_MOST), NAME_MOST,
            n > NAME_MOST ? l->name + n - NAME_MOST + 1 : l->name, progress_size(size, l->bytes));
    if (l->length != UINT64_MAX && l->length)
        fprintf(stderr, " of %9s %3u%%", progress_size(whole, l->length),
                (unsigned)(100 * (double)l->bytes / (double)l->length));
    fprintf(stderr, " %9s/s", progress_size(rate, (uint64_t)now));
    if (l->length != UINT64_MAX && now > 0 && l->length > l->bytes)
        fprintf(stderr, " %s left", progress_time(left, (double)(l->length - l->bytes) / now));
    fprintf(stderr, "\033[K");
}

static void draw_bar(const struct progress *p)
{
    char bar[BAR_MOST + 1];
    size_t full = p->total ? (size_t)(BAR_MOST * p->done / p->total) : 0;

    if (p->lines_drawn)
        fprintf(stderr, "\033[%uA", p->lines_drawn);
    memset(bar, '.', BAR_MOST);
    memset(bar, '#', full);
    bar[BAR_MOST] = 0;
    fprintf(stderr, "\r[%s] ", bar);
}

static void draw_total(const struct progress *p)
{
    char size[16], rate[16], left[16];
    double seconds = remaining(p);

    fprintf(stderr, "%llu/%llu%s done, %llu failed, %u under way, %s, %s/s", (unsigned long long)p->done,
            (unsigned long long)p->total, p->whole ? "" : "+", (unsigned long long)p->failed, p->busy,
            progress_size(size, p->bytes), progress_size(rate, (uint64_t)p->rate));
    if (seconds >= 0)
        fprintf(stderr, ", %s left", progress_time(left, seconds));
}

static double smooth(double before, double now)
{
    return before == 0 ? now : 0.7 * before + 0.3 * now;
}

void progress_draw(struct progress *p)
{
    uint64_t now_ns = strait_now_ns();
    double seconds = (double)(now_ns - p->drawn_ns) / 1e9;

    /* a restart takes bytes back */
    p->rate = smooth(p->rate, p->bytes > p->drawn_bytes ? (double)(p->bytes - p->drawn_bytes) / seconds : 0);
    p->pace = smooth(p->pace, (double)(p->done - p->drawn_done) / seconds);
    p->drawn_ns = now_ns;
    p->drawn_bytes = p->bytes;
    p->drawn_done = p->done;
    if (!p->terminal) {
        draw_total(p);
        fprintf(stderr, "\n");
        return;
    }
    draw_bar(p);
    draw_total(p);
    fprintf(stderr, "\033[K");
    for (uint32_t i = 0; i < p->lines_n; i++)
        draw_line(&p->lines[i], seconds);
    fprintf(stderr, "\033[J");
    p->lines_drawn = p->lines_n;
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (!p->quiet && p->terminal) {
        if (p->lines_drawn)
            fprintf(stderr, "\033[%uA", p->lines_drawn);
        fprintf(stderr, "\r\033[J");
    }
    p->quiet = true;
}
