/* SPDX-License-Identifier: MIT */
/**
 * The machine's NUMA nodes as this process may use them: one small table, filled in by libnuma (numa.c, which alone knows
 * it) or by a test. Everything here but strait_topology_read computes on the table and asks nobody.
 */
#ifndef STRAIT_LIB_TOPOLOGY_H
#define STRAIT_LIB_TOPOLOGY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages.h"

#define STRAIT_NODES        64 /* nodes that we use; those of a larger machine's that come later are left out */
#define STRAIT_DISTANCE_OWN 10 /* what the firmware calls the distance of a node to itself */

struct strait_node {
    int32_t number;                 /* the kernel's; they need not follow each other */
    bool memory;                    /* has some */
    bool allowed;                   /* pages of ours may lie there: cpuset, container */
    cpu_set_t cpus;                 /* those that we may run on; perhaps none. CPUs from CPU_SETSIZE on are left out */
    uint8_t distance[STRAIT_NODES]; /* to node i of the table; not always the same in both directions; 0 = not told */
};

/** Nodes by rising number. */
struct strait_topology {
    uint32_t n;
    struct strait_node node[STRAIT_NODES];
};

/** What this process sees now: the nodes, narrowed to its cpuset and affinity; one node where the kernel knows none. Under
 * the registry's mutex, because libnuma keeps what it has read. */
void strait_topology_read(struct strait_topology *topology);

/** From now on strait_topology_read answers with this table; NULL = the machine again. For tests. */
void strait_topology_use(const struct strait_topology *topology);

/** Keep of every node what is among these CPUs; memory may be had on the nodes whose numbers are set in `numbers`, an array
 * of STRAIT_NODE_NUMBERS bits. */
void strait_topology_confine(struct strait_topology *topology, const cpu_set_t *cpus, const uint64_t *numbers);

/** The table's index of a node, or -ENODEV. */
int strait_topology_find(const struct strait_topology *topology, int32_t number);

/** The index of the node that a CPU belongs to, or -ENODEV: we may not run there. */
int strait_topology_of_cpu(const struct strait_topology *topology, uint32_t cpu);

/** May pages be placed on the node at this index? */
bool strait_topology_places(const struct strait_topology *topology, uint32_t index);

/**
 * All nodes from the nearest to the farthest as seen from the one at index `from`, which comes first. Nodes equally far
 * follow each other round from `from`, so that not everybody begins with the same one. Returns how many.
 */
uint32_t strait_topology_order(const struct strait_topology *topology, uint32_t from, uint32_t order[STRAIT_NODES]);

/** Where memory for a thread on that CPU belongs: its node, or the nearest one on which pages may lie, by number. -ENODEV. */
int32_t strait_topology_home(const struct strait_topology *topology, uint32_t cpu);

/** The numbers of the nodes on which pages may lie, as "0-2,5", into text of `size` > 0 bytes, cut off if need be. */
void strait_topology_list(const struct strait_topology *topology, char *text, size_t size);

#endif
