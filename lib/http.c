/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct strait_http *strait_http_of(llhttp_t *parser)
{
    return parser->data;
}

static int strait_http_on_headers(llhttp_t *parser)
{
    struct strait_http *http = strait_http_of(parser);

    http->status = llhttp_get_status_code(parser);
    if (http->status < 200)
        return 0; /* 100 Continue, 103 Early Hints: the real one follows */
    http->head_done = true;
    http->length = parser->flags & F_CONTENT_LENGTH ? parser->content_length : STRAIT_HTTP_LENGTH_UNKNOWN;
    return 0;
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
    .on_headers_complete = strait_http_on_headers,
    .on_body = strait_http_on_body,
    .on_message_complete = strait_http_on_complete,
};

void strait_http_begin(struct strait_http *http)
{
    memset(http, 0, sizeof *http);
    llhttp_init(&http->parser, HTTP_RESPONSE, &strait_http_settings);
    http->parser.data = http;
    http->length = STRAIT_HTTP_LENGTH_UNKNOWN;
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

int strait_http_request(char *to, size_t to_bytes, const struct strait_url *url)
{
    bool slash = url->target_bytes == 0 || *url->target != '/'; /* "http://host?query" */
    int n = snprintf(to, to_bytes,
                     "GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: strait/0.1\r\nAccept: */*\r\n"
                     "Accept-Encoding: identity\r\n\r\n",
                     slash ? "/" : "", (int)url->target_bytes, url->target, (int)url->authority_bytes, url->authority);

    return n < 0 || (size_t)n >= to_bytes ? -ENAMETOOLONG : n;
}
