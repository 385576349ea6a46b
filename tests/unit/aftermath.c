/* SPDX-License-Identifier: MIT */
/* A lease dies with a hand in everything that a channel has. After one sweep nothing names it, everything is where the
 * protocol says, and verify finds a sound segment. */
#include "unit.h"

#include "attach.h"
#include "channel.h"
#include "lease.h"
#include "reply.h"
#include "strait/bell.h"
#include "sweep.h"
#include "verify.h"

#define SOON (strait_after_ns(UINT64_C(2000000000)))
#define DEAD 2

static struct strait_segment_map map;
static struct strait_channel_view many, sole;
static struct strait_ring_end ring, line;

static void add(const char *name, uint32_t flags, struct strait_channel_view *view, struct strait_ring_end *end)
{
    struct strait_channel_plan plan = {.flags = flags,
                                       .slot_bytes = 48,
                                       .capacity = 8,
                                       .rings = 1,
                                       .max_attempts = 3,
                                       .peek_window = 2,
                                       .dead_max = 2,
                                       .replies = 5,
                                       .reply_bytes = 48,
                                       .reply_capacity = 2};
    struct strait_object o;

    CHECK_IS(strait_channel_measure(&plan), 0);
    CHECK_IS(strait_directory_prepare(&map, name, STRAIT_KIND_CHANNEL, plan.bytes, -1, &o), 0);
    strait_channel_build(&map, &o, &plan);
    strait_directory_publish(&map, &o);
    CHECK_IS(strait_channel_view(&map, &o, view), 0);
    CHECK_IS(strait_channel_end(view, 0, end), 0);
}

static int make(void **state)
{
    struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 8, .mode = 0600};
    struct strait_misfit misfit;

    place_setup(state);
    CHECK_IS(strait_attach_map(&map, place_path("strait.x"), STRAIT_ATTACH_CREATE, &shape, SOON, &misfit), 0);
    CHECK_IS(map.lease, 1);
    add("many", STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS, &many, &ring);
    add("sole", 0, &sole, &line);
    strait_segment_lease(&map, DEAD)->state = STRAIT_LEASE_USED; /* and nobody holds its lock */
    return 0;
}

static int drop(void **state)
{
    strait_segment_close(&map);
    return place_teardown(state);
}

static void found(struct strait_verify *how, const struct strait_finding *finding)
{
    (void)how;
    fail_msg("verify: %s at %#llx: %llx", strait_rules[finding->rule].name, (unsigned long long)finding->offset,
             (unsigned long long)finding->value);
}

/* The one sweep. */
static void sweep(void)
{
    struct strait_verify how = {found, true};

    CHECK_IS(strait_sweep_admin(&map), 1);
    CHECK_IS(strait_verify(&map, &how), 0);
    CHECK_IS(strait_segment_lease(&map, DEAD)->state, STRAIT_LEASE_FREE);
    CHECK_IS(strait_sweep_admin(&map), 0);
}

static uint64_t word(uint64_t turn, enum strait_slot_state state, uint32_t owner, uint64_t attempts)
{
    return strait_slot_word(turn << STRAIT_TURN_SHIFT, state, owner) | attempts << STRAIT_ATTEMPTS_SHIFT;
}

static uint64_t *slot(uint32_t i)
{
    return &strait_ring_slot(&ring, i)->word;
}

static struct strait_reply *reply(uint32_t i)
{
    struct strait_reply *r;
    CHECK_IS(strait_reply_at(&many, i, &r), 0);
    return r;
}

static uint64_t reply_word(uint32_t owner, enum strait_reply_state state)
{
    return 7 * STRAIT_REPLY_GENERATION_ONE | (uint64_t)owner << STRAIT_REPLY_OWNER_SHIFT | state;
}

static uint64_t dead_letters(void)
{
    return ((struct strait_dead_letters *)(void *)(map.base + many.dead_off))->count;
}

/* ---- */

