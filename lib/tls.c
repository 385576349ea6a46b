/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "error.h"

#define SESSIONS   64  /* origins whose sessions are remembered */
#define NAME_BYTES 272 /* host and port */

struct strait_session {
    char name[NAME_BYTES];
    SSL_SESSION *session;
};

struct strait_tls_context {
    SSL_CTX *ssl;
    struct strait_session sessions[SESSIONS];
    uint32_t next; /* the one to be forgotten */
};

struct strait_tls {
    SSL *ssl;
    BIO *in, *out; /* memory; the SSL owns them */
    struct strait_tls_context *context;
    unsigned char *inlet;
    bool eof;
    char name[NAME_BYTES];
    char why[256];
};

/* ---- sessions ---- */

static struct strait_session *strait_session_of(struct strait_tls_context *context, const char *name)
{
    for (uint32_t i = 0; i < SESSIONS; i++)
        if (context->sessions[i].session && strcmp(context->sessions[i].name, name) == 0)
            return &context->sessions[i];
    return NULL;
}

/* OpenSSL's callback: 1 = the session is ours now. */
static int strait_session_came(SSL *ssl, SSL_SESSION *session)
{
    struct strait_tls *tls = SSL_get_app_data(ssl);
    struct strait_tls_context *context = tls->context;
    struct strait_session *place = strait_session_of(context, tls->name);

    if (!place)
        place = &context->sessions[context->next++ % SESSIONS];
    if (place->session)
        SSL_SESSION_free(place->session);
    memcpy(place->name, tls->name, sizeof place->name);
    place->session = session;
    return 1;
}

/* ---- context ---- */

static int strait_tls_trust(SSL_CTX *ssl, const char *ca_file)
{
    if (ca_file && SSL_CTX_load_verify_locations(ssl, ca_file, NULL) != 1)
        return strait_fail(-ENOENT, "%s has no certificates that can be read (PEM)", ca_file);
    if (!ca_file && SSL_CTX_set_default_verify_paths(ssl) != 1)
        return strait_fail(-ENOENT, "the system's certificates cannot be read");
    return 0;
}

int strait_tls_context_create(struct strait_tls_context **context, const char *ca_file)
{
    struct strait_tls_context *c = calloc(1, sizeof *c);
    int error = -ENOMEM;

    if (c)
        c->ssl = SSL_CTX_new(TLS_client_method());
    if (c && c->ssl)
        error = strait_tls_trust(c->ssl, ca_file);
    else
        strait_fail(error, "no memory for TLS");
    if (error) {
        strait_tls_context_destroy(c);
        return error;
    }
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ssl, strait_session_came);
    SSL_CTX_set_alpn_protos(c->ssl, (const unsigned char *)"\x08http/1.1", 9);
    *context = c;
    return 0;
}

void strait_tls_context_destroy(struct strait_tls_context *context)
{
    if (!context)
        return;
    for (uint32_t i = 0; i < SESSIONS; i++)
        if (context->sessions[i].session)
            SSL_SESSION_free(context->sessions[i].session);
    SSL_CTX_free(context->ssl);
    free(context);
}

/* ---- connection ---- */

/* The certificate must be for this name or address; a name is also told to the server, which may have several. */
static bool strait_tls_expect(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    unsigned char address[16];
    char name[256];
    size_t n = strnlen(host, sizeof name - 1);

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    if (n && host[n - 1] == '.') /* "example.org." is the same name, and certificates are written without the dot */
        n--;
    memcpy(name, host, n);
    name[n] = 0;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, n) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool strait_tls_open(struct strait_tls *t, const char *host)
{
    struct strait_session *session;

    t->ssl = SSL_new(t->context->ssl);
    if (!t->ssl)
        return false;
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        return false;
    }
    BIO_set_mem_eof_return(t->in, -1); /* empty is not the end */
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    SSL_set_app_data(t->ssl, t);
    session = strait_session_of(t->context, t->name);
    if (session)
        SSL_set_session(t->ssl, session->session);
    return strait_tls_expect(t->ssl, host);
}

int strait_tls_create(struct strait_tls **tls, struct strait_tls_context *context, const char *host, uint16_t port)
{
    struct strait_tls *t = calloc(1, sizeof *t);

    if (!t)
        return -ENOMEM;
    t->context = context;
    snprintf(t->name, sizeof t->name, "%s:%u", host, port);
    ERR_clear_error();
    if (!strait_tls_open(t, host)) {
        strait_tls_destroy(t);
        return -ENOMEM;
    }
    *tls = t;
    return 0;
}

