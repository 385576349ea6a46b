/* SPDX-License-Identifier: MIT */
/* examples/crash.c under the testing kit: its producer alone, with both ends in this process, and the whole of it. */
#include <strait/testing.h>

int crash_main(void);
#define main crash_main
#include "../../examples/crash.c"
#undef main

#include <errno.h>

#include "unit.h"

static int fresh(UNUSED_STATE)
{
    strait_testing_reset();
    strait_testing_forget_segments();
    return 0;
}

static void a_producer_sends_one_message(UNUSED_STATE)
{
    struct strait_segment *segment;
    struct strait_rx *rx;
    char text[48];

    assert_int_equal(strait_attach("crash", NULL, &segment), 0);
    assert_int_equal(strait_rx_open(segment, "news", NULL, &rx), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_SEND, 2, STRAIT_TESTING_CLOSED), 0);
    assert_int_equal(produce("one", 0), 0);
    assert_int_equal(produce("lost", 0), 0); /* it does not look at what send says */
    assert_int_equal(produce("three", 0), 0);
    assert_true(strait_recv(rx, text, sizeof text, STRAIT_NOW) > 0);
    assert_string_equal(text, "one");
    assert_true(strait_recv(rx, text, sizeof text, STRAIT_NOW) > 0);
    assert_string_equal(text, "three");
    assert_int_equal(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EPIPE);
    strait_rx_close(rx);
    strait_detach(segment);
}

static void a_producer_that_cannot_attach_says_so(UNUSED_STATE)
{
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_ATTACH, 1, STRAIT_TESTING_FULL), 0);
    assert_int_equal(produce("x", 0), 1);
}

static void the_whole_of_it_leaves_no_file(UNUSED_STATE)
{
    assert_int_equal(crash_main(), 0);
    assert_int_not_equal(access("/dev/shm/strait.crash", F_OK), 0);
    assert_int_equal(strait_testing_forget_segments(), 0); /* it has removed its own */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_producer_sends_one_message, fresh),
        cmocka_unit_test_setup(a_producer_that_cannot_attach_says_so, fresh),
        cmocka_unit_test_setup(the_whole_of_it_leaves_no_file, fresh),
    };
    return RUN(tests);
}
