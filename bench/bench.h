/* SPDX-License-Identifier: MIT */
/**
 * What the harness, its scenarios and its competitors say to each other.
 *
 *   scenario    what is measured (roundtrip, stream, …): one file in scenarios/, one struct bench_scenario
 *   case        one setting of a scenario: a size, a depth, which competitors
 *   peer        a competitor: a floor, somebody else's transport, or ours; one struct bench_peer
 *   run         one peer in one case: its shared memory, its worker processes, its pieces
 *   piece       ~15 ms of a run, between two probes of the bare line
 *
 * All runs of a case live at the same time and their pieces alternate, so that each of them meets the machine in
 * all its moods.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"

#define BENCH_LINE    64
#define BENCH_WORKERS 72    /* processes of one run, at most (idle has 64 receivers) */
#define BENCH_SAMPLES 16384 /* single timings kept of one piece */
#define BENCH_BLOCKS  4096  /* block timings kept of one piece */
#define BENCH_PIECES  1024  /* pieces of one run, at most */
#define BENCH_WORDS   160   /* of a sentence that says why something did not run */
#define BENCH_BATCH   32    /* messages of one batch */

/* ---- where two CPUs are to each other, seen by the bare line ---- */

enum bench_place { BENCH_CORE, BENCH_NEAR, BENCH_FAR, BENCH_MIXED, BENCH_PLACES };

/* ---- peers ---- */

enum bench_peer_flags {
    /* who it is */
    BENCH_FLOOR = 1 << 0, /* bare hardware or our own reference: not a product that one could use instead */
    BENCH_OURS = 1 << 1,
    /* what it can do */
    BENCH_MANY = 1 << 2,      /* many producers and many consumers may share it */
    BENCH_SLEEPS = 1 << 3,    /* its waits end in a sleep; others spin */
    BENCH_BATCHES = 1 << 4,   /* moves BENCH_BATCH messages by one call; holds messages back to do so */
    BENCH_UNTOUCHED = 1 << 5, /* does not write and read every byte of the payload; the table says so */
    /* where it takes part */
    BENCH_ROUNDTRIP = 1 << 8,
    BENCH_STREAM = 1 << 9,
    BENCH_FANIN = 1 << 10,
    BENCH_FANOUT = 1 << 11,
    BENCH_WAKE = 1 << 12,
    BENCH_IDLE = 1 << 13,
    BENCH_LARGE = 1 << 14,
    BENCH_SEALED = 1 << 15, /* runs under strict seccomp: no system call at all */
    BENCH_RECOVER = 1 << 16,
    BENCH_OTHER = 1 << 17, /* a scenario's own peers (region, counter, …) */
};

struct bench_run;
struct bench_worker;

struct bench_peer {
    const char *name;
    const char *what; /* one line, for --list */
    unsigned flags;
    size_t most_bytes;  /* largest message, 0 = any */
    const char *absent; /* the Debian package that was not there at build time; NULL = built */

    /** Bytes of shared memory that the harness maps, zeroes and prefaults; NULL = none. */
    size_t (*shared_bytes)(const struct bench_run *run);
    /** In the harness, before the fork. 0, or -errno with run->why filled. NULL = nothing to do. */
    int (*setup)(struct bench_run *run);
    /** In each worker, after the fork: opens worker->tx and ->rx. 0 or -errno. */
    int (*enter)(struct bench_worker *worker);
    /** In the harness, when the workers have gone. NULL = nothing to do. */
    void (*teardown)(struct bench_run *run);

    /* pieces, in a worker; pieces.h makes them out of claim, commit, peek and release */
    void (*ping)(struct bench_worker *worker);
    void (*pong)(struct bench_worker *worker);
    void (*produce)(struct bench_worker *worker); /* one producer, one consumer: blocks */
    void (*consume)(struct bench_worker *worker);
    void (*produce_many)(struct bench_worker *worker); /* each message names its producer */
    void (*consume_many)(struct bench_worker *worker);
    void (*send_one)(struct bench_worker *worker, uint64_t word); /* a message whose first word is `word` */
    uint64_t (*recv_one)(struct bench_worker *worker);            /* waits; its first word */

    /** Whatever a scenario with its own peers runs (region, counter, …). */
    void (*work)(struct bench_worker *worker);
    const void *own; /* for a file with several peers: which one this is */
};

/** All competitors, floors first; ends with NULL. */
extern const struct bench_peer *const bench_peers[];

/* ---- runs ---- */

struct bench_shape {
    size_t bytes;   /* of a message */
    unsigned depth; /* slots of a ring */
    unsigned producers, consumers, channels;
};

