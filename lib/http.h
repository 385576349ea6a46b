/* SPDX-License-Identifier: MIT */
/**
 * One HTTP/1.1 response, parsed in place. The caller receives into a buffer (a reply's slot, say), feeds what came, and
 * finds the body bytes at the front of the same buffer: heads and chunk framing are squeezed out, and nothing is moved
 * while a body with a known length streams in. http.c is the only file that knows llhttp.
 */
#ifndef STRAIT_HTTP_H
#define STRAIT_HTTP_H

#include "url.h"

#include <llhttp.h>
#include <stdbool.h>

#define STRAIT_HTTP_HEAD_BYTES     (64 * 1024) /* most bytes of heads, interim responses included */
#define STRAIT_HTTP_LENGTH_UNKNOWN UINT64_MAX

struct strait_http {
    int status;      /* once head_done */
    bool head_done;  /* status, length are valid */
    bool done;       /* the whole response has been seen */
    bool keep_alive; /* once done: the connection may carry another request */
    uint64_t length; /* of the whole body as announced, or STRAIT_HTTP_LENGTH_UNKNOWN (chunked, or until close) */
    const char *why; /* after -EPROTO and -EMSGSIZE: a static sentence */
    /* The head's fields as "name: value\n" lines, names in lower case: where they matter (redirects, parts, refusals for
     * now), or all if `want_fields` was set after begin. NULL, or 0-terminated; strait_http_end frees it. */
    char *fields;
    uint32_t fields_bytes;
    bool want_fields;
    bool no_body; /* set after begin: the request was a HEAD */
    /* private */
    uint32_t fields_room;
    bool no_memory;
    llhttp_t parser;
    uint64_t framing_bytes, body_bytes;
    char *out; /* where the next body byte belongs */
};

/* A parser ready for one response. Zero it before its first use; what it has allocated is used again. */
void strait_http_begin(struct strait_http *http);
void strait_http_end(struct strait_http *http);

/* Parses `bytes` at `buffer`; *body of them were body and now lie at its front. 0; -EPROTO (no HTTP, or a framing that
 * contradicts itself), -EMSGSIZE (endless head), -ENOMEM: the connection is to be closed. Bytes after the end are not parsed, but
 * make keep_alive false. */
int strait_http_feed(struct strait_http *http, char *buffer, size_t bytes, size_t *body);

/* The peer has closed. 0 if that is how this body was to end (done is set); -ECONNRESET if nothing of a response had come,
 * -EPROTO if it was cut short. */
int strait_http_eof(struct strait_http *http);

#endif
