/* SPDX-License-Identifier: MIT */
/**
 * Fetching URLs in worker processes: the commands are FETCH(url, reply) and SHUTDOWN.
 *
 *   coordinator   strait_fetch_channel; then per URL strait_fetch, strait_reply_peek … strait_fetch_part, release
 *   worker        strait_fetch_serve: hundreds of transfers in flight on one loop, until SHUTDOWN
 *
 * http:// and https:// (HTTP/1.1, keep-alive; no HTTP/2), file://. An answer is a stream of parts: the first begins with a
 * head (status, announced length, the answer's header fields if asked for), the rest is body; the last has STRAIT_MSG_LAST; a
 * failure is one part with STRAIT_MSG_ERROR, its kind and a sentence. A worker that dies has its jobs redelivered, and a
 * transfer that breaks may be tried again: whenever a first part comes, what came before is void.
 *
 * Who waits for one answer waits for its reply. Who waits for many, on a loop, waits for the bell of the channel's space
 * (tx->space, strait_op_bell): a worker rings it for parts and ends, for several at a time when it is busy; then look at all
 * replies. What no worker says (a job given up after its workers' deaths) is found at the next look: look now and then.
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
enum strait_fetch_tag {
    STRAIT_FETCH_FIRST = 1,
    STRAIT_FETCH_MORE = 2,
    STRAIT_FETCH_STORED = 3 /**< of a body that goes to a file: a head, and how much is there by now */
};

/** Why a transfer failed. The names (strait_fetch_kind_name) are stable: they stand in --json. */
enum strait_fetch_kind {
    STRAIT_FETCH_OK = 0,
    STRAIT_FETCH_URL,      /**< "url": bad URL, unknown scheme, a header field that may not be sent */
    STRAIT_FETCH_RESOLVE,  /**< "resolve": the host name has no address */
    STRAIT_FETCH_CONNECT,  /**< "connect": refused, unreachable */
    STRAIT_FETCH_PROTOCOL, /**< "protocol": garbage, a body cut short, a contradiction, a reset */
    STRAIT_FETCH_STATUS,   /**< "status": an answer other than 2xx */
    STRAIT_FETCH_TIMEOUT, /**< "timeout": the deadline passed, or a silence was too long, whatever it was waiting for */
    STRAIT_FETCH_TOO_LARGE, /**< "too-large": the body is larger than max_bytes */
    STRAIT_FETCH_FILE,      /**< "file": file:// that is missing, forbidden, no regular file */
    STRAIT_FETCH_LOCAL,     /**< "local": this machine ran out of something; the output could not be written */
    STRAIT_FETCH_WORKER,    /**< "worker": its workers died, again and again */
    STRAIT_FETCH_TLS,       /**< "tls": a certificate that is not to be trusted, a broken handshake, a body cut off */
    STRAIT_FETCH_REDIRECT,  /**< "redirect": too many, or one that leads nowhere */
    STRAIT_FETCH_REFUSED,   /**< "refused": we would not: a redirect from https to http, or to another scheme */
    STRAIT_FETCH_PROXY,     /**< "proxy": it refused the tunnel, or the environment's value cannot be used */
    STRAIT_FETCH_CHECKSUM,  /**< "checksum": the whole body came, and is not what it was to be */
    STRAIT_FETCH_KINDS
};

enum strait_fetch_flags {
    STRAIT_FETCH_HEAD = 1 << 0,       /**< HEAD instead of GET */
    STRAIT_FETCH_FIELDS = 1 << 1,     /**< the answer's header fields are wanted */
    STRAIT_FETCH_STAY = 1 << 2,       /**< redirects are not followed: they are a status like others */
    STRAIT_FETCH_ANY_STATUS = 1 << 3, /**< no status is a failure (redirects are followed all the same) */
};

