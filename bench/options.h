/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench.h"

#define BENCH_SIZES      16
#define BENCH_MOST_BYTES (16u << 20) /* of a message: what the harness is willing to hold depth times */

struct bench_options {
    const struct bench_scenario *scenarios[32];
    unsigned scenarios_n;
    size_t sizes[BENCH_SIZES];
    unsigned sizes_n;  /* 0 = each scenario's own */
    unsigned depth;    /* 0 = default */
    const char *peers; /* comma list of name prefixes, NULL = all */
    unsigned rounds;   /* 0 = the default of quick or full */
    const char *json, *plot;
    bool check, quick;
    char command[256]; /* as typed, for the record */
};

/** 0; 1 = answered already (--help, --list), leave; -EINVAL = complained on stderr. */
int bench_options_read(struct bench_options *o, int argc, char **argv);

/** Is this peer wanted? Floors and ours always are. */
bool bench_options_wants(const struct bench_options *o, const struct bench_peer *peer);

#endif
