/* SPDX-License-Identifier: MIT */
/* shmctl top: what moves, live. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "sample.h"
#include "strait/layout.h"
#include "terminal.h"
#include "watch.h"

#define BAR     10
#define HISTORY 12 /* intervals of the sparkline */

/** A channel over time. */
struct row {
    struct ctl_sample now;
    double sent, received; /* a second */
    double history[HISTORY];
};

struct top {
    const struct ctl *ctl;
    struct ctl_watch watch;
    struct row *rows, **sorted; /* as the segments have them, and as they are shown */
    unsigned n;
    const char *sort, *filter;
    double interval;
};

/* ---- rows ---- */

/* Mostly the one in the same place. */
static const struct row *row_like(const struct top *t, const struct ctl_sample *s, unsigned place)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct row *row = &t->rows[(place + i) % t->n];
        if (row->now.id == s->id && strcmp(row->now.segment, s->segment) == 0)
            return row;
    }
    return NULL;
}

static void continue_row(const struct top *t, const struct ctl_sample *s, struct row *row, unsigned place)
{
    const struct row *before = row_like(t, s, place);

    *row = (struct row){.now = *s};
    if (before == NULL)
        return;
    row->sent = ctl_sample_rate(&before->now, s, false);
    row->received = ctl_sample_rate(&before->now, s, true);
    memcpy(row->history, before->history + 1, sizeof row->history - sizeof row->history[0]);
    row->history[HISTORY - 1] = row->received;
}

static bool wanted(const struct top *t, const struct ctl_sample *s)
{
    return t->filter == NULL || strstr(s->channel, t->filter) || strstr(s->segment, t->filter);
}

static const char *sort_key;

static int order(const void *a, const void *b)
{
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    double left = x->received, right = y->received;

    if (strcmp(sort_key, "depth") == 0) {
        left = (double)x->now.used / (double)(x->now.capacity ? x->now.capacity : 1);
        right = (double)y->now.used / (double)(y->now.capacity ? y->now.capacity : 1);
    } else if (strcmp(sort_key, "drops") == 0) {
        left = (double)x->now.dropped;
        right = (double)y->now.dropped;
    } else if (strcmp(sort_key, "name") == 0) {
        left = right = 0;
    }
    if (left != right)
        return left < right ? 1 : -1;
    return strcmp(x->now.segment, y->now.segment) ? strcmp(x->now.segment, y->now.segment)
                                                  : strcmp(x->now.channel, y->now.channel);
}

static void sort(struct top *t)
{
    sort_key = t->sort;
    for (unsigned i = 0; i < t->n; i++)
        t->sorted[i] = &t->rows[i];
    qsort(t->sorted, t->n, sizeof(struct row *), order);
}

/* CTL_GOOD, or what ctl_watch_each says. */
static int look(struct top *t)
{
    struct ctl_samples now = {.channel = NULL};
    int r = ctl_watch_each(&t->watch, ctl_sample, &now);
    struct row *rows = calloc(now.n + 1, sizeof *rows), **sorted = calloc(now.n + 1, sizeof(struct row *));
    unsigned n = 0;

    for (unsigned i = 0; rows && sorted && i < now.n; i++)
        if (wanted(t, &now.sample[i])) {
            continue_row(t, &now.sample[i], &rows[n], n);
            n++;
        }
    ctl_samples_free(&now);
    free(t->rows);
    free(t->sorted);
    t->rows = rows;
    t->sorted = sorted;
    t->n = n;
    sort(t);
    return r;
}

/* ---- print ---- */

/* On the live page in eighths of a character; elsewhere in what every font has. */
static const char *bar(const struct ctl_sample *s, bool live)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    static char text[3 * (BAR + 2) + 1];
    uint64_t steps = live ? 8 : 1, n = s->capacity ? s->used * BAR * steps / s->capacity : 0;

    n += n == 0 && s->used;
    strcpy(text, live ? "▕" : "[");
    for (uint64_t i = 0; i < n / steps; i++)
        strcat(text, live ? "█" : "#");
    strcat(text, eighths[n % steps]);
    for (uint64_t i = (n + steps - 1) / steps; i < BAR; i++)
        strcat(text, live ? " " : ".");
    strcat(text, live ? "▏" : "]");
    return text;
}

