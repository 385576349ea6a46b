/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "layout.h"
#include "lock.h"

#define A     7u
#define B     9u
#define DEAD  11u
#define W     STRAIT_LOCK_WAITERS
#define DIED  STRAIT_LOCK_DIED
#define ROTS  STRAIT_LOCK_POISONED
#define GHOST (uint32_t) STRAIT_LEASE_ORPHAN

static struct strait_reader_cell cells[STRAIT_LEASES];
static struct strait_set readers;

static struct strait_part part_of(struct strait_lock *lock, uint32_t lease)
{
    memset(cells, 0, sizeof cells);
    memset(&readers, 0, sizeof readers);
    readers.bits[0] = 1u << A | 1u << B | 1u << DEAD;
    return (struct strait_part){.lock = lock, .cells = cells, .readers = &readers, .lease = lease};
}

/* ---- the word ---- */

static void a_free_lock_is_taken_and_given_back_whole(UNUSED_STATE)
{
    uint32_t word = 0;

    CHECK(strait_lock_take(&word, A));
    CHECK_IS(word, A);
    CHECK(!strait_lock_take(&word, B));
    CHECK_IS(strait_lock_give(&word, 0), A);
    CHECK_IS(word, 0);
}

static void every_state_of_the_word_has_its_answer(UNUSED_STATE)
{
    static const struct {
        uint32_t word, keep;
        bool heal;
        int answer;
        uint32_t left;
    } rows[] = {
        {0, 0, false, 0, A},
        {0, W, false, 0, A | W},
        {B, 0, false, -EAGAIN, B},
        {B | W | DIED, W, true, -EAGAIN, B | W | DIED},
        {GHOST, 0, false, 0, A},
        {GHOST | DIED, 0, false, 1, A | DIED},
        {GHOST | DIED | W, 0, false, 1, A | DIED | W},
        {ROTS, 0, false, -ENOTRECOVERABLE, ROTS},
        {ROTS, W, true, 2, A | DIED | W},
        {STRAIT_LEASES, 0, false, -EPROTO, STRAIT_LEASES},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t word = rows[i].word;
        CHECK_IS(strait_lock_step(&word, A, rows[i].keep, rows[i].heal), rows[i].answer);
        CHECK_IS(word, rows[i].left);
    }
}

static void a_sleeper_marks_a_held_word_only(UNUSED_STATE)
{
    uint32_t word = B | DIED, seen = 0;

    CHECK_IS(strait_lock_mark(&word, &seen), 0);
    CHECK_IS(word, B | DIED | W);
    CHECK_IS(seen, word);
    CHECK_IS(strait_lock_mark(&word, &seen), 0);
    for (size_t i = 0; i < 4; i++) {
        word = (uint32_t[]){0, GHOST | DIED, ROTS, 0xFFF0}[i];
        CHECK_IS(strait_lock_mark(&word, &seen), -EAGAIN);
    }
}

static void healing_is_for_the_owner(UNUSED_STATE)
{
    uint32_t word = A | DIED | W;

    CHECK_IS(strait_lock_heal(&word, B), -EPERM);
    CHECK_IS(strait_lock_heal(&word, A), 0);
    CHECK_IS(word, A | W);
}

static void what_was_not_touched_goes_back_as_it_was(UNUSED_STATE)
{
    CHECK_IS(strait_lock_as_it_was(0), 0);
    CHECK_IS(strait_lock_as_it_was(1), GHOST | DIED);
    CHECK_IS(strait_lock_as_it_was(2), ROTS);
}

/* ---- death ---- */

static void a_sweep_changes_the_dead_owners_word_only(UNUSED_STATE)
{
    struct strait_lock lock = {.word = B | W};
    struct strait_part part = part_of(&lock, A);

    strait_lock_sweep(&part, DEAD, DIED);
    CHECK_IS(lock.word, B | W);
    CHECK_IS(lock.deaths, 0);
    lock.word = DEAD | W;
    strait_lock_sweep(&part, DEAD, DIED);
    CHECK_IS(lock.word, GHOST | DIED);
    strait_lock_sweep(&part, DEAD, DIED);
    CHECK_IS(lock.word, GHOST | DIED);
    CHECK_IS(lock.deaths, 1);
}

static void a_healer_that_dies_leaves_the_data_suspect(UNUSED_STATE)
{
    struct strait_lock lock = {.word = DEAD | DIED};
    struct strait_part part = part_of(&lock, A);

    strait_lock_sweep(&part, DEAD, DIED);
    CHECK_IS(strait_lock_step(&lock.word, A, 0, false), 1);
}

