/* SPDX-License-Identifier: MIT */
#include "cpus.h"

#include <errno.h>
#include <stdlib.h>

int strait_cpus_parse(const char *list, cpu_set_t *set)
{
    CPU_ZERO(set);
    while (*list) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;

        if (end == list)
            return -EINVAL;
        if (*end == '-') {
            list = end + 1;
            last = strtoul(list, &end, 10);
            if (end == list)
                return -EINVAL;
        }
        if (first > last || last >= CPU_SETSIZE || (*end && *end != ','))
            return -EINVAL;
        for (; first <= last; first++)
            CPU_SET(first, set);
        list = *end ? end + 1 : end;
    }
    return CPU_COUNT(set) ? 0 : -EINVAL;
}

int strait_cpus_usable(const struct strait_topology *t, cpu_set_t *set)
{
    cpu_set_t ours;

    CPU_ZERO(&ours);
    for (uint32_t i = 0; i < t->n; i++)
        CPU_OR(&ours, &ours, &t->node[i].cpus);
    CPU_AND(set, set, &ours);
    return CPU_COUNT(set);
}

static unsigned nth_of(const cpu_set_t *set, uint32_t n)
{
    unsigned cpu = 0;

    while (!CPU_ISSET(cpu, set) || n-- > 0)
        cpu++;
    return cpu;
}

void strait_cpus_one(const struct strait_topology *t, const cpu_set_t *list, uint32_t worker, cpu_set_t *set)
{
    uint32_t left = worker % (uint32_t)CPU_COUNT(list);
    cpu_set_t here;

    CPU_ZERO(set);
    for (uint32_t round = 0;; round++) /* the first of each node, then the second of each node that has two, … */
        for (uint32_t i = 0; i < t->n; i++) {
            CPU_AND(&here, list, &t->node[i].cpus);
            if ((uint32_t)CPU_COUNT(&here) <= round || left-- > 0)
                continue;
            CPU_SET(nth_of(&here, round), set);
            return;
        }
}

bool strait_cpus_node(const struct strait_topology *t, uint32_t worker, cpu_set_t *set)
{
    uint32_t nodes = 0, nth;

    for (uint32_t i = 0; i < t->n; i++)
        nodes += CPU_COUNT(&t->node[i].cpus) > 0;
    if (nodes < 2)
        return false;
    nth = worker % nodes;
    for (uint32_t i = 0; i < t->n; i++)
        if (CPU_COUNT(&t->node[i].cpus) > 0 && nth-- == 0)
            *set = t->node[i].cpus;
    return true;
}
