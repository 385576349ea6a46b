/* SPDX-License-Identifier: MIT */
/* PROTOCOLS, "Consumer cursor", "Returned messages", and the consumers' half of "Ring word". */
#include "toyring.h"

static struct toy toy;
static struct strait_place place;

static void a_sole_consumer_skips_taken_and_frees_for_the_next_turn(UNUSED_STATE)
{
    toy_init(&toy, 4, 0, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    toy_set(&toy, 0, 0, STRAIT_SLOT_READY, 0);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK_IS(strait_ring_take(&rx, &place), 0);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_READY, 0, 0)); /* dying here changes nothing */
    CHECK_IS(rx.cursor, cursor_of(0, 1));
    strait_ring_release(&place);
    CHECK_IS(*toy_word(&toy, 0), word_of(1, STRAIT_SLOT_FREE, 0, 0));
}

static void a_take_of_many_names_its_taker_and_keeps_the_attempts(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    *toy_word(&toy, 0) = word_of(0, STRAIT_SLOT_READY, 2, 0);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK_IS(strait_slot_attempts(place.word), 2);
    CHECK_IS(strait_ring_take(&rx, &place), 0);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_TAKEN, 2, 5));
    strait_ring_release(&place);
    CHECK_IS(*toy_word(&toy, 0), word_of(1, STRAIT_SLOT_FREE, 0, 0)); /* the next message starts at 0 */
}

static void whoever_is_slower_at_a_take_looks_again(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end a = toy_rx(&toy, 5), b = toy_rx(&toy, 6);
    struct strait_place other;

    toy_set(&toy, 0, 0, STRAIT_SLOT_READY, 0);
    toy_set(&toy, 1, 0, STRAIT_SLOT_READY, 0);
    CHECK_IS(strait_ring_find(&a, &place), 0);
    CHECK_IS(strait_ring_find(&b, &other), 0);
    CHECK(place.slot == other.slot);
    CHECK_IS(strait_ring_take(&a, &place), 0);
    CHECK_IS(strait_ring_take(&b, &other), -EAGAIN);
    CHECK_IS(strait_ring_find(&b, &other), 0);
    CHECK(place.slot != other.slot);
    CHECK_IS(strait_ring_take(&b, &other), 0);
}

static void a_free_or_claimed_slot_is_never_passed(UNUSED_STATE)
{
    const enum strait_slot_state stop[] = {STRAIT_SLOT_FREE, STRAIT_SLOT_CLAIMED};

    for (uint32_t flags = 0; flags <= TOY_MANY; flags += TOY_MANY)
        for (int i = 0; i < 2; i++) {
            toy_init(&toy, 4, flags, 0);
            struct strait_ring_end rx = toy_rx(&toy, 5);
            toy_set(&toy, 0, 0, stop[i], i ? 3 : 0);
            toy_set(&toy, 1, 0, STRAIT_SLOT_READY, 0);
            CHECK_IS(strait_ring_find(&rx, &place), -EAGAIN);
            CHECK_IS(rx.cursor, cursor_of(0, 0));
        }
}

static void a_taken_slot_is_stepped_over(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    toy_set(&toy, 0, 0, STRAIT_SLOT_TAKEN, 3);
    toy_set(&toy, 1, 0, STRAIT_SLOT_READY, 0);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK_IS(rx.cursor, cursor_of(0, 1));
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_TAKEN, 0, 3));
}

static void a_void_slot_is_recycled_and_stepped_over(UNUSED_STATE)
{
    for (uint32_t flags = 0; flags <= TOY_MANY; flags += TOY_MANY) {
        toy_init(&toy, 4, flags, 0);
        struct strait_ring_end rx = toy_rx(&toy, 5);
        toy_set(&toy, 0, 0, STRAIT_SLOT_VOID, 0);
        toy_set(&toy, 1, 0, STRAIT_SLOT_READY, 0);
        CHECK_IS(strait_ring_find(&rx, &place), 0);
        CHECK_IS(*toy_word(&toy, 0), word_of(1, STRAIT_SLOT_FREE, 0, 0));
        CHECK_IS(rx.cursor, cursor_of(0, 1));
    }
}

static void a_newer_slot_shows_how_far_the_others_are(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    /* slot 0 in turn 5, whatever its state: turn 4 of it has been consumed; the head is behind that */
    toy_set(&toy, 0, 5, STRAIT_SLOT_FREE, 0);
    toy_set(&toy, 1, 4, STRAIT_SLOT_READY, 0);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK_IS(rx.cursor, cursor_of(4, 1));
}

