/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <errno.h>
#include <stdio.h>

void strait_topology_confine(struct strait_topology *t, const cpu_set_t *cpus, const uint64_t *numbers)
{
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t number = (uint32_t)t->node[i].number;
        CPU_AND(&t->node[i].cpus, &t->node[i].cpus, cpus);
        t->node[i].allowed =
            t->node[i].allowed && number < STRAIT_NODE_NUMBERS && (numbers[number / 64] >> number % 64 & 1);
    }
}

int strait_topology_find(const struct strait_topology *t, int32_t number)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (t->node[i].number == number)
            return (int)i;
    return -ENODEV;
}

int strait_topology_of_cpu(const struct strait_topology *t, uint32_t cpu)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &t->node[i].cpus))
            return (int)i;
    return -ENODEV;
}

bool strait_topology_places(const struct strait_topology *t, uint32_t index)
{
    return t->node[index].memory && t->node[index].allowed;
}

/* What the firmware does not tell is farther than all that it does. */
static uint32_t distance(const struct strait_topology *t, uint32_t from, uint32_t to)
{
    uint32_t told = t->node[from].distance[to];
    return from == to ? 0 : told ? told : UINT8_MAX + 1;
}

uint32_t strait_topology_order(const struct strait_topology *t, uint32_t from, uint32_t order[STRAIT_NODES])
{
    for (uint32_t k = 0; k < t->n; k++) {
        uint32_t node = (from + k) % t->n, at = k;
        while (at > 0 && distance(t, from, order[at - 1]) > distance(t, from, node)) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = node;
    }
    return t->n;
}

int32_t strait_topology_home(const struct strait_topology *t, uint32_t cpu)
{
    uint32_t order[STRAIT_NODES];
    int own = strait_topology_of_cpu(t, cpu);

    if (own < 0)
        return own;
    strait_topology_order(t, (uint32_t)own, order);
    for (uint32_t k = 0; k < t->n; k++)
        if (strait_topology_places(t, order[k]))
            return t->node[order[k]].number;
    return -ENODEV;
}

/* The last of the nodes from i on whose numbers follow each other and on all of which pages may lie. */
static uint32_t end_of_run(const struct strait_topology *t, uint32_t i)
{
    while (i + 1 < t->n && strait_topology_places(t, i + 1) && t->node[i + 1].number == t->node[i].number + 1)
        i++;
    return i;
}

void strait_topology_list(const struct strait_topology *t, char *text, size_t size)
{
    size_t at = 0;

    text[0] = 0;
    for (uint32_t i = 0, last; i < t->n && at < size; i = last + 1) {
        last = i;
        if (!strait_topology_places(t, i))
            continue;
        last = end_of_run(t, i);
        at += (size_t)snprintf(text + at, size - at, "%s%d", at ? "," : "", t->node[i].number);
        if (last > i && at < size)
            at += (size_t)snprintf(text + at, size - at, "-%d", t->node[last].number);
    }
}