static void slots_of_the_dead_are_void_or_returned(UNUSED_STATE)
{
    *slot(0) = word(1, STRAIT_SLOT_FREE, 0, 0);
    *slot(1) = word(0, STRAIT_SLOT_TAKEN, DEAD, 0);
    *slot(2) = word(0, STRAIT_SLOT_TAKEN, 1, 1); /* ours */
    *slot(3) = word(0, STRAIT_SLOT_TAKEN, DEAD, 1);
    *slot(4) = word(0, STRAIT_SLOT_CLAIMED, DEAD, 0);
    *slot(5) = word(0, STRAIT_SLOT_CLAIMED, 1, 0);
    *slot(6) = word(0, STRAIT_SLOT_READY, 0, 0);
    sweep();
    CHECK_IS(*slot(0), word(1, STRAIT_SLOT_FREE, 0, 0));
    CHECK_IS(*slot(1), word(0, STRAIT_SLOT_RETURNED, 0, 1));
    CHECK_IS(*slot(2), word(0, STRAIT_SLOT_TAKEN, 1, 1));
    CHECK_IS(*slot(3), word(0, STRAIT_SLOT_RETURNED, 0, 2));
    CHECK_IS(*slot(4), word(0, STRAIT_SLOT_VOID, 0, 0));
    CHECK_IS(*slot(5), word(0, STRAIT_SLOT_CLAIMED, 1, 0));
    CHECK_IS(*slot(6), word(0, STRAIT_SLOT_READY, 0, 0));
    CHECK_IS(many.shared->voided, 1);
    CHECK_IS(many.shared->redelivered, 2);
    CHECK_IS(dead_letters(), 0);
}

static void every_ring_that_is_swept_says_so(UNUSED_STATE)
{
    uint32_t before = ring.ring->returned;

    sweep(); /* also where nothing was found: a sweeper before us may have died between the slot and this */
    CHECK_IS(ring.ring->returned, before + 1);
    CHECK_IS(line.ring->returned, before + 1);
}

static void a_message_that_was_tried_too_often_becomes_a_dead_letter(UNUSED_STATE)
{
    struct strait_dead_letter letter;
    struct strait_slot *s = strait_ring_slot(&ring, 0);
    struct strait_request_head head = {.token = 7 * STRAIT_REPLY_GENERATION_ONE | 1};
    char text[48];

    reply(1)->word = reply_word(1, STRAIT_REPLY_OPEN);
    memcpy(strait_slot_payload(s), &head, sizeof head);
    memcpy((char *)strait_slot_payload(s) + sizeof head, "work", 5);
    s->head = strait_head(sizeof head + 5, 9, STRAIT_MSG_REQUEST);
    s->word = word(0, STRAIT_SLOT_TAKEN, DEAD, 2);
    sweep();
    CHECK_IS(s->word, word(0, STRAIT_SLOT_VOID, 0, 0));
    CHECK_IS(dead_letters(), 1);
    CHECK_IS(strait_channel_dead_letter(&many, 0, &letter, text, sizeof text), sizeof head + 5);
    assert_string_equal(text + sizeof head, "work");
    CHECK_IS(letter.tag, 9);
    CHECK_IS(letter.attempts, 3);
    CHECK_IS(reply(1)->word, reply_word(0, STRAIT_REPLY_FAILED));
}

/* The sweeper before us died between the letter and the slot. */
static void a_letter_is_not_written_twice(UNUSED_STATE)
{
    struct strait_left_behind what = {0};

    *slot(0) = word(0, STRAIT_SLOT_TAKEN, DEAD, 2);
    strait_sweep_objects(&map, DEAD, &what);
    *slot(0) = word(0, STRAIT_SLOT_TAKEN, DEAD, 2);
    sweep();
    CHECK_IS(dead_letters(), 1);
}

static void roles_sets_and_status_forget_the_dead(UNUSED_STATE)
{
    struct strait_channel *c = sole.shared;

    line.ring->producer = line.ring->consumer = DEAD;
    strait_set_add(&c->senders, DEAD);
    strait_set_add(&c->receivers, DEAD);
    c->had_senders = c->had_receivers = 1;
    strait_set_add(&many.shared->holders, DEAD);
    strait_set_add(&many.shared->senders, 1);
    many.shared->had_senders = many.shared->had_receivers = 1;
    sweep();
    CHECK_IS(line.ring->producer, 0);
    CHECK_IS(line.ring->consumer, 0);
    CHECK_IS(line.ring->suspect, 1);
    CHECK_IS(strait_set_count(&c->senders) + strait_set_count(&c->receivers), 0);
    CHECK_IS(c->status, STRAIT_CHANNEL_NO_SENDERS | STRAIT_CHANNEL_NO_RECEIVERS);
    CHECK_IS(strait_set_count(&many.shared->holders), 0);
    CHECK_IS(many.shared->status, STRAIT_CHANNEL_NO_RECEIVERS);
}

static void sole_receivers_successors_are_warned_and_senders_are_not(UNUSED_STATE)
{
    line.ring->producer = DEAD;
    strait_set_add(&sole.shared->senders, DEAD);
    sole.shared->had_senders = 1;
    sweep();
    CHECK_IS(line.ring->suspect, 0);
}

