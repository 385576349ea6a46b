/* SPDX-License-Identifier: MIT */
/**
 * What the two ends of a call say to each other. Each is a line in the header "Strait"; the payload is the application's.
 *
 *   caller -> pool's subject (one bridge of the group gets it), reply = the call's own subject
 *     Q tag attempt window us    a request; us = microseconds that the caller will wait, 0 = for ever
 *     M tag                      a message without a reply, to be sent on and confirmed with D
 *   server -> the call's subject
 *     P number tag flags CALL    a part of the answer; CALL = the server's own subject for this call
 *     A parts CALL               at it; so many parts were sent
 *     B                          busy: ask again, perhaps another one gets it
 *     D                          M was sent on
 *     E errno                    it failed: workers died, or none is left
 *     U                          I know no such call
 *   caller -> CALL
 *     W parts                    so many parts have been passed on: send more, up to parts + window
 *     K parts                    are you there? answered with A or U
 *     C                          nobody wants it any more
 */
#ifndef STRAIT_TOOLS_BRIDGE_CALLS_H
#define STRAIT_TOOLS_BRIDGE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge.h"

#define CALLS_WINDOW      16                   /* parts of an answer that may be on the way */
#define CALLS_ASK_NS      UINT64_C(1000000000) /* silence after which a caller asks */
#define CALLS_PATIENCE_NS UINT64_C(5000000000) /* silence after which the other side is taken for dead */
#define CALLS_ACCEPT_NS   UINT64_C(500000000)  /* a server that has no part yet says that it is at it */

/* Each of these: false, the header is none of ours; what it would say is then nothing to go by. */

struct calls_request {
    char letter;
    uint16_t tag;
    uint32_t attempt, window; /* Q */
    uint64_t left_us;
};
bool calls_read_request(const char *header, struct calls_request *request);

/** To one that has asked with M (plain) or with Q. */
struct calls_reply {
    char letter;
    uint32_t number; /* P: of the part; A: parts; E: errno */
    uint16_t tag, flags;
    char call[BRIDGE_SUBJECT_BYTES];
};
bool calls_read_reply(const char *header, bool plain, struct calls_reply *reply);

/** W, K, C about a call of which so many parts were sent. */
struct calls_word {
    char letter;
    uint32_t parts;
};
bool calls_read_word(const char *header, uint32_t sent, struct calls_word *word);

#endif
