/* SPDX-License-Identifier: MIT */
/*
 * Regions: shm/lock.c, shm/region.c, lib/region.c and shm/wait.c. Writers lock, write two words that must be equal, unlock;
 * readers look under a read lock, or at snapshots. Checked at every step: nobody is inside with a writer; who is told
 * that the data are sound finds them whole, and whoever is not told of a death inside has been lied to; no wake is lost.
 */
#include <stdlib.h>

#include "strait/region.h"
#include "world.h"

#define MOST_TIMEOUTS 12 /* of all actors together, after a death */

enum { HEALS = 1, POISONS = 2, READS = 4, SNAPS = 8 }; /* what an actor does when it is told; whether it only looks */

struct data {
    uint64_t a, b;
};

static struct {
    uint8_t inside, readers; /* now */
    uint8_t torn;            /* somebody died between the two words */
    uint8_t rounds[MODEL_ACTORS];
    uint8_t commits; /* atomic: returned */
    uint8_t is_inside[MODEL_ACTORS], is_writing[MODEL_ACTORS], is_reading[MODEL_ACTORS];
} g;

static struct {
    uint32_t flags; /* enum strait_region_flags */
    unsigned actors, rounds;
} shape;

static struct strait_region *region[MODEL_ACTORS];

/* ---- inside ---- */

static void enter(void)
{
    MODEL_CHECK(!g.inside && !g.readers, "%s is inside with another", model_current()->actors[model_self()].name);
    g.inside = 1;
    g.is_inside[model_self()] = 1;
}

static void leave(void)
{
    g.inside = 0;
    g.is_inside[model_self()] = 0;
}

/* A snapshot reads what the next writer begins to write: there the words are atomic, as in shm/region.c. */
static bool races(void)
{
    return shape.flags & STRAIT_REGION_ATOMIC;
}

static struct data look(const void *at)
{
    const struct data *from = at;
    struct data d;

    if (races())
        return (struct data){strait_load64_relaxed(&from->a), strait_load64_relaxed(&from->b)};
    strait_payload_read(&d, at, sizeof d);
    return d;
}

static void put_word(uint64_t *to, uint64_t v)
{
    if (races())
        strait_store64_relaxed(to, v);
    else
        strait_payload_write(to, &v, sizeof v);
}

static void put(void *at, uint64_t v)
{
    struct data *d = at;

    g.is_writing[model_self()] = 1;
    put_word(&d->a, v);
    put_word(&d->b, v);
    g.is_writing[model_self()] = 0;
    g.torn = 0;
}

static void write_plain(struct strait_region *r, bool suspect, unsigned what)
{
    struct data d = look(strait_region_data(r));

    MODEL_CHECK(!g.torn || suspect, "the data are torn, and lock says they are sound");
    MODEL_CHECK(suspect || d.a == d.b, "sound data, and they are %llu and %llu", (unsigned long long)d.a,
                (unsigned long long)d.b);
    if (suspect && (what & POISONS))
        return;
    put(strait_region_data(r), d.a + 1);
    if (suspect)
        strait_region_heal(r);
}

static void write_atomic(struct strait_region *r, bool suspect)
{
    void *spare;

    MODEL_CHECK(!suspect, "an atomic region is never suspect");
    if (strait_region_begin(r, &spare) < 0)
        model_fail("begin fails");
    put(spare, look(spare).a + 1);
    strait_region_commit(r);
    g.commits++;
}

static void write_once(struct strait_region *r, unsigned what)
{
    int e = strait_region_lock(r, STRAIT_FOREVER);

    if (e == -ENOTRECOVERABLE)
        e = strait_region_lock_for_heal(r, STRAIT_FOREVER);
    MODEL_CHECK(e == 0 || e == 1, "lock says %d", e);
    enter();
    if (shape.flags & STRAIT_REGION_ATOMIC)
        write_atomic(r, e == 1);
    else
        write_plain(r, e == 1, what);
    leave();
    strait_region_unlock(r);
}

static void read_once(struct strait_region *r)
{
    int e = strait_region_read_lock(r, STRAIT_FOREVER);
    struct data d;

    MODEL_CHECK(e == 0 || e == 1, "read_lock says %d", e);
    MODEL_CHECK(!g.inside, "%s reads beside a writer", model_current()->actors[model_self()].name);
    g.readers++;
    g.is_reading[model_self()] = 1;
    d = look(strait_region_data(r));
    MODEL_CHECK(e == 1 || (d.a == d.b && !g.torn), "a reader is told of sound data, and they are %llu and %llu",
                (unsigned long long)d.a, (unsigned long long)d.b);
    g.readers--;
    g.is_reading[model_self()] = 0;
    strait_region_read_unlock(r);
}