/** What is asked for beside the URL. All zero = a plain GET. */
struct strait_fetch_ask {
    uint64_t deadline_ns; /**< of the whole transfer, waiting in the channel included; 0 = the worker's timeout_ns */
    uint64_t idle_ns;     /**< longest silence: no connection, no byte; 0 = as long as the deadline */
    uint64_t max_bytes;   /**< largest body; 0 = no limit */
    uint64_t from,
        bytes;      /**< a range: `bytes` (0 = to the end) from byte `from` on; a server may send all (head.offset) */
    uint32_t flags; /**< enum strait_fetch_flags */
    uint32_t redirects; /**< most to follow; 0 = 10 */
    uint32_t retries; /**< of what may pass: no connection, a reset, a body cut short, 408, 429, 5xx; with backoff, and
                               what Retry-After says; 0 = none */
    const char *fields; /**< more header fields, "Name: value\n" each; Authorization and Cookie go to the first origin
                               only; 304 is a success if one of them begins with If-; NULL = none */
    const char *file; /**< absolute path of a regular file that the worker writes the body to, from byte head.offset on
                               (a range goes on where the file ends); NULL = the body comes in the parts */
    const char
        *checksum; /**< "sha256:HEX" (sha512, sha384, sha224, sha1, md5) of the body; with a range and a file, of the
                               file. Otherwise the transfer fails, after the last byte. NULL = none */
};

/** The bytes of a FETCH command; the texts follow, without final 0, in this order. */
struct strait_fetch_request {
    uint64_t max_bytes, idle_ns;
    uint64_t from, bytes;
    uint32_t flags;
    uint16_t redirects, retries;
    uint16_t url_bytes, fields_bytes, file_bytes, checksum_bytes;
};

/** The first bytes of an answer's first part. */
struct strait_fetch_head {
    uint64_t length;       /* announced length of the body that comes, or STRAIT_FETCH_LENGTH_UNKNOWN */
    uint64_t offset;       /* of its first byte; not 0 only if a range was asked for */
    uint64_t stored;       /* STORED: bytes of body written so far */
    uint32_t status;       /* HTTP status; 0 for a file */
    uint32_t kind;         /* enum strait_fetch_kind; not STRAIT_FETCH_OK: the rest is the sentence, error says why */
    int32_t error;         /* -errno of a failure, 0 */
    uint32_t connection;   /* how many requests its connection had carried before */
    uint32_t worker;       /* process id of the worker, for people */
    uint16_t redirects;    /* that were followed */
    uint16_t retries;      /* that were needed */
    uint32_t fields_bytes; /* header fields, "name: value\n" each, follow; then the body */
    uint32_t unused;
};
#define STRAIT_FETCH_LENGTH_UNKNOWN UINT64_MAX

/** A part of an answer, decoded. */
struct strait_fetch_part {
    struct strait_fetch_head head; /**< in the first part and in failures; else zero */
    const char *fields;            /**< head.fields_bytes of them, not terminated; in place */
    const char *data;              /**< body, or the sentence of a failure (not terminated); in place */
    uint32_t bytes;
    bool first;   /**< head is set; what came before, if anything, is void */
    bool last;    /**< the answer ends here */
    bool failure; /**< head.kind and data say why */
    bool stored;  /**< the body is in the file, head.stored bytes so far */
};

/** Channel options for `in_flight` transfers at once, over all workers. */
STRAIT_API struct strait_channel_options strait_fetch_channel(uint32_t in_flight);

/** Bytes that a segment needs for that channel. */
STRAIT_API uint64_t strait_fetch_segment_bytes(uint32_t in_flight);

/**
 * Ask for a URL (0-terminated): any worker of the channel answers into `reply`. `ask` may be NULL. deadline_ns bounds this
 * call alone. As strait_request; -ENAMETOOLONG the URL and the other texts do not fit the channel's messages (4 KiB).
 */
STRAIT_API int strait_fetch(struct strait_tx *tx, const char *url, const struct strait_fetch_ask *ask,
                            struct strait_reply_rx *reply, uint64_t deadline_ns);

/** Decode a peeked part: 0, or -EBADMSG what no worker of ours sends. `msg` may lie: sizes are checked. Pure. */
STRAIT_API int strait_fetch_part(const struct strait_msg *msg, struct strait_fetch_part *part);

/** "timeout", …; never NULL. */
STRAIT_API const char *strait_fetch_kind_name(uint32_t kind);

/** How a worker works. All zero = the defaults. */
struct strait_fetch_options {
    uint32_t in_flight;  /**< transfers at once; default 64; at most the channel's peek_window */
    uint64_t timeout_ns; /**< of a transfer whose request has no deadline; default 60 s */
    const char
        *ca_file; /**< certificates to trust (PEM) instead of the system's; NULL: SSL_CERT_FILE, or the system's */
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
