/* SPDX-License-Identifier: MIT */
/* shmctl tree: segments, their objects, and who is at each of them. */
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "commands.h"
#include "lease.h"
#include "strait/atomic.h"

/* "sends, receives", "reads", …: what a lease is to an object. */
static void roles_of(struct ctl_segment *s, const struct strait_object *o, uint32_t lease, char *text, size_t size)
{
    struct strait_channel_view v;

    snprintf(text, size, "uses");
    if (o->kind != STRAIT_KIND_CHANNEL || strait_channel_view(&s->map, o, &v) < 0)
        return;
    bool sends = strait_set_has(&v.shared->senders, lease), receives = strait_set_has(&v.shared->receivers, lease);
    bool holds = strait_set_has(&v.shared->holders, lease);
    if (sends || receives || holds)
        snprintf(text, size, "%s%s%s%s%s", sends ? "sends" : "", sends && (receives || holds) ? ", " : "",
                 receives ? "receives" : "", receives && holds ? ", " : "", holds ? "holds it open" : "");
}

static void print_user(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *o, uint32_t lease,
                       const char *branch)
{
    enum table_colour colour;
    struct ctl_lease l;
    char roles[64];

    roles_of(s, o, lease, roles, sizeof roles);
    if (!ctl_lease(s, lease, &l)) {
        printf("%s lease %u  %s  (not in use)\n", branch, lease, roles);
        return;
    }
    const char *state = ctl_lease_state(&l, &colour);
    printf(ctl->colours ? "%s %s  %s  \033[%dm%s\033[0m\n" : "%s %s  %s  %.0d%s\n", branch, ctl_lease_name(&l), roles,
           ctl->colours ? (int)colour : 0, state);
}

static uint32_t next_user(const struct strait_entry *e, uint32_t from)
{
    for (uint32_t i = from; i < STRAIT_LEASES; i++)
        if (strait_set_has(&e->refs, i))
            return i;
    return 0;
}

static void print_object(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *o, bool last)
{
    const struct strait_entry *e = strait_segment_entry(&s->map, o->entry);

    printf("%s %s %s%s\n", last ? "└─" : "├─", ctl_kind_name(o->kind), ctl_object_name(s, o->entry),
           strait_load32_relaxed(&e->state) == STRAIT_ENTRY_UNLINKED ? "  (unlinked)" : "");
    for (uint32_t i = next_user(e, 1); i; i = next_user(e, i + 1)) {
        char branch[16];
        snprintf(branch, sizeof branch, "%s  %s", last ? " " : "│", next_user(e, i + 1) ? "├─" : "└─");
        print_user(ctl, s, o, i, branch);
    }
}

/* The next readable object from entry `from` on. */
static bool next_object(struct ctl_segment *s, uint32_t from, struct strait_object *o)
{
    for (uint32_t i = from; i < s->map.directory_max; i++)
        if (strait_directory_at(&s->map, i, o) == 0)
            return true;
    return false;
}

static void print_text(const struct ctl *ctl, struct ctl_segment *s)
{
    struct strait_object o, next;
    unsigned alive, dead;
    bool more = next_object(s, 0, &o);

    ctl_count_leases(s, &alive, &dead);
    printf("%s  %u alive, %u dead\n", ctl_segment_name(s), alive, dead);
    while (more) {
        more = next_object(s, o.entry + 1, &next);
        print_object(ctl, s, &o, !more);
        o = next;
    }
}

static void print_json(struct json *j, struct ctl_segment *s)
{
    struct strait_object o;

    json_object(j, NULL);
    json_string(j, "name", ctl_segment_name(s));
    json_array(j, "objects");
    for (uint32_t i = 0; next_object(s, i, &o); i = o.entry + 1) {
        const struct strait_entry *e = strait_segment_entry(&s->map, o.entry);
        json_object(j, NULL);
        json_string(j, "name", ctl_object_name(s, o.entry));
        json_string(j, "kind", ctl_kind_name(o.kind));
        json_array(j, "users");
        for (uint32_t u = next_user(e, 1); u; u = next_user(e, u + 1)) {
            char roles[64];
            struct ctl_lease l = {.index = u};
            roles_of(s, &o, u, roles, sizeof roles);
            json_object(j, NULL);
            ctl_lease(s, u, &l);
            ctl_json_lease(j, &l);
            json_string(j, "role", roles);
            json_close(j);
        }
        json_close(j);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static int look(const struct ctl *ctl, struct ctl_segment *s, void *arg)
{
    struct ctl_list *list = arg;

    if (list->json)
        print_json(list->json, s);
    else
        print_text(ctl, s);
    return CTL_GOOD;
}

static int run(const struct ctl *ctl)
{
    struct ctl_list list;
    int r = ctl_list_each(ctl, &list, "segments", NULL, look);

    ctl_list_end(&list);
    return r;
}

const struct ctl_command ctl_tree = {
    .name = "tree",
    .arguments = "[NAME]…",
    .summary = "Segments, their objects, and who sends, receives and uses each",
    .help = "Without a NAME: all segments.\n"
            "\n"
            "  shmctl tree\n"
            "  shmctl tree demo\n",
    .most = 64,
    .run = run,
};
