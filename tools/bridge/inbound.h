/* SPDX-License-Identifier: MIT */
/** One --in link: what its two files share. inbound.c asks for messages and delivers them, acknowledge.c follows them to the end. */
#ifndef STRAIT_TOOLS_BRIDGE_INBOUND_H
#define STRAIT_TOOLS_BRIDGE_INBOUND_H

#include "bridge.h"
#include "stream.h"
#include "window.h"

#define ACK_BYTES 192
#define ASKS      4

enum given_state {
    GIVEN_STALE = 0, /* a dead bridge delivered it, and we do not know how to speak for it */
    GIVEN_COMMITTED, /* in the local ring */
    GIVEN_RELEASED,  /* done with; the server does not know it for certain */
    GIVEN_DONE,      /* it does */
};

/** What we know of a window's entry beside what is in shared memory. */
struct given {
    enum given_state state;
    uint64_t said_ns;
    char ack[ACK_BYTES]; /* where to acknowledge */
};

/** A message that found no room: others filled the ring that we counted. */
struct held {
    struct held *next;
    char ack[ACK_BYTES];
    uint64_t sequence, consumer; /* as window_place has them */
    uint32_t tries;              /* how often the server has delivered it */
    uint16_t tag;
    bool again; /* it may have come before, here or elsewhere: to be marked */
    uint32_t bytes;
    unsigned char data[];
};

struct ask {
    uint64_t number, until_ns;
    uint32_t remaining; /* messages that may still come; 0 = no request */
};

struct inbound {
    struct strait_op pulse; /* first: what the loop gives back */
    struct link *link;
    struct strait_tx *tx;
    struct stream stream;
    struct window window;
    struct given *given; /* by the window's entry */
    struct ask asks[ASKS];
    uint64_t ask_number;
    struct held *held, **held_end;
    uint32_t held_n, committed;
    uint64_t suspect; /* up to here, another server process than this one may have delivered, and forgotten it */
    uint64_t pulse_ns, said_ns; /* when we last said that we are at it */
    char close_ack[ACK_BYTES];  /* the close has come: where to acknowledge it; else empty */
    char close_subject[BRIDGE_SUBJECT_BYTES + 16];
    bool closed;
};

/** An end of ring i of the channel, without a cursor. */
bool inbound_ring(const struct inbound *in, uint32_t ring, struct strait_ring_end *end);

/** A word to the server about a message. */
void inbound_say(struct inbound *in, const char *to, const char *what, const char *reply);

/** Take over what a dead bridge has delivered: the server is to hear of it from us. */
void inbound_adopt(struct inbound *in);

/** We are done with an entry: tell the server, until it confirms. */
void inbound_acknowledge(struct inbound *in, uint32_t entry);
void inbound_confirmed(struct inbound *in, const char *rest);

/** Acknowledge what local receivers have released since: was there anything? */
bool inbound_acknowledge_released(struct inbound *in);

/** Ten times a second: what is still in the ring is being worked on; what was not confirmed is said again. */
void inbound_remind(struct inbound *in, uint64_t now_ns);

#endif
