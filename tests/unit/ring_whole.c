/* SPDX-License-Identifier: MIT */
/* Whole rings: numbers, joining, the wrap of turns, sweeping. */
#include "toyring.h"

static struct toy toy;
static struct strait_place place;

static void strides_are_whole_lines_from_64_and_multiples_of_16_below(UNUSED_STATE)
{
    CHECK_IS(strait_ring_stride(1), 32);
    CHECK_IS(strait_ring_stride(16), 32);
    CHECK_IS(strait_ring_stride(17), 64);
    CHECK_IS(strait_ring_stride(48), 64);
    CHECK_IS(strait_ring_stride(49), 128);
    CHECK_IS(strait_ring_stride(1008), 1024);
    CHECK_IS(strait_ring_stride(1 << 30), (1 << 30) + 64);
}

static void a_rings_numbers_are_checked_each_for_itself(UNUSED_STATE)
{
    const struct strait_ring good = {.slots_off = 4096, .capacity = 8, .stride = 64};
    struct strait_ring bad[12], copy;
    size_t n = 0;

    CHECK_IS(strait_ring_check(&good, 4096, 4096 + 512, &copy), 0);
    CHECK_IS(copy.capacity, 8);
    for (size_t i = 0; i < 12; i++)
        bad[i] = good;
    bad[n++].capacity = 0;
    bad[n++].capacity = 1;
    bad[n++].capacity = 6;
    bad[n++].capacity = 16; /* too many for the room */
    bad[n++].capacity = STRAIT_RING_SLOTS * 2;
    bad[n++].stride = 0;
    bad[n++].stride = 16; /* no room for a byte */
    bad[n++].stride = 72;
    bad[n++].stride = 0xFFFFFFF0;
    bad[n++].slots_off = 4095;
    bad[n++].slots_off = 4096 + 1;
    bad[n++].slots_off = UINT64_MAX - 15;
    for (size_t i = 0; i < n; i++)
        if (strait_ring_check(&bad[i], 4096, 4096 + 512, &copy) != -EPROTO)
            fail_msg("number %zu was believed", i);
}

static void slots_are_counted_by_state(UNUSED_STATE)
{
    uint32_t counts[8];

    toy_init(&toy, 8, TOY_MANY, 0);
    struct strait_ring_end end = toy_rx(&toy, 5);
    for (uint32_t i = 0; i < 8; i++)
        toy_set(&toy, i, 0, (enum strait_slot_state)i, 0);
    strait_ring_count(&end, counts);
    for (int i = 0; i < 8; i++)
        CHECK_IS(counts[i], 1);
}

/* ---- joining and the wrap: every honest history, compared with plain counters ---- */

/* Random sends and receives of many; after each, newcomers must find the true head and tail. */
static void histories(uint32_t capacity, uint64_t turn, uint32_t flags, unsigned seed)
{
    toy_init(&toy, capacity, flags, turn);
    struct strait_ring_end tx = toy_tx(&toy, 7), rx = toy_rx(&toy, 5);
    uint64_t first = turn * capacity; /* modulo 2^64, as the turns are modulo 2^40 */
    uint32_t sent = 0, got = 0;

    for (int step = 0; step < 400; step++) {
        if (rand_r(&seed) % 2) {
            CHECK_IS(toy_send(&tx, sent), sent - got < capacity ? 0 : -EAGAIN);
            sent += sent - got < capacity;
        } else {
            CHECK_IS(toy_recv(&rx), got < sent ? (int64_t)got : -EAGAIN);
            got += got < sent;
        }
        uint64_t tail = first + sent, head = first + got;
        CHECK_IS(toy_tx(&toy, 8).cursor, cursor_of(tail / capacity, (uint32_t)(tail % capacity)));
        CHECK_IS(toy_rx(&toy, 8).cursor, cursor_of(head / capacity, (uint32_t)(head % capacity)));
        if (rand_r(&seed) % 8 == 0) {
            tx = toy_tx(&toy, 7);
            rx = toy_rx(&toy, 5);
        }
    }
    CHECK(sent > 3 * capacity);
}

static void newcomers_find_head_and_tail_in_every_history(UNUSED_STATE)
{
    for (unsigned seed = 0; seed < 20; seed++)
        for (uint32_t flags = 0; flags <= TOY_MANY; flags++)
            histories(2u << seed % 3, 0, flags, seed);
}

