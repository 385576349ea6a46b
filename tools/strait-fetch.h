/* SPDX-License-Identifier: MIT */
/** strait-fetch from the inside: options, jobs, and who does what with them. */
#ifndef STRAIT_FETCH_TOOL_H
#define STRAIT_FETCH_TOOL_H

#include <strait/fetch.h>
#include <strait/loop.h>

#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

struct options {
    uint32_t workers, in_flight; /* in_flight: of each worker */
    uint64_t timeout_ns, max_bytes;
    const char *directory; /* for bodies, NULL: they are counted only */
    bool json, quiet, demo;
};

struct run;

/* One URL. */
struct job {
    struct strait_op op; /* first: waits for the next part */
    struct run *run;
    struct strait_reply_rx reply;
    struct strait_bell_ticket ticket;
    const char *url;
    uint32_t number; /* from 1, its place in the list */
    int fd;          /* temporary file, -1: none yet */
    uint64_t bytes, started_ns, took_ns;
    uint32_t restarts; /* how often a worker died under it */
    uint32_t ends;     /* how often it ended: once */
    bool late;         /* it is being given up */
    uint32_t worker;   /* process id of the last worker that said something */
    uint32_t kind;     /* enum strait_fetch_kind, once it has ended */
    int error;
    char *why; /* the sentence of a failure */
};

/* One worker process and its successors. */
struct worker {
    struct strait_op op; /* first: waits for its death, or for the time to start it again */
    struct run *run;
    pid_t pid; /* 0: none */
    int pidfd;
    uint32_t starts, quick_deaths;
    uint64_t started_ns;
    bool given_up;
};

struct run {
    const struct options *options;
    struct job *jobs;
    uint32_t n, next; /* next: the first that has not been asked for */
    uint32_t busy, done, failed;
    uint64_t bytes;
    struct worker *workers;
    uint32_t alive, died;
    bool stopping;
    bool hopeless; /* no worker is left, and none will come */
    bool asking;
    volatile sig_atomic_t interrupted;
    struct strait_loop *loop;
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_hold *hold;
    char name[32]; /* of the segment */
    struct progress progress;
    struct strait_op tick;
    uint64_t began_ns, took_ns;
    void (*on_part)(struct job *job, const struct strait_fetch_part *part); /* for the demo */
    void *user;
};

/* strait-fetch-run.c. 0: all jobs have ended, well or not; -errno: it could not be done, said on stderr. */
int run_all(struct run *run, const struct options *options, char **urls, uint32_t n);
void run_free(struct run *run);

/* strait-fetch-workers.c */
int workers_start(struct run *run);
void workers_stop(struct run *run);

/* strait-fetch-output.c: bodies go to a temporary file and appear under their name when they are whole. */
int output_write(struct job *job, const char *data, uint32_t bytes);
int output_restart(struct job *job);
int output_finish(struct job *job);
void output_drop(struct job *job);
/* The name that a body gets, in the options' directory. */
void output_name(const struct job *job, char *name, size_t bytes);

/* strait-fetch-report.c */
void report(const struct run *run, FILE *to);

/* strait-fetch-demo.c: the main job. Exit status. */
int demo(const struct options *options);

#endif
