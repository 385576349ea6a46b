/* SPDX-License-Identifier: MIT */
/* The threads behind strait/blocking.h: a queue, a bounded crowd that works it off, and the cells that futures are. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "future.h"
#include "mutex.h"

#define PAGE            4096
#define THREADS_DEFAULT 8
#define THREADS_MOST    1024
#define FUTURES_DEFAULT 1024
#define FUTURES_MOST    (UINT32_C(1) << 20)

/* `lock` guards everything that changes, but for `spin`. */
struct strait_blocking {
    uint32_t *alive; /* a page that a fork wipes: 1 here, 0 in children */
    uint32_t lock;
    uint32_t bell;                /* futex of idle threads, raised when there is work */
    uint32_t live;                /* threads that have not left; futex of who shuts down */
    uint32_t idle, rung;          /* threads asleep at the bell, not rung for; those rung for that have not come yet */
    uint32_t queued;              /* futures in the queue */
    uint32_t started, threads;    /* ever, at most */
    uint32_t out;                 /* cells in use */
    bool closing, joined, orphan; /* refuses work; threads are joined; destroyed, freed with the last cell */
    struct strait_future *first, **last, *free;
    size_t stack_bytes;
    struct strait_future *cells;
    pthread_t *ids;
    struct strait_spin spin;
};

static _Thread_local struct strait_blocking *mine; /* the pool that this thread works for */
static uint32_t own_lock;
static struct strait_blocking *own; /* the process's pool; own_lock */

/* ---- cells ---- */

static void pool_free(struct strait_blocking *p)
{
    munmap(p->alive, PAGE);
    free(p->ids);
    free(p->cells);
    free(p);
}

void strait_future_free(struct strait_future *f)
{
    struct strait_blocking *p = f->pool;
    bool last;

    strait_mutex_lock(&p->lock);
    f->next = p->free;
    p->free = f;
    last = --p->out == 0 && p->orphan;
    strait_mutex_unlock(&p->lock);
    if (last)
        pool_free(p);
}

/* Under the pool's lock. */
static struct strait_future *cell_take(struct strait_blocking *p, void *(*fn)(void *), void *arg, bool held)
{
    struct strait_future *f = p->free;

    if (f == NULL)
        return NULL;
    p->free = f->next;
    p->out++;
    *f = (struct strait_future){
        .refs = held ? 2 : 1, .fn = fn, .arg = arg, .pool = p, .alive = p->alive, .spin = &p->spin};
    return f;
}

/* ---- threads ---- */

/* Under the lock: the next piece of work, or NULL when the pool closes and the queue is empty. */
static struct strait_future *next_work(struct strait_blocking *p)
{
    struct strait_future *f;

    while ((f = p->first) == NULL && !p->closing) {
        uint32_t seen = p->bell;

        p->idle++;
        strait_mutex_unlock(&p->lock);
        strait_futex_wait(&p->bell, seen, STRAIT_FOREVER);
        strait_mutex_lock(&p->lock);
        if (p->rung) /* whosever it was: as many as sleep are counted */
            p->rung--;
        else
            p->idle--;
    }
    if (f) {
        p->first = f->next;
        if (p->first == NULL)
            p->last = &p->first;
        p->queued--;
    }
    return f;
}

static void *work(void *arg)
{
    struct strait_blocking *p = arg;
    struct strait_future *f;

    mine = p;
    strait_mutex_lock(&p->lock);
    while ((f = next_work(p)) != NULL) {
        strait_mutex_unlock(&p->lock);
        strait_future_finish(f, f->fn(f->arg));
        strait_mutex_lock(&p->lock);
    }
    p->live--;
    strait_futex_wake(&p->live, UINT32_MAX);
    strait_mutex_unlock(&p->lock);
    return NULL;
}

