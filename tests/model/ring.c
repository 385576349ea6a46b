/* SPDX-License-Identifier: MIT */
/*
 * The ring: shm/strait/ring.h and shm/ring.c, with shm/sweep.c and what it needs. Producers send K messages each,
 * consumers take until nothing more can come. Checked at every step: a message is whole, was committed, is not delivered
 * again without attempts, is held by one living consumer, comes after its predecessor; at the end: nothing committed is
 * left, and the ring still works.
 */
#include <errno.h>
#include <stdlib.h>

#include "world.h"

#define MOST_PRODUCERS 2
#define MOST_MESSAGES  3
#define MESSAGES       (MOST_PRODUCERS * MOST_MESSAGES)

/* BEGUN: one message lies in the ring already. AGAIN: all may have been delivered elsewhere, and are committed as such */
enum { ABORT = 1, DROP_OLDEST = 2, BEGUN = 4, ARRAY = 8, AGAIN = 16 };

struct payload {
    uint64_t id, mirror;
};

/* What the checks remember. Private memory: put back before each run. */
static struct {
    uint8_t begun[MOST_PRODUCERS]; /* messages that a producer has begun */
    uint8_t finished[MOST_PRODUCERS];
    uint8_t committed[MESSAGES], seen[MESSAGES], done[MESSAGES];
    uint8_t maybe[MESSAGES];  /* in an array that is being sent */
    uint8_t holder[MESSAGES]; /* actor + 1 */
    uint8_t redelivered[MESSAGES];
} g;

static struct strait_endpoint
    ends[MODEL_ACTORS]; /* of the first lives, opened before the run: endpoints.c races them */

/* The model at hand. */
static struct {
    unsigned producers, consumers, each, flags;
} shape;

static bool many_consumers(void)
{
    return world_ring(0)->flags & STRAIT_RING_MANY_CONSUMERS;
}

static int open_end(struct strait_endpoint *e, struct strait_segment *p, enum strait_role role)
{
    return strait_endpoint_open(e, p, WORLD_CHANNEL, NULL, role, false);
}

/* ---- producers ---- */

/* 0 claimed, 1 dropped this one */
static int claim(struct strait_segment *p, struct strait_ring_end *end, struct strait_place *place)
{
    for (;;) {
        int r = shape.flags & DROP_OLDEST ? strait_ring_claim_oldest(end, place) : strait_ring_claim(end, place);
        if (r >= 0)
            return 0;
        MODEL_CHECK(r == -EAGAIN, "claim says %d", r);
        if (shape.flags & DROP_OLDEST)
            return 1;
        world_idle(p);
    }
}

static void send_one(struct strait_segment *p, struct strait_ring_end *end, unsigned id)
{
    struct payload payload = {id, ~(uint64_t)id};
    struct strait_place place;

    if (claim(p, end, &place))
        return;
    strait_store64_relaxed(&place.slot->head, strait_head(sizeof payload, 0, 0));
    strait_payload_write(strait_slot_payload(place.slot), &payload, sizeof payload);
    if ((shape.flags & ABORT) && model_choose(2)) {
        strait_ring_abort(end, &place);
        return;
    }
    if (shape.flags & AGAIN)
        strait_ring_commit_again(end, &place, STRAIT_ATTEMPTS_MOST);
    else
        strait_ring_commit(end, &place);
    g.committed[id] = 1;
}

/* What is left to send, by one call: a message may be seen before the call says that it was sent. */
static void send_array(struct strait_segment *p, struct strait_ring_end *end, unsigned n)
{
    unsigned first = n * shape.each + g.begun[n], most = shape.each - g.begun[n], sent;
    struct payload payloads[MOST_MESSAGES];

    for (unsigned i = 0; i < most; i++) {
        payloads[i] = (struct payload){first + i, ~(uint64_t)(first + i)};
        g.maybe[first + i] = 1;
    }
    g.begun[n] += (uint8_t)most; /* who dies inside does not know how many: its next life sends none of them again */
    sent = strait_ring_fill(end, strait_head(sizeof payloads[0], 0, 0), (const unsigned char *)payloads,
                            sizeof payloads[0], most);
    for (unsigned i = 0; i < sent; i++)
        g.committed[first + i] = 1;
    g.begun[n] -= (uint8_t)(most - sent);
    if (sent < most)
        world_idle(p);
}

