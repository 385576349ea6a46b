/* SPDX-License-Identifier: MIT */
#include "svg.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define WIDTH   900
#define HEIGHT  520
#define LEFT    80
#define RIGHT   190 /* the names */
#define TOP     50
#define BOTTOM  60
#define LEGEND  15 /* from name to name */
#define COLOURS 10

static const char *const colours[COLOURS] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                             "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};

struct svg_series *svg_add(struct svg_chart *chart, const char *name)
{
    if (chart->series_n == BENCH_SERIES)
        return NULL;
    struct svg_series *s = &chart->series[chart->series_n++];
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
    return s;
}

void svg_point(struct svg_series *s, double x, double y)
{
    if (!s || s->n == BENCH_POINTS)
        return;
    s->x[s->n] = x;
    s->y[s->n++] = y;
}

/* ---- axes ---- */

static void stretch(struct svg_axis *axis, double v)
{
    axis->least = v < axis->least ? v : axis->least;
    axis->most = v > axis->most ? v : axis->most;
}

static void round_axis(struct svg_axis *axis)
{
    if (axis->log) {
        axis->least = pow(10, floor(log10(axis->least > 0 ? axis->least : 1e-3)));
        axis->most = pow(10, ceil(log10(axis->most > axis->least ? axis->most : axis->least * 10)));
        if (axis->most <= axis->least)
            axis->most = axis->least * 10;
    } else {
        axis->least = 0;
        axis->most = axis->most > 0 ? axis->most * 1.05 : 1;
    }
}

static void find_axes(struct svg_chart *c)
{
    c->x.least = c->y.least = INFINITY;
    c->x.most = c->y.most = -INFINITY;
    for (unsigned i = 0; i < c->series_n; i++) {
        for (unsigned k = 0; k < c->series[i].n; k++) {
            stretch(&c->x, c->series[i].x[k]);
            stretch(&c->y, c->series[i].y[k]);
        }
    }
    round_axis(&c->x);
    round_axis(&c->y);
}

/* 0 … 1 along the axis. */
static double along(const struct svg_axis *axis, double v)
{
    if (!axis->log)
        return (v - axis->least) / (axis->most - axis->least);
    return log(v > axis->least ? v / axis->least : 1) / log(axis->most / axis->least);
}

static double x_of(const struct svg_chart *c, double v)
{
    return LEFT + along(&c->x, v) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct svg_chart *c, double v)
{
    return HEIGHT - BOTTOM - along(&c->y, v) * (HEIGHT - TOP - BOTTOM);
}

static const char *tick_text(double v, char text[16])
{
    if (v >= 1e9)
        snprintf(text, 16, "%gG", v / 1e9);
    else if (v >= 1e6)
        snprintf(text, 16, "%gM", v / 1e6);
    else if (v >= 1e3)
        snprintf(text, 16, "%gk", v / 1e3);
    else
        snprintf(text, 16, "%.3g", v);
    return text;
}

static void put_tick(FILE *f, const struct svg_chart *c, bool is_x, double v)
{
    char text[16];
    double x = is_x ? x_of(c, v) : LEFT, y = is_x ? HEIGHT - BOTTOM : y_of(c, v);
    fprintf(f, "<line class='grid' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f'/>", x, y, is_x ? x : WIDTH - RIGHT,
            is_x ? (double)TOP : y);
    fprintf(f, "<text x='%.1f' y='%.1f' text-anchor='%s'>%s</text>\n", is_x ? x : x - 6, is_x ? y + 16 : y + 4,
            is_x ? "middle" : "end", tick_text(v, text));
}

static void put_axis(FILE *f, const struct svg_chart *c, bool is_x)
{
    const struct svg_axis *axis = is_x ? &c->x : &c->y;
    double step = pow(10, floor(log10(axis->most)));
    step = axis->most / step < 2 ? step / 5 : axis->most / step < 5 ? step / 2 : step;
    double v = axis->least;
    for (int i = 0; v <= axis->most * 1.0001 && i < 40; i++) {
        put_tick(f, c, is_x, v);
        v = axis->log ? v * 10 : v + step;
    }
    if (is_x)
        fprintf(f, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20,
                axis->title);
    else
        fprintf(f, "<text transform='translate(20,%d) rotate(-90)' text-anchor='middle'>%s</text>\n",
                (TOP + HEIGHT - BOTTOM) / 2, axis->title);
}

/* ---- series ---- */

static void put_line(FILE *f, const struct svg_chart *c, const struct svg_series *s, const char *colour)
{
    fprintf(f, "<polyline fill='none' stroke='%s' stroke-width='%s'%s points='", colour, s->ours ? "3" : "1.5",
            s->dashed ? " stroke-dasharray='6,4'" : "");
    for (unsigned i = 0; i < s->n; i++)
        fprintf(f, "%.1f,%.1f ", x_of(c, s->x[i]), y_of(c, s->y[i]));
    fputs("'/>\n", f);
}

static void put_series(FILE *f, const struct svg_chart *c, unsigned i)
{
    const struct svg_series *s = &c->series[i];
    const char *colour = colours[i % COLOURS];
    const char *weight = s->ours ? " font-weight='bold'" : "";
    if (c->lines)
        put_line(f, c, s, colour);
    for (unsigned k = 0; k < s->n; k++) {
        double x = x_of(c, s->x[k]), y = y_of(c, s->y[k]);
        fprintf(f, "<circle cx='%.1f' cy='%.1f' r='%s' fill='%s'/>\n", x, y, c->lines ? "2" : "5", colour);
        if (!c->lines)
            fprintf(f, "<text x='%.1f' y='%.1f'%s>%s</text>\n", x + 8, y + 4, weight, s->name);
    }
    if (c->lines)
        fprintf(f, "<text x='%d' y='%d' fill='%s'%s>%s</text>\n", WIDTH - RIGHT + 12, TOP + 6 + (int)i * LEGEND, colour,
                weight, s->name);
}

int svg_write(struct svg_chart *c, const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f) {
        int error = errno;
        fprintf(stderr, "strait-bench: cannot write %s: %s\n", path, strerror(error));
        return -error;
    }
    find_axes(c);
    fprintf(f,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif' font-size='12'>\n"
            "<style>.grid{stroke:#ddd}</style><rect width='100%%' height='100%%' fill='white'/>\n"
            "<text x='%d' y='26' font-size='15' font-weight='bold'>%s</text>\n",
            WIDTH, HEIGHT, LEFT, c->title);
    put_axis(f, c, true);
    put_axis(f, c, false);
    for (unsigned i = 0; i < c->series_n; i++)
        put_series(f, c, i);
    fputs("</svg>\n", f);
    int wrong = ferror(f);
    if (fclose(f) || wrong) {
        fprintf(stderr, "strait-bench: cannot write %s\n", path);
        return -EIO;
    }
    return 0;
}
