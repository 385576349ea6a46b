/* SPDX-License-Identifier: MIT */
/* examples/pool.c under the testing kit: supervisor, workers that are killed, callers; and no name anywhere. */
#include <strait/testing.h>

int pool_main(void);
#define main pool_main
#include "../../examples/pool.c"
#undef main

#include "unit.h"

static void a_caller_tries_again_after_a_timeout(UNUSED_STATE)
{
    strait_testing_reset();
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_REQUEST, 50, STRAIT_TESTING_TIMEOUT), 0);
    assert_int_equal(pool_main(), 0);
    assert_true(strait_testing_calls(STRAIT_TESTING_REQUEST) >= 101); /* 100, and the one that timed out */
    assert_int_equal(strait_testing_reset(), 0);
    assert_int_not_equal(access("/dev/shm/strait.pool", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_caller_tries_again_after_a_timeout)};
    return RUN(tests);
}
