/* SPDX-License-Identifier: MIT */
/*
 * Whole channels: strait_send and strait_recv with their sleeps (lib/channel.c, shm/wait.c), opening, closing, shutting
 * (lib/endpoint.c, shm/channel.c), deaths and sweeps. Checked: no wake is lost (nobody sleeps on while it could go on,
 * unless somebody died), -EPIPE comes when it must and not before, what was sent is received once, whole, in order.
 */
#include <errno.h>
#include <stdlib.h>

#include "strait/batch.h"
#include "sweep.h"
#include "world.h"

#define MOST_SENDERS  2
#define MOST_MESSAGES 4
#define MESSAGES      (MOST_SENDERS * MOST_MESSAGES)
#define MOST_TIMEOUTS 12 /* of all actors together, after a death */

enum {
    STOP_AFTER_ONE = 1,
    OPEN_IN_RUN = 2,
    PEEK = 4,
    CLOSE = 8,
    LANES = 16,
    SHARDS = 32,
    KEYED = 64,
    PACK = 128,       /* arrays, two messages a slot, */
    THREE = 256,      /* or three */
    FIRST_STOPS = 512 /* STOP_AFTER_ONE, but for the first receiver only */
};

struct payload {
    uint64_t id, mirror;
};

static struct {
    uint8_t begun[MESSAGES], sent[MESSAGES], refused[MESSAGES];
    uint8_t received[MESSAGES];               /* how often */
    uint8_t over[MESSAGES];                   /* recv, or release, has returned: it must not come again */
    uint8_t next[MOST_SENDERS];               /* what sender i sends next */
    uint8_t last[MODEL_ACTORS][MOST_SENDERS]; /* the last number that a receiver got of each, unmarked, + 1 */
    uint8_t gone[MODEL_ACTORS];               /* has begun to close */
    uint8_t receivers_died, shut;
} g;

static struct {
    unsigned senders, receivers, each, flags;
} shape;

static struct strait_tx *tx[MODEL_ACTORS];
static struct strait_rx *rx[MODEL_ACTORS];

/* ---- senders ---- */

static void open_tx(unsigned actor, struct strait_segment *s)
{
    int r = strait_tx_open(s, WORLD_CHANNEL, NULL, &tx[actor]);

    if (r < 0)
        model_fail("tx_open says %d", r);
}

static bool send_one(struct strait_tx *to, unsigned id)
{
    struct payload payload = {id, ~(uint64_t)id};
    int r;

    g.begun[id] = 1;
    if (shape.flags & KEYED)
        strait_tx_key(to, 0); /* all in one shard, where nobody is at home but by stealing */
    r = strait_send(to, &payload, sizeof payload, STRAIT_FOREVER);
    MODEL_CHECK(r == 0 || r == -EPIPE, "send says %d", r);
    g.sent[id] = r == 0;
    g.refused[id] = r == -EPIPE;
    return r == 0;
}

/* All that is left, by one call. A next life sends none of them again. */
static bool send_array(struct strait_tx *to, unsigned n)
{
    unsigned first = n * MOST_MESSAGES + g.next[n], left = shape.each - g.next[n];
    struct payload payloads[MOST_MESSAGES];
    int r;

    for (unsigned i = 0; i < left; i++) {
        payloads[i] = (struct payload){first + i, ~(uint64_t)(first + i)};
        g.begun[first + i] = 1;
    }
    g.next[n] = (uint8_t)shape.each;
    r = strait_send_array(to, 0, payloads, sizeof payloads[0], left, STRAIT_FOREVER);
    MODEL_CHECK((r > 0 && r <= (int)left) || r == -EPIPE, "send_array says %d", r);
    for (int i = 0; i < r; i++)
        g.sent[first + (unsigned)i] = 1;
    for (unsigned i = 0; i < left && r < 0; i++)
        g.refused[first + i] = 1;
    g.next[n] = (uint8_t)(shape.each - (r < 0 ? left : left - (unsigned)r));
    return r > 0;
}

