/* SPDX-License-Identifier: MIT */
/* Lists of CPUs, and which of them a worker gets: on invented machines. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "cpus.h"

static struct strait_topology t;

static void add(int32_t number, unsigned first_cpu, unsigned cpus)
{
    struct strait_node *node = &t.node[t.n++];

    *node = (struct strait_node){.number = number, .memory = true, .allowed = true};
    for (unsigned i = 0; i < cpus; i++)
        CPU_SET(first_cpu + i, &node->cpus);
}

/* Two nodes with CPUs, 0 to 3 and 8 to 9, and between them one with memory only. */
static int machine(void **state)
{
    (void)state;
    t.n = 0;
    add(0, 0, 4);
    add(1, 0, 0);
    add(2, 8, 2);
    return 0;
}

/* The set as text: "0,2,8" */
static const char *text(const cpu_set_t *set)
{
    static char all[256];
    size_t at = 0;

    all[0] = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && at < sizeof all - 8; cpu++)
        if (CPU_ISSET(cpu, set))
            at += (size_t)snprintf(all + at, sizeof all - at, "%s%u", at ? "," : "", cpu);
    return all;
}

#define SAYS(set, wanted) assert_string_equal(text(set), wanted)

static void lists_are_read(UNUSED_STATE)
{
    static const char *const bad[] = {"", ",", "a", "1-", "3-1", "1,,2", "-1", "1 2", "0-5000", "1-2-3"};
    cpu_set_t set;

    CHECK_IS(strait_cpus_parse("3", &set), 0);
    SAYS(&set, "3");
    CHECK_IS(strait_cpus_parse("0-2,8,5-5", &set), 0);
    SAYS(&set, "0,1,2,5,8");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_IS(strait_cpus_parse(bad[i], &set), -EINVAL);
}

static void only_cpus_of_ours_are_usable(UNUSED_STATE)
{
    cpu_set_t set;

    strait_cpus_parse("2-8,100", &set);
    CHECK_IS(strait_cpus_usable(&t, &set), 3);
    SAYS(&set, "2,3,8");
    strait_cpus_parse("4-7", &set);
    CHECK_IS(strait_cpus_usable(&t, &set), 0);
}

static void a_list_goes_round_the_nodes(UNUSED_STATE)
{
    static const char *const wanted[] = {"0", "8", "1", "9", "2", "3", "0", "8"};
    cpu_set_t list, set;

    strait_cpus_parse("0-3,8-9", &list);
    for (uint32_t i = 0; i < 8; i++) {
        strait_cpus_one(&t, &list, i, &set);
        SAYS(&set, wanted[i]);
    }
    strait_cpus_parse("9", &list);
    strait_cpus_one(&t, &list, 7, &set);
    SAYS(&set, "9");
}

static void without_a_list_each_worker_has_a_node(UNUSED_STATE)
{
    static const char *const wanted[] = {"0,1,2,3", "8,9", "0,1,2,3"};
    cpu_set_t set;

    for (uint32_t i = 0; i < 3; i++) {
        CHECK(strait_cpus_node(&t, i, &set));
        SAYS(&set, wanted[i]);
    }
}

static void on_one_node_there_is_nothing_to_choose(UNUSED_STATE)
{
    cpu_set_t set;

    CPU_ZERO(&t.node[2].cpus); /* a cpuset, or taskset */
    CHECK(!strait_cpus_node(&t, 1, &set));
}

#define CASE(name) cmocka_unit_test_setup(name, machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lists_are_read),
        CASE(only_cpus_of_ours_are_usable),
        CASE(a_list_goes_round_the_nodes),
        CASE(without_a_list_each_worker_has_a_node),
        CASE(on_one_node_there_is_nothing_to_choose),
    };
    return RUN(tests);
}
