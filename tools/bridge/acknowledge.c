/* SPDX-License-Identifier: MIT */
/* What was delivered, until the server knows for certain that we are done with it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "inbound.h"
#include "server.h"
#include "words.h"

#define CONFIRM_NS UINT64_C(1000000000) /* an acknowledgement that was not confirmed is sent again */

/* ---- the local ring ---- */

bool inbound_ring(const struct inbound *in, uint32_t ring, struct strait_ring_end *end)
{
    return strait_channel_end(&in->tx->endpoint->view, ring, end) == 0;
}

/* Has a local receiver let go of it, or did its receivers die so often that it became a dead letter? */
static bool is_released(const struct inbound *in, const struct window_place *p)
{
    struct strait_ring_end end;
    uint64_t word;

    if (!inbound_ring(in, (uint32_t)p->ring, &end))
        return false;
    /* relaxed: we only want to know whether its turn is over, and read nothing behind it */
    word = strait_load64_relaxed(&strait_ring_slot(&end, p->cursor)->word);
    return (int64_t)((word & STRAIT_TURN_MASK) - (p->cursor & STRAIT_TURN_MASK)) > 0 ||
           strait_slot_state(word) == STRAIT_SLOT_VOID;
}

/* ---- acknowledging ---- */

void inbound_say(struct inbound *in, const char *to, const char *what, const char *reply)
{
    struct out_message m = {.subject = to, .reply = reply, .data = what, .bytes = (uint32_t)strlen(what)};
    server_send(in->link->bridge, &m);
}

void inbound_acknowledge(struct inbound *in, uint32_t entry)
{
    struct given *g = &in->given[entry];
    char reply[BRIDGE_SUBJECT_BYTES];

    in->committed -= g->state == GIVEN_COMMITTED;
    g->state = GIVEN_RELEASED;
    g->said_ns = strait_now_ns();
    server_address(in->link, 'a', reply, "%u.%" PRIu64, entry, in->window.page->place[entry].sequence);
    inbound_say(in, g->ack, "+ACK", reply);
}

void inbound_confirmed(struct inbound *in, const char *rest)
{
    struct words w = words_of(rest, '.');
    uint32_t entry = (uint32_t)words_number(&w, 0, WINDOW_ENTRIES - 1);
    uint64_t sequence = words_number(&w, 1, UINT64_MAX);

    if (!words_end(&w) || in->given[entry].state != GIVEN_RELEASED ||
        in->window.page->place[entry].sequence != sequence)
        return; /* an earlier one's, which was said twice */
    in->given[entry].state = GIVEN_DONE;
    window_done(&in->window, entry);
}

bool inbound_acknowledge_released(struct inbound *in)
{
    bool any = false;

    for (uint32_t i = 0; in->committed && i < WINDOW_ENTRIES; i++)
        if (in->given[i].state == GIVEN_COMMITTED && is_released(in, &in->window.page->place[i])) {
            inbound_acknowledge(in, i);
            any = true;
        }
    return any;
}

void inbound_adopt(struct inbound *in)
{
    for (uint32_t i = 0; i < WINDOW_ENTRIES; i++) {
        const struct window_place *p = &in->window.page->place[i];
        struct given *g = &in->given[i];
        int n;
        if (g->state != GIVEN_STALE || p->sequence == 0 || p->consumer == 0)
            continue;
        /* where the server gave it out, but for the time and the backlog, which nobody reads */
        n = snprintf(g->ack, ACK_BYTES, "$JS.ACK.%s.%s.%u.%" PRIu64 ".%" PRIu64 ".0.0", in->stream.name,
                     in->stream.durable, p->tries, p->sequence, p->consumer);
        if (n >= ACK_BYTES)
            continue; /* as stale as before */
        g->state = GIVEN_COMMITTED;
        in->committed++;
    }
}

static void say_working(struct inbound *in, uint64_t now_ns)
{
    if (now_ns - in->said_ns < in->link->options->ack_wait_ns / 3)
        return;
    in->said_ns = now_ns;
    for (uint32_t i = 0; in->committed && i < WINDOW_ENTRIES; i++)
        if (in->given[i].state == GIVEN_COMMITTED)
            inbound_say(in, in->given[i].ack, "+WPI", NULL);
    for (struct held *h = in->held; h; h = h->next)
        inbound_say(in, h->ack, "+WPI", NULL);
}

static void say_again(struct inbound *in, uint64_t now_ns)
{
    for (uint32_t i = 0; i < WINDOW_ENTRIES; i++) {
        struct given *g = &in->given[i];
        uint64_t sequence = in->window.page->place[i].sequence;
        bool said = g->state == GIVEN_RELEASED && now_ns - g->said_ns > CONFIRM_NS;
        if ((said || g->state == GIVEN_STALE) && sequence && sequence <= in->stream.floor) {
            g->state = GIVEN_DONE; /* a dead bridge's, perhaps, and acknowledged */
            window_done(&in->window, i);
        } else if (said) {
            inbound_acknowledge(in, i);
        }
    }
}

void inbound_remind(struct inbound *in, uint64_t now_ns)
{
    say_again(in, now_ns);
    say_working(in, now_ns);
}
