/* SPDX-License-Identifier: MIT */
/**
 * shmctl: what is in shared memory, also when everybody who uses it is stopped or dead. Who only looks maps read-only and
 * takes no lock; who mends takes the admin lock with a deadline. One file per subcommand, or per family of them; this
 * page is what they share.
 *
 * (No C symbol is called shmctl: that is the system call shmctl(2).)
 */
#ifndef STRAIT_TOOLS_SHMCTL_H
#define STRAIT_TOOLS_SHMCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "directory.h"
#include "../json.h"
#include "segment.h"
#include "../table.h"

#define CTL_JSON_VERSION 1 /* of every --json document: "schema": "strait.shmctl.COMMAND", "version": 1 */
#define CTL_PATIENCE_NS  UINT64_C(2000000000) /* how long a command that mends waits for the admin lock */

/** Exit codes: stable, and in the manual; 0 to 3 mean to a monitoring system what it expects of a plugin. */
enum ctl_exit {
    CTL_GOOD = 0,
    CTL_FINDING = 1,  /* no such thing, or something was found that somebody should look at */
    CTL_CRITICAL = 2, /* a deadlock, or as bad */
    CTL_DAMAGED = 3,  /* not a segment, made by another build, or damaged */
    CTL_USAGE = 64    /* sysexits.h: EX_USAGE */
};

/* ---- commands ---- */

/** An option of one command; those of all commands are in options.c. A table ends with a NULL name. */
struct ctl_option {
    const char *name;
    char letter;          /* 0 = none */
    const char *argument; /* what help calls it; NULL = a flag */
    const char *help;
};

#define CTL_OPTIONS 12 /* most that a command has */

struct ctl {
    const struct ctl_command *command;
    const char *directory;
    bool json, colours;
    unsigned words; /* what follows the subcommand */
    char **word;
    const char *given[CTL_OPTIONS]; /* by place in the command's table; "" for flags */
};

struct ctl_command {
    const char *name, *arguments, *summary, *help;
    unsigned least, most; /* words */
    int (*run)(const struct ctl *ctl);
    const struct ctl_option *options; /* NULL = none but those of all commands */
    bool writes;                      /* it changes the segment, or attaches to it */
};

/** By family, in the order of the help. Ends with NULL. */
extern const struct ctl_command *const ctl_commands[];

/** What was given for an option: NULL it was not, "" a flag. */
const char *ctl_given(const struct ctl *ctl, const char *name);

/** A number given for an option, or `otherwise`. Ends the program with CTL_USAGE if it is none in [least, most]. */
uint64_t ctl_number(const struct ctl *ctl, const char *name, uint64_t otherwise, uint64_t least, uint64_t most);
double ctl_seconds(const struct ctl *ctl, const char *name, double otherwise);

/** Say what is wrong with the words on the command line: CTL_USAGE. */
int ctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** "shmctl: " and a sentence on stderr. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** options.c: 0, 'h' help was asked for, -1 after a complaint. */
int ctl_parse(int argc, char **argv, struct ctl *ctl);
void ctl_print_options(const struct ctl_command *command);

/** Set by SIGINT and SIGTERM once ctl_catch_signals was called: commands that follow something end well. */
extern volatile bool ctl_stop;
void ctl_catch_signals(void);

/** Sleep, at most until a signal sets ctl_stop. */
void ctl_sleep(double seconds);

/* ---- segments ---- */

struct ctl_snapshot; /* snapshot.h */

struct ctl_segment {
    struct strait_segment_map map;       /* first: all that shm/ needs */
    const struct ctl_snapshot *snapshot; /* NULL = a living segment */
};

/** Map a segment, or a snapshot of one, for reading; a name with a '/' is a path. CTL_GOOD, else it has said why. */
int ctl_open(const struct ctl *ctl, const char *name, struct ctl_segment *segment);
void ctl_close(struct ctl_segment *segment);

/** The path that a name means: CTL_GOOD or CTL_USAGE. path[PATH_MAX]. */
int ctl_path(const struct ctl *ctl, const char *name, char *path);

/** Why a file is not a segment that we can read, as a sentence into text[size]; what ctl_open would exit with. */
int ctl_explain(int error, const struct strait_misfit *misfit, char *text, size_t size);