/* Full, or more than half full, is worth a look. */
static enum table_colour bar_colour(const struct ctl_sample *s)
{
    return s->used == s->capacity ? TABLE_RED : s->used * 2 > s->capacity ? TABLE_YELLOW : TABLE_GREEN;
}

static const char *sparkline(const struct row *row)
{
    static const char *const steps[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static char text[HISTORY * 3 + 1];
    double most = 0;

    text[0] = 0;
    for (unsigned i = 0; i < HISTORY; i++)
        most = row->history[i] > most ? row->history[i] : most;
    for (unsigned i = 0; i < HISTORY; i++)
        strcat(text, steps[most > 0 ? (unsigned)(row->history[i] * 8 / most + 0.499) % 9 : 0]);
    return text;
}

static void print_row(struct table *t, const struct row *row, bool live)
{
    const struct ctl_sample *s = &row->now;

    table_cell(t, TABLE_PLAIN, "%s", s->segment);
    table_cell(t, TABLE_BOLD, "%s", s->channel);
    table_cell(t, TABLE_PLAIN, "%s", ctl_rate_text(row->sent));
    table_cell(t, TABLE_PLAIN, "%s", ctl_rate_text(row->received));
    table_cell(t, TABLE_DIM, "%s", sparkline(row));
    table_cell(t, bar_colour(s), "%s", bar(s, live));
    table_cell(t, TABLE_PLAIN, "%" PRIu64 "/%" PRIu64, s->used, s->capacity);
    table_cell(t, s->senders_asleep ? TABLE_YELLOW : TABLE_PLAIN, "%u/%u", s->senders_asleep, s->senders);
    table_cell(t, TABLE_PLAIN, "%u/%u", s->receivers_asleep, s->receivers);
    table_cell(t, s->dropped ? TABLE_RED : TABLE_DIM, "%" PRIu64, s->dropped);
    table_cell(t, s->redelivered ? TABLE_YELLOW : TABLE_DIM, "%" PRIu64, s->redelivered);
    table_cell(t, s->status ? TABLE_YELLOW : TABLE_DIM, "%s",
               s->status & STRAIT_CHANNEL_CLOSED         ? "closed"
               : s->status & STRAIT_CHANNEL_NO_SENDERS   ? "no senders"
               : s->status & STRAIT_CHANNEL_NO_RECEIVERS ? "no receivers"
                                                         : "");
}

static void print_rows(const struct top *t, FILE *out, unsigned most, bool live)
{
    struct table table;

    table_begin(&table,
                "SEGMENT CHANNEL >SENT/S >RECV/S LATELY DEPTH >SLOTS >TX-ASLEEP >RX-ASLEEP >DROPS >REDELIV STATUS");
    for (unsigned i = 0; i < t->n && i < most; i++)
        print_row(&table, t->sorted[i], live);
    if (t->n == 0)
        fputs("no channels\n", out);
    table_end(&table, out, 0, t->ctl->colours);
}

static void print_json(const struct top *t)
{
    struct json j;

    ctl_json_begin(&j, "top");
    json_array(&j, "channels");
    for (unsigned i = 0; i < t->n; i++) {
        const struct row *row = t->sorted[i];
        const struct ctl_sample *s = &row->now;
        json_object(&j, NULL);
        json_string(&j, "segment", s->segment);
        json_string(&j, "channel", s->channel);
        json_double(&j, "sent_per_second", row->sent);
        json_double(&j, "received_per_second", row->received);
        json_u64(&j, "used", s->used);
        json_u64(&j, "capacity", s->capacity);
        json_u64(&j, "senders", s->senders);
        json_u64(&j, "senders_asleep", s->senders_asleep);
        json_u64(&j, "receivers", s->receivers);
        json_u64(&j, "receivers_asleep", s->receivers_asleep);
        json_u64(&j, "dropped", s->dropped);
        json_u64(&j, "redelivered", s->redelivered);
        json_u64(&j, "dead_letters", s->dead_letters);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}

/* ---- the live page ---- */

static double sum(const struct top *t, bool received)
{
    double all = 0;

    for (unsigned i = 0; i < t->n; i++)
        all += received ? t->rows[i].received : t->rows[i].sent;
    return all;
}

/* Drawn into memory first: the terminal gets the lines that have changed. */
static void draw(const struct top *t)
{
    unsigned columns, rows, n = 0;
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);

    if (out == NULL)
        return;
    terminal_size(&columns, &rows);
    fprintf(out, "shmctl top: %u channels, each %.3g s, by %s%s%s   %s/s sent, %s/s received   (s: sort, q: quit)\n\n",
            t->n, t->interval, t->sort, t->filter ? ", only " : "", t->filter ? t->filter : "",
            ctl_rate_text(sum(t, false)), ctl_rate_text(sum(t, true)));
    print_rows(t, out, rows > 4 ? rows - 4 : 1, true);
    fclose(out);
    for (char *line = page, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        terminal_line(n++, line);
    }
    terminal_rest(n);
    free(page);
}

static const char *next_sort(const char *sort)
{
    static const char *const sorts[] = {"rate", "depth", "drops", "name"};

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(sorts[i], sort) == 0)
            return sorts[(i + 1) % 4];
    return sorts[0];
}

