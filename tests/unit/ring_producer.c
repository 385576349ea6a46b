/* SPDX-License-Identifier: MIT */
/* PROTOCOLS, "Producer cursor" and the producers' half of "Ring word": a test for each line. */
#include "toyring.h"

static struct toy toy;
static struct strait_place place;

static void a_sole_producer_skips_claimed_and_moves_on_with_the_commit(UNUSED_STATE)
{
    toy_init(&toy, 4, 0, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    CHECK_IS(*toy_word(&toy, 0), 0); /* dying here changes nothing */
    CHECK_IS(tx.cursor, cursor_of(0, 0));
    struct strait_place again;
    CHECK_IS(strait_ring_claim(&tx, &again), 0);
    CHECK(again.slot == place.slot);
    strait_ring_commit(&tx, &place);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_READY, 0, 0));
    CHECK_IS(tx.cursor, cursor_of(0, 1));
}

static void a_claim_of_many_names_its_owner_in_the_same_word(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_CLAIMED, 0, 7));
    CHECK_IS(tx.cursor, cursor_of(0, 1));
    strait_ring_commit(&tx, &place);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_READY, 0, 0));
}

/* What may have been delivered on another machine. Who dies before the store leaves a claim, after it a message. */
static void a_message_from_elsewhere_is_ready_with_an_attempt(UNUSED_STATE)
{
    for (uint32_t flags = 0; flags <= TOY_MANY; flags += TOY_MANY) {
        toy_init(&toy, 4, flags, 0);
        struct strait_ring_end tx = toy_tx(&toy, 7);
        CHECK_IS(strait_ring_claim(&tx, &place), 0);
        CHECK_IS(*toy_word(&toy, 0), flags ? word_of(0, STRAIT_SLOT_CLAIMED, 0, 7) : 0);
        strait_ring_commit_again(&tx, &place, 31);
        CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_READY, 1, 0));
        CHECK_IS(tx.cursor, cursor_of(0, 1));
        CHECK_IS(strait_ring_claim(&tx, &place), 0);
        strait_ring_commit_again(&tx, &place, 1); /* a channel that allows one attempt has no mark for a second */
        CHECK_IS(*toy_word(&toy, 1), word_of(0, STRAIT_SLOT_READY, 0, 0));
        CHECK_IS(tx.cursor, cursor_of(0, 2));
    }
}

static void an_aborted_claim_becomes_void_and_never_free(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 3);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    strait_ring_abort(&tx, &place);
    CHECK_IS(*toy_word(&toy, 0), word_of(3, STRAIT_SLOT_VOID, 0, 0));
}

static void a_sole_producers_abort_leaves_the_slot_as_it_was(UNUSED_STATE)
{
    toy_init(&toy, 4, 0, 3);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    strait_ring_abort(&tx, &place);
    CHECK_IS(*toy_word(&toy, 0), word_of(3, STRAIT_SLOT_FREE, 0, 0));
    CHECK_IS(toy_send(&tx, 1), 0);
}

static void a_slot_in_my_turn_that_is_not_free_is_passed(UNUSED_STATE)
{
    const enum strait_slot_state passed[] = {STRAIT_SLOT_CLAIMED, STRAIT_SLOT_READY, STRAIT_SLOT_TAKEN,
                                             STRAIT_SLOT_VOID, STRAIT_SLOT_RETURNED};

    for (size_t i = 0; i < 5; i++) {
        toy_init(&toy, 4, TOY_MANY, 0);
        struct strait_ring_end tx = toy_tx(&toy, 7);
        toy_set(&toy, 0, 0, passed[i], 3);
        CHECK_IS(strait_ring_claim(&tx, &place), 0);
        CHECK_IS(tx.cursor, cursor_of(0, 2));
        CHECK_IS(*toy_word(&toy, 1), word_of(0, STRAIT_SLOT_CLAIMED, 0, 7));
    }
}

static void behind_a_newer_free_slot_stands_its_last_turns_successor(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    /* FREE(5) in slot 0: position 4·4+0 was used, and the next is 4·4+1. That is free. */
    toy_set(&toy, 0, 5, STRAIT_SLOT_FREE, 0);
    toy_set(&toy, 1, 4, STRAIT_SLOT_FREE, 0);
    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    CHECK_IS(*toy_word(&toy, 1), word_of(4, STRAIT_SLOT_CLAIMED, 0, 7));
    CHECK_IS(*toy_word(&toy, 0), word_of(5, STRAIT_SLOT_FREE, 0, 0)); /* the first FREE seen is not the next */
}

