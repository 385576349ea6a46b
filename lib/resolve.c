/* SPDX-License-Identifier: MIT */
/*
 * The loop's thread owns the table of hosts. A lookup is handed to a helper thread and handed back under the mutex of
 * `desk`, which outlives the resolver: a thread stuck in getaddrinfo holds a reference, and the last one frees it.
 */
#include "resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "futex.h"
#include "strait/atomic.h"
#include "url.h"

#define KEEP_NS     UINT64_C(30000000000) /* getaddrinfo tells no time to live */
#define THREADS_MAX 8                     /* a dead name server holds one for many seconds */

struct lookup {
    struct lookup *next;
    char name[STRAIT_HOST_BYTES];
    char port[8];
    int error;
    struct addrinfo *addresses;
    struct strait_host *host; /* not touched by the helper */
};

struct desk {
    pthread_mutex_t mutex;
    struct lookup *asked, *answered; /* mutex */
    uint32_t threads, references;    /* mutex */
    bool closed;                     /* mutex */
    uint32_t bell;                   /* helpers add, the loop sleeps on it */
};

struct strait_host {
    struct strait_host *next;
    char name[STRAIT_HOST_BYTES];
    uint16_t port;
    bool asking;
    int error;
    uint64_t until_ns;
    uint32_t users; /* questions that look at addresses, or wait */
    struct addrinfo *addresses;
    struct strait_question *waiting;
};

struct strait_resolver {
    struct strait_op op; /* waits for desk->bell. first */
    struct strait_loop *loop;
    struct desk *desk;
    struct strait_host *hosts;
    uint32_t asking;
    uint32_t seen;
};

static void desk_put(struct desk *desk)
{
    bool last;

    pthread_mutex_lock(&desk->mutex);
    last = --desk->references == 0;
    pthread_mutex_unlock(&desk->mutex);
    if (!last)
        return;
    for (struct lookup *l = desk->answered, *next; l; l = next) {
        next = l->next;
        if (l->addresses)
            freeaddrinfo(l->addresses);
        free(l);
    }
    for (struct lookup *l = desk->asked, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    pthread_mutex_destroy(&desk->mutex);
    free(desk);
}

static int look_up(const char *name, const char *port, int flags, struct addrinfo **addresses)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};

    *addresses = NULL;
    return getaddrinfo(name, port, &hints, addresses);
}

static void *helper(void *arg)
{
    struct desk *desk = arg;
    struct lookup *l;

    pthread_mutex_lock(&desk->mutex);
    while ((l = desk->asked) != NULL && !desk->closed) {
        desk->asked = l->next;
        pthread_mutex_unlock(&desk->mutex);
        l->error = look_up(l->name, l->port, AI_ADDRCONFIG, &l->addresses);
        pthread_mutex_lock(&desk->mutex);
        l->next = desk->answered;
        desk->answered = l;
        strait_add32_seq_cst(&desk->bell, 1); /* seq_cst [XR1] alone: private memory, the mutex orders the answer */
        strait_futex_wake(&desk->bell, 1);
    }
    desk->threads--;
    pthread_mutex_unlock(&desk->mutex);
    desk_put(desk);
    return NULL;
}

/* Under the mutex. Signals belong to the program's own threads. */
static int start_helper(struct desk *desk)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attr, helper, desk);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        desk->threads++;
        desk->references++;
    }
    return -error;
}

static int ask(struct strait_resolver *r, struct strait_host *host)
{
    struct lookup *l = calloc(1, sizeof *l);
    int error = 0;

    if (!l)
        return -ENOMEM;
    memcpy(l->name, host->name, sizeof l->name);
    snprintf(l->port, sizeof l->port, "%u", host->port);
    l->host = host;
    pthread_mutex_lock(&r->desk->mutex);
    if (r->desk->threads < THREADS_MAX)
        error = start_helper(r->desk);
    if (error == 0 || r->desk->threads > 0) {
        l->next = r->desk->asked;
        r->desk->asked = l;
        l = NULL;
        error = 0;
    }
    pthread_mutex_unlock(&r->desk->mutex);
    free(l);
    if (error)
        return error;
    host->asking = true;
    r->asking++;
    return 0;
}

static void tell(struct strait_host *host)
{
    struct strait_question *q;

    host->users++; /* an answered question may close, and must not take the host away under us */
    while ((q = host->waiting) != NULL) {
        host->waiting = q->next;
        if (q->next)
            q->next->link = &host->waiting;
        q->link = NULL;
        q->answered(q, host->error, host->addresses);
    }
    host->users--;
}

