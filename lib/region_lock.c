/* SPDX-License-Identifier: MIT */
/* Locking regions: the slow side of strait/region.h, and reader-writer mode. */
#include <errno.h>

#include "error.h"
#include "futex.h"
#include "guard.h"
#include "wait.h"

/* ---- waiting ---- */

struct locking {
    struct strait_guard *guard;
    uint32_t keep; /* WAITERS once we have slept: others may be asleep still */
    bool heal;
};

static int64_t lock_step(void *arg)
{
    struct locking *l = arg;
    return strait_lock_step(&l->guard->part.lock->word, l->guard->part.lease, l->keep, l->heal);
}

static int64_t read_step(void *arg)
{
    return strait_lock_read_step(&((struct locking *)arg)->guard->part);
}

static int mark_word(void *arg, struct strait_word *w)
{
    struct locking *l = arg;
    struct strait_lock *lock = l->guard->part.lock;
    int r = strait_lock_mark(&lock->word, &w->seen);

    if (r < 0)
        return r;
    l->keep = STRAIT_LOCK_WAITERS;
    w->word = &lock->word;
    w->holder = strait_lock_owner(w->seen);
    strait_add64_relaxed(&lock->slept, 1);
    return 0;
}

static void pass_on_word(void *arg)
{
    strait_lock_pass_on(&((struct locking *)arg)->guard->part.lock->word);
}

static int64_t drain_step(void *arg)
{
    return strait_lock_reader(&((struct locking *)arg)->guard->part) == STRAIT_LEASE_NONE ? 0 : -EAGAIN;
}

static int mark_drain(void *arg, struct strait_word *w)
{
    const struct strait_part *part = &((struct locking *)arg)->guard->part;

    w->word = &part->lock->drained;
    return strait_lock_drain(part, &w->seen, &w->holder);
}

/* Only the writer sleeps here: there is nobody to pass a wake on to. */
static void pass_on_drain(void *arg)
{
    (void)arg;
}

static struct strait_word_wait wait_of(struct locking *l, enum strait_wait_kind kind)
{
    struct strait_guard *g = l->guard;
    return (struct strait_word_wait){.map = &g->handle.segment->map,
                                     .pass_on = pass_on_word,
                                     .arg = l,
                                     .mark = mark_word,
                                     .kind = kind,
                                     .object = g->handle.object.offset,
                                     .detail = g->index};
}

static int wait_word(struct strait_guard *g, struct strait_word_wait *wait, uint64_t deadline_ns)
{
    int64_t r = wait->step(wait->arg);

    if (r != -EAGAIN)
        return (int)r;
    strait_add64_relaxed(&g->part.lock->contended, 1);
    r = strait_wait_word(wait, deadline_ns);
    return r == -ETIMEDOUT ? strait_handle_error(&g->handle, STRAIT_ERROR_LOCK_LATE, -ETIMEDOUT) : (int)r;
}

/* The writer has the word: until no reader is left, or the deadline. */
static int drain(struct locking *l, uint64_t deadline_ns)
{
    struct strait_word_wait wait = wait_of(l, STRAIT_WAIT_LOCK);
    int r;

    wait.step = drain_step;
    wait.mark = mark_drain;
    wait.pass_on = pass_on_drain;
    r = wait_word(l->guard, &wait, deadline_ns);
    strait_lock_drained(&l->guard->part);
    return r;
}

/* ---- locking ---- */

static int explain(const struct strait_guard *g, int r)
{
    if (r == -ENOTRECOVERABLE)
        return strait_fail(r,
                           "region %s is poisoned: an owner died inside and the next one did not heal it; "
                           "strait_region_lock_for_heal, repair, strait_region_heal",
                           g->handle.name);
    if (r == -EPROTO)
        return strait_fail(strait_handle_error(&g->handle, STRAIT_ERROR_DAMAGED, r),
                           "region %s: its lock names an owner that cannot be", g->handle.name);
    return r;
}

static void wake(struct strait_region *r, uint32_t word, uint32_t left)
{
    bool all = r->guard->part.cells || (left & (STRAIT_LOCK_POISONED | STRAIT_LOCK_DIED));

    if (word & STRAIT_LOCK_WAITERS)
        strait_futex_wake(r->word, all ? UINT32_MAX : 1);
}

void strait_region_wake(struct strait_region *r)
{
    strait_futex_wake(r->word, 1); /* somebody added WAITERS since we took it */
}

static int give(struct strait_region *r, uint32_t left)
{
    struct strait_guard *g = r->guard;

    g->spare = NULL;
    r->state = g->idle;
    wake(r, strait_lock_give(r->word, left), left);
    if (g->ranked)
        strait_rank_pop(r);
    return 0;
}

void strait_region_restore(struct strait_region *r)
{
    give(r, r->state == STRAIT_REGION_SUSPECT ? strait_lock_as_it_was(r->guard->had) : 0);
}

