/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

struct strait_digest {
    const EVP_MD *kind;
    EVP_MD_CTX *state;
    char name[16];
    char wanted[2 * EVP_MAX_MD_SIZE + 1];
    char got[16 + 2 * EVP_MAX_MD_SIZE + 2];
};

static int strait_digest_parse(struct strait_digest *d, const char *wanted, const char **why)
{
    static const char *const known[] = {"sha256", "sha512", "sha384", "sha224", "sha1", "md5"};
    size_t n = strcspn(wanted, ":");

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n == strlen(known[i]) && strncasecmp(wanted, known[i], n) == 0)
            snprintf(d->name, sizeof d->name, "%s", known[i]);
    if (d->name[0])
        d->kind = EVP_get_digestbyname(d->name);
    *why = "a checksum is written like sha256:HEX (or sha512, sha384, sha224, sha1, md5)";
    if (!d->kind || !wanted[n])
        return -EINVAL;
    wanted += n + 1;
    n = strlen(wanted);
    *why = "the checksum does not have as many hexadecimal digits as its kind";
    if (n != 2 * (size_t)EVP_MD_get_size(d->kind) || strspn(wanted, "0123456789abcdefABCDEF") != n)
        return -EINVAL;
    memcpy(d->wanted, wanted, n + 1);
    return 0;
}

int strait_digest_create(struct strait_digest **digest, const char *wanted, const char **why)
{
    struct strait_digest *d = calloc(1, sizeof *d);
    int error = -ENOMEM;

    *why = "no memory for a checksum";
    if (d)
        error = strait_digest_parse(d, wanted, why);
    if (error == 0) {
        d->state = EVP_MD_CTX_new();
        *why = "OpenSSL does not have this kind of checksum here";
        if (!d->state || EVP_DigestInit_ex(d->state, d->kind, NULL) != 1)
            error = -EOPNOTSUPP;
    }
    if (error) {
        strait_digest_destroy(d);
        return error;
    }
    *digest = d;
    return 0;
}

void strait_digest_destroy(struct strait_digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->state);
    free(d);
}

void strait_digest_reset(struct strait_digest *d)
{
    EVP_DigestInit_ex(d->state, d->kind, NULL);
}

void strait_digest_add(struct strait_digest *d, const void *data, size_t bytes)
{
    EVP_DigestUpdate(d->state, data, bytes);
}

bool strait_digest_matches(struct strait_digest *d, const char **got)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    int at;

    if (EVP_DigestFinal_ex(d->state, bytes, &n) != 1)
        n = 0;
    at = snprintf(d->got, sizeof d->got, "%s:", d->name);
    for (unsigned int i = 0; i < n; i++)
        snprintf(d->got + at + 2 * i, 3, "%02x", bytes[i]);
    *got = d->got;
    return n && strcasecmp(d->got + at, d->wanted) == 0;
}
