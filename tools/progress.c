/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <strait/base.h>

#define TERMINAL_NS UINT64_C(100000000)
#define LINE_NS     UINT64_C(1000000000)
#define BAR_MOST    40

void progress_begin(struct progress *p, uint64_t total, bool quiet)
{
    *p = (struct progress){.total = total, .terminal = isatty(STDERR_FILENO), .quiet = quiet};
    p->began_ns = p->drawn_ns = strait_now_ns();
}

uint64_t progress_next_ns(const struct progress *p)
{
    return p->drawn_ns + (p->terminal ? TERMINAL_NS : LINE_NS);
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

static void draw_bar(const struct progress *p)
{
    char bar[BAR_MOST + 1];
    size_t full = p->total ? (size_t)(BAR_MOST * p->done / p->total) : 0;

    memset(bar, '.', BAR_MOST);
    memset(bar, '#', full);
    bar[BAR_MOST] = 0;
    fprintf(stderr, "\r[%s] ", bar);
}

static void draw(struct progress *p, uint64_t now_ns)
{
    char size[16], rate[16];
    double seconds = (double)(now_ns - p->drawn_ns) / 1e9, now = (double)(p->bytes - p->drawn_bytes) / seconds;

    p->rate = p->rate == 0 ? now : 0.7 * p->rate + 0.3 * now;
    p->drawn_ns = now_ns;
    p->drawn_bytes = p->bytes;
    if (p->terminal)
        draw_bar(p);
    fprintf(stderr, "%llu/%llu done, %llu failed, %u under way, %s, %s/s%s", (unsigned long long)p->done,
            (unsigned long long)p->total, (unsigned long long)p->failed, p->busy, progress_size(size, p->bytes),
            progress_size(rate, (uint64_t)p->rate), p->terminal ? "\033[K" : "\n");
    fflush(stderr);
}

void progress_draw(struct progress *p)
{
    uint64_t now_ns = strait_now_ns();

    if (!p->quiet && now_ns >= progress_next_ns(p))
        draw(p, now_ns);
}

void progress_end(struct progress *p)
{
    if (!p->quiet && p->terminal)
        fprintf(stderr, "\r\033[K");
    p->quiet = true;
}
