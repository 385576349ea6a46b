/* SPDX-License-Identifier: MIT */
/* Who runs: the coroutines, their states, and the choices between them. */
#include "internal.h"

#include "switch.h"

enum { TAG_POINT = 1, TAG_NEXT, TAG_DEATH, TAG_WAKE };

struct actor model_actor[MODEL_ACTORS];
const char *model_frame;
bool model_scheduling;
uint64_t model_pending[3];

static _Alignas(64) char stacks[MODEL_ACTORS][2][MODEL_STACK]; /* the next life begins while this one's is in use */
static size_t deepest[MODEL_ACTORS];                           /* how much of a stack was used, over all runs */
static void *main_sp;
static enum run_outcome outcome;
static bool running;
static bool gone; /* the running actor has died: nobody comes back to this stack */

static void leave_for_next(void);
static void may_die(void);

static char *top_of(unsigned i)
{
    return stacks[i][model_actor[i].lives & 1] + MODEL_STACK;
}

bool model_running(void)
{
    return running;
}

/* ---- starting and ending ---- */

static void trampoline(void)
{
    const struct model_actor *a = &model_now->actors[model_run.current];

    a->run(a->arg);
    model_frame = top_of(model_run.current);
    may_die();
    model_trace_line("done");
    model_actor[model_run.current].state = ACTOR_DONE;
    model_wrote();
    leave_for_next();
    __builtin_unreachable();
}

/* What an earlier run left on a stack must not look like a difference between two states. */
static void clear_stack(unsigned i)
{
    size_t used = deepest[i] + 1024;

    if (used > MODEL_STACK)
        used = MODEL_STACK;
    memset(top_of(i) - used, 0, used);
}

static void begin(unsigned i, unsigned lives)
{
    model_actor[i] = (struct actor){.state = ACTOR_READY, .lives = (uint8_t)lives};
    clear_stack(i);
    model_actor[i].sp = model_new_stack(top_of(i), trampoline);
}

void model_actors_reset(void)
{
    for (unsigned i = 0; i < model_actor_count; i++)
        begin(i, 0);
}

enum run_outcome model_actors_run(void)
{
    running = model_scheduling = true;
    gone = false;
    model_run.current = (uint8_t)model_pick(model_actor_count, TAG_NEXT);
    model_switch(&main_sp, model_actor[model_run.current].sp);
    running = model_scheduling = false;
    return outcome;
}

void model_switch_to_main(enum run_outcome how)
{
    void *nowhere;

    outcome = how;
    model_switch(&nowhere, main_sp);
    __builtin_unreachable();
}

/* ---- what a state is made of ---- */

static bool is_live(const struct actor *a)
{
    return a->state != ACTOR_DONE && a->state != ACTOR_DEAD;
}

static uint64_t hash_stack(unsigned i)
{
    const char *from = model_frame;

    if (from < top_of(i) - MODEL_STACK || from > top_of(i)) /* not started yet */
        return 0;
    return model_hash(model_hash(i, model_pending, sizeof model_pending), from, (size_t)(top_of(i) - from));
}

uint64_t model_actors_hash(void)
{
    uint64_t h = 0;

    for (unsigned i = 0; i < model_actor_count; i++) {
        const struct actor *a = &model_actor[i];
        h = model_mix(h, a->state | (uint64_t)a->lock << 8 | (uint64_t)a->timed_out << 16 | (uint64_t)a->lives << 24);
        if (!is_live(a))
            continue;
        h = model_mix(h, i == model_run.current && !gone ? hash_stack(i) : a->stack_hash);
        if (a->state == ACTOR_ASLEEP)
            h = model_mix(model_mix(h, (uintptr_t)a->word), a->deadline_ns);
    }
    return h;
}

/* ---- switching ---- */

/* Its sleep runs out although somebody else could run. */
static void wake_early(unsigned i)
{
    model_run.left.timeouts--;
    model_run.timeouts++;
    model_actor[i].timed_out = true;
    model_actor[i].state = ACTOR_READY;
    if (model_run.now_ns < model_actor[i].deadline_ns)
        model_run.now_ns = model_actor[i].deadline_ns;
}

static void switch_to(unsigned next)
{
    unsigned before = model_run.current;
    void *nowhere, **back = gone ? &nowhere : &model_actor[before].sp;

    if (model_actor[next].state == ACTOR_ASLEEP)
        wake_early(next);
    if (next == before && !gone)
        return;
    if (!gone && is_live(&model_actor[before]))
        model_actor[before].stack_hash = hash_stack(before);
    gone = false;
    model_run.current = (uint8_t)next;
    model_switch(back, model_actor[next].sp);
}

static unsigned candidates(uint8_t list[MODEL_ACTORS], unsigned except)
{
    unsigned n = 0;

    for (unsigned i = 0; i < model_actor_count; i++) {
        const struct actor *a = &model_actor[i];
        if (i == except)
            continue;
        if (a->state == ACTOR_READY ||
            (a->state == ACTOR_ASLEEP && a->deadline_ns != UINT64_MAX && model_run.left.timeouts))
            list[n++] = (uint8_t)i;
    }
    return n;
}

static bool unpause(void)
{
    bool any = false;

    if (++model_run.fruitless > MODEL_ROUNDS)
        return false;
    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_actor[i].state == ACTOR_PAUSED) {
            model_actor[i].state = ACTOR_READY;
            any = true;
        }
    return any;
}

void model_finish(void)
{
    model_scheduling = false;
    if (model_now->end)
        model_now->end();
    model_leave(RUN_ENDED);
}

