/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool strait_is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool strait_field_is(const char *line, const char *name)
{
    size_t n = strlen(name);

    return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

/* ---- a caller's ---- */

static int strait_fields_fail(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

static int strait_field_check(const char *line, size_t bytes, const char **why)
{
    static const char *const ours[] = {"host",    "connection", "content-length",  "transfer-encoding",  "te", "range",
                                       "upgrade", "expect",     "accept-encoding", "proxy-authorization"};
    size_t n = 0;

    while (n < bytes && strait_is_token(line[n]))
        n++;
    if (n == 0 || n == bytes || line[n] != ':')
        return strait_fields_fail(why, "a header field is not of the form Name: value");
    for (size_t i = n; i < bytes; i++)
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
            return strait_fields_fail(why, "a header field's value has a control character");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strait_field_is(line, ours[i]))
            return strait_fields_fail(why,
                                      "a header field that only the fetcher itself may set (Host, Range, framing)");
    return 0;
}

int strait_fields_check(const char *fields, const char **why)
{
    while (*fields) {
        size_t n = strcspn(fields, "\n");
        int error = strait_field_check(fields, n, why);

        if (error)
            return error;
        if (fields[n] != '\n')
            return strait_fields_fail(why, "the last header field does not end with a line feed");
        fields += n + 1;
    }
    return 0;
}

void strait_fields_drop_secrets(char *fields)
{
    char *out = fields;

    for (char *at = fields; *at;) {
        size_t n = strcspn(at, "\n");
        n += at[n] == '\n';
        if (!strait_field_is(at, "authorization") && !strait_field_is(at, "cookie")) {
            memmove(out, at, n);
            out += n;
        }
        at += n;
    }
    *out = 0;
}

/* ---- an answer's ---- */

int strait_fields_get(const char *fields, const char *name, char *to, size_t to_bytes)
{
    for (; fields && *fields; fields += strcspn(fields, "\n"), fields += *fields == '\n')
        if (strait_field_is(fields, name)) {
            const char *value = fields + strlen(name) + 1;
            value += strspn(value, " \t");
            return snprintf(to, to_bytes, "%.*s", (int)strcspn(value, "\n"), value);
        }
    return -ENOENT;
}

static bool strait_number(const char **at, uint64_t *n)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *n = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

int strait_range_parse(const char *value, uint64_t *from, uint64_t *end, uint64_t *total)
{
    uint64_t first = UINT64_MAX, last = UINT64_MAX, all = UINT64_MAX;

    if (strncasecmp(value, "bytes ", 6) != 0)
        return -EINVAL;
    value += 6;
    if (*value == '*')
        value++;
    else if (!strait_number(&value, &first) || *value++ != '-' || !strait_number(&value, &last) || last < first ||
             last == UINT64_MAX)
        return -EINVAL;
    if (*value++ != '/' || (*value != '*' && !strait_number(&value, &all)))
        return -EINVAL;
    if (first != UINT64_MAX && all != UINT64_MAX && last >= all)
        return -EINVAL;
    *from = first;
    *end = first == UINT64_MAX ? UINT64_MAX : last + 1;
    *total = all;
    return 0;
}

/* ---- a request ---- */

/* Text that grows in a buffer; too much is remembered, not written. */
struct strait_text {
    char *to;
    size_t room, bytes;
};

static void strait_text_add(struct strait_text *text, const char *from, size_t bytes)
{
    if (bytes < text->room - text->bytes)
        memcpy(text->to + text->bytes, from, bytes);
    else
        bytes = text->room - text->bytes;
    text->bytes += bytes;
}

static void strait_text_say(struct strait_text *text, const char *words)
{
    strait_text_add(text, words, strlen(words));
}

static int strait_text_end(struct strait_text *text)
{
    return text->bytes >= text->room ? -ENAMETOOLONG : (int)text->bytes;
}

static bool strait_fields_have(const char *fields, const char *name)
{
    char unused[1];

    return strait_fields_get(fields, name, unused, sizeof unused) >= 0;
}

/* Each line of the caller's with the line end that the wire wants. */
static void strait_text_fields(struct strait_text *text, const char *fields)
{
    while (fields && *fields) {
        size_t n = strcspn(fields, "\n");
        strait_text_add(text, fields, n);
        strait_text_say(text, "\r\n");
        fields += n + (fields[n] == '\n');
    }
}

static void strait_text_target(struct strait_text *text, const struct strait_url *url, bool absolute)
{
    if (absolute) {
        strait_text_say(text, strait_scheme_name(url->scheme));
        strait_text_say(text, "://");
        strait_text_add(text, url->authority, url->authority_bytes);
    }
    if (url->target_bytes == 0 || *url->target != '/') /* "http://host?query" */
        strait_text_say(text, "/");
    strait_text_add(text, url->target, url->target_bytes);
}

static void strait_text_range(struct strait_text *text, const struct strait_request_line *r)
{
    char range[64];

    if (r->from == 0 && r->bytes == 0)
        return;
    if (r->bytes)
        snprintf(range, sizeof range, "Range: bytes=%llu-%llu\r\n", (unsigned long long)r->from,
                 (unsigned long long)(r->from + r->bytes - 1));
    else
        snprintf(range, sizeof range, "Range: bytes=%llu-\r\n", (unsigned long long)r->from);
    strait_text_say(text, range);
}

size_t strait_request_bytes(const struct strait_request_line *r)
{
    size_t fields = r->fields ? 2 * strlen(r->fields) : 0, secret = r->secret ? strlen(r->secret) : 0;

    return r->url->target_bytes + 2 * r->url->authority_bytes + fields + secret + 320;
}

int strait_request_write(char *to, size_t to_bytes, const struct strait_request_line *r)
{
    struct strait_text text = {to, to_bytes, 0};

    strait_text_say(&text, r->head ? "HEAD " : "GET ");
    strait_text_target(&text, r->url, r->absolute);
    strait_text_say(&text, " HTTP/1.1\r\nHost: ");
    strait_text_add(&text, r->url->authority, r->url->authority_bytes);
    strait_text_say(&text, "\r\n");
    if (!r->fields || !strait_fields_have(r->fields, "user-agent"))
        strait_text_say(&text, "User-Agent: strait/0.1\r\n");
    if (!r->fields || !strait_fields_have(r->fields, "accept"))
        strait_text_say(&text, "Accept: */*\r\n");
    strait_text_say(&text, "Accept-Encoding: identity\r\n");
    strait_text_range(&text, r);
    if (r->secret) {
        strait_text_say(&text, "Proxy-Authorization: ");
        strait_text_say(&text, r->secret);
        strait_text_say(&text, "\r\n");
    }
    strait_text_fields(&text, r->fields);
    strait_text_say(&text, "\r\n");
    return strait_text_end(&text);
}

int strait_request_tunnel(char *to, size_t to_bytes, const struct strait_url *url, const char *secret)
{
    bool v6 = strchr(url->host, ':') != NULL;
    int n =
        snprintf(to, to_bytes, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: strait/0.1\r\n%s%s%s\r\n",
                 v6 ? "[" : "", url->host, v6 ? "]" : "", url->port, v6 ? "[" : "", url->host, v6 ? "]" : "", url->port,
                 secret ? "Proxy-Authorization: " : "", secret ? secret : "", secret ? "\r\n" : "");

    return n < 0 || (size_t)n >= to_bytes ? -ENAMETOOLONG : n;
}