static void sender(void *arg)
{
    unsigned self = model_self(), n = *(const unsigned *)arg;
    struct strait_segment *s = world_process();

    if (model_lives(self) || (shape.flags & OPEN_IN_RUN))
        open_tx(self, s);
    while (shape.flags & PACK && g.next[n] < shape.each && send_array(tx[self], n))
        ;
    while (!(shape.flags & PACK) && g.next[n] < shape.each)
        if (!send_one(tx[self], n * MOST_MESSAGES + g.next[n]++))
            break;
    g.gone[self] = 1;
    if (shape.flags & CLOSE)
        strait_tx_close(tx[self]);
}

/* ---- receivers ---- */

static void open_rx(unsigned actor, struct strait_segment *s)
{
    int r = strait_rx_open(s, WORLD_CHANNEL, NULL, &rx[actor]);

    if (r < 0)
        model_fail("rx_open says %d", r);
}

/* What comes unmarked comes in its sender's order, whoever died or left: to each receiver, or to a sole one and its
 * successors. Shards without keys keep the order of each ring only. */
static void check_order(unsigned id)
{
    uint8_t *last = &g.last[shape.receivers == 1 ? 0 : model_self()][id / MOST_MESSAGES];

    if (shape.flags & SHARDS && !(shape.flags & KEYED))
        return;
    MODEL_CHECK(id >= *last, "message %u after message %u", id, *last - 1);
    *last = (uint8_t)(id + 1);
}

static void check_message(const struct payload *m, const struct strait_msg *info)
{
    unsigned id = (unsigned)m->id, before = id - 1;

    MODEL_CHECK(m->id < MESSAGES && m->mirror == ~m->id, "torn message: %llx %llx", (unsigned long long)m->id,
                (unsigned long long)m->mirror);
    MODEL_CHECK(g.begun[id], "message %u was never sent", id);
    MODEL_CHECK(!g.refused[id], "message %u was refused, and comes all the same", id);
    MODEL_CHECK(!g.received[id] || info->attempts, "message %u comes again", id);
    MODEL_CHECK(!g.over[id], "message %u comes again, after it was over", id);
    if (!info->attempts)
        check_order(id);
    /* by key, a receiver that holds what it got has it to itself; one that copied it only sees its own in order */
    if ((shape.receivers == 1 || (shape.flags & KEYED && shape.flags & PEEK)) && !info->attempts && !model_deaths() &&
        id % MOST_MESSAGES)
        MODEL_CHECK(g.received[before], "message %u overtook message %u", id, before);
    g.received[id]++;
}

static int64_t receive(struct strait_rx *from)
{
    struct strait_msg info = {.attempts = 0};
    struct payload m;
    int64_t r;

    if (shape.flags & PEEK) {
        r = strait_peek(from, &info, STRAIT_FOREVER);
        if (r < 0)
            return r;
        strait_payload_read(&m, info.data, sizeof m);
        check_message(&m, &info);
        strait_release(from, &info);
        g.over[m.id] = 1;
        return 0;
    }
    r = strait_recv_info(from, &m, sizeof m, &info, STRAIT_FOREVER);
    if (r >= 0) {
        check_message(&m, &info);
        g.over[m.id] = 1;
    }
    return r;
}

static void check_pipe(void)
{
    /* who opens after the last one has gone may meet a receiver that is on its way out */
    if ((shape.flags & OPEN_IN_RUN) && shape.senders > 1)
        return;
    for (unsigned i = 0; i < shape.senders && !g.shut; i++)
        MODEL_CHECK(g.gone[i] || model_is_dead(i) || model_lives(i), "-EPIPE, and sender %u is there", i + 1);
}

