/* SPDX-License-Identifier: MIT */
/* shmctl ps: who is attached to what. */
#include "ps.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"

/* "receive jobs, 3 s; lock table, 1 s": what the waiting threads of a lease wait for. */
static void wait_text(const struct ctl_segment *s, const struct ctl_lease *l, char *text, size_t size)
{
    uint64_t now = ctl_mono_ns(s);
    size_t at = 0;

    snprintf(text, size, "-");
    for (unsigned i = 0; i < STRAIT_WAITS && at < size; i++) {
        const struct strait_wait_record *w = &l->waits[i];
        struct strait_object o;
        int entry;
        if (w->kind == STRAIT_WAIT_NONE)
            continue;
        entry = ctl_object_at(s, w->object, &o);
        at += (size_t)snprintf(text + at, size - at, "%s%s %s, %s", at ? "; " : "", ctl_wait_name(w->kind),
                               entry < 0 ? "?" : ctl_object_name(s, (uint32_t)entry),
                               now > w->since_ns ? table_age(now - w->since_ns) : "?");
    }
}

static void print_lease(struct table *t, const struct ctl_segment *s, const struct ctl_lease *l)
{
    uint64_t now = ctl_real_ns(s);
    enum table_colour colour;
    const char *state = ctl_lease_state(l, &colour);
    char waits[256];

    wait_text(s, l, waits, sizeof waits);
    table_cell(t, TABLE_PLAIN, "%u", l->index);
    table_cell(t, TABLE_PLAIN, l->ours ? "%u" : "%u*", l->pid);
    table_cell(t, colour, "%s", state);
    table_cell(t, TABLE_PLAIN, "%s", table_text(l->program, sizeof l->program));
    table_cell(t, TABLE_PLAIN, "%s", now > l->joined_ns ? table_age(now - l->joined_ns) : "?");
    if (l->ours)
        table_cell(t, TABLE_DIM, "ours");
    else
        table_cell(t, TABLE_PLAIN, "%llu", (unsigned long long)l->pid_ns);
    table_cell(t, strcmp(waits, "-") ? TABLE_YELLOW : TABLE_DIM, "%s", waits);
}

static void print_rows(struct table *t, struct ctl_segment *s, bool named)
{
    struct ctl_lease l;

    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(s, i, &l))
            continue;
        if (named)
            table_cell(t, TABLE_PLAIN, "%s", ctl_segment_name(s));
        print_lease(t, s, &l);
    }
}

void ctl_leases_print(const struct ctl *ctl, struct ctl_segment *s)
{
    struct table t;

    table_begin(&t, ">LEASE >PID STATE PROGRAM >JOINED >NAMESPACE WAITS");
    print_rows(&t, s, false);
    printf(t.at > t.columns ? "\nleases (* = a pid of another namespace)\n" : "\nno leases: nobody is attached\n");
    table_end(&t, stdout, 2, ctl->colours);
}

static void json_waits(struct json *j, const struct ctl_segment *s, const struct ctl_lease *l)
{
    uint64_t now = ctl_mono_ns(s);

    json_array(j, "waits");
    for (unsigned i = 0; i < STRAIT_WAITS; i++) {
        const struct strait_wait_record *w = &l->waits[i];
        struct strait_object o;
        int entry;
        if (w->kind == STRAIT_WAIT_NONE)
            continue;
        entry = ctl_object_at(s, w->object, &o);
        json_object(j, NULL);
        json_string(j, "for", ctl_wait_name(w->kind));
        json_u64(j, "thread", w->thread);
        if (entry >= 0)
            json_string(j, "object", ctl_object_name(s, (uint32_t)entry));
        json_u64(j, "object_offset", w->object);
        json_u64(j, "detail", w->detail);
        json_u64(j, "for_ns", now > w->since_ns ? now - w->since_ns : 0);
        json_close(j);
    }
    json_close(j);
}

void ctl_leases_json(struct json *j, struct ctl_segment *s)
{
    struct ctl_lease l;

    json_array(j, "leases");
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        if (!ctl_lease(s, i, &l))
            continue;
        json_object(j, NULL);
        ctl_json_lease(j, &l);
        json_waits(j, s, &l);
        json_close(j);
    }
    json_close(j);
}

/* ---- the command ---- */

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct ctl_list *list = arg;

    (void)ctl;
    if (list->json) {
        json_object(list->json, NULL);
        json_string(list->json, "name", ctl_segment_name(s));
        ctl_leases_json(list->json, s);
        json_close(list->json);
    } else {
        print_rows(&list->table, s, true);
    }
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct ctl_list list;
    int r = ctl_list_each(ctl, &list, "segments", "SEGMENT >LEASE >PID STATE PROGRAM >JOINED >NAMESPACE WAITS", look);

    if (!list.json && list.empty)
        printf("nobody is attached\n");
    ctl_list_end(&list);
    return r;
}

const struct ctl_command ctl_ps = {
    .name = "ps",
    .arguments = "[NAME]…",
    .summary = "List the processes that are attached: alive, stopped or dead, and what they wait for",
    .help =
        "Without a NAME, of all segments. A '*' marks a pid of another pid namespace. Dead: nobody has swept it yet;\n"
        "whoever waits in vain or joins next does, or 'shmctl repair'.\n"
        "\n"
        "  shmctl ps\n"
        "  shmctl ps demo --json | jq '.segments[].leases[] | select(.state == \"stopped\").pid'\n",
    .most = 64,
    .run = run,
};
