/* SPDX-License-Identifier: MIT */
/*
 * The bell: shm/strait/bell.h and shm/bell.c, without a ring. Ringers store news and ring; sleepers wait for news, in
 * FENCE or ASYM mode, changing from sleep to sleep. A sleep that runs out while there is news is a lost wake, unless
 * somebody has died. In the end nobody may be left counted in or marked woken.
 */
#include <stdlib.h>

#include "engine.h"
#include "strait/bell.h"

#define NEWS 2

static struct {
    _Alignas(64) struct strait_bell bell;
    uint64_t news[NEWS]; /* 0 none, 1 there is some, 2 taken */
} s;

/* How a model differs from the others. */
static struct {
    enum strait_bell_mode modes[2][NEWS]; /* of sleeper i's sleep k */
    enum strait_bell_mode first;          /* of the bell */
    bool fence[2];                        /* ringer i fences itself */
    bool early;                           /* the ringer reads the mode before its store: wrong */
    bool own;                             /* sleeper i waits for news[i] only, and passes nothing on */
    unsigned sleepers, ringers;
} how;

static struct {
    uint8_t slept[2]; /* how often sleeper i has waited for news and got it */
    uint8_t swept;
} g;

/* ---- ringers ---- */

/* What PROTOCOLS.md said at first. */
static void ring_early(struct strait_bell *bell, uint64_t *news)
{
    uint32_t mode = strait_load32_acquire(&bell->mode) & STRAIT_BELL_MODE_MASK;

    strait_store64_release(news, 1);
    if (mode != STRAIT_BELL_ASYM)
        strait_fence_seq_cst();
    if (strait_bell_asleep(bell))
        strait_bell_wake(bell, 1);
}

static void tell(unsigned ringer, uint64_t *news)
{
    if (how.early) {
        ring_early(&s.bell, news);
        return;
    }
    strait_store64_release(news, 1);
    strait_bell_ring(&s.bell, how.own ? how.sleepers : 1, how.fence[ringer]);
}

static void ringer(void *arg)
{
    unsigned self = *(const unsigned *)arg;

    for (unsigned i = 0; i < NEWS; i++)
        if (how.ringers == 1 || i == self)
            tell(self, &s.news[i]);
}

/* ---- sleepers ---- */

/* Take one piece of news, in order; and if there is more, pass the wake on, as receivers do. */
static bool take_one(unsigned self)
{
    for (unsigned i = how.own ? self : 0; i < (how.own ? self + 1 : NEWS); i++) {
        uint64_t seen = strait_load64_acquire(&s.news[i]);
        if (seen != 1 || !strait_cas64(&s.news[i], &seen, 2))
            continue;
        for (unsigned k = i + 1; k < NEWS; k++)
            if (how.sleepers > 1 && !how.own && strait_bell_asleep(&s.bell) && strait_load64_relaxed(&s.news[k]) == 1)
                strait_bell_wake(&s.bell, 1);
        return true;
    }
    return false;
}

static void wait_for_one(unsigned self, enum strait_bell_mode mode)
{
    struct strait_bell_ticket ticket;
    bool got = take_one(self);

    while (!got) {
        strait_bell_enter(&s.bell, &ticket, mode);
        got = take_one(self);
        if (!got)
            strait_bell_sleep(&s.bell, &ticket, model_now_ns() + 100);
        strait_bell_leave(&s.bell, &ticket);
        if (!got)
            got = take_one(self);
    }
}

static void sleeper(void *arg)
{
    unsigned self = *(const unsigned *)arg, each = NEWS / how.sleepers;

    while (g.slept[self] < each) {
        wait_for_one(self, how.modes[self][g.slept[self]]);
        g.slept[self]++;
    }
}

/* Sweeps the bell of whoever dies. */
static void sweeper(void *arg)
{
    (void)arg;
    while (!g.swept) {
        if (model_deaths()) {
            strait_bell_sweep(&s.bell);
            g.swept = 1;
        } else if (model_is_done(how.ringers) && model_is_done(how.ringers + 1)) {
            g.swept = 1;
        } else {
            strait_pause();
        }
    }
}