static void receiver(void *arg)
{
    unsigned self = model_self();
    struct strait_segment *s = world_process();
    int64_t r;

    (void)arg;
    if (model_lives(self) || (shape.flags & OPEN_IN_RUN))
        open_rx(self, s);
    do
        r = receive(rx[self]);
    while (r >= 0 && !(shape.flags & STOP_AFTER_ONE) && !(shape.flags & FIRST_STOPS && self == shape.senders));
    MODEL_CHECK(r >= 0 || r == -EPIPE, "recv says %lld", (long long)r);
    if (r == -EPIPE)
        check_pipe();
    g.gone[self] = 1;
    if (shape.flags & CLOSE)
        strait_rx_close(rx[self]);
}

/* ---- somebody who shuts the channel, somebody who only sweeps ---- */

static void shutter(void *arg)
{
    struct strait_segment *s = world_process();

    (void)arg;
    g.shut = 1;
    strait_channel_shut(s, WORLD_CHANNEL);
}

/* ---- checks ---- */

static bool is_receiver(unsigned actor)
{
    return actor >= shape.senders && actor < shape.senders + shape.receivers;
}

static void died(unsigned actor)
{
    g.receivers_died += is_receiver(actor);
}

static unsigned rings(void)
{
    return shape.flags & LANES ? shape.senders : shape.flags & SHARDS ? 2 : 1;
}

static bool is_something(void)
{
    struct strait_ring_end out;
    struct strait_place place;

    for (unsigned i = 0; i < rings(); i++) {
        world_consumer_end(i, &out);
        if (strait_ring_find(&out, &place) == 0)
            return true;
    }
    return false;
}

/* For sender `actor`; with lanes, in its own. */
static bool is_room(unsigned actor)
{
    struct strait_ring_end in;
    unsigned i = 0;

    if (shape.flags & SHARDS)
        i = shape.flags & KEYED ? 0 : model_current()->actors[actor].lease % rings();
    while (shape.flags & LANES && i < rings() && world_ring(i)->producer != model_current()->actors[actor].lease)
        i++;
    if (i == rings())
        return false;
    world_producer_end(i, &in);
    return strait_load64_relaxed(&strait_ring_slot(&in, in.cursor)->word) == (in.cursor & STRAIT_TURN_MASK);
}

/* A receiver that came when everybody had gone waits for a first sender: that is a good end. */
static bool begun_afresh(void)
{
    const struct strait_channel *c = world_channel();

    return model_deaths() && !world_unswept() && !c->had_senders && !c->status && !c->senders.bits[0] &&
           !is_something();
}

static void idle(void)
{
    bool something;

    if (begun_afresh())
        model_finish();
    MODEL_CHECK(model_timeouts() <= MOST_TIMEOUTS, "still asleep after %u sleeps", model_timeouts());
    if (model_deaths())
        return;
    something = is_something();
    for (unsigned i = 0; i < shape.senders + shape.receivers; i++) {
        if (!model_is_asleep(i))
            continue;
        MODEL_CHECK(!something || !is_receiver(i), "%s sleeps on, and there is a message",
                    model_current()->actors[i].name);
        MODEL_CHECK(is_receiver(i) || !is_room(i), "%s sleeps on, and there is room", model_current()->actors[i].name);
        MODEL_CHECK(!g.shut, "%s sleeps on, and the channel is closed", model_current()->actors[i].name);
    }
}

static bool is_in_ring(unsigned id)
{
    for (unsigned i = 0; i < rings() * world_ring(0)->capacity; i++) {
        const struct payload *p = strait_slot_payload(world_slot(i));
        enum strait_slot_state state = strait_slot_state(world_slot(i)->word);
        uint64_t head = world_slot(i)->head;
        unsigned next = 0, count = 1;
        if (strait_head_is_pack(head)) {
            next = strait_pack_next(head);
            count = strait_pack_count(head);
        }
        for (; next < count; next++)
            if (p[next].id == id &&
                (state == STRAIT_SLOT_READY || state == STRAIT_SLOT_TAKEN || state == STRAIT_SLOT_RETURNED))
                return true;
    }
    return false;
}

static bool a_receiver_lives(void)
{
    for (unsigned i = 0; i < shape.receivers; i++)
        if (!model_is_dead(shape.senders + i))
            return true;
    return false;
}

