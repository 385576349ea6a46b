/* SPDX-License-Identifier: MIT */
/* Counters: the slow side of strait/counter.h. */
#include "strait/counter.h"

#include <errno.h>
#include <stdlib.h>

#include "counter.h"
#include "error.h"
#include "handle.h"

#define DEFAULT_HANDLES STRAIT_LEASES

struct strait_counter_rest {
    struct strait_handle handle; /* first: leave() has nothing else */
    struct strait_counter_view view;
    struct strait_counter_cell *cell;
};

struct asking {
    uint32_t handles; /* of a new counter */
    uint32_t memory;
    struct strait_counter_rest *rest;
};

static int64_t measure(const char *name, void *ask)
{
    uint32_t handles = ((struct asking *)ask)->handles;
    uint64_t bytes = strait_counter_measure(handles);

    if (bytes)
        return (int64_t)bytes;
    return strait_fail(-EINVAL, "counter %s: %u handles, of 1 to 65536", name, handles);
}

static uint32_t memory(const void *ask)
{
    return ((const struct asking *)ask)->memory;
}

static void build(const struct strait_segment_map *map, const struct strait_object *object, void *ask)
{
    strait_counter_build(map, object, ((struct asking *)ask)->handles);
}

/* Admin. */
static int enter(struct strait_handle *h, void *ask)
{
    struct strait_counter_rest *rest = ((struct asking *)ask)->rest;
    int r = strait_counter_view(&h->segment->map, &h->object, &rest->view);

    if (r < 0)
        return strait_fail(strait_handle_error(h, STRAIT_ERROR_DAMAGED, r), "counter %s of segment %s is damaged",
                           h->name, h->segment->map.path);
    r = strait_counter_take(&rest->view, &rest->cell);
    if (r < 0)
        return strait_fail(r, "counter %s: all %u handles are in use; close some, or create it with more", h->name,
                           rest->view.cells);
    return 0;
}

/* Admin. */
static void leave(struct strait_handle *h, bool last)
{
    (void)last;
    strait_counter_give(((struct strait_counter_rest *)(void *)h)->cell);
}

static const struct strait_handle_kind counter_kind = {.kind = STRAIT_KIND_COUNTER,
                                                       .noun = "counter",
                                                       .measure = measure,
                                                       .memory = memory,
                                                       .build = build,
                                                       .enter = enter,
                                                       .leave = leave};

struct opened {
    struct strait_counter counter; /* first: what the user holds */
    struct strait_counter_rest rest;
};

int strait_counter_open(struct strait_segment *segment, const char *name, const struct strait_counter_options *options,
                        struct strait_counter **counter)
{
    struct opened *o = calloc(1, sizeof *o);
    struct asking ask = {.handles = options && options->handles ? options->handles : DEFAULT_HANDLES,
                         .memory = options ? options->memory : STRAIT_MEMORY_ANYWHERE};
    int r;

    if (o == NULL)
        return strait_fail(-ENOMEM, "counter %s: out of memory", name);
    ask.rest = &o->rest;
    r = strait_handle_open(&o->rest.handle, segment, name, &counter_kind, true, &ask);
    if (r < 0) {
        free(o);
        return r;
    }
    o->counter = (struct strait_counter){.home = segment->home, .value = &o->rest.cell->value, .rest = &o->rest};
    *counter = &o->counter;
    return 0;
}

void strait_counter_close(struct strait_counter *c)
{
    if (c == NULL)
        return;
    strait_handle_close(&c->rest->handle, &counter_kind);
    free(c);
}

int strait_counter_unlink(struct strait_segment *segment, const char *name)
{
    return strait_handle_unlink(segment, name, &counter_kind);
}

int strait_counter_read(const struct strait_counter *c, int64_t *sum)
{
    if (*c->home == 0)
        return strait_process_forked();
    *sum = (int64_t)strait_counter_sum(&c->rest->view);
    return 0;
}
