/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <strait/strait.h>

#include "directory.h"
#include "process.h"
#include "region.h"
#include "topology.h"
#include "verify.h"

static struct strait_segment *segment;
static struct strait_topology invented;

static int setup(void **state)
{
    if (place_setup(state) != 0)
        return 1;
    CHECK_IS(strait_attach("shards", NULL, &segment), 0);
    return 0;
}

static int teardown(void **state)
{
    strait_topology_use(NULL);
    strait_detach(segment);
    return place_teardown(state);
}

#define TEST_SHARDS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct strait_shards *open_it(uint32_t n)
{
    struct strait_shards_options options = {.shards = n, .each = {.bytes = 16}};
    struct strait_shards *s;

    CHECK_IS(strait_shards_open(segment, "it", &options, &s), 0);
    return s;
}

static void keys_spread_over_all_shards_evenly(UNUSED_STATE)
{
    struct strait_shards *s = open_it(8);
    unsigned hits[8] = {0};

    for (uint32_t key = 0; key < 8000; key++)
        for (uint32_t i = 0; i < 8; i++)
            hits[i] += strait_shards_of(s, &key, sizeof key) == strait_shards_at(s, i);
    for (uint32_t i = 0; i < 8; i++)
        CHECK(hits[i] > 850 && hits[i] < 1150);
    CHECK(strait_shards_at(s, 8) == NULL);
    strait_shards_close(s);
}

/* Two processes must agree: these values are part of the layout. */
static void a_key_belongs_to_the_same_shard_for_ever(UNUSED_STATE)
{
    struct strait_shards *s = open_it(1000);

    CHECK(strait_shards_of(s, "", 0) == strait_shards_at(s, 936));
    CHECK(strait_shards_of(s, "strait", 6) == strait_shards_at(s, 681));
    strait_shards_close(s);
}

static void each_shard_has_its_own_lock_data_and_figures(UNUSED_STATE)
{
    struct strait_shards *s = open_it(3), *other = open_it(3);
    struct strait_region *a = strait_shards_at(s, 0), *b = strait_shards_at(s, 1);
    struct strait_contention figures;

    CHECK_IS(strait_shards_count(s), 3);
    CHECK_IS(strait_region_lock(a, soon()), 0);
    CHECK_IS(strait_region_lock(b, soon()), 0);
    strcpy(strait_region_data(a), "a");
    strcpy(strait_region_data(b), "b");
    CHECK_IS(strait_region_lock(strait_shards_at(other, 1), STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_contention(b, &figures), 0);
    CHECK_IS(figures.contended, 1);
    CHECK_IS(strait_region_contention(a, &figures), 0);
    CHECK_IS(figures.contended, 0);
    CHECK_IS(strait_region_unlock(b), 0);
    CHECK_IS(strcmp(strait_region_data(strait_shards_at(other, 1)), "b"), 0);
    CHECK_IS(strcmp(strait_region_data(strait_shards_at(other, 2)), ""), 0);
    strait_shards_close(s);
    strait_shards_close(other);
}

static void shards_are_counted_when_opened_without_options(UNUSED_STATE)
{
    struct strait_shards *s = open_it(5), *t = NULL;
    struct strait_region *r = NULL;

    CHECK_IS(strait_shards_open(segment, "it", NULL, &t), 0);
    CHECK_IS(strait_shards_count(t), 5);
    strait_shards_close(t);
    t = NULL;
    CHECK_IS(strait_shards_open(segment, "it", &(struct strait_shards_options){.shards = 6, .each = {.bytes = 1}}, &t),
             -EINVAL);
    CHECK_SAYS("5 shards, 6 are asked for");
    CHECK_IS(strait_region_open(segment, "it", NULL, &r), -EINVAL);
    CHECK_IS(strait_shards_open(segment, "no", NULL, &t), -ENOENT);
    CHECK(t == NULL && r == NULL);
    strait_shards_close(s);
    CHECK_IS(strait_shards_unlink(segment, "it"), 0);
}

/* ---- nodes ---- */

static void count(struct strait_verify *how, const struct strait_finding *finding)
{
    (void)how, (void)finding;
}

static struct strait_region_view view(void)
{
    struct strait_region_view v;
    struct strait_object o;

    CHECK_IS(strait_directory_find(&segment->map, "it", STRAIT_KIND_REGION, &o), 0);
    CHECK_IS(strait_region_view(&segment->map, &o, &v), 0);
    return v;
}

/* Both nodes of the invented machine are this one's first: what the kernel is asked for, it gives. */
static void shards_are_dealt_out_over_nodes_in_runs_of_pages(UNUSED_STATE)
{
    struct strait_verify how = {count, false, true};
    struct strait_region_view v;
    struct strait_shards *s, *t;

    invented.n = 2;
    for (uint32_t i = 0; i < 2; i++)
        invented.node[i] = (struct strait_node){.memory = true, .allowed = true};
    strait_topology_use(&invented);
    s = open_it(5);
    t = open_it(5);
    v = view();
    CHECK_IS(v.run_parts, 3);
    CHECK_IS(v.parts_off % STRAIT_PAGE, 0);
    CHECK_IS(v.run_bytes, STRAIT_PAGE);
    CHECK_IS(strait_segment_entry(&segment->map, v.object.entry)->node, STRAIT_NODE_SHARDED);
    CHECK_IS((unsigned char *)strait_region_data(strait_shards_at(s, 3)) -
                 (unsigned char *)strait_region_data(strait_shards_at(s, 0)),
             STRAIT_PAGE);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_IS(strait_shards_node(s, i), 0);
        memset(strait_region_data(strait_shards_at(s, i)), (int)i + 1, 16);
    }
    for (uint32_t i = 0; i < 5; i++)
        for (uint32_t k = 0; k < 16; k++)
            CHECK_IS(((unsigned char *)strait_region_data(strait_shards_at(t, i)))[k], i + 1);
    CHECK_IS(strait_verify(&segment->map, &how), 0);
    strait_shards_close(t);
    strait_shards_close(s);
}

