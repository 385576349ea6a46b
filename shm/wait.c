/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "futex.h"
#include "lease.h"
#include "strait/atomic.h"
#include "sweep.h"

#define SPIN_MOST_NS  50000 /* what a sleep costs, wake and all */
#define SPIN_LEAST_NS 1000
#define SPIN_HOT                                                                                                       \
    64 /* tries before the first pause and the first look at the clock: a peer that is busy answers within */
#define SPIN_CROWDED      64 /* pauses, when there are more parties than CPUs: give the core away soon */
#define SPIN_PER_LOOK     16 /* tries between looks at the clock */
#define RETRY_SPIN_EVERY  64 /* waits after which a hopeless spinner tries the full length again */
#define OFTEN_NS          200000
#define OFTEN_NEWS        64 /* a fence costs each of them 8 ns and what it keeps from overlapping; a membarrier 1 to 2 us */
#define IDLE_SLEEPS       10 /* bounded sleeps that ran out before we count as quiet */
#define SWEEP_PATIENCE_NS 50000000
#define SPIN_WORD         100 /* tries for a lock: its sections are short, or worth a sleep */

/* ---- spinning ---- */

static uint64_t spin_budget(struct strait_mood *mood)
{
    if (mood->spin_ns == 0 || ++mood->waits % RETRY_SPIN_EVERY == 0)
        return SPIN_MOST_NS;
    return mood->spin_ns;
}

/* A success says that spinning pays, and it costs no more than it took; a failure says the contrary. */
static void learn(struct strait_mood *mood, bool success)
{
    uint64_t was = mood->spin_ns ? mood->spin_ns : SPIN_MOST_NS, want = success ? 2 * was : was / 2;

    mood->spin_ns = want < SPIN_LEAST_NS ? SPIN_LEAST_NS : want > SPIN_MOST_NS ? SPIN_MOST_NS : want;
}

static int64_t spin_crowded(const struct strait_wait *w)
{
    int64_t r = -EAGAIN;

    for (int i = 0; i < SPIN_CROWDED && r == -EAGAIN; i++) {
        strait_pause();
        r = w->step(w->arg);
    }
    return r;
}

static int64_t spin(const struct strait_wait *w, uint64_t deadline_ns)
{
    uint64_t began = strait_now_ns(), budget = w->busy ? STRAIT_FOREVER : spin_budget(w->mood), ns = 0, looked = 0;
    int64_t r = -EAGAIN;

    if (w->map->cpus < 2 && !w->busy)
        return r;
    if (w->parties > w->map->cpus && !w->busy)
        return spin_crowded(w);
    while (r == -EAGAIN && ns < budget && began + ns < deadline_ns) {
        for (int i = 0; i < SPIN_PER_LOOK && r == -EAGAIN; i++) {
            strait_pause();
            r = w->step(w->arg);
        }
        ns = strait_now_ns() - began;
        if (w->busy && r == -EAGAIN && ns - looked >= STRAIT_SLEEP_NS) { /* who never sleeps must look, too */
            strait_sweep_after_sleep(w->map, STRAIT_SLEEP_NS, strait_after_ns(SWEEP_PATIENCE_NS));
            looked = ns;
        }
    }
    if (!w->busy)
        learn(w->mood, r != -EAGAIN);
    return r;
}

/* ---- who waits for what ---- */

struct strait_wait_record *strait_wait_note(struct strait_segment_map *map, enum strait_wait_kind kind, uint64_t object,
                                            uint64_t detail)
{
    uint32_t thread = (uint32_t)syscall(SYS_gettid);

    for (unsigned i = 0; i < STRAIT_WAITS && map->lease; i++) {
        struct strait_wait_record *r = &strait_segment_lease(map, map->lease)->waits[i];
        uint32_t seen = 0;
        /* CAS: sets no order, it only reserves. The read first: four threads of a pool should not fight for a line on every sleep */
        if (strait_load32_relaxed(&r->thread) != 0 ||
            !strait_cas32(&r->thread, &seen, thread)) /* seq_cst [W4] alone: reserves */
            continue;
        strait_store64_relaxed(&r->object, object);
        strait_store64_relaxed(&r->detail, detail);
        strait_store64_relaxed(&r->since_ns, strait_now_ns());
        /* release [W1] -> [W2] shmctl: kind says that the rest is filled in */
        strait_store32_release(&r->kind, kind);
        return r;
    }
    return NULL;
}

void strait_wait_forget(struct strait_wait_record *record)
{
    if (record == NULL)
        return;
    strait_store32_relaxed(&record->kind, STRAIT_WAIT_NONE);
    strait_store32_release(&record->thread, 0); /* release [W3] alone: kind is cleared before the record is free */
}

/* ---- sleeping ---- */

enum strait_bell_mode strait_mood_mode(struct strait_mood *mood, const struct strait_segment_map *map, uint64_t now_ns)
{
    uint64_t distance = now_ns - mood->slept_at, news = mood->news - mood->slept_news;

    mood->slept_often = mood->slept_at ? (7 * mood->slept_often + distance) / 8 : 10 * OFTEN_NS;
    mood->slept_at = now_ns;
    mood->slept_news = mood->news;
    if (map->fence || strait_load32_relaxed(&strait_segment_header(map)->no_barrier))
        return STRAIT_BELL_FENCE;
    return mood->slept_often < OFTEN_NS && news < OFTEN_NEWS ? STRAIT_BELL_FENCE : STRAIT_BELL_ASYM;
}

