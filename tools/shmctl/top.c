/* SPDX-License-Identifier: MIT */
/* shmctl top, hz: what moves, live. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "sample.h"
#include "strait/layout.h"
#include "terminal.h"

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
    struct row *rows;
    unsigned n;
    const char *sort, *filter;
    double interval;
};

/* ---- rows ---- */

static const struct row *row_like(const struct top *t, const struct ctl_sample *s)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->rows[i].now.id == s->id && strcmp(t->rows[i].now.segment, s->segment) == 0)
            return &t->rows[i];
    return NULL;
}

static void continue_row(const struct top *t, const struct ctl_sample *s, struct row *row)
{
    const struct row *before = row_like(t, s);

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
    const struct row *x = a, *y = b;
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

/* CTL_GOOD, or what ctl_each says. */
static int look(struct top *t)
{
    struct ctl_samples now = {.channel = NULL};
    int r = ctl_each(t->ctl, ctl_sample, &now);
    struct row *rows = calloc(now.n + 1, sizeof *rows);
    unsigned n = 0;

    for (unsigned i = 0; rows && i < now.n; i++)
        if (wanted(t, &now.sample[i]))
            continue_row(t, &now.sample[i], &rows[n++]);
    ctl_samples_free(&now);
    free(t->rows);
    t->rows = rows;
    t->n = n;
    sort_key = t->sort;
    if (rows)
        qsort(rows, n, sizeof *rows, order);
    return r;
}

/* ---- print ---- */

static const char *rate_text(double rate)
{
    static char texts[4][16];
    static unsigned next;
    char *text = texts[next++ % 4];

    if (rate >= 1e6)
        snprintf(text, sizeof texts[0], "%.1f M", rate / 1e6);
    else if (rate >= 1e4)
        snprintf(text, sizeof texts[0], "%.1f k", rate / 1e3);
    else
        snprintf(text, sizeof texts[0], "%.0f", rate);
    return text;
}

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
    table_cell(t, TABLE_PLAIN, "%s", rate_text(row->sent));
    table_cell(t, TABLE_PLAIN, "%s", rate_text(row->received));
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
        print_row(&table, &t->rows[i], live);
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
        const struct ctl_sample *s = &t->rows[i].now;
        json_object(&j, NULL);
        json_string(&j, "segment", s->segment);
        json_string(&j, "channel", s->channel);
        json_double(&j, "sent_per_second", t->rows[i].sent);
        json_double(&j, "received_per_second", t->rows[i].received);
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

/* The table ends its lines by itself; each is to be cleared to its end. So draw into memory first. */
static void draw(const struct top *t)
{
    unsigned columns, rows;
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);

    if (out == NULL)
        return;
    terminal_size(&columns, &rows);
    print_rows(t, out, rows > 4 ? rows - 4 : 1, true);
    fclose(out);
    terminal_page();
    printf("shmctl top: %u channels, each %.3g s, by %s%s%s   %s/s sent, %s/s received   (s: sort, q: quit)", t->n,
           t->interval, t->sort, t->filter ? ", only " : "", t->filter ? t->filter : "", rate_text(sum(t, false)),
           rate_text(sum(t, true)));
    terminal_line();
    terminal_line();
    for (char *line = strtok(page, "\n"); line; line = strtok(NULL, "\n")) {
        fputs(line, stdout);
        terminal_line();
    }
    terminal_rest();
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
    free(t.rows);
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

/* ---- hz ---- */

static void print_hz(const struct ctl *ctl, double rate, double least, double most)
{
    if (ctl->json) {
        ctl_json_line(ctl);
        printf("\"per_second\": %.3f, \"least\": %.3f, \"most\": %.3f}\n", rate, least, most);
    } else {
        printf("%s/s (least %s, most %s)\n", rate_text(rate), rate_text(least), rate_text(most));
    }
    fflush(stdout);
}

static int run_hz(const struct ctl *ctl)
{
    double interval = ctl_seconds(ctl, "interval", 1), least = 1e300, most = 0;
    uint64_t times = ctl_number(ctl, "times", UINT64_MAX, 1, UINT64_MAX);
    struct ctl_samples before = {.channel = ctl->word[1]}, now = {.channel = ctl->word[1]};
    struct strait_object o;
    struct ctl_segment s;
    int r = ctl_open(ctl, ctl->word[0], &s);

    if (r != CTL_GOOD)
        return r;
    r = ctl_object(&s, ctl->word[1], STRAIT_KIND_CHANNEL, &o);
    ctl_catch_signals();
    ctl_sample(ctl, &s, &before);
    while (r == CTL_GOOD && times-- && !ctl_stop) {
        double rate;
        ctl_sleep(interval);
        ctl_samples_free(&now);
        ctl_sample(ctl, &s, &now);
        if (before.n == 0 || now.n == 0) {
            ctl_say("the channel has gone, or is damaged");
            r = CTL_FINDING;
            break;
        }
        rate = ctl_sample_rate(&before.sample[0], &now.sample[0], true);
        least = rate < least ? rate : least;
        most = rate > most ? rate : most;
        print_hz(ctl, rate, least, most);
        before.sample[0] = now.sample[0];
    }
    ctl_samples_free(&before);
    ctl_samples_free(&now);
    ctl_close(&s);
    return r;
}

const struct ctl_command ctl_hz = {
    .name = "hz",
    .arguments = "NAME CHANNEL",
    .summary = "How many messages a second a channel carries",
    .help = "Exact, not sampled: from the turns of the slots.\n"
            "\n"
            "  shmctl hz demo jobs\n"
            "  shmctl hz demo jobs --times 1 --json | jq .per_second\n",
    .least = 2,
    .most = 2,
    .run = run_hz,
    .options = (const struct ctl_option[]){{"interval", 'i', "S", "seconds; default 1"},
                                           {"times", 'n', "N", "so many lines, then end"},
                                           {NULL}},
};
