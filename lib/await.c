/* SPDX-License-Identifier: MIT */
/*
 * A wait is steps and sleeps, as in shm/wait.c, but a sleep is an op on the bell's word:
 *
 *   step: done?  ->  count in, step again: done?  ->  op on the word  ->  count out, step …
 *
 * Sleeps here have no bound of their own. Instead each loop with sleepers has a pulse, every 100 ms (1 s where it has been
 * quiet), that sweeps the dead (which rings every bell they may have forgotten) and now and then steps every sleeper, so
 * that a wake lost for whatever reason delays somebody and can never hang them. A pulse costs one walk, however many
 * completions there are.
 */
#include "await.h"

#include <errno.h>

#include "errors.h"
#include "loop.h"
#include "process.h"
#include "sweep.h"
#include "wait.h"

#define PULSE_NS       STRAIT_SLEEP_NS
#define PULSE_QUIET_NS STRAIT_SLEEP_QUIET_NS
#define PULSES_QUIET   10      /* without news, before it counts as quiet */
#define LOOK_EVERY     10      /* pulses between steps of every sleeper */
#define PATIENCE_NS    5000000 /* for the admin lock: the loop has other things to do; the next pulse tries again */
#define MID_RING_NS    1000000 /* how long a ringer may be between its store and its ring */

/* ---- sleepers ---- */

static void pulse(struct strait_op *op, int res);

static void list(struct strait_await *a)
{
    struct strait_ward *ward = strait_loop_ward(a->op.loop);
    struct strait_await **here = a->kind->place(a).awaits;

    a->next = ward->first;
    a->link = &ward->first;
    if (a->next)
        a->next->link = &a->next;
    ward->first = a;
    a->next_here = *here;
    a->link_here = here;
    if (a->next_here)
        a->next_here->link_here = &a->next_here;
    *here = a;
}

static void unlist_here(struct strait_await *a)
{
    if (a->link_here == NULL)
        return;
    *a->link_here = a->next_here;
    if (a->next_here)
        a->next_here->link_here = a->link_here;
    a->link_here = NULL;
}

static void forget(struct strait_ward *ward)
{
    strait_wait_forget(ward->record);
    ward->record = NULL;
}

static void unlist(struct strait_await *a)
{
    struct strait_ward *ward = strait_loop_ward(a->op.loop);

    *a->link = a->next;
    if (a->next)
        a->next->link = a->link;
    unlist_here(a);
    if (ward->first == NULL)
        forget(ward);
}

static void keep_pulse(struct strait_loop *loop, struct strait_ward *ward, uint64_t ns)
{
    ward->pulse.done = pulse;
    ward->pulse.internal = true;
    if (strait_op_prepare(loop, &ward->pulse, STRAIT_OP_TIMER, -1, strait_after_ns(ns)) == 0)
        strait_loop_start(loop, &ward->pulse);
}

/* Count out. passing: we took nothing, so a wake that was ours is somebody else's. */
static void leave(struct strait_await *a, bool passing)
{
    if (!a->counted)
        return;
    a->counted = false;
    if (a->at)
        strait_bell_leave(a->at, &a->ticket);
    if (passing && a->at)
        strait_bell_wake(a->at, 1);
    else if (passing)
        a->kind->pass_on(a);
}

static void rung(struct strait_op *op, int res);

/* Count in, or mark the word; then what the step says when it looks again. */
static int64_t enter(struct strait_await *a, const uint32_t **word)
{
    struct strait_await_place place = a->kind->place(a);
    int64_t r;

    if (a->kind->bell) {
        a->at = a->kind->bell(a);
        strait_bell_enter(a->at, &a->ticket, strait_mood_mode(place.mood, &place.segment->map, strait_now_ns()));
        strait_add64_relaxed(&a->at->sleeps, 1);
        a->counted = true;
        *word = &a->at->seq;
        return a->kind->step(a);
    }
    a->at = NULL;
    a->counted = true; /* marked: what wakes us may be meant for the next one */
    while (a->kind->mark(a, word, &a->ticket.seq) < 0) {
        r = a->kind->step(a);
        if (r != -EAGAIN)
            return r;
    }
    return -EAGAIN;
}

/* Asleep, unless there is something after all. 0, or -errno and nothing is in flight. */
static int sleep_at_bell(struct strait_await *a)
{
    struct strait_loop *loop = a->op.loop;
    struct strait_ward *ward = strait_loop_ward(loop);
    const uint32_t *word;
    int64_t r = enter(a, &word);
    int error;

    if (r != -EAGAIN) {
        leave(a, false);
        strait_op_complete(&a->op, (int)r);
        return 0;
    }
    a->bell.done = rung;
    a->bell.internal = true;
    error = strait_op_bell(loop, &a->bell, word, a->ticket.seq, STRAIT_FOREVER);
    if (error) {
        leave(a, true);
        return error;
    }
    list(a);
    if (!strait_op_pending(&ward->pulse))
        keep_pulse(loop, ward, PULSE_NS);
    return 0;
}

/* Was it the deadline that ended it, with its handle still there? As the calls that block, it tells the error table. */
static void remember(const struct strait_await *a)
{
    struct strait_await_place place;

    if (!a->ending || a->result != -ECANCELED || !(a->op.flags & STRAIT_OP_EXPIRED) || a->link_here == NULL)
        return;
    place = a->kind->place(a);
    if (a->kind->late != STRAIT_ERROR_NONE)
        strait_error_note(&place.segment->map, a->kind->late, place.name, place.segment->map.lease, 1);
}

