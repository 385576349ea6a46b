/* SPDX-License-Identifier: MIT */
#include "window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <strait/atomic.h>
#include <strait/error.h>

#define HASH_MASK   (2 * WINDOW_ENTRIES - 1)
#define PATIENCE_NS UINT64_C(2000000000) /* a dead bridge's lock is had within 120 ms */

static uint32_t hash_of(uint64_t sequence)
{
    return (uint32_t)(sequence * UINT64_C(0x9E3779B97F4A7C15) >> 32) & HASH_MASK;
}

static void index_add(struct window *w, uint32_t entry)
{
    uint32_t at = hash_of(w->page->place[entry].sequence);

    while (w->slot[at])
        at = (at + 1) & HASH_MASK;
    w->slot[at] = (uint16_t)(entry + 1);
}

/* Open addressing without tombstones: what follows moves up. */
static void index_remove(struct window *w, uint32_t entry)
{
    uint32_t at = hash_of(w->page->place[entry].sequence), hole, home;

    while (w->slot[at] != entry + 1)
        at = (at + 1) & HASH_MASK;
    for (hole = at, at = (at + 1) & HASH_MASK; w->slot[at]; at = (at + 1) & HASH_MASK) {
        home = hash_of(w->page->place[w->slot[at] - 1].sequence);
        if (((at - home) & HASH_MASK) < ((at - hole) & HASH_MASK))
            continue;
        w->slot[hole] = w->slot[at];
        hole = at;
    }
    w->slot[hole] = 0;
}

static void index_all(struct window *w)
{
    memset(w->slot, 0, sizeof w->slot);
    w->free_n = w->done_n = 0;
    for (uint32_t i = 0; i < WINDOW_ENTRIES; i++)
        if (w->page->place[i].sequence)
            index_add(w, i);
        else
            w->free[w->free_n++] = (uint16_t)i;
}

int window_open(struct window *w, struct link *link, uint64_t epoch)
{
    struct strait_region_options options = {.bytes = sizeof(struct window_page)};
    char name[STRAIT_NAME_BYTES];
    int r;

    if ((size_t)snprintf(name, sizeof name, BRIDGE_WINDOW_PREFIX "%s", link->options->name) >= sizeof name)
        return -ENAMETOOLONG;
    r = strait_region_open(link->bridge->segment, name, &options, &w->region);
    if (r < 0)
        return r;
    r = strait_region_lock_for_heal(w->region, strait_after_ns(PATIENCE_NS));
    if (r < 0) {
        strait_region_close(w->region);
        return r == -ETIMEDOUT ? -EBUSY : r;
    }
    strait_region_heal(w->region); /* each entry appears by one store: nothing is ever half done */
    w->page = strait_region_data(w->region);
    if (w->page->epoch != epoch)
        memset(w->page, 0, sizeof *w->page);
    w->page->epoch = epoch;
    index_all(w);
    return 0;
}

void window_close(struct window *w)
{
    if (w->region == NULL)
        return;
    strait_region_unlock(w->region);
    strait_region_close(w->region);
    w->region = NULL;
}

bool window_stream(struct window *w, uint64_t made)
{
    if (w->page->made == made)
        return false;
    memset(w->page->place, 0, sizeof w->page->place);
    w->page->made = made;
    index_all(w);
    return true;
}

int window_find(const struct window *w, uint64_t sequence)
{
    for (uint32_t at = hash_of(sequence); w->slot[at]; at = (at + 1) & HASH_MASK)
        if (w->page->place[w->slot[at] - 1].sequence == sequence)
            return w->slot[at] - 1;
    return -ENOENT;
}

static void forget(struct window *w, uint32_t entry)
{
    index_remove(w, entry);
    w->page->place[entry].sequence = 0;
    w->free[w->free_n++] = (uint16_t)entry;
}

int window_add(struct window *w, const struct window_place *place)
{
    struct window_place *p;
    uint32_t entry;

    if (w->free_n == 0 && w->done_n) {
        forget(w, w->done[w->done_first]);
        w->done_first = (w->done_first + 1) % WINDOW_ENTRIES;
        w->done_n--;
    }
    if (w->free_n == 0)
        return -ENOSPC;
    entry = w->free[--w->free_n];
    p = &w->page->place[entry];
    p->cursor = place->cursor;
    p->consumer = place->consumer;
    p->tries = place->tries;
    p->ring = place->ring;
    strait_fence_compiler(); /* one thread writes, and a successor reads after its death: the program's order is enough */
    p->sequence = place->sequence;
    index_add(w, entry);
    return (int)entry;
}

void window_done(struct window *w, uint32_t entry)
{
    w->done[(w->done_first + w->done_n++) % WINDOW_ENTRIES] = (uint16_t)entry;
}

uint32_t window_room(const struct window *w)
{
    return w->free_n + w->done_n;
}
