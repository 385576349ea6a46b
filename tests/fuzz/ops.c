/* SPDX-License-Identifier: MIT */
/* Two processes use channels as programs do, while a third changes words of the segment between any two of their
 * accesses: an input is the number of CPUs, then a list of calls and of changes. */
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "endpoint.h"
#include "lease.h"
#include "strait/batch.h"
#include "strait/reply.h"
#include "sweep.h"
#include "world.h"

#define PARTIES  2
#define STEPS    20
#define WAIT_NS  120000000 /* more than one bounded sleep */
#define LATE_NS  1000000000
#define PATIENCE 400000 /* accesses of one call */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One process: a segment, and on each channel a sender and a receiver, opened when first needed. */
struct party {
    struct strait_segment segment;
    uint32_t home; /* 0 once it is dead */
    struct seat {
        struct strait_tx *tx;
        struct strait_rx *rx;
        struct strait_hold *hold;
        struct strait_claim claim;
        struct strait_msg msg;
        bool claimed, peeked, part_peeked, parted;
        struct strait_reply_rx reply;
        struct strait_answer answer;
        struct strait_msg part;
        struct strait_claim part_claim;
    } seats[WORLD_CHANNELS];
};

static struct strait_segment_map template;
static struct party parties[PARTIES];
static unsigned char text[128];

static struct strait_tx *sender(struct party *p, unsigned channel)
{
    struct seat *s = &p->seats[channel];

    if (s->tx == NULL)
        strait_tx_open(&p->segment, world_names[channel], NULL, &s->tx);
    return s->tx;
}

static struct strait_rx *receiver(struct party *p, unsigned channel)
{
    struct seat *s = &p->seats[channel];

    if (s->rx == NULL)
        strait_rx_open(&p->segment, world_names[channel], NULL, &s->rx);
    return s->rx;
}

/* ---- sending ---- */

static void do_send(struct seat *s, uint8_t how, uint64_t deadline_ns)
{
    struct strait_out out[3] = {{text, 8, 1}, {text, how, 2}, {text, 8, 3}};

    switch (how & 7) {
    case 0:
    case 1:
        strait_send_tagged(s->tx, how, text, how >> 2, deadline_ns);
        break;
    case 2:
        if (how & 64)
            strait_send_array(s->tx, how, text, how >> 3 & 31, 4, deadline_ns);
        else
            strait_send_many(s->tx, out, 3, deadline_ns);
        break;
    case 3:
    case 4:
        if (!s->claimed && strait_claim(s->tx, &s->claim, deadline_ns) == 0) {
            memset(s->claim.data, how, s->claim.size);
            s->claimed = true;
        }
        break;
    case 5:
    case 6:
        if (s->claimed && strait_commit(s->tx, &s->claim, how, how >> 3) == 0)
            s->claimed = false;
        break;
    default:
        if (s->claimed)
            strait_abort(s->tx, &s->claim);
        s->claimed = false;
        break;
    }
}

/* ---- receiving ---- */

static void sum(const void *data, uint32_t bytes)
{
    const unsigned char *at = data;
    unsigned total = 0;

    for (uint32_t i = 0; i < bytes; i++)
        total += at[i];
    __asm__ volatile("" ::"r"(total)); /* or the compiler reads nothing */
}

static void do_receive(struct seat *s, uint8_t how, uint64_t deadline_ns)
{
    struct strait_msg info;
    struct strait_in in[2] = {{text, 32, 0, 0}, {text + 32, 32, 0, 0}};
    uint32_t room = (how & 16) ? 64 : 8;
    int64_t n;

    switch (how & 7) {
    case 0:
    case 1:
        n = strait_recv_info(s->rx, text, room, &info, deadline_ns);
        MUST(n <= (int64_t)room);
        break;
    case 2:
        if (how & 64)
            n = strait_recv_array(s->rx, text, how >> 3 & 31, 4, deadline_ns);
        else
            n = strait_recv_many(s->rx, in, 2, deadline_ns);
        MUST(n <= 4);
        break;
    case 3:
    case 4:
    case 5:
        if (!s->peeked && strait_peek(s->rx, &s->msg, deadline_ns) == 0) {
            s->peeked = true;
            sum(s->msg.data, s->msg.bytes);
        }
        break;
    default:
        if (s->peeked && strait_release(s->rx, &s->msg) == 0)
            s->peeked = false;
        break;
    }
}

/* ---- requests and answers ---- */

static void call(struct seat *s, uint8_t how, uint64_t deadline_ns)
{
    struct strait_msg info;
    int64_t n;

    if (s->reply.reply == NULL) {
        strait_request(s->tx, 7, text, how >> 3, deadline_ns, &s->reply, deadline_ns);
        return;
    }
    switch (how & 3) {
    case 0:
        n = strait_reply_recv(&s->reply, text, 64, &info, deadline_ns);
        MUST(n <= 64);
        break;
    case 1:
        if (!s->part_peeked && strait_reply_peek(&s->reply, &s->part, deadline_ns) == 0) {
            s->part_peeked = true;
            sum(s->part.data, s->part.bytes);
        }
        break;
    case 2:
        if (s->part_peeked)
            strait_reply_release(&s->reply, &s->part);
        s->part_peeked = false;
        break;
    default:
        strait_reply_close(&s->reply);
        s->part_peeked = false;
        break;
    }
}

