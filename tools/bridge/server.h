/* SPDX-License-Identifier: MIT */
/**
 * The connection to a NATS server, driven by our loop: libnats neither reads nor writes on threads of its own (it keeps
 * one for reconnecting and one for timers). Everything that comes is handed to the links, on the loop's thread.
 */
#ifndef STRAIT_TOOLS_BRIDGE_SERVER_H
#define STRAIT_TOOLS_BRIDGE_SERVER_H

#include "bridge.h"

/** Start connecting; goes on for ever. 0 or -errno after a complaint. */
int server_open(struct bridge *bridge);
void server_close(struct bridge *bridge);

/** What was published since the last call goes to the socket; what libnats asked for is done. Once per step of the loop. */
void server_settle(struct bridge *bridge);

/** What was published goes to the socket now: for somebody who waits for it while we have other things to do. */
void server_flush(struct bridge *bridge);

bool server_up(const struct bridge *bridge);

/** Can the server carry the link's largest message? Else the bridge ends: it is refused now, and not when it is sent. */
bool server_carries(struct link *link);

/** Which server process we are connected to: not 0. */
uint64_t server_identity(const struct bridge *bridge);

/** Our own prefix of subjects: nobody else subscribes below it. */
const char *server_inbox(const struct bridge *bridge);

/** An inbox subject for a link: PREFIX.wL.rest, `what` a letter. */
void server_address(const struct link *link, char what, char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** A message to be sent; header NULL = none. reply NULL = none. Never blocks. 0, -ENOTCONN, -EMSGSIZE, -ENOMEM. */
struct out_message {
    const char *subject, *reply;
    const char *header; /* value of BRIDGE_HEADER */
    const char *id;     /* Nats-Msg-Id */
    const void *data;
    uint32_t bytes;
};
int server_send(struct bridge *bridge, const struct out_message *message);

/** Subscribe the link, as one of a group (NULL = alone); or no longer. What comes goes to its kind's request(). 0, -EIO. */
int server_subscribe(struct link *link, const char *subject, const char *group);
void server_unsubscribe(struct link *link);

/** Where pulled messages are to go: subject[BRIDGE_SUBJECT_BYTES], subscribed to at the first call. 0, -EIO. */
int server_pull_address(struct link *link, uint64_t number, char *subject);

/**
 * A box for the answers to one kind of request, apart from the inbox: libnats says of a synchronous subscription that nobody
 * listens, but not which subject that was about. Opened at the first call; subject[BRIDGE_SUBJECT_BYTES] is for answer
 * `number`. 0, -EIO.
 */
struct server_box {
    natsSubscription *subscription;
};
int server_box_address(struct link *link, struct server_box *box, uint32_t index, uint32_t number, char *subject);
void server_box_close(struct server_box *box);

/** The next message: 1 and it is the caller's to destroy, 0 none, -EHOSTUNREACH nobody listens. Never blocks. */
int server_next(natsSubscription *subscription, natsMsg **msg);

/** BRIDGE_HEADER of a message, or NULL. */
const char *server_header(natsMsg *msg);

/** The server's own word in a message without payload: 503 nobody listens, 408, 404, 409; 0 = an ordinary message. */
int server_word(natsMsg *msg);

#endif
