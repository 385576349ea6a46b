/* SPDX-License-Identifier: MIT */
/*
 * A tap: tools/shmctl/follow.c reads slots that others write, by the slot's word before and after the copy, and writes
 * nothing. Checked: a message that it shows is whole, and the one of that place; only one that is marked late may be what
 * a sender gave up; nothing is shown twice; shown, missed and void places add up to all of them.
 *
 * Sequentially consistent only. The copy races with the next sender, which C11 forbids; what keeps it right is that x86
 * and arm64 show a store to all at once, and that a sender's stores stay behind the load or the claim that allowed them.
 */
#include <errno.h>
#include <stdlib.h>

#include "world.h"

/* The copy word by word: each is a choice point, and none a race to complain of. */
static void read_words(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / 8; i++)
        ((uint64_t *)to)[i] = strait_load64_relaxed((const uint64_t *)from + i);
}

#define strait_payload_read read_words
#include "shmctl/follow.c"
#undef strait_payload_read

enum { MOST_PLACES = 16, MOST_PRODUCERS = 2 };
enum { ABORT = 1, DROP_OLDEST = 2, LAGS = 4 }; /* LAGS: begins when everybody else has ended */

struct payload {
    uint64_t id, mirror;
};

static struct {
    uint8_t sent[MOST_PRODUCERS], finished[MOST_PRODUCERS];
    uint8_t begun[MOST_PLACES];     /* by place: its commit has begun, so it may be seen; */
    uint8_t committed[MOST_PLACES]; /* or has returned, so it must be accounted for */
    uint8_t aborted[MOST_PLACES];
    uint8_t voids; /* places that the tap has passed without a message, and said nothing of */
} g;

static struct {
    unsigned producers, consumers, each, flags;
    uint64_t first_turn;
} shape;

static struct strait_endpoint ends[MODEL_ACTORS];
static struct strait_ring_end tap_end;
static unsigned char tap_bytes[sizeof(struct payload)];
static struct ctl_follow tap = {.ends = &tap_end, .bytes = tap_bytes};

/* What the rest of shmctl would do; a follower that has begun needs none of it but the time. */
int ctl_object(const struct ctl_segment *s, const char *name, enum strait_kind kind, struct strait_object *o)
{
    (void)s, (void)name, (void)kind, (void)o;
    abort();
}
void ctl_say(const char *format, ...)
{
    (void)format;
    abort();
}
const char *table_text(const char *text, size_t n)
{
    (void)n;
    return text;
}
uint64_t ctl_real_ns(const struct ctl_segment *s)
{
    (void)s;
    return 0;
}
void ctl_sleep(double seconds)
{
    (void)seconds;
    abort();
}

/* Counted from the first message. */
static uint64_t place_of(uint64_t cursor)
{
    uint64_t turn = (cursor - shape.first_turn * STRAIT_TURN_ONE) >> STRAIT_TURN_SHIFT;
    return turn * world_ring(0)->capacity + (cursor & (world_ring(0)->capacity - 1));
}

/* Messages have one word or two, in turn: a length of another message is seen. */
static uint32_t bytes_of(uint64_t place)
{
    return place % 2 ? 8 : 16;
}

/* ---- producers, consumers ---- */

static bool claim(struct strait_segment *p, struct strait_ring_end *end, struct strait_place *place)
{
    for (;;) {
        int r = shape.flags & DROP_OLDEST ? strait_ring_claim_oldest(end, place) : strait_ring_claim(end, place);
        if (r >= 0)
            return true;
        MODEL_CHECK(r == -EAGAIN, "claim says %d", r);
        if (shape.flags & DROP_OLDEST)
            return false;
        world_idle(p);
    }
}

static void send_one(struct strait_segment *p, struct strait_ring_end *end)
{
    struct strait_place place;

    if (!claim(p, end, &place))
        return;
    uint64_t slot = (uint64_t)((const unsigned char *)place.slot - (const unsigned char *)world_slot(0)) / end->stride;
    uint64_t id = place_of((place.word & STRAIT_TURN_MASK) | slot);
    uint64_t *payload = strait_slot_payload(place.slot);
    MODEL_CHECK(id < MOST_PLACES, "place %llu is used", (unsigned long long)id);
    strait_store64_relaxed(&place.slot->head, strait_head(bytes_of(id), 0, 0));
    strait_store64_relaxed(&payload[0], id);
    strait_store64_relaxed(&payload[1], ~id);
    if ((shape.flags & ABORT) && model_choose(2)) {
        g.aborted[id] = 1;
        strait_ring_abort(end, &place);
        return;
    }
    g.begun[id] = 1;
    strait_ring_commit(end, &place);
    g.committed[id] = 1;
}