static void answer(struct seat *s, uint8_t how, uint64_t deadline_ns)
{
    uint16_t flags = how & 32 ? STRAIT_MSG_LAST : 0;

    if (!s->answer.open) {
        s->parted = false;
        if (s->peeked)
            strait_answer_accept(s->rx, &s->msg, &s->answer);
        return;
    }
    switch (how & 3) {
    case 0:
        strait_answer_send(&s->answer, how, flags, text, how >> 4, deadline_ns);
        break;
    case 1:
        if (!s->parted && strait_answer_claim(&s->answer, &s->part_claim, deadline_ns) == 0) {
            memset(s->part_claim.data, how, s->part_claim.size);
            s->parted = true;
        }
        break;
    case 2:
        if (s->parted)
            s->parted = strait_answer_commit(&s->answer, &s->part_claim, 1, flags, how >> 4) == -EMSGSIZE;
        break;
    default:
        strait_answer_abandon(&s->answer);
        break;
    }
}

/* ---- what is rare ---- */

static void close_seat(struct seat *s)
{
    if (s->reply.reply)
        strait_reply_close(&s->reply);
    if (s->answer.open)
        strait_answer_abandon(&s->answer);
    strait_tx_close(s->tx);
    strait_rx_close(s->rx);
    strait_channel_unhold(s->hold);
    memset(s, 0, sizeof *s);
}

static void rare(struct party *p, unsigned channel, uint8_t how)
{
    struct seat *s = &p->seats[channel];

    switch (how & 7) {
    case 0:
        strait_sweep_dead(&p->segment);
        break;
    case 1:
        strait_channel_shut(&p->segment, world_names[channel]);
        break;
    case 2:
    case 3:
        if (s->hold == NULL)
            strait_channel_hold(&p->segment, world_names[channel], &s->hold);
        break;
    case 4:
        close_seat(s);
        break;
    case 5:
        strait_channel_unlink(&p->segment, world_names[channel]);
        break;
    case 6:
        strait_channel_create(&p->segment, "more", &(struct strait_channel_options){.depth = 2, .dead_letters = 1});
        break;
    default: /* the second process is killed: whatever it was at stays as it is */
        world_alive[parties[1].segment.map.lease] = false;
        parties[1].home = 0;
        break;
    }
}

/* ---- the interpreter ---- */

/* op: what 3 | party 1 | channel 2 | wait 2 */
static void act(uint8_t op, struct input *in)
{
    struct party *p = &parties[op >> 3 & 1];
    unsigned channel = op >> 4 & 3;
    uint64_t deadline_ns = op >> 6 == 3 ? strait_now_ns() + WAIT_NS : STRAIT_NOW;
    uint8_t how = input_u8(in);

    if (p->home == 0)
        p = &parties[0];
    world_patience(PATIENCE);
    switch (op & 7) {
    case 0:
        if (sender(p, channel))
            do_send(&p->seats[channel], how, deadline_ns);
        break;
    case 1:
        if (receiver(p, channel))
            do_receive(&p->seats[channel], how, deadline_ns);
        break;
    case 2:
        if (sender(p, 0))
            call(&p->seats[0], how, deadline_ns);
        break;
    case 3:
        if (receiver(p, 0))
            answer(&p->seats[0], how, deadline_ns);
        break;
    case 4:
        rare(p, channel, how);
        break;
    case 5:
        world_poke(in);
        break;
    default:
        world_trap(in);
        break;
    }
    MUST(deadline_ns == STRAIT_NOW || world_now_ns < deadline_ns + LATE_NS);
}

static void set_up(void)
{
    world_build(&template);
    world_add_all(&template);
    for (uint32_t i = 1; i <= PARTIES; i++)
        strait_segment_lease(&template, i)->state = STRAIT_LEASE_USED;
    world_keep(&template);
    for (uint32_t i = 0; i < PARTIES; i++) {
        struct strait_segment *segment = &parties[i].segment;
        world_map(&segment->map, i + 1);
        segment->home = &parties[i].home;
        segment->uses = 1;
        segment->patience_ns = 1000000000;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    if (template.base == NULL)
        set_up();
    world_reset();
    /* one CPU in seven inputs of eight: there nobody spins before he sleeps, and most waits are in vain */
    uint32_t cpus = input_u8(&in) % 8 == 0 ? 2 : 1;
    for (uint32_t i = 0; i < PARTIES; i++) {
        parties[i].segment.map.cpus = cpus;
        parties[i].home = 1;
        world_alive[i + 1] = true;
    }
    for (unsigned step = 0; in.left && step < STEPS; step++)
        act(input_u8(&in), &in);
    for (unsigned i = 0; i < PARTIES; i++)
        for (unsigned channel = 0; channel < WORLD_CHANNELS; channel++) {
            world_patience(PATIENCE);
            close_seat(&parties[i].seats[channel]);
        }
    for (unsigned i = 0; i < PARTIES; i++)
        parties[i].segment.endpoints = NULL; /* the dead one's */
    return 0;
}
