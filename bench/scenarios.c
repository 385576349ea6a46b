/* SPDX-License-Identifier: MIT */
/* What can be measured, in the order of a full run. A new scenario is one file and one word here. */
#include "bench.h"

/* it cannot make up its mind about this list */
/* clang-format off */
#define BENCH_EACH_SCENARIO(X)                                                                     \
    X(numa) X(numa_stream)                                                                         \
    X(region) X(region_hot) X(region_mild) X(snapshot) X(counter) X(counter_shared)                \
    X(roundtrip) X(stream) X(watched) X(large) X(fanin) X(fanout) X(wake) X(idle) X(idle_quiet) X(sealed)     \
    X(recover) X(recover_quiet) X(spawn) X(ready) X(pending) X(pool) X(bridge) X(fetch)                      \
    X(fetch_cpu) X(fetch_body) X(fetch_memory)
/* clang-format on */

#define DECLARE(symbol) extern const struct bench_scenario bench_scenario_##symbol;
#define NAME(symbol)    &bench_scenario_##symbol,

BENCH_EACH_SCENARIO(DECLARE)

const struct bench_scenario *const bench_scenarios[] = {BENCH_EACH_SCENARIO(NAME) NULL};