/* ---- checks ---- */

static bool there_is_news(void)
{
    for (unsigned i = 0; i < NEWS; i++)
        if (model_peek(&s.news[i], 8) == 1 && (!how.own || model_is_asleep(how.ringers + i)))
            return true;
    return false;
}

static bool all_told(void)
{
    for (unsigned i = 0; i < how.ringers; i++)
        if (!model_is_done(i))
            return false;
    return true;
}

/* Once the dead are swept no wake may be lost either. */
static void idle(void)
{
    if (model_deaths() && g.swept && all_told() && !there_is_news())
        model_finish(); /* the dead took one along */
    MODEL_CHECK((model_deaths() && !g.swept) || !there_is_news(), "a sleeper sleeps on, and there is news");
    MODEL_CHECK(model_timeouts() < 6, "still asleep after %u sleeps", model_timeouts());
}

static void none_counted(void)
{
    uint64_t word = model_peek(&s.bell.sleepers, 8);

    MODEL_CHECK(strait_bell_count(word) == 0, "%u are counted in, and nobody is there", strait_bell_count(word));
    MODEL_CHECK(strait_bell_woken(word) == 0, "%u are marked woken, and nobody is there", strait_bell_woken(word));
}

static void end(void)
{
    for (unsigned i = 0; i < how.sleepers; i++)
        if (!model_is_done(how.ringers + i) && !model_is_dead(how.ringers + i))
            return;
    none_counted();
}

/* ---- models ---- */

static void set_up(void)
{
    memset(&s, 0, sizeof s);
    memset(&g, 0, sizeof g);
    s.bell.mode = how.first;
    model_share(&s.bell, offsetof(struct strait_bell, sleeps));
    model_share(s.news, sizeof s.news);
    model_private(&s.bell.sleeps, 8);
    model_private(&g, sizeof g);
    model_label(&s.bell.seq, 4, NULL, "seq");
    model_label(&s.bell.mode, 4, NULL, "mode");
    model_label(&s.bell.sleepers, 8, NULL, "sleepers");
    model_label(&s.news[0], 8, NULL, "news0");
    model_label(&s.news[1], 8, NULL, "news1");
}

#define F STRAIT_BELL_FENCE
#define A STRAIT_BELL_ASYM
#define SETUP(fn, mode, n_ringers, n_sleepers, ...)                                                                    \
    static void fn(void)                                                                                               \
    {                                                                                                                  \
        how = (__typeof__(how)){.first = mode, .ringers = n_ringers, .sleepers = n_sleepers, __VA_ARGS__};             \
        set_up();                                                                                                      \
    }
SETUP(fence, F, 1, 1, .modes = {{F, F}})
SETUP(asym, A, 1, 1, .modes = {{A, A}})
SETUP(to_fence, A, 1, 1, .modes = {{A, F}})
SETUP(stay_fence, A, 1, 1, .modes = {{F, F}})
SETUP(to_asym, F, 1, 1, .modes = {{F, A}})
SETUP(stranger, A, 1, 1, .modes = {{A, A}}, .fence = {true})
SETUP(two_ringers, A, 2, 1, .modes = {{A, F}})
SETUP(two_ringers_fence, A, 2, 1, .modes = {{F, F}})
SETUP(two_sleepers, A, 2, 2, .modes = {{A}, {F}})
SETUP(two_switchers, A, 1, 2, .modes = {{F}, {F}})
SETUP(back_and_forth, F, 1, 2, .modes = {{F}, {A}})
SETUP(own_news, A, 1, 2, .modes = {{F}, {F}}, .own = true)
SETUP(own_news_asym, A, 1, 2, .modes = {{A}, {F}}, .own = true)
SETUP(early, A, 1, 1, .modes = {{F, F}}, .early = true)
SETUP(early_two, A, 2, 1, .modes = {{F, F}}, .early = true)

static unsigned zero = 0, one = 1;
#define R(n)                                                                                                           \
    {                                                                                                                  \
        .name = "ringer" #n, .run = ringer, .arg = (n) == 1 ? &zero : &one                                             \
    }
