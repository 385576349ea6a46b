/* SPDX-License-Identifier: MIT */
#include "url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static int strait_url_fail(const char **why, int error, const char *text)
{
    *why = text;
    return error;
}

static bool strait_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool strait_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int strait_hex_value(char c)
{
    if (strait_is_digit(c))
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* Control bytes and spaces in a URL end up in the request line: a way to smuggle a second request. */
static int strait_url_check_bytes(const char *text, const char **why)
{
    size_t n = strnlen(text, STRAIT_URL_BYTES);

    if (n == STRAIT_URL_BYTES)
        return strait_url_fail(why, -ENAMETOOLONG, "URL is longer than 8191 bytes");
    if (n == 0)
        return strait_url_fail(why, -EINVAL, "URL is empty");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
            return strait_url_fail(why, -EINVAL, "URL has a space, control or non-ASCII byte; write it as %XX");
    return 0;
}

/* The rest after "scheme://", or NULL. */
static const char *strait_url_scheme(struct strait_url *url, const char *text, const char **why, int *error)
{
    static const struct {
        const char *prefix;
        enum strait_scheme scheme;
        uint16_t port;
    } known[] = {{"http://", STRAIT_SCHEME_HTTP, 80},
                 {"https://", STRAIT_SCHEME_HTTPS, 443},
                 {"file://", STRAIT_SCHEME_FILE, 0}};
    const char *end = text;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncasecmp(text, known[i].prefix, strlen(known[i].prefix)) == 0) {
            url->scheme = known[i].scheme;
            url->port = known[i].port;
            return text + strlen(known[i].prefix);
        }
    while (strait_is_letter(*end) || strait_is_digit(*end) || *end == '+' || *end == '-' || *end == '.')
        end++;
    if (end == text || *end != ':' || !strait_is_letter(*text))
        *error = strait_url_fail(why, -EINVAL, "not a URL: it does not begin with http://, https:// or file://");
    else if (strncmp(end, "://", 3) == 0)
        *error = strait_url_fail(why, -EPROTONOSUPPORT, "unknown scheme: http, https and file are supported");
    else
        *error = strait_url_fail(why, -EINVAL, "scheme is not followed by ://");
    return NULL;
}

static int strait_url_name(struct strait_url *url, const char *at, size_t n, const char **why)
{
    if (n == 0)
        return strait_url_fail(why, -EINVAL, "host is missing");
    if (n >= STRAIT_HOST_BYTES)
        return strait_url_fail(why, -EINVAL, "host is longer than 255 bytes");
    for (size_t i = 0; i < n; i++) {
        if (!strait_is_letter(at[i]) && !strait_is_digit(at[i]) && at[i] != '-' && at[i] != '.' && at[i] != '_')
            return strait_url_fail(why, -EINVAL, "host has a character that host names cannot have");
        url->host[i] = strait_is_letter(at[i]) ? (char)(at[i] | 0x20) : at[i];
    }
    url->host[n] = 0;
    return 0;
}

static int strait_url_v6(struct strait_url *url, const char *at, size_t n, const char **why)
{
    struct in6_addr unused;

    if (n >= INET6_ADDRSTRLEN)
        return strait_url_fail(why, -EINVAL, "[…] does not hold an IPv6 address");
    memcpy(url->host, at, n);
    url->host[n] = 0;
    if (inet_pton(AF_INET6, url->host, &unused) != 1)
        return strait_url_fail(why, -EINVAL, "[…] does not hold an IPv6 address");
    return 0;
}

static int strait_url_port(struct strait_url *url, const char *at, size_t n, const char **why)
{
    uint32_t port = 0;

    if (n == 0 || n > 5)
        return strait_url_fail(why, -EINVAL, "port is not a number from 1 to 65535");
    for (size_t i = 0; i < n; i++) {
        if (!strait_is_digit(at[i]))
            return strait_url_fail(why, -EINVAL, "port is not a number from 1 to 65535");
        port = port * 10 + (uint32_t)(at[i] - '0');
    }
    if (port == 0 || port > 65535)
        return strait_url_fail(why, -EINVAL, "port is not a number from 1 to 65535");
    url->port = (uint16_t)port;
    return 0;
}