static void behind_a_newer_used_slot_stands_its_own_turns_successor(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    toy_set(&toy, 0, 5, STRAIT_SLOT_READY, 0);
    toy_set(&toy, 1, 5, STRAIT_SLOT_FREE, 0);
    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    CHECK_IS(*toy_word(&toy, 1), word_of(5, STRAIT_SLOT_CLAIMED, 0, 7));
}

static void the_last_slots_successor_is_the_next_turns_first(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    tx.cursor = cursor_of(0, 3);
    toy_set(&toy, 3, 5, STRAIT_SLOT_READY, 0);
    toy_set(&toy, 0, 6, STRAIT_SLOT_FREE, 0);
    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    CHECK_IS(*toy_word(&toy, 0), word_of(6, STRAIT_SLOT_CLAIMED, 0, 7));
}

static void the_last_turns_message_in_the_way_is_full(UNUSED_STATE)
{
    const enum strait_slot_state full[] = {STRAIT_SLOT_CLAIMED, STRAIT_SLOT_READY, STRAIT_SLOT_TAKEN,
                                           STRAIT_SLOT_RETURNED};

    for (uint32_t flags = 0; flags <= TOY_MANY; flags += TOY_MANY)
        for (size_t i = 0; i < 4; i++) {
            toy_init(&toy, 4, flags, 0);
            struct strait_ring_end tx = toy_tx(&toy, 7);
            tx.cursor = cursor_of(1, 0);
            toy_set(&toy, 0, 0, full[i], 3);
            CHECK_IS(strait_ring_claim(&tx, &place), -EAGAIN);
            CHECK_IS(*toy_word(&toy, 0), word_of(0, full[i], 0, 3));
        }
}

static void a_slot_freed_out_of_order_is_not_claimed_out_of_order(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    for (uint32_t i = 0; i < 4; i++)
        CHECK_IS(toy_send(&tx, i), 0);
    toy_set(&toy, 0, 0, STRAIT_SLOT_TAKEN, 3);
    toy_set(&toy, 1, 1, STRAIT_SLOT_FREE, 0); /* its consumer was quicker */
    CHECK_IS(strait_ring_claim(&tx, &place), -EAGAIN);
}

static void the_last_turns_void_is_recycled_by_who_needs_it(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);
    tx.cursor = cursor_of(1, 0);
    toy_set(&toy, 0, 0, STRAIT_SLOT_VOID, 0);
    CHECK_IS(strait_ring_claim(&tx, &place), 0);
    CHECK_IS(*toy_word(&toy, 0), word_of(1, STRAIT_SLOT_CLAIMED, 0, 7));

    toy_init(&toy, 4, 0, 0);
    tx = toy_tx(&toy, 7);
    tx.cursor = cursor_of(1, 0);
    toy_set(&toy, 0, 0, STRAIT_SLOT_VOID, 0);
    CHECK_IS(toy_send(&tx, 1), 0);
    CHECK_IS(*toy_word(&toy, 0), word_of(1, STRAIT_SLOT_READY, 0, 0));
}

static void words_too_old_to_be_true_are_eproto(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    tx.cursor = cursor_of(9, 0);
    toy_set(&toy, 0, 7, STRAIT_SLOT_READY, 0);
    CHECK_IS(strait_ring_claim(&tx, &place), -EPROTO);
    toy_set(&toy, 0, 8, STRAIT_SLOT_FREE, 0); /* nobody sent in turn 8, and we are in 9? */
    CHECK_IS(strait_ring_claim(&tx, &place), -EPROTO);
}

static void a_ring_without_an_honest_word_ends_the_search(UNUSED_STATE)
{
    toy_init(&toy, 64, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    for (uint32_t i = 0; i < 64; i++) /* each slot points further ahead than the one before */
        toy_set(&toy, i, 3 * i + 1, STRAIT_SLOT_READY, 0);
    CHECK(strait_ring_claim(&tx, &place) < 0);
}

/* ---- hints ---- */

static void a_proven_hint_spares_the_walk(UNUSED_STATE)
{
    toy_init(&toy, 128, TOY_MANY, 0);
    struct strait_ring_end late = toy_tx(&toy, 8), tx = toy_tx(&toy, 7);

    for (uint32_t i = 0; i < 100; i++)
        CHECK_IS(toy_send(&tx, i), 0);
    toy.ring.tail_hint = cursor_of(0, 100);
    for (uint32_t i = 20; i < 99; i++) /* a walk would stop here: adopting is the only way past */
        toy_set(&toy, i, UINT64_C(0xFFFFFFFFFF), STRAIT_SLOT_READY, 0);
    CHECK_IS(strait_ring_claim(&late, &place), 0);
    CHECK_IS(late.cursor, cursor_of(0, 101));
}

static void an_unproven_hint_is_not_believed(UNUSED_STATE)
{
    const uint64_t lies[] = {
        cursor_of(0, 90), cursor_of(5, 3), cursor_of(0, 4000), UINT64_MAX, cursor_of(1, 128), cursor_of(0, 0) - 100, 1};

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        toy_init(&toy, 128, TOY_MANY, 0);
        struct strait_ring_end late = toy_tx(&toy, 8), tx = toy_tx(&toy, 7);
        for (uint32_t n = 0; n < 50; n++)
            CHECK_IS(toy_send(&tx, n), 0);
        toy.ring.tail_hint = lies[i];
        CHECK_IS(strait_ring_claim(&late, &place), 0);
        CHECK_IS(late.cursor, cursor_of(0, 51));
    }
}

