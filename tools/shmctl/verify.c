/* SPDX-License-Identifier: MIT */
/* shmctl verify: every invariant of a segment that can be read off its bytes; what is broken, where, and which page has
 * the rule. */
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "verify.h"

#define SHOWN 200 /* findings; the rest is counted */

struct report {
    struct strait_verify how; /* first */
    const struct ctl_segment *segment;
    struct table *table;
    struct json *json; /* or NULL */
    bool colours;
    unsigned n;
    bool broken[STRAIT_RULES];
};

/* "lease 3", "channel-name ring 0 slot 5": buffer as table_text. */
static const char *where(const struct report *r, const struct strait_finding *f)
{
    static char text[160];
    int n = 0;

    text[0] = 0;
    if (f->field)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s ", f->field);
    if (f->lease != STRAIT_NOWHERE)
        n += snprintf(text + n, sizeof text - (size_t)n, "lease %u ", f->lease);
    if (f->entry != STRAIT_NOWHERE)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s ", ctl_object_name(r->segment, f->entry));
    if (f->ring != STRAIT_NOWHERE)
        n += snprintf(text + n, sizeof text - (size_t)n, "ring %u ", f->ring);
    if (f->reply != STRAIT_NOWHERE)
        n += snprintf(text + n, sizeof text - (size_t)n, "reply %u ", f->reply);
    if (f->slot != STRAIT_NOWHERE)
        n += snprintf(text + n, sizeof text - (size_t)n, "slot %u ", f->slot);
    if (n > 0)
        text[n - 1] = 0;
    return text;
}

static void place(struct json *j, const char *key, uint32_t value)
{
    if (value != STRAIT_NOWHERE)
        json_u64(j, key, value);
}

static void print_json(const struct report *r, const struct strait_finding *f)
{
    struct json *j = r->json;

    json_object(j, NULL);
    json_string(j, "rule", strait_rules[f->rule].name);
    json_string(j, "says", strait_rules[f->rule].says);
    json_string(j, "section", strait_rules[f->rule].section);
    if (f->field)
        json_string(j, "field", f->field);
    if (f->entry != STRAIT_NOWHERE)
        json_string(j, "object", ctl_object_name(r->segment, f->entry));
    place(j, "lease", f->lease);
    place(j, "ring", f->ring);
    place(j, "reply", f->reply);
    place(j, "slot", f->slot);
    json_u64(j, "offset", f->offset);
    json_u64(j, "value", f->value);
    json_close(j);
}

static void found(struct strait_verify *how, const struct strait_finding *f)
{
    struct report *r = (struct report *)(void *)how;

    r->broken[f->rule] = true;
    if (r->n++ >= SHOWN)
        return;
    if (r->json) {
        print_json(r, f);
        return;
    }
    table_cell(r->table, TABLE_RED, "%s", strait_rules[f->rule].name);
    table_cell(r->table, TABLE_PLAIN, "%s", where(r, f));
    table_cell(r->table, TABLE_PLAIN, "%#" PRIx64, f->offset);
    table_cell(r->table, TABLE_PLAIN, "%#" PRIx64, f->value);
}

/* What the rules say that were broken. */
static void explain(const struct report *r)
{
    struct table t;

    puts("");
    table_begin(&t, "RULE SAYS DEFINED-IN");
    for (int i = 0; i < STRAIT_RULES; i++) {
        if (!r->broken[i])
            continue;
        table_cell(&t, TABLE_PLAIN, "%s", strait_rules[i].name);
        table_cell(&t, TABLE_PLAIN, "%s", strait_rules[i].says);
        table_cell(&t, TABLE_DIM, "%s", strait_rules[i].section);
    }
    table_end(&t, stdout, 0, r->colours);
}

static void print_people(struct report *r, const char *name)
{
    table_end(r->table, stdout, 0, r->colours);
    if (r->n > SHOWN)
        printf("… and %u more\n", r->n - SHOWN);
    if (r->n)
        explain(r);
    else
        printf("%s is sound: %d rules hold%s\n", name, STRAIT_RULES,
               r->how.admin ? "" : " (sets and statuses were not compared: it is in use)");
}

static int run(const struct ctl *ctl)
{
    struct ctl_segment segment;
    struct table table;
    struct json j;
    unsigned alive, dead;
    int error = ctl_open(ctl, ctl->word[0], &segment);

    if (error != CTL_GOOD)
        return error;
    ctl_count_leases(&segment, &alive, &dead);
    /* where nobody lives, nothing changes: as good as holding the admin lock, which a reader cannot take */
    struct report r = {.how = {found, alive == 0, true},
                       .segment = &segment,
                       .table = &table,
                       .json = ctl->json ? &j : NULL,
                       .colours = ctl->colours};

    if (ctl->json) {
        ctl_json_begin(&j, "verify");
        json_string(&j, "segment", ctl_segment_name(&segment));
        json_bool(&j, "still", r.how.admin);
        json_array(&j, "findings");
    } else {
        table_begin(&table, "RULE WHERE >OFFSET >VALUE");
    }
    strait_verify(&segment.map, &r.how);
    if (ctl->json) {
        json_close(&j);
        json_u64(&j, "found", r.n);
        json_close(&j);
    } else {
        print_people(&r, ctl_segment_name(&segment));
    }
    ctl_close(&segment);
    return r.n ? CTL_DAMAGED : CTL_GOOD;
}

const struct ctl_command ctl_verify = {
    .name = "verify",
    .arguments = "SEGMENT",
    .summary = "Check every invariant of a segment; name what is broken and where it is defined",
    .help =
        "Reads only, takes no lock, and works while the segment is in use. Where nobody is attached, sets, roles and\n"
        "statuses are compared with each other, too. Exit 3: something is broken.\n"
        "\n"
        "  shmctl verify orders\n"
        "  shmctl verify orders --json | jq '.findings[].rule'\n",
    .least = 1,
    .most = 1,
    .run = run,
};
