/* SPDX-License-Identifier: MIT */
/**
 * From a host name to a connected socket: looks the name up and tries its addresses as RFC 8305 ("happy eyeballs") says:
 * families in turn, the next address when the one before has failed or has not answered for 250 ms; the first that answers
 * wins, the others are dropped. (getaddrinfo gives both families at once, in the order of RFC 6724.)
 */
#ifndef STRAIT_DIAL_H
#define STRAIT_DIAL_H

#include "resolve.h"

enum strait_dial_stage { STRAIT_DIAL_RESOLVE, STRAIT_DIAL_SOCKET, STRAIT_DIAL_CONNECT };

/* Once, from a step of the loop; the dial is gone by then. A connected socket, yours; or -errno at `stage` (RESOLVE: an
 * EAI_… number instead). */
typedef void strait_dial_done(void *context, int result, enum strait_dial_stage stage);

struct strait_dial {
    struct strait_op pace; /* first: time for the next address */
    struct strait_loop *loop;
    struct strait_question question;
    uint64_t deadline_ns;
    const struct addrinfo *next[2]; /* of the family that comes next, of the other one */
    struct strait_attempt *attempts;
    bool closed;
    void *context;
    strait_dial_done *done;
};

/* 0: done will be called, unless it is closed before. -ENOMEM, … */
int strait_dial_open(struct strait_dial **dial, struct strait_loop *loop, struct strait_resolver *resolver,
                     const char *host, uint16_t port, uint64_t deadline_ns, strait_dial_done *done, void *context);

/* No longer interested. The memory goes when the kernel has let go of it. NULL is ignored. */
void strait_dial_close(struct strait_dial *dial);

#endif
