/* SPDX-License-Identifier: MIT */
/** What the two halves of the testing kit share. */
#ifndef STRAIT_LIB_TESTING_H
#define STRAIT_LIB_TESTING_H

#include "strait/testing.h"

/** Count a call; the fault that is to happen to it, or 0. */
enum strait_testing_fault testing_count(enum strait_testing_call call);

/** Count a call; what it is to answer instead of being made, or 0. The clock goes on where it is to have waited. */
int testing_fault(enum strait_testing_call call, uint64_t deadline_ns);

/** Real time until which to wait before looking again; *last: then the deadline has come. */
uint64_t testing_slice(uint64_t deadline_ns, bool *last);

/** A deadline of the test's clock in real time. */
uint64_t testing_real(uint64_t deadline_ns);

/** Lock the region in a process that is killed then. 0 or -errno. */
int testing_die_inside(struct strait_region *region);

#endif