static bool sole_sender(void)
{
    return !(world_ring(0)->flags & STRAIT_RING_MANY_PRODUCERS);
}

/* A successor's message may meet a receiver that was told -EPIPE before, and is on its way out: it lies there for the next. */
static bool may_lie(unsigned id)
{
    return is_in_ring(id) && (!a_receiver_lives() || model_lives(id / MOST_MESSAGES));
}

/* A receiver that died may have taken one message along; one that stopped has left the rest. */
static void end(void)
{
    unsigned missing = 0, received = 0, sent = 0;

    for (unsigned i = 0; i < MESSAGES; i++) {
        missing += g.sent[i] && !g.received[i] && !may_lie(i);
        received += g.received[i] > 0;
        sent += g.sent[i];
    }
    if (shape.flags & STOP_AFTER_ONE)
        MODEL_CHECK(received + g.receivers_died >= (sent < shape.receivers ? sent : shape.receivers),
                    "%u sent, %u receivers, only %u received", sent, shape.receivers, received);
    else if (!(g.shut && sole_sender()) && !((shape.flags & OPEN_IN_RUN) && shape.senders > 1))
        MODEL_CHECK(missing <= g.receivers_died, "%u messages are lost", missing);
    for (unsigned i = 0; i < shape.senders; i++)
        MODEL_CHECK(model_is_dead(i) || g.shut || g.receivers_died || g.next[i] == shape.each, "sender %u was refused",
                    i + 1);
}

/* ---- models ---- */

enum { SAFE, MORTAL, REBORN };

static void open_ends(void)
{
    for (unsigned i = 0; i < shape.senders + shape.receivers; i++)
        if (is_receiver(i))
            open_rx(i, world_become(i));
        else
            open_tx(i, world_become(i));
}

static void set_up(bool many_senders)
{
    struct strait_channel_plan plan = {.slot_bytes = sizeof(struct payload), .capacity = 2};

    plan.flags = (shape.senders > 1 || many_senders ? STRAIT_CHANNEL_MANY_PRODUCERS : 0) |
                 (shape.receivers > 1 ? STRAIT_CHANNEL_MANY_CONSUMERS : 0) |
                 (shape.flags & LANES ? STRAIT_CHANNEL_LANES : 0) |
                 (shape.flags & SHARDS ? STRAIT_CHANNEL_SHARDED | STRAIT_CHANNEL_MANY_PRODUCERS : 0) |
                 (shape.flags & KEYED ? STRAIT_CHANNEL_BY_KEY : 0) | (shape.flags & PACK ? STRAIT_CHANNEL_PACKED : 0);
    plan.slot_bytes *= shape.flags & THREE ? 3 : shape.flags & PACK ? 2 : 1;
    plan.rings = rings();
    memset(&g, 0, sizeof g);
    world_setup(&plan);
    if (!(shape.flags & OPEN_IN_RUN))
        open_ends();
    model_private(&g, sizeof g);
    model_private(tx, sizeof tx);
    model_private(rx, sizeof rx);
}

#define SETUP(fn, senders, receivers, each, flags, many)                                                               \
    static void fn(void)                                                                                               \
    {                                                                                                                  \
        shape = (__typeof__(shape)){senders, receivers, each, flags};                                                  \
        set_up(many);                                                                                                  \
    }
SETUP(one_one, 1, 1, 3, CLOSE, false)
SETUP(many_one, 2, 1, 2, CLOSE, false)
SETUP(one_many, 1, 2, 3, CLOSE, false)
SETUP(many_many, 2, 2, 1, CLOSE, false)
SETUP(take_one, 2, 2, 1, STOP_AFTER_ONE, false)
SETUP(peek_many, 1, 2, 2, CLOSE | PEEK, false)
SETUP(peek_one, 1, 1, 2, CLOSE | PEEK, false)
SETUP(shut_one, 1, 1, 2, CLOSE, false)
SETUP(shut_many, 1, 1, 2, CLOSE, true)
SETUP(open_close, 1, 1, 1, CLOSE | OPEN_IN_RUN, false)
SETUP(open_close_many, 2, 1, 1, CLOSE | OPEN_IN_RUN, false)

