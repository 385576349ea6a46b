/* SPDX-License-Identifier: MIT */
/**
 * URLs, strictly: scheme://host[:port]/path?query#fragment. What is not clearly right is refused with a sentence; nothing
 * is repaired. The parts point into the caller's text, which has to outlive them.
 */
#ifndef STRAIT_URL_H
#define STRAIT_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRAIT_URL_BYTES  8192 /* longest URL, with the final 0 */
#define STRAIT_HOST_BYTES 256  /* longest host name, with the final 0 */

enum strait_scheme { STRAIT_SCHEME_HTTP, STRAIT_SCHEME_HTTPS, STRAIT_SCHEME_FILE };

struct strait_url {
    enum strait_scheme scheme;
    uint16_t port;                /* given or the scheme's; 0 for file */
    char host[STRAIT_HOST_BYTES]; /* lower case, without [] of a v6 address; "" for file */
    const char *authority;        /* host and port as written, for the Host header; not terminated */
    size_t authority_bytes;
    const char *target; /* path and query, without the fragment; not terminated; 0 bytes mean "/" */
    size_t target_bytes;
};

/* Parses the 0-terminated text. 0; -EINVAL, -EPROTONOSUPPORT (scheme) or -ENAMETOOLONG with a sentence in *why
 * (static text) and url untouched. */
int strait_url_parse(struct strait_url *url, const char *text, const char **why);

/* The URL that a Location `reference` means when it came from `base`: absolute, or relative to it (RFC 3986, 5.2), dots
 * resolved, without a fragment. Into `to`, 0-terminated; it is not parsed. 0; -EINVAL, -ENAMETOOLONG with a sentence. */
int strait_url_join(char *to, size_t to_bytes, const struct strait_url *base, const char *reference, const char **why);

/* Same scheme, host and port? What one origin was told in confidence is not for another. */
bool strait_url_same_origin(const struct strait_url *a, const struct strait_url *b);

const char *strait_scheme_name(enum strait_scheme scheme);

/* The path of a file URL with %XX decoded, 0-terminated. 0; -EINVAL (bad or zero %XX), -ENAMETOOLONG. */
int strait_url_path(const struct strait_url *url, char *path, size_t path_bytes, const char **why);

#endif