/* One bounded sleep: what the step said when we looked again, or -EAGAIN. *woken: a wake may have been meant for us. */
static int64_t sleep_once(const struct strait_wait *w, uint64_t until_ns, uint64_t now, int *woken)
{
    struct strait_bell_ticket ticket;
    int64_t r;

    strait_bell_enter(w->bell, &ticket, strait_mood_mode(w->mood, w->map, now));
    r = w->step(w->arg);
    if (r == -EAGAIN)
        *woken = strait_bell_sleep(w->bell, &ticket, until_ns);
    strait_bell_leave(w->bell, &ticket);
    return r;
}

/* We leave without having taken anything: a wake that we had was somebody's, pass it on. */
static int64_t leave(const struct strait_wait *w, int woken, int error)
{
    if (woken == 0 || woken == -EINTR)
        strait_bell_wake(w->bell, 1);
    return error;
}

static int64_t sleep_until(const struct strait_wait *w, uint64_t deadline_ns)
{
    int woken = -EAGAIN;

    for (;;) {
        uint64_t now = strait_now_ns(), bound;
        int64_t r;

        if (now >= deadline_ns)
            return leave(w, woken, -ETIMEDOUT);
        bound = w->mood->idle < IDLE_SLEEPS ? STRAIT_SLEEP_NS : STRAIT_SLEEP_QUIET_NS;
        woken = -EAGAIN;
        r = sleep_once(w, deadline_ns - now < bound ? deadline_ns : now + bound, now, &woken);
        if (r != -EAGAIN)
            return r;
        w->mood->idle = woken == -ETIMEDOUT ? w->mood->idle + 1 : 0;
        if (woken == -ETIMEDOUT)
            strait_sweep_after_sleep(w->map, bound, strait_after_ns(SWEEP_PATIENCE_NS));
        r = w->step(w->arg);
        if (r != -EAGAIN)
            return r;
        if (woken == -EINTR)
            return leave(w, woken, -EINTR);
    }
}

int64_t strait_wait(const struct strait_wait *w, uint64_t deadline_ns)
{
    struct strait_wait_record *record;
    int64_t r = w->step(w->arg);

    if (r != -EAGAIN || deadline_ns == STRAIT_NOW)
        return r;
    for (int i = 0; i < SPIN_HOT && r == -EAGAIN && w->map->cpus > 1; i++)
        r = w->step(w->arg);
    if (r != -EAGAIN) {
        learn(w->mood, true);
        return r;
    }
    r = spin(w, deadline_ns);
    if (r != -EAGAIN)
        return r;
    if (w->busy)
        return -ETIMEDOUT;
    record = strait_wait_note(w->map, w->kind, w->object, w->detail);
    r = sleep_until(w, deadline_ns);
    strait_wait_forget(record);
    return r;
}

/* ---- words that are no bells ---- */

/* Sleep once, in bounds: 0 woken, -EAGAIN did not sleep, -ETIMEDOUT, -EINTR. */
static int sleep_on_word(const struct strait_word_wait *w, const struct strait_word *word, uint64_t until_ns)
{
    int r = strait_futex_wait(word->word, word->seen, until_ns);

    if (r == -ETIMEDOUT)
        strait_sweep_after_sleep(w->map, STRAIT_SLEEP_NS, strait_after_ns(SWEEP_PATIENCE_NS));
    return r;
}

/* Nobody wakes us if the holder is dead already: a probe costs 1 us, the sleep that it may save 100 ms. */
static bool bury_holder(const struct strait_word_wait *w, uint32_t holder)
{
    return holder != STRAIT_LEASE_NONE && holder < STRAIT_LEASES && strait_lease_dead(w->map, holder) &&
           strait_sweep(w->map, strait_after_ns(SWEEP_PATIENCE_NS)) > 0;
}

static int64_t wait_asleep(const struct strait_word_wait *w, uint64_t deadline_ns)
{
    struct strait_word word;
    bool probed = false;

    for (;;) {
        uint64_t now = strait_now_ns();
        int woken = -EAGAIN;
        int64_t r;

        if (now >= deadline_ns)
            return -ETIMEDOUT;
        if (w->mark(w->arg, &word) == 0 && (probed || !bury_holder(w, word.holder))) {
            woken = sleep_on_word(w, &word, deadline_ns - now < STRAIT_SLEEP_NS ? deadline_ns : now + STRAIT_SLEEP_NS);
            probed = true;
        }
        r = w->step(w->arg);
        if (r != -EAGAIN)
            return r;
        if (woken == -EINTR || (woken == 0 && strait_now_ns() >= deadline_ns)) {
            w->pass_on(w->arg);
            return woken == -EINTR ? -EINTR : -ETIMEDOUT;
        }
    }
}

/* Who only ever tries must not wait for ever for a dead owner: now and then, one of them looks. */
static int64_t try_again(const struct strait_word_wait *w)
{
    int swept = strait_sweep_after_sleep(w->map, STRAIT_SLEEP_NS, strait_now_ns());
    return swept > 0 ? w->step(w->arg) : -EAGAIN;
}

int64_t strait_wait_word(const struct strait_word_wait *w, uint64_t deadline_ns)
{
    struct strait_wait_record *record;
    int64_t r = w->step(w->arg);

    if (r == -EAGAIN && deadline_ns == STRAIT_NOW)
        return try_again(w);
    for (int i = 0; i < SPIN_WORD && r == -EAGAIN && w->map->cpus > 1; i++) {
        strait_pause();
        r = w->step(w->arg);
    }
    if (r != -EAGAIN)
        return r;
    record = strait_wait_note(w->map, w->kind, w->object, w->detail);
    r = wait_asleep(w, deadline_ns);
    strait_wait_forget(record);
    return r;
}
