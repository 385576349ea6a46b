/* SPDX-License-Identifier: MIT */
/* The table of nodes: invented ones, and this machine's. */
#include "unit.h"

#include <unistd.h>

#include "process.h"
#include "topology.h"

static struct strait_topology t;

static void add(int32_t number, bool memory, unsigned first_cpu, unsigned cpus)
{
    struct strait_node *node = &t.node[t.n++];

    *node = (struct strait_node){.number = number, .memory = memory, .allowed = true};
    for (unsigned i = 0; i < cpus; i++)
        CPU_SET(first_cpu + i, &node->cpus);
}

static void distances(const uint8_t *row_by_row)
{
    for (uint32_t i = 0; i < t.n; i++)
        memcpy(t.node[i].distance, row_by_row + i * t.n, t.n);
}

/* CPUs 0-1 and 2-3 */
static void two_nodes(void)
{
    t.n = 0;
    add(0, true, 0, 2);
    add(1, true, 2, 2);
    distances((const uint8_t[]){10, 31, 31, 10});
}

/* As two sockets with a memory expander that hangs on the first: node 4 has no CPU, node 1 no memory. */
static void lopsided(void)
{
    t.n = 0;
    add(0, true, 0, 2);
    add(1, false, 2, 2);
    add(4, true, 0, 0);
    distances((const uint8_t[]){10, 21, 14, 21, 10, 24, 14, 24, 10});
}

static void confine(uint64_t cpus, uint64_t numbers)
{
    uint64_t bits[STRAIT_NODE_NUMBERS / 64] = {numbers};
    cpu_set_t set;

    CPU_ZERO(&set);
    for (unsigned i = 0; i < 64; i++)
        if (cpus >> i & 1)
            CPU_SET(i, &set);
    strait_topology_confine(&t, &set, bits);
}

static void check_order(uint32_t from, const char *expected)
{
    uint32_t order[STRAIT_NODES], n = strait_topology_order(&t, from, order);
    char text[STRAIT_NODES + 1] = "";

    for (uint32_t i = 0; i < n; i++)
        text[i] = (char)('0' + order[i]);
    assert_string_equal(text, expected);
}

static void check_list(const char *expected)
{
    char text[64];

    strait_topology_list(&t, text, sizeof text);
    assert_string_equal(text, expected);
}

static void a_cpu_belongs_to_its_node(UNUSED_STATE)
{
    two_nodes();
    CHECK_IS(strait_topology_of_cpu(&t, 1), 0);
    CHECK_IS(strait_topology_of_cpu(&t, 2), 1);
    CHECK_IS(strait_topology_of_cpu(&t, 4), -ENODEV);
    CHECK_IS(strait_topology_of_cpu(&t, UINT32_MAX), -ENODEV);
    CHECK_IS(strait_topology_find(&t, 1), 1);
    CHECK_IS(strait_topology_find(&t, 2), -ENODEV);
    CHECK_IS(strait_topology_find(&t, -1), -ENODEV);
}

static void the_own_node_comes_first_and_then_the_nearest(UNUSED_STATE)
{
    two_nodes();
    check_order(0, "01");
    check_order(1, "10");
    lopsided();
    check_order(0, "021");
    check_order(1, "102");
}

/* From 0 node 2 is nearer than 1; from 2 it is the other way about, and 0's row does not matter. */
static void distances_need_not_be_symmetric(UNUSED_STATE)
{
    t.n = 0;
    add(0, true, 0, 1);
    add(1, true, 1, 1);
    add(2, true, 2, 1);
    distances((const uint8_t[]){10, 30, 20, 30, 10, 20, 40, 20, 10});
    check_order(0, "021");
    check_order(1, "120");
    check_order(2, "210");
}

static void nodes_equally_far_are_begun_with_in_turn(UNUSED_STATE)
{
    t.n = 0;
    for (int i = 0; i < 4; i++)
        add(i, true, (unsigned)i, 1);
    distances((const uint8_t[]){10, 20, 20, 20, 20, 10, 20, 20, 20, 20, 10, 20, 20, 20, 20, 10});
    check_order(0, "0123");
    check_order(1, "1230");
    check_order(3, "3012");
}

static void a_distance_that_is_not_told_is_the_farthest(UNUSED_STATE)
{
    t.n = 0;
    for (int i = 0; i < 3; i++)
        add(i, true, (unsigned)i, 1);
    distances((const uint8_t[]){0, 0, 255, 0, 0, 0, 0, 0, 0});
    check_order(0, "021");
    check_order(1, "120");
}

