/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <strait/strait.h>
#include <unistd.h>

#include "process.h"
#include "counter.h"
#include "topology.h"

static struct strait_segment *segment;
static struct strait_topology invented;

static int setup(void **state)
{
    if (place_setup(state) != 0)
        return 1;
    CHECK_IS(strait_attach("counter", NULL, &segment), 0);
    return 0;
}

static int teardown(void **state)
{
    strait_topology_use(NULL);
    strait_detach(segment);
    return place_teardown(state);
}

#define TEST_COUNTER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct strait_counter *open_it(uint32_t handles)
{
    struct strait_counter *c;

    CHECK_IS(strait_counter_open(segment, "it", &(struct strait_counter_options){.handles = handles}, &c), 0);
    return c;
}

static int64_t sum(const struct strait_counter *c)
{
    int64_t n = -1;

    CHECK_IS(strait_counter_read(c, &n), 0);
    return n;
}

static void handles_add_up(UNUSED_STATE)
{
    struct strait_counter *a = open_it(0), *b = open_it(0);

    CHECK(a->value != b->value);
    CHECK((uintptr_t)a->value / STRAIT_LINE != (uintptr_t)b->value / STRAIT_LINE);
    CHECK_IS(strait_counter_add(a, 5), 0);
    CHECK_IS(strait_counter_add(b, -7), 0);
    CHECK_IS(sum(a), -2);
    CHECK_IS(sum(b), -2);
    strait_counter_close(a);
    CHECK_IS(sum(b), -2);
    strait_counter_close(b);
}

static void a_freed_cell_is_reused_with_what_it_has(UNUSED_STATE)
{
    struct strait_counter *a = open_it(2), *b = open_it(0), *c = NULL;
    uint64_t *cell = a->value;

    CHECK_IS(strait_counter_open(segment, "it", NULL, &c), -ENOBUFS);
    CHECK_SAYS("all 2 handles");
    strait_counter_add(a, 40);
    strait_counter_close(a);
    a = open_it(0);
    CHECK(a->value == cell);
    strait_counter_add(a, 2);
    CHECK_IS(sum(b), 42);
    strait_counter_close(a);
    strait_counter_close(b);
}

/* ---- shards ---- */

static struct strait_counter_view view(void)
{
    struct strait_counter_view v;
    struct strait_object o;

    CHECK_IS(strait_directory_find(&segment->map, "it", STRAIT_KIND_COUNTER, &o), 0);
    CHECK_IS(strait_counter_view(&segment->map, &o, &v), 0);
    return v;
}

/* All CPUs of this machine are this node's, of three in a row. */
static void run_on(uint32_t node)
{
    invented.n = 3;
    for (uint32_t i = 0; i < 3; i++) {
        invented.node[i] = (struct strait_node){.number = (int32_t)i, .memory = true, .allowed = true};
        for (uint32_t to = 0; to < 3; to++)
            invented.node[i].distance[to] = (uint8_t)(10 + 10 * (i > to ? i - to : to - i));
    }
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        CPU_SET(cpu, &invented.node[node].cpus);
    strait_topology_use(&invented);
}

static uint32_t shard_of(const struct strait_counter *c)
{
    struct strait_counter_view v = view();
    return (uint32_t)(((uint64_t)((unsigned char *)c->value - segment->map.base) - v.shards_off) / v.shard_bytes);
}

/* What the kernel would not give on this machine, the shards say of themselves. */
static void a_handle_takes_a_cell_of_the_nearest_shard_that_has_one(UNUSED_STATE)
{
    struct strait_counter_options o = {.handles = 6, .shards = 3};
    static const uint32_t wanted[6] = {2, 2, 1, 1, 0, 0};
    struct strait_counter *c[7];
    struct strait_counter_view v;

    CHECK_IS(strait_counter_open(segment, "it", &o, &c[6]), 0); /* keeps it there, for now */
    v = view();
    CHECK_IS(v.shards, 3);
    CHECK_IS(v.cells, 2);
    CHECK_IS(v.shard_bytes, STRAIT_PAGE);
    for (int32_t i = 0; i < 3; i++) {
        CHECK_IS(strait_counter_shard(&v, (uint32_t)i)->node, STRAIT_NODE_ANY);
        strait_counter_shard(&v, (uint32_t)i)->node = i;
    }
    run_on(2);
    CHECK_IS(strait_counter_open(segment, "it", NULL, &c[0]), 0);
    strait_counter_close(c[6]);
    for (int i = 1; i < 6; i++)
        CHECK_IS(strait_counter_open(segment, "it", NULL, &c[i]), 0);
    for (int i = 0; i < 6; i++) {
        CHECK_IS(shard_of(c[i]), wanted[i]);
        strait_counter_add(c[i], 1 << i);
    }
    CHECK_IS(strait_counter_open(segment, "it", NULL, &c[6]), -ENOBUFS);
    CHECK_SAYS("all 6 handles");
    strait_counter_close(c[0]);
    run_on(0);
    CHECK_IS(strait_counter_open(segment, "it", NULL, &c[0]), 0);
    CHECK_IS(shard_of(c[0]), 2); /* the farthest, but the only one */
    CHECK_IS(sum(c[0]), 63);
    for (int i = 0; i < 6; i++)
        strait_counter_close(c[i]);
}

