/* SPDX-License-Identifier: MIT */
/* The one file that knows libnuma: it fills in the table of topology.h. */
#include <numa.h>

#include "topology.h"

static const struct strait_topology *table; /* a test's. registry */

void strait_topology_use(const struct strait_topology *topology)
{
    table = topology;
}

/* A kernel without NUMA, or a container that may not ask: everything is node 0. */
static void one_node(struct strait_topology *t)
{
    t->n = 1;
    t->node[0] = (struct strait_node){.memory = true, .allowed = true, .distance = {STRAIT_DISTANCE_OWN}};
    sched_getaffinity(0, sizeof t->node[0].cpus, &t->node[0].cpus);
}

static void to_cpus(const struct bitmask *from, cpu_set_t *to)
{
    CPU_ZERO(to);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && cpu < from->size; cpu++)
        if (numa_bitmask_isbitset(from, cpu))
            CPU_SET(cpu, to);
}

/* The machine, whoever may use it. */
static void read_nodes(struct strait_topology *t)
{
    struct bitmask *cpus = numa_allocate_cpumask();

    t->n = 0;
    for (int number = 0; number <= numa_max_node() && number < STRAIT_NODE_NUMBERS && t->n < STRAIT_NODES; number++) {
        struct strait_node *node = &t->node[t->n];
        if (!numa_bitmask_isbitset(numa_nodes_ptr, (unsigned)number))
            continue;
        *node = (struct strait_node){.number = number, .memory = numa_node_size64(number, NULL) > 0, .allowed = true};
        if (numa_node_to_cpus(number, cpus) == 0)
            to_cpus(cpus, &node->cpus);
        t->n++;
    }
    for (uint32_t i = 0; i < t->n; i++)
        for (uint32_t to = 0; to < t->n; to++) {
            int told = numa_distance(t->node[i].number, t->node[to].number);
            t->node[i].distance[to] = (uint8_t)(told > 0 && told <= UINT8_MAX ? told : 0);
        }
    numa_bitmask_free(cpus);
}

/* Asked anew each time: a cpuset may be changed under a running process. */
static void read_limits(struct strait_topology *t)
{
    struct bitmask *mine = numa_allocate_cpumask(), *memory = numa_get_mems_allowed();
    uint64_t numbers[STRAIT_NODE_NUMBERS / 64] = {0};
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    if (numa_sched_getaffinity(0, mine) >= 0)
        to_cpus(mine, &cpus);
    for (unsigned i = 0; i < STRAIT_NODE_NUMBERS && i < memory->size; i++)
        if (numa_bitmask_isbitset(memory, i))
            numbers[i / 64] |= UINT64_C(1) << i % 64;
    strait_topology_confine(t, &cpus, numbers);
    numa_bitmask_free(mine);
    numa_bitmask_free(memory);
}

void strait_topology_read(struct strait_topology *t)
{
    if (table) {
        *t = *table;
    } else if (numa_available() < 0) {
        one_node(t);
    } else {
        read_nodes(t);
        read_limits(t);
    }
}