static void arm(struct strait_resolver *r);

static void collect(struct strait_op *op, int res)
{
    struct strait_resolver *r = (struct strait_resolver *)op;
    struct lookup *answered;

    if (res == -ECANCELED)
        return;
    pthread_mutex_lock(&r->desk->mutex);
    r->seen = strait_load32_relaxed(&r->desk->bell);
    answered = r->desk->answered;
    r->desk->answered = NULL;
    pthread_mutex_unlock(&r->desk->mutex);
    for (struct lookup *l = answered, *next; l; l = next) {
        struct strait_host *host = l->host;
        next = l->next;
        host->asking = false;
        host->error = l->error;
        host->addresses = l->addresses;
        host->until_ns = l->error ? 0 : strait_after_ns(KEEP_NS);
        free(l);
        r->asking--;
        tell(host);
    }
    arm(r);
}

static void arm(struct strait_resolver *r)
{
    if (r->asking && !strait_op_pending(&r->op))
        strait_op_bell(r->loop, &r->op, &r->desk->bell, r->seen, STRAIT_FOREVER);
}

int strait_resolver_create(struct strait_resolver **resolver, struct strait_loop *loop)
{
    struct strait_resolver *r = calloc(1, sizeof *r);
    struct desk *desk = calloc(1, sizeof *desk);

    if (!r || !desk) {
        free(r);
        free(desk);
        return -ENOMEM;
    }
    pthread_mutex_init(&desk->mutex, NULL);
    desk->references = 1;
    r->desk = desk;
    r->loop = loop;
    r->op.done = collect;
    *resolver = r;
    return 0;
}

static void free_host(struct strait_host *host)
{
    if (host->addresses)
        freeaddrinfo(host->addresses);
    free(host);
}

/* After the loop is gone, or with nothing of ours in flight. */
void strait_resolver_destroy(struct strait_resolver *r)
{
    if (!r)
        return;
    for (struct strait_host *h = r->hosts, *next; h; h = next) {
        next = h->next;
        free_host(h);
    }
    pthread_mutex_lock(&r->desk->mutex);
    r->desk->closed = true;
    pthread_mutex_unlock(&r->desk->mutex);
    desk_put(r->desk);
    free(r);
}

/* The host's entry; drops what is old and unused on the way. */
static struct strait_host *find(struct strait_resolver *r, const char *name, uint16_t port)
{
    struct strait_host **at = &r->hosts, *host, *found = NULL;
    uint64_t now_ns = strait_now_ns();

    while ((host = *at) != NULL) {
        bool old = !host->asking && !host->users && host->until_ns <= now_ns;
        if (old) {
            *at = host->next;
            free_host(host);
            continue;
        }
        if (host->port == port && strcmp(host->name, name) == 0 && (host->asking || host->until_ns > now_ns))
            found = host;
        at = &host->next;
    }
    return found;
}

static struct strait_host *add(struct strait_resolver *r, const char *name, uint16_t port)
{
    struct strait_host *host = calloc(1, sizeof *host);
    char text[8];

    if (!host)
        return NULL;
    snprintf(host->name, sizeof host->name, "%s", name);
    snprintf(text, sizeof text, "%u", port);
    host->port = port;
    if (look_up(name, text, AI_NUMERICHOST, &host->addresses) == 0)
        host->until_ns = STRAIT_FOREVER;
    host->next = r->hosts;
    r->hosts = host;
    return host;
}

int strait_resolve(struct strait_resolver *r, struct strait_question *q, const char *name, uint16_t port,
                   const struct addrinfo **addresses)
{
    struct strait_host *host = find(r, name, port);
    int error = 0;

    if (!host)
        host = add(r, name, port);
    if (!host)
        return -ENOMEM;
    if (!host->addresses && !host->asking)
        error = ask(r, host);
    if (error)
        return error; /* the entry has no user and is dropped by the next find */
    host->users++;
    q->host = host;
    q->link = NULL;
    if (host->addresses) {
        *addresses = host->addresses;
        return 1;
    }
    q->next = host->waiting;
    q->link = &host->waiting;
    if (q->next)
        q->next->link = &q->next;
    host->waiting = q;
    arm(r);
    return 0;
}

void strait_question_close(struct strait_question *q)
{
    if (!q->host)
        return;
    if (q->link) {
        *q->link = q->next;
        if (q->next)
            q->next->link = q->link;
        q->link = NULL;
    }
    q->host->users--;
    q->host = NULL;
}
