/* SPDX-License-Identifier: MIT */
/**
 * Header fields as text: "Name: value\n" lines. Those of an answer have names in lower case (http.h); those of a request are
 * the caller's, and are checked: nobody smuggles a second request, or changes how the message is framed.
 */
#ifndef STRAIT_FIELDS_H
#define STRAIT_FIELDS_H

#include "url.h"

/* May a caller send these? 0, or -EINVAL with a sentence. */
int strait_fields_check(const char *fields, const char **why);

/* The value of the first field of that (lower case) name, 0-terminated in `to` and cut to fit: its length, -ENOENT. */
int strait_fields_get(const char *fields, const char *name, char *to, size_t to_bytes);

/* Takes out what is meant for one origin only: Authorization, Cookie. In place. */
void strait_fields_drop_secrets(char *fields);

/* A request's head. */
struct strait_request_line {
    const struct strait_url *url;
    const char *fields;   /* the caller's; NULL = none */
    const char *secret;   /* value of Proxy-Authorization; NULL = none */
    uint64_t from, bytes; /* a range: `bytes` (0 = all) from byte `from` on; 0, 0 = no range */
    bool head;            /* HEAD instead of GET */
    bool absolute;        /* to a proxy: the whole URL */
};

/* Most bytes that strait_request_write may need. */
size_t strait_request_bytes(const struct strait_request_line *request);

/* Writes it: its length, or -ENAMETOOLONG. */
int strait_request_write(char *to, size_t to_bytes, const struct strait_request_line *request);

/* CONNECT for a tunnel to the URL's host. */
int strait_request_tunnel(char *to, size_t to_bytes, const struct strait_url *url, const char *secret);

/* "bytes 5-9/20" of a Content-Range: 0, or -EINVAL. *total is UINT64_MAX if it says *; "bytes * / 20" (nothing of it) gives
 * *from = *end = UINT64_MAX. */
int strait_range_parse(const char *value, uint64_t *from, uint64_t *end, uint64_t *total);

#endif
