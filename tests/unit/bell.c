/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "strait/bell.h"

static uint32_t sleepers(const struct strait_bell *bell)
{
    return strait_bell_count(__atomic_load_n(&bell->sleepers, __ATOMIC_RELAXED));
}

static uint32_t marks(const struct strait_bell *bell)
{
    return strait_bell_woken(bell->sleepers);
}

static uint32_t mode_of(const struct strait_bell *bell)
{
    return bell->mode & STRAIT_BELL_MODE_MASK;
}

static void entering_counts_in_and_leaving_counts_out(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket a, b;

    strait_bell_enter(&bell, &a, STRAIT_BELL_FENCE);
    strait_bell_enter(&bell, &b, STRAIT_BELL_FENCE);
    CHECK_IS(sleepers(&bell), 2);
    strait_bell_leave(&bell, &a);
    CHECK_IS(sleepers(&bell), 1);
    strait_bell_leave(&bell, &b);
    CHECK_IS(sleepers(&bell), 0);
}

static void a_ring_without_sleepers_does_not_touch_the_word(UNUSED_STATE)
{
    struct strait_bell bell = {.seq = 41};

    strait_bell_ring(&bell, 1, true);
    CHECK_IS(bell.seq, 41);
}

static void a_ring_between_look_and_sleep_is_not_lost(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    strait_bell_ring(&bell, 1, true);
    CHECK_IS(strait_bell_sleep(&bell, &ticket, STRAIT_FOREVER), -EAGAIN);
    strait_bell_leave(&bell, &ticket);
}

static void an_unrung_sleep_ends_with_its_bound_and_is_counted(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    CHECK_IS(strait_bell_sleep(&bell, &ticket, strait_after_ns(MS)), -ETIMEDOUT);
    CHECK_IS(bell.sleeps, 1);
    strait_bell_leave(&bell, &ticket);
}

static void nobody_is_woken_twice(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket a, b;

    strait_bell_enter(&bell, &a, STRAIT_BELL_FENCE);
    strait_bell_enter(&bell, &b, STRAIT_BELL_FENCE);
    CHECK(strait_bell_asleep(&bell));
    strait_bell_ring(&bell, 1, true);
    CHECK_IS(bell.seq, 1);
    CHECK_IS(marks(&bell), 1);
    CHECK(strait_bell_asleep(&bell));
    strait_bell_ring(&bell, 5, true);
    CHECK_IS(marks(&bell), 2); /* two were left, though five could have been */
    CHECK(!strait_bell_asleep(&bell));
    strait_bell_ring(&bell, 1, true);
    CHECK_IS(bell.seq, 2); /* both are on their way */
    strait_bell_leave(&bell, &a);
    CHECK_IS(marks(&bell), 1);
    strait_bell_leave(&bell, &b);
    CHECK_IS(marks(&bell), 0);
    CHECK_IS(sleepers(&bell), 0);
}

static void who_enters_after_a_wake_is_not_taken_for_woken(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket a, b;

    strait_bell_enter(&bell, &a, STRAIT_BELL_FENCE);
    strait_bell_wake(&bell, 1);
    strait_bell_enter(&bell, &b, STRAIT_BELL_FENCE);
    CHECK(strait_bell_asleep(&bell));
    strait_bell_leave(&bell, &a);
    CHECK(strait_bell_asleep(&bell));
    CHECK_IS(marks(&bell), 0);
    strait_bell_leave(&bell, &b);
}

static void waking_all_wakes_also_the_woken(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket a;

    strait_bell_enter(&bell, &a, STRAIT_BELL_FENCE);
    strait_bell_wake(&bell, 1);
    CHECK_IS(bell.seq, 1);
    strait_bell_wake_all(&bell);
    CHECK(bell.seq > 1);
    strait_bell_leave(&bell, &a);
}

static void a_sweep_starts_a_new_count_that_the_old_ones_do_not_leave(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket old, young;

    strait_bell_enter(&bell, &old, STRAIT_BELL_FENCE);
    strait_bell_sweep(&bell);
    CHECK_IS(sleepers(&bell), 0);
    strait_bell_enter(&bell, &young, STRAIT_BELL_FENCE);
    strait_bell_leave(&bell, &old);
    CHECK_IS(sleepers(&bell), 1);
    strait_bell_leave(&bell, &young);
    CHECK_IS(sleepers(&bell), 0);
}

