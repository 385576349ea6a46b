/* SPDX-License-Identifier: MIT */
/* shmctl blame: who is held up, by whom, and is that one alive. What the dead hold, and what they left, is in remains.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "remains.h"
#include "waits.h"

struct output {
    struct ctl_list list;
    bool colours, idle;
};

/* ---- text ---- */

static const char *verb(enum ctl_why why, bool several)
{
    switch (why) {
    case CTL_WHY_HELD:
        return "held by";
    case CTL_WHY_READ:
        return "read by";
    case CTL_WHY_TAKEN:
        return "full, and the slot in the way is being read by";
    case CTL_WHY_CLAIMED:
        return "the next slot is claimed, and not committed, by";
    case CTL_WHY_UNREAD:
        return several ? "full, and not read by any of" : "full, and not read by";
    case CTL_WHY_NO_RECEIVER:
        return "full, and nobody is there to receive";
    case CTL_WHY_ANSWERING:
        return "being answered by";
    case CTL_WHY_UNANSWERED:
        return several ? "not begun by any of" : "not begun by";
    case CTL_WHY_ANSWER_NOT_READ:
        return "the answer is not read by";
    case CTL_WHY_IDLE:
        return "nothing is there; its senders are";
    case CTL_WHY_MOVING:
        return "it can go on now";
    default:
        return "cannot tell why";
    }
}

static bool several(const struct strait_set *set)
{
    uint32_t first = ctl_set_next(set, 1);
    return first && ctl_set_next(set, first + 1);
}

/* What a culprit waits for itself. */
static void print_next(const struct ctl_segment *s, const struct ctl_waits *waits, uint32_t lease)
{
    for (unsigned i = 0; i < waits->n; i++)
        if (waits->wait[i].who.index == lease && ctl_wait_blocked(&waits->wait[i])) {
            printf(", itself waiting for %s", ctl_wait_object(s, &waits->wait[i]));
            return;
        }
}

static void print_culprits(const struct output *out, struct ctl_segment *s, const struct ctl_waits *waits,
                           const struct ctl_wait *w)
{
    bool indent = several(&w->culprits);

    for (uint32_t i = ctl_set_next(&w->culprits, 1); i; i = ctl_set_next(&w->culprits, i + 1)) {
        enum table_colour colour = TABLE_RED;
        const char *state = "not attached any more";
        struct ctl_lease l = {.index = i};
        bool there = ctl_lease(s, i, &l);
        if (there)
            state = ctl_lease_state(&l, &colour);
        printf("%s%s", indent ? "\n      " : " ", there ? ctl_lease_name(&l) : "somebody");
        printf(out->colours ? ", \033[%dm%s\033[0m" : ", %.0d%s", out->colours ? (int)colour : 0, state);
        if (there && l.alive == 0)
            printf(" and not swept yet");
        print_next(s, waits, i);
    }
}

static void print_wait(const struct output *out, struct ctl_segment *s, const struct ctl_waits *waits,
                       const struct ctl_wait *w)
{
    uint64_t now = ctl_mono_ns(s), ns = now > w->record.since_ns ? now - w->record.since_ns : 0;

    printf("  %s", ctl_lease_name(&w->who));
    if (w->record.thread != w->who.pid)
        printf(" thread %u", w->record.thread);
    printf(" waits %s for %s: %s", table_age(ns), ctl_wait_object(s, w), verb(w->why, several(&w->culprits)));
    print_culprits(out, s, waits, w);
    putchar('\n');
}

static void print_cycles(const struct ctl_segment *s, const struct ctl_cycle *cycles, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        printf("  %s: %s", cycles[i].certain ? "deadlock" : "perhaps a deadlock",
               table_text(cycles[i].wait[0]->who.program, STRAIT_PROGRAM_BYTES));
        for (unsigned m = 0; m < cycles[i].n; m++)
            printf(" → %s", table_text(cycles[i].wait[(m + 1) % cycles[i].n]->who.program, STRAIT_PROGRAM_BYTES));
        printf("; shmctl deadlock %s\n", ctl_segment_name(s));
    }
}

/* ---- JSON ---- */

