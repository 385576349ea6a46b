/* SPDX-License-Identifier: MIT */
/* The rank checker, and locking several regions in the order of their ranks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "guard.h"

#ifdef __OPTIMIZE__
#define DEFAULT_ON 0
#else
#define DEFAULT_ON 1
#endif

enum { UNDECIDED, OFF, ON };

static uint32_t wanted; /* of this process */

/* What this thread holds. A handle that another thread gives back is forgotten here only then, so the checker presumes
 * that who locks unlocks. */
static _Thread_local const struct strait_region *held[STRAIT_LOCKS_AT_ONCE];
static _Thread_local unsigned held_n;

void strait_region_check_ranks(bool on)
{
    strait_store32_relaxed(&wanted, on ? ON : OFF);
}

bool strait_rank_wanted(void)
{
    const char *text;
    uint32_t now = strait_load32_relaxed(&wanted);

    if (now == UNDECIDED) {
        text = getenv("STRAIT_RANKS");
        now = text && *text ? (strcmp(text, "0") ? ON : OFF) : DEFAULT_ON ? ON : OFF;
        strait_store32_relaxed(&wanted, now);
    }
    return now == ON;
}

int strait_rank_compare(const struct strait_region *a, const struct strait_region *b)
{
    const struct strait_guard *x = a->guard, *y = b->guard;

    if (x->rank_segment != y->rank_segment)
        return x->rank_segment < y->rank_segment ? -1 : 1;
    return x->rank_offset == y->rank_offset ? 0 : x->rank_offset < y->rank_offset ? -1 : 1;
}

/* A forked child begins with its parent's list, and holds nothing. */
static void forget_parents(void)
{
    for (unsigned i = held_n; i-- > 0;)
        if (*held[i]->home == 0)
            held[i] = held[--held_n];
}

int strait_rank_check(const struct strait_region *asked)
{
    forget_parents();
    for (unsigned i = 0; i < held_n; i++) {
        const struct strait_guard *a = asked->guard, *h = held[i]->guard;
        int order = strait_rank_compare(asked, held[i]);

        if (order == 0)
            return strait_fail(-EDEADLK, "region %s (shard %u): this thread holds it already, through another handle",
                               a->handle.name, a->index);
        if (order < 0)
            return strait_fail(
                -EDEADLK,
                "region %s (shard %u) is asked for while region %s (shard %u) is held, which comes after "
                "it: another process that locks them in order can deadlock with this one; take them "
                "with strait_region_lock_all",
                a->handle.name, a->index, h->handle.name, h->index);
    }
    return 0;
}

void strait_rank_push(const struct strait_region *region)
{
    if (held_n < STRAIT_LOCKS_AT_ONCE)
        held[held_n++] = region;
}

void strait_rank_pop(const struct strait_region *region)
{
    for (unsigned i = held_n; i-- > 0;)
        if (held[i] == region) {
            held[i] = held[--held_n];
            return;
        }
}

/* ---- several locks ---- */

/* Insertion sort: n is small, and often in order. -EINVAL one occurs twice. */
static int sort(struct strait_region **out, struct strait_region *const *regions, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i;

        for (; at > 0 && strait_rank_compare(regions[i], out[at - 1]) < 0; at--)
            out[at] = out[at - 1];
        if (at > 0 && strait_rank_compare(regions[i], out[at - 1]) == 0)
            return strait_fail(-EINVAL, "region %s (shard %u) is to be locked twice", regions[i]->guard->handle.name,
                               regions[i]->guard->index);
        out[at] = regions[i];
    }
    return 0;
}

int strait_region_lock_all(struct strait_region *const *regions, unsigned n, uint64_t deadline_ns)
{
    struct strait_region *sorted[STRAIT_LOCKS_AT_ONCE];
    unsigned had = 0;
    int suspect = 0, r;

    if (n > STRAIT_LOCKS_AT_ONCE)
        return strait_fail(-EINVAL, "%u locks at once, of at most %d", n, STRAIT_LOCKS_AT_ONCE);
    r = sort(sorted, regions, n);
    for (; had < n && r >= 0; had += r >= 0) {
        r = strait_region_lock(sorted[had], deadline_ns);
        suspect |= r == 1;
    }
    if (r >= 0)
        return suspect;
    while (had-- > 0)
        strait_region_restore(sorted[had]);
    return r;
}

int strait_region_unlock_all(struct strait_region *const *regions, unsigned n)
{
    int first = 0;

    for (unsigned i = n; i-- > 0;) {
        int r = strait_region_unlock(regions[i]);
        first = first < 0 ? first : r;
    }
    return first;
}
