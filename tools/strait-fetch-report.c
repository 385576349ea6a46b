/* SPDX-License-Identifier: MIT */
/* The summary, for people or as JSON. */
#include "strait-fetch.h"

#include <stdlib.h>
#include <string.h>

struct totals {
    uint32_t ok, restarted, twice;
    uint32_t kinds[STRAIT_FETCH_KINDS];
    uint64_t bytes;
    double seconds, p50_ms, p99_ms;
};

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_ms(const uint64_t *sorted, uint32_t n, uint32_t percent)
{
    uint64_t at = n ? (uint64_t)(n - 1) * percent / 100 : 0;

    return n ? (double)sorted[at] / 1e6 : 0;
}

/* Latencies are those of the successes: from asking to the last byte, waiting for a worker included. */
static struct totals add_up(const struct run *run)
{
    struct totals t = {.seconds = (double)run->took_ns / 1e9};
    uint64_t *took = calloc(run->n ? run->n : 1, sizeof *took);

    for (uint32_t i = 0; i < run->n; i++) {
        const struct job *job = run->jobs[i];
        if (job->kind < STRAIT_FETCH_KINDS)
            t.kinds[job->kind] += job->ends > 0;
        t.restarted += job->restarts > 0;
        t.twice += job->ends > 1;
        if (!job->ends || job->kind != STRAIT_FETCH_OK)
            continue;
        t.bytes += job->bytes;
        if (took)
            took[t.ok] = job->took_ns;
        t.ok++;
    }
    if (took) {
        qsort(took, t.ok, sizeof *took, by_size);
        t.p50_ms = percentile_ms(took, t.ok, 50);
        t.p99_ms = percentile_ms(took, t.ok, 99);
    }
    free(took);
    return t;
}

static void json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            fprintf(to, "\\u%04x", c); /* a byte that is no text stays one character */
        else
            fputc(c, to);
    }
    fputc('"', to);
}

/* "heads": what each answer said about itself. A field that comes twice is there twice, so it is a list of pairs. */
static void json_heads(const struct run *run, FILE *to)
{
    const char *comma = "";

    fprintf(to, ", \"heads\": [");
    for (uint32_t i = 0; i < run->n; i++) {
        const struct job *job = run->jobs[i];
        const char *between = "";
        char *fields, *rest;
        if (!job->ends || job->kind != STRAIT_FETCH_OK)
            continue;
        fprintf(to, "%s\n  {\"url\": ", comma);
        json_text(to, job->url);
        fprintf(to, ", \"status\": %u, \"bytes\": %llu, \"fields\": [", job->status, (unsigned long long)job->bytes);
        fields = rest = strdup(job->fields ? job->fields : "");
        for (char *line; rest && (line = strsep(&rest, "\n")) != NULL;) {
            char *value = strstr(line, ": ");
            if (!value)
                continue;
            *value = 0;
            fprintf(to, "%s[", between);
            json_text(to, line);
            fprintf(to, ", ");
            json_text(to, value + 2);
            fputc(']', to);
            between = ", ";
        }
        free(fields);
        fprintf(to, "]}");
        comma = ",";
    }
    fprintf(to, "]");
}

static void report_json(const struct run *run, const struct totals *t, FILE *to)
{
    const char *comma = "";

    fprintf(to,
            "{\"urls\": %u, \"ok\": %u, \"failed\": %u, \"bytes\": %llu, \"seconds\": %.6f, \"p50_ms\": %.3f, "
            "\"p99_ms\": %.3f, \"workers\": %u, \"workers_died\": %u, \"redelivered\": %u, "
            "\"answered_twice\": %u, \"errors\": {",
            run->n, t->ok, run->failed, (unsigned long long)t->bytes, t->seconds, t->p50_ms, t->p99_ms,
            run->options->workers, run->died, t->restarted, t->twice);
    for (uint32_t kind = 1; kind < STRAIT_FETCH_KINDS; kind++)
        if (t->kinds[kind]) {
            fprintf(to, "%s\"%s\": %u", comma, strait_fetch_kind_name(kind), t->kinds[kind]);
            comma = ", ";
        }
    fprintf(to, "}, \"failures\": [");
    comma = "";
    for (uint32_t i = 0; i < run->n; i++) {
        const struct job *job = run->jobs[i];
        if (!job->ends || job->kind == STRAIT_FETCH_OK)
            continue;
        fprintf(to, "%s\n  {\"url\": ", comma);
        json_text(to, job->url);
        fprintf(to, ", \"kind\": \"%s\", \"error\": %d, \"status\": %u, \"text\": ", strait_fetch_kind_name(job->kind),
                job->error, job->status);
        json_text(to, job->why ? job->why : "");
        fputc('}', to);
        comma = ",";
    }
    fprintf(to, "]");
    if (run->options->heads)
        json_heads(run, to);
    fprintf(to, "}\n");
}

static void text_heads(const struct run *run, FILE *to)
{
    for (uint32_t i = 0; i < run->n; i++) {
        const struct job *job = run->jobs[i];
        if (job->ends && job->kind == STRAIT_FETCH_OK)
            fprintf(to, "%s\nstatus: %u\n%s\n", job->url, job->status, job->fields ? job->fields : "");
    }
}

static void report_text(const struct run *run, const struct totals *t, FILE *to)
{
    char size[16], rate[16];

    if (run->options->heads)
        text_heads(run, to);
    fprintf(to, "%u of %u fetched, %u failed; %s in %.2f s (%s/s, %.0f URLs/s); latency p50 %.2f ms, p99 %.2f ms\n",
            t->ok, run->n, run->failed, progress_size(size, t->bytes), t->seconds,
            progress_size(rate, t->seconds > 0 ? (uint64_t)((double)t->bytes / t->seconds) : 0),
            t->seconds > 0 ? (double)t->ok / t->seconds : 0, t->p50_ms, t->p99_ms);
    if (run->failed) {
        fprintf(to, "errors:");
        for (uint32_t kind = 1; kind < STRAIT_FETCH_KINDS; kind++)
            if (t->kinds[kind])
                fprintf(to, " %s %u", strait_fetch_kind_name(kind), t->kinds[kind]);
        fprintf(to, "\n");
    }
    if (run->died)
        fprintf(to, "%u workers died; %u transfers were taken over by others\n", run->died, t->restarted);
}

void report(const struct run *run, FILE *to)
{
    struct totals t = add_up(run);

    if (run->options->json)
        report_json(run, &t, to);
    else
        report_text(run, &t, to);
}