/* host, host:port, [v6], [v6]:port */
static int strait_url_authority(struct strait_url *url, const char **why)
{
    const char *at = url->authority, *end = at + url->authority_bytes, *host_end;
    int error;

    if (memchr(at, '@', url->authority_bytes))
        return strait_url_fail(why, -EINVAL, "user and password in a URL are not supported");
    if (at < end && *at == '[') {
        host_end = memchr(at, ']', url->authority_bytes);
        if (!host_end)
            return strait_url_fail(why, -EINVAL, "[ without ]");
        error = strait_url_v6(url, at + 1, (size_t)(host_end - at - 1), why);
        host_end++;
    } else {
        host_end = memchr(at, ':', url->authority_bytes);
        host_end = host_end ? host_end : end;
        error = strait_url_name(url, at, (size_t)(host_end - at), why);
    }
    if (error || host_end == end)
        return error;
    if (*host_end != ':')
        return strait_url_fail(why, -EINVAL, "something between ] and the port");
    return strait_url_port(url, host_end + 1, (size_t)(end - host_end - 1), why);
}

int strait_url_parse(struct strait_url *url, const char *text, const char **why)
{
    struct strait_url parsed = {0};
    int error = strait_url_check_bytes(text, why);

    if (error)
        return error;
    /* The text is 0-terminated and has been measured: strcspn and strncasecmp below stay inside. */
    parsed.authority = strait_url_scheme(&parsed, text, why, &error);
    if (!parsed.authority)
        return error;
    parsed.authority_bytes = strcspn(parsed.authority, "/?#");
    parsed.target = parsed.authority + parsed.authority_bytes;
    parsed.target_bytes = strcspn(parsed.target, "#");
    if (parsed.scheme == STRAIT_SCHEME_FILE) {
        if (parsed.authority_bytes &&
            !(parsed.authority_bytes == 9 && strncasecmp(parsed.authority, "localhost", 9) == 0))
            return strait_url_fail(why, -EINVAL, "a file URL has no host: file:///path");
        if (!parsed.target_bytes || *parsed.target != '/')
            return strait_url_fail(why, -EINVAL, "a file URL needs an absolute path: file:///path");
    } else {
        error = strait_url_authority(&parsed, why);
        if (error)
            return error;
    }
    *url = parsed;
    return 0;
}

bool strait_url_same_origin(const struct strait_url *a, const struct strait_url *b)
{
    return a->scheme == b->scheme && a->port == b->port && strcmp(a->host, b->host) == 0;
}

const char *strait_scheme_name(enum strait_scheme scheme)
{
    static const char *const names[] = {"http", "https", "file"};

    return names[scheme];
}

/* The byte that %XX at text stands for, or -1; `left` bytes are there. 0 would cut the path short for the kernel. */
static int strait_url_decode(const char *text, size_t left)
{
    int high, low;

    if (left < 3)
        return -1;
    high = strait_hex_value(text[1]);
    low = strait_hex_value(text[2]);
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

int strait_url_path(const struct strait_url *url, char *path, size_t path_bytes, const char **why)
{
    size_t n = 0;

    for (size_t i = 0; i < url->target_bytes; i++) {
        int value = (unsigned char)url->target[i];
        if (value == '?')
            return strait_url_fail(why, -EINVAL, "a file URL has no query; write ? as %3F");
        if (value == '%') {
            value = strait_url_decode(url->target + i, url->target_bytes - i);
            if (value < 0)
                return strait_url_fail(why, -EINVAL, "% is not followed by two hexadecimal digits (or they are 00)");
            i += 2;
        }
        if (n + 1 >= path_bytes)
            return strait_url_fail(why, -ENAMETOOLONG, "path is too long");
        path[n++] = (char)value;
    }
    path[n] = 0;
    return 0;
}