static void an_older_slot_is_where_to_stop(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    rx.cursor = cursor_of(1, 0);
    for (int s = STRAIT_SLOT_FREE; s <= STRAIT_SLOT_TAKEN; s++) {
        toy_set(&toy, 0, 0, (enum strait_slot_state)s, 0);
        CHECK_IS(strait_ring_find(&rx, &place), -EAGAIN);
    }
}

static void words_that_cannot_be_are_never_passed(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    for (unsigned s = 6; s <= 7; s++) {
        toy_set(&toy, 0, 0, (enum strait_slot_state)s, 0);
        CHECK_IS(strait_ring_find(&rx, &place), -EAGAIN);
    }
}

static void a_full_circle_of_peeked_messages_ends_at_the_first(UNUSED_STATE)
{
    toy_init(&toy, 2, 0, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5), tx = toy_tx(&toy, 6);

    CHECK_IS(toy_send(&tx, 0), 0);
    CHECK_IS(toy_send(&tx, 1), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_IS(strait_ring_find(&rx, &place), 0);
        CHECK_IS(strait_ring_take(&rx, &place), 0);
    }
    CHECK_IS(strait_ring_find(&rx, &place), -EAGAIN); /* READY still, but a turn behind */
}

/* ---- returned ---- */

static void a_returned_message_comes_before_newer_ones(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5), tx = toy_tx(&toy, 6);

    for (uint32_t i = 0; i < 4; i++)
        CHECK_IS(toy_send(&tx, i), 0);
    CHECK_IS(toy_recv(&rx), 0);
    *toy_word(&toy, 3) = word_of(0, STRAIT_SLOT_RETURNED, 1, 0);
    strait_ring_sweep_end(&rx);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK(place.slot == (void *)toy_word(&toy, 3));
    CHECK_IS(strait_ring_take(&rx, &place), 0);
    CHECK_IS(*toy_word(&toy, 3), word_of(0, STRAIT_SLOT_TAKEN, 1, 5));
    strait_ring_release(&place);
    CHECK_IS(toy_recv(&rx), 1);
    CHECK_IS(toy_recv(&rx), 2);
    CHECK_IS(toy_recv(&rx), -EAGAIN);
}

static void all_returned_messages_are_found_one_sweep_after_the_other(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5), tx = toy_tx(&toy, 6);

    for (uint32_t i = 0; i < 4; i++)
        CHECK_IS(toy_send(&tx, i), 0);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_IS(strait_ring_find(&rx, &place), 0);
        CHECK_IS(strait_ring_take(&rx, &place), 0);
    }
    toy_set(&toy, 0, 0, STRAIT_SLOT_RETURNED, 0);
    toy_set(&toy, 1, 0, STRAIT_SLOT_RETURNED, 0);
    strait_ring_sweep_end(&rx);
    CHECK_IS(toy_recv(&rx), 0);
    CHECK_IS(toy_recv(&rx), 1);
    CHECK_IS(toy_recv(&rx), 2);
    CHECK_IS(rx.seen_returned, 1);
    toy_set(&toy, 3, 0, STRAIT_SLOT_RETURNED, 0); /* at the cursor: found without a generation */
    CHECK_IS(toy_recv(&rx), 3);
}

static void a_newcomer_finds_what_was_returned_before_it_came(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 6);

    for (uint32_t i = 0; i < 3; i++)
        CHECK_IS(toy_send(&tx, i), 0);
    toy_set(&toy, 0, 0, STRAIT_SLOT_TAKEN, 9);
    toy_set(&toy, 2, 0, STRAIT_SLOT_RETURNED, 0);
    strait_ring_sweep_end(&tx);
    struct strait_ring_end rx = toy_rx(&toy, 5);
    CHECK_IS(toy_recv(&rx), 2);
    CHECK_IS(toy_recv(&rx), 1);
    CHECK_IS(toy_recv(&rx), -EAGAIN);
}

/* ---- hints ---- */

