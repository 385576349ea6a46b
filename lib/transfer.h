/* SPDX-License-Identifier: MIT */
/**
 * One transfer of a fetch worker: a job peeked from the channel, the answer that it streams, and one operation at a time.
 * transfer.c knows slots, backpressure and ends; fetch_http.c and fetch_file.c know where the bytes come from.
 *
 * A slot is never published before the operation that fills it has completed, and the answer is never given up with one
 * in flight: whoever ends a transfer does so from the operation's done.
 */
#ifndef STRAIT_TRANSFER_H
#define STRAIT_TRANSFER_H

#include "connection.h"
#include "http.h"
#include "resolve.h"

#include <strait/fetch.h>
#include <strait/loop.h>

struct strait_transfer;

struct strait_worker {
    struct strait_loop *loop;
    struct strait_segment *segment;
    struct strait_rx *rx;
    struct strait_resolver *resolver;
    struct strait_connections connections;
    struct strait_transfer *transfers;
    uint32_t active, in_flight;
    uint64_t timeout_ns;
    uint32_t pid;
    bool draining; /* takes no more jobs */
    bool hungry;   /* look for jobs before the next step */
    struct strait_op jobs, housekeeping;
    struct strait_bell_ticket ticket; /* of jobs */
};

/* What a step calls when a slot is there. */
typedef void strait_transfer_step(struct strait_transfer *t);

struct strait_transfer {
    struct strait_op op; /* first: the one operation in flight */
    struct strait_worker *worker;
    struct strait_transfer *next, **link;
    struct strait_msg job;
    struct strait_answer answer;
    uint64_t deadline_ns, max_bytes;
    /* the slot that is being filled */
    struct strait_claim claim;
    uint32_t filled;
    bool claimed;
    struct strait_bell_ticket ticket;
    strait_transfer_step *after_space;
    /* the answer so far */
    bool first_sent;
    uint64_t body_bytes;
    struct strait_fetch_head head;
    char why[256]; /* the sentence of a failure */
    /* http */
    struct strait_connection *connection;
    struct strait_question question;
    const struct addrinfo *address;
    int resolve_error;
    bool again; /* on a fresh connection, after a stale one */
    uint32_t request_bytes, sent;
    struct strait_http http;
    /* file */
    int fd;
    char *bounce;  /* private buffer, where the slot may not be written by the kernel */
    void *scratch; /* struct statx, request text or path */
    struct strait_url url;
    char text[]; /* the URL */
};

/* Takes a peeked FETCH command on. The message is the transfer's, whatever comes of it. -ENOMEM: it is not. */
int strait_transfer_begin(struct strait_worker *worker, const struct strait_msg *job);

/* Calls step when there is a slot with room (t->claim, t->filled), now or later. */
void strait_transfer_room(struct strait_transfer *t, strait_transfer_step *step);

/* `bytes` of body have been put at the slot's end. False: that was too much, the transfer has failed. */
bool strait_transfer_got(struct strait_transfer *t, uint32_t bytes);

/* The body goes on: publishes the slot if it is full enough, then as strait_transfer_room. */
void strait_transfer_more(struct strait_transfer *t, strait_transfer_step *step);

/* The body is complete. */
void strait_transfer_succeed(struct strait_transfer *t);

/* The transfer ends with an error part. */
void strait_transfer_fail(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The kind and sentence of an operation's -errno: the deadline, the caller gone, or `kind`. */
void strait_transfer_broke(struct strait_transfer *t, enum strait_fetch_kind kind, int error, const char *what);

/* 1 if starting an operation failed (then the transfer has been failed), else 0. */
bool strait_transfer_stuck(struct strait_transfer *t, int error);

void strait_fetch_http(struct strait_transfer *t);
void strait_fetch_http_end(struct strait_transfer *t); /* lets go of connection and lookup */
void strait_fetch_file(struct strait_transfer *t);
void strait_fetch_file_end(struct strait_transfer *t);

/* The worker's: a transfer has gone, there is room for a job. */
void strait_worker_freed(struct strait_worker *worker);

static inline char *strait_transfer_at(struct strait_transfer *t)
{
    return (char *)t->claim.data + t->filled;
}

static inline uint32_t strait_transfer_space(const struct strait_transfer *t)
{
    return t->claim.size - t->filled;
}

#endif