#define S(n)                                                                                                           \
    {                                                                                                                  \
        .name = "sleeper" #n, .run = sleeper, .arg = (n) == 1 ? &zero : &one                                           \
    }
#define MORTAL(n)                                                                                                      \
    {                                                                                                                  \
        .name = "sleeper" #n, .run = sleeper, .arg = (n) == 1 ? &zero : &one, .mortal = true, .reborn = true           \
    }
#define SWEEPER                                                                                                        \
    {                                                                                                                  \
        .name = "sweeper", .run = sweeper                                                                              \
    }
#define MODEL(id, title, mode, p, d, st, fn, ...)                                                                      \
    static const struct model id = {.name = title,                                                                     \
                                    .memory = mode,                                                                    \
                                    .bounds = {p, d, st, 0},                                                           \
                                    .setup = fn,                                                                       \
                                    .idle = idle,                                                                      \
                                    .end = end,                                                                        \
                                    .actors = {__VA_ARGS__}};

MODEL(w1, "bell FENCE, weak", MODEL_WEAK, 4, 0, 3, fence, R(1), S(1))
MODEL(w2, "bell ASYM, weak", MODEL_WEAK, 4, 0, 3, asym, R(1), S(1))
MODEL(w3, "bell ASYM to FENCE, weak", MODEL_WEAK, 4, 0, 3, to_fence, R(1), S(1))
MODEL(w4, "bell ASYM to FENCE at once, weak", MODEL_WEAK, 4, 0, 3, stay_fence, R(1), S(1))
MODEL(w5, "bell FENCE to ASYM, weak", MODEL_WEAK, 4, 0, 3, to_asym, R(1), S(1))
MODEL(w6, "bell ASYM, ringer fences, weak", MODEL_WEAK, 4, 0, 3, stranger, R(1), S(1))
MODEL(w7, "bell 2 ringers, ASYM to FENCE, weak", MODEL_WEAK, 3, 0, 2, two_ringers, R(1), R(2), S(1))
MODEL(w7f, "bell 2 ringers, FENCE, weak", MODEL_WEAK, 3, 0, 2, two_ringers_fence, R(1), R(2), S(1))
MODEL(w8, "bell 2 ringers, 2 sleepers, weak", MODEL_WEAK, 2, 0, 2, two_sleepers, R(1), R(2), S(1), S(2))
MODEL(w9, "bell 2 switchers, weak", MODEL_WEAK, 3, 0, 2, two_switchers, R(1), S(1), S(2))
MODEL(w10, "bell 2 modes wanted, weak", MODEL_WEAK, 3, 0, 2, back_and_forth, R(1), S(1), S(2))
MODEL(c1, "bell 2 ringers, 2 sleepers", MODEL_SC, 4, 0, 0, two_sleepers, R(1), R(2), S(1), S(2))
MODEL(c2, "bell death, sweep, epoch", MODEL_SC, 3, 1, 0, back_and_forth, R(1), S(1), MORTAL(2), SWEEPER)

MODEL(w11, "bell 2 switchers, own news, weak", MODEL_WEAK, 3, 0, 2, own_news, R(1), S(1), S(2))
MODEL(w12, "bell 2 modes, own news, weak", MODEL_WEAK, 3, 0, 2, own_news_asym, R(1), S(1), S(2))

/* Wrong on purpose: must be found. */
MODEL(e1, "mode read early, 1 ringer", MODEL_WEAK, 4, 0, 3, early, R(1), S(1))
MODEL(e2, "mode read early, 2 ringers", MODEL_WEAK, 4, 0, 3, early_two, R(1), R(2), S(1))

static const struct model *const models[] = {&w1, &w2, &w3,  &w4,  &w5,  &w6, &w7, &w7f,
                                             &w8, &w9, &w10, &w11, &w12, &c1, &c2};
static const struct model *const wrong[] = {&e1, &e2};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--wrong") == 0)
        return model_main(argc - 1, argv + 1, wrong, sizeof wrong / sizeof wrong[0]);
    return model_main(argc, argv, models, sizeof models / sizeof models[0]);
}
