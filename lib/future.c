/* SPDX-License-Identifier: MIT */
/* The cell that a future is: Rust's poll and waker, and a wait that sleeps. */
#include "future.h"

#include <errno.h>
#include <unistd.h>

#include "mutex.h"

#define SPIN_NS       15000 /* about what a sleep costs */
#define SPIN_PER_LOOK 16    /* pauses between looks at the clock */

static const struct strait_waker nobody;

/* Runs with no lock held: it is the user's code. */
static void waker_drop(const struct strait_waker *w)
{
    if (w->drop)
        w->drop(w->data);
}

/* Store the value, move the waker out, release; only then wake: the waker may take the lock again. */
void strait_future_finish(struct strait_future *f, void *value)
{
    struct strait_waker waker;
    void (*drop)(void *);
    uint32_t sleepers;
    bool last;

    strait_mutex_lock(&f->lock);
    f->value = value;
    strait_store32_release(&f->ready, 1); /* release [Y1] -> [Y2] spin_until_ready: the look before the lock */
    waker = f->waker;
    f->waker = nobody;
    sleepers = f->sleepers;
    drop = f->drop;
    strait_mutex_unlock(&f->lock);

    if (sleepers)
        strait_futex_wake(&f->ready, UINT32_MAX);
    if (waker.wake)
        waker.wake(waker.data);
    if (drop)
        drop(value);
    /* our reference kept the cell from being used anew while we woke */
    strait_mutex_lock(&f->lock);
    last = --f->refs == 0;
    strait_mutex_unlock(&f->lock);
    if (last)
        strait_future_free(f);
}

/* ---- take the value ---- */

/* Under the cell's lock. */
static int take(struct strait_future *f, void **value)
{
    if (f->taken)
        return -ENODATA;
    if (!f->ready)
        return STRAIT_PENDING;
    f->taken = true;
    *value = f->value;
    return STRAIT_READY;
}

int strait_future_poll(struct strait_future *f, const struct strait_waker *waker, void **value)
{
    struct strait_waker old = nobody;
    int r;

    if (*f->alive == 0)
        return -ECHILD;
    strait_mutex_lock(&f->lock);
    r = take(f, value);
    if (r == STRAIT_PENDING) {
        old = f->waker;
        f->waker = waker ? *waker : nobody;
    }
    strait_mutex_unlock(&f->lock);
    waker_drop(&old); /* after the release: it may be the last reference to something that locks */
    return r;
}

/* On one CPU the value cannot come while we spin. */
static bool spinning_helps(void)
{
    static uint32_t cpus;

    if (strait_load32_relaxed(&cpus) == 0)
        strait_store32_relaxed(&cpus, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
    return strait_load32_relaxed(&cpus) > 1;
}

static void spin_until_ready(const struct strait_future *f, uint64_t deadline_ns)
{
    uint64_t until = strait_after_ns(SPIN_NS);

    if (!spinning_helps())
        return;
    if (until > deadline_ns)
        until = deadline_ns;
    do {
        for (int i = 0; i < SPIN_PER_LOOK; i++) {
            if (strait_load32_acquire(&f->ready)) /* acquire [Y2] <- [Y1] strait_future_finish */
                return;
            strait_pause();
        }
    } while (strait_now_ns() < until);
}

int strait_future_wait(struct strait_future *f, void **value, uint64_t deadline_ns)
{
    int r, slept = 0;

    if (*f->alive == 0)
        return -ECHILD;
    if (deadline_ns != STRAIT_NOW)
        spin_until_ready(f, deadline_ns);
    strait_mutex_lock(&f->lock);
    while ((r = take(f, value)) == STRAIT_PENDING && deadline_ns != STRAIT_NOW && slept != -ETIMEDOUT &&
           slept != -EINTR) {
        f->sleepers++;
        strait_mutex_unlock(&f->lock);
        slept = strait_futex_wait(&f->ready, 0, deadline_ns);
        strait_mutex_lock(&f->lock);
        f->sleepers--;
    }
    strait_mutex_unlock(&f->lock);
    if (r == STRAIT_READY)
        return 0;
    return r < 0 ? r : deadline_ns == STRAIT_NOW ? -EAGAIN : slept;
}

void strait_future_detach(struct strait_future *f, void (*drop)(void *value))
{
    struct strait_waker old;
    void *value = NULL;
    bool last, mine_to_drop;

    if (f == NULL || *f->alive == 0)
        return;
    strait_mutex_lock(&f->lock);
    old = f->waker;
    f->waker = nobody;
    mine_to_drop = f->ready && !f->taken;
    value = f->value;
    if (!f->ready)
        f->drop = drop;
    last = --f->refs == 0;
    strait_mutex_unlock(&f->lock);
    waker_drop(&old);
    if (mine_to_drop && drop)
        drop(value);
    if (last)
        strait_future_free(f);
}
