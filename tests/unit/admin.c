/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "admin.h"

static const struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 16, .mode = 0600};

static void make(struct strait_segment_map *map)
{
    CHECK_IS(strait_segment_build(map, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_publish(map), 0);
}

static void open_again(struct strait_segment_map *map, bool writable)
{
    struct strait_misfit misfit;
    CHECK_IS(strait_segment_open(map, place_path("strait.x"), writable, false, &misfit), 0);
}

static void the_section_can_be_entered_again_after_it_was_left(UNUSED_STATE)
{
    struct strait_segment_map map;

    make(&map);
    for (int i = 0; i < 3; i++) {
        CHECK_IS(strait_admin_enter(&map, STRAIT_NOW), 0);
        strait_admin_leave(&map);
    }
    strait_segment_close(&map);
}

static void a_second_description_is_kept_out(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    make(&a);
    open_again(&b, true);
    CHECK_IS(strait_admin_enter(&a, STRAIT_NOW), 0);
    CHECK_IS(strait_admin_enter(&b, STRAIT_NOW), -ETIMEDOUT);
    CHECK_IS(strait_admin_enter(&b, strait_after_ns(2 * MS)), -ETIMEDOUT);
    strait_admin_leave(&a);
    CHECK_IS(strait_admin_enter(&b, STRAIT_NOW), 0);
    strait_admin_leave(&b);
    strait_segment_close(&a);
    strait_segment_close(&b);
}

static void the_holder_is_seen_from_outside(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    make(&a);
    open_again(&b, false);
    CHECK_IS(strait_admin_holder(&b), 0);
    CHECK_IS(strait_admin_enter(&a, STRAIT_NOW), 0);
    CHECK_IS(strait_admin_holder(&b), -1); /* an OFD lock has no pid */
    strait_admin_leave(&a);
    CHECK_IS(strait_admin_holder(&b), 0);
    strait_segment_close(&a);
    strait_segment_close(&b);
}

static void a_read_only_mapping_administers_nothing(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    make(&a);
    open_again(&b, false);
    CHECK_IS(strait_admin_enter(&b, STRAIT_NOW), -EACCES);
    strait_segment_close(&a);
    strait_segment_close(&b);
}

static void a_gone_descriptor_and_a_gone_name_end_in_an_error_not_in_the_wrong_file(UNUSED_STATE)
{
    struct strait_segment_map a;

    make(&a);
    unlink(place_path("strait.x"));
    close(a.fd);
    CHECK(strait_admin_enter(&a, STRAIT_NOW) < 0);
    a.fd = -1;
    strait_segment_close(&a);
}

struct stage {
    gate in, out;
};

static void hold_the_section(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment_map map;

    open_again(&map, true);
    CHECK_IS(strait_admin_enter(&map, STRAIT_NOW), 0);
    gate_open(&stage->in);
    gate_wait(&stage->out);
}

static void a_stopped_holder_costs_the_deadline_and_no_more(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_segment_map map;
    pid_t pid;

    make(&map);
    pid = peer_start(hold_the_section, stage);
    gate_wait(&stage->in);
    peer_stop(pid);
    CHECK_IS(strait_admin_enter(&map, strait_after_ns(20 * MS)), -ETIMEDOUT);
    CHECK_IS(map.admin, 0);
    peer_kill(pid);
    strait_segment_close(&map);
    shared_free(stage, sizeof *stage);
}

static void a_killed_holder_has_left_the_section(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_segment_map map;
    pid_t pid;

    make(&map);
    pid = peer_start(hold_the_section, stage);
    gate_wait(&stage->in);
    peer_kill(pid);
    CHECK_IS(strait_admin_enter(&map, soon()), 0);
    strait_admin_leave(&map);
    strait_segment_close(&map);
    shared_free(stage, sizeof *stage);
}

/* ---- threads, which OFD locks do not exclude ---- */

struct crowd {
    struct strait_segment_map map;
    uint32_t inside, rounds;
};

static void *in_and_out(void *arg)
{
    struct crowd *c = arg;

    for (uint32_t i = 0; i < c->rounds; i++) {
        CHECK_IS(strait_admin_enter(&c->map, soon()), 0);
        CHECK_IS(__atomic_add_fetch(&c->inside, 1, __ATOMIC_SEQ_CST), 1);
        CHECK_IS(__atomic_sub_fetch(&c->inside, 1, __ATOMIC_SEQ_CST), 0);
        strait_admin_leave(&c->map);
    }
    return NULL;
}

static void threads_of_one_process_exclude_each_other(UNUSED_STATE)
{
    struct crowd c = {.rounds = test_rounds(2000)};
    pthread_t thread[3];

    make(&c.map);
    for (int i = 0; i < 3; i++)
        CHECK_IS(pthread_create(&thread[i], NULL, in_and_out, &c), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    CHECK_IS(c.map.admin, 0);
    strait_segment_close(&c.map);
}

static void a_thread_waits_no_longer_than_its_deadline(UNUSED_STATE)
{
    struct strait_segment_map map;

    make(&map);
    strait_admin_hold_threads(&map);
    CHECK_IS(strait_admin_enter(&map, strait_after_ns(2 * MS)), -ETIMEDOUT);
    strait_admin_release_threads(&map);
    CHECK_IS(strait_admin_enter(&map, STRAIT_NOW), 0);
    strait_admin_leave(&map);
    strait_segment_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(the_section_can_be_entered_again_after_it_was_left),
        TEST_PLACE(a_second_description_is_kept_out),
        TEST_PLACE(the_holder_is_seen_from_outside),
        TEST_PLACE(a_read_only_mapping_administers_nothing),
        TEST_PLACE(a_gone_descriptor_and_a_gone_name_end_in_an_error_not_in_the_wrong_file),
        TEST_PLACE(a_stopped_holder_costs_the_deadline_and_no_more),
        TEST_PLACE(a_killed_holder_has_left_the_section),
        TEST_PLACE(threads_of_one_process_exclude_each_other),
        TEST_PLACE(a_thread_waits_no_longer_than_its_deadline),
    };
    return RUN(tests);
}
