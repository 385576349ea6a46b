/* SPDX-License-Identifier: MIT */
/* With --per-host, jobs wait behind the others of their host, and those of other hosts pass them. */
#include "strait-fetch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct host {
    struct host *next;
    struct job *waiting, **waiting_end;
    uint32_t busy;
    char name[]; /* scheme and authority, as written */
};

static size_t name_bytes(const char *url)
{
    const char *at = strstr(url, "://");

    return at ? (size_t)(at - url) + 3 + strcspn(at + 3, "/?#") : strlen(url);
}

static struct host *host_of(struct run *run, const char *url)
{
    size_t n = name_bytes(url);
    struct host *h;

    for (h = run->hosts; h; h = h->next)
        if (strlen(h->name) == n && strncasecmp(h->name, url, n) == 0)
            return h;
    h = calloc(1, sizeof *h + n + 1);
    if (!h)
        return NULL; /* then it is not limited */
    memcpy(h->name, url, n);
    h->waiting_end = &h->waiting;
    h->next = run->hosts;
    run->hosts = h;
    return h;
}

/* False: it waits now. */
static bool admit(struct run *run, struct job *job)
{
    struct host *h;

    if (!run->options->per_host)
        return true;
    h = job->host = host_of(run, job->url);
    if (!h || h->busy < run->options->per_host) {
        if (h)
            h->busy++;
        return true;
    }
    job->next = NULL;
    *h->waiting_end = job;
    h->waiting_end = &job->next;
    return false;
}

struct job *hosts_next(struct run *run)
{
    struct job *job = run->released;

    if (job) { /* its host counts it already */
        run->released = job->next;
        if (!run->released)
            run->released_end = &run->released;
        return job;
    }
    while (run->next < run->n) {
        job = run->jobs[run->next++];
        if (admit(run, job))
            return job;
    }
    return NULL;
}

void hosts_done(struct run *run, struct job *job)
{
    struct host *h = job->host;
    struct job *next = h ? h->waiting : NULL;

    if (!h)
        return;
    if (!next) {
        h->busy--;
        return;
    }
    h->waiting = next->next;
    if (!h->waiting)
        h->waiting_end = &h->waiting;
    next->next = NULL;
    *run->released_end = next;
    run->released_end = &next->next;
}

void hosts_free(struct run *run)
{
    for (struct host *h = run->hosts, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    run->hosts = NULL;
}
