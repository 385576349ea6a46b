/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* How many bytes the UTF-8 sequence at `at` has, or 0 if it is none: overlong forms, surrogates and beyond U+10FFFF are
 * not UTF-8. */
static size_t sequence(const unsigned char *at, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t n = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;

    if (n == 0 || n > left)
        return 0;
    if (at[0] == 0xE0)
        low = 0xA0;
    else if (at[0] == 0xED)
        high = 0x9F;
    else if (at[0] == 0xF0)
        low = 0x90;
    else if (at[0] == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xBF)
        if (at[i] < low || at[i] > high)
            return 0;
    return n;
}

static void quote(FILE *out, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;

    putc('"', out);
    for (size_t i = 0; i < n;) {
        size_t length = sequence(at + i, n - i);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (at[i] == '"' || at[i] == '\\')
            fprintf(out, "\\%c", at[i]);
        else if (at[i] < 0x20 || at[i] == 0x7F)
            fprintf(out, "\\u%04x", at[i]);
        else
            fwrite(at + i, 1, length, out);
        i += length ? length : 1;
    }
    putc('"', out);
}

/* A comma, a new line, the key: all that stands before a value. */
static void member(struct json *j, const char *key)
{
    if (j->depth == 0)
        return;
    if (j->filled[j->depth - 1])
        putc(',', j->out);
    j->filled[j->depth - 1] = true;
    fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
    assert((key != NULL) == (j->closing[j->depth - 1] == '}'));
    if (key) {
        quote(j->out, key, strlen(key));
        fputs(": ", j->out);
    }
}

static void open_level(struct json *j, const char *key, char opening, char closing)
{
    member(j, key);
    assert(j->depth < JSON_DEPTH);
    putc(opening, j->out);
    j->filled[j->depth] = false;
    j->closing[j->depth++] = closing;
}

void json_begin(struct json *j, FILE *out)
{
    *j = (struct json){.out = out};
}

void json_object(struct json *j, const char *key)
{
    open_level(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
    open_level(j, key, '[', ']');
}

void json_close(struct json *j)
{
    assert(j->depth > 0);
    j->depth--;
    if (j->filled[j->depth])
        fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
    putc(j->closing[j->depth], j->out);
    if (j->depth == 0)
        putc('\n', j->out);
}

void json_bytes(struct json *j, const char *key, const void *bytes, size_t n)
{
    member(j, key);
    quote(j->out, bytes, n);
}

void json_string(struct json *j, const char *key, const char *value)
{
    json_bytes(j, key, value, strlen(value));
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
    member(j, key);
    fprintf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
    member(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    member(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
    member(j, key);
    fputs("null", j->out);
}

void json_double(struct json *j, const char *key, double value)
{
    member(j, key);
    if (isfinite(value))
        fprintf(j->out, "%.17g", value);
    else
        fputs("null", j->out);
}