static void produce(void *arg)
{
    unsigned n = *(const unsigned *)arg;
    struct strait_segment *p = world_process();

    while (g.sent[n] < shape.each) {
        g.sent[n]++;
        send_one(p, ends[model_self()].ends);
    }
    g.finished[n] = 1;
}

static bool all_produced(void)
{
    for (unsigned i = 0; i < shape.producers; i++)
        if (!g.finished[i] && !model_is_dead(i))
            return false;
    return true;
}

static void consume(void *arg)
{
    struct strait_segment *p = world_process();
    struct strait_ring_end *end = ends[model_self()].ends;
    struct strait_place place;

    (void)arg;
    for (;;) {
        bool last = all_produced();
        int r = strait_ring_find(end, &place);
        if (r == 0 && strait_ring_take(end, &place) == 0)
            strait_ring_release(&place);
        else if (r == -EAGAIN && last && !world_unswept())
            return;
        else if (r == -EAGAIN)
            world_idle(p);
    }
}

/* ---- the tap ---- */

static void check_message(const struct ctl_message *m, uint64_t place)
{
    struct payload d = {place, ~place};

    memcpy(&d, m->data, m->bytes);
    if (m->late && place < MOST_PLACES && !g.begun[place])
        return; /* what was given up may be shown, and half written: the mark says so */
    MODEL_CHECK(place < MOST_PLACES && g.begun[place], "place %llu was never committed", (unsigned long long)place);
    MODEL_CHECK(!g.aborted[place] && m->bytes == bytes_of(place) && d.id == place && d.mirror == ~place,
                "place %llu shows %u bytes, %llx %llx", (unsigned long long)place, m->bytes, (unsigned long long)d.id,
                (unsigned long long)d.mirror);
}

static bool others_end(void)
{
    for (unsigned i = 0; i < shape.producers + shape.consumers; i++)
        if (!model_is_done(i) && !model_is_dead(i))
            return false;
    return true;
}

/* One step is one place, a jump, or nothing: what a place is shown as belongs to the cursor before it. */
static void follow(void *arg)
{
    struct ctl_message m;

    (void)arg;
    while (shape.flags & LAGS && !others_end())
        strait_pause();
    for (;;) {
        bool last = others_end();
        uint64_t before = place_of(tap_end.cursor), counted = tap.seen + tap.missed;
        enum found found = step(&tap, &tap_end, &m);
        uint64_t after = place_of(tap_end.cursor);

        if (found == MESSAGE) {
            check_message(&m, before);
            MODEL_CHECK(after == before + 1, "from %llu to %llu", (unsigned long long)before,
                        (unsigned long long)after);
        } else if (found == SKIPPED) {
            MODEL_CHECK(after > before, "a step back");
            if (tap.seen + tap.missed == counted)
                g.voids++;
        } else if (last) {
            return;
        } else {
            strait_pause();
        }
    }
}

/* ---- checks ---- */

static void died(unsigned actor)
{
    if (actor < shape.producers)
        g.finished[actor] = 1;
}

static void end(void)
{
    uint64_t place = place_of(tap_end.cursor);

    for (uint64_t i = place; i < MOST_PLACES; i++)
        MODEL_CHECK(!g.committed[i], "place %llu is neither shown nor missed", (unsigned long long)i);
    MODEL_CHECK(tap.seen + tap.missed + g.voids == place, "%llu shown, %llu missed, %u void, of %llu",
                (unsigned long long)tap.seen, (unsigned long long)tap.missed, g.voids, (unsigned long long)place);
}

/* ---- models ---- */

