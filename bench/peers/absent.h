/* SPDX-License-Identifier: MIT */
/** A peer whose package was not there at build time still has a row, which says so. */
#ifndef BENCH_ABSENT_H
#define BENCH_ABSENT_H

#include "../bench.h"

#define BENCH_ABSENT_PEER(symbol, its_name, plays, package)                                                            \
    const struct bench_peer bench_peer_##symbol = {                                                                    \
        .name = its_name, .what = "(absent)", .flags = (plays), .absent = package}

#endif