static void produce(void *arg)
{
    unsigned n = *(const unsigned *)arg;
    struct strait_segment *p = world_process();
    struct strait_endpoint *e = &ends[model_self()];

    while (model_lives(model_self()) && open_end(e, p, STRAIT_ROLE_SENDER) == -EBUSY)
        world_idle(p);
    while (g.begun[n] < shape.each && shape.flags & ARRAY)
        send_array(p, e->ends, n);
    while (g.begun[n] < shape.each)
        send_one(p, e->ends, n * shape.each + g.begun[n]++);
    g.finished[n] = 1;
}

/* ---- consumers ---- */

static bool all_produced(void)
{
    for (unsigned i = 0; i < shape.producers; i++)
        if (!g.finished[i] && !model_is_dead(i))
            return false;
    return true;
}

/* Drop-oldest: a message is dropped by the compare-and-swap that claims its slot, so it is gone if it is in no slot. */
static bool is_in_ring(unsigned id)
{
    for (unsigned i = 0; i < world_ring(0)->capacity; i++) {
        const struct payload *p = strait_slot_payload(world_slot(i));
        enum strait_slot_state s = strait_slot_state(world_slot(i)->word);
        if (p->id == id && (s == STRAIT_SLOT_READY || s == STRAIT_SLOT_TAKEN || s == STRAIT_SLOT_RETURNED))
            return true;
    }
    return false;
}

static bool is_owed(unsigned id)
{
    return g.committed[id] && !g.done[id] && (!(shape.flags & DROP_OLDEST) || is_in_ring(id));
}

static bool all_delivered(void)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        if (is_owed(i))
            return false;
    return true;
}

static void check_message(const struct payload *m, unsigned attempts)
{
    unsigned id = (unsigned)m->id, before = id - 1;

    MODEL_CHECK(m->id < MESSAGES && m->mirror == ~m->id, "torn message: %llx %llx", (unsigned long long)m->id,
                (unsigned long long)m->mirror);
    MODEL_CHECK(g.committed[id] || g.maybe[id], "message %u was never committed", id);
    MODEL_CHECK(attempts > 0 || !(shape.flags & AGAIN), "message %u has lost its mark", id);
    MODEL_CHECK(!g.done[id], "message %u delivered again after its release", id);
    MODEL_CHECK(!g.seen[id] || attempts > 0, "message %u delivered again without raised attempts", id);
    MODEL_CHECK(!g.holder[id] || model_is_dead(g.holder[id] - 1u) || g.holder[id] == model_self() + 1,
                "message %u held by two consumers", id);
    if (attempts == 0 && id % shape.each != 0)
        MODEL_CHECK(!is_owed(before) || g.seen[before] || g.redelivered[before], "message %u overtook message %u", id,
                    before);
}

static void receive(struct strait_ring_end *end, struct strait_place *place)
{
    struct payload m;

    if (strait_ring_take(end, place) < 0)
        return;
    if (many_consumers()) { /* it is ours from the compare-and-swap on */
        const struct payload *now = strait_slot_payload(place->slot);
        check_message(now, strait_slot_attempts(place->word));
        g.seen[now->id] = 1;
        g.holder[now->id] = (uint8_t)(model_self() + 1);
        g.redelivered[now->id] |= strait_slot_attempts(place->word) > 0;
    }
    strait_payload_read(&m, strait_slot_payload(place->slot), sizeof m);
    if (!many_consumers())
        check_message(&m, strait_slot_attempts(place->word));
    MODEL_CHECK(m.id < MESSAGES && m.mirror == ~m.id, "torn message: %llx %llx", (unsigned long long)m.id,
                (unsigned long long)m.mirror);
    g.seen[m.id] = 1;
    g.holder[m.id] = (uint8_t)(model_self() + 1);
    strait_ring_release(place);
    g.done[m.id] = 1;
    g.holder[m.id] = 0;
}

/* As many as there are, by one call. Only of one who is not killed: what dies with it inside the call cannot be told. */
static unsigned receive_array(struct strait_ring_end *end)
{
    struct payload m[MOST_MESSAGES];
    bool half = false;
    unsigned got = strait_ring_empty(end, (unsigned char *)m, sizeof m[0], MOST_MESSAGES, &half);

    for (unsigned i = 0; i < got; i++) {
        check_message(&m[i], 0);
        g.seen[m[i].id] = g.done[m[i].id] = 1;
    }
    return got;
}