static void memory_is_had_at_home_or_next_door(UNUSED_STATE)
{
    lopsided();
    CHECK_IS(strait_topology_home(&t, 0), 0);
    CHECK_IS(strait_topology_home(&t, 3), 0); /* node 1 has no memory, and node 0 is nearer than 4 */
    CHECK_IS(strait_topology_home(&t, 9), -ENODEV);
    confine(0xf, 1 << 4);
    CHECK_IS(strait_topology_home(&t, 0), 4);
    confine(0xf, 0);
    CHECK_IS(strait_topology_home(&t, 0), -ENODEV);
}

static void a_cpuset_of_one_cpu_leaves_one_node_to_run_on(UNUSED_STATE)
{
    two_nodes();
    confine(1 << 3, 1 << 1);
    CHECK_IS(strait_topology_of_cpu(&t, 0), -ENODEV);
    CHECK_IS(strait_topology_of_cpu(&t, 2), -ENODEV);
    CHECK_IS(strait_topology_of_cpu(&t, 3), 1);
    CHECK(!strait_topology_places(&t, 0));
    CHECK(strait_topology_places(&t, 1));
    CHECK_IS(strait_topology_home(&t, 3), 1);
    check_list("1");
}

/* An affinity does not say where memory may be had, and the other way about. */
static void cpus_and_memory_are_confined_apart(UNUSED_STATE)
{
    two_nodes();
    confine(1 << 0, 1 << 1);
    CHECK_IS(strait_topology_of_cpu(&t, 0), 0);
    CHECK_IS(strait_topology_home(&t, 0), 1);
}

static void a_list_joins_neighbours(UNUSED_STATE)
{
    lopsided();
    check_list("0,4");
    t.n = 0;
    for (int i = 0; i < 5; i++)
        add(i, i != 3, 0, 0);
    add(9, true, 0, 0);
    check_list("0-2,4,9");
    confine(0, 0);
    check_list("");
}

static void a_list_is_cut_off_where_the_text_ends(UNUSED_STATE)
{
    char text[5] = "....";

    t.n = 0;
    for (int i = 0; i < 40; i += 2)
        add(i + 100, true, 0, 0);
    strait_topology_list(&t, text, sizeof text);
    assert_string_equal(text, "100,");
}

static void read_now(void)
{
    strait_process_lock();
    strait_topology_read(&t);
    strait_process_unlock();
}

static void a_test_replaces_the_machine(UNUSED_STATE)
{
    struct strait_topology invented;

    two_nodes();
    invented = t;
    strait_topology_use(&invented);
    t.n = 0;
    read_now();
    strait_topology_use(NULL);
    CHECK_IS(t.n, 2);
    CHECK_IS(t.node[1].distance[0], 31);
}

static void this_machine_has_a_node_for_every_cpu_that_we_may_use(UNUSED_STATE)
{
    cpu_set_t mine;
    bool memory = false;

    read_now();
    CHECK(t.n >= 1);
    CHECK_IS(sched_getaffinity(0, sizeof mine, &mine), 0);
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        CHECK((strait_topology_of_cpu(&t, cpu) >= 0) == (CPU_ISSET(cpu, &mine) != 0));
    for (uint32_t i = 0; i < t.n; i++) {
        memory = memory || strait_topology_places(&t, i);
        CHECK(t.node[i].distance[i] == STRAIT_DISTANCE_OWN);
    }
    CHECK(memory);
}

/* Asked anew: affinity may change while we run. */
static void affinity_narrows_what_is_read(UNUSED_STATE)
{
    cpu_set_t mine, one;
    unsigned cpu = (unsigned)sched_getcpu();

    CHECK_IS(sched_getaffinity(0, sizeof mine, &mine), 0);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_IS(sched_setaffinity(0, sizeof one, &one), 0);
    read_now();
    CHECK_IS(sched_setaffinity(0, sizeof mine, &mine), 0);
    for (uint32_t i = 0; i < CPU_SETSIZE; i++)
        CHECK((strait_topology_of_cpu(&t, i) >= 0) == (i == cpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cpu_belongs_to_its_node),
        TEST(the_own_node_comes_first_and_then_the_nearest),
        TEST(distances_need_not_be_symmetric),
        TEST(nodes_equally_far_are_begun_with_in_turn),
        TEST(a_distance_that_is_not_told_is_the_farthest),
        TEST(memory_is_had_at_home_or_next_door),
        TEST(a_cpuset_of_one_cpu_leaves_one_node_to_run_on),
        TEST(cpus_and_memory_are_confined_apart),
        TEST(a_list_joins_neighbours),
        TEST(a_list_is_cut_off_where_the_text_ends),
        TEST(a_test_replaces_the_machine),
        TEST(this_machine_has_a_node_for_every_cpu_that_we_may_use),
        TEST(affinity_narrows_what_is_read),
    };
    return RUN(tests);
}