/* Under the lock. Signals are for the threads that the user made. */
static int start_thread(struct strait_blocking *p)
{
    pthread_attr_t attr;
    sigset_t all, old;
    int r = pthread_attr_init(&attr);

    if (r != 0)
        return -r;
    if (p->stack_bytes)
        r = pthread_attr_setstacksize(&attr, p->stack_bytes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (r == 0)
        r = pthread_create(&p->ids[p->started], &attr, work, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (r != 0)
        return -r;
    p->started++;
    p->live++;
    return 0;
}

/* ---- the pool ---- */

static struct strait_blocking *pool_new(const struct strait_blocking_options *o)
{
    struct strait_blocking *p = calloc(1, sizeof *p);
    uint32_t futures = o->futures ? o->futures : FUTURES_DEFAULT;

    if (p == NULL)
        return NULL;
    p->threads = o->threads ? o->threads : THREADS_DEFAULT;
    p->stack_bytes = o->stack_bytes;
    p->last = &p->first;
    p->ids = calloc(p->threads, sizeof *p->ids);
    p->cells = calloc(futures, sizeof *p->cells);
    p->alive = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->ids == NULL || p->cells == NULL || p->alive == MAP_FAILED || madvise(p->alive, PAGE, MADV_WIPEONFORK) < 0) {
        if (p->alive != MAP_FAILED)
            munmap(p->alive, PAGE);
        free(p->ids);
        free(p->cells);
        free(p);
        return NULL;
    }
    *p->alive = 1;
    for (uint32_t i = futures; i-- > 0; p->free = &p->cells[i])
        p->cells[i].next = p->free;
    return p;
}

int strait_blocking_create(struct strait_blocking **pool, const struct strait_blocking_options *options)
{
    static const struct strait_blocking_options defaults;
    const struct strait_blocking_options *o = options ? options : &defaults;
    struct strait_blocking *p;

    if (o->threads > THREADS_MOST || o->futures > FUTURES_MOST)
        return strait_fail(-EINVAL, "a pool of %u threads and %u futures: at most %u and %u", o->threads, o->futures,
                           THREADS_MOST, FUTURES_MOST);
    p = pool_new(o);
    if (p == NULL)
        return strait_fail(-ENOMEM, "out of memory for a pool of threads");
    *pool = p;
    return 0;
}

/* The process's own, made at its first use; a forked child finds the parent's dead and makes another. */
static struct strait_blocking *own_pool(void)
{
    static const struct strait_blocking_options defaults;
    struct strait_blocking *p;

    strait_mutex_lock(&own_lock);
    if (own == NULL || *own->alive == 0)
        own = pool_new(&defaults);
    p = own;
    strait_mutex_unlock(&own_lock);
    return p;
}

/* own_lock must not be held by another thread at fork: the child would wait for it for ever. */
static void before_fork(void)
{
    strait_mutex_lock(&own_lock);
}

static void after_fork(void)
{
    strait_mutex_unlock(&own_lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

static int wait_for_threads(struct strait_blocking *p, uint64_t deadline_ns)
{
    for (;;) {
        uint32_t live;
        int r;

        strait_mutex_lock(&p->lock);
        live = p->live;
        strait_mutex_unlock(&p->lock);
        if (live == 0)
            return 0;
        if (deadline_ns == STRAIT_NOW)
            return -ETIMEDOUT;
        r = strait_futex_wait(&p->live, live, deadline_ns);
        if (r == -ETIMEDOUT || r == -EINTR)
            return r;
    }
}

int strait_blocking_shutdown(struct strait_blocking *p, uint64_t deadline_ns)
{
    bool join;
    int r;

    if (*p->alive == 0)
        return -ECHILD;
    if (mine == p)
        return strait_fail(-EDEADLK, "a thread of this pool cannot wait for its own end");
    strait_mutex_lock(&p->lock);
    p->closing = true;
    p->bell++;
    strait_mutex_unlock(&p->lock);
    strait_futex_wake(&p->bell, UINT32_MAX);
    r = wait_for_threads(p, deadline_ns);
    if (r < 0)
        return r;
    strait_mutex_lock(&p->lock);
    join = !p->joined;
    p->joined = true;
    strait_mutex_unlock(&p->lock);
    for (uint32_t i = 0; join && i < p->started; i++)
        pthread_join(p->ids[i], NULL);
    return 0;
}

int strait_blocking_destroy(struct strait_blocking *p)
{
    bool last;
    int r;

    if (p == NULL)
        return 0;
    do
        r = strait_blocking_shutdown(p, STRAIT_FOREVER);
    while (r == -EINTR);
    if (r < 0)
        return r;
    strait_mutex_lock(&p->lock);
    p->orphan = true;
    last = p->out == 0;
    strait_mutex_unlock(&p->lock);
    if (last)
        pool_free(p);
    return 0;
}

/* ---- spawn ---- */

/* Under the lock. A thread for it if those asleep are too few; *wake: one of them is to be woken. */
static int enqueue(struct strait_blocking *p, struct strait_future *f, bool *wake)
{
    if (p->queued + 1 > p->idle + p->rung && p->started < p->threads) {
        int r = start_thread(p);
        if (r < 0 && p->started == 0)
            return -EAGAIN;
    }
    f->next = NULL;
    *p->last = f;
    p->last = &f->next;
    p->queued++;
    *wake = p->idle > 0; /* one sleep costs one wake: a thread on its way takes all that it finds */
    if (*wake) {
        p->idle--;
        p->rung++;
    }
    p->bell++;
    return 0;
}

int strait_spawn_blocking(struct strait_blocking *pool, void *(*fn)(void *), void *arg, struct strait_future **future)
{
    struct strait_blocking *p = pool ? pool : own_pool();
    struct strait_future *f = NULL;
    bool wake = false;
    int r = 0;

    if (p == NULL)
        return strait_fail(-ENOMEM, "out of memory for a pool of threads");
    if (*p->alive == 0)
        return strait_fail(-ECHILD, "this pool's threads are in the parent process");
    strait_mutex_lock(&p->lock);
    if (p->closing)
        r = -ESHUTDOWN;
    else if ((f = cell_take(p, fn, arg, future != NULL)) == NULL)
        r = -EAGAIN;
    else
        r = enqueue(p, f, &wake);
    if (r < 0 && f) {
        f->next = p->free;
        p->free = f;
        p->out--;
    }
    strait_mutex_unlock(&p->lock);
    if (wake)
        strait_futex_wake(&p->bell, 1);
    if (r == 0 && future)
        *future = f;
    return r;
}
