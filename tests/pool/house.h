/* SPDX-License-Identifier: MIT */
/* A pool "work" in the segment "pool": its caller and its supervisor in one process, real worker processes beside it. */
#ifndef STRAIT_TEST_HOUSE_H
#define STRAIT_TEST_HOUSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <strait/strait.h>

#include "place.h"

#define SOON strait_after_ns(UINT64_C(20000000000)) /* long enough for any machine; every wait ends by an event */

/* What a task asks for is in its first byte. */
enum { ECHO = 'e', FAIL = 'f', DIE = 'd', DIE_ONCE = 'o', HANG = 'h', GROW = 'g', SILENT = 's' };
enum { CPU = 'c', WANTED = 'w' }; /* the CPUs that it may run on; until nobody wants it */

/* What workers tell the test beside their answers. Shared with them. */
struct house_notes {
    int working;  /* a WANTED task is under way */
    int unwanted; /* why it ended: -errno */
};
extern struct house_notes *house_notes;

struct house {
    struct strait_segment *segment;
    struct strait_pool *pool;
    struct strait_loop *loop;
    struct strait_supervisor *supervisor;
    uint32_t seen[STRAIT_WORKER_GIVEN_UP + 1];
};

int house_serve(uint32_t worker, void *context);

/* It dies with a lease. */
int house_never_starts(uint32_t worker, void *context);

uint32_t house_leases(const struct house *h);

void house_open(struct house *h, struct strait_supervisor_options options);

void house_close(struct house *h);

/* Run the loop until the supervisor has told `n` events of that kind. */
void house_wait(struct house *h, enum strait_worker_event event, uint32_t n);

/* Submit, and let the supervisor live while we wait. */
int64_t house_ask(struct house *h, const char *what, char *answer, uint32_t size, uint64_t job_deadline_ns);

void house_until(const int *word, const struct house *h);

int house_setup(void **state);

/* main: the tests of a file. */
int house_run(const char *name, const struct CMUnitTest *tests, size_t n);

#define HOUSE(test) cmocka_unit_test_setup_teardown(test, house_setup, place_teardown)

#endif
