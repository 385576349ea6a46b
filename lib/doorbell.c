/* SPDX-License-Identifier: MIT */
#include "doorbell.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mutex.h"

#ifndef SYS_futex_waitv /* musl 1.2.3 does not know it; the number is the same on every machine */
#define SYS_futex_waitv 449
#endif

#define WORDS       127 /* FUTEX_WAITV_MAX less the helper's own word */
#define PULSE_NS    UINT64_C(100000000)
#define STACK_BYTES (64 * 1024)
#define FUTEX_U32   2 /* FUTEX_32, and not private: bells lie in shared memory */

struct helper {
    struct strait_doorbell *doorbell;
    struct helper *next;
    pthread_t thread;
    uint32_t control; /* futex: raised when the helper is to look at its watches again */
    uint32_t removed; /* raised when a watch was taken from it */
    uint32_t n;
    bool idle; /* without waitv: asleep on `control`, and not on a word */
    struct strait_watch *watches[WORDS];
};

/* `lock` guards everything. */
struct strait_doorbell {
    uint32_t lock;
    bool closing;
    bool waitv; /* the kernel has futex_waitv */
    struct helper *helpers;
};

static int waitv(struct futex_waitv *words, uint32_t n, uint64_t timeout_ns)
{
    uint64_t until = strait_after_ns(timeout_ns);
    struct timespec t = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    long r = syscall(SYS_futex_waitv, words, n, 0, timeout_ns == STRAIT_FOREVER ? NULL : &t, CLOCK_MONOTONIC);

    return r < 0 ? -errno : (int)r;
}

/* ---- a helper. Under the lock, where nothing else is said ---- */

static void drop_watch(struct helper *h, struct strait_watch *w)
{
    h->watches[w->at] = h->watches[--h->n];
    h->watches[w->at]->at = w->at;
    w->helper = NULL;
}

static void ring(struct helper *h, struct strait_watch *w)
{
    drop_watch(h, w);
    w->rung(w);
}

/* The word of a watch lies in a mapping that its owner keeps while it is watched. */
static bool differs(const struct strait_watch *w)
{
    return strait_load32_acquire(w->word) != w->expected; /* acquire [Z1] <- [B7] wake: raised before the wake */
}

static void ring_what_differs(struct helper *h)
{
    for (uint32_t i = 0; i < h->n;)
        if (differs(h->watches[i]))
            ring(h, h->watches[i]);
        else
            i++;
}

static bool has_pulse(const struct helper *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->watches[i]->pulse)
            return true;
    return false;
}

static void pulse(struct helper *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->watches[i]->pulse)
            h->watches[i]->pulse(h->watches[i]);
}

static struct strait_watch *find(const struct helper *h, const uint32_t *word)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->watches[i]->word == word)
            return h->watches[i];
    return NULL;
}

/* Has a word that is watched no more changed since? Its memory may be gone: ask the kernel. */
static bool changed_since(const struct futex_waitv *w)
{
    return strait_futex_wait((uint32_t *)(uintptr_t)w->uaddr, (uint32_t)w->val, 1) == -EAGAIN;
}

/* What we slept on: words[0] is our own. A wake for a word that is watched no more was somebody else's: pass it on. */
static void answer(struct helper *h, const struct futex_waitv *words, int n, int woken, uint32_t removed)
{
    struct strait_watch *w = woken > 0 ? find(h, (const uint32_t *)(uintptr_t)words[woken].uaddr) : NULL;

    for (int i = 1; i < n && h->removed != removed; i++) {
        uint32_t *word = (uint32_t *)(uintptr_t)words[i].uaddr;
        if (find(h, word) == NULL && (i == woken || changed_since(&words[i])))
            strait_futex_wake(word, 1);
    }
    if (w)
        ring(h, w); /* woken, whether or not the word has changed */
}

/* One sleep on all words at once. */
static void sleep_on_all(struct helper *h)
{
    struct futex_waitv words[WORDS + 1];
    uint32_t removed = h->removed, n = 1;
    uint64_t timeout = has_pulse(h) ? PULSE_NS : STRAIT_FOREVER;
    int r;

    words[0] = (struct futex_waitv){.val = h->control, .uaddr = (uintptr_t)&h->control, .flags = FUTEX_U32};
    for (uint32_t i = 0; i < h->n; i++, n++)
        words[n] = (struct futex_waitv){
            .val = h->watches[i]->expected, .uaddr = (uintptr_t)h->watches[i]->word, .flags = FUTEX_U32};
    strait_mutex_unlock(&h->doorbell->lock);
    r = waitv(words, n, timeout);
    strait_mutex_lock(&h->doorbell->lock);
    answer(h, words, (int)n, r, removed);
    if (r == -ETIMEDOUT)
        pulse(h);
}