static void a_sweep_wakes_those_who_were_about_to_sleep(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    strait_bell_sweep(&bell);
    CHECK_IS(strait_bell_sleep(&bell, &ticket, STRAIT_FOREVER), -EAGAIN);
}

static void leaving_an_empty_count_leaves_it_empty(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    bell.sleepers = 0; /* a peer's lie */
    strait_bell_leave(&bell, &ticket);
    CHECK_IS(bell.sleepers, 0);
}

static void an_epoch_wraps_without_carrying_into_the_count(UNUSED_STATE)
{
    struct strait_bell bell = {.sleepers = UINT64_C(0xFFFFFFFF00000005)};

    strait_bell_sweep(&bell);
    CHECK_IS(bell.sleepers, 0);
}

static void a_sleeper_brings_the_bell_to_the_mode_it_wants(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_ASYM);
    CHECK_IS(mode_of(&bell), STRAIT_BELL_ASYM);
    strait_bell_leave(&bell, &ticket);
    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    CHECK_IS(mode_of(&bell), STRAIT_BELL_FENCE);
    strait_bell_leave(&bell, &ticket);
}

static void every_change_of_mode_is_a_new_generation(UNUSED_STATE)
{
    struct strait_bell bell = {0};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_ASYM);
    strait_bell_enter(&bell, &ticket, STRAIT_BELL_ASYM);
    CHECK_IS(bell.mode >> 2, 1);
    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    CHECK_IS(bell.mode >> 2, 3); /* by way of SWITCHING */
}

static void a_switch_left_half_way_is_finished_by_the_next_sleeper(UNUSED_STATE)
{
    struct strait_bell bell = {.mode = 8 | STRAIT_BELL_SWITCHING};
    struct strait_bell_ticket ticket;

    strait_bell_enter(&bell, &ticket, STRAIT_BELL_FENCE);
    CHECK_IS(mode_of(&bell), STRAIT_BELL_FENCE);
    CHECK_IS(bell.mode >> 2, 3);
}

struct stage {
    struct strait_bell bell;
    gate news;
};

static void sleep_until_news(void *arg)
{
    struct stage *stage = arg;
    struct strait_bell_ticket ticket;

    while (!gate_is_open(&stage->news)) {
        strait_bell_enter(&stage->bell, &ticket, STRAIT_BELL_FENCE);
        if (!gate_is_open(&stage->news))
            CHECK(strait_bell_sleep(&stage->bell, &ticket, soon()) != -ETIMEDOUT);
        strait_bell_leave(&stage->bell, &ticket);
    }
}

static void a_ring_wakes_a_sleeper_of_another_process(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid = peer_start(sleep_until_news, stage);

    peer_await_sleep(pid);
    __atomic_store_n(&stage->news, 1, __ATOMIC_RELEASE);
    strait_bell_ring(&stage->bell, 1, true);
    peer_join(pid);
    CHECK_IS(sleepers(&stage->bell), 0);
    shared_free(stage, sizeof *stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entering_counts_in_and_leaving_counts_out),
        TEST(a_ring_without_sleepers_does_not_touch_the_word),
        TEST(a_ring_between_look_and_sleep_is_not_lost),
        TEST(an_unrung_sleep_ends_with_its_bound_and_is_counted),
        TEST(nobody_is_woken_twice),
        TEST(who_enters_after_a_wake_is_not_taken_for_woken),
        TEST(waking_all_wakes_also_the_woken),
        TEST(a_sweep_starts_a_new_count_that_the_old_ones_do_not_leave),
        TEST(a_sweep_wakes_those_who_were_about_to_sleep),
        TEST(leaving_an_empty_count_leaves_it_empty),
        TEST(an_epoch_wraps_without_carrying_into_the_count),
        TEST(a_sleeper_brings_the_bell_to_the_mode_it_wants),
        TEST(every_change_of_mode_is_a_new_generation),
        TEST(a_switch_left_half_way_is_finished_by_the_next_sleeper),
        TEST(a_ring_wakes_a_sleeper_of_another_process),
    };
    return RUN(tests);
}
