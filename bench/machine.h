/* SPDX-License-Identifier: MIT */
/** The machine: which two CPUs, what they are called, and how near the bare line says they are. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <sched.h>

#include "bench.h"

struct bench_machine {
    char cpu_model[96];
    char kernel[96];
    unsigned cpus_n;   /* that this process may use */
    int cpus[2];       /* the pair that everything runs on */
    cpu_set_t allowed; /* as found at the start */
};

extern struct bench_machine bench_machine;

/** Reads it and picks two CPUs that are not two threads of one core, if it can. 0, or -ENODEV: fewer than two CPUs. */
int bench_machine_read(void);

/** Asks for this pair. 0, or -EINVAL: not two different CPUs that this process may use. */
int bench_machine_pair(int a, int b);

/** Binds the calling thread to the pair's CPU `i`, or to both with -1. */
void bench_machine_pin(int i);

const char *bench_place_name(enum bench_place place);

#endif