/* One sleep on the only word, or on our own; always bounded, because nobody can wake us from a word that is not ours. */
static void sleep_on_one(struct helper *h)
{
    struct futex_waitv words[2] = {{0}};
    uint32_t removed = h->removed, expected = h->n ? h->watches[0]->expected : h->control;
    uint32_t *word = h->n ? (uint32_t *)(uintptr_t)h->watches[0]->word : &h->control;
    int r;

    h->idle = h->n == 0;
    words[1] = (struct futex_waitv){.val = expected, .uaddr = (uintptr_t)word};
    strait_mutex_unlock(&h->doorbell->lock);
    r = strait_futex_wait(word, expected, strait_after_ns(PULSE_NS));
    strait_mutex_lock(&h->doorbell->lock);
    if (word != &h->control)
        answer(h, words, 2, r == 0 ? 1 : r, removed);
    h->idle = false;
    if (r == -ETIMEDOUT)
        pulse(h);
}

static void *help(void *arg)
{
    struct helper *h = arg;
    struct strait_doorbell *d = h->doorbell;

    strait_mutex_lock(&d->lock);
    for (;;) {
        ring_what_differs(h);
        if (d->closing)
            break;
        if (d->waitv)
            sleep_on_all(h);
        else
            sleep_on_one(h);
    }
    strait_mutex_unlock(&d->lock);
    return NULL;
}

/* ---- who asks ---- */

/* Under the lock. */
static struct helper *start_helper(struct strait_doorbell *d)
{
    struct helper *h = calloc(1, sizeof *h);
    pthread_attr_t attr;
    sigset_t all, old;
    int r;

    if (h == NULL)
        return NULL;
    h->doorbell = d;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&h->thread, &attr, help, h);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (r != 0) {
        free(h);
        return NULL;
    }
    h->next = d->helpers;
    d->helpers = h;
    return h;
}

static struct helper *helper_with_room(struct strait_doorbell *d)
{
    for (struct helper *h = d->helpers; h; h = h->next)
        if (d->waitv ? h->n < WORDS : h->n == 0 && h->idle)
            return h;
    return start_helper(d);
}

int strait_doorbell_open(struct strait_doorbell **doorbell)
{
    struct strait_doorbell *d = calloc(1, sizeof *d);

    if (d == NULL)
        return -ENOMEM;
    d->waitv = waitv(NULL, 0, 0) != -ENOSYS; /* -EINVAL: it is there */
    *doorbell = d;
    return 0;
}

void strait_doorbell_close(struct strait_doorbell *d)
{
    struct helper *next;

    if (d == NULL)
        return;
    strait_mutex_lock(&d->lock);
    d->closing = true;
    for (struct helper *h = d->helpers; h; h = h->next) {
        strait_add32_relaxed(&h->control, 1);
        strait_futex_wake(&h->control, 1);
    }
    strait_mutex_unlock(&d->lock);
    for (struct helper *h = d->helpers; h; h = next) {
        next = h->next;
        pthread_join(h->thread, NULL);
        free(h);
    }
    free(d);
}

int strait_doorbell_add(struct strait_doorbell *d, struct strait_watch *w)
{
    struct helper *h;

    w->helper = NULL;
    if (differs(w))
        return 1;
    strait_mutex_lock(&d->lock);
    h = helper_with_room(d);
    if (h) {
        h->idle = false;
        w->helper = h;
        w->at = h->n;
        h->watches[h->n++] = w;
        strait_add32_relaxed(&h->control, 1);
        strait_futex_wake(&h->control, 1);
    }
    strait_mutex_unlock(&d->lock);
    return h ? 0 : -EAGAIN;
}

bool strait_doorbell_remove(struct strait_doorbell *d, struct strait_watch *w)
{
    struct helper *h;

    strait_mutex_lock(&d->lock);
    h = w->helper;
    if (h) {
        drop_watch(h, w);
        h->removed++;
        strait_add32_relaxed(&h->control, 1);
        strait_futex_wake(&h->control, 1); /* off that word soon: asleep on it, it could take somebody's wake */
    }
    strait_mutex_unlock(&d->lock);
    return h != NULL;
}