SETUP(pack_one, 1, 1, 3, CLOSE | PACK, false)
SETUP(pack_many, 1, 2, 3, CLOSE | PACK, false)
SETUP(pack_crowd, 2, 2, 2, CLOSE | PACK, false)
SETUP(pack_peek_one, 1, 1, 2, CLOSE | PACK | PEEK, false)
SETUP(pack_peek, 1, 2, 2, CLOSE | PACK | PEEK, false)
SETUP(pack_leave, 1, 2, 2, CLOSE | PACK | STOP_AFTER_ONE, false)
SETUP(pack_behind, 1, 2, 4, CLOSE | PACK | THREE, false)
SETUP(pack_behind_peek, 1, 2, 4, CLOSE | PACK | THREE | PEEK, false)
SETUP(pack_left, 1, 2, 3, CLOSE | PACK | FIRST_STOPS, false)
SETUP(lanes_one, 2, 1, 1, CLOSE | LANES, false)
SETUP(lanes_full, 2, 1, 3, CLOSE | LANES, false)
SETUP(lanes_many, 2, 2, 1, CLOSE | LANES, false)
SETUP(lanes_open, 2, 1, 1, CLOSE | LANES | OPEN_IN_RUN, false)
SETUP(shards_many, 2, 2, 1, CLOSE | SHARDS, false)
SETUP(shards_keyed, 1, 2, 3, CLOSE | SHARDS | KEYED, false)
SETUP(shards_peek, 1, 2, 2, CLOSE | SHARDS | KEYED | PEEK, false)

static unsigned first = 0, second = 1;
#define S(n, how)                                                                                                      \
    {                                                                                                                  \
        .name = "sender" #n, .run = sender, .arg = (n) == 1 ? &first : &second, .lease = (n), .mortal = (how) != SAFE, \
        .reborn = (how) == REBORN                                                                                      \
    }
#define R(n, l, how)                                                                                                   \
    {                                                                                                                  \
        .name = "receiver" #n, .run = receiver, .lease = (l), .mortal = (how) != SAFE, .reborn = (how) == REBORN       \
    }
#define SHUT(l)                                                                                                        \
    {                                                                                                                  \
        .name = "shutter", .run = shutter, .lease = (l)                                                                \
    }
#define MODEL(id, title, mode, p, d, st, fn, ...)                                                                      \
    static const struct model id = {.name = title,                                                                     \
                                    .memory = mode,                                                                    \
                                    .bounds = {p, d, st, 0},                                                           \
                                    .setup = fn,                                                                       \
                                    .died = died,                                                                      \
                                    .idle = idle,                                                                      \
                                    .end = end,                                                                        \
                                    .actors = {__VA_ARGS__}};

MODEL(c11, "channel 1S/1R", MODEL_SC, 3, 0, 0, one_one, S(1, SAFE), R(1, 2, SAFE))
MODEL(c11d, "channel 1S/1R, death", MODEL_SC, 2, 1, 0, one_one, S(1, MORTAL), R(1, 2, MORTAL))
MODEL(c21, "channel 2S/1R", MODEL_SC, 3, 0, 0, many_one, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE))
MODEL(c21d, "channel 2S/1R, death", MODEL_SC, 2, 1, 0, many_one, S(1, MORTAL), S(2, MORTAL), R(1, 3, MORTAL))
MODEL(c12, "channel 1S/2R", MODEL_SC, 3, 0, 0, one_many, S(1, SAFE), R(1, 2, SAFE), R(2, 3, SAFE))
MODEL(c12d, "channel 1S/2R, death", MODEL_SC, 2, 1, 0, one_many, S(1, MORTAL), R(1, 2, MORTAL), R(2, 3, MORTAL))
MODEL(c22, "channel 2S/2R", MODEL_SC, 3, 0, 0, many_many, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE), R(2, 4, SAFE))
MODEL(one, "channel 2S/2R, each takes one", MODEL_SC, 3, 0, 0, take_one, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE),
      R(2, 4, SAFE))
