/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "lease.h"

static const struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 16, .mode = 0600};

static void make(struct strait_segment_map *map)
{
    CHECK_IS(strait_segment_build(map, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_publish(map), 0);
}

static void open_again(struct strait_segment_map *map)
{
    struct strait_misfit misfit;
    CHECK_IS(strait_segment_open(map, place_path("strait.x"), true, false, &misfit), 0);
}

static void leases_count_from_1_and_name_their_process(UNUSED_STATE)
{
    struct strait_segment_map map;
    struct strait_lease_cell *cell;

    make(&map);
    CHECK_IS(strait_lease_take(&map), 1);
    CHECK_IS(map.lease, 1);
    cell = strait_segment_lease(&map, 1);
    CHECK_IS(cell->state, STRAIT_LEASE_USED);
    CHECK_IS(cell->pid, getpid());
    CHECK_IS(cell->generation, 1);
    CHECK(cell->started != 0 && cell->pid_ns != 0 && cell->joined_ns != 0);
    CHECK(strlen(cell->program) > 0 && strchr(cell->program, '\n') == NULL);
    strait_segment_close(&map);
}

static void a_holder_asked_by_itself_is_alive(UNUSED_STATE)
{
    struct strait_segment_map map;

    make(&map);
    CHECK_IS(strait_lease_alive(&map, 1), 0);
    CHECK_IS(strait_lease_take(&map), 1);
    CHECK_IS(strait_lease_alive(&map, 1), 1);
    CHECK(!strait_lease_dead(&map, 1));
    strait_segment_close(&map);
}

static void a_lease_given_back_is_free_and_its_next_use_is_another_generation(UNUSED_STATE)
{
    struct strait_segment_map map;

    make(&map);
    CHECK_IS(strait_lease_take(&map), 1);
    strait_lease_give(&map);
    CHECK_IS(map.lease, 0);
    CHECK_IS(strait_lease_alive(&map, 1), 0);
    CHECK(!strait_lease_dead(&map, 1)); /* free, not dead */
    strait_lease_give(&map);            /* nothing to give: nothing happens */
    CHECK_IS(strait_lease_take(&map), 1);
    CHECK_IS(strait_segment_lease(&map, 1)->generation, 2);
    strait_segment_close(&map);
}

static void an_unswept_lease_is_not_handed_out_again(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    make(&a);
    open_again(&b);
    CHECK_IS(strait_lease_take(&a), 1);
    strait_segment_close(&a); /* as the dead leave */
    CHECK(strait_lease_dead(&b, 1));
    CHECK_IS(strait_lease_next_dead(&b, 1), 1);
    CHECK_IS(strait_lease_next_dead(&b, 2), 0);
    CHECK_IS(strait_lease_take(&b), 2);
    strait_lease_buried(&b, 1);
    CHECK_IS(strait_lease_next_dead(&b, 0), 0);
    strait_segment_close(&b);
}

static void a_byte_locked_by_a_stranger_is_passed_over(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    make(&a);
    open_again(&b);
    CHECK_IS(strait_lease_take(&a), 1);
    strait_segment_lease(&a, 1)->state = STRAIT_LEASE_FREE; /* locked, not in the table yet */
    CHECK_IS(strait_lease_take(&b), 2);
    strait_segment_close(&a);
    strait_segment_close(&b);
}

static void when_all_511_are_taken_the_next_gets_eagain(UNUSED_STATE)
{
    struct strait_segment_map map;

    make(&map);
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        strait_segment_lease(&map, i)->state = STRAIT_LEASE_USED;
    CHECK_IS(strait_lease_take(&map), -EAGAIN);
    CHECK_IS(map.lease, 0);
    CHECK_IS(strait_lease_next_dead(&map, STRAIT_LEASES - 1), STRAIT_LEASES - 1);
    strait_segment_close(&map);
}

/* ---- what keeps it and what does not ---- */

struct stage {
    gate in, out;
    uint32_t lease;
};

static void take_and_close_descriptors(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment_map map;

    open_again(&map);
    stage->lease = (uint32_t)strait_lease_take(&map);
    syscall(SYS_close_range, 3, ~0U, 0); /* closefrom(3) */
    gate_open(&stage->in);
    gate_wait(&stage->out);
}

static void closing_every_descriptor_keeps_the_lease_and_death_ends_it(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_segment_map map;
    pid_t pid;

    make(&map);
    pid = peer_start(take_and_close_descriptors, stage);
    gate_wait(&stage->in);
    CHECK_IS(stage->lease, 1);
    CHECK_IS(strait_lease_alive(&map, 1), 1);
    peer_kill(pid);
    CHECK_IS(strait_lease_alive(&map, 1), 0);
    CHECK(strait_lease_dead(&map, 1));
    strait_segment_close(&map);
    shared_free(stage, sizeof *stage);
}

static void fork_and_wait(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment_map map;

    open_again(&map);
    stage->lease = (uint32_t)strait_lease_take(&map);
    if (syscall(SYS_fork) == 0) { /* raw: no handler of ours runs */
        gate_open(&stage->in);
        gate_wait(&stage->out);
        _exit(0);
    }
    gate_wait(&stage->in);
}

static void a_forked_child_does_not_keep_its_parents_lease(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_segment_map map;

    make(&map);
    peer_join(peer_start(fork_and_wait, stage)); /* dead; its child lives */
    CHECK_IS(stage->lease, 1);
    CHECK_IS(strait_lease_alive(&map, 1), 0);
    gate_open(&stage->out);
    strait_segment_close(&map);
    shared_free(stage, sizeof *stage);
}

/* ---- sets ---- */

static void sets_hold_exactly_what_was_put_in(UNUSED_STATE)
{
    struct strait_set set = {{0}};
    const uint32_t some[] = {1, 63, 64, 65, 255, 511};

    for (size_t i = 0; i < 6; i++) {
        CHECK(!strait_set_has(&set, some[i]));
        strait_set_add(&set, some[i]);
        strait_set_add(&set, some[i]);
        CHECK_IS(strait_set_count(&set), i + 1);
    }
    for (uint32_t i = 0, n = 0; i < STRAIT_LEASES; i++) {
        bool in = n < 6 && some[n] == i;
        n += in;
        CHECK_IS(strait_set_has(&set, i), in);
    }
    strait_set_remove(&set, 64);
    strait_set_remove(&set, 64);
    CHECK(!strait_set_has(&set, 64) && strait_set_has(&set, 65));
    CHECK_IS(strait_set_count(&set), 5);
}

static void a_lease_that_cannot_be_stays_inside_the_set(UNUSED_STATE)
{
    struct {
        struct strait_set set;
        uint64_t beyond;
    } s = {{{0}}, 0};

    strait_set_add(&s.set, STRAIT_LEASE_ORPHAN);
    CHECK_IS(s.beyond, 0);
    CHECK_IS(strait_set_count(&s.set), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(leases_count_from_1_and_name_their_process),
        TEST_PLACE(a_holder_asked_by_itself_is_alive),
        TEST_PLACE(a_lease_given_back_is_free_and_its_next_use_is_another_generation),
        TEST_PLACE(an_unswept_lease_is_not_handed_out_again),
        TEST_PLACE(a_byte_locked_by_a_stranger_is_passed_over),
        TEST_PLACE(when_all_511_are_taken_the_next_gets_eagain),
        TEST_PLACE(closing_every_descriptor_keeps_the_lease_and_death_ends_it),
        TEST_PLACE(a_forked_child_does_not_keep_its_parents_lease),
        TEST(sets_hold_exactly_what_was_put_in),
        TEST(a_lease_that_cannot_be_stays_inside_the_set),
    };
    return RUN(tests);
}
