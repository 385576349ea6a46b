/* SPDX-License-Identifier: MIT */
/* examples/config.c under the testing kit: what its writer does when the lock is not to be had, or its predecessor died. */
#include <strait/testing.h>

int config_main(int argc, char **argv);
#define main config_main
#include "../../examples/config.c"
#undef main

#include <errno.h>

#include "unit.h"

static struct strait_segment *segment;
static struct strait_region *region;

static int open_region(UNUSED_STATE)
{
    struct strait_region_options options = {.bytes = sizeof(struct config), .atomic = true};

    strait_testing_reset();
    return strait_attach("example-config", NULL, &segment) || strait_region_open(segment, "config", &options, &region);
}

static int close_region(UNUSED_STATE)
{
    strait_region_close(region);
    strait_detach(segment);
    return strait_segment_remove("example-config", NULL) != 1;
}

static uint64_t version(void)
{
    struct config now;
    assert_int_equal(strait_region_snapshot(region, &now, sizeof now, STRAIT_NOW), 0);
    return now.version;
}

static void a_lock_that_fails_changes_nothing(UNUSED_STATE)
{
    assert_int_equal(set(region, "one"), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_LOCK, 1, STRAIT_TESTING_TIMEOUT), 0);
    assert_int_equal(set(region, "two"), -1);
    assert_int_equal(version(), 1);
}

/* Nobody is told of a death inside an atomic region: the old state stands, and the next writer goes on. */
static void a_writer_follows_a_dead_one(UNUSED_STATE)
{
    assert_int_equal(set(region, "one"), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_LOCK, 1, STRAIT_TESTING_OWNER_DIED), 0);
    assert_int_equal(set(region, "two"), 0);
    assert_int_equal(version(), 2);
    assert_int_equal(strait_testing_reset(), 0);
}

static void the_program_runs_without_a_file(UNUSED_STATE)
{
    char *words[] = {"config", "set", "three", NULL};

    assert_int_equal(config_main(3, words), 0);
    assert_int_equal(version(), 1);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_ATTACH, 1, STRAIT_TESTING_FULL), 0);
    assert_int_equal(config_main(1, words), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lock_that_fails_changes_nothing, open_region, close_region),
        cmocka_unit_test_setup_teardown(a_writer_follows_a_dead_one, open_region, close_region),
        cmocka_unit_test_setup_teardown(the_program_runs_without_a_file, open_region, close_region),
    };
    return RUN(tests);
}
