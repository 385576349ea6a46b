/* SPDX-License-Identifier: MIT */
/* The cell that a future is: Rust's poll and waker, and a wait that sleeps. */
#include "future.h"

#include <errno.h>
#include <unistd.h>

#include "mutex.h"

#define SPIN_MOST_NS  60000 /* two wakes of halted CPUs: the thread's, which takes as long, and ours, which we save */
#define SPIN_LEAST_NS 1000
#define SPIN_PER_LOOK 16 /* pauses between looks at the clock */
#define MISSES        3  /* in a row, until spinning counts as hopeless */
#define RETRY_EVERY   64 /* hopeless waits */

static const struct strait_waker nobody;

/* Runs with no lock held: it is the user's code. */
static void waker_drop(const struct strait_waker *w)
{
    if (w->drop)
        w->drop(w->data);
}

/* Store the value, move the waker out, release; only then wake: the waker may take the lock again. Where there is nobody to
 * tell, the thread lets go of the cell right there. */
void strait_future_finish(struct strait_future *f, void *value)
{
    struct strait_waker waker;
    void (*drop)(void *);
    uint32_t sleepers;
    bool tell, last;

    strait_mutex_lock(&f->lock);
    f->value = value;
    strait_store32_release(&f->ready, 1); /* release [Y1] -> [Y2] is_ready: the look before the lock */
    waker = f->waker;
    f->waker = nobody;
    drop = f->drop;
    sleepers = f->sleepers;
    tell = sleepers || waker.wake || drop;
    last = !tell && --f->refs == 0;
    strait_mutex_unlock(&f->lock);

    if (tell) {
        if (sleepers)
            strait_futex_wake(&f->ready, UINT32_MAX);
        if (waker.wake)
            waker.wake(waker.data);
        if (drop)
            drop(value);
        /* our reference kept the cell from being used anew while we told */
        strait_mutex_lock(&f->lock);
        last = --f->refs == 0;
        strait_mutex_unlock(&f->lock);
    }
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

/* ---- wait ---- */

static uint32_t cpus(void)
{
    static uint32_t n;

    if (strait_load32_relaxed(&n) == 0)
        strait_store32_relaxed(&n, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
    return strait_load32_relaxed(&n);
}

/* Stored, and the thread out of our way: it holds the lock a moment longer, and who meets it there would sleep. */
static bool is_ready(const struct strait_future *f)
{
    return strait_load32_acquire(&f->ready) && /* acquire [Y2] <- [Y1] strait_future_finish */
           strait_load32_relaxed(&f->lock) == 0;
}

/* Where spinning keeps failing (long jobs, or the thread needs this very CPU) it is tried in full only now and then. */
static uint64_t spin_budget(struct strait_spin *spin)
{
    uint32_t waits = strait_load32_relaxed(&spin->waits) + 1;

    strait_store32_relaxed(&spin->waits, waits);
    return strait_load32_relaxed(&spin->misses) < MISSES || waits % RETRY_EVERY == 0 ? SPIN_MOST_NS : SPIN_LEAST_NS;
}

static void spin_for(const struct strait_future *f, uint64_t budget_ns, uint64_t deadline_ns)
{
    uint64_t until = strait_after_ns(budget_ns);
    bool ready = false;

    if (until > deadline_ns)
        until = deadline_ns;
    do {
        for (int i = 0; i < SPIN_PER_LOOK && !ready; i++) {
            strait_pause();
            ready = is_ready(f);
        }
    } while (!ready && strait_now_ns() < until);
    if (ready)
        strait_store32_relaxed(&f->spin->misses, 0);
    else if (budget_ns == SPIN_MOST_NS)
        strait_store32_relaxed(&f->spin->misses, strait_load32_relaxed(&f->spin->misses) + 1);
}

/* All but one CPU may spin: one must be left for the thread. */
static void spin_until_ready(const struct strait_future *f, uint64_t deadline_ns)
{
    if (strait_add32_relaxed(&f->spin->spinners, 1) + 1 < cpus())
        spin_for(f, spin_budget(f->spin), deadline_ns);
    strait_add32_relaxed(&f->spin->spinners, UINT32_MAX);
}

int strait_future_wait(struct strait_future *f, void **value, uint64_t deadline_ns)
{
    int r, slept = 0;

    if (*f->alive == 0)
        return -ECHILD;
    if (deadline_ns != STRAIT_NOW && !is_ready(f))
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
