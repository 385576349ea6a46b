/* SPDX-License-Identifier: MIT */
/**
 * Writes one JSON document, member by member, indented. In an object each call names its member; in an array (and for
 * the document itself) the key is NULL. Strings may be any bytes: what is not UTF-8 becomes U+FFFD.
 */
#ifndef STRAIT_TOOLS_JSON_H
#define STRAIT_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 32

struct json {
    FILE *out;
    unsigned depth;
    bool filled[JSON_DEPTH]; /* does this level have a member already? */
    char closing[JSON_DEPTH];
};

void json_begin(struct json *j, FILE *out);

/** Open an object or array; json_close closes the innermost. At the outermost level it also ends the line. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close(struct json *j);

void json_string(struct json *j, const char *key, const char *value);
void json_bytes(struct json *j, const char *key, const void *bytes, size_t n);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/** Not finite: null. */
void json_double(struct json *j, const char *key, double value);

#endif