MODEL(p12, "channel 1S/2R, peek, death", MODEL_SC, 2, 1, 0, peek_many, S(1, SAFE), R(1, 2, MORTAL), R(2, 3, REBORN))
MODEL(p11, "channel 1S/1R, peek, successor", MODEL_SC, 3, 1, 0, peek_one, S(1, SAFE), R(1, 2, REBORN))
MODEL(sh1, "channel 1S/1R, shut", MODEL_SC, 3, 0, 0, shut_one, S(1, SAFE), R(1, 2, SAFE), SHUT(3))
MODEL(shm, "channel many S/1R, shut", MODEL_SC, 3, 0, 0, shut_many, S(1, SAFE), R(1, 2, SAFE), SHUT(3))
MODEL(oc, "endpoints 1S/1R open, close", MODEL_SC, 3, 0, 0, open_close, S(1, SAFE), R(1, 2, SAFE))
MODEL(ocd, "endpoints 1S/1R, death", MODEL_SC, 2, 1, 0, open_close, S(1, MORTAL), R(1, 2, MORTAL))
MODEL(ocm, "endpoints 2S/1R, death", MODEL_SC, 2, 1, 0, open_close_many, S(1, MORTAL), S(2, MORTAL), R(1, 3, SAFE))
MODEL(w11, "channel 1S/1R, weak", MODEL_WEAK, 2, 0, 2, one_one, S(1, SAFE), R(1, 2, SAFE))
MODEL(w21, "channel 2S/1R, weak", MODEL_WEAK, 2, 0, 1, many_one, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE))
MODEL(w12, "channel 1S/2R, weak", MODEL_WEAK, 2, 0, 1, one_many, S(1, SAFE), R(1, 2, SAFE), R(2, 3, SAFE))
MODEL(wsh, "channel many S/1R, shut, weak", MODEL_WEAK, 2, 0, 2, shut_many, S(1, SAFE), R(1, 2, SAFE), SHUT(3))
MODEL(l21, "lanes 2S/1R", MODEL_SC, 3, 0, 0, lanes_one, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE))
MODEL(l21f, "lanes 2S/1R, full", MODEL_SC, 2, 0, 0, lanes_full, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE))
MODEL(l21d, "lanes 2S/1R, death", MODEL_SC, 2, 1, 0, lanes_one, S(1, MORTAL), S(2, MORTAL), R(1, 3, MORTAL))
MODEL(l21r, "lanes 2S/1R, successor", MODEL_SC, 2, 1, 0, lanes_one, S(1, SAFE), S(2, REBORN), R(1, 3, SAFE))
MODEL(l22, "lanes 2S/2R", MODEL_SC, 2, 0, 0, lanes_many, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE), R(2, 4, SAFE))
MODEL(lo, "lanes 2S/1R open, close", MODEL_SC, 2, 0, 0, lanes_open, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE))
MODEL(wl, "lanes 2S/1R, weak", MODEL_WEAK, 2, 0, 1, lanes_one, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE))
MODEL(s22, "shards 2S/2R", MODEL_SC, 2, 0, 0, shards_many, S(1, SAFE), S(2, SAFE), R(1, 3, SAFE), R(2, 4, SAFE))
MODEL(s22d, "shards 2S/2R, death", MODEL_SC, 1, 1, 0, shards_many, S(1, MORTAL), S(2, SAFE), R(1, 3, MORTAL),
      R(2, 4, SAFE))
