/* SPDX-License-Identifier: MIT */
/* Region locks in a loop. There is no bell: an op sleeps on the lock's own word. */
#include "await.h"

#include "guard.h"
#include "lock.h"

static struct strait_await_place of_region(const struct strait_await *a)
{
    struct strait_guard *g = ((struct strait_region *)a->handle)->guard;

    return (struct strait_await_place){.segment = g->handle.segment,
                                       .awaits = &g->awaits,
                                       .object = g->handle.object.offset,
                                       .mute = g->part.cells != NULL};
}

/* `tag`: we have slept, and others may sleep behind us. Whoever gets the lock then leaves WAITERS in its word, so that its
 * unlock wakes the next one. */
static int64_t lock_step(struct strait_await *a)
{
    struct strait_region *region = a->handle;
    int r = strait_region_lock(region, STRAIT_NOW);
    uint32_t seen;

    if (r >= 0 && a->tag)
        strait_lock_mark(region->word, &seen);
    return r;
}

static int lock_mark(struct strait_await *a, uint32_t *seen)
{
    a->tag = 1;
    return strait_lock_mark(((struct strait_region *)a->handle)->word, seen);
}

static void lock_pass_on(struct strait_await *a)
{
    strait_lock_pass_on(((struct strait_region *)a->handle)->word);
}

static const struct strait_await_kind lock_kind = {
    .step = lock_step, .place = of_region, .mark = lock_mark, .pass_on = lock_pass_on};

int strait_await_lock(struct strait_loop *loop, struct strait_await *a, struct strait_region *region,
                      uint64_t deadline_ns)
{
    int error = strait_await_begin(loop, a, &lock_kind, region, deadline_ns);

    if (error)
        return error;
    a->tag = 0;
    return strait_loop_start(loop, &a->op);
}
