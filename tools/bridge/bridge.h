/* SPDX-License-Identifier: MIT */
/**
 * strait-bridge: channels and calls of a segment, carried to other machines over NATS. One process, one thread of ours: its
 * loop waits for the segment's bells and for the server's socket alike. docs/BRIDGE.md is the design; this page is what
 * its files share.
 *
 *   server     the connection, in our loop; requests to the server and where their answers go
 *   stream     a JetStream stream and its consumer: made, or found as they are
 *   outbound   local channel -> stream        inbound   stream -> local channel, with its window of what was delivered
 *   caller     local callers -> remote pool   serve     remote callers -> local pool
 *   status     what shmctl bridge reads                 bin       messages that libnats may have back
 */
#ifndef STRAIT_TOOLS_BRIDGE_H
#define STRAIT_TOOLS_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include <nats/nats.h>
#include <strait/strait.h>

#include "bin.h"
#include "status.h"

#define BRIDGE_TICK_NS      UINT64_C(100000000)
#define BRIDGE_HEADER_BYTES 512 /* what headers and subject may add to a payload */
#define BRIDGE_DURABLE      "strait"
#define BRIDGE_HEADER       "Strait"

struct bridge;
struct link;

/* ---- links ---- */

/** One of --out, --in, --call, --serve. */
struct link_options {
    enum bridge_link_kind kind;
    char name[STRAIT_NAME_BYTES];    /* of the local object */
    char subject[STRAIT_NAME_BYTES]; /* what it is called between machines; default: name */
    bool key_tag;                    /* out: the tag is the last token of the subject */
    int32_t partition;               /* in: only this part of the keys; -1 = all */
    bool ack_commit;                 /* in: acknowledge at the local commit, not at the release */
    uint64_t ack_wait_ns;            /* in: the server gives a message to somebody else after so long a silence */
    uint64_t limit;                  /* most messages in the stream */
    bool memory;                     /* the stream is kept in the server's memory */
    uint32_t replicas;
    uint64_t duplicates_ns; /* the server's own window of message ids */
    uint32_t parallel;      /* calls under way at once */
};

/** What a kind of link does. All run on the loop's thread. */
struct link_kind {
    /* The object is there: take our place. 0, -EAGAIN later, else the bridge ends with strait_error(). */
    int (*open)(struct link *link);
    /* The server is there (again): what was under way is to be said anew. */
    void (*up)(struct link *link);
    void (*down)(struct link *link);
    /* A message to our inbox, addressed to this link. `rest`: what follows the link's number in the subject. */
    void (*message)(struct link *link, char what, const char *rest, natsMsg *msg);
    /* A message to the subject that the link has subscribed to. */
    void (*request)(struct link *link, natsMsg *msg);
    /* A message that the link has pulled from a stream (its subject is the stream's), or the server's word about that;
     * NULL: there is no such stream. */
    void (*pulled)(struct link *link, natsMsg *msg);
    /* A request to the server (whose, libnats does not say) met nobody. */
    void (*unheard)(struct link *link);
    /* Something has come: look into boxes of your own. */
    void (*drain)(struct link *link);
    void (*tick)(struct link *link, uint64_t now_ns);
    /* Is anything under way that a quiet end should wait for? */
    bool (*busy)(const struct link *link);
    /* Bytes that the server must be able to carry in one message. */
    uint64_t (*largest)(const struct link *link);
    void (*close)(struct link *link);
};

struct link {
    const struct link_kind *kind;
    const struct link_options *options;
    struct bridge *bridge;
    uint32_t index;
    bool open, strange; /* strange: something was refused, and we have said so */
    char subject[BRIDGE_SUBJECT_BYTES];
    natsSubscription *subscription, *pull; /* or NULL */
    struct bridge_link_status *status;
    void *state;
};

extern const struct link_kind link_out, link_in, link_call, link_serve;

/* ---- the process ---- */

struct bridge_options {
    const char *server, *segment, *app, *name, *directory;
    const char *user_credentials;
    char *file; /* the text behind --config: options point into it */
    uint64_t ping_ns;
    bool quiet;
    uint32_t links;
    struct link_options link[BRIDGE_LINKS];
};

struct bridge {
    struct bridge_options options;
    struct strait_segment *segment;
    struct strait_loop *loop;
    struct server *server;
    struct status_page *page;
    struct bridge_status status; /* as it is to be published */
    struct link link[BRIDGE_LINKS];
    struct bin bin;
    struct strait_op tick, signalled; /* as long as the loop, which ends after run() */
    bool stopping;                    /* take nothing new */
    int failed;                       /* 0, or why the bridge ends */
};

/** options.c: 0, 1 help was printed, -EINVAL after a complaint. */
int bridge_options_parse(int argc, char **argv, struct bridge_options *options);

/** "strait-bridge: " and a sentence on stderr. */
void bridge_say(const struct bridge *bridge, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** `what` came, and says nothing that we understand: it is refused. Said of a link once; the caller counts it as failed. */
void bridge_strange(struct link *link, const char *what);

/** End the bridge: the sentence says why. */
void bridge_fail(struct bridge *bridge, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** The object's kind and slot size without opening it. -ENOENT it is not there, -ENOTUNIQ it is no channel. */
struct bridge_channel {
    uint32_t slot_bytes, reply_bytes, replies, window;
    bool lanes;
};
int bridge_channel_look(struct link *link, struct bridge_channel *channel);

/** Does anybody here receive from the link's channel? From the view of one of its ends. */
struct strait_endpoint;
bool bridge_has_receivers(const struct strait_endpoint *endpoint);

#endif