static void snap_once(struct strait_region *r)
{
    unsigned least = g.commits;
    struct data d;
    int e = strait_region_snapshot(r, &d, sizeof d, STRAIT_FOREVER);

    MODEL_CHECK(e == 0, "snapshot says %d", e);
    MODEL_CHECK(d.a == d.b, "a torn snapshot: %llu and %llu", (unsigned long long)d.a, (unsigned long long)d.b);
    if (model_current()->memory == MODEL_SC)
        MODEL_CHECK(d.a >= least, "a snapshot of %llu after %u commits", (unsigned long long)d.a, least);
}

static void actor(void *arg)
{
    unsigned self = model_self(), what = *(const unsigned *)arg;
    struct strait_segment *s = world_process();

    if (model_lives(self) && strait_region_open(s, WORLD_REGION, NULL, &region[self]) < 0)
        model_fail("open fails");
    while (g.rounds[self] < shape.rounds) {
        if (what & READS)
            read_once(region[self]);
        else if (what & SNAPS)
            snap_once(region[self]);
        else
            write_once(region[self], what);
        g.rounds[self]++;
    }
}

/* ---- checks ---- */

static void died(unsigned who)
{
    if (g.is_inside[who])
        g.inside = 0;
    if (g.is_reading[who])
        g.readers--;
    if (g.is_writing[who] && !(shape.flags & STRAIT_REGION_ATOMIC))
        g.torn = 1;
    g.is_inside[who] = g.is_reading[who] = g.is_writing[who] = 0;
}

static bool can_be_had(void)
{
    uint32_t word = (uint32_t)model_peek(&world_part.lock->word, 4), owner = word & STRAIT_LOCK_OWNER_MASK;
    return (word & STRAIT_LOCK_POISONED) || owner == STRAIT_LEASE_NONE || owner == STRAIT_LEASE_ORPHAN;
}

static void idle(void)
{
    MODEL_CHECK(model_timeouts() <= MOST_TIMEOUTS, "still asleep after %u sleeps", model_timeouts());
    if (model_deaths())
        return;
    MODEL_CHECK(!can_be_had(), "somebody sleeps on, and the lock can be had");
    MODEL_CHECK(false, "somebody sleeps on, and nobody is inside");
}

/* The dead are swept: a newcomer has the lock at once, and is told what it must know. */
static void end(void)
{
    uint32_t word, owner;

    world_bury_all();
    word = world_part.lock->word;
    owner = word & STRAIT_LOCK_OWNER_MASK;
    MODEL_CHECK(owner == STRAIT_LEASE_NONE || owner == STRAIT_LEASE_ORPHAN, "lease %u is left as owner", owner);
    MODEL_CHECK(!g.torn || (word & (STRAIT_LOCK_DIED | STRAIT_LOCK_POISONED)), "torn data are left as sound");
    MODEL_CHECK(model_deaths() || !(word & ~STRAIT_LOCK_POISONED), "the word is left as 0x%x", word);
    MODEL_CHECK(world_part.lock->draining == STRAIT_LEASE_NONE, "lease %u is left as draining",
                world_part.lock->draining);
    for (unsigned i = 0; world_part.cells && i <= MODEL_ACTORS; i++)
        MODEL_CHECK(world_part.cells[i].count == 0, "lease %u is left as a reader", i);
    MODEL_CHECK(!world_unswept(), "a dead lease is left");
}

/* ---- models ---- */

static void set_up(uint32_t flags, unsigned actors, unsigned rounds)
{
    struct strait_region_plan plan = {.flags = flags, .bytes = sizeof(struct data)};

    shape = (__typeof__(shape)){flags, actors, rounds};
    memset(&g, 0, sizeof g);
    world_setup_region(&plan);
    for (unsigned i = 0; i < actors; i++)
        if (strait_region_open(world_become(i), WORLD_REGION, NULL, &region[i]) < 0)
            abort();
    model_private(&g, sizeof g);
    model_private(region, sizeof region);
}

#define SETUP(fn, flags, actors, rounds)                                                                               \
    static void fn(void)                                                                                               \
    {                                                                                                                  \
        set_up(flags, actors, rounds);                                                                                 \
    }
SETUP(plain_two, 0, 2, 2)
SETUP(plain, 0, 3, 1)
SETUP(plain_twice, 0, 3, 2)
SETUP(readers, STRAIT_REGION_READERS, 3, 1)
SETUP(readers_two, STRAIT_REGION_READERS, 2, 2)
SETUP(atomic_two, STRAIT_REGION_ATOMIC, 2, 2)
SETUP(atomic, STRAIT_REGION_ATOMIC, 3, 1)