static int live(struct top *t)
{
    int r = CTL_GOOD;

    while (!ctl_stop) {
        uint64_t end = strait_after_ns((uint64_t)(t->interval * 1e9));
        r = look(t);
        draw(t);
        for (uint64_t now = strait_now_ns(); !ctl_stop && now < end; now = strait_now_ns()) {
            int key = terminal_key((double)(end - now) / 1e9 + 0.001);
            if (key == 'q' || key == 4)
                ctl_stop = true;
            if (key != 's')
                continue;
            t->sort = next_sort(t->sort);
            sort(t);
            draw(t);
        }
    }
    terminal_end();
    return r;
}

static int plain(struct top *t, uint64_t times)
{
    int r = look(t);

    while (r == CTL_GOOD && times-- && !ctl_stop) {
        ctl_sleep(t->interval);
        r = look(t);
        if (t->ctl->json)
            print_json(t);
        else
            print_rows(t, stdout, UINT32_MAX, false);
        if (times && !t->ctl->json)
            putchar('\n');
        fflush(stdout);
    }
    return r;
}

static int run_top(const struct ctl *ctl)
{
    struct top t = {.ctl = ctl,
                    .watch = {.ctl = ctl},
                    .sort = ctl_given(ctl, "sort") ? ctl_given(ctl, "sort") : "rate",
                    .filter = ctl_given(ctl, "filter"),
                    .interval = ctl_seconds(ctl, "interval", 1)};
    uint64_t times = ctl_number(ctl, "times", 0, 1, UINT64_MAX);
    int r;

    if (strcmp(t.sort, "rate") && strcmp(t.sort, "depth") && strcmp(t.sort, "drops") && strcmp(t.sort, "name"))
        return ctl_usage("--sort is rate, depth, drops or name, not '%s'", t.sort);
    ctl_catch_signals();
    if (times == 0 && !ctl->json && terminal_begin())
        r = live(&t);
    else
        r = plain(&t, times ? times : UINT64_MAX);
    ctl_watch_end(&t.watch);
    free(t.rows);
    free(t.sorted);
    return r;
}

const struct ctl_command ctl_top = {
    .name = "top",
    .arguments = "[NAME]…",
    .summary = "Live, of every channel: rates, depth, who sleeps, drops, redeliveries",
    .help = "On a terminal a page that is drawn anew: s sorts otherwise, q ends. Elsewhere, or with --times, a table "
            "each time.\n"
            "TX-ASLEEP: senders that wait for space, of how many; RX-ASLEEP: receivers that wait for a message.\n"
            "Rates come from the turns of the slots: senders and receivers count nothing for it, and are not slowed.\n"
            "\n"
            "  shmctl top\n"
            "  shmctl top demo --sort depth --interval 0.5\n"
            "  shmctl top --times 1 --json | jq '.channels[] | select(.used == .capacity).channel'\n",
    .most = 64,
    .run = run_top,
    .options = (const struct ctl_option[]){{"interval", 'i', "S", "seconds; default 1"},
                                           {"times", 'n', "N", "so many tables, then end"},
                                           {"sort", 's', "KEY", "rate (default), depth, drops, name"},
                                           {"filter", 'f', "TEXT", "only channels and segments whose name has TEXT"},
                                           {NULL}},
};
