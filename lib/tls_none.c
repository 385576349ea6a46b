/* SPDX-License-Identifier: MIT */
/* Built without OpenSSL (meson: -Dtls): https and checksums are refused, with the remedy. */
#include "tls.h"

#include <errno.h>

#include "digest.h"
#include "error.h"

int strait_tls_context_create(struct strait_tls_context **context, const char *ca_file)
{
    (void)context, (void)ca_file;
    return strait_fail(-EOPNOTSUPP,
                       "this strait was built without TLS: install libssl-dev and build with -Dtls=enabled");
}

void strait_tls_context_destroy(struct strait_tls_context *context)
{
    (void)context;
}

int strait_tls_create(struct strait_tls **tls, struct strait_tls_context *context, const char *host, uint16_t port)
{
    (void)tls, (void)context, (void)host, (void)port;
    return -EOPNOTSUPP;
}

/* No connection has TLS: what follows is never called. */
void strait_tls_destroy(struct strait_tls *tls)
{
    (void)tls;
}

void *strait_tls_inlet(struct strait_tls *tls, uint32_t *room)
{
    (void)tls, (void)room;
    return NULL;
}

void strait_tls_received(struct strait_tls *tls, uint32_t bytes)
{
    (void)tls, (void)bytes;
}

const void *strait_tls_outlet(struct strait_tls *tls, uint32_t *bytes)
{
    (void)tls;
    *bytes = 0;
    return NULL;
}

void strait_tls_sent(struct strait_tls *tls, uint32_t bytes)
{
    (void)tls, (void)bytes;
}

int strait_tls_handshake(struct strait_tls *tls)
{
    (void)tls;
    return -EPROTO;
}

int strait_tls_write(struct strait_tls *tls, const void *from, uint32_t bytes)
{
    (void)tls, (void)from, (void)bytes;
    return -EPROTO;
}

int strait_tls_read(struct strait_tls *tls, void *to, uint32_t bytes)
{
    (void)tls, (void)to, (void)bytes;
    return -EPROTO;
}

bool strait_tls_idle(struct strait_tls *tls, int fd)
{
    (void)tls, (void)fd;
    return false;
}

bool strait_tls_resumed(const struct strait_tls *tls)
{
    (void)tls;
    return false;
}

const char *strait_tls_why(const struct strait_tls *tls)
{
    (void)tls;
    return "built without TLS";
}

int strait_digest_create(struct strait_digest **digest, const char *wanted, const char **why)
{
    (void)digest, (void)wanted;
    *why = "this strait was built without OpenSSL, and so without checksums: build with -Dtls=enabled";
    return -EOPNOTSUPP;
}

void strait_digest_destroy(struct strait_digest *digest)
{
    (void)digest;
}

void strait_digest_reset(struct strait_digest *digest)
{
    (void)digest;
}

void strait_digest_add(struct strait_digest *digest, const void *data, size_t bytes)
{
    (void)digest, (void)data, (void)bytes;
}

bool strait_digest_matches(struct strait_digest *digest, const char **got)
{
    (void)digest;
    *got = "";
    return false;
}