static void shards_of_one_node_or_of_a_place_are_not_dealt_out(UNUSED_STATE)
{
    struct strait_shards_options o = {.shards = 5, .each = {.bytes = 16, .memory = STRAIT_MEMORY_ON(0)}};
    struct strait_shards *s = NULL;

    invented.n = 1;
    invented.node[0] = (struct strait_node){.memory = true, .allowed = true};
    strait_topology_use(&invented);
    for (int twice = 0; twice < 2; twice++) {
        s = twice ? NULL : open_it(5);
        if (twice)
            CHECK_IS(strait_shards_open(segment, "it", &o, &s), 0);
        CHECK_IS(view().run_parts, 5);
        CHECK_IS(strait_shards_node(s, 4), -ENODEV);
        CHECK_IS(strait_shards_node(s, 5), -EINVAL);
        CHECK_SAYS("has no shard 5");
        strait_shards_close(s);
        CHECK_IS(strait_shards_unlink(segment, "it"), 0);
        invented.n = 2;
        invented.node[1] = invented.node[0];
    }
}

static void a_lie_about_a_shards_node_is_not_believed(UNUSED_STATE)
{
    struct strait_shards *s = open_it(2);
    struct strait_region_view v = view();
    struct strait_part part;

    CHECK_IS(strait_region_part(&v, 1, &part), 0);
    part.lock->node = -2;
    CHECK_IS(strait_shards_node(s, 1), -EPROTO);
    CHECK_SAYS("shard 1 of region it is damaged");
    strait_shards_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SHARDS(keys_spread_over_all_shards_evenly),
        TEST_SHARDS(a_key_belongs_to_the_same_shard_for_ever),
        TEST_SHARDS(each_shard_has_its_own_lock_data_and_figures),
        TEST_SHARDS(shards_are_counted_when_opened_without_options),
        TEST_SHARDS(shards_are_dealt_out_over_nodes_in_runs_of_pages),
        TEST_SHARDS(shards_of_one_node_or_of_a_place_are_not_dealt_out),
        TEST_SHARDS(a_lie_about_a_shards_node_is_not_believed),
    };
    return RUN(tests);
}