static void consume(void *arg)
{
    struct strait_segment *p = world_process();
    struct strait_endpoint *e = &ends[model_self()];
    struct strait_place place;

    (void)arg;
    while (model_lives(model_self()) && open_end(e, p, STRAIT_ROLE_RECEIVER) == -EBUSY) {
        if (all_produced() && all_delivered())
            return;
        world_idle(p);
    }
    for (;;) {
        if (shape.flags & ARRAY && receive_array(e->ends))
            continue;
        int r = strait_ring_find(e->ends, &place);
        if (r == 0)
            receive(e->ends, &place);
        else if (all_produced() && all_delivered())
            return;
        else if (r == -EAGAIN)
            world_idle(p);
        else
            model_fail("find says %d", r);
    }
}

/* ---- checks ---- */

static void died(unsigned actor)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        if (g.holder[i] == actor + 1)
            g.holder[i] = 0;
    if (actor < shape.producers && !model_current()->actors[actor].reborn)
        g.finished[actor] = 1;
}

static bool a_consumer_lives(void)
{
    for (unsigned i = 0; i < shape.consumers; i++)
        if (!model_is_dead(shape.producers + i))
            return true;
    return false;
}

/* The dead are swept, then the whole ring takes messages and gives them back. */
static void check_usable(void)
{
    struct strait_ring_end in, out;
    struct strait_place place;
    unsigned capacity = world_ring(0)->capacity, n = 0;

    world_bury_all();
    world_consumer_end(0, &out);
    while (strait_ring_find(&out, &place) == 0 && strait_ring_take(&out, &place) == 0)
        strait_ring_release(&place);
    world_producer_end(0, &in);
    while (n < capacity && strait_ring_claim(&in, &place) == 0) {
        strait_ring_commit(&in, &place);
        n++;
    }
    MODEL_CHECK(n == capacity, "only %u of %u slots can be used", n, capacity);
    for (n = 0; n < capacity && strait_ring_find(&out, &place) == 0 && strait_ring_take(&out, &place) == 0; n++)
        strait_ring_release(&place);
    MODEL_CHECK(n == capacity, "only %u of %u messages come out", n, capacity);
}

static void end(void)
{
    for (unsigned i = 0; i < MESSAGES && a_consumer_lives(); i++)
        MODEL_CHECK(!is_owed(i), "message %u is lost", i);
    check_usable();
}

/* ---- models ---- */

enum { SAFE, MORTAL, REBORN };

/* By a process that has long gone. */
static void send_before(unsigned id)
{
    struct payload payload = {id, ~(uint64_t)id};
    struct strait_ring_end in;
    struct strait_place place;

    world_producer_end(0, &in);
    if (strait_ring_claim(&in, &place) < 0)
        abort();
    memcpy(strait_slot_payload(place.slot), &payload, sizeof payload);
    strait_ring_commit(&in, &place);
    g.committed[id] = 1;
}

static void set_up(unsigned producers, unsigned consumers, unsigned each, unsigned flags, uint64_t turn)
{
    struct strait_channel_plan plan = {.slot_bytes = sizeof(struct payload), .capacity = 2, .first_turn = turn};

    shape.producers = producers;
    shape.consumers = consumers;
    shape.each = each;
    shape.flags = flags;
    plan.flags = (producers > 1 || (flags & ABORT) ? STRAIT_CHANNEL_MANY_PRODUCERS : 0) |
                 (consumers > 1 ? STRAIT_CHANNEL_MANY_CONSUMERS : 0);
    plan.full = flags & DROP_OLDEST ? STRAIT_FULL_DROP_OLDEST : STRAIT_FULL_WAIT;
    memset(&g, 0, sizeof g);
    world_setup(&plan);
    if (flags & BEGUN)
        send_before(producers * each);
    for (unsigned i = 0; i < producers + consumers; i++)
        if (open_end(&ends[i], world_become(i), i < producers ? STRAIT_ROLE_SENDER : STRAIT_ROLE_RECEIVER) < 0)
            abort();
    model_private(ends, (producers + consumers) * sizeof ends[0]);
    model_private(&g, sizeof g);
}

