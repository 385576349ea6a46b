/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "snapshot.h"

#define SEARCH_NS UINT64_C(1000000000)

/* Is the file that is mapped still the one of its name, and as long? Reading on behind its end would be SIGBUS. */
static bool there(const struct ctl_segment *s)
{
    uint64_t bytes = s->map.bytes + (s->snapshot ? CTL_SNAPSHOT_HEAD : 0);
    struct stat st;

    return s->map.base && stat(s->map.path, &st) == 0 && st.st_dev == s->map.device && st.st_ino == s->map.inode &&
           (uint64_t)st.st_size == bytes;
}

static void let_go(struct ctl_segment *s)
{
    if (s->map.base)
        ctl_close(s);
    s->map.base = NULL;
}

static void end(struct ctl_segment **segment, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (segment[i] == NULL)
            continue;
        let_go(segment[i]);
        free(segment[i]);
    }
    free(segment);
}

/* A new one at the end: not mapped yet. NULL = no memory. */
static struct ctl_segment **add(struct ctl_watch *w)
{
    struct ctl_segment **more = realloc(w->segment, (w->n + 1) * sizeof(struct ctl_segment *));

    if (more == NULL)
        return NULL;
    w->segment = more;
    more[w->n] = calloc(1, sizeof(struct ctl_segment));
    return more[w->n] ? &more[w->n++] : NULL;
}

/* ---- those of the directory ---- */

struct search {
    struct ctl_watch now;
    struct ctl_segment **old; /* NULL where it has been taken over */
    unsigned n, next;
};

/* Both are in one order, so the one that is looked for is mostly the next. */
static struct ctl_segment *old_of(struct search *s, const char *path)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct ctl_segment **at = &s->old[(s->next + i) % s->n], *found = *at;
        if (found == NULL || strcmp(found->map.path, path) != 0)
            continue;
        s->next = (unsigned)(at - s->old) + 1;
        *at = NULL;
        return found;
    }
    return NULL;
}

static void found(void *arg, const char *path)
{
    struct search *s = arg;
    struct ctl_segment *old = old_of(s, path), **now = add(&s->now);

    if (now == NULL || old == NULL) {
        if (now)
            strcpy((*now)->map.path, path);
        return;
    }
    free(*now);
    *now = old;
}

static int search(struct ctl_watch *w)
{
    struct search s = {.old = w->segment, .n = w->n};
    int r = ctl_each_path(w->ctl, found, &s);

    w->segment = s.now.segment;
    w->n = s.now.n;
    w->search_ns = strait_after_ns(SEARCH_NS);
    end(s.old, s.n);
    return r;
}

/* Mapped, and still what it was; it is not, and cannot be mapped now: false. What is none of ours ls tells about. */
static bool open_again(struct ctl_segment *s)
{
    char path[sizeof s->map.path];
    struct strait_misfit misfit;

    if (there(s))
        return true;
    let_go(s);
    strcpy(path, s->map.path); /* which opening writes into */
    if (strait_segment_open(&s->map, path, false, false, &misfit) == 0)
        return true;
    s->map.base = NULL;
    return false;
}

/* ---- both ---- */

static int open_named(struct ctl_watch *w, unsigned i)
{
    int r;

    if (there(w->segment[i]))
        return CTL_GOOD;
    let_go(w->segment[i]);
    r = ctl_open(w->ctl, w->ctl->word[i], w->segment[i]);
    if (r != CTL_GOOD)
        w->segment[i]->map.base = NULL;
    return r;
}

int ctl_watch_each(struct ctl_watch *w, ctl_look *look, void *arg)
{
    int worst = CTL_GOOD;

    while (w->n < w->ctl->words)
        if (add(w) == NULL)
            return CTL_FINDING;
    if (w->ctl->words == 0 && strait_now_ns() >= w->search_ns)
        worst = search(w);
    for (unsigned i = 0; i < w->n; i++) {
        int r = w->ctl->words ? open_named(w, i) : CTL_GOOD;
        if (r == CTL_GOOD && (w->ctl->words || open_again(w->segment[i])))
            r = look(w->ctl, w->segment[i], arg);
        worst = ctl_worse(worst, r);
    }
    return worst;
}

void ctl_watch_end(struct ctl_watch *w)
{
    end(w->segment, w->n);
    *w = (struct ctl_watch){.ctl = w->ctl};
}
