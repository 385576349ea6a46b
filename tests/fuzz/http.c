/* SPDX-License-Identifier: MIT */
/*
 * What a server may send: an answer in pieces, through the parser and whatever reads heads afterwards. The input's first
 * bytes choose what was asked for and how the rest is cut.
 */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fields(const char *fields)
{
    char value[64], joined[256];
    uint64_t from, end, total;
    struct strait_url base, to;
    const char *why;
    int n = strait_fields_get(fields, "content-range", value, sizeof value);

    if (n >= 0 && strait_range_parse(value, &from, &end, &total) == 0)
        MUST(from <= end && (total == UINT64_MAX || from == UINT64_MAX || end <= total));
    MUST(strait_url_parse(&base, "https://h:8/a/b?c", &why) == 0);
    n = strait_fields_get(fields, "location", value, sizeof value);
    if (n >= 0 && strait_url_join(joined, sizeof joined, &base, value, &why) == 0) {
        MUST(strlen(joined) < sizeof joined && !strchr(joined, '#'));
        if (strait_url_parse(&to, joined, &why) == 0)
            MUST(to.target + to.target_bytes <= joined + strlen(joined));
    }
}

/* The body is at the front of what was fed, and no longer than it; fields are lines without control bytes. */
static void check(const struct strait_http *http, size_t fed, size_t body)
{
    MUST(body <= fed);
    MUST(!http->done || http->head_done);
    if (!http->fields)
        return;
    MUST(strlen(http->fields) == http->fields_bytes);
    for (const char *at = http->fields; *at; at++)
        MUST((unsigned char)*at >= ' ' || *at == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct strait_http http; /* its memory is used again, as a transfer does */
    size_t step, body = 0;
    int error = 0;

    if (size < 2)
        return 0;
    strait_http_begin(&http);
    http.want_fields = data[0] & 1;
    http.no_body = data[0] & 2;
    step = 1 + data[1];
    data += 2;
    size -= 2;
    while (size && error == 0 && !http.done) {
        size_t n = size < step ? size : step;
        char *piece = malloc(n); /* a sanitizer sees a byte too far */
        MUST(piece != NULL);
        memcpy(piece, data, n);
        error = strait_http_feed(&http, piece, n, &body);
        if (error == 0)
            check(&http, n, body);
        else
            MUST(http.why != NULL);
        free(piece);
        data += n;
        size -= n;
    }
    if (error == 0 && !http.done && strait_http_eof(&http) == 0)
        MUST(http.done && !http.keep_alive);
    if (http.head_done && http.fields)
        read_fields(http.fields);
    return 0;
}
