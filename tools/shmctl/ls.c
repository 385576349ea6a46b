/* SPDX-License-Identifier: MIT */
/* shmctl ls: every segment in the directory, those that cannot be read with the reason. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "strait/atomic.h"

/** One file, as the list shows it. */
struct line {
    const char *file; /* without the prefix */
    struct ctl_segment segment;
    bool good;
    char reason[256];
    unsigned alive, dead, objects;
    uint64_t bytes, created_ns, id;
};

static void look_at(const char *path, struct line *line)
{
    struct strait_misfit misfit = {NULL, 0, 0};
    struct stat st;
    struct strait_object object;
    int r;

    *line = (struct line){.file = strrchr(path, '/') + sizeof STRAIT_FILE_PREFIX};
    line->bytes = lstat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    r = strait_segment_open(&line->segment.map, path, false, false, &misfit);
    if (r < 0) {
        ctl_explain(r, &misfit, line->reason, sizeof line->reason);
        return;
    }
    line->good = true;
    line->created_ns = strait_load64_relaxed(&strait_segment_header(&line->segment.map)->created_ns);
    line->id = strait_load64_relaxed(&strait_segment_header(&line->segment.map)->id);
    ctl_count_leases(&line->segment, &line->alive, &line->dead);
    for (uint32_t i = 0; i < line->segment.map.directory_max; i++)
        line->objects += strait_directory_at(&line->segment.map, i, &object) != -ENOENT;
    strait_segment_close(&line->segment.map);
}

static void print_json(struct json *j, const struct line *line)
{
    json_object(j, NULL);
    json_string(j, "name", line->file);
    json_u64(j, "bytes", line->bytes);
    json_bool(j, "readable", line->good);
    if (line->good) {
        json_u64(j, "id", line->id);
        json_u64(j, "created_ns", line->created_ns);
        json_u64(j, "objects", line->objects);
        json_u64(j, "leases_alive", line->alive);
        json_u64(j, "leases_dead", line->dead);
    } else {
        json_string(j, "reason", line->reason);
    }
    json_close(j);
}

static void print_row(struct table *t, const struct line *line)
{
    uint64_t now = ctl_real_ns(NULL);

    table_cell(t, TABLE_PLAIN, "%s", table_text(line->file, NAME_MAX));
    table_cell(t, TABLE_PLAIN, "%s", table_bytes(line->bytes));
    if (!line->good) {
        for (int i = 0; i < 4; i++)
            table_cell(t, TABLE_DIM, "-");
        table_cell(t, TABLE_RED, "%s", line->reason);
        return;
    }
    table_cell(t, TABLE_PLAIN, "%u", line->objects);
    table_cell(t, line->alive ? TABLE_GREEN : TABLE_DIM, "%u", line->alive);
    table_cell(t, line->dead ? TABLE_RED : TABLE_DIM, "%u", line->dead);
    table_cell(t, TABLE_PLAIN, "%s", now > line->created_ns ? table_age(now - line->created_ns) : "?");
    if (line->dead)
        table_cell(t, TABLE_YELLOW, "%u dead, not swept yet", line->dead);
    else
        table_cell(t, line->alive ? TABLE_GREEN : TABLE_DIM, line->alive ? "in use" : "nobody attached");
}

struct output {
    struct table table;
    struct json *json; /* or NULL */
    unsigned n;
};

static void look(void *arg, const char *path)
{
    struct output *out = arg;
    struct line line;

    look_at(path, &line);
    if (out->json)
        print_json(out->json, &line);
    else
        print_row(&out->table, &line);
    out->n++;
}

static int run(const struct ctl *ctl)
{
    struct json j;
    struct output out = {.json = ctl->json ? &j : NULL};
    int r;

    if (ctl->json) {
        ctl_json_begin(&j, "ls");
        json_string(&j, "directory", ctl->directory);
        json_array(&j, "segments");
    }
    table_begin(&out.table, "NAME >SIZE >OBJECTS >ALIVE >DEAD >AGE STATE");
    r = ctl_each_path(ctl, look, &out);
    table_end(&out.table, stdout, 0, ctl->colours);
    if (ctl->json) {
        json_close(&j);
        json_close(&j);
    } else if (out.n == 0 && r == CTL_GOOD) {
        printf("no segments in %s\n", ctl->directory);
    }
    return r;
}

const struct ctl_command ctl_ls = {
    .name = "ls",
    .arguments = "",
    .summary = "List the segments: size, objects, processes alive and dead",
    .help =
        "ALIVE counts the processes that are attached, DEAD those that died and were not swept yet. A file that is no\n"
        "segment, or one of another build, is listed with the reason.\n"
        "\n"
        "  shmctl ls                      what lies in /dev/shm\n"
        "  shmctl ls -d /run/app          what lies elsewhere\n"
        "  shmctl ls --json | jq '.segments[] | select(.leases_dead > 0).name'\n",
    .run = run,
};
