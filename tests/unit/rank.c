/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <strait/strait.h>

#define BYTES (&(struct strait_region_options){.bytes = 8})

static struct strait_segment *segment;
static struct strait_region *first, *second, *third; /* in the order of their ranks */

static int setup(void **state)
{
    if (place_setup(state) != 0)
        return 1;
    strait_region_check_ranks(true);
    CHECK_IS(strait_attach("rank", NULL, &segment), 0);
    CHECK_IS(strait_region_open(segment, "first", BYTES, &first), 0);
    CHECK_IS(strait_region_open(segment, "second", BYTES, &second), 0);
    CHECK_IS(strait_region_open(segment, "third", BYTES, &third), 0);
    return 0;
}

static int teardown(void **state)
{
    strait_region_close(first);
    strait_region_close(second);
    strait_region_close(third);
    strait_detach(segment);
    return place_teardown(state);
}

#define TEST_RANK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void an_inversion_that_has_not_deadlocked_is_reported_by_both_names(UNUSED_STATE)
{
    CHECK_IS(strait_region_lock(second, soon()), 0);
    CHECK_IS(strait_region_lock(first, soon()), -EDEADLK);
    CHECK_SAYS("first");
    CHECK_SAYS("second");
    CHECK_IS(strait_region_lock(third, soon()), 0);
    CHECK_IS(strait_region_unlock(second), 0);
    CHECK_IS(strait_region_lock(first, soon()), -EDEADLK);
    CHECK_SAYS("third");
    CHECK_IS(strait_region_unlock(third), 0);
    CHECK_IS(strait_region_lock(first, soon()), 0);
}

static void ask_as_child(void *arg)
{
    struct strait_segment *mine;
    struct strait_region *r;

    (void)arg;
    CHECK_IS(strait_attach("rank", NULL, &mine), 0);
    CHECK_IS(strait_region_open(mine, "first", NULL, &r), 0);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    CHECK_IS(strait_region_unlock(r), 0);
}

static void a_forked_child_holds_nothing_of_its_parents(UNUSED_STATE)
{
    CHECK_IS(strait_region_lock(second, soon()), 0);
    peer_join(peer_start(ask_as_child, NULL));
    CHECK_IS(strait_region_lock(first, soon()), -EDEADLK);
}

static void a_try_cannot_deadlock(UNUSED_STATE)
{
    CHECK_IS(strait_region_lock(second, soon()), 0);
    CHECK_IS(strait_region_lock(first, STRAIT_NOW), 0);
}

static void the_same_lock_through_another_handle_is_reported(UNUSED_STATE)
{
    struct strait_region *again;

    CHECK_IS(strait_region_open(segment, "second", NULL, &again), 0);
    CHECK_IS(strait_region_lock(second, soon()), 0);
    CHECK_IS(strait_region_lock(again, soon()), -EDEADLK);
    CHECK_SAYS("another handle");
    strait_region_close(again);
}

static void all_are_locked_in_order_however_they_are_named(UNUSED_STATE)
{
    struct strait_region *odd[] = {third, first, second};

    CHECK_IS(strait_region_lock_all(odd, 3, soon()), 0);
    CHECK_IS(strait_region_lock(first, soon()), -EDEADLK);
    CHECK_IS(strait_region_unlock_all(odd, 3), 0);
    CHECK_IS(strait_region_lock_all(odd, 0, soon()), 0);
    CHECK_IS(strait_region_lock_all((struct strait_region *[]){first, second, first}, 3, soon()), -EINVAL);
    CHECK_SAYS("twice");
    CHECK_IS(strait_region_lock(first, soon()), 0);
}

static void all_or_none(UNUSED_STATE)
{
    struct strait_region *all[] = {first, second, third}, *other;

    CHECK_IS(strait_region_open(segment, "third", NULL, &other), 0);
    CHECK_IS(strait_region_lock(other, STRAIT_NOW), 0);
    CHECK_IS(strait_region_lock_all(all, 3, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_unlock(other), 0);
    CHECK_IS(strait_region_lock_all(all, 3, STRAIT_NOW), 0);
    CHECK_IS(strait_region_unlock_all(all, 3), 0);
    CHECK_IS(strait_region_unlock_all(all, 3), -EPERM);
    strait_region_close(other);
}

static void lock_and_hold(void *arg)
{
    struct strait_region *r;

    CHECK_IS(strait_attach("rank", NULL, &segment), 0);
    CHECK_IS(strait_region_open(segment, "first", NULL, &r), 0);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    gate_open(arg);
    gate_wait((gate *)arg + 1);
}

static void what_was_suspect_stays_so_when_not_all_can_be_had(UNUSED_STATE)
{
    struct strait_region *all[] = {first, second}, *other;
    gate *gates = shared_new(2 * sizeof *gates);
    pid_t pid = peer_start(lock_and_hold, gates);

    gate_wait(gates);
    peer_kill(pid);
    CHECK_IS(strait_region_open(segment, "second", NULL, &other), 0);
    CHECK_IS(strait_region_lock(other, soon()), 0);
    strait_sweep_dead(segment);
    CHECK_IS(strait_region_lock_all(all, 2, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_unlock(other), 0);
    CHECK_IS(strait_region_lock_all(all, 2, soon()), 1);
    CHECK_IS(strait_region_suspect(first), 1);
    CHECK_IS(strait_region_suspect(second), 0);
    strait_region_close(other);
    shared_free(gates, 2 * sizeof *gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_RANK(an_inversion_that_has_not_deadlocked_is_reported_by_both_names),
        TEST_RANK(a_forked_child_holds_nothing_of_its_parents),
        TEST_RANK(a_try_cannot_deadlock),
        TEST_RANK(the_same_lock_through_another_handle_is_reported),
        TEST_RANK(all_are_locked_in_order_however_they_are_named),
        TEST_RANK(all_or_none),
        TEST_RANK(what_was_suspect_stays_so_when_not_all_can_be_had),
    };
    return RUN(tests);
}
