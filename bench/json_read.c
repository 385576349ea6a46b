/* SPDX-License-Identifier: MIT */
/*
 * A reader for our own files: walks the text once and hands each scalar to a sink, with its path ("rows.3.value"
 * without the indices: "rows.value"). Depth is bounded; anything that is not JSON is refused with its offset.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define DEPTH_MOST 16
#define FILE_MOST  (64 << 20)

struct reader {
    const char *text, *at;
    char path[128];
    struct bench_results *results;
    struct bench_row *row; /* being filled */
    unsigned index;        /* in the innermost array */
    bool schema_ok;
};

static void blanks(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static int expect(struct reader *r, char c)
{
    blanks(r);
    if (*r->at != c)
        return -EBADMSG;
    r->at++;
    return 0;
}

/* Copies a string's text, as much as fits; escapes other than \" and \\ become '?'. */
static int string(struct reader *r, char *to, size_t room)
{
    size_t n = 0;
    if (expect(r, '"') < 0)
        return -EBADMSG;
    for (; *r->at && *r->at != '"'; r->at++) {
        char c = *r->at;
        if (c == '\\') {
            c = *++r->at;
            if (!c)
                return -EBADMSG;
            c = c == '"' || c == '\\' || c == '/' ? c : '?';
        }
        if (n + 1 < room)
            to[n++] = c;
    }
    to[n] = 0;
    return expect(r, '"');
}

/* ---- the sink ---- */

struct member {
    const char *path;
    size_t offset, room; /* room: of a text; 0 = a number of `kind` */
    enum { DOUBLE, UINT, SIZE, INT } kind;
};

#define ROW_TEXT(m)                                                                                                    \
    {                                                                                                                  \
        "rows." #m, offsetof(struct bench_row, m), sizeof((struct bench_row *)0)->m, DOUBLE                            \
    }
#define ROW(m, key, kind)                                                                                              \
    {                                                                                                                  \
        "rows." key, offsetof(struct bench_row, m), 0, kind                                                            \
    }
#define HEAD_TEXT(m, key)                                                                                              \
    {                                                                                                                  \
        key, offsetof(struct bench_results, m), sizeof((struct bench_results *)0)->m, DOUBLE                           \
    }
#define HEAD(m, key, kind)                                                                                             \
    {                                                                                                                  \
        key, offsetof(struct bench_results, m), 0, kind                                                                \
    }

static const struct member row_members[] = {
    ROW_TEXT(scenario),
    ROW_TEXT(name),
    ROW_TEXT(unit),
    ROW_TEXT(why),
    ROW_TEXT(setting),
    ROW_TEXT(note),
    ROW(flags, "flags", UINT),
    ROW(bytes, "bytes", SIZE),
    ROW(case_depth, "case_depth", UINT),
    ROW(depth, "depth", UINT),
    ROW(state_bytes, "state_bytes", SIZE),
    ROW(pieces, "pieces", UINT),
    ROW(pieces_all, "pieces_all", UINT),
    ROW(value, "value", DOUBLE),
    ROW(spread, "spread", DOUBLE),
    ROW(worst, "worst", DOUBLE),
    ROW(line, "line_ns", DOUBLE),
    ROW(cpu, "cpu", DOUBLE),
    ROW(cpu_rx, "cpu_rx", DOUBLE),
};

static const struct member head_members[] = {
    HEAD_TEXT(command, "command"),
    HEAD_TEXT(when, "when"),
    HEAD_TEXT(machine.cpu_model, "machine.cpu_model"),
    HEAD_TEXT(machine.kernel, "machine.kernel"),
    HEAD(machine.cpus_n, "machine.cpus_n", UINT),
    HEAD(machine.cpus[0], "machine.cpu_a", INT),
    HEAD(machine.cpus[1], "machine.cpu_b", INT),
};

static void store(void *base, const struct member *m, const char *text, double number)
{
    void *to = (char *)base + m->offset;
    if (m->room)
        snprintf(to, m->room, "%s", text);
    else if (m->kind == DOUBLE)
        *(double *)to = number;
    else if (number < 0 || number > 1e15)
        return;
    else if (m->kind == SIZE)
        *(size_t *)to = (size_t)number;
    else if (number <= UINT32_MAX / 2)
        *(unsigned *)to = (unsigned)number; /* INT too: never negative here */
}

static void row_word(struct bench_row *row, const char *path, const char *text)
{
    if (strcmp(path, "rows.better") == 0)
        row->better = strcmp(text, "higher") == 0 ? BENCH_HIGHER : BENCH_LOWER;
    if (strcmp(path, "rows.outcome") == 0)
        row->outcome = strcmp(text, "fine") == 0     ? BENCH_FINE
                       : strcmp(text, "absent") == 0 ? BENCH_ABSENT
                       : strcmp(text, "broken") == 0 ? BENCH_BROKEN
                                                     : BENCH_NOT_RUN;
    for (int i = 0; strcmp(path, "rows.place") == 0 && i < BENCH_PLACES; i++) {
        if (strcmp(text, bench_place_name((enum bench_place)i)) == 0)
            row->place = (enum bench_place)i;
    }
}

static void scalar(struct reader *r, const char *text, double number)
{
    if (strcmp(r->path, "schema") == 0)
        r->schema_ok = strcmp(text, BENCH_JSON_SCHEMA) == 0;
    for (size_t i = 0; i < sizeof head_members / sizeof head_members[0]; i++) {
        if (strcmp(head_members[i].path, r->path) == 0)
            store(r->results, &head_members[i], text, number);
    }
    if (!r->row)
        return;
    for (size_t i = 0; i < sizeof row_members / sizeof row_members[0]; i++) {
        if (strcmp(row_members[i].path, r->path) == 0)
            store(r->row, &row_members[i], text, number);
    }
    row_word(r->row, r->path, text);
    if (strcmp(r->path, "rows.latency_ns") == 0 && r->index < BENCH_SHARES) {
        r->row->latency[r->index] = number;
        r->row->has_latency = true;
    }
}

/* ---- the walk ---- */

static int value(struct reader *r, unsigned depth);

static int object(struct reader *r, unsigned depth)
{
    size_t n = strlen(r->path);
    char key[64];
    if (strcmp(r->path, "rows") == 0)
        r->row = bench_results_add(r->results);
    r->at++;
    blanks(r);
    for (bool more = *r->at != '}'; more;) {
        if (string(r, key, sizeof key) < 0 || expect(r, ':') < 0)
            return -EBADMSG;
        snprintf(r->path + n, sizeof r->path - n, "%s%s", n ? "." : "", key);
        if (value(r, depth) < 0)
            return -EBADMSG;
        r->path[n] = 0;
        blanks(r);
        more = *r->at == ',';
        r->at += more;
    }
    return expect(r, '}');
}

static int array(struct reader *r, unsigned depth)
{
    unsigned i = 0;
    r->at++;
    blanks(r);
    for (bool more = *r->at != ']'; more;) {
        r->index = i++;
        if (value(r, depth) < 0)
            return -EBADMSG;
        blanks(r);
        more = *r->at == ',';
        r->at += more;
    }
    return expect(r, ']');
}

static int literal(struct reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (strncmp(r->at, words[i], n) == 0) {
            r->at += n;
            return 0;
        }
    }
    char *end;
    double number = strtod(r->at, &end);
    if (end == r->at)
        return -EBADMSG;
    r->at = end;
    scalar(r, "", number);
    return 0;
}

