/* SPDX-License-Identifier: MIT */
/*
 * Weak memory by views. Each atomic location keeps its stores in modification order. An actor's view says, location by
 * location, the oldest store that it may still read; reading moves it on. A store carries the view that whoever acquires
 * it takes over. Fences move views between what was read, what is known, and what is published; seq_cst accesses and
 * fences also meet in one global view. A store may be placed before stores of others that its actor has not seen, but
 * never between a read-modify-write and the store that it read.
 *
 * Happens-before, for races on plain memory, is a vector clock inside the view: it travels by acquire and release, not
 * through the global view.
 *
 * No load takes its value from a store that comes later in the schedule: load buffering is not covered.
 */
#include <stdlib.h>

#include "internal.h"

#define LOCATIONS 64
#define MESSAGES  64
#define CLOCKS    8
#define PLAINS    254
#define NONE      UINT8_MAX

enum { TAG_READ = 40, TAG_PLACE, TAG_MODIFY };

typedef uint8_t lanes __attribute__((vector_size(16)));
typedef uint16_t clocks __attribute__((vector_size(16)));

struct view {
    union {
        lanes lane[LOCATIONS / 16];
        uint8_t at[LOCATIONS]; /* position of the oldest store that may be read */
    };
    union {
        clocks lane16;
        uint16_t clock[CLOCKS];
    };
};

struct message {
    struct view view;
    uint64_t value;
    bool glued; /* to the store before it: it is a read-modify-write */
};

struct location {
    volatile void *word;
    uint8_t bytes, count;
    struct message m[MESSAGES];
};

struct thread {
    struct view now, acquirable, released;
};

struct plain {
    uint16_t written, read[CLOCKS]; /* clock of the last of each actor */
    uint8_t writer;
};

static struct location location[LOCATIONS];
static unsigned locations;
static struct thread thread[MODEL_ACTORS];
static struct view global; /* of seq_cst; its clock part is unused */
static struct view lock_view[MODEL_LOCKS], lease_view[MODEL_LEASES];
static uint8_t location_of[MODEL_SPAN / 2]; /* by offset; NONE */
static struct plain plain[PLAINS];
static unsigned plains;
static uint8_t plain_of[MODEL_SPAN / 4];

/* ---- views ---- */

static void join_places(struct view *to, const struct view *from)
{
    for (unsigned i = 0; i < LOCATIONS / 16; i++) {
        lanes more = (lanes)(from->lane[i] > to->lane[i]);
        to->lane[i] = (from->lane[i] & more) | (to->lane[i] & ~more);
    }
}

static void join(struct view *to, const struct view *from)
{
    clocks more = (clocks)(from->lane16 > to->lane16);

    join_places(to, from);
    to->lane16 = (from->lane16 & more) | (to->lane16 & ~more);
}

static void tick(unsigned actor)
{
    thread[actor].now.clock[actor]++;
}

static bool acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* ---- locations ---- */

static void first_message(struct location *l)
{
    uint64_t v = model_peek(l->word, l->bytes);

    memset(&l->m[0].view, 0, sizeof l->m[0].view);
    l->m[0].value = v;
    l->m[0].glued = false;
    l->count = 1;
}

void model_weak_search(void)
{
    locations = plains = 0;
    memset(location_of, NONE, sizeof location_of);
    memset(plain_of, NONE, sizeof plain_of);
}

void model_weak_reset(void)
{
    memset(thread, 0, sizeof thread);
    memset(&global, 0, sizeof global);
    memset(lock_view, 0, sizeof lock_view);
    memset(lease_view, 0, sizeof lease_view);
    memset(plain, 0, plains * sizeof plain[0]);
    for (unsigned i = 0; i < model_actor_count; i++)
        thread[i].now.clock[i] = 1;
    for (unsigned i = 0; i < locations; i++)
        first_message(&location[i]);
}

/* The numbers of locations last for a whole search, so that equal states hash equally. */
static unsigned find_location(const volatile void *p, unsigned bytes)
{
    size_t at = model_offset(p) / 2;

    if (location_of[at] == NONE) {
        if (locations == LOCATIONS)
            model_fail("more than %d atomic locations", LOCATIONS);
        location_of[at] = (uint8_t)locations;
        location[locations].word = (volatile void *)(uintptr_t)p;
        location[locations].bytes = (uint8_t)bytes;
        first_message(&location[locations++]);
    }
    if (location[location_of[at]].bytes != bytes)
        model_fail("one location accessed as u%u and u%u", location[location_of[at]].bytes * 8, bytes * 8);
    return location_of[at];
}