static unsigned first = 0, second = 1;
#define TURN_LAST ((UINT64_C(1) << 40) - 2)
#define P(n, how)                                                                                                      \
    {                                                                                                                  \
        .name = "producer" #n, .run = produce, .arg = (n) == 1 ? &first : &second, .lease = (n),                       \
        .mortal = (how) != SAFE, .reborn = (how) == REBORN                                                             \
    }
#define C(n, l, how)                                                                                                   \
    {                                                                                                                  \
        .name = "consumer" #n, .run = consume, .lease = (l), .mortal = (how) != SAFE, .reborn = (how) == REBORN        \
    }

#define SETUP(fn, producers, consumers, each, flags, turn)                                                             \
    static void fn(void)                                                                                               \
    {                                                                                                                  \
        set_up(producers, consumers, each, flags, turn);                                                               \
    }
SETUP(one_one, 1, 1, 3, 0, 0)
SETUP(array, 1, 1, 3, ARRAY, 0)
SETUP(array_wrap, 1, 1, 3, ARRAY, TURN_LAST)
SETUP(many_one, 2, 1, 2, 0, 0)
SETUP(many_one_abort, 2, 1, 2, ABORT, 0)
SETUP(many_one_begun, 2, 1, 1, ABORT | BEGUN, 0)
SETUP(one_many, 1, 2, 3, 0, 0)
SETUP(many_many, 2, 2, 1, ABORT, 0)
SETUP(again_one, 1, 1, 3, AGAIN, 0)
SETUP(again_many, 2, 2, 1, ABORT | AGAIN, 0)
SETUP(one_one_wrap, 1, 1, 3, 0, TURN_LAST)
SETUP(many_one_wrap, 2, 1, 3, 0, TURN_LAST)
SETUP(one_many_wrap, 1, 2, 3, 0, TURN_LAST)
SETUP(drop_one, 1, 1, 3, DROP_OLDEST, 0)
SETUP(drop_many, 2, 1, 2, DROP_OLDEST, 0)

#define MODEL(id, title, mode, p, d, s, fn, ...)                                                                       \
    static const struct model id = {.name = title,                                                                     \
                                    .memory = mode,                                                                    \
                                    .bounds = {p, d, s, 0},                                                            \
                                    .setup = fn,                                                                       \
                                    .died = died,                                                                      \
                                    .end = end,                                                                        \
                                    .actors = {__VA_ARGS__}};

MODEL(m11, "ring 1P/1C", MODEL_SC, 4, 0, 0, one_one, P(1, SAFE), C(1, 2, SAFE))
MODEL(m11d, "ring 1P/1C, deaths, successors", MODEL_SC, 3, 1, 0, one_one, P(1, REBORN), C(1, 2, REBORN))
MODEL(m11a, "ring 1P/1C, arrays", MODEL_SC, 4, 0, 0, array, P(1, SAFE), C(1, 2, SAFE))
MODEL(m11ad, "ring 1P/1C, arrays, turns wrap, death", MODEL_SC, 3, 1, 0, array_wrap, P(1, REBORN), C(1, 2, SAFE))
MODEL(m21, "ring 2P/1C", MODEL_SC, 3, 0, 0, many_one, P(1, SAFE), P(2, SAFE), C(1, 3, SAFE))
MODEL(m21d, "ring 2P/1C, abort, death", MODEL_SC, 3, 1, 0, many_one_abort, P(1, MORTAL), P(2, MORTAL), C(1, 3, REBORN))
MODEL(m21b, "ring 2P/1C, half full, abort, death", MODEL_SC, 3, 1, 0, many_one_begun, P(1, MORTAL), P(2, MORTAL),
      C(1, 3, REBORN))
MODEL(m21r, "ring 2P/1C, death, lease reused", MODEL_SC, 2, 1, 0, many_one, P(1, REBORN), P(2, SAFE), C(1, 3, REBORN))
MODEL(m12, "ring 1P/2C", MODEL_SC, 3, 0, 0, one_many, P(1, SAFE), C(1, 2, SAFE), C(2, 3, SAFE))
MODEL(m12d, "ring 1P/2C, deaths, sweeper dies", MODEL_SC, 2, 2, 0, one_many, P(1, SAFE), C(1, 2, MORTAL),
      C(2, 3, REBORN))
