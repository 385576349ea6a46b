/* SPDX-License-Identifier: MIT */
/* In the place of numa.c where there is no libnuma: the machine is one node. */
#include "topology.h"

static const struct strait_topology *table;

void strait_topology_use(const struct strait_topology *t)
{
    table = t;
}

void strait_topology_read(struct strait_topology *t)
{
    if (table) {
        *t = *table;
        return;
    }
    *t = (struct strait_topology){.n = 1};
    t->node[0] = (struct strait_node){.memory = true, .allowed = true, .distance = {STRAIT_DISTANCE_OWN}};
    if (sched_getaffinity(0, sizeof t->node[0].cpus, &t->node[0].cpus) < 0)
        CPU_SET(0, &t->node[0].cpus);
}