static void the_owner_of_an_atomic_region_leaves_nothing_suspect(UNUSED_STATE)
{
    struct strait_lock lock = {.word = DEAD | W};
    struct strait_part part = part_of(&lock, A);

    strait_lock_sweep(&part, DEAD, 0);
    CHECK_IS(strait_lock_step(&lock.word, A, 0, false), 0);
    CHECK_IS(lock.word, A);
}

/* ---- readers ---- */

static void readers_count_themselves_at_their_own_cell(UNUSED_STATE)
{
    struct strait_lock lock = {0};
    struct strait_part a = part_of(&lock, A);

    CHECK_IS(strait_lock_read_step(&a), 0);
    CHECK_IS(strait_lock_read_step(&a), 0);
    CHECK_IS(cells[A].count, 2);
    CHECK_IS(lock.word, 0);
    CHECK_IS(strait_lock_reader(&a), A);
    strait_lock_read_leave(&a);
    strait_lock_read_leave(&a);
    CHECK_IS(strait_lock_reader(&a), 0);
}

static void a_reader_steps_back_for_a_writer(UNUSED_STATE)
{
    struct strait_lock lock = {.word = B};
    struct strait_part a = part_of(&lock, A);

    CHECK_IS(strait_lock_read_step(&a), -EAGAIN);
    CHECK_IS(cells[A].count, 0);
    lock.word = ROTS;
    CHECK_IS(strait_lock_read_step(&a), -ENOTRECOVERABLE);
    lock.word = GHOST | DIED;
    CHECK_IS(strait_lock_read_step(&a), 1);
}

static void the_last_reader_raises_the_drained_word_for_a_waiting_writer(UNUSED_STATE)
{
    struct strait_lock lock = {0};
    struct strait_part a = part_of(&lock, A), b = a;
    uint32_t seen = 99, reader = 0;

    b.lease = B;
    CHECK_IS(strait_lock_read_step(&a), 0);
    CHECK(strait_lock_take(&lock.word, B));
    CHECK_IS(strait_lock_drain(&b, &seen, &reader), 0);
    CHECK_IS(reader, A);
    CHECK_IS(seen, 0);
    CHECK_IS(lock.draining, B);
    strait_lock_read_leave(&a);
    CHECK_IS(lock.drained, 1);
    CHECK_IS(strait_lock_drain(&b, &seen, &reader), -EAGAIN);
    strait_lock_drained(&b);
    CHECK_IS(lock.draining, 0);
}

static void a_dead_reader_is_taken_out_and_its_writer_rung(UNUSED_STATE)
{
    struct strait_lock lock = {.word = B, .draining = B};
    struct strait_part b = part_of(&lock, B);

    cells[DEAD].count = 3;
    strait_lock_sweep(&b, DEAD, DIED);
    CHECK_IS(cells[DEAD].count, 0);
    CHECK_IS(lock.drained, 1);
    CHECK_IS(lock.draining, B);
    CHECK_IS(lock.word, B);
}

static void a_writer_that_died_draining_waits_no_longer(UNUSED_STATE)
{
    struct strait_lock lock = {.word = DEAD, .draining = DEAD};
    struct strait_part a = part_of(&lock, A);

    strait_lock_sweep(&a, DEAD, DIED);
    CHECK_IS(lock.draining, 0);
    CHECK_IS(strait_lock_read_step(&a), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_free_lock_is_taken_and_given_back_whole),
        TEST(every_state_of_the_word_has_its_answer),
        TEST(a_sleeper_marks_a_held_word_only),
        TEST(healing_is_for_the_owner),
        TEST(what_was_not_touched_goes_back_as_it_was),
        TEST(a_sweep_changes_the_dead_owners_word_only),
        TEST(a_healer_that_dies_leaves_the_data_suspect),
        TEST(the_owner_of_an_atomic_region_leaves_nothing_suspect),
        TEST(readers_count_themselves_at_their_own_cell),
        TEST(a_reader_steps_back_for_a_writer),
        TEST(the_last_reader_raises_the_drained_word_for_a_waiting_writer),
        TEST(a_dead_reader_is_taken_out_and_its_writer_rung),
        TEST(a_writer_that_died_draining_waits_no_longer),
    };
    return RUN(tests);
}
