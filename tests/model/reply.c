/* SPDX-License-Identifier: MIT */
/*
 * Requests and answers: lib/reply.c and shm/reply.c over a channel with replies. Callers ask, workers answer in two
 * parts; both die. Checked: an answer is whole and belongs to its request, a request is answered once, a dead worker's
 * request is answered by another (RESTART) or fails with -EOWNERDEAD once its attempts are used up, and in the end every
 * reply is free again.
 */
#include <errno.h>
#include <stdlib.h>

#include "reply.h"
#include "world.h"

#define MOST_CALLERS  2
#define MOST_CALLS    2
#define CALLS         (MOST_CALLERS * MOST_CALLS)
#define MOST_TIMEOUTS 14

enum { TWO_PARTS = 1, IMPATIENT = 2 };

struct question {
    uint64_t id;
};
struct answer {
    uint64_t id, mirror;
};

static struct {
    uint8_t called[MOST_CALLERS];           /* how many calls were begun */
    uint8_t answered[CALLS], failed[CALLS]; /* what the caller saw */
    uint8_t run[CALLS];                     /* how often a worker accepted it */
    uint8_t gone[MODEL_ACTORS];
} g;

static struct {
    unsigned callers, workers, calls, flags, attempts;
} shape;

static struct strait_tx *tx[MODEL_ACTORS];
static struct strait_rx *rx[MODEL_ACTORS];

/* ---- callers ---- */

static void check_answer(const struct answer *parts, int64_t bytes, unsigned id)
{
    int64_t want = shape.flags & TWO_PARTS ? 2 * sizeof parts[0] : sizeof parts[0];

    MODEL_CHECK(bytes == want, "call %u: %lld bytes", id, (long long)bytes);
    for (unsigned i = 0; i < bytes / (int64_t)sizeof parts[0]; i++)
        MODEL_CHECK(parts[i].id == id + 100 * i && parts[i].mirror == ~parts[i].id, "call %u got %llu %llx in part %u",
                    id, (unsigned long long)parts[i].id, (unsigned long long)parts[i].mirror, i);
    MODEL_CHECK(g.run[id], "call %u is answered, and nobody has run it", id);
}

static void call_one(struct strait_tx *to, unsigned id)
{
    struct question q = {id};
    struct answer parts[2];
    int64_t r = strait_call(to, 0, &q, sizeof q, parts, sizeof parts, NULL,
                            shape.flags & IMPATIENT ? model_now_ns() + 10 : STRAIT_FOREVER);

    if (r >= 0) {
        check_answer(parts, r, id);
        g.answered[id] = 1;
        return;
    }
    g.failed[id] = 1;
    if (r == -ETIMEDOUT && (shape.flags & IMPATIENT))
        return;
    MODEL_CHECK((r == -EOWNERDEAD && model_deaths() >= shape.attempts) || (r == -EPIPE && model_deaths()),
                "call %u says %lld after %u deaths", id, (long long)r, model_deaths());
}

static void caller(void *arg)
{
    unsigned self = model_self(), n = *(const unsigned *)arg;
    struct strait_segment *s = world_process();

    if (model_lives(self) && strait_tx_open(s, WORLD_CHANNEL, NULL, &tx[self]) < 0)
        model_fail("tx_open");
    while (g.called[n] < shape.calls)
        call_one(tx[self], n * MOST_CALLS + g.called[n]++);
    g.gone[self] = 1;
    strait_tx_close(tx[self]);
}

/* ---- workers ---- */

static int answer_one(struct strait_answer *a, unsigned id)
{
    struct answer part = {id, ~(uint64_t)id}, more = {id + 100, ~(uint64_t)(id + 100)};
    int r;

    if (!(shape.flags & TWO_PARTS))
        return strait_answer_send(a, 0, STRAIT_MSG_LAST, &part, sizeof part, STRAIT_FOREVER);
    r = strait_answer_send(a, 0, 0, &part, sizeof part, STRAIT_FOREVER);
    return r < 0 ? r : strait_answer_send(a, 0, STRAIT_MSG_LAST, &more, sizeof more, STRAIT_FOREVER);
}

