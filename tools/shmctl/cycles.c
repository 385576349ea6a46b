/* SPDX-License-Identifier: MIT */
/*
 * Deadlocks among waits. Who is not waiting, or waits for somebody who can go on, can go on; whoever is left after this
 * has been applied until nothing changes never will, and in what is left everybody waits for somebody who is left: follow
 * the waits from anyone, and they close.
 *
 * A lock belongs to a process and not to a thread. So a process counts as one that can go on as soon as one of its threads
 * can. A second look, at locks alone and at waiting threads alone, finds cycles that such a thread might still open.
 */
#include <string.h>

#include "waits.h"

struct search {
    const struct ctl_waits *waits;
    bool locks_only;
    bool free[STRAIT_LEASES]; /* can go on */
    bool told[STRAIT_LEASES]; /* is in a cycle that was found */
};

/* Could somebody end this wait? All readers have to leave; of others one is enough. */
static bool can_end(const struct search *s, const struct ctl_wait *w)
{
    bool one = false, all = true;

    if (w->why == CTL_WHY_UNKNOWN || w->why == CTL_WHY_MOVING || ctl_set_next(&w->culprits, 1) == 0)
        return true;
    for (uint32_t i = ctl_set_next(&w->culprits, 1); i; i = ctl_set_next(&w->culprits, i + 1)) {
        one |= s->free[i];
        all &= s->free[i];
    }
    return w->why == CTL_WHY_READ ? all : one;
}

static bool counts(const struct search *s, const struct ctl_wait *w)
{
    if (s->locks_only)
        return w->why == CTL_WHY_HELD || w->why == CTL_WHY_READ;
    return true;
}

static bool stopped(const struct ctl_lease *l)
{
    return l->state == 'T' || l->state == 't';
}

/* Threads of this process that have written down a wait. */
static unsigned waiting(const struct search *s, uint32_t lease)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->waits->n; i++)
        n += s->waits->wait[i].who.index == lease;
    return n;
}

static bool all_wait(const struct search *s, const struct ctl_lease *l)
{
    return l->threads == 0 || l->threads <= waiting(s, l->index);
}

/* Who is held up for good: of those who wait, all that nothing frees. */
static void reduce(struct search *s)
{
    bool changed = true;

    memset(s->free, true, sizeof s->free);
    for (unsigned i = 0; i < s->waits->n; i++) {
        const struct ctl_wait *w = &s->waits->wait[i];
        if (counts(s, w) && !stopped(&w->who) && (s->locks_only || all_wait(s, &w->who)))
            s->free[w->who.index] = false;
    }
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < s->waits->n; i++) {
            const struct ctl_wait *w = &s->waits->wait[i];
            if (s->free[w->who.index] || !counts(s, w) || !can_end(s, w))
                continue;
            s->free[w->who.index] = changed = true;
        }
    }
}

/* A wait of this lease for somebody who is held up, and who that is. */
static const struct ctl_wait *step(const struct search *s, uint32_t lease, uint32_t *next)
{
    for (unsigned i = 0; i < s->waits->n; i++) {
        const struct ctl_wait *w = &s->waits->wait[i];
        if (w->who.index != lease || !counts(s, w))
            continue;
        for (*next = ctl_set_next(&w->culprits, 1); *next; *next = ctl_set_next(&w->culprits, *next + 1))
            if (!s->free[*next])
                return w;
    }
    return NULL;
}

/* Follow the waits from `lease` until somebody comes twice: the part from there on. */
static bool follow(const struct search *s, uint32_t lease, struct ctl_cycle *cycle)
{
    unsigned at[STRAIT_LEASES] = {0}, n = 0; /* at: 1 + where in the path */
    const struct ctl_wait *path[STRAIT_LEASES];
    uint32_t next;

    while (at[lease] == 0) {
        const struct ctl_wait *w = step(s, lease, &next);
        if (w == NULL)
            return false;
        path[n++] = w;
        at[lease] = n;
        lease = next;
    }
    cycle->n = 0;
    for (unsigned i = at[lease] - 1; i < n && cycle->n < CTL_CYCLE_MOST; i++)
        cycle->wait[cycle->n++] = path[i];
    return true;
}

/* Peers that listen to each other are at rest, not stuck. */
static bool at_rest(const struct ctl_cycle *c)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->wait[i]->why != CTL_WHY_IDLE)
            return false;
    return true;
}

static unsigned find(struct search *s, struct ctl_cycle *cycles, unsigned most)
{
    unsigned n = 0;

    reduce(s);
    for (uint32_t i = 1; i < STRAIT_LEASES && n < most; i++) {
        struct ctl_cycle *c = &cycles[n];
        bool known = false;
        if (s->free[i] || s->told[i] || !follow(s, i, c) || at_rest(c))
            continue;
        c->certain = !s->locks_only;
        for (unsigned m = 0; m < c->n; m++)
            known |= s->told[c->wait[m]->who.index];
        for (unsigned m = 0; m < c->n && !known; m++)
            s->told[c->wait[m]->who.index] = true;
        n += !known;
    }
    return n;
}

unsigned ctl_cycles(const struct ctl_waits *waits, struct ctl_cycle *cycles, unsigned most)
{
    struct search s = {.waits = waits};
    unsigned n = find(&s, cycles, most);

    s.locks_only = true;
    return n + find(&s, cycles + n, most - n);
}

bool ctl_cycle_stands(const struct ctl_cycle *c, const struct ctl_waits *before)
{
    for (unsigned m = 0; m < c->n; m++) {
        const struct ctl_wait *w = c->wait[m];
        bool same = false;
        for (unsigned i = 0; i < before->n && !same; i++) {
            const struct ctl_wait *b = &before->wait[i];
            same = b->who.index == w->who.index && b->who.generation == w->who.generation &&
                   b->record.thread == w->record.thread && b->record.since_ns == w->record.since_ns &&
                   b->record.object == w->record.object && memcmp(&b->culprits, &w->culprits, sizeof b->culprits) == 0;
        }
        if (!same)
            return false;
    }
    return true;
}
