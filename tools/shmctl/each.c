/* SPDX-License-Identifier: MIT */
/* Several segments: those of the command line, or of the directory; and what a command that lists them prints into. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shmctl.h"

static int ours(const struct dirent *e)
{
    return strncmp(e->d_name, STRAIT_FILE_PREFIX, sizeof STRAIT_FILE_PREFIX - 1) == 0 &&
           e->d_name[sizeof STRAIT_FILE_PREFIX - 1] != 0;
}

int ctl_each_path(const struct ctl *ctl, void (*act)(void *arg, const char *path), void *arg)
{
    struct dirent **files;
    char path[PATH_MAX];
    int n = scandir(ctl->directory, &files, ours, alphasort);

    if (n < 0) {
        ctl_say("%s: %s", ctl->directory, strerror(errno));
        return CTL_FINDING;
    }
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", ctl->directory, files[i]->d_name);
        free(files[i]);
        act(arg, path);
    }
    free(files);
    return CTL_GOOD;
}

int ctl_worse(int a, int b)
{
    return a > b ? a : b;
}

static int each_named(const struct ctl *ctl, ctl_look *look, void *arg)
{
    struct ctl_segment s;
    int worst = CTL_GOOD;

    for (unsigned i = 0; i < ctl->words; i++) {
        int r = ctl_open(ctl, ctl->word[i], &s);
        if (r == CTL_GOOD) {
            r = look(ctl, &s, arg);
            ctl_close(&s);
        }
        worst = ctl_worse(worst, r);
    }
    return worst;
}

struct walk {
    const struct ctl *ctl;
    ctl_look *look;
    void *arg;
    int worst;
};

static void look_at(void *arg, const char *path)
{
    struct walk *w = arg;
    struct strait_misfit misfit;
    struct ctl_segment s = {.snapshot = NULL};

    if (strait_segment_open(&s.map, path, false, false, &misfit) < 0)
        return; /* ls tells about it */
    w->worst = ctl_worse(w->worst, w->look(w->ctl, &s, w->arg));
    ctl_close(&s);
}

int ctl_each(const struct ctl *ctl, ctl_look *look, void *arg)
{
    struct walk w = {ctl, look, arg, CTL_GOOD};

    if (ctl->words)
        return each_named(ctl, look, arg);
    return ctl_worse(ctl_each_path(ctl, look_at, &w), w.worst);
}

/* ---- what lists ---- */

int ctl_list_each(const struct ctl *ctl, struct ctl_list *list, const char *array, const char *headings, ctl_look *look)
{
    int r;

    list->json = ctl->json ? &list->document : NULL;
    if (list->json) {
        ctl_json_begin(list->json, ctl->command->name);
        json_array(list->json, array);
    }
    if (headings)
        table_begin(&list->table, headings);
    r = ctl_each(ctl, look, list);
    if (list->json)
        json_close(list->json);
    list->empty = headings && list->table.at == list->table.columns;
    if (headings)
        table_end(&list->table, stdout, 0, ctl->colours);
    return r;
}

void ctl_list_end(struct ctl_list *list)
{
    if (list->json)
        json_close(list->json);
}