uint64_t model_weak_hash(uint64_t h)
{
    for (unsigned i = 0; i < model_actor_count; i++)
        if (model_actor[i].state != ACTOR_DONE && model_actor[i].state != ACTOR_DEAD)
            h = model_hash(h, &thread[i], sizeof thread[i]);
    h = model_hash(h, &global, sizeof global);
    h = model_hash(h, lock_view, sizeof lock_view);
    if (model_run.deaths)
        h = model_hash(h, lease_view, sizeof lease_view);
    for (unsigned i = 0; i < locations; i++) {
        h = model_mix(h, location[i].count);
        for (unsigned k = location[i].count > 1 ? 0 : 1; k < location[i].count; k++) {
            const struct message *m = &location[i].m[k];
            h = model_hash(model_mix(h, m->value + m->glued), &m->view, sizeof m->view);
        }
    }
    return model_hash(h, plain, plains * sizeof plain[0]);
}

/* ---- placing stores ---- */

static void shift_view(struct view *v, unsigned l, unsigned from)
{
    if (v->at[l] >= from)
        v->at[l]++;
}

/* Positions from `from` on move up by one, in every view there is. */
static void make_room(unsigned l, unsigned from)
{
    for (unsigned i = 0; i < model_actor_count; i++) {
        shift_view(&thread[i].now, l, from);
        shift_view(&thread[i].acquirable, l, from);
        shift_view(&thread[i].released, l, from);
    }
    shift_view(&global, l, from);
    for (unsigned i = 0; i < MODEL_LOCKS; i++)
        shift_view(&lock_view[i], l, from);
    for (unsigned i = 0; i < MODEL_LEASES; i++)
        shift_view(&lease_view[i], l, from);
    for (unsigned i = 0; i < locations; i++)
        for (unsigned k = 0; k < location[i].count; k++)
            shift_view(&location[i].m[k].view, l, from);
    memmove(&location[l].m[from + 1], &location[l].m[from], (location[l].count - from) * sizeof(struct message));
}

static void write_memory(struct location *l)
{
    uint64_t v = l->m[l->count - 1].value;
    memcpy((void *)(uintptr_t)l->word, &v, l->bytes); /* little-endian */
}

/* A new store at position `place`; `before` is the store that a read-modify-write has read, or NULL. */
static void put(unsigned n, unsigned place, uint64_t v, int order, const struct message *before)
{
    struct location *l = &location[n];
    struct thread *self = &thread[model_run.current];
    struct message fresh = {.value = v, .glued = before != NULL};

    if (l->count == MESSAGES)
        model_fail("more than %d stores to one location", MESSAGES);
    if (before)
        fresh.view = before->view; /* a release sequence goes on */
    if (place < l->count) {
        make_room(n, place);
        if (before) /* its positions have moved as well */
            fresh.view = l->m[place - 1].view;
    }
    l->count++;
    self->now.at[n] = (uint8_t)place;
    join(&fresh.view, releases(order) ? &self->now : &self->released);
    if (fresh.view.at[n] < place)
        fresh.view.at[n] = (uint8_t)place;
    l->m[place] = fresh;
    if (order == __ATOMIC_SEQ_CST && global.at[n] < place)
        global.at[n] = (uint8_t)place;
    if (releases(order))
        tick(model_run.current);
    write_memory(l);
}

/* ---- accesses ---- */

static unsigned oldest(unsigned n, int order)
{
    unsigned at = thread[model_run.current].now.at[n];

    if (order == __ATOMIC_SEQ_CST && global.at[n] > at)
        at = global.at[n];
    return at;
}

/* One of the listed positions, the first one free of charge. */
static unsigned pick(const uint8_t *list, unsigned n, unsigned tag)
{
    unsigned taken = model_run.left.stale ? model_pick(n, tag) : 0;

    if (taken) {
        model_run.left.stale--;
        model_trace_line("(not the newest)");
    }
    return list[taken];
}

static void take_over(unsigned n, unsigned place, int order)
{
    struct thread *self = &thread[model_run.current];
    const struct view *v = &location[n].m[place].view;

    if (self->now.at[n] < place)
        self->now.at[n] = (uint8_t)place;
    join(&self->acquirable, v);
    if (acquires(order))
        join(&self->now, v);
}

uint64_t model_weak_load(const volatile void *p, unsigned bytes, int order)
{
    unsigned n = find_location(p, bytes), count = 0, place;
    uint8_t list[MESSAGES] = {0};

    for (unsigned k = location[n].count; k-- > oldest(n, order);)
        list[count++] = (uint8_t)k;
    place = pick(list, count, TAG_READ);
    take_over(n, place, order);
    return location[n].m[place].value;
}

void model_weak_store(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    unsigned n = find_location(p, bytes), count = 0;
    struct location *l = &location[n];
    uint8_t list[MESSAGES + 1] = {0};

    list[count++] = l->count;
    for (unsigned k = l->count; --k > oldest(n, order);)
        if (!l->m[k].glued)
            list[count++] = (uint8_t)k;
    put(n, pick(list, count, TAG_PLACE), v, order, NULL);
}

