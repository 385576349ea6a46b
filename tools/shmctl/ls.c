/* SPDX-License-Identifier: MIT */
/* shmctl ls: every segment in the directory, those that cannot be read with the reason. */
#include <dirent.h>
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

static void look(const struct ctl *ctl, const char *file, struct line *line)
{
    struct strait_misfit misfit = {NULL, 0, 0};
    char path[PATH_MAX];
    struct stat st;
    struct strait_object object;
    int r;

    *line = (struct line){.file = file + sizeof STRAIT_FILE_PREFIX - 1};
    snprintf(path, sizeof path, "%s/%s", ctl->directory, file);
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

static int ours(const struct dirent *e)
{
    return strncmp(e->d_name, STRAIT_FILE_PREFIX, sizeof STRAIT_FILE_PREFIX - 1) == 0 &&
           e->d_name[sizeof STRAIT_FILE_PREFIX - 1] != 0;
}

static int run(const struct ctl *ctl)
{
    struct dirent **files;
    struct table table;
    struct json j;
    struct line line;
    int n = scandir(ctl->directory, &files, ours, alphasort);

    if (n < 0) {
        ctl_say("%s: %s", ctl->directory, strerror(errno));
        return CTL_FINDING;
    }
    if (ctl->json) {
        ctl_json_begin(&j, "ls");
        json_string(&j, "directory", ctl->directory);
        json_array(&j, "segments");
    }
    table_begin(&table, "NAME >SIZE >OBJECTS >ALIVE >DEAD >AGE STATE");
    for (int i = 0; i < n; i++) {
        look(ctl, files[i]->d_name, &line);
        if (ctl->json)
            print_json(&j, &line);
        else
            print_row(&table, &line);
        free(files[i]);
    }
    free(files);
    table_end(&table, stdout, 0, ctl->colours);
    if (ctl->json) {
        json_close(&j);
        json_close(&j);
    } else if (n == 0) {
        printf("no segments in %s\n", ctl->directory);
    }
    return CTL_GOOD;
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
