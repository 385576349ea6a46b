/* SPDX-License-Identifier: MIT */
/**
 * shmctl: what is in shared memory, also when everybody who uses it is stopped or dead. Mappings are read-only, no lock
 * is taken that a peer may hold. One file per subcommand; this page is what they share.
 *
 * (No C symbol is called shmctl: that is the system call shmctl(2).)
 */
#ifndef STRAIT_TOOLS_SHMCTL_H
#define STRAIT_TOOLS_SHMCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"
#include "segment.h"
#include "table.h"

#define CTL_JSON_VERSION 1 /* of every --json document: "schema": "strait.shmctl.COMMAND", "version": 1 */

/** Exit codes: stable, and in the manual. */
enum ctl_exit {
    CTL_GOOD = 0,
    CTL_FINDING = 1, /* no such thing, or something was found that somebody should look at */
    CTL_USAGE = 2,
    CTL_DAMAGED = 3 /* not a segment, made by another build, or damaged */
};

struct ctl {
    const char *directory;
    bool json, colours;
    unsigned words; /* what follows the subcommand */
    char **word;
};

struct ctl_command {
    const char *name, *arguments, *summary, *help;
    unsigned least, most; /* words */
    int (*run)(const struct ctl *ctl);
};

extern const struct ctl_command ctl_ls, ctl_show, ctl_verify;

/* ---- segments ---- */

/** Map a segment for reading; a name with a '/' is a path. CTL_GOOD, else it has said why on stderr. */
int ctl_open(const struct ctl *ctl, const char *name, struct strait_segment_map *map);

/** Why a file is not a segment that we can read, as a sentence into text[size]; what ctl_open would exit with. */
int ctl_explain(int error, const struct strait_misfit *misfit, char *text, size_t size);

/** The document's first members. */
void ctl_json_begin(struct json *j, const char *command);

/** CLOCK_REALTIME, ns. */
uint64_t ctl_now_ns(void);

/* ---- leases: one process's attachment ---- */

struct ctl_lease {
    uint32_t index, pid;
    int alive; /* 1, 0 = dead and not swept yet, -errno = cannot tell */
    uint64_t generation, started, pid_ns, joined_ns;
    char program[STRAIT_PROGRAM_BYTES];
    struct strait_wait_record waits[STRAIT_WAITS];
};

/** A private copy of lease i, if it is in use. */
bool ctl_lease(struct strait_segment_map *map, uint32_t i, struct ctl_lease *lease);

/** How many live, how many are dead and unswept. */
void ctl_count_leases(struct strait_segment_map *map, unsigned *alive, unsigned *dead);

/** "receive", "lock", …; "" = it waits for nothing. */
const char *ctl_wait_name(uint32_t kind);

/* ---- objects ---- */

const char *ctl_kind_name(uint32_t kind);

/** The object's name; the buffer is table_text's. */
const char *ctl_object_name(const struct strait_segment_map *map, uint32_t entry);

/** The set's leases as JSON array, or as "1 2 7" (buffer as table_text; many are cut with "…"). */
void ctl_json_set(struct json *j, const char *key, const struct strait_set *set);
const char *ctl_set_text(const struct strait_set *set);

#endif
