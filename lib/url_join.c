/* SPDX-License-Identifier: MIT */
/* Where a Location leads: RFC 3986, 5.2, for the schemes that we know. */
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "scheme:" at the front: the reference stands for itself. */
static bool has_scheme(const char *reference)
{
    size_t n = strcspn(reference, ":/?#");

    return n && reference[n] == ':';
}

/* Bytes of the base's path up to and with its last slash. */
static size_t folder_bytes(const struct strait_url *base)
{
    size_t n = 0;

    for (size_t i = 0; i < base->target_bytes && base->target[i] != '?'; i++)
        if (base->target[i] == '/')
            n = i + 1;
    return n;
}

static size_t path_bytes(const struct strait_url *base)
{
    const char *query = memchr(base->target, '?', base->target_bytes);

    return query ? (size_t)(query - base->target) : base->target_bytes;
}

/* "/a/./b/../c" to "/a/c", in place; what follows the path stays. Never climbs above the root. */
static void resolve_dots(char *path)
{
    char *end = path + strcspn(path, "?#"), *out = path, *at = path;

    while (at < end) {
        size_t n = 1 + strcspn(at + 1, "/?#"); /* a slash and a name */
        bool last = at + n == end;
        if (n == 2 && at[1] == '.') {
            if (last)
                *out++ = '/';
        } else if (n == 3 && at[1] == '.' && at[2] == '.') {
            while (out > path && *--out != '/') {
            }
            if (last)
                *out++ = '/';
        } else {
            memmove(out, at, n);
            out += n;
        }
        at += n;
    }
    memmove(out, end, strlen(end) + 1);
}

static int too_long(const char **why)
{
    *why = "the redirect's URL is too long";
    return -ENAMETOOLONG;
}

/* How many bytes of the base's target stay before the reference. */
static size_t kept_bytes(const struct strait_url *base, const char *reference)
{
    switch (*reference) {
    case '/':
        return 0;
    case '?':
        return path_bytes(base);
    case '#':
    case 0:
        return base->target_bytes;
    default:
        return folder_bytes(base);
    }
}

int strait_url_join(char *to, size_t to_bytes, const struct strait_url *base, const char *reference, const char **why)
{
    const char *scheme = strait_scheme_name(base->scheme);
    size_t keep = kept_bytes(base, reference), origin = 0;
    int n;

    if (has_scheme(reference)) {
        n = snprintf(to, to_bytes, "%s", reference);
    } else if (strncmp(reference, "//", 2) == 0) {
        n = snprintf(to, to_bytes, "%s:%s", scheme, reference);
    } else {
        n = snprintf(to, to_bytes, "%s://%.*s", scheme, (int)base->authority_bytes, base->authority);
        if (n < 0 || (size_t)n >= to_bytes)
            return too_long(why);
        origin = (size_t)n;
        n += snprintf(to + origin, to_bytes - origin, "%s%.*s%s", keep || *reference == '/' ? "" : "/", (int)keep,
                      base->target, reference);
    }
    if (n < 0 || (size_t)n >= to_bytes)
        return too_long(why);
    to[strcspn(to, "#")] = 0;
    if (origin)
        resolve_dots(to + origin);
    return 0;
}