MODEL(k12, "shards by key 1S/2R", MODEL_SC, 3, 0, 0, shards_keyed, S(1, SAFE), R(1, 2, SAFE), R(2, 3, SAFE))
MODEL(k12d, "shards by key 1S/2R, death", MODEL_SC, 2, 1, 0, shards_keyed, S(1, MORTAL), R(1, 2, MORTAL), R(2, 3, SAFE))
MODEL(kp, "shards by key 1S/2R, peek", MODEL_SC, 3, 0, 0, shards_peek, S(1, SAFE), R(1, 2, SAFE), R(2, 3, SAFE))
MODEL(kpd, "shards by key 1S/2R, peek, death", MODEL_SC, 2, 1, 0, shards_peek, S(1, SAFE), R(1, 2, MORTAL),
      R(2, 3, REBORN))
MODEL(wk, "shards by key 1S/2R, weak", MODEL_WEAK, 2, 0, 1, shards_keyed, S(1, SAFE), R(1, 2, SAFE), R(2, 3, SAFE))

MODEL(q11, "packed 1S/1R", MODEL_SC, 3, 0, 0, pack_one, S(1, SAFE), R(1, 2, SAFE))
MODEL(q11d, "packed 1S/1R, death, successor", MODEL_SC, 2, 1, 0, pack_one, S(1, MORTAL), R(1, 2, REBORN))
MODEL(q12, "packed 1S/2R", MODEL_SC, 2, 0, 0, pack_many, S(1, SAFE), R(1, 2, SAFE), R(2, 3, SAFE))
MODEL(q12d, "packed 1S/2R, death", MODEL_SC, 2, 1, 0, pack_many, S(1, MORTAL), R(1, 2, MORTAL), R(2, 3, REBORN))
MODEL(q22d, "packed 2S/2R, death", MODEL_SC, 1, 1, 0, pack_crowd, S(1, MORTAL), S(2, MORTAL), R(1, 3, MORTAL),
      R(2, 4, SAFE))
MODEL(qp1, "packed 1S/1R, peek, successor", MODEL_SC, 2, 1, 0, pack_peek_one, S(1, SAFE), R(1, 2, REBORN))
MODEL(qp2, "packed 1S/2R, peek, death", MODEL_SC, 2, 1, 0, pack_peek, S(1, SAFE), R(1, 2, MORTAL), R(2, 3, REBORN))
MODEL(ql, "packed 1S/2R, each takes one and leaves", MODEL_SC, 3, 0, 0, pack_leave, S(1, SAFE), R(1, 2, SAFE),
      R(2, 3, SAFE))
MODEL(qb, "packed 1S/2R, three in a pack, death", MODEL_SC, 1, 1, 0, pack_behind, S(1, SAFE), R(1, 2, MORTAL),
      R(2, 3, SAFE))
MODEL(qbp, "packed 1S/2R, three in a pack, peek, death", MODEL_SC, 1, 1, 0, pack_behind_peek, S(1, SAFE),
      R(1, 2, MORTAL), R(2, 3, SAFE))
MODEL(qo, "packed 1S/2R, one leaves in mid-pack", MODEL_SC, 2, 0, 0, pack_left, S(1, SAFE), R(1, 2, SAFE),
      R(2, 3, SAFE))
MODEL(qw1, "packed 1S/1R, weak, successor", MODEL_WEAK, 2, 1, 2, pack_one, S(1, SAFE), R(1, 2, REBORN))
MODEL(qw2, "packed 1S/2R, weak, death", MODEL_WEAK, 1, 1, 1, pack_many, S(1, SAFE), R(1, 2, MORTAL), R(2, 3, SAFE))

static const struct model *const models[] = {
    &q11,  &q11d, &q12,  &q12d, &q22d, &qp1, &qp2, &ql,  &qb,   &qbp, &qo,   &qw1, &qw2, &c11,  &c11d, &c21,
    &c21d, &c12,  &c12d, &c22,  &one,  &p12, &p11, &sh1, &shm,  &oc,  &ocd,  &ocm, &l21, &l21f, &l21d, &l21r,
    &l22,  &lo,   &w11,  &w21,  &w12,  &wsh, &wl,  &s22, &s22d, &k12, &k12d, &kp,  &kpd, &wk};

int main(int argc, char **argv)
{
    return model_main(argc, argv, models, sizeof models / sizeof models[0]);
}