struct shared {
    gate ready, go;
    volatile uint64_t added; /* by the peer, after each add */
};

static void add_until_killed(void *arg)
{
    struct shared *s = arg;
    struct strait_counter *c;

    CHECK_IS(strait_attach("counter", NULL, &segment), 0);
    c = open_it(0);
    for (;;) {
        strait_counter_add(c, 3);
        s->added += 3;
        if (s->added == 3000)
            gate_open(&s->ready);
    }
}

static void what_a_killed_process_has_added_stays_counted(UNUSED_STATE)
{
    struct strait_counter *c = open_it(3);
    struct shared *s = shared_new(sizeof *s);
    int64_t before = 0;

    for (uint32_t i = 0; i < test_rounds(20); i++) {
        pid_t pid;
        s->ready = 0;
        s->added = 0;
        pid = peer_start(add_until_killed, s);
        gate_wait(&s->ready);
        peer_kill(pid);
        int64_t grown = sum(c) - before - (int64_t)s->added;
        CHECK(grown == 0 || grown == 3); /* killed between the add and its note */
        before = sum(c);
        strait_sweep_dead(segment); /* or the third one would find no cell */
    }
    strait_counter_close(c);
    shared_free(s, sizeof *s);
}

static void a_forked_child_gets_echild(UNUSED_STATE)
{
    struct strait_counter *c = open_it(0);
    int64_t n;
    pid_t pid = fork();

    if (pid == 0)
        _exit(strait_counter_add(c, 1) == -ECHILD && strait_counter_read(c, &n) == -ECHILD ? 0 : 1);
    peer_join(pid);
    CHECK_IS(sum(c), 0);
    strait_counter_close(c);
}

static void a_head_that_points_outside_is_not_believed(UNUSED_STATE)
{
    struct strait_counter *c = open_it(4);
    struct strait_counter_view view;
    struct strait_object object;

    CHECK_IS(strait_directory_find(&segment->map, "it", STRAIT_KIND_COUNTER, &object), 0);
    CHECK_IS(strait_counter_view(&segment->map, &object, &view), 0);
    strait_counter_shard(&view, 0)->used = UINT32_MAX;
    CHECK_IS(strait_counter_sum(&view), 0);
    for (size_t i = 0; i < 4; i++) {
        view.shared->cells = (uint32_t[]){0, 64, 65537, UINT32_MAX}[i];
        CHECK_IS(strait_counter_view(&segment->map, &object, &(struct strait_counter_view){0}), -EPROTO);
    }
    view.shared->cells = 4;
    for (size_t i = 0; i < 4; i++) {
        view.shared->shards = (uint32_t[]){0, 2, 65, UINT32_MAX}[i];
        CHECK_IS(strait_counter_view(&segment->map, &object, &(struct strait_counter_view){0}), -EPROTO);
    }
    view.shared->shards = 1;
    for (size_t i = 0; i < 4; i++) {
        view.shared->shard_bytes = (uint64_t[]){0, 256, object.bytes + 64, UINT64_MAX - 63}[i];
        CHECK_IS(strait_counter_view(&segment->map, &object, &(struct strait_counter_view){0}), -EPROTO);
    }
    view.shared->shard_bytes = view.shard_bytes;
    for (size_t i = 0; i < 4; i++) {
        view.shared->shards_off = (uint64_t[]){0, object.offset, object.offset + object.bytes, UINT64_MAX - 63}[i];
        CHECK_IS(strait_counter_view(&segment->map, &object, &(struct strait_counter_view){0}), -EPROTO);
    }
    strait_counter_close(c);
}

static void nonsense_is_refused(UNUSED_STATE)
{
    struct strait_counter *c = NULL;

    CHECK_IS(strait_counter_open(segment, "it", &(struct strait_counter_options){.handles = 65537}, &c), -EINVAL);
    CHECK_IS(strait_counter_open(segment, "it", &(struct strait_counter_options){.shards = 65}, &c), -EINVAL);
    CHECK_SAYS("65 shards");
    CHECK_IS(strait_counter_open(segment, "a/b", NULL, &c), -EINVAL);
    CHECK_IS(strait_counter_unlink(segment, "it"), -ENOENT);
    c = open_it(0);
    CHECK_IS(strait_counter_unlink(segment, "it"), 0);
    CHECK_IS(strait_counter_add(c, 1), 0);
    strait_counter_close(c);
    CHECK_IS(strait_directory_find(&segment->map, "it", STRAIT_KIND_NONE, &(struct strait_object){0}), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_COUNTER(handles_add_up),
        TEST_COUNTER(a_handle_takes_a_cell_of_the_nearest_shard_that_has_one),
        TEST_COUNTER(a_freed_cell_is_reused_with_what_it_has),
        TEST_COUNTER(what_a_killed_process_has_added_stays_counted),
        TEST_COUNTER(a_forked_child_gets_echild),
        TEST_COUNTER(a_head_that_points_outside_is_not_believed),
        TEST_COUNTER(nonsense_is_refused),
    };
    return RUN(tests);
}
