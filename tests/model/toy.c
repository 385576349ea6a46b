/* SPDX-License-Identifier: MIT */
/*
 * Toys with known faults: the checker must find each, and must find nothing in the sound ones. A ticket ring in the manner
 * of Vyukov's, whose consumer waits for ever behind a producer that died between ticket and publish; a stack that is
 * popped by a naive compare-and-swap (ABA); a lock whose waiter misses the wake; two locks taken crosswise.
 */
#include <stdio.h>

#include "engine.h"
#include "strait/atomic.h"

static struct {
    _Alignas(64) uint64_t tail, head, turn[2], data[2], word, next[4], top;
} s;
static struct {
    uint64_t got, popped[2];
} g;

#define ACTOR(name) static void name(void *arg __attribute__((unused)))

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(&g, 0, sizeof g);
    s.turn[1] = 1;
    s.top = 1;
    s.next[1] = 2;
    s.next[2] = 3;
    model_share(&s, sizeof s);
    model_private(&g, sizeof g);
}

/* ---- a ticket ring ---- */

static void put(uint64_t v, bool sloppy)
{
    uint64_t ticket = strait_add64_seq_cst(&s.tail, 1);

    while (strait_load64_acquire(&s.turn[ticket % 2]) != ticket)
        strait_pause();
    strait_payload_write(&s.data[ticket % 2], &v, sizeof v);
    if (sloppy)
        strait_store64_relaxed(&s.turn[ticket % 2], ticket + 1);
    else
        strait_store64_release(&s.turn[ticket % 2], ticket + 1);
}

ACTOR(producer)
{
    put(1, false);
}
ACTOR(sloppy_producer)
{
    put(1, true);
}
ACTOR(consumer)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t v;
        while (strait_load64_acquire(&s.turn[i]) != i + 1)
            strait_pause();
        strait_payload_read(&v, &s.data[i], sizeof v);
        g.got += v;
    }
}
static void got_both(void)
{
    MODEL_CHECK(g.got == 2 || model_deaths(), "a message is lost");
}

/* ---- a stack with a naive pop ---- */

static uint64_t pop(void)
{
    uint64_t top = strait_load64_acquire(&s.top), next;

    while (top) {
        next = strait_load64_relaxed(&s.next[top]);
        if (strait_cas64(&s.top, &top, next))
            break;
    }
    return top;
}
static void push(uint64_t n)
{
    uint64_t top = strait_load64_acquire(&s.top);

    do
        strait_store64_relaxed(&s.next[n], top);
    while (!strait_cas64(&s.top, &top, n));
}
ACTOR(popper)
{
    g.popped[0] = pop();
}
ACTOR(shuffler)
{
    uint64_t first = pop();

    g.popped[1] = pop();
    push(first);
}
static void not_twice(void)
{
    MODEL_CHECK(model_peek(&s.top, 8) != g.popped[1], "an element was popped, and is in the stack");
}

/* ---- a lock that sleeps ---- */

static void lock(bool careless)
{
    uint32_t *word = (uint32_t *)(void *)&s.word, seen = 0;

    if (strait_cas32(word, &seen, 1))
        return;
    while (strait_exchange32_acq_rel(word, careless ? 1 : 2) != 0)
        model_futex_wait(word, careless ? 1 : 2, UINT64_MAX);
}
static void unlock(void)
{
    uint32_t *word = (uint32_t *)(void *)&s.word;

    if (strait_exchange32_acq_rel(word, 0) == 2)
        model_futex_wake(word, 1);
}
static void add_under_lock(bool careless)
{
    uint64_t v;

    lock(careless);
    strait_payload_read(&v, &s.data[0], sizeof v);
    v++;
    strait_payload_write(&s.data[0], &v, sizeof v);
    unlock();
}
ACTOR(locker)
{
    add_under_lock(false);
}
ACTOR(careless_locker)
{
    add_under_lock(true);
}
static void added(void)
{
    MODEL_CHECK(s.data[0] == 2, "%llu were added", (unsigned long long)s.data[0]);
}

/* ---- two kernel locks ---- */

ACTOR(upwards)
{
    model_lock(0);
    model_lock(1);
    model_unlock(1);
    model_unlock(0);
}
ACTOR(downwards)
{
    model_lock(1);
    model_lock(0);
    model_unlock(0);
    model_unlock(1);
}

static const struct {
    struct model model;
    const char *finds; /* begins the violation; NULL: nothing is wrong */
} toys[] = {
    {{.name = "ticket ring",
      .bounds = {3, 0, 0, 0},
      .end = got_both,
      .actors = {{"p1", producer}, {"p2", producer}, {"c", consumer}}},
     NULL},
    {{.name = "ticket ring, weak",
      .memory = MODEL_WEAK,
      .bounds = {2, 0, 2, 0},
      .end = got_both,
      .actors = {{"p1", producer}, {"p2", producer}, {"c", consumer}}},
     NULL},
    {{.name = "ticket ring, relaxed publish",
      .memory = MODEL_WEAK,
      .bounds = {2, 0, 2, 0},
      .end = got_both,
      .actors = {{"p1", sloppy_producer}, {"p2", producer}, {"c", consumer}}},
     "data race"},
    {{.name = "ticket ring, a producer dies",
      .bounds = {2, 1, 0, 0},
      .end = got_both,
      .actors = {{"p1", producer, .mortal = true}, {"p2", producer}, {"c", consumer}}},
     "c hangs"},
    {{.name = "stack, ABA", .bounds = {2, 0, 0, 0}, .end = not_twice, .actors = {{"a", popper}, {"b", shuffler}}},
     "an element"},
    {{.name = "lock", .bounds = {4, 0, 0, 0}, .end = added, .actors = {{"a", locker}, {"b", locker}}}, NULL},
    {{.name = "lock, weak",
      .memory = MODEL_WEAK,
      .bounds = {3, 0, 2, 0},
      .end = added,
      .actors = {{"a", locker}, {"b", locker}}},
     NULL},
    {{.name = "lock, waiter not marked",
      .bounds = {2, 0, 0, 0},
      .end = added,
      .actors = {{"a", locker}, {"b", careless_locker}}},
     "b hangs"},
    {{.name = "two locks crosswise", .bounds = {2, 0, 0, 0}, .actors = {{"a", upwards}, {"b", downwards}}}, "a hangs"},
};

int main(void)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < sizeof toys / sizeof toys[0]; i++) {
        struct model m = toys[i].model;
        struct model_result r;
        bool good;

        m.setup = setup;
        model_explore(&m, &m.bounds, 20, &r);
        good = toys[i].finds ? r.violated && strncmp(r.violation, toys[i].finds, strlen(toys[i].finds)) == 0
                             : r.exhaustive && !r.violated;
        printf("%s %-30s %7llu schedules %s\n", good ? "ok    " : "FAILED", m.name, (unsigned long long)r.schedules,
               r.violated ? r.violation : "nothing found");
        if (!good)
            printf("%s", model_trace());
        failed += !good;
    }
    return failed != 0;
}
