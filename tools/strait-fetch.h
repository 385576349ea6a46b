/* SPDX-License-Identifier: MIT */
/** strait-fetch from the inside: options, jobs, and who does what with them. */
#ifndef STRAIT_FETCH_TOOL_H
#define STRAIT_FETCH_TOOL_H

#include <strait/fetch.h>
#include <strait/loop.h>
#include <strait/supervisor.h>

#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

struct options {
    uint32_t workers, in_flight; /* in_flight: of each worker */
    uint32_t per_host;           /* transfers at once to one host; 0 = no limit */
    struct strait_fetch_ask ask; /* the same for each URL; deadline_ns is how long, not when */
    const char *directory;       /* for bodies under names of their own, absolute; NULL: none */
    const char *file;            /* for the body of the only URL, "-" = stdout; NULL: none */
    const char *checksum;        /* of the only URL */
    const char *ca_file, *cpu_list;
    const char *segment;       /* its name; NULL: one of our own */
    bool resume, newer, heads; /* -C, -N, --headers */
    bool json, quiet, demo;
    bool through_slots; /* bodies come in shared memory, also those that go to files */
};

struct run;
struct host;

/* One URL, and what came of it. */
struct job {
    char *url, *checksum;
    struct job *next; /* waits behind others of its host */
    struct host *host;
    uint32_t number;         /* from 1, its place in the list */
    uint32_t restarts, ends; /* how often a worker died under it; how often it ended: once */
    uint32_t kind, status;   /* enum strait_fetch_kind, once it has ended */
    int error;
    uint64_t bytes, took_ns;
    char *why; /* the sentence of a failure */
    char *fields;
};

/* One job under way. There are as many seats as transfers at once. */
struct seat {
    struct run *run;
    struct job *job; /* NULL: free */
    struct seat *next;
    struct strait_reply_rx reply;
    int fd;                      /* of the output, if we write it, -1: none yet */
    uint64_t from;               /* -C: what was there before */
    uint64_t length, started_ns; /* length of the body, STRAIT_FETCH_LENGTH_UNKNOWN */
    uint64_t drawn_bytes;        /* progress */
    int64_t modified;            /* Last-Modified, seconds; 0 = not known */
    uint32_t worker;             /* process id of the last worker that said something */
    bool temporary;              /* there may be a file under the temporary name */
    bool unchanged;              /* what we have is what there is (304) */
    bool wrote;                  /* something, to a stdout that cannot be taken back */
};

/* Where URLs come from: a pipe, or whatever else may make us wait. */
struct source {
    struct strait_op op; /* first */
    struct run *run;
    int fd; /* -1: all are there */
    char *text;
    size_t bytes, room;
};

struct run {
    const struct options *options;
    struct job **jobs;
    uint32_t n, next; /* next: the first that nobody has looked at */
    struct seat *seats, *free_seats;
    uint32_t seats_n;
    struct host *hosts;
    struct job *released, **released_end; /* their host has room again */
    uint32_t busy, done, failed;
    uint64_t bytes;
    struct source source;
    struct strait_supervisor *supervisor;
    uint32_t died, given_up;
    bool stopping;
    bool hopeless; /* no worker is left, and none will come */
    bool asking;
    volatile sig_atomic_t interrupted;
    struct strait_loop *loop;
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_hold *hold;
    char name[STRAIT_NAME_BYTES]; /* of the segment */
    struct progress progress;
    struct strait_op news; /* waits for parts of any answer */
    struct strait_bell_ticket ticket;
    struct strait_op tick;
    uint64_t began_ns, took_ns;
    void (*on_part)(struct seat *seat, const struct strait_fetch_part *part); /* for the demo */
    void *user;
};

#define RUN_EMPTY                                                                                                      \
    {                                                                                                                  \
        .source.fd = -1                                                                                                \
    }

/* strait-fetch-run.c. 0: all jobs have ended, well or not; -errno: it could not be done, said on stderr. */
int run_all(struct run *run, const struct options *options);
void run_free(struct run *run);
void run_ask_more(struct run *run); /* there are more jobs, or more room */

/* strait-fetch-list.c: lines "URL" or "URL sha256:HEX"; blanks around it, empty lines and # … do not count. */
int list_add(struct run *run, const char *url, const char *checksum);
int list_read(struct run *run, const char *name); /* "-" = stdin. A pipe is read while the run goes on */
void list_follow(struct run *run);                /* once the loop is there */
bool list_is_whole(const struct run *run);

/* strait-fetch-hosts.c: not too many at once to one host */
struct job *hosts_next(struct run *run); /* the next job that may begin, NULL: none for now */
void hosts_done(struct run *run, struct job *job);
void hosts_free(struct run *run);

/* strait-fetch-workers.c */
int workers_start(struct run *run);
void workers_stop(struct run *run);

/* strait-fetch-output.c: bodies go to a temporary file and appear under their name when they are whole. */
void output_ask(struct seat *seat, struct strait_fetch_ask *ask, char *text,
                size_t bytes); /* fills file, from, fields */
int output_begin(struct seat *seat, const struct strait_fetch_head *head, const char *fields); /* a first part */
int output_write(struct seat *seat, const char *data, uint32_t bytes);
int output_finish(struct seat *seat);
void output_drop(struct seat *seat, uint32_t kind); /* of the failure */
/* The name that a body gets. */
void output_name(const struct run *run, const struct job *job, char *name, size_t bytes);

/* strait-fetch-report.c */
void report(const struct run *run, FILE *to);

/* strait-fetch-demo.c: the main job. Exit status. */
int demo(const struct options *options);

#endif