static void json_wait(struct json *j, struct ctl_segment *s, const struct ctl_wait *w)
{
    uint64_t now = ctl_mono_ns(s);
    struct ctl_lease l;

    json_object(j, NULL);
    json_object(j, "who");
    ctl_json_lease(j, &w->who);
    json_close(j);
    json_u64(j, "thread", w->record.thread);
    json_string(j, "for", ctl_wait_name(w->record.kind));
    if (w->found) {
        json_string(j, "object", ctl_object_name(s, w->object.entry));
        json_string(j, "object_kind", ctl_kind_name(w->object.kind));
    }
    json_u64(j, "detail", w->record.detail);
    json_u64(j, "for_ns", now > w->record.since_ns ? now - w->record.since_ns : 0);
    json_string(j, "why", ctl_why_name(w->why));
    json_bool(j, "blocked", ctl_wait_blocked(w));
    json_array(j, "culprits");
    for (uint32_t i = ctl_set_next(&w->culprits, 1); i; i = ctl_set_next(&w->culprits, i + 1)) {
        json_object(j, NULL);
        if (ctl_lease(s, i, &l))
            ctl_json_lease(j, &l);
        else
            json_u64(j, "lease", i);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void json_cycles(struct json *j, const struct ctl_cycle *cycles, unsigned n)
{
    json_array(j, "deadlocks");
    for (unsigned i = 0; i < n; i++) {
        json_object(j, NULL);
        json_bool(j, "certain", cycles[i].certain);
        json_array(j, "leases");
        for (unsigned m = 0; m < cycles[i].n; m++)
            json_u64(j, NULL, cycles[i].wait[m]->who.index);
        json_close(j);
        json_close(j);
    }
    json_close(j);
}

/* ---- the command ---- */

static unsigned show_text(const struct output *out, struct ctl_segment *s, const struct ctl_waits *waits,
                          const struct ctl_cycle *cycles, unsigned n)
{
    unsigned blocked = 0, idle = 0, remains;

    printf("segment %s\n", ctl_segment_name(s));
    for (unsigned i = 0; i < waits->n; i++) {
        const struct ctl_wait *w = &waits->wait[i];
        blocked += ctl_wait_blocked(w);
        idle += w->why == CTL_WHY_IDLE;
        if (ctl_wait_blocked(w) || out->idle)
            print_wait(out, s, waits, w);
    }
    if (waits->more)
        printf("  … and more: not all waits were read\n");
    print_cycles(s, cycles, n);
    remains = ctl_remains_print(s);
    if (blocked + remains == 0)
        printf("  nobody is held up%s\n", idle ? "; some wait for messages (--all)" : "");
    return blocked + remains;
}

static unsigned show_json(const struct output *out, struct ctl_segment *s, const struct ctl_waits *waits,
                          const struct ctl_cycle *cycles, unsigned n)
{
    struct json *j = out->list.json;
    unsigned blocked = 0;

    json_object(j, NULL);
    json_string(j, "name", ctl_segment_name(s));
    json_array(j, "waits");
    for (unsigned i = 0; i < waits->n; i++) {
        blocked += ctl_wait_blocked(&waits->wait[i]);
        json_wait(j, s, &waits->wait[i]);
    }
    json_close(j);
    json_cycles(j, cycles, n);
    blocked += ctl_remains_json(j, s);
    json_close(j);
    return blocked;
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct ctl_cycle cycles[16];
    struct ctl_waits *waits = ctl_waits_collect(s);
    unsigned n, found;

    (void)ctl;
    if (waits == NULL)
        return CTL_FINDING;
    n = ctl_cycles(waits, cycles, 16);
    found = (((struct output *)arg)->list.json ? show_json : show_text)(arg, s, waits, cycles, n);
    free(waits);
    return found ? CTL_FINDING : CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct output out = {.colours = ctl->colours, .idle = ctl_given(ctl, "all") != NULL};
    int r = ctl_list_each(ctl, &out.list, "segments", NULL, look);

    ctl_list_end(&out.list);
    return r;
}

const struct ctl_command ctl_blame = {
    .name = "blame",
    .arguments = "[NAME]…",
    .summary = "Who is held up, on what, since when, by whom, and is that one alive, stopped or dead",
    .help =
        "Every process that sleeps writes down what for; this judges each such wait by the words of the object. Works\n"
        "when everybody is stopped or dead. Without a NAME: all segments. Also told: who stops whoever joins or "
        "sweeps\n"
        "(the admin lock), what the dead hold that nobody has swept, regions whose owner died inside. Threads of one\n"
        "process share its lease: a lock's culprit is a process. Exit 1: somebody is held up, or something is left.\n"
        "\n"
        "  shmctl blame demo\n"
        "  shmctl blame --json | jq -r '.segments[].waits[] | select(.blocked).culprits[].pid'\n",
    .most = 64,
    .run = run,
    .options = (const struct ctl_option[]){{"all", 'a', NULL, "those, too, who only wait for messages"}, {NULL}},
};