static void turns_wrap_at_2_to_the_40_without_anybody_noticing(UNUSED_STATE)
{
    for (unsigned seed = 0; seed < 20; seed++)
        for (uint32_t flags = 0; flags <= TOY_MANY; flags++)
            histories(2u << seed % 3, LAST_TURN, flags, seed);
}

static void a_laggard_crosses_the_wrap_too(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, LAST_TURN);
    struct strait_ring_end slow_tx = toy_tx(&toy, 1), slow_rx = toy_rx(&toy, 2);
    struct strait_ring_end tx = toy_tx(&toy, 7), rx = toy_rx(&toy, 5);

    for (uint32_t i = 0; i < 15; i++) {
        CHECK_IS(toy_send(&tx, i), 0);
        CHECK_IS(toy_recv(&rx), i);
    }
    CHECK_IS(toy_send(&slow_tx, 99), 0);
    CHECK_IS(toy_recv(&slow_rx), 99);
    CHECK_IS(toy_recv(&rx), -EAGAIN);
}

static void drop_oldest_keeps_the_newest_across_the_wrap(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, LAST_TURN);
    struct strait_ring_end tx = toy_tx(&toy, 7), rx = toy_rx(&toy, 5);

    for (uint32_t i = 0; i < 21; i++) {
        CHECK_IS(strait_ring_claim_oldest(&tx, &place), i >= 4);
        memcpy(strait_slot_payload(place.slot), &i, sizeof i);
        strait_ring_commit(&tx, &place);
    }
    for (uint32_t i = 17; i < 21; i++)
        CHECK_IS(toy_recv(&rx), i);
    CHECK_IS(toy_recv(&rx), -EAGAIN);
}

/* ---- the sole consumer's successor ---- */

static void the_peek_window_of_a_dead_sole_consumer_is_marked_and_nothing_else(UNUSED_STATE)
{
    toy_init(&toy, 8, STRAIT_RING_MANY_PRODUCERS, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7), dead = toy_rx(&toy, 5);

    for (uint32_t i = 0; i < 5; i++)
        CHECK_IS(toy_send(&tx, i), 0);
    CHECK_IS(toy_recv(&dead), 0);
    struct strait_ring_end rx = toy_rx(&toy, 6);
    strait_ring_suspect(&rx, 2);
    for (uint32_t i = 1; i < 5; i++)
        CHECK_IS(strait_slot_attempts(*toy_word(&toy, i)), i <= 2);
    CHECK_IS(toy_recv(&rx), 1);
}

static void suspicion_saturates_and_never_voids(UNUSED_STATE)
{
    toy_init(&toy, 2, 0, 0);
    struct strait_ring_end tx = toy_tx(&toy, 7), rx = toy_rx(&toy, 5);

    CHECK_IS(toy_send(&tx, 42), 0);
    for (int i = 0; i < 40; i++)
        strait_ring_suspect(&rx, 8);
    CHECK_IS(strait_slot_attempts(*toy_word(&toy, 0)), STRAIT_ATTEMPTS_MOST);
    CHECK_IS(toy_recv(&rx), 42);
}

/* ---- sweep ---- */

struct funeral {
    struct strait_ring_bury how;
    int buried;
    uint32_t slot;
    uint64_t word;
};

static void bury(struct strait_ring_bury *how, const struct strait_ring_end *end, uint32_t slot, uint64_t word)
{
    struct funeral *f = (struct funeral *)(void *)how;

    CHECK_IS(*toy_word(&toy, slot), word); /* before it is voided, or nobody could repeat it */
    CHECK(end->mask == 3);
    f->buried++;
    f->slot = slot;
    f->word = word;
}

static void sweep(uint32_t dead, uint32_t most, struct funeral *f, struct strait_ring_swept *swept)
{
    struct strait_ring_end end = toy_rx(&toy, 9);

    *f = (struct funeral){.how = {bury}};
    *swept = (struct strait_ring_swept){0, 0};
    strait_ring_sweep(&end, dead, most, &f->how, swept);
}

