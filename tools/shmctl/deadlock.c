/* SPDX-License-Identifier: MIT */
/* shmctl deadlock: the cycles, as text or for Graphviz. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "waits.h"

#define MOST    16
#define AGAIN_S 0.02 /* between the two looks: who is only slow has gone on by then */

struct output {
    struct ctl_list list;
    bool dot;
    unsigned found, perhaps;
};

static uint64_t waited(const struct ctl_segment *s, const struct ctl_wait *w)
{
    uint64_t now = ctl_mono_ns(s);
    return now > w->record.since_ns ? now - w->record.since_ns : 0;
}

static void print_text(struct ctl_segment *s, const struct ctl_cycle *c)
{
    printf("%s of %u process%s in segment %s\n", c->certain ? "deadlock" : "perhaps a deadlock", c->n,
           c->n == 1 ? "" : "es", ctl_segment_name(s));
    for (unsigned i = 0; i < c->n; i++) {
        const struct ctl_wait *w = c->wait[i], *next = c->wait[(i + 1) % c->n];
        printf("  %s waits %s for %s\n", ctl_lease_name(&w->who), table_age(waited(s, w)), ctl_wait_object(s, w));
        printf("    which is %s%s %s\n", w->why == CTL_WHY_HELD ? "held by" : "up to",
               i + 1 == c->n ? " the first," : "", ctl_lease_name(&next->who));
    }
    if (!c->certain)
        printf("  (one of them has a thread that does not wait, and may let go)\n");
    printf("  any one of them killed, the others go on: the next owner is told that one died inside\n");
}

/* Names are other people's bytes. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

static void print_node(const struct ctl_lease *l)
{
    putchar('"');
    print_quoted(ctl_lease_name(l));
    putchar('"');
}

static void print_dot(struct ctl_segment *s, const struct ctl_cycle *c)
{
    printf("  subgraph \"cluster ");
    print_quoted(ctl_segment_name(s));
    printf("\" {\n");
    for (unsigned i = 0; i < c->n; i++) {
        const struct ctl_wait *w = c->wait[i], *next = c->wait[(i + 1) % c->n];
        printf("    ");
        print_node(&w->who);
        printf(" -> ");
        print_node(&next->who);
        printf(" [label=\"");
        print_quoted(ctl_wait_object(s, w));
        printf("\"%s];\n", c->certain ? "" : ", style=dashed");
    }
    printf("  }\n");
}

static void print_json(struct json *j, struct ctl_segment *s, const struct ctl_cycle *c)
{
    json_object(j, NULL);
    json_string(j, "segment", ctl_segment_name(s));
    json_bool(j, "certain", c->certain);
    json_array(j, "cycle");
    for (unsigned i = 0; i < c->n; i++) {
        const struct ctl_wait *w = c->wait[i];
        json_object(j, NULL);
        ctl_json_lease(j, &w->who);
        json_u64(j, "thread", w->record.thread);
        json_string(j, "for", ctl_wait_name(w->record.kind));
        json_string(j, "object", w->found ? ctl_object_name(s, w->object.entry) : "");
        json_u64(j, "for_ns", waited(s, w));
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void tell(struct output *out, struct ctl_segment *s, const struct ctl_cycle *c)
{
    if (c->certain)
        out->found++;
    else
        out->perhaps++;
    if (out->list.json)
        print_json(out->list.json, s, c);
    else if (out->dot)
        print_dot(s, c);
    else
        print_text(s, c);
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct ctl_cycle cycles[MOST];
    struct ctl_waits *first = ctl_waits_collect(s), *second = NULL;
    unsigned n = first ? ctl_cycles(first, cycles, MOST) : 0;

    (void)ctl;
    if (n && !s->snapshot) { /* it must stand still; one look could be at two moments of a dance */
        ctl_sleep(AGAIN_S);
        second = ctl_waits_collect(s);
        n = second ? ctl_cycles(second, cycles, MOST) : 0;
    }
    for (unsigned i = 0; i < n; i++)
        if (s->snapshot || ctl_cycle_stands(&cycles[i], first))
            tell(arg, s, &cycles[i]);
    free(first);
    free(second);
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct output out = {.dot = ctl_given(ctl, "dot") != NULL && !ctl->json};
    int r;

    if (out.dot)
        printf("digraph deadlock {\n  node [shape=box];\n");
    r = ctl_list_each(ctl, &out.list, "deadlocks", NULL, look);
    if (out.dot)
        printf("}\n");
    else if (!out.list.json && out.found + out.perhaps == 0 && r == CTL_GOOD)
        printf("no deadlock\n");
    ctl_list_end(&out.list);
    if (r != CTL_GOOD)
        return r;
    return out.found ? CTL_CRITICAL : out.perhaps ? CTL_FINDING : CTL_GOOD;
}

const struct ctl_command ctl_deadlock = {
    .name = "deadlock",
    .arguments = "[NAME]…",
    .summary = "Who waits for whom in a circle",
    .help = "Locks, full channels and unanswered requests alike. Looks twice, 20 ms apart: a cycle must stand. A wait "
            "may have\n"
            "a deadline, which nobody writes down. Exit 2: a deadlock; 1: perhaps one, but a process of it has a "
            "thread that\n"
            "does not wait.\n"
            "\n"
            "  shmctl deadlock\n"
            "  shmctl deadlock demo --dot | dot -Tsvg > deadlock.svg\n",
    .most = 64,
    .run = run,
    .options = (const struct ctl_option[]){{"dot", 0, NULL, "a graph for Graphviz instead of text"}, {NULL}},
};
