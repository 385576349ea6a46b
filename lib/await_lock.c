/* SPDX-License-Identifier: MIT */
/*
 * Region locks in a loop. There is no bell: an op sleeps on the lock's own word, marked WAITERS. A writer of a reader-writer
 * region has two waits, as in region_lock.c: for the word, then, holding it, for the readers that are still inside.
 */
#include "await.h"

#include <errno.h>

#include "guard.h"
#include "lock.h"

/* `flags` of an await */
enum phase {
    QUEUED,   /* for the word */
    DRAINING, /* the word is ours, readers are inside */
    HAD,
};

static struct strait_await_place of_region(const struct strait_await *a)
{
    struct strait_guard *g = ((struct strait_region *)a->handle)->guard;

    return (struct strait_await_place){
        .segment = g->handle.segment, .awaits = &g->awaits, .object = g->handle.object.offset, .name = g->handle.name};
}

/* ---- for the word ---- */

/* `tag`: we have slept, and others may sleep behind us. Whoever gets the lock then leaves WAITERS in its word, so that its
 * unlock wakes the next one. */
static int mark_word(struct strait_await *a, const uint32_t **word, uint32_t *seen)
{
    struct strait_region *r = a->handle;

    a->tag = 1;
    *word = r->word;
    return strait_lock_mark(r->word, seen);
}

static void pass_on_word(struct strait_await *a)
{
    strait_lock_pass_on(((struct strait_region *)a->handle)->word);
}

/* ---- to write ---- */

static int64_t lock_step(struct strait_await *a)
{
    struct strait_region *r = a->handle;
    const struct strait_part *part = &r->guard->part;
    uint32_t seen;

    if (a->flags == QUEUED) {
        int had = strait_region_take(r);
        if (had < 0)
            return had;
        a->flags = DRAINING;
        if (a->tag)
            strait_lock_mark(r->word, &seen);
    }
    if (part->cells) {
        if (strait_lock_reader(part) != STRAIT_LEASE_NONE)
            return -EAGAIN;
        strait_lock_drained(part);
    }
    a->flags = HAD;
    return strait_region_suspect(r);
}

static int lock_mark(struct strait_await *a, const uint32_t **word, uint32_t *seen)
{
    const struct strait_part *part = &((struct strait_region *)a->handle)->guard->part;
    uint32_t reader;

    if (a->flags == QUEUED)
        return mark_word(a, word, seen);
    *word = &part->lock->drained;
    return strait_lock_drain(part, seen, &reader);
}

/* Given up while readers were inside: nothing was touched, so the lock goes back as it was. */
static void lock_pass_on(struct strait_await *a)
{
    struct strait_region *r = a->handle;

    if (a->flags == DRAINING) {
        strait_lock_drained(&r->guard->part);
        strait_region_restore(r);
    }
    pass_on_word(a);
}

static const struct strait_await_kind lock_kind = {
    .step = lock_step, .place = of_region, .mark = lock_mark, .pass_on = lock_pass_on, .late = STRAIT_ERROR_LOCK_LATE};

int strait_await_lock(struct strait_loop *loop, struct strait_await *a, struct strait_region *region,
                      uint64_t deadline_ns)
{
    int error = strait_await_begin(loop, a, &lock_kind, region, deadline_ns);

    if (error)
        return error;
    a->tag = 0;
    a->flags = QUEUED;
    return strait_loop_start(loop, &a->op);
}

/* ---- to read ---- */

static int64_t read_step(struct strait_await *a)
{
    return strait_region_read_lock(a->handle, STRAIT_NOW);
}

static const struct strait_await_kind read_kind = {
    .step = read_step, .place = of_region, .mark = mark_word, .pass_on = pass_on_word, .late = STRAIT_ERROR_LOCK_LATE};

int strait_await_read_lock(struct strait_loop *loop, struct strait_await *a, struct strait_region *region,
                           uint64_t deadline_ns)
{
    int error = strait_await_begin(loop, a, &read_kind, region, deadline_ns);

    if (error)
        return error;
    a->tag = 0;
    return strait_loop_start(loop, &a->op);
}
