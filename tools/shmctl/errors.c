/* SPDX-License-Identifier: MIT */
/* shmctl errors: the distinct errors that segments remember (shm/errors.h), the newest first. */
#include "../../shm/errors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "strait/atomic.h"

/* By enum strait_error_kind: for scripts, and for people. */
static const struct {
    const char *kind, *says;
} words[STRAIT_ERROR_KINDS] = {
    [STRAIT_ERROR_DIED] = {"died", "processes died attached"},
    [STRAIT_ERROR_HALF_WRITTEN] = {"half-written", "messages half-written, their senders died or left"},
    [STRAIT_ERROR_REDELIVERED] = {"redelivered", "messages given back, their receivers died or left"},
    [STRAIT_ERROR_DEAD_LETTER] = {"dead-letter", "dead letters, receivers died too often (shmctl letters)"},
    [STRAIT_ERROR_DROPPED_NEW] = {"dropped-new", "new messages dropped, full"},
    [STRAIT_ERROR_DROPPED_OLDEST] = {"dropped-oldest", "oldest messages dropped, full"},
    [STRAIT_ERROR_FULL] = {"full", "sends failed, full"},
    [STRAIT_ERROR_NO_REPLY] = {"no-reply", "requests refused, all replies were in use"},
    [STRAIT_ERROR_UNANSWERED] = {"unanswered", "callers gave up, no answer by their deadline"},
    [STRAIT_ERROR_JOB_LOST] = {"job-lost", "callers were told that their job has failed"},
    [STRAIT_ERROR_LOCK_DIED] = {"lock-died", "owners died inside"},
    [STRAIT_ERROR_LOCK_POISONED] = {"lock-poisoned", "released unhealed, and so poisoned (shmctl heal)"},
    [STRAIT_ERROR_LOCK_LATE] = {"lock-late", "locks not had by their deadline"},
    [STRAIT_ERROR_DAMAGED] = {"damaged", "bytes that cannot be (shmctl verify)"},
    [STRAIT_ERROR_NO_ROOM] = {"no-room", "objects refused, the segment is full (shmctl limits)"},
    [STRAIT_ERROR_ADMIN_LATE] = {"admin-late", "the admin lock was not had in time"},
};

struct output {
    struct ctl_list list;
    unsigned n;
    uint64_t lost;
};

static int newest_first(const void *a, const void *b)
{
    const struct strait_error_seen *x = a, *y = b;
    return x->last_ns < y->last_ns ? 1 : x->last_ns > y->last_ns ? -1 : strcmp(x->object, y->object);
}

static void print_json(struct json *j, const struct ctl_segment *s, const struct strait_error_seen *e)
{
    json_object(j, NULL);
    json_string(j, "segment", ctl_segment_name(s));
    json_string(j, "object", e->object);
    json_string(j, "kind", words[e->kind].kind);
    json_string(j, "error", words[e->kind].says);
    json_u64(j, "count", e->count);
    json_u64(j, "first_ns", e->first_ns);
    json_u64(j, "last_ns", e->last_ns);
    json_u64(j, "last_pid", e->pid);
    json_u64(j, "last_lease", e->lease);
    json_string(j, "last_program", e->program);
    json_close(j);
}

/* "3 min ago"; clocks may have been set since. */
static const char *ago(uint64_t now, uint64_t then)
{
    return table_age(now > then ? now - then : 0);
}

static void print_row(struct table *t, const struct ctl_segment *s, const struct strait_error_seen *e)
{
    uint64_t now = ctl_real_ns(s);

    table_cell(t, TABLE_PLAIN, "%s", ctl_segment_name(s));
    table_cell(t, TABLE_BOLD, "%s", *e->object ? table_text(e->object, sizeof e->object) : "-");
    table_cell(t, TABLE_PLAIN, "%" PRIu64, e->count);
    table_cell(t, TABLE_PLAIN, "%s ago", ago(now, e->first_ns));
    table_cell(t, TABLE_PLAIN, "%s ago", ago(now, e->last_ns));
    if (e->pid)
        table_cell(t, TABLE_PLAIN, "%s (pid %u)", table_text(e->program, sizeof e->program), e->pid);
    else
        table_cell(t, TABLE_DIM, "-");
    table_cell(t, TABLE_PLAIN, "%s", words[e->kind].says);
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct strait_error_seen seen[STRAIT_ERRORS];
    struct output *out = arg;
    unsigned n = 0;

    (void)ctl;
    for (uint32_t i = 0; i < STRAIT_ERRORS; i++)
        n += strait_error_read(&s->map, i, &seen[n]);
    qsort(seen, n, sizeof *seen, newest_first);
    for (unsigned i = 0; i < n; i++)
        if (out->list.json)
            print_json(out->list.json, s, &seen[i]);
        else
            print_row(&out->list.table, s, &seen[i]);
    out->n += n;
    out->lost += strait_load64_relaxed(&strait_segment_header(&s->map)->errors_lost);
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct output out = {.n = 0};
    int r = ctl_list_each(ctl, &out.list, "errors", "SEGMENT OBJECT >COUNT >FIRST >LAST LAST-BY ERROR", look);

    if (out.list.json)
        json_u64(out.list.json, "beyond", out.lost);
    else if (out.n == 0)
        printf("none so far\n");
    if (!out.list.json && out.lost)
        printf("and %" PRIu64 " of kinds beyond the %d that a segment remembers\n", out.lost, STRAIT_ERRORS);
    ctl_list_end(&out.list);
    return r == CTL_GOOD && out.n ? CTL_FINDING : r;
}

const struct ctl_command ctl_errors = {
    .name = "errors",
    .arguments = "[NAME]…",
    .summary = "What went wrong so far: each distinct error once, with its count, its first and its last time",
    .help = "Deaths and what they left, drops, full channels, callers and lockers in vain, damage: whoever meets one\n"
            "writes it into the segment, so it is there when nobody runs any more. LAST-BY is whose the last one was.\n"
            "Counts are approximate after a death. Exit 1: there is something.\n"
            "\n"
            "  shmctl errors\n"
            "  shmctl errors demo --json | jq '.errors[] | select(.kind == \"dead-letter\")'\n",
    .most = 64,
    .run = run,
};
