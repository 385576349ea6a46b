/* SPDX-License-Identifier: MIT */
/**
 * Fetching URLs in worker processes: the commands are FETCH(url, reply) and SHUTDOWN.
 *
 *   coordinator   strait_fetch_channel; then per URL strait_fetch, strait_reply_peek … strait_fetch_part, release
 *   worker        strait_fetch_serve: hundreds of transfers in flight on one loop, until SHUTDOWN
 *
 * http:// (HTTP/1.1, keep-alive) and file://. An answer is a stream of parts: the first begins with the status and the
 * announced length, the rest is body; the last has STRAIT_MSG_LAST; a failure is one part with STRAIT_MSG_ERROR, its kind
 * and a sentence. A worker that dies has its jobs redelivered: a part with STRAIT_MSG_RESTART says: forget what came before.
 */
#ifndef STRAIT_FETCH_H
#define STRAIT_FETCH_H

#include <strait/reply.h>

STRAIT_BEGIN_DECLS

/** Tags of the commands. */
enum strait_fetch_command {
    STRAIT_FETCH_GET = 1,     /**< a request with a struct strait_fetch_request */
    STRAIT_FETCH_SHUTDOWN = 2 /**< no payload: one worker finishes what it has and returns. Send one for each */
};

/** Tags of an answer's parts. */
enum strait_fetch_tag { STRAIT_FETCH_FIRST = 1, STRAIT_FETCH_MORE = 2 };

/** Why a transfer failed. The names (strait_fetch_kind_name) are stable: they stand in --json. */
enum strait_fetch_kind {
    STRAIT_FETCH_OK = 0,
    STRAIT_FETCH_URL,       /**< "url": bad URL or unknown scheme */
    STRAIT_FETCH_RESOLVE,   /**< "resolve": the host name has no address */
    STRAIT_FETCH_CONNECT,   /**< "connect": refused, unreachable */
    STRAIT_FETCH_PROTOCOL,  /**< "protocol": garbage, a body cut short, a contradiction, a reset */
    STRAIT_FETCH_STATUS,    /**< "status": an answer other than 2xx */
    STRAIT_FETCH_TIMEOUT,   /**< "timeout": the deadline passed, whatever it was waiting for */
    STRAIT_FETCH_TOO_LARGE, /**< "too-large": the body is larger than max_bytes */
    STRAIT_FETCH_FILE,      /**< "file": missing, forbidden, not a regular file */
    STRAIT_FETCH_LOCAL,     /**< "local": this machine ran out of something */
    STRAIT_FETCH_WORKER,    /**< "worker": its workers died, again and again */
    STRAIT_FETCH_KINDS
};

/** The bytes of a FETCH command. */
struct strait_fetch_request {
    uint64_t max_bytes; /* of the body; 0 = no limit */
    uint32_t flags;     /* 0 */
    uint32_t url_bytes; /* what follows, without a final 0 */
};

/** The first bytes of an answer's first part. */
struct strait_fetch_head {
    uint64_t length;     /* announced length of the body, or STRAIT_FETCH_LENGTH_UNKNOWN */
    uint32_t status;     /* HTTP status; 0 for a file */
    uint32_t kind;       /* enum strait_fetch_kind; not STRAIT_FETCH_OK: the rest is the sentence, error says why */
    int32_t error;       /* -errno of a failure, 0 */
    uint32_t connection; /* how many requests its connection had carried before */
    uint32_t worker;     /* process id of the worker, for people */
    uint32_t unused;
};
#define STRAIT_FETCH_LENGTH_UNKNOWN UINT64_MAX

/** A part of an answer, decoded. */
struct strait_fetch_part {
    struct strait_fetch_head head; /**< in the first part and in failures; else zero */
    const char *data;              /**< body, or the sentence of a failure (not terminated); in place */
    uint32_t bytes;
    bool first;   /**< head is set; what came before, if anything, is void */
    bool last;    /**< the answer ends here */
    bool failure; /**< head.kind and data say why */
};

/** Channel options for `in_flight` transfers at once, over all workers. */
STRAIT_API struct strait_channel_options strait_fetch_channel(uint32_t in_flight);

/** Bytes that a segment needs for that channel. */
STRAIT_API uint64_t strait_fetch_segment_bytes(uint32_t in_flight);

/**
 * Ask for a URL (0-terminated): any worker of the channel answers into `reply`. transfer_deadline_ns is the transfer's,
 * from waiting in the channel to the last byte; max_bytes limits the body (0: no limit); deadline_ns bounds this call.
 * As strait_request; -ENAMETOOLONG the URL does not fit the channel's messages.
 */
STRAIT_API int strait_fetch(struct strait_tx *tx, const char *url, uint64_t max_bytes, uint64_t transfer_deadline_ns,
                            struct strait_reply_rx *reply, uint64_t deadline_ns);

/** Decode a peeked part: 0, or -EBADMSG what no worker of ours sends. `msg` may lie: sizes are checked. Pure. */
STRAIT_API int strait_fetch_part(const struct strait_msg *msg, struct strait_fetch_part *part);

/** "timeout", …; never NULL. */
STRAIT_API const char *strait_fetch_kind_name(uint32_t kind);

/** How a worker works. All zero = the defaults. */
struct strait_fetch_options {
    uint32_t in_flight;  /**< transfers at once; default 64; at most the channel's peek_window */
    uint64_t timeout_ns; /**< of a transfer whose request has no deadline; default 60 s */
};

/**
 * Be a worker: take FETCH commands from the channel `name` until a SHUTDOWN comes or all senders are gone, and finish what
 * was taken. Blocks; the calling thread is busy with it. Any process that is attached may. Dies with it: the transfers it
 * holds, which go to other workers. 0, or what strait_rx_open and strait_loop_create say.
 */
STRAIT_API int strait_fetch_serve(struct strait_segment *segment, const char *name,
                                  const struct strait_fetch_options *options);

STRAIT_END_DECLS

#endif