/* ---- drop-oldest ---- */

static void dropping_the_oldest_claims_its_slot_unread(UNUSED_STATE)
{
    const enum strait_slot_state oldest[] = {STRAIT_SLOT_READY, STRAIT_SLOT_RETURNED};

    for (int i = 0; i < 2; i++) {
        toy_init(&toy, 4, TOY_MANY, 0);
        struct strait_ring_end tx = toy_tx(&toy, 7);
        for (uint32_t n = 0; n < 4; n++)
            CHECK_IS(toy_send(&tx, n), 0);
        toy_set(&toy, 0, 0, oldest[i], 0);
        CHECK_IS(strait_ring_claim_oldest(&tx, &place), 1);
        CHECK_IS(*toy_word(&toy, 0), word_of(1, STRAIT_SLOT_CLAIMED, 0, 7));
        CHECK_IS(tx.cursor, cursor_of(1, 1));
    }
}

static void a_slot_being_read_or_written_is_not_dropped(UNUSED_STATE)
{
    const enum strait_slot_state held[] = {STRAIT_SLOT_TAKEN, STRAIT_SLOT_CLAIMED};

    for (int i = 0; i < 2; i++) {
        toy_init(&toy, 4, TOY_MANY, 0);
        struct strait_ring_end tx = toy_tx(&toy, 7);
        tx.cursor = cursor_of(1, 0);
        toy_set(&toy, 0, 0, held[i], 3);
        CHECK_IS(strait_ring_claim_oldest(&tx, &place), -EAGAIN);
        CHECK_IS(*toy_word(&toy, 0), word_of(0, held[i], 0, 3));
    }
}

static void nothing_is_dropped_where_there_is_room(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    CHECK_IS(strait_ring_claim_oldest(&tx, &place), 0);
    tx.cursor = cursor_of(1, 1);
    toy_set(&toy, 1, 0, STRAIT_SLOT_VOID, 0);
    CHECK_IS(strait_ring_claim_oldest(&tx, &place), 0);
}

/* ---- what a claim is followed by ---- */

static void a_claimer_sees_whether_another_could_go_on(UNUSED_STATE)
{
    toy_init(&toy, 2, TOY_MANY, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7);

    CHECK_IS(toy_send(&tx, 0), 0);
    CHECK(strait_ring_more_free(&tx));
    CHECK_IS(toy_send(&tx, 0), 0);
    CHECK(!strait_ring_more_free(&tx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sole_producer_skips_claimed_and_moves_on_with_the_commit),
        TEST(a_claim_of_many_names_its_owner_in_the_same_word),
        TEST(a_message_from_elsewhere_is_ready_with_an_attempt),
        TEST(an_aborted_claim_becomes_void_and_never_free),
        TEST(a_sole_producers_abort_leaves_the_slot_as_it_was),
        TEST(a_slot_in_my_turn_that_is_not_free_is_passed),
        TEST(behind_a_newer_free_slot_stands_its_last_turns_successor),
        TEST(behind_a_newer_used_slot_stands_its_own_turns_successor),
        TEST(the_last_slots_successor_is_the_next_turns_first),
        TEST(the_last_turns_message_in_the_way_is_full),
        TEST(a_slot_freed_out_of_order_is_not_claimed_out_of_order),
        TEST(the_last_turns_void_is_recycled_by_who_needs_it),
        TEST(words_too_old_to_be_true_are_eproto),
        TEST(a_ring_without_an_honest_word_ends_the_search),
        TEST(a_proven_hint_spares_the_walk),
        TEST(an_unproven_hint_is_not_believed),
        TEST(dropping_the_oldest_claims_its_slot_unread),
        TEST(a_slot_being_read_or_written_is_not_dropped),
        TEST(nothing_is_dropped_where_there_is_room),
        TEST(a_claimer_sees_whether_another_could_go_on),
    };
    return RUN(tests);
}