typedef int ctl_look(const struct ctl *ctl, struct ctl_segment *segment, void *arg);

/** Call for every segment of the directory that can be read; the worst exit code. Those of the command line, if there
 * are any. */
int ctl_each(const struct ctl *ctl, ctl_look *look, void *arg);

/** Call for every file of the directory that is called as a segment is, by name: CTL_GOOD, or it has said why not. */
int ctl_each_path(const struct ctl *ctl, void (*act)(void *arg, const char *path), void *arg);

/** What a command that lists prints into: a document with one array, or a table. The first member of what its look gets. */
struct ctl_list {
    struct json *json; /* NULL = text */
    struct table table;
    struct json document;
    bool empty; /* afterwards: the table has no row */
};

/** Look at each segment, and end the array, or the table. What ctl_each says. headings: NULL = no table; array: its name. The
 * document gets more members, if any, before ctl_list_end. */
int ctl_list_each(const struct ctl *ctl, struct ctl_list *list, const char *array, const char *headings,
                  ctl_look *look);
void ctl_list_end(struct ctl_list *list);

int ctl_worse(int a, int b); /* of two exit codes */

/** What it is called: the file's name without the prefix; buffer as table_text. */
const char *ctl_segment_name(const struct ctl_segment *segment);

/** The document's first members. */
void ctl_json_begin(struct json *j, const char *command);

/** The same, of a document that is one line of many: "{…, "; its members and the end are the caller's to print. */
void ctl_json_line(const struct ctl *ctl);

/** CLOCK_REALTIME, CLOCK_MONOTONIC in ns: of the segment's, which for a snapshot is when it was taken. */
uint64_t ctl_real_ns(const struct ctl_segment *segment);
uint64_t ctl_mono_ns(const struct ctl_segment *segment);

/* ---- leases: one process's attachment ---- */

struct ctl_lease {
    uint32_t index, pid;
    int alive;        /* 1, 0 = dead and not swept yet, -errno = cannot tell */
    char state;       /* of the process, as in /proc/PID/stat; 0 = cannot tell */
    uint32_t threads; /* 0 = cannot tell */
    bool ours;        /* its pid means something in our namespace */
    uint64_t generation, started, pid_ns, joined_ns;
    char program[STRAIT_PROGRAM_BYTES];
    struct strait_wait_record waits[STRAIT_WAITS];
};

/** A private copy of lease i, if it is in use. */
bool ctl_lease(struct ctl_segment *segment, uint32_t i, struct ctl_lease *lease);

/** How many live, how many are dead and unswept. */
void ctl_count_leases(struct ctl_segment *segment, unsigned *alive, unsigned *dead);

/** "alive", "stopped", "dead", …, with a colour that fits. */
const char *ctl_lease_state(const struct ctl_lease *lease, enum table_colour *colour);

/** "ann (pid 12, lease 3)", a '*' behind a pid of another namespace; buffer as table_text. */
const char *ctl_lease_name(const struct ctl_lease *lease);
void ctl_json_lease(struct json *j, const struct ctl_lease *lease); /* members, without the waits */

/** "receive", "lock", …; "" = it waits for nothing. */
const char *ctl_wait_name(uint32_t kind);

/** Who holds the admin lock: 0 nobody, a lease, or STRAIT_LEASE_ORPHAN: somebody who cannot be named. */
uint32_t ctl_admin_holder(struct ctl_segment *segment);

/* ---- objects ---- */

const char *ctl_kind_name(uint32_t kind);

/** The object's name; the buffer is table_text's. */
const char *ctl_object_name(const struct ctl_segment *segment, uint32_t entry);

/** The object at this offset: its entry, or -ENOENT. */
int ctl_object_at(const struct ctl_segment *segment, uint64_t offset, struct strait_object *object);

/** An object by name, of one kind (0 = any): CTL_GOOD, or CTL_FINDING and it has said so. */
int ctl_object(const struct ctl_segment *segment, const char *name, enum strait_kind kind,
               struct strait_object *object);

/** The set's leases as JSON array, or as "1 2 7" (buffer as table_text; many are cut with "…"). */
void ctl_json_set(struct json *j, const char *key, const struct strait_set *set);
const char *ctl_set_text(const struct strait_set *set);

#endif
