/* SPDX-License-Identifier: MIT */
/** On which CPUs the workers of one supervisor run: spread over the nodes of a topology. Computes, and asks nobody. */
#ifndef STRAIT_LIB_CPUS_H
#define STRAIT_LIB_CPUS_H

#include "topology.h"

/** "0-3,6" into a set: 0, -EINVAL. */
int strait_cpus_parse(const char *list, cpu_set_t *set);

/** Of these CPUs those that we may run on: how many are left. */
int strait_cpus_usable(const struct strait_topology *topology, cpu_set_t *set);

/** One of `list`, which are usable: worker by worker from one node after the other, round and round. */
void strait_cpus_one(const struct strait_topology *topology, const cpu_set_t *list, uint32_t worker, cpu_set_t *set);

/** All of one node, node after node: true; false if there is one node with CPUs of ours only, so that there is nothing to choose. */
bool strait_cpus_node(const struct strait_topology *topology, uint32_t worker, cpu_set_t *set);

#endif
