/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct strait_http *strait_http_of(llhttp_t *parser)
{
    return parser->data;
}

/* ---- fields ---- */

/* Most answers are read for their bodies alone. */
static bool strait_http_keeps_fields(const struct strait_http *http)
{
    int status = llhttp_get_status_code((llhttp_t *)&http->parser);

    if (http->head_done) /* trailers */
        return false;
    return http->want_fields || status == 206 || status / 100 == 3 || status == 416 || status == 429 || status == 503;
}

static int strait_http_add(struct strait_http *http, const char *at, size_t bytes, bool name)
{
    if (bytes > STRAIT_HTTP_HEAD_BYTES - http->fields_bytes)
        bytes = 0; /* the head is too long: that is found out where its bytes are counted */
    if (http->fields_bytes + bytes + 1 > http->fields_room) {
        uint32_t room = 2 * (http->fields_bytes + (uint32_t)bytes) + 512;
        char *more = realloc(http->fields, room);
        if (!more) {
            http->no_memory = true;
            return HPE_USER;
        }
        http->fields = more;
        http->fields_room = room;
    }
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)at[i];
        if (name && c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (!name && c < ' ' && c != '\n')
            c = ' '; /* nobody gets a line of his own into the list */
        http->fields[http->fields_bytes++] = (char)c;
    }
    http->fields[http->fields_bytes] = 0;
    return 0;
}

static int strait_http_on_name(llhttp_t *parser, const char *at, size_t bytes)
{
    struct strait_http *http = strait_http_of(parser);

    return strait_http_keeps_fields(http) ? strait_http_add(http, at, bytes, true) : 0;
}

static int strait_http_on_name_end(llhttp_t *parser)
{
    struct strait_http *http = strait_http_of(parser);

    return strait_http_keeps_fields(http) ? strait_http_add(http, ": ", 2, true) : 0;
}

static int strait_http_on_value(llhttp_t *parser, const char *at, size_t bytes)
{
    struct strait_http *http = strait_http_of(parser);

    if (memchr(at, '\n', bytes))
        return HPE_USER;
    return strait_http_keeps_fields(http) ? strait_http_add(http, at, bytes, false) : 0;
}

static int strait_http_on_value_end(llhttp_t *parser)
{
    struct strait_http *http = strait_http_of(parser);

    return strait_http_keeps_fields(http) ? strait_http_add(http, "\n", 1, false) : 0;
}

/* An interim answer's fields are not the answer's. */
static int strait_http_on_begin(llhttp_t *parser)
{
    struct strait_http *http = strait_http_of(parser);

    http->fields_bytes = 0;
    if (http->fields)
        http->fields[0] = 0;
    return 0;
}

/* ---- the answer ---- */

static int strait_http_on_headers(llhttp_t *parser)
{
    struct strait_http *http = strait_http_of(parser);

    http->status = llhttp_get_status_code(parser);
    if (http->status < 200)
        return 0; /* 100 Continue, 103 Early Hints: the real one follows */
    http->head_done = true;
    http->length = parser->flags & F_CONTENT_LENGTH ? parser->content_length : STRAIT_HTTP_LENGTH_UNKNOWN;
    return http->no_body; /* 1: whatever the head says, none follows */
}

static int strait_http_on_body(llhttp_t *parser, const char *at, size_t bytes)
{
    struct strait_http *http = strait_http_of(parser);

    if (http->out != at)
        memmove(http->out, at, bytes); /* to the left: what is parsed already lies before `at` */
    http->out += bytes;
    return 0;
}