static void a_dead_owners_slots_are_repaired_and_only_those(UNUSED_STATE)
{
    struct strait_ring_swept swept;
    struct funeral f;

    toy_init(&toy, 4, TOY_MANY, 0);
    toy_set(&toy, 0, 0, STRAIT_SLOT_TAKEN, 3);
    toy_set(&toy, 1, 0, STRAIT_SLOT_TAKEN, 4);
    toy_set(&toy, 2, 0, STRAIT_SLOT_CLAIMED, 3);
    toy_set(&toy, 3, 0, STRAIT_SLOT_CLAIMED, 4);
    sweep(3, 3, &f, &swept);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_RETURNED, 1, 0));
    CHECK_IS(*toy_word(&toy, 1), word_of(0, STRAIT_SLOT_TAKEN, 0, 4));
    CHECK_IS(*toy_word(&toy, 2), word_of(0, STRAIT_SLOT_VOID, 0, 0));
    CHECK_IS(*toy_word(&toy, 3), word_of(0, STRAIT_SLOT_CLAIMED, 0, 4));
    CHECK_IS(swept.returned, 1);
    CHECK_IS(swept.voided, 1);
    CHECK_IS(f.buried, 0);
}

static void a_second_sweep_finds_nothing_and_counts_no_attempt(UNUSED_STATE)
{
    struct strait_ring_swept swept;
    struct funeral f;

    toy_init(&toy, 4, TOY_MANY, 0);
    toy_set(&toy, 0, 0, STRAIT_SLOT_TAKEN, 3);
    sweep(3, 3, &f, &swept);
    sweep(3, 3, &f, &swept);
    CHECK_IS(*toy_word(&toy, 0), word_of(0, STRAIT_SLOT_RETURNED, 1, 0));
    CHECK_IS(swept.returned + swept.voided, 0);
}

static void the_last_attempt_is_buried_then_voided(UNUSED_STATE)
{
    struct strait_ring_swept swept;
    struct funeral f;

    toy_init(&toy, 4, TOY_MANY, 6);
    *toy_word(&toy, 2) = word_of(6, STRAIT_SLOT_TAKEN, 1, 3);
    sweep(3, 3, &f, &swept);
    CHECK_IS(f.buried, 0);
    *toy_word(&toy, 2) = word_of(6, STRAIT_SLOT_TAKEN, 2, 3);
    sweep(3, 3, &f, &swept);
    CHECK_IS(f.buried, 1);
    CHECK_IS(f.slot, 2);
    CHECK_IS(strait_slot_attempts(f.word), 2);
    CHECK_IS(*toy_word(&toy, 2), word_of(6, STRAIT_SLOT_VOID, 0, 0));
    CHECK_IS(swept.voided, 1);
}

static void attempts_that_a_peer_made_up_do_not_overflow(UNUSED_STATE)
{
    struct strait_ring_swept swept;
    struct funeral f;

    toy_init(&toy, 4, TOY_MANY, 6);
    *toy_word(&toy, 0) = word_of(6, STRAIT_SLOT_TAKEN, 31, 3);
    sweep(3, UINT32_MAX, &f, &swept);
    CHECK_IS(f.buried, 1);
    CHECK_IS(*toy_word(&toy, 0), word_of(6, STRAIT_SLOT_VOID, 0, 0));
}

static void every_sweeps_end_raises_the_generation(UNUSED_STATE)
{
    toy_init(&toy, 4, TOY_MANY, 0);
    struct strait_ring_end end = toy_rx(&toy, 9);

    toy.ring.returned = UINT32_MAX;
    strait_ring_sweep_end(&end);
    CHECK_IS(toy.ring.returned, 0);
    strait_ring_sweep_end(&end);
    CHECK_IS(toy.ring.returned, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(strides_are_whole_lines_from_64_and_multiples_of_16_below),
        TEST(a_rings_numbers_are_checked_each_for_itself),
        TEST(slots_are_counted_by_state),
        TEST(newcomers_find_head_and_tail_in_every_history),
        TEST(turns_wrap_at_2_to_the_40_without_anybody_noticing),
        TEST(a_laggard_crosses_the_wrap_too),
        TEST(drop_oldest_keeps_the_newest_across_the_wrap),
        TEST(the_peek_window_of_a_dead_sole_consumer_is_marked_and_nothing_else),
        TEST(suspicion_saturates_and_never_voids),
        TEST(a_dead_owners_slots_are_repaired_and_only_those),
        TEST(a_second_sweep_finds_nothing_and_counts_no_attempt),
        TEST(the_last_attempt_is_buried_then_voided),
        TEST(attempts_that_a_peer_made_up_do_not_overflow),
        TEST(every_sweeps_end_raises_the_generation),
    };
    return RUN(tests);
}
