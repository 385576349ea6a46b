/* SPDX-License-Identifier: MIT */
/** What a body must hash to, while it passes: "sha256:HEX" (sha1, sha224, sha384, sha512, md5 too). */
#ifndef STRAIT_DIGEST_H
#define STRAIT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

struct strait_digest;

/* 0; -EINVAL, -ENOMEM, -EOPNOTSUPP (built without OpenSSL) with a sentence. */
int strait_digest_create(struct strait_digest **digest, const char *wanted, const char **why);
void strait_digest_destroy(struct strait_digest *digest);

/* From the beginning. */
void strait_digest_reset(struct strait_digest *digest);
void strait_digest_add(struct strait_digest *digest, const void *data, size_t bytes);

/* All is there: is it what was wanted? If not, *got is what it is, "sha256:…", until destroy. */
bool strait_digest_matches(struct strait_digest *digest, const char **got);

#endif