static unsigned heals = HEALS, poisons = POISONS, reads = READS, snaps = SNAPS;
enum { SAFE, MORTAL, REBORN };
#define A(label, n, does, how)                                                                                         \
    {                                                                                                                  \
        .name = label, .run = actor, .arg = &(does), .lease = (n), .mortal = (how) != SAFE, .reborn = (how) == REBORN  \
    }
#define MODEL(id, title, mode, p, d, s, fn, ...)                                                                       \
    static const struct model id = {.name = title,                                                                     \
                                    .memory = mode,                                                                    \
                                    .bounds = {p, d, s, 0},                                                            \
                                    .setup = fn,                                                                       \
                                    .died = died,                                                                      \
                                    .idle = idle,                                                                      \
                                    .end = end,                                                                        \
                                    .actors = {__VA_ARGS__}};

MODEL(l2, "lock 2, twice", MODEL_SC, 4, 0, 0, plain_two, A("first", 1, heals, SAFE), A("second", 2, heals, SAFE))
MODEL(l3, "lock 3", MODEL_SC, 3, 0, 0, plain, A("first", 1, heals, SAFE), A("second", 2, heals, SAFE),
      A("third", 3, heals, SAFE))
MODEL(l3d, "lock 3, death, heal", MODEL_SC, 3, 1, 0, plain, A("first", 1, heals, MORTAL), A("second", 2, heals, MORTAL),
      A("third", 3, heals, MORTAL))
MODEL(l3p, "lock 3, death, poison, heal", MODEL_SC, 3, 1, 0, plain, A("first", 1, heals, MORTAL),
      A("second", 2, poisons, MORTAL), A("third", 3, heals, MORTAL))
MODEL(l3t, "lock 3, deaths, healer dies", MODEL_SC, 2, 2, 0, plain, A("first", 1, heals, MORTAL),
      A("second", 2, heals, MORTAL), A("third", 3, heals, REBORN))
MODEL(l3r, "lock 3 twice, death, lease reused", MODEL_SC, 2, 1, 0, plain_twice, A("first", 1, heals, REBORN),
      A("second", 2, heals, SAFE), A("third", 3, heals, SAFE))
MODEL(rw2, "rwlock 1W/1R, twice, death", MODEL_SC, 3, 1, 0, readers_two, A("writer", 1, heals, MORTAL),
      A("reader", 2, reads, MORTAL))
MODEL(rw3, "rwlock 1W/2R", MODEL_SC, 3, 0, 0, readers, A("writer", 1, heals, SAFE), A("reader1", 2, reads, SAFE),
      A("reader2", 3, reads, SAFE))
MODEL(rw3d, "rwlock 1W/2R, death", MODEL_SC, 3, 1, 0, readers, A("writer", 1, heals, MORTAL),
      A("reader1", 2, reads, MORTAL), A("reader2", 3, reads, REBORN))
MODEL(rww, "rwlock 2W/1R, death", MODEL_SC, 3, 1, 0, readers, A("writer1", 1, heals, MORTAL),
      A("writer2", 2, heals, MORTAL), A("reader", 3, reads, MORTAL))
MODEL(a2, "atomic 1W/1 snapshot, twice, death", MODEL_SC, 4, 1, 0, atomic_two, A("writer", 1, heals, MORTAL),
      A("reader", 2, snaps, SAFE))
MODEL(a3, "atomic 2W/1 snapshot, death", MODEL_SC, 3, 1, 0, atomic, A("writer1", 1, heals, MORTAL),
      A("writer2", 2, heals, MORTAL), A("reader", 3, snaps, SAFE))
MODEL(w2, "lock 2, twice, weak", MODEL_WEAK, 3, 0, 2, plain_two, A("first", 1, heals, SAFE),
      A("second", 2, heals, SAFE))
MODEL(w3d, "lock 3, death, heal, weak", MODEL_WEAK, 2, 1, 1, plain, A("first", 1, heals, MORTAL),
      A("second", 2, heals, SAFE), A("third", 3, heals, SAFE))
MODEL(wa, "atomic 1W/1 snapshot, twice, weak", MODEL_WEAK, 3, 0, 3, atomic_two, A("writer", 1, heals, SAFE),
      A("reader", 2, snaps, SAFE))
MODEL(wrw, "rwlock 1W/2R, weak", MODEL_WEAK, 2, 0, 2, readers, A("writer", 1, heals, SAFE),
      A("reader1", 2, reads, SAFE), A("reader2", 3, reads, SAFE))

static const struct model *const models[] = {&l2,   &l3,  &l3d, &l3p, &l3t, &l3r, &rw2, &rw3,
                                             &rw3d, &rww, &a2,  &a3,  &w2,  &w3d, &wa,  &wrw};

int main(int argc, char **argv)
{
    return model_main(argc, argv, models, sizeof models / sizeof models[0]);
}