static void counts_asleep(struct strait_bell *bell)
{
    struct strait_bell_ticket ticket;
    strait_bell_enter(bell, &ticket, STRAIT_BELL_FENCE);
}

static void was_swept(const struct strait_bell *bell, uint32_t seq)
{
    CHECK_IS(strait_bell_count(bell->sleepers), 0);
    CHECK_IS(bell->sleepers >> 32, 1);
    CHECK(bell->seq != seq);
}

static void sleepers_of_the_dead_are_counted_out(UNUSED_STATE)
{
    struct strait_bell *bells[] = {&many.shared->readable, &ring.ring->writable, &reply(0)->readable,
                                   &reply(0)->ring.writable};
    uint32_t seqs[4];

    for (int i = 0; i < 4; i++) {
        counts_asleep(bells[i]);
        seqs[i] = bells[i]->seq;
    }
    sweep();
    for (int i = 0; i < 4; i++)
        was_swept(bells[i], seqs[i]);
}

static void replies_of_the_dead_are_opened_or_freed(UNUSED_STATE)
{
    reply(0)->word = reply_word(DEAD, STRAIT_REPLY_BUSY); /* the job comes again */
    reply(0)->caller = 1;
    reply(1)->word = reply_word(DEAD, STRAIT_REPLY_ABANDONED);
    reply(1)->caller = 1;
    reply(2)->word = reply_word(DEAD, STRAIT_REPLY_OPEN); /* it was the caller */
    reply(3)->word = reply_word(1, STRAIT_REPLY_BUSY);
    reply(3)->caller = DEAD;
    reply(4)->word = reply_word(0, STRAIT_REPLY_DONE);
    reply(4)->caller = DEAD;
    sweep();
    CHECK_IS(reply(0)->word, reply_word(1, STRAIT_REPLY_OPEN));
    CHECK_IS(reply(1)->word, reply_word(0, STRAIT_REPLY_FREE));
    CHECK_IS(reply(2)->word, reply_word(0, STRAIT_REPLY_FREE));
    CHECK_IS(reply(3)->word, reply_word(1, STRAIT_REPLY_ABANDONED));
    CHECK_IS(reply(4)->word, reply_word(0, STRAIT_REPLY_FREE));
}

static struct strait_left_behind told;

static void is_told(const struct strait_segment_map *of, const struct strait_left_behind *what)
{
    CHECK(of == &map);
    told = *what;
}

static void who_wants_to_know_is_told_what_was_left(UNUSED_STATE)
{
    *slot(0) = word(0, STRAIT_SLOT_TAKEN, DEAD, 0);
    *slot(1) = word(0, STRAIT_SLOT_CLAIMED, DEAD, 0);
    strait_swept_hook = is_told;
    sweep();
    strait_swept_hook = NULL;
    CHECK_IS(told.returned, 1);
    CHECK_IS(told.voided, 1);
}

/* A later build may know more kinds than this one. */
static void an_object_of_an_unknown_kind_is_left_alone(UNUSED_STATE)
{
    struct strait_left_behind what = {0};
    unsigned char was[256];

    strait_segment_entry(&map, sole.object.entry)->kind = 77;
    line.ring->producer = DEAD;
    memcpy(was, line.ring, sizeof was);
    strait_sweep_objects(&map, DEAD, &what);
    assert_memory_equal(was, line.ring, sizeof was);
}

static void an_unlinked_object_goes_with_its_last_dead_user(UNUSED_STATE)
{
    strait_set_add(&strait_segment_entry(&map, sole.object.entry)->refs, DEAD);
    CHECK_IS(strait_directory_unlink(&map, "sole", STRAIT_KIND_CHANNEL), 0);
    CHECK_IS(strait_segment_entry(&map, sole.object.entry)->state, STRAIT_ENTRY_UNLINKED);
    sweep();
    CHECK_IS(strait_segment_entry(&map, sole.object.entry)->state, STRAIT_ENTRY_FREE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(slots_of_the_dead_are_void_or_returned),
        CASE(every_ring_that_is_swept_says_so),
        CASE(a_message_that_was_tried_too_often_becomes_a_dead_letter),
        CASE(a_letter_is_not_written_twice),
        CASE(roles_sets_and_status_forget_the_dead),
        CASE(sole_receivers_successors_are_warned_and_senders_are_not),
        CASE(sleepers_of_the_dead_are_counted_out),
        CASE(replies_of_the_dead_are_opened_or_freed),
        CASE(who_wants_to_know_is_told_what_was_left),
        CASE(an_object_of_an_unknown_kind_is_left_alone),
        CASE(an_unlinked_object_goes_with_its_last_dead_user),
    };
    return RUN(tests);
}