void strait_tls_destroy(struct strait_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls->inlet);
    free(tls);
}

/* ---- ciphertext ---- */

void *strait_tls_inlet(struct strait_tls *tls, uint32_t *room)
{
    if (!tls->inlet)
        tls->inlet = malloc(STRAIT_TLS_INLET_BYTES);
    *room = STRAIT_TLS_INLET_BYTES;
    return tls->inlet;
}

void strait_tls_received(struct strait_tls *tls, uint32_t bytes)
{
    if (bytes == 0) {
        tls->eof = true;
        BIO_set_mem_eof_return(tls->in, 0);
    } else if (BIO_write(tls->in, tls->inlet, (int)bytes) != (int)bytes) {
        tls->eof = true; /* no memory: it ends here, and not properly */
        BIO_set_mem_eof_return(tls->in, 0);
    }
}

const void *strait_tls_outlet(struct strait_tls *tls, uint32_t *bytes)
{
    char *at = NULL;
    long n = BIO_get_mem_data(tls->out, &at);

    *bytes = n > 0 ? (uint32_t)n : 0;
    return at;
}

void strait_tls_sent(struct strait_tls *tls, uint32_t bytes)
{
    unsigned char gone[4096];

    while (bytes) { /* a memory BIO is emptied by reading it */
        int n = BIO_read(tls->out, gone, (int)(bytes < sizeof gone ? bytes : sizeof gone));
        if (n <= 0)
            return;
        bytes -= (uint32_t)n;
    }
}

/* ---- plain bytes ---- */

/* What OpenSSL says, as a sentence; the certificate's fault first, it is what people have to mend. */
static int strait_tls_broken(struct strait_tls *tls, const char *what)
{
    long verified = SSL_get_verify_result(tls->ssl);
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;

    if (verified != X509_V_OK)
        snprintf(tls->why, sizeof tls->why, "the server's certificate is not accepted: %s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(tls->why, sizeof tls->why, "%s: %s", what, reason ? reason : "unknown error");
    ERR_clear_error();
    return -EPROTO;
}

static int strait_tls_result(struct strait_tls *tls, int n, const char *what)
{
    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    if (!tls->eof || SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return strait_tls_broken(tls, what);
    snprintf(tls->why, sizeof tls->why, "%s: the server closed the connection without ending TLS: cut off", what);
    ERR_clear_error();
    return -ECONNRESET;
}

int strait_tls_handshake(struct strait_tls *tls)
{
    int n, r;

    ERR_clear_error();
    n = SSL_do_handshake(tls->ssl);
    if (n == 1)
        return 0;
    r = strait_tls_result(tls, n, "TLS handshake");
    if (r == 0)
        snprintf(tls->why, sizeof tls->why, "TLS handshake: the server ended it");
    return r == -EAGAIN ? r : -EPROTO;
}

int strait_tls_write(struct strait_tls *tls, const void *from, uint32_t bytes)
{
    ERR_clear_error();
    return SSL_write(tls->ssl, from, (int)bytes) == (int)bytes ? 0 : strait_tls_broken(tls, "TLS");
}

int strait_tls_read(struct strait_tls *tls, void *to, uint32_t bytes)
{
    uint32_t got = 0;

    ERR_clear_error();
    while (got < bytes) {
        int n = SSL_read(tls->ssl, (char *)to + got, (int)(bytes - got)), r;
        if (n > 0) {
            got += (uint32_t)n;
            continue;
        }
        r = strait_tls_result(tls, n, "TLS");
        return got ? (int)got : r; /* an error comes again */
    }
    return (int)got;
}

bool strait_tls_idle(struct strait_tls *tls, int fd)
{
    unsigned char bytes[4096], byte;
    ssize_t n;

    /* Tickets may come late; anything else is the end of this connection. */
    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        if (BIO_write(tls->in, bytes, (int)n) != n)
            return false;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        return false;
    free(tls->inlet);
    tls->inlet = NULL;
    return strait_tls_read(tls, &byte, 1) == -EAGAIN && BIO_ctrl_pending(tls->out) == 0;
}

bool strait_tls_resumed(const struct strait_tls *tls)
{
    return SSL_session_reused(tls->ssl);
}

const char *strait_tls_why(const struct strait_tls *tls)
{
    return tls->why;
}