static int may_lock(struct strait_region *r, uint64_t deadline_ns)
{
    struct strait_guard *g = r->guard;

    if (*r->home == 0)
        return strait_process_forked();
    if (r->state == STRAIT_REGION_READING || strait_region_held(r))
        return strait_fail(-EDEADLK, "region %s: this handle holds it already", g->handle.name);
    return g->ranked && deadline_ns != STRAIT_NOW ? strait_rank_check(r) : 0;
}

/* The lock's word is ours; in reader-writer mode, readers may still be inside. */
static int take(struct strait_region *r, uint64_t deadline_ns, bool heal)
{
    struct strait_guard *g = r->guard;
    struct locking l = {g, 0, heal};
    struct strait_word_wait wait = wait_of(&l, STRAIT_WAIT_LOCK);
    int had, e = may_lock(r, deadline_ns);

    if (e < 0)
        return e;
    wait.step = lock_step;
    had = wait_word(g, &wait, deadline_ns);
    if (had < 0)
        return explain(g, had);
    r->state = had                             ? STRAIT_REGION_SUSPECT
               : g->idle == STRAIT_REGION_FREE ? STRAIT_REGION_HELD
                                               : STRAIT_REGION_HELD_CAREFUL;
    g->had = had;
    if (g->ranked)
        strait_rank_push(r);
    return had ? 1 : 0;
}

static int lock_slow(struct strait_region *r, uint64_t deadline_ns, bool heal)
{
    struct locking l = {r->guard, 0, heal};
    int e, had = take(r, deadline_ns, heal);

    if (had < 0 || r->guard->part.cells == NULL)
        return had;
    e = drain(&l, deadline_ns);
    if (e == 0)
        return had;
    strait_region_restore(r);
    return e;
}

int strait_region_take(struct strait_region *r)
{
    return take(r, STRAIT_NOW, false);
}

int strait_region_lock_slow(struct strait_region *r, uint64_t deadline_ns)
{
    return lock_slow(r, deadline_ns, false);
}

int strait_region_lock_for_heal(struct strait_region *r, uint64_t deadline_ns)
{
    return lock_slow(r, deadline_ns, true);
}

int strait_region_not_held(const struct strait_region *r)
{
    return strait_fail(-EPERM, "region %s: this handle does not hold its lock", r->guard->handle.name);
}

int strait_region_unlock_slow(struct strait_region *r)
{
    if (*r->home == 0)
        return strait_process_forked();
    if (!strait_region_held(r))
        return strait_region_not_held(r);
    if (r->state != STRAIT_REGION_SUSPECT)
        return give(r, 0);
    strait_handle_error(&r->guard->handle, STRAIT_ERROR_LOCK_POISONED, 0);
    return give(r, STRAIT_LOCK_POISONED);
}

int strait_region_heal(struct strait_region *r)
{
    int e;

    if (*r->home == 0)
        return strait_process_forked();
    if (!strait_region_held(r))
        return strait_region_not_held(r);
    e = r->state == STRAIT_REGION_SUSPECT ? strait_lock_heal(r->word, r->lease) : 0;
    if (e < 0)
        return strait_fail(e, "region %s: its lock is not ours any more", r->guard->handle.name);
    r->state = STRAIT_REGION_HELD_CAREFUL;
    return 0;
}

int strait_region_poisoned(const struct strait_region *r)
{
    if (*r->home == 0)
        return strait_process_forked();
    return strait_load32_relaxed(r->word) & STRAIT_LOCK_POISONED ? 1 : 0;
}

int strait_region_suspect(const struct strait_region *r)
{
    return r->state == STRAIT_REGION_SUSPECT;
}

/* ---- readers ---- */

int strait_region_read_lock(struct strait_region *r, uint64_t deadline_ns)
{
    struct strait_guard *g = r->guard;
    struct locking l = {g, 0, false};
    struct strait_word_wait wait = wait_of(&l, STRAIT_WAIT_READ_LOCK);
    int e = may_lock(r, deadline_ns);

    if (e < 0)
        return e;
    if (g->part.cells == NULL)
        return strait_fail(-EOPNOTSUPP, "region %s was not made with options.readers", g->handle.name);
    wait.step = read_step;
    e = wait_word(g, &wait, deadline_ns);
    if (e < 0)
        return explain(g, e);
    r->state = STRAIT_REGION_READING;
    if (g->ranked)
        strait_rank_push(r);
    return e;
}

int strait_region_read_unlock(struct strait_region *r)
{
    if (*r->home == 0)
        return strait_process_forked();
    if (r->state != STRAIT_REGION_READING)
        return strait_fail(-EPERM, "region %s: this handle does not read it", r->guard->handle.name);
    r->state = r->guard->idle;
    strait_lock_read_leave(&r->guard->part);
    if (r->guard->ranked)
        strait_rank_pop(r);
    return 0;
}