static int value(struct reader *r, unsigned depth)
{
    char text[256];
    if (depth == DEPTH_MOST)
        return -EBADMSG;
    blanks(r);
    if (*r->at == '{')
        return object(r, depth + 1);
    if (*r->at == '[')
        return array(r, depth + 1);
    if (*r->at != '"')
        return literal(r);
    if (string(r, text, sizeof text) < 0)
        return -EBADMSG;
    scalar(r, text, 0);
    return 0;
}

static char *whole_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(FILE_MOST + 1) : NULL;
    if (text) {
        size_t n = fread(text, 1, FILE_MOST, f);
        text[n] = 0;
    }
    if (f)
        fclose(f);
    return text;
}

int bench_json_read(struct bench_results *results, const char *path)
{
    *results = (struct bench_results){0};
    char *text = whole_file(path);
    if (!text) {
        int error = errno;
        fprintf(stderr, "strait-bench: cannot read %s: %s\n", path, strerror(error));
        return -error;
    }
    struct reader r = {.text = text, .at = text, .results = results};
    int status = value(&r, 0);
    if (status < 0)
        fprintf(stderr, "strait-bench: %s is not JSON at byte %td\n", path, r.at - r.text);
    else if (!r.schema_ok)
        fprintf(stderr, "strait-bench: %s is not of the schema %s\n", path, BENCH_JSON_SCHEMA);
    free(text);
    if (status == 0 && r.schema_ok)
        return 0;
    bench_results_free(results);
    return -EBADMSG;
}
