/* SPDX-License-Identifier: MIT */
/**
 * The JetStream stream behind a channel: a work queue (a message goes when one consumer has acknowledged it) that refuses
 * new messages when it is full. Whoever comes first makes it; who comes later takes it as it is.
 */
#ifndef STRAIT_TOOLS_BRIDGE_STREAM_H
#define STRAIT_TOOLS_BRIDGE_STREAM_H

#include "bridge.h"

#define STREAM_NAME_BYTES 128
#define STREAM_FULL       10077 /* the server's error code: maximum messages (or bytes) exceeded */
#define STREAM_FULL_BYTES 10047 /* insufficient storage resources */
#define STREAM_UNKNOWN    UINT64_MAX

struct stream {
    struct link *link;
    char name[STREAM_NAME_BYTES], durable[24];
    bool consumer; /* wanted as well */
    bool ready;
    uint64_t asked_ns; /* when we last asked the server for it; 0 = we do not */
    uint64_t made;     /* which stream of that name: a hash of when it was made. 0 = not known */
    uint64_t last;     /* the number of its newest message, when it was made or found */
    uint64_t waiting;  /* consumer: messages that nobody has got yet, */
    uint64_t pending;  /* got and not acknowledged; */
    uint64_t floor;    /* all up to this number of the stream are acknowledged */
    uint64_t left;     /* not yet acknowledged by anybody; STREAM_UNKNOWN until stream_count is answered */
    uint64_t looked_ns;
};

void stream_init(struct stream *stream, struct link *link, bool consumer);

/** Ask the server for it; goes on until `ready`. Also when a server has come back. */
void stream_ensure(struct stream *stream);

/** Ask how far the consumer is: waiting, pending, floor follow. */
void stream_look(struct stream *stream);

/**
 * Ask how many messages are not acknowledged: `left` follows. Of a consumer that gets all of them it is its own count: a server that was
 * killed may still have in the stream what was acknowledged. With partitions, nobody but the stream knows of all.
 */
void stream_count(struct stream *stream);

/** An answer to one of these: true, something is new: ready, or figures. */
bool stream_message(struct stream *stream, const char *rest, natsMsg *msg);

/** Ask again what was not answered. */
void stream_tick(struct stream *stream, uint64_t now_ns);

/** An answer of the server as JSON: 0, its error code, or -EBADMSG. */
int stream_error(natsMsg *msg);

/** A number's value behind "key": in JSON that the server wrote; `otherwise` where there is none. */
uint64_t stream_number(const char *json, const char *key, uint64_t otherwise);

#endif