/* The bell has rung, or its op was cancelled. */
static void rung(struct strait_op *op, int res)
{
    struct strait_await *a = (struct strait_await *)((char *)op - offsetof(struct strait_await, bell));
    int64_t r;
    int error;

    (void)res;
    remember(a);
    unlist(a);
    leave(a, a->ending);
    if (a->ending) {
        strait_op_complete(&a->op, a->result);
        return;
    }
    strait_loop_ward(a->op.loop)->quiet = 0;
    r = a->kind->step(a);
    if (r != -EAGAIN) {
        strait_op_complete(&a->op, (int)r);
        return;
    }
    error = sleep_at_bell(a);
    if (error)
        strait_op_complete(&a->op, error);
}

/* The bell's op comes back soon; then it ends with `result`. */
static int end_with(struct strait_await *a, int result)
{
    int error = strait_op_cancel(&a->bell);

    if (error < 0 && error != -EALREADY)
        return error;
    a->ending = true;
    a->result = result;
    return 0;
}

int strait_await_start(struct strait_op *op)
{
    struct strait_await *a = (struct strait_await *)(void *)op;
    int64_t r;

    a->ending = a->counted = false;
    a->at = NULL;
    a->link_here = NULL;
    strait_loop_ward(op->loop)->quiet = 0;
    if (a->kind->start)
        return a->kind->start(a);
    r = a->kind->step(a);
    if (r == -EAGAIN)
        return sleep_at_bell(a);
    strait_op_complete(op, (int)r);
    return 0;
}

int strait_await_cancel(struct strait_op *op)
{
    struct strait_await *a = (struct strait_await *)(void *)op;

    if (a->kind->cancel)
        return a->kind->cancel(a);
    return a->ending ? 0 : end_with(a, -ECANCELED);
}

void strait_await_orphan(struct strait_await *first, const void *handle)
{
    struct strait_await *next;

    for (struct strait_await *a = first; a; a = next) {
        next = a->next_here;
        if (handle && a->handle != handle)
            continue;
        unlist_here(a);
        forget(strait_loop_ward(a->op.loop));
        leave(a, true); /* now: the channel's memory may be gone before the bell's op is back */
        if (!a->ending && end_with(a, -ECANCELED) < 0) {
            a->ending = true; /* no room for the cancel: the pulse tries again */
            a->result = -ECANCELED;
        }
    }
}

/* ---- the pulse ---- */

/* It is ready, and nobody rang: was the ringer just about to? */
static bool forgotten(const struct strait_await *a)
{
    uint64_t until = strait_after_ns(MID_RING_NS);

    if (a->at == NULL)
        return false; /* a lock's word is freed first, then its waiter is woken: nothing tells the two apart */
    while (strait_load32_relaxed(&a->at->seq) == a->ticket.seq)
        if (strait_now_ns() >= until)
            return true;
    return false;
}

static void look(struct strait_ward *ward, struct strait_await *a)
{
    int64_t r = a->kind->step(a);

    if (r == -EAGAIN)
        return;
    if (!a->kind->look_often && forgotten(a))
        ward->late++;
    a->ending = true;
    a->result = (int)r;
    strait_op_cancel(&a->bell);
}

/* For blame: the loop waits, and here is one of the things that it waits for. */
static void note(struct strait_ward *ward)
{
    struct strait_await_place place;

    if (ward->record || ward->first->link_here == NULL)
        return;
    place = ward->first->kind->place(ward->first);
    ward->record = strait_wait_note(&place.segment->map, STRAIT_WAIT_LOOP, place.object, 0);
}

static void pulse(struct strait_op *op, int res)
{
    struct strait_ward *ward = (struct strait_ward *)((char *)op - offsetof(struct strait_ward, pulse));
    struct strait_segment_map *swept = NULL;
    struct strait_await *a = ward->first, *next;
    bool often = false, all;
    uint64_t ns;

    if (res < 0 || a == NULL)
        return;
    ns = ward->quiet < PULSES_QUIET ? PULSE_NS : PULSE_QUIET_NS;
    all = ++ward->quiet % LOOK_EVERY == 0;
    note(ward);
    for (; a; a = next) {
        next = a->next;
        if (a->link_here == NULL) { /* an orphan whose cancel found no room */
            strait_op_cancel(&a->bell);
            continue;
        }
        struct strait_segment_map *map = &a->kind->place(a).segment->map;
        if (map != swept)
            strait_sweep_after_sleep(map, ns, strait_after_ns(PATIENCE_NS));
        swept = map;
        often |= a->kind->look_often;
        if (!a->ending && (all || a->kind->look_often))
            look(ward, a);
    }
    keep_pulse(op->loop, ward, often || ward->quiet < PULSES_QUIET ? PULSE_NS : PULSE_QUIET_NS);
}

/* ---- beginning ---- */

int strait_await_begin(struct strait_loop *loop, struct strait_await *a, const struct strait_await_kind *kind,
                       void *handle, uint64_t deadline_ns)
{
    int error = strait_op_prepare(loop, &a->op, STRAIT_OP_AWAIT, -1, deadline_ns);

    if (error)
        return error;
    a->kind = kind;
    a->handle = handle;
    if (kind->place) {
        struct strait_await_place place = kind->place(a);
        error = strait_process_check(place.segment);
        if (error == 0 && place.mute)
            error = -EOPNOTSUPP;
    }
    return error;
}