/* Nobody can run: time passes until the first sleep runs out. */
static bool let_time_pass(void)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_actor[i].state == ACTOR_ASLEEP && model_actor[i].deadline_ns < first)
            first = model_actor[i].deadline_ns;
    if (first == UINT64_MAX)
        return false;
    model_scheduling = false;
    if (model_now->idle)
        model_now->idle();
    model_scheduling = true;
    if (model_run.now_ns < first)
        model_run.now_ns = first;
    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_actor[i].state == ACTOR_ASLEEP && model_actor[i].deadline_ns <= first) {
            model_actor[i].state = ACTOR_READY;
            model_actor[i].timed_out = true;
            model_run.timeouts++;
        }
    return true;
}

static void __attribute__((noreturn)) end_run(void)
{
    for (unsigned i = 0; i < model_actor_count; i++)
        if (is_live(&model_actor[i]) && !model_now->actors[i].may_hang)
            model_fail("%s hangs: %s", model_now->actors[i].name,
                       model_actor[i].state == ACTOR_ASLEEP   ? "asleep for ever"
                       : model_actor[i].state == ACTOR_PAUSED ? "waits for a change for ever"
                                                              : "waits for a lock for ever");
    model_finish();
}

/* The running actor cannot go on: somebody else, at no cost. */
static void leave_for_next(void)
{
    uint8_t list[MODEL_ACTORS];
    unsigned n;

    while ((n = candidates(list, MODEL_ACTORS)) == 0)
        if (!unpause() && !let_time_pass())
            end_run();
    switch_to(list[model_pick(n, TAG_NEXT)]);
}

void model_block(enum actor_state state)
{
    model_actor[model_run.current].state = (uint8_t)state;
    leave_for_next();
}

/* ---- deaths ---- */

static void free_locks(unsigned i)
{
    for (unsigned l = 0; l < MODEL_LOCKS; l++)
        if (model_run.lock_owner[l] == i) {
            model_run.lock_owner[l] = MODEL_NO_ACTOR;
            if (model_now->memory == MODEL_WEAK)
                model_weak_bequeath(i, l);
            for (unsigned k = 0; k < model_actor_count; k++)
                if (model_actor[k].state == ACTOR_LOCKED_OUT && model_actor[k].lock == l)
                    model_actor[k].state = ACTOR_READY;
        }
}

static void bury(unsigned i)
{
    bool reborn = model_now->actors[i].reborn;

    model_trace_line("%s DIES", model_now->actors[i].name);
    model_run.left.deaths--;
    model_run.deaths++;
    free_locks(i);
    if (model_now->memory == MODEL_WEAK)
        model_weak_die(i, reborn);
    for (unsigned l = 0; l < MODEL_LEASES; l++)
        if (model_run.lease_owner[l] == i)
            model_run.lease_owner[l] = MODEL_NO_ACTOR;
    model_actor[i].state = ACTOR_DEAD;
    model_scheduling = false;
    if (model_now->died)
        model_now->died(i);
    model_scheduling = true;
    model_wrote();
    if (reborn)
        begin(i, model_actor[i].lives + 1u);
}

static void die(void)
{
    bury(model_run.current);
    gone = true;
    leave_for_next();
}

static bool can_die(unsigned i)
{
    return model_run.left.deaths && model_now->actors[i].mortal && is_live(&model_actor[i]);
}

static void may_die(void)
{
    if (!can_die(model_run.current) || model_pick(2, TAG_DEATH) == 0)
        return;
    die();
}

void model_others_may_die(void)
{
    uint8_t list[MODEL_ACTORS];
    unsigned n = 0, taken;

    for (unsigned i = 0; i < model_actor_count; i++)
        if (i != model_run.current && can_die(i))
            list[n++] = (uint8_t)i;
    if (n && (taken = model_pick(n + 1, TAG_DEATH)) > 0)
        bury(list[taken - 1]);
}

/* ---- choice points ---- */

void model_point(bool effect)
{
    const char *here = __builtin_frame_address(0);
    unsigned self = model_run.current, others = 0, taken;
    bool mortal = effect && can_die(self);
    uint8_t list[MODEL_ACTORS];

    if ((size_t)(top_of(self) - here) > deepest[self])
        deepest[self] = (size_t)(top_of(self) - here);
    if (++model_steps_of_run > MODEL_STEPS)
        model_fail("%s: livelock, more than %d accesses", model_now->actors[self].name, MODEL_STEPS);
    if (model_run.left.preemptions)
        others = candidates(list, self);
    taken = model_pick(1 + others + mortal, TAG_POINT);
    if (taken == 0)
        return;
    if (taken <= others) {
        model_run.left.preemptions--;
        model_trace_line("… preempted");
        switch_to(list[taken - 1]);
        return;
    }
    die();
}

void model_wrote(void)
{
    model_run.fruitless = 0;
    for (unsigned i = 0; i < model_actor_count; i++)
        if (i != model_run.current && model_actor[i].state == ACTOR_PAUSED)
            model_actor[i].state = ACTOR_READY;
}

/* ---- what harnesses ask ---- */

unsigned model_self(void)
{
    return model_run.current;
}

bool model_is_dead(unsigned actor)
{
    return model_actor[actor].state == ACTOR_DEAD;
}

bool model_is_asleep(unsigned actor)
{
    return model_actor[actor].state == ACTOR_ASLEEP;
}

bool model_is_done(unsigned actor)
{
    return model_actor[actor].state == ACTOR_DONE;
}

unsigned model_lives(unsigned actor)
{
    return model_actor[actor].lives;
}

unsigned model_deaths(void)
{
    return model_run.deaths;
}

unsigned model_timeouts(void)
{
    return model_run.timeouts;
}