static int strait_http_on_complete(llhttp_t *parser)
{
    struct strait_http *http = strait_http_of(parser);

    if (!http->head_done)
        return 0;
    http->done = true;
    http->keep_alive = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

static const llhttp_settings_t strait_http_settings = {
    .on_message_begin = strait_http_on_begin,
    .on_header_field = strait_http_on_name,
    .on_header_field_complete = strait_http_on_name_end,
    .on_header_value = strait_http_on_value,
    .on_header_value_complete = strait_http_on_value_end,
    .on_headers_complete = strait_http_on_headers,
    .on_body = strait_http_on_body,
    .on_message_complete = strait_http_on_complete,
};

void strait_http_begin(struct strait_http *http)
{
    struct strait_http fresh = {.fields = http->fields, .fields_room = http->fields_room};

    *http = fresh;
    if (http->fields)
        http->fields[0] = 0;
    llhttp_init(&http->parser, HTTP_RESPONSE, &strait_http_settings);
    http->parser.data = http;
    http->length = STRAIT_HTTP_LENGTH_UNKNOWN;
}

void strait_http_end(struct strait_http *http)
{
    free(http->fields);
    http->fields = NULL;
    http->fields_room = http->fields_bytes = 0;
}

static const char *strait_http_excuse(const struct strait_http *http)
{
    switch (llhttp_get_errno(&http->parser)) {
    case HPE_INVALID_CONSTANT:
    case HPE_INVALID_VERSION:
    case HPE_INVALID_STATUS:
        return "the answer is not HTTP";
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
        return "Content-Length is wrong, repeated, or contradicts Transfer-Encoding";
    case HPE_INVALID_TRANSFER_ENCODING:
        return "Transfer-Encoding is not understood";
    case HPE_INVALID_CHUNK_SIZE:
        return "a chunk size is not a number";
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
        return "a header or chunk is malformed";
    default:
        return "the answer breaks the rules of HTTP/1.1";
    }
}

static int strait_http_fail(struct strait_http *http, int error, const char *why)
{
    http->why = why;
    return error;
}

/* Heads, chunk sizes, chunk extensions, trailers: all that is not body is limited together, by what there is of body
 * (a chunk of one byte has five bytes around it). */
static bool strait_http_too_much_framing(const struct strait_http *http)
{
    return !http->done && http->framing_bytes > STRAIT_HTTP_HEAD_BYTES + 16 * http->body_bytes;
}

int strait_http_feed(struct strait_http *http, char *buffer, size_t bytes, size_t *body)
{
    llhttp_errno_t error;
    size_t body_bytes;

    http->out = buffer;
    error = llhttp_execute(&http->parser, buffer, bytes);
    body_bytes = (size_t)(http->out - buffer);
    http->body_bytes += body_bytes;
    http->framing_bytes += bytes - body_bytes;
    if (error == HPE_PAUSED && http->done) {
        if (llhttp_get_error_pos(&http->parser) != buffer + bytes)
            http->keep_alive = false; /* bytes that nobody asked for */
    } else if (http->no_memory) {
        return strait_http_fail(http, -ENOMEM, "no memory for the head of the answer");
    } else if (error != HPE_OK) {
        return strait_http_fail(http, -EPROTO, strait_http_excuse(http));
    }
    if (strait_http_too_much_framing(http))
        return strait_http_fail(http, -EMSGSIZE,
                                "the head or the framing of the answer has no end (64 KiB is the limit)");
    *body = body_bytes;
    return 0;
}

int strait_http_eof(struct strait_http *http)
{
    if (!http->head_done && http->framing_bytes == 0)
        return strait_http_fail(http, -ECONNRESET, "the server closed the connection without an answer");
    if (!http->head_done)
        return strait_http_fail(http, -EPROTO, "the server closed the connection inside the head");
    if (!llhttp_message_needs_eof(&http->parser) || http->length != STRAIT_HTTP_LENGTH_UNKNOWN)
        return strait_http_fail(http, -EPROTO, "the server closed the connection before the end of the body");
    http->out = NULL;
    if (llhttp_finish(&http->parser) != HPE_OK && !http->done)
        return strait_http_fail(http, -EPROTO, "the server closed the connection before the end of the body");
    http->done = true;
    http->keep_alive = false;
    return 0;
}