static void serve_one(struct strait_rx *from, struct strait_msg *msg)
{
    struct strait_answer a;
    struct question q;
    int r = strait_answer_accept(from, msg, &a);

    if (r == 0) {
        strait_payload_read(&q, msg->data, sizeof q);
        MODEL_CHECK(q.id < CALLS, "request %llu", (unsigned long long)q.id);
        /* a worker that died between its last part and DONE has its request run again */
        MODEL_CHECK(!g.answered[q.id] || model_deaths(), "call %u is run again after its answer", (unsigned)q.id);
        g.run[q.id]++;
        r = answer_one(&a, (unsigned)q.id);
        /* -EPIPE also if the caller has read the last part and left before the worker says that it is done */
        MODEL_CHECK(r == 0 || r == -EPIPE, "answer says %d", r);
    } else {
        MODEL_CHECK(r == -EALREADY || r == -EPIPE, "accept says %d", r);
    }
    strait_release(from, msg);
}

static void worker(void *arg)
{
    unsigned self = model_self();
    struct strait_segment *s = world_process();
    struct strait_msg msg;
    int r;

    (void)arg;
    if (model_lives(self) && strait_rx_open(s, WORLD_CHANNEL, NULL, &rx[self]) < 0)
        model_fail("rx_open");
    while ((r = strait_peek(rx[self], &msg, STRAIT_FOREVER)) == 0)
        serve_one(rx[self], &msg);
    MODEL_CHECK(r == -EPIPE, "peek says %d", r);
    g.gone[self] = 1;
    strait_rx_close(rx[self]);
}

/* ---- checks ---- */

static void idle(void)
{
    const struct strait_channel *c = world_channel();
    struct strait_ring_end out;
    struct strait_place place;

    MODEL_CHECK(model_timeouts() <= MOST_TIMEOUTS, "still asleep after %u sleeps", model_timeouts());
    world_consumer_end(0, &out);
    /* born again when everybody had gone: the channel has begun afresh, and waits for the other side */
    if (model_deaths() && !world_unswept() && !c->status &&
        ((!c->had_senders && strait_ring_find(&out, &place) < 0) || !c->had_receivers))
        model_finish();
    if (model_deaths() || (shape.flags & IMPATIENT))
        return;
    for (unsigned i = 0; i < shape.callers; i++)
        MODEL_CHECK(!model_is_asleep(i), "caller %u sleeps on", i + 1);
    for (unsigned i = shape.callers; i < shape.callers + shape.workers; i++)
        MODEL_CHECK(!model_is_asleep(i) || strait_ring_find(&out, &place) < 0, "%s sleeps on, and there is a request",
                    model_current()->actors[i].name);
}

/* Nobody waits for a peer any more. */
static bool all_done(void)
{
    for (unsigned i = 0; i < shape.callers + shape.workers; i++)
        if (!model_is_done(i) && !model_is_dead(i))
            return false;
    return true;
}

static void end(void)
{
    unsigned replies = 2;

    for (unsigned i = 0; i < shape.callers; i++)
        for (unsigned k = 0; model_is_done(i) && k < g.called[i] && !model_is_dead(i) && !model_lives(i); k++)
            MODEL_CHECK(g.answered[i * MOST_CALLS + k] || g.failed[i * MOST_CALLS + k], "a call has not returned");
    for (unsigned i = 0; i < CALLS; i++)
        MODEL_CHECK(g.run[i] <= 1 + model_deaths(), "call %u has run %u times", i, g.run[i]);
    world_bury_all();
    for (unsigned i = 0; i < replies && all_done(); i++)
        MODEL_CHECK(strait_reply_state(world_reply(i)->word) == STRAIT_REPLY_FREE, "reply %u is in state %u", i,
                    strait_reply_state(world_reply(i)->word));
}

/* ---- models ---- */

enum { SAFE, MORTAL, REBORN };

static void set_up(void)
{
    struct strait_channel_plan plan = {.slot_bytes = sizeof(struct strait_request_head) + sizeof(struct question),
                                       .capacity = 2,
                                       .replies = 2,
                                       .reply_bytes = sizeof(struct answer),
                                       .reply_capacity = 2,
                                       .max_attempts = shape.attempts};

    plan.flags = (shape.callers > 1 ? STRAIT_CHANNEL_MANY_PRODUCERS : 0) | STRAIT_CHANNEL_MANY_CONSUMERS;
    memset(&g, 0, sizeof g);
    world_setup(&plan);
    for (unsigned i = 0; i < shape.callers + shape.workers; i++) {
        struct strait_segment *s = world_become(i);
        if ((i < shape.callers ? strait_tx_open(s, WORLD_CHANNEL, NULL, &tx[i])
                               : strait_rx_open(s, WORLD_CHANNEL, NULL, &rx[i])) < 0)
            abort();
    }
    model_private(&g, sizeof g);
    model_private(tx, sizeof tx);
    model_private(rx, sizeof rx);
}

