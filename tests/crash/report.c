/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <string.h>

typedef unsigned long long ull;

static const char *schedule_name(uint32_t schedule)
{
    static const char *const names[] = {
        "A killed",   "B whole, A goes on",        "B whole, A killed", "B whole and killed, A goes on",
        "A, B, A, B", "A, B, A killed, B goes on", "A, B, both killed"};
    return schedule < sizeof(names) / sizeof(*names) ? names[schedule] : "?";
}

static bool alike(const struct failure *a, const struct failure *b)
{
    return a->scene == b->scene && a->verdict == b->verdict && a->schedule == b->schedule && !strcmp(a->text, b->text);
}

static void tell(FILE *to, const struct scene *scenes, const struct failure *list, uint64_t n, const char *what)
{
    n = n < EXPLORE_FAILURES ? n : EXPLORE_FAILURES;
    for (uint64_t i = 0; i < n; i++) {
        const struct failure *f = &list[i];
        bool told = false;
        uint64_t times = 1;
        for (uint64_t k = 0; k < i; k++)
            told = told || alike(f, &list[k]);
        for (uint64_t k = i + 1; k < n; k++)
            times += alike(f, &list[k]);
        if (told)
            continue;
        fprintf(to, "%s: %s: %s%s at instruction %llu", scenes[f->scene].row, scenes[f->scene].state, what,
                verdict_name((enum verdict)f->verdict), (ull)f->n);
        if (f->schedule >= SCHEDULE_TWO)
            fprintf(to, "/%llu", (ull)f->m);
        fprintf(to, " (%s; %s)", f->where, schedule_name(f->schedule));
        if (times > 1)
            fprintf(to, " and %llu more", (ull)times - 1);
        fprintf(to, ": %s\n", f->text);
    }
}

void report_failures(FILE *to, const struct scene *scenes, const struct totals *t)
{
    tell(to, scenes, t->failures, t->failures_n, "");
    tell(to, scenes, t->late, t->late_n, "tried again, once ");
}

void report_scenes(FILE *to, const struct scene *scenes, size_t n, const struct totals *t)
{
    for (size_t i = 0; i < n; i++) {
        const struct scene_result *r = &t->scene[i];
        if (r->points || r->schedules || r->failures)
            fprintf(to, "%-34s %-38s %6llu instructions %6llu points %6llu schedules %4llu failed %8.2f s\n",
                    scenes[i].row, scenes[i].state, (ull)r->window, (ull)r->points, (ull)r->schedules, (ull)r->failures,
                    (double)r->cpu_ns / 1e9);
    }
}

void report_summary(FILE *to, const struct totals *t)
{
    uint64_t rest = t->verdicts[VERDICT_ORDER] + t->verdicts[VERDICT_LEAKED] + t->verdicts[VERDICT_BROKEN];
    fprintf(
        to,
        "kill points tried %llu, schedules tried %llu, lost %llu, duplicated %llu, torn %llu, hung %llu, other %llu",
        (ull)t->points, (ull)t->schedules, (ull)t->verdicts[VERDICT_LOST], (ull)t->verdicts[VERDICT_DUPLICATED],
        (ull)t->verdicts[VERDICT_TORN], (ull)t->verdicts[VERDICT_HUNG], (ull)rest);
    if (t->late_n)
        fprintf(to, ", tried again because late %llu", (ull)t->late_n);
    fprintf(to, ", longest wait of a survivor %.0f ms (%.1f s, %.0f a second)\n", (double)t->waited_ns / 1e6,
            t->seconds, (double)(t->points + t->schedules) / t->seconds);
}

static void json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', to);
        if ((unsigned char)*text >= ' ')
            fputc(*text, to);
    }
    fputc('"', to);
}

void report_json(FILE *to, const struct scene *scenes, size_t n, const struct totals *t)
{
    fprintf(to,
            "{\"points\":%llu,\"schedules\":%llu,\"retried\":%llu,\"waited_ms\":%.1f,\"seconds\":%.2f,\"verdicts\":{",
            (ull)t->points, (ull)t->schedules, (ull)t->late_n, (double)t->waited_ns / 1e6, t->seconds);
    for (int v = VERDICT_GOOD; v < VERDICTS; v++)
        fprintf(to, "%s\"%s\":%llu", v ? "," : "", verdict_name((enum verdict)v), (ull)t->verdicts[v]);
    fprintf(to, "},\"scenes\":[");
    for (size_t i = 0, first = 1; i < n; i++) {
        const struct scene_result *r = &t->scene[i];
        if (!r->points && !r->schedules && !r->failures)
            continue;
        fprintf(to, "%s{\"row\":", first ? "" : ",");
        json_text(to, scenes[i].row);
        fprintf(to, ",\"state\":");
        json_text(to, scenes[i].state);
        fprintf(to, ",\"window\":%llu,\"points\":%llu,\"schedules\":%llu,\"failures\":%llu,\"cpu_s\":%.3f}",
                (ull)r->window, (ull)r->points, (ull)r->schedules, (ull)r->failures, (double)r->cpu_ns / 1e9);
        first = 0;
    }
    fprintf(to, "]}\n");
}