static bool can_follow(const struct location *l, unsigned place)
{
    return place + 1u == l->count || !l->m[place + 1].glued;
}

bool model_weak_cas(volatile void *p, unsigned bytes, uint64_t *seen, uint64_t v, int order)
{
    unsigned n = find_location(p, bytes), count = 0, place;
    struct location *l = &location[n];
    uint64_t expected = *seen;
    uint8_t list[MESSAGES] = {0};

    /* to fail it needs to be no more than an acquire load; to succeed it must be able to follow what it read */
    for (unsigned k = l->count; k-- > oldest(n, __ATOMIC_ACQUIRE);)
        if (l->m[k].value != expected || (can_follow(l, k) && k >= oldest(n, order)))
            list[count++] = (uint8_t)k;
    place = pick(list, count, TAG_MODIFY);
    *seen = l->m[place].value;
    take_over(n, place, __ATOMIC_ACQUIRE);
    if (*seen != expected)
        return false;
    put(n, place + 1, v, order, &l->m[place]);
    return true;
}

uint64_t model_weak_rmw(volatile void *p, unsigned bytes, uint64_t v, int order, bool add)
{
    unsigned n = find_location(p, bytes), count = 0, place;
    struct location *l = &location[n];
    uint8_t list[MESSAGES] = {0};
    uint64_t was;

    for (unsigned k = l->count; k-- > oldest(n, order);)
        if (can_follow(l, k))
            list[count++] = (uint8_t)k;
    place = pick(list, count, TAG_MODIFY);
    was = l->m[place].value;
    take_over(n, place, order);
    v = add ? was + v : v;
    put(n, place + 1, bytes == 8 ? v : v & ((UINT64_C(1) << (bytes * 8)) - 1), order, &l->m[place]);
    return was;
}

void model_weak_fence(unsigned actor, int order)
{
    struct thread *t = &thread[actor];

    if (acquires(order))
        join(&t->now, &t->acquirable);
    if (order == __ATOMIC_SEQ_CST) {
        join_places(&t->now, &global);
        join_places(&global, &t->now);
    }
    if (releases(order)) {
        t->released = t->now;
        tick(actor);
    }
}

/* ---- through the kernel ---- */

void model_weak_publish(unsigned lock)
{
    model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    join(&lock_view[lock], &thread[model_run.current].released);
}

void model_weak_adopt(unsigned lock)
{
    model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    join(&thread[model_run.current].now, &lock_view[lock]);
}

void model_weak_bequeath(unsigned dead, unsigned lock)
{
    join(&lock_view[lock], &thread[dead].now);
}

/* Its leases carry all that it did to whoever finds them free; a new process under its number knows nothing. */
void model_weak_die(unsigned actor, bool reborn)
{
    uint16_t clock = thread[actor].now.clock[actor];

    for (unsigned i = 0; i < MODEL_LEASES; i++)
        if (model_run.lease_owner[i] == actor)
            join(&lease_view[i], &thread[actor].now);
    if (!reborn)
        return;
    memset(&thread[actor], 0, sizeof thread[actor]);
    thread[actor].now.clock[actor] = (uint16_t)(clock + 1);
}

void model_weak_inherit(unsigned lease)
{
    join(&thread[model_run.current].now, &lease_view[lease]);
}

/* ---- plain memory ---- */

static struct plain *find_plain(size_t unit)
{
    if (plain_of[unit] == NONE) {
        if (plains == PLAINS)
            model_fail("more than %d plain words", PLAINS);
        memset(&plain[plains], 0, sizeof plain[0]);
        plain_of[unit] = (uint8_t)plains++;
    }
    return &plain[plain_of[unit]];
}

static void race(const char *what, const char *with, unsigned other, const void *at)
{
    model_trace_access("race", at, 4, 0, -1);
    model_fail("data race: %s's %s and %s's %s", model_now->actors[model_run.current].name, what,
               model_now->actors[other].name, with);
}

void model_weak_plain(const void *p, size_t bytes, bool write)
{
    unsigned self = model_run.current;
    const uint16_t *clock = thread[self].now.clock;

    for (size_t at = model_offset(p) / 4, end = (model_offset(p) + bytes + 3) / 4; at < end; at++) {
        struct plain *w = find_plain(at);
        if (w->written && w->writer != self && clock[w->writer] < w->written)
            race(write ? "write" : "read", "write", w->writer, model_lowest + at * 4);
        for (unsigned i = 0; write && i < model_actor_count; i++)
            if (i != self && clock[i] < w->read[i])
                race("write", "read", i, model_lowest + at * 4);
        if (write) {
            w->written = clock[self];
            w->writer = (uint8_t)self;
            memset(w->read, 0, sizeof w->read);
        } else {
            w->read[self] = clock[self];
        }
    }
}
