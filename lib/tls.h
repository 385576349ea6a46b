/* SPDX-License-Identifier: MIT */
/**
 * TLS as a machine without a socket: ciphertext goes in at the inlet and comes out at the outlet, plain bytes on the other
 * side. Whoever owns the socket moves the ciphertext (wire.h). Verification is always on: chain, dates, and the name or the
 * address that was asked for. tls.c is the only file that knows OpenSSL's TLS; tls_none.c stands in where it is missing.
 */
#ifndef STRAIT_TLS_H
#define STRAIT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRAIT_TLS_INLET_BYTES (64 * 1024)

struct strait_tls_context; /* whom to trust, and sessions to take up again. One thread's */
struct strait_tls;         /* one connection's */

/* Trusts the certificates of ca_file (PEM); NULL: the system's, or those that SSL_CERT_FILE and SSL_CERT_DIR name. 0, or
 * -errno and a sentence (strait_error): -ENOENT, -ENOMEM, -EOPNOTSUPP built without TLS. */
int strait_tls_context_create(struct strait_tls_context **context, const char *ca_file);
void strait_tls_context_destroy(struct strait_tls_context *context);

/* For a connection to host (a name, or an address) and port. 0, -ENOMEM, -EINVAL. */
int strait_tls_create(struct strait_tls **tls, struct strait_tls_context *context, const char *host, uint16_t port);
void strait_tls_destroy(struct strait_tls *tls);

/* Where the socket's bytes are to be received; then how many came: 0 = the peer has closed, which is no end of TLS. */
void *strait_tls_inlet(struct strait_tls *tls, uint32_t *room); /* NULL: no memory */
void strait_tls_received(struct strait_tls *tls, uint32_t bytes);

/* Ciphertext that is to be sent, *bytes = 0 if none; then how much was. */
const void *strait_tls_outlet(struct strait_tls *tls, uint32_t *bytes);
void strait_tls_sent(struct strait_tls *tls, uint32_t bytes);

/* 0 done, -EAGAIN empty the outlet, then fill the inlet; -EPROTO strait_tls_why has the sentence. */
int strait_tls_handshake(struct strait_tls *tls);

/* Plain bytes into the outlet: 0, -EPROTO. */
int strait_tls_write(struct strait_tls *tls, const void *from, uint32_t bytes);

/* Plain bytes out of the inlet: as many as are there; 0 the peer has ended it properly; -EAGAIN none yet (look at the
 * outlet, then fill the inlet); -ECONNRESET cut off without a proper end; -EPROTO. */
int strait_tls_read(struct strait_tls *tls, void *to, uint32_t bytes);

/* Nothing is under way: lets go of the inlet. False: the peer has said or closed something, do not use it again. */
bool strait_tls_idle(struct strait_tls *tls, int fd);

/* A session was taken up again: the handshake was the short one. */
bool strait_tls_resumed(const struct strait_tls *tls);

const char *strait_tls_why(const struct strait_tls *tls);

#endif