#define SETUP(fn, callers, workers, calls, flags, attempts)                                                            \
    static void fn(void)                                                                                               \
    {                                                                                                                  \
        shape = (__typeof__(shape)){callers, workers, calls, flags, attempts};                                         \
        set_up();                                                                                                      \
    }
SETUP(one_one, 1, 1, 2, 0, 3)
SETUP(one_two, 1, 2, 1, 0, 3)
SETUP(one_two_once, 1, 2, 1, 0, 1)
SETUP(parts, 1, 2, 1, TWO_PARTS, 3)
SETUP(two_one, 2, 1, 1, 0, 3)
SETUP(impatient, 1, 1, 2, IMPATIENT | TWO_PARTS, 3)

static unsigned first = 0, second = 1;
#define C(n, how)                                                                                                      \
    {                                                                                                                  \
        .name = "caller" #n, .run = caller, .arg = (n) == 1 ? &first : &second, .lease = (n), .mortal = (how) != SAFE, \
        .reborn = (how) == REBORN                                                                                      \
    }
#define W(n, l, how)                                                                                                   \
    {                                                                                                                  \
        .name = "worker" #n, .run = worker, .lease = (l), .mortal = (how) != SAFE, .reborn = (how) == REBORN           \
    }
#define MODEL(id, title, mode, p, d, st, to, fn, ...)                                                                  \
    static const struct model id = {.name = title,                                                                     \
                                    .memory = mode,                                                                    \
                                    .bounds = {p, d, st, to},                                                          \
                                    .setup = fn,                                                                       \
                                    .idle = idle,                                                                      \
                                    .end = end,                                                                        \
                                    .actors = {__VA_ARGS__}};

MODEL(r11, "reply 1C/1W", MODEL_SC, 3, 0, 0, 0, one_one, C(1, SAFE), W(1, 2, SAFE))
MODEL(r12, "reply 1C/2W, worker dies", MODEL_SC, 2, 1, 0, 0, one_two, C(1, SAFE), W(1, 2, MORTAL), W(2, 3, MORTAL))
MODEL(r12o, "reply 1C/2W, one attempt", MODEL_SC, 2, 1, 0, 0, one_two_once, C(1, SAFE), W(1, 2, MORTAL),
      W(2, 3, MORTAL))
MODEL(r12p, "reply 1C/2W, two parts, deaths", MODEL_SC, 1, 2, 0, 0, parts, C(1, SAFE), W(1, 2, MORTAL), W(2, 3, REBORN))
MODEL(r11d, "reply 1C/1W, caller dies", MODEL_SC, 2, 1, 0, 0, one_one, C(1, REBORN), W(1, 2, MORTAL))
MODEL(r21, "reply 2C/1W, death", MODEL_SC, 2, 1, 0, 0, two_one, C(1, MORTAL), C(2, SAFE), W(1, 3, REBORN))
MODEL(r11i, "reply 1C/1W, caller leaves early", MODEL_SC, 3, 0, 0, 2, impatient, C(1, SAFE), W(1, 2, SAFE))
MODEL(w11, "reply 1C/1W, weak", MODEL_WEAK, 2, 0, 2, 0, one_one, C(1, SAFE), W(1, 2, SAFE))
MODEL(w11i, "reply 1C/1W, leaves early, weak", MODEL_WEAK, 2, 0, 1, 1, impatient, C(1, SAFE), W(1, 2, SAFE))
MODEL(w12, "reply 1C/2W, death, weak", MODEL_WEAK, 1, 1, 1, 0, one_two, C(1, SAFE), W(1, 2, MORTAL), W(2, 3, SAFE))

static const struct model *const models[] = {&r11, &r12, &r12o, &r12p, &r11d, &r21, &r11i, &w11, &w11i, &w12};

int main(int argc, char **argv)
{
    return model_main(argc, argv, models, sizeof models / sizeof models[0]);
}