/** What a worker says after a piece. In shared memory: the worker writes, the harness reads between pieces. */
struct bench_report {
    uint64_t messages;
    uint64_t start, end;            /* ticks */
    uint64_t cpu_ns;                /* of the whole process */
    uint64_t bad;                   /* not 0: a payload was wrong */
    double line_before, line_after; /* ns; worker 0 only */
    uint32_t pid;
    uint32_t samples_n, blocks_n;
    uint32_t samples[BENCH_SAMPLES]; /* ticks of one operation each */
    uint32_t blocks[BENCH_BLOCKS];   /* ticks of a block of operations, not timed one by one */
};

struct bench_piece {
    double value;  /* in the scenario's unit */
    double cpu;    /* CPU time ÷ wall time, all workers */
    double cpu_rx; /* likewise, the last worker: the receiver */
    double line;   /* ns, mean of the two probes */
    enum bench_place place;
};

enum bench_outcome { BENCH_FINE, BENCH_ABSENT, BENCH_NOT_RUN, BENCH_BROKEN };

struct bench_control;
struct bench_case;
struct bench_scenario;

struct bench_run {
    const struct bench_peer *peer;
    const struct bench_scenario *scenario;
    const struct bench_case *setting;
    struct bench_shape shape;
    void *shared;
    size_t shared_bytes;
    void *own;          /* what setup left for enter */
    unsigned depth;     /* what the peer really has, for the table; setup may change it */
    size_t state_bytes; /* likewise */
    enum bench_outcome outcome;
    char why[BENCH_WORDS];
    char note[48]; /* a figure beside the value, for the row's end; empty = none */
    double even;   /* contended locks: sum of how even the batches were */
    /* the harness's side of the workers */
    struct bench_control *control;
    unsigned workers;
    pid_t pids[BENCH_WORKERS];
    unsigned block; /* messages between two looks at the clock */
    bool time_all;
    /* results */
    unsigned pieces_n;
    struct bench_piece pieces[BENCH_PIECES];
    struct bench_histogram latency[BENCH_PLACES]; /* ns */
};

struct bench_worker {
    struct bench_run *run;
    struct bench_report *out;
    unsigned role;
    int tx_channel, rx_channel; /* -1 = none; the scenario says */
    void *tx, *rx;              /* the peer's ends, after enter */
    size_t bytes;
    unsigned block;       /* messages between two looks at the clock */
    unsigned stops;       /* produce_many: how many stop messages to send; consume_many: how many to wait for */
    bool time_all;        /* every operation is slow enough to be timed alone */
    uint64_t piece_ticks; /* how long a piece lasts */
    uint64_t blocks_left; /* produce: not 0 = so many blocks instead, and no look at the clock */
};

/* ---- scenarios ---- */

struct bench_case {
    size_t bytes;
    unsigned depth;                     /* 0 = what the size's default is */
    unsigned only;                      /* only peers that have all these flags */
    unsigned quick_pieces, full_pieces; /* 0 = the options' rounds */
};

enum bench_better { BENCH_LOWER, BENCH_HIGHER };

struct bench_scenario {
    const char *name;
    const char *what;
    const char *unit;
    enum bench_better better;
    unsigned takes;    /* the flag of the peers that take part */
    const char *floor; /* the row that ratios to the floor refer to */
    const struct bench_case *cases;
    unsigned cases_n;
    uint64_t piece_ns; /* 0 = 15 ms */
    unsigned producers, consumers, channels;
    bool crowded;                          /* more processes than CPUs: not pinned while a piece runs */
    const char *setting;                   /* no ring: what is shared, how often it is written, who runs where */
    bool fixed;                            /* takes neither --size nor --depth */
    bool latency;                          /* p50, p99, p99.9 mean something here */
    const struct bench_peer *const *peers; /* its own competitors; NULL = bench_peers */

    void (*roles)(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel);
    void (*piece)(struct bench_worker *worker);
    double (*value)(const struct bench_run *run); /* of the piece that just ended */
    /** Runs all alone instead of in pieces (idle, recover, …). 0 or -errno. */
    int (*measure)(struct bench_run **runs, unsigned n, bool quick);
};

/** All scenarios; ends with NULL. */
extern const struct bench_scenario *const bench_scenarios[];

/** Bytes from slot to slot of our ring for a message of so many bytes: header, multiple of 16, whole lines from 64 up. */
size_t bench_stride(size_t bytes);

/** Our default depth: the largest power of two whose slots fit 16 KiB, 16 at least. */
unsigned bench_depth(size_t bytes);

/** Fills run->why like printf; gives back `error`. */
int bench_why(struct bench_run *run, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