MODEL(m12s, "ring 1P/2C, deaths, survivor sweeps", MODEL_SC, 2, 2, 0, one_many, P(1, MORTAL), C(1, 2, MORTAL),
      C(2, 3, SAFE))
MODEL(m12r, "ring 1P/2C, death, lease reused", MODEL_SC, 3, 1, 0, one_many, P(1, REBORN), C(1, 2, REBORN),
      C(2, 3, REBORN))
MODEL(m22, "ring 2P/2C, abort", MODEL_SC, 3, 0, 0, many_many, P(1, SAFE), P(2, SAFE), C(1, 3, SAFE), C(2, 4, SAFE))
MODEL(m22d, "ring 2P/2C, abort, death", MODEL_SC, 2, 1, 0, many_many, P(1, MORTAL), P(2, MORTAL), C(1, 3, MORTAL),
      C(2, 4, REBORN))
MODEL(again11, "ring 1P/1C, delivered elsewhere, deaths", MODEL_SC, 3, 1, 0, again_one, P(1, REBORN), C(1, 2, REBORN))
MODEL(again22, "ring 2P/2C, delivered elsewhere, death", MODEL_SC, 2, 1, 0, again_many, P(1, MORTAL), P(2, MORTAL),
      C(1, 3, MORTAL), C(2, 4, REBORN))
MODEL(wrap11, "ring 1P/1C, turns wrap, deaths", MODEL_SC, 2, 1, 0, one_one_wrap, P(1, REBORN), C(1, 2, REBORN))
MODEL(wrap21, "ring 2P/1C, turns wrap", MODEL_SC, 2, 1, 0, many_one_wrap, P(1, MORTAL), P(2, SAFE), C(1, 3, REBORN))
MODEL(wrap12, "ring 1P/2C, turns wrap", MODEL_SC, 2, 1, 0, one_many_wrap, P(1, SAFE), C(1, 2, MORTAL), C(2, 3, SAFE))
MODEL(drop11, "drop-oldest 1P/1C, death", MODEL_SC, 3, 1, 0, drop_one, P(1, REBORN), C(1, 2, REBORN))
MODEL(drop21, "drop-oldest 2P/1C, death", MODEL_SC, 2, 1, 0, drop_many, P(1, MORTAL), P(2, MORTAL), C(1, 3, REBORN))
MODEL(w11, "ring 1P/1C, weak", MODEL_WEAK, 3, 0, 3, one_one, P(1, SAFE), C(1, 2, SAFE))
MODEL(w11a, "ring 1P/1C, arrays, weak", MODEL_WEAK, 3, 0, 3, array, P(1, SAFE), C(1, 2, SAFE))
MODEL(w11d, "ring 1P/1C, weak, deaths", MODEL_WEAK, 2, 1, 2, one_one, P(1, REBORN), C(1, 2, REBORN))
MODEL(w21, "ring 2P/1C, weak, abort", MODEL_WEAK, 2, 0, 2, many_one_abort, P(1, SAFE), P(2, SAFE), C(1, 3, SAFE))
MODEL(wagain, "ring 1P/1C, delivered elsewhere, weak", MODEL_WEAK, 3, 0, 3, again_one, P(1, SAFE), C(1, 2, SAFE))
MODEL(w12, "ring 1P/2C, weak, death", MODEL_WEAK, 2, 1, 2, one_many, P(1, SAFE), C(1, 2, MORTAL), C(2, 3, SAFE))
MODEL(wdrop, "drop-oldest 1P/1C, weak", MODEL_WEAK, 2, 0, 2, drop_one, P(1, SAFE), C(1, 2, SAFE))

static const struct model *const models[] = {
    &m11a, &m11ad,  &w11a,   &m11,    &m11d,   &m21,    &m21d, &m21b, &m21r, &m12, &m12d,  &m12s,    &m12r,    &m22,
    &m22d, &wrap11, &wrap21, &wrap12, &drop11, &drop21, &w11,  &w11d, &w21,  &w12, &wdrop, &again11, &again22, &wagain};

int main(int argc, char **argv)
{
    return model_main(argc, argv, models, sizeof models / sizeof models[0]);
}
