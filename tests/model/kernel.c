/* SPDX-License-Identifier: MIT */
/* What the kernel gives: sleeping and waking, locks that die with their holder, leases, time. */
#include <errno.h>

#include "internal.h"

enum { TAG_WAKE_WHOM = 20 };

static bool weak(void)
{
    return model_now->memory == MODEL_WEAK;
}

/* The kernel compares the word under a lock that the waker takes as well: full barriers, but no newest value unless a
 * waker has been there. */
static uint32_t compare(const uint32_t *word)
{
    if (!weak())
        return (uint32_t)model_peek(word, 4);
    model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    return (uint32_t)model_weak_load(word, 4, __ATOMIC_SEQ_CST);
}

int model_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    struct actor *self = &model_actor[model_run.current];
    uint32_t seen;

    MODEL_ENTER((uintptr_t)word, expected, deadline_ns);
    model_point(true);
    seen = compare(word);
    if (seen != expected) {
        model_trace_access("no sleep", word, 4, seen, -1);
        return -EAGAIN;
    }
    if (deadline_ns <= model_run.now_ns)
        return -ETIMEDOUT;
    model_trace_access("sleeps on", word, 4, seen, -1);
    self->word = word;
    self->deadline_ns = deadline_ns;
    self->timed_out = false;
    model_block(ACTOR_ASLEEP);
    self->word = NULL;
    if (weak())
        model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    model_trace_line("%s", self->timed_out ? "sleep runs out" : "woken");
    if (!self->timed_out)
        return 0;
    self->timed_out = false;
    return -ETIMEDOUT;
}

static unsigned sleepers_on(const uint32_t *word, uint8_t list[MODEL_ACTORS])
{
    unsigned n = 0;

    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_actor[i].state == ACTOR_ASLEEP && model_actor[i].word == word)
            list[n++] = (uint8_t)i;
    return n;
}

int model_futex_wake(const uint32_t *word, unsigned most)
{
    uint8_t list[MODEL_ACTORS];
    unsigned n, woken = 0;

    MODEL_ENTER((uintptr_t)word, most, 0);
    model_point(true);
    if (sleepers_on(word, list))
        model_others_may_die();
    if (weak())
        model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    while (woken < most && (n = sleepers_on(word, list)) > 0) {
        unsigned i = list[most - woken < n ? model_pick(n, TAG_WAKE_WHOM + 100 * woken) : 0];
        model_actor[i].state = ACTOR_READY;
        woken++;
        model_trace_line("wakes %s", model_now->actors[i].name);
    }
    if (!woken)
        model_trace_line("wakes nobody");
    return (int)woken;
}

/* ---- locks ---- */

bool model_trylock(unsigned lock)
{
    MODEL_ENTER(lock, 4, 0);
    if (!model_in_actor())
        return true; /* a check is alone */
    model_point(true);
    if (model_run.lock_owner[lock] != MODEL_NO_ACTOR)
        return false;
    model_run.lock_owner[lock] = model_run.current;
    if (weak())
        model_weak_adopt(lock);
    model_trace_line("locks %u", lock);
    return true;
}

void model_lock_wait(unsigned lock)
{
    MODEL_ENTER(lock, 10, 0);
    if (!model_in_actor() || model_run.lock_owner[lock] == MODEL_NO_ACTOR)
        return;
    model_trace_line("waits for lock %u", lock);
    model_actor[model_run.current].lock = (uint8_t)lock;
    model_block(ACTOR_LOCKED_OUT);
    model_actor[model_run.current].lock = 0;
}

void model_lock(unsigned lock)
{
    MODEL_ENTER(lock, 5, 0);
    if (!model_in_actor())
        return;
    model_point(true);
    while (model_run.lock_owner[lock] != MODEL_NO_ACTOR)
        model_lock_wait(lock);
    model_run.lock_owner[lock] = model_run.current;
    if (weak())
        model_weak_adopt(lock);
    model_trace_line("locks %u", lock);
}

void model_unlock(unsigned lock)
{
    MODEL_ENTER(lock, 6, 0);
    if (!model_in_actor())
        return;
    model_point(true);
    if (model_run.lock_owner[lock] != model_run.current)
        model_fail("%s unlocks what it does not hold", model_now->actors[model_run.current].name);
    model_run.lock_owner[lock] = MODEL_NO_ACTOR;
    if (weak())
        model_weak_publish(lock);
    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_actor[i].state == ACTOR_LOCKED_OUT && model_actor[i].lock == lock)
            model_actor[i].state = ACTOR_READY;
    model_wrote();
    model_trace_line("unlocks %u", lock);
}

bool model_lock_held(unsigned lock)
{
    return !model_in_actor() || model_run.lock_owner[lock] == model_run.current;
}

/* ---- leases ---- */

void model_lease_take(unsigned lease)
{
    MODEL_ENTER(lease, 7, 0);
    if (model_in_actor())
        model_point(true);
    model_run.lease_owner[lease] = model_run.current;
    model_trace_line("takes lease %u", lease);
}

void model_lease_drop_mine(void)
{
    MODEL_ENTER(0, 8, 0);
    if (model_in_actor())
        model_point(true);
    for (unsigned i = 0; i < MODEL_LEASES; i++)
        if (model_run.lease_owner[i] == model_run.current) {
            model_run.lease_owner[i] = MODEL_NO_ACTOR;
            model_trace_line("lets go of lease %u", i);
        }
    model_wrote();
}

bool model_lease_is_held(unsigned lease)
{
    unsigned owner = lease < MODEL_LEASES ? model_run.lease_owner[lease] : MODEL_NO_ACTOR;
    return owner != MODEL_NO_ACTOR;
}

bool model_lease_alive(unsigned lease)
{
    bool alive;

    MODEL_ENTER(lease, 9, 0);
    if (!model_in_actor())
        return model_lease_is_held(lease);
    model_point(false);
    model_others_may_die();
    alive = model_lease_is_held(lease);
    if (!alive && weak() && lease < MODEL_LEASES)
        model_weak_inherit(lease);
    model_trace_line("lease %u is %s", lease, alive ? "alive" : "free");
    return alive;
}

uint64_t model_now_ns(void)
{
    return model_run.now_ns;
}
