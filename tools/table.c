/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BUFFERS 8

static char *buffer(size_t *size)
{
    static char buffers[BUFFERS][128];
    static unsigned next;

    *size = sizeof buffers[0];
    return buffers[next++ % BUFFERS];
}

/* ---- words ---- */

const char *table_bytes(unsigned long long bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double n = (double)bytes / 1024;
    unsigned unit = 0;
    size_t size;
    char *out = buffer(&size);

    if (bytes < 1024) {
        snprintf(out, size, "%llu B", bytes);
        return out;
    }
    for (; n >= 1024 && unit < 5; unit++)
        n /= 1024;
    snprintf(out, size, n < 10 ? "%.1f %s" : "%.0f %s", n, units[unit]);
    return out;
}

const char *table_age(unsigned long long ns)
{
    unsigned long long s = ns / 1000000000;
    size_t size;
    char *out = buffer(&size);

    if (s < 1)
        snprintf(out, size, "%llu ms", ns / 1000000);
    else if (s < 120)
        snprintf(out, size, "%llu s", s);
    else if (s < 7200)
        snprintf(out, size, "%llu min", s / 60);
    else if (s < 172800)
        snprintf(out, size, "%llu h", s / 3600);
    else
        snprintf(out, size, "%llu d", s / 86400);
    return out;
}

/* Length of a UTF-8 sequence by its first byte if it is whole, else 0. Display only: overlong forms may pass. */
static size_t sequence(const char *at, size_t left)
{
    unsigned char c = (unsigned char)at[0];
    size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)at[i] & 0xC0) != 0x80)
            return 0;
    if (n == 2 && c == 0xC2 && (unsigned char)at[1] < 0xA0)
        return 0; /* a control character of the second block */
    return n;
}

const char *table_text(const char *text, size_t n)
{
    size_t size, at = 0;
    char *out = buffer(&size);

    n = strnlen(text, n);
    for (size_t i = 0; i < n && at + 5 < size;) {
        size_t length = sequence(text + i, n - i);
        if (length == 0 || (unsigned char)text[i] < ' ' || text[i] == 0x7F) {
            out[at++] = '?';
            i++;
            continue;
        }
        memcpy(out + at, text + i, length);
        at += length;
        i += length;
    }
    out[at] = 0;
    return out;
}

/* ---- rows ---- */

static struct table_cell *new_cell(struct table *t)
{
    if (t->at == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct table_cell *cells = realloc(t->cells, room * sizeof *cells);
        if (cells == NULL) {
            t->out_of_room = true;
            return NULL;
        }
        t->cells = cells;
        t->room = room;
    }
    return &t->cells[t->at++];
}

static void add(struct table *t, char *text, enum table_colour colour)
{
    struct table_cell *cell = text ? new_cell(t) : NULL;

    if (cell == NULL) {
        free(text);
        t->out_of_room = true;
        return;
    }
    *cell = (struct table_cell){text, colour};
}

void table_begin(struct table *t, const char *headings)
{
    *t = (struct table){0};
    while (*headings) {
        size_t n = strcspn(headings, " ");
        bool right = *headings == '>';
        if (right)
            t->right |= 1u << t->columns;
        add(t, strndup(headings + right, n - right), TABLE_BOLD);
        t->columns++;
        headings += n;
        headings += strspn(headings, " ");
    }
}

void table_cell(struct table *t, enum table_colour colour, const char *format, ...)
{
    char *text = NULL;
    va_list list;

    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        text = NULL;
    va_end(list);
    add(t, text, colour);
}

/* ---- print ---- */

/* Columns that a text takes: its UTF-8 characters. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static size_t column_width(const struct table *t, unsigned column)
{
    size_t most = 0;

    for (size_t i = column; i < t->at; i += t->columns)
        if (width(t->cells[i].text) > most)
            most = width(t->cells[i].text);
    return most;
}

static void print_cell(const struct table *t, FILE *out, size_t i, size_t wide, bool colours)
{
    const struct table_cell *cell = &t->cells[i];
    unsigned column = (unsigned)(i % t->columns);
    int pad = (int)(wide - width(cell->text));
    bool right = t->right >> column & 1, last = column + 1 == t->columns;

    if (right)
        fprintf(out, "%*s", pad, "");
    if (colours && cell->colour != TABLE_PLAIN)
        fprintf(out, "\033[%dm%s\033[0m", (int)cell->colour, cell->text);
    else
        fputs(cell->text, out);
    if (!last)
        fprintf(out, "%*s", (right ? 0 : pad) + 2, "");
}

void table_end(struct table *t, FILE *out, unsigned indent, bool colours)
{
    size_t wide[32] = {0};

    assert(t->columns > 0 && t->columns <= 32);
    for (unsigned c = 0; c < t->columns; c++)
        wide[c] = column_width(t, c);
    for (size_t i = 0; t->at > t->columns && i < t->at; i++) {
        if (i % t->columns == 0)
            fprintf(out, "%*s", (int)indent, "");
        print_cell(t, out, i, wide[i % t->columns], colours);
        if ((i + 1) % t->columns == 0)
            putc('\n', out);
    }
    if (t->out_of_room)
        fputs("(out of memory: rows are missing)\n", out);
    for (size_t i = 0; i < t->at; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){0};
}
