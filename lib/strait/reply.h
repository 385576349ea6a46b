/* SPDX-License-Identifier: MIT */
/**
 * Requests and their answers. A request is a message that carries a reply: a token for a small ring of its own, so an
 * answer may be one part or a stream with backpressure.
 *
 *   caller   strait_request … strait_reply_recv until a part is LAST … strait_reply_close
 *   worker   strait_peek, strait_answer_accept, strait_answer_send … (the last part with STRAIT_MSG_LAST), strait_release
 *
 * The channel is created with options.replies > 0. Deaths: a worker that dies has its request redelivered; the first
 * part of the next worker's answer has STRAIT_MSG_RESTART: forget what came before. After max_attempts the caller gets
 * -EOWNERDEAD. A caller that dies or leaves: the worker gets -EPIPE.
 */
#ifndef STRAIT_REPLY_H
#define STRAIT_REPLY_H

#include <strait/channel.h>

STRAIT_BEGIN_DECLS

/* ---- caller ---- */

/** One request under way. Yours; do not copy while it is open. */
struct strait_reply_rx {
    struct strait_ring_end end;
    struct strait_reply *reply;
    struct strait_tx *tx;
    uint64_t token;
    uint32_t unrung;
    bool last; /* the last part has been received */
};

/**
 * Send a request of `bytes` bytes and open `reply` for its answer. The message takes slot_bytes - 16 at most.
 * job_deadline_ns travels with the request (STRAIT_FOREVER = none); deadline_ns bounds this call. Thread as the tx.
 * 0, -EOPNOTSUPP the channel has no replies, -ENOBUFS all replies are in use, else as strait_send_tagged.
 */
STRAIT_API int strait_request(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                              uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns);

/**
 * Receive the next part of the answer into `to`; info->flags tells LAST, RESTART, ERROR. Its length, -ETIMEDOUT,
 * -EAGAIN (STRAIT_NOW), -EOWNERDEAD its workers have died max_attempts times or gave up, -EPIPE no worker is left and
 * none is expected (nobody receives, nobody holds the channel), -ENODATA the last part was received already, -EMSGSIZE
 * (the part stays), -EINTR, -ECHILD.
 */
STRAIT_API int64_t strait_reply_recv(struct strait_reply_rx *reply, void *to, uint32_t size, struct strait_msg *info,
                                     uint64_t deadline_ns);

/** Read the next part in place, until strait_reply_release. 0, else as strait_reply_recv. One part at a time. */
STRAIT_API int strait_reply_peek(struct strait_reply_rx *reply, struct strait_msg *msg, uint64_t deadline_ns);
STRAIT_API void strait_reply_release(struct strait_reply_rx *reply, struct strait_msg *msg);

/** Done, or no longer interested: a worker at it gets -EPIPE. Idempotent; never blocks. */
STRAIT_API void strait_reply_close(struct strait_reply_rx *reply);

/** Request, gather the whole answer (all its parts, one behind the other), close: its length, or as the calls above;
 * -EREMOTEIO the answer is an error part, whose bytes are in `to` (info->bytes long). */
STRAIT_API int64_t strait_call(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, void *to,
                               uint32_t size, struct strait_msg *info, uint64_t deadline_ns);

/* ---- worker ---- */

/** The answering side of one request. Yours; do not copy while it is open. */
struct strait_answer {
    struct strait_ring_end end;
    struct strait_reply *reply;
    struct strait_rx *rx;
    uint64_t token;
    uint16_t first_flags; /* RESTART, until the first part is sent */
    bool open;
};

/**
 * Become the worker that answers a peeked request. 0, -EPIPE the caller has gone: release the message, -EALREADY it was
 * answered by a worker that died before its release: release the message, -EBUSY another worker is at it, -EBADMSG not
 * a request. Never blocks.
 */
STRAIT_API int strait_answer_accept(struct strait_rx *rx, const struct strait_msg *request,
                                    struct strait_answer *answer);

/**
 * Send one part; flags: STRAIT_MSG_LAST ends the answer, STRAIT_MSG_ERROR says that it is an error. 0, -EPIPE the caller
 * has gone (perhaps after it had read the whole answer), -EMSGSIZE, -ETIMEDOUT, -EAGAIN, -EINTR. After LAST (or -EPIPE) the answer is closed.
 */
STRAIT_API int strait_answer_send(struct strait_answer *answer, uint16_t tag, uint16_t flags, const void *data,
                                  uint32_t bytes, uint64_t deadline_ns);

/** Write a part in place: claim, then commit. As strait_answer_send; until the commit, nobody sees it. */
STRAIT_API int strait_answer_claim(struct strait_answer *answer, struct strait_claim *claim, uint64_t deadline_ns);
STRAIT_API int strait_answer_commit(struct strait_answer *answer, struct strait_claim *claim, uint16_t tag,
                                    uint16_t flags, uint32_t bytes);

/** Largest part, in bytes. */
STRAIT_API uint32_t strait_answer_size(const struct strait_answer *answer);

/** Is the caller still there? 0, -EPIPE. Never blocks. */
STRAIT_API int strait_answer_wanted(const struct strait_answer *answer);

/** Give up without LAST: the caller gets -EOWNERDEAD. Nothing if it is closed. */
STRAIT_API void strait_answer_abandon(struct strait_answer *answer);

STRAIT_END_DECLS

#endif
