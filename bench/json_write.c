/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

static void put_text(FILE *f, const char *key, const char *text)
{
    fprintf(f, "\"%s\":\"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        if ((unsigned char)*text >= ' ')
            fputc(*text, f);
    }
    fputc('"', f);
}

static const char *who(unsigned flags)
{
    return flags & BENCH_OURS ? "ours" : flags & BENCH_FLOOR ? "floor" : "peer";
}

static const char *const outcomes[] = {"fine", "absent", "not run", "broken"};

static void put_measured(FILE *f, const struct bench_row *row)
{
    fprintf(f, ",\"place\":\"%s\",\"line_ns\":%.1f,\"pieces\":%u,\"pieces_all\":%u", bench_place_name(row->place),
            row->line, row->pieces, row->pieces_all);
    fprintf(f, ",\"value\":%.6g,\"spread\":%.6g,\"worst\":%.6g,\"cpu\":%.4f,\"cpu_rx\":%.4f", row->value, row->spread,
            row->worst, row->cpu, row->cpu_rx);
    if (!row->has_latency)
        return;
    fprintf(f, ",\"latency_ns\":[");
    for (unsigned i = 0; i < BENCH_SHARES; i++)
        fprintf(f, "%s%.1f", i ? "," : "", row->latency[i]);
    fputc(']', f);
}

static void put_row(FILE *f, const struct bench_row *row)
{
    fputs("  {", f);
    put_text(f, "scenario", row->scenario);
    fputc(',', f);
    put_text(f, "name", row->name);
    fprintf(f, ",\"who\":\"%s\",\"flags\":%u,\"bytes\":%zu,\"case_depth\":%u,\"depth\":%u,\"state_bytes\":%zu,",
            who(row->flags), row->flags, row->bytes, row->case_depth, row->depth, row->state_bytes);
    put_text(f, "setting", row->setting);
    fputc(',', f);
    put_text(f, "note", row->note);
    fputc(',', f);
    put_text(f, "unit", row->unit);
    fprintf(f, ",\"better\":\"%s\",\"outcome\":\"%s\"", row->better == BENCH_LOWER ? "lower" : "higher",
            outcomes[row->outcome]);
    if (row->outcome != BENCH_FINE) {
        fputc(',', f);
        put_text(f, "why", row->why);
    } else {
        put_measured(f, row);
    }
    fputc('}', f);
}

static void put_head(FILE *f, const struct bench_results *results)
{
    const struct bench_machine *m = &results->machine;
    fprintf(f, "{\"schema\":\"%s\",\n \"when\":\"%s\",", BENCH_JSON_SCHEMA, results->when);
    put_text(f, "command", results->command);
    fprintf(f, ",\"quick\":%s,\n \"machine\":{", results->quick ? "true" : "false");
    put_text(f, "cpu_model", m->cpu_model);
    fputc(',', f);
    put_text(f, "kernel", m->kernel);
    fprintf(f, ",\"cpus_n\":%u,\"cpu_a\":%d,\"cpu_b\":%d},\n \"shares\":[", m->cpus_n, m->cpus[0], m->cpus[1]);
    for (unsigned i = 0; i < BENCH_SHARES; i++)
        fprintf(f, "%s%g", i ? "," : "", bench_shares[i]);
    fputs("],\n \"rows\":[\n", f);
}

int bench_json_write(const struct bench_results *results, const char *path)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.%d", path, getpid());
    FILE *f = fopen(temporary, "we");
    if (f) {
        put_head(f, results);
        for (unsigned i = 0; i < results->rows_n; i++) {
            put_row(f, &results->rows[i]);
            fputs(i + 1 < results->rows_n ? ",\n" : "\n", f);
        }
        fputs(" ]}\n", f);
    }
    int wrong = !f || ferror(f);
    if (f && fclose(f))
        wrong = 1;
    if (!wrong && rename(temporary, path) == 0)
        return 0;
    int error = errno ? errno : EIO;
    fprintf(stderr, "strait-bench: cannot write %s: %s\n", path, strerror(error));
    if (f)
        unlink(temporary);
    return -error;
}