static void set_up(unsigned producers, unsigned consumers, unsigned each, unsigned flags, uint64_t turn)
{
    struct strait_channel_plan plan = {.slot_bytes = sizeof(struct payload), .capacity = 2, .first_turn = turn};

    shape.producers = producers;
    shape.consumers = consumers;
    shape.each = each;
    shape.flags = flags;
    shape.first_turn = turn;
    plan.flags = (producers > 1 || (flags & ABORT) ? STRAIT_CHANNEL_MANY_PRODUCERS : 0) |
                 (consumers > 1 ? STRAIT_CHANNEL_MANY_CONSUMERS : 0);
    plan.full = flags & DROP_OLDEST ? STRAIT_FULL_DROP_OLDEST : STRAIT_FULL_WAIT;
    memset(&g, 0, sizeof g);
    world_setup(&plan);
    for (unsigned i = 0; i < producers + consumers; i++)
        if (strait_endpoint_open(&ends[i], world_become(i), WORLD_CHANNEL, NULL,
                                 i < producers ? STRAIT_ROLE_SENDER : STRAIT_ROLE_RECEIVER, false) < 0)
            abort();
    tap.seen = tap.missed = 0;
    tap.view.rings = 1;
    tap.view.slot_bytes = sizeof(struct payload);
    world_consumer_end(0, &tap_end);
    tap_end.owner = 0;
    model_private(ends, (producers + consumers) * sizeof ends[0]);
    model_private(&g, sizeof g);
    model_private(&tap, sizeof tap);
    model_private(&tap_end, sizeof tap_end);
    model_private(tap_bytes, sizeof tap_bytes);
}

static unsigned first = 0, second = 1;
#define TURN_LAST ((UINT64_C(1) << 40) - 2)
#define P(n, dies)                                                                                                     \
    {                                                                                                                  \
        .name = "producer" #n, .run = produce, .arg = (n) == 1 ? &first : &second, .lease = (n), .mortal = (dies)      \
    }
#define C(n, l, dies)                                                                                                  \
    {                                                                                                                  \
        .name = "consumer" #n, .run = consume, .lease = (l), .mortal = (dies)                                          \
    }
#define TAP(l)                                                                                                         \
    {                                                                                                                  \
        .name = "tap", .run = follow, .lease = (l)                                                                     \
    }

#define MODEL(id, title, p, d, producers, consumers, each, flags, turn, ...)                                           \
    static void id##_up(void)                                                                                          \
    {                                                                                                                  \
        set_up(producers, consumers, each, flags, turn);                                                               \
    }                                                                                                                  \
    static const struct model id = {                                                                                   \
        .name = title, .bounds = {p, d, 0, 0}, .setup = id##_up, .died = died, .end = end, .actors = {__VA_ARGS__}};

MODEL(t11, "tap 1P/1C", 4, 0, 1, 1, 5, 0, 0, P(1, 0), C(1, 2, 0), TAP(3))
MODEL(t11w, "tap 1P/1C, turns wrap", 4, 0, 1, 1, 5, 0, TURN_LAST, P(1, 0), C(1, 2, 0), TAP(3))
MODEL(t11l, "tap 1P/1C, comes late", 3, 0, 1, 1, 5, LAGS, 0, P(1, 0), C(1, 2, 0), TAP(3))
MODEL(t11d, "tap 1P/1C, sender dies", 3, 1, 1, 1, 4, 0, 0, P(1, 1), C(1, 2, 0), TAP(3))
MODEL(t11o, "tap 1P/1C, drop-oldest", 3, 0, 1, 1, 4, DROP_OLDEST, 0, P(1, 0), C(1, 2, 0), TAP(3))
MODEL(t11a, "tap many P/1C, abort", 3, 0, 1, 1, 4, ABORT, 0, P(1, 0), C(1, 2, 0), TAP(3))
MODEL(t21, "tap 2P/1C, abort", 3, 0, 2, 1, 2, ABORT, 0, P(1, 0), P(2, 0), C(1, 3, 0), TAP(4))
MODEL(t21d, "tap 2P/1C, death", 2, 1, 2, 1, 2, 0, 0, P(1, 1), P(2, 0), C(1, 3, 0), TAP(4))
MODEL(t12, "tap 1P/2C", 3, 0, 1, 2, 4, 0, 0, P(1, 0), C(1, 2, 0), C(2, 3, 0), TAP(4))
MODEL(t12d, "tap 1P/2C, death", 2, 1, 1, 2, 3, 0, 0, P(1, 0), C(1, 2, 1), C(2, 3, 0), TAP(4))

static const struct model *const models[] = {&t11, &t11w, &t11l, &t11d, &t11o, &t11a, &t21, &t21d, &t12, &t12d};

int main(int argc, char **argv)
{
    return model_main(argc, argv, models, sizeof models / sizeof models[0]);
}
