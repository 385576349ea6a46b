/* SPDX-License-Identifier: MIT */
/** Aligned columns for people. Cells are text; colours only where asked for; what a terminal could trip over is '?'. */
#ifndef STRAIT_TOOLS_TABLE_H
#define STRAIT_TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_colour {
    TABLE_PLAIN = 0,
    TABLE_BOLD = 1,
    TABLE_DIM = 2,
    TABLE_RED = 31,
    TABLE_GREEN = 32,
    TABLE_YELLOW = 33
};

struct table_cell {
    char *text;
    enum table_colour colour;
};

struct table {
    unsigned columns;
    struct table_cell *cells; /* row by row, the heading first */
    size_t at, room;          /* the next cell; how many there is memory for */
    unsigned right;           /* bit i: column i is aligned to the right */
    bool out_of_room;         /* memory ran out: the print says so */
};

/** `headings`: one word for each column, with spaces between; a '>' before it aligns the column to the right. */
void table_begin(struct table *t, const char *headings);

/** The next cell, row by row. */
void table_cell(struct table *t, enum table_colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Print (indented by `indent`), free. Nothing if there is no row but the heading. */
void table_end(struct table *t, FILE *out, unsigned indent, bool colours);

/** "8.0 MiB"; "3 min". Static buffers, one for each call site of a statement: eight in turn. */
const char *table_bytes(unsigned long long bytes);
const char *table_age(unsigned long long ns);

/** Text from shared memory: at most n bytes, control characters and broken UTF-8 shown as '?'. Buffers as above. */
const char *table_text(const char *text, size_t n);

#endif