static void a_proven_hint_spares_the_walk(UNUSED_STATE)
{
    toy_init(&toy, 128, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    for (uint32_t i = 0; i < 100; i++)
        toy_set(&toy, i, 0, i < 20 || i == 99 ? STRAIT_SLOT_TAKEN : STRAIT_SLOT_CLAIMED, 9);
    toy_set(&toy, 100, 0, STRAIT_SLOT_READY, 0);
    toy.ring.head_hint = cursor_of(0, 100);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK_IS(rx.cursor, cursor_of(0, 100));
}

static void an_unproven_hint_would_pass_messages_and_is_not_believed(UNUSED_STATE)
{
    toy_init(&toy, 128, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    for (uint32_t i = 0; i < 30; i++)
        toy_set(&toy, i, 0, STRAIT_SLOT_TAKEN, 9);
    for (uint32_t i = 30; i < 60; i++)
        toy_set(&toy, i, 0, STRAIT_SLOT_READY, 0);
    toy.ring.head_hint = cursor_of(0, 50);
    CHECK_IS(strait_ring_find(&rx, &place), 0);
    CHECK_IS(rx.cursor, cursor_of(0, 30));
}

/* ---- drained ---- */

static void a_ring_is_drained_when_nothing_can_come_any_more(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    CHECK(strait_ring_drained(&rx));
    toy_set(&toy, 0, 0, STRAIT_SLOT_CLAIMED, 9);
    CHECK(!strait_ring_drained(&rx));
    toy_set(&toy, 0, 0, STRAIT_SLOT_READY, 0);
    CHECK(!strait_ring_drained(&rx));
    toy_set(&toy, 0, 0, STRAIT_SLOT_FREE, 0);
    toy_set(&toy, 3, UINT64_C(0xFFFFFFFFFF), STRAIT_SLOT_TAKEN, 9); /* its taker may yet die */
    CHECK(!strait_ring_drained(&rx));
    toy_set(&toy, 3, UINT64_C(0xFFFFFFFFFF), STRAIT_SLOT_RETURNED, 0);
    CHECK(!strait_ring_drained(&rx));
    toy_set(&toy, 3, UINT64_C(0xFFFFFFFFFF), STRAIT_SLOT_TAKEN, 5); /* ours: we know */
    CHECK(strait_ring_drained(&rx));
}

/* ---- bells' hints ---- */

static void the_halves_end_in_the_middle_and_at_the_end(UNUSED_STATE)
{
    toy_init(&toy, 8, 0, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5);

    for (uint32_t i = 0; i < 8; i++)
        CHECK_IS(strait_ring_half(&rx, (void *)toy_word(&toy, i)), i == 3 || i == 7);
    toy_init(&toy, 2, 0, 0);
    rx = toy_rx(&toy, 5);
    CHECK(strait_ring_half(&rx, (void *)toy_word(&toy, 0)) && strait_ring_half(&rx, (void *)toy_word(&toy, 1)));
}

static void a_taker_sees_whether_another_could_go_on(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end rx = toy_rx(&toy, 5), tx = toy_tx(&toy, 6);

    CHECK_IS(toy_send(&tx, 0), 0);
    CHECK_IS(toy_send(&tx, 1), 0);
    CHECK_IS(toy_recv(&rx), 0);
    CHECK(strait_ring_more_ready(&rx));
    *toy_word(&toy, 1) |= STRAIT_ATTEMPTS_ONE;
    CHECK(strait_ring_more_ready(&rx));
    CHECK_IS(toy_recv(&rx), 1);
    CHECK(!strait_ring_more_ready(&rx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sole_consumer_skips_taken_and_frees_for_the_next_turn),
        TEST(a_take_of_many_names_its_taker_and_keeps_the_attempts),
        TEST(whoever_is_slower_at_a_take_looks_again),
        TEST(a_free_or_claimed_slot_is_never_passed),
        TEST(a_taken_slot_is_stepped_over),
        TEST(a_void_slot_is_recycled_and_stepped_over),
        TEST(a_newer_slot_shows_how_far_the_others_are),
        TEST(an_older_slot_is_where_to_stop),
        TEST(words_that_cannot_be_are_never_passed),
        TEST(a_full_circle_of_peeked_messages_ends_at_the_first),
        TEST(a_returned_message_comes_before_newer_ones),
        TEST(all_returned_messages_are_found_one_sweep_after_the_other),
        TEST(a_newcomer_finds_what_was_returned_before_it_came),
        TEST(a_proven_hint_spares_the_walk),
        TEST(an_unproven_hint_would_pass_messages_and_is_not_believed),
        TEST(a_ring_is_drained_when_nothing_can_come_any_more),
        TEST(the_halves_end_in_the_middle_and_at_the_end),
        TEST(a_taker_sees_whether_another_could_go_on),
    };
    return RUN(tests);
}
