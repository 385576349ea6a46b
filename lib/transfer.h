/* SPDX-License-Identifier: MIT */
/**
 * One transfer of a fetch worker: a job peeked from the channel, the answer that it streams, and one operation at a time.
 *
 *   transfer.c      slots, backpressure, ends            sink.c          or a file that the worker writes
 *   fetch_file.c    file://                              fetch_route.c   from a URL to a connection: proxy, dial, TLS
 *   fetch_http.c    one request and its answer           wire.c          bytes over a connection, TLS or not
 *   fetch_answer.c  what a head means                    fetch_again.c   redirects and retries
 *
 * A slot is never published before the operation that fills it has completed, and the answer is never given up with one
 * in flight: whoever ends a transfer does so from the operation's done.
 */
#ifndef STRAIT_TRANSFER_H
#define STRAIT_TRANSFER_H

#include "connection.h"
#include "dial.h"
#include "digest.h"
#include "fields.h"
#include "http.h"
#include "sink.h"

#include <strait/fetch.h>
#include <strait/loop.h>

struct strait_transfer;

struct strait_worker {
    struct strait_loop *loop;
    struct strait_segment *segment;
    struct strait_rx *rx;
    struct strait_resolver *resolver;
    struct strait_connections connections;
    struct strait_proxies proxies;
    struct strait_tls_context *tls; /* with the first https */
    const char *ca_file;
    struct strait_transfer *transfers, *over; /* over: their jobs are to be released */
    uint32_t untold;                          /* parts and ends since the channel's bell was rung */
    uint32_t active, in_flight;
    uint64_t timeout_ns;
    uint64_t dice; /* for the backoff's jitter */
    uint32_t pid;
    bool draining; /* takes no more jobs */
    bool hungry;   /* look for jobs before the next step */
    struct strait_op jobs, housekeeping;
    struct strait_bell_ticket ticket; /* of jobs */
};

/* What a step calls when a slot is there. */
typedef void strait_transfer_step(struct strait_transfer *t);

/* How a send, a receive or a handshake ends: ≥ 0 or -errno. */
typedef void strait_wire_done(struct strait_transfer *t, int res);

/* What is under way on the wire. */
struct strait_wire {
    strait_wire_done *done;
    const char *from; /* sending: what is left */
    void *to;         /* receiving */
    uint32_t bytes;
};

struct strait_transfer {
    struct strait_op op; /* first: the one operation in flight */
    struct strait_worker *worker;
    struct strait_transfer *next, **link;
    struct strait_msg job;
    struct strait_answer answer;
    uint64_t deadline_ns;
    /* what was asked for; the texts lie behind the transfer */
    struct strait_fetch_request request;
    char *fields;
    const char *file, *checksum;
    bool conditional; /* 304 is an answer */
    /* the slot that is being filled */
    struct strait_claim claim;
    uint32_t filled;
    bool claimed;
    struct strait_bell_ticket ticket;
    strait_transfer_step *after_space;
    /* or the file */
    struct strait_sink *sink;
    uint64_t told_ns; /* when the caller last heard how far it is */
    /* the answer so far */
    bool first_sent;
    uint64_t body_bytes;
    struct strait_digest *digest;
    struct strait_fetch_head head;
    char why[256]; /* the sentence of a failure */
    /* http */
    struct strait_connection *connection;
    struct strait_dial *dial;
    int dialled; /* the socket or error that it ended with, at dial_stage */
    enum strait_dial_stage dial_stage;
    bool dial_ended;
    bool stale; /* a kept connection was dead: this is the second try, on a fresh one */
    uint32_t retries, redirects;
    struct strait_wire wire;
    struct strait_http http;
    /* file:// */
    int fd;
    char *bounce;  /* private buffer, where the slot may not be written by the kernel */
    void *scratch; /* struct statx, request text or path */
    struct strait_url url;
    char *url_text; /* where it was redirected to; NULL: text */
    char text[];    /* the URL, and the other texts, each 0-terminated */
};

/* Takes a peeked FETCH command on. The message is the transfer's, whatever comes of it. -ENOMEM: it is not. */
int strait_transfer_begin(struct strait_worker *worker, const struct strait_msg *job);

/* Calls step when there is room for bytes (strait_transfer_at), now or later. */
void strait_transfer_room(struct strait_transfer *t, strait_transfer_step *step);

/* t->head is complete, the body follows: opens the file, if there is one. False: the transfer has failed. */
bool strait_transfer_head(struct strait_transfer *t);

/* `bytes` of body have been put there. False: that was too much, the transfer has failed. */
bool strait_transfer_got(struct strait_transfer *t, uint32_t bytes);

/* The body goes on: publishes or writes what is there if it is enough, then as strait_transfer_room. */
void strait_transfer_more(struct strait_transfer *t, strait_transfer_step *step);

/* The body is complete. */
void strait_transfer_succeed(struct strait_transfer *t);

/* What came so far is void: the answer begins again. */
void strait_transfer_rewind(struct strait_transfer *t);

/* Looks at the URL and goes where it leads. */
void strait_transfer_go(struct strait_transfer *t);

/* The transfer ends with an error part. */
void strait_transfer_fail(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As fail, if there is no sense (or no time, or no retry left) in trying again. */
void strait_transfer_stumble(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The kind and sentence of an operation's -errno: the deadline, a silence, the caller gone, or `kind`. */
void strait_transfer_broke(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *what);

/* 1 if starting an operation failed (then the transfer has been failed), else 0. */
bool strait_transfer_stuck(struct strait_transfer *t, int error);

/* Until when an operation may take: the deadline, or the end of patience with a silence. */
uint64_t strait_transfer_until(const struct strait_transfer *t);

/* fetch_route.c: leads to strait_fetch_exchange, or to a failure. */
void strait_fetch_http(struct strait_transfer *t);
void strait_fetch_http_end(struct strait_transfer *t);  /* lets go of connection and dial */
void strait_fetch_dial(struct strait_transfer *t);      /* not by a kept connection */
void strait_fetch_http_keep(struct strait_transfer *t); /* the connection may carry another request */

/* fetch_http.c */
void strait_fetch_exchange(struct strait_transfer *t);

/* fetch_answer.c: the head is there. False: the transfer has gone elsewhere, or failed. */
bool strait_fetch_head_fine(struct strait_transfer *t);

/* fetch_again.c */
bool strait_fetch_retry(struct strait_transfer *t);    /* true: it will be tried again, later */
void strait_fetch_redirect(struct strait_transfer *t); /* to the Location of the answer */

/* wire.c. `from` and `to` stay until done, which may come from inside the call. */
void strait_wire_send(struct strait_transfer *t, const void *from, uint32_t bytes, strait_wire_done *done); /* all */
void strait_wire_recv(struct strait_transfer *t, void *to, uint32_t bytes, strait_wire_done *done); /* 0 = the end */
void strait_wire_handshake(struct strait_transfer *t, strait_wire_done *done);

void strait_fetch_file(struct strait_transfer *t);
void strait_fetch_file_end(struct strait_transfer *t);

/* The worker's: a transfer is over, there is room for a job. Its memory is the worker's. */
void strait_worker_freed(struct strait_worker *worker, struct strait_transfer *t);

static inline char *strait_transfer_at(struct strait_transfer *t)
{
    return t->sink ? strait_sink_at(t->sink) : (char *)t->claim.data + t->filled;
}

static inline uint32_t strait_transfer_space(const struct strait_transfer *t)
{
    return t->sink ? strait_sink_space(t->sink) : t->claim.size - t->filled;
}

#endif
