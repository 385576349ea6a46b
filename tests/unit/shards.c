/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <strait/strait.h>

static struct strait_segment *segment;

static int setup(void **state)
{
    if (place_setup(state) != 0)
        return 1;
    CHECK_IS(strait_attach("shards", NULL, &segment), 0);
    return 0;
}

static int teardown(void **state)
{
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SHARDS(keys_spread_over_all_shards_evenly),
        TEST_SHARDS(a_key_belongs_to_the_same_shard_for_ever),
        TEST_SHARDS(each_shard_has_its_own_lock_data_and_figures),
        TEST_SHARDS(shards_are_counted_when_opened_without_options),
    };
    return RUN(tests);
}
