/* SPDX-License-Identifier: MIT */
/** What each file of this folder begins with: cmocka, a place for segments, other processes, CHECK. */
#ifndef STRAIT_TESTS_UNIT_H
#define STRAIT_TESTS_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "place.h"

/** A test that needs nothing, and one that gets a fresh place. A test's name is the behaviour that it states. */
#define TEST(name)       cmocka_unit_test(name)
#define TEST_PLACE(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
#define RUN(tests)       cmocka_run_group_tests(tests, NULL, NULL)

/** cmocka hands every test its state; ours keep none. */
#define UNUSED_STATE __attribute__((unused)) void **state

/** The last sentence of the library has this in it. */
#define CHECK_SAYS(text) CHECK(strstr(strait_error(), text) != NULL)

#define MS UINT64_C(1000000)

#endif
