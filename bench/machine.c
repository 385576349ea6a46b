/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

struct bench_machine bench_machine;

static void read_cpu_model(char *to, size_t bytes)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");
    snprintf(to, bytes, "unknown CPU");
    while (f && fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value[strcspn(value, "\n")] = 0;
        snprintf(to, bytes, "%s", value + 2);
        break;
    }
    if (f)
        fclose(f);
}

/* True when the kernel says that both are threads of one core; false when it says nothing. */
static bool same_core(int a, int b)
{
    char path[128], text[2][128] = {"", ""};
    int cpus[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpus[i]);
        FILE *f = fopen(path, "re");
        if (!f)
            return false;
        if (!fgets(text[i], sizeof text[i], f))
            text[i][0] = 0;
        fclose(f);
    }
    return text[0][0] && strcmp(text[0], text[1]) == 0;
}

static void pick_pair(void)
{
    int first = -1, second = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &bench_machine.allowed))
            continue;
        if (first < 0) {
            first = cpu;
        } else if (second < 0 || same_core(first, second)) {
            second = cpu;
        }
    }
    bench_machine.cpus[0] = first;
    bench_machine.cpus[1] = second;
}

int bench_machine_read(void)
{
    struct utsname u;
    uname(&u);
    snprintf(bench_machine.kernel, sizeof bench_machine.kernel, "%.16s %.64s", u.sysname, u.release);
    read_cpu_model(bench_machine.cpu_model, sizeof bench_machine.cpu_model);
    if (sched_getaffinity(0, sizeof bench_machine.allowed, &bench_machine.allowed))
        return -errno;
    bench_machine.cpus_n = (unsigned)CPU_COUNT(&bench_machine.allowed);
    pick_pair();
    return bench_machine.cpus_n < 2 ? -ENODEV : 0;
}

int bench_machine_pair(int a, int b)
{
    if (a == b || a < 0 || b < 0 || a >= CPU_SETSIZE || b >= CPU_SETSIZE ||
        !CPU_ISSET((size_t)a, &bench_machine.allowed) || !CPU_ISSET((size_t)b, &bench_machine.allowed))
        return -EINVAL;
    bench_machine.cpus[0] = a;
    bench_machine.cpus[1] = b;
    return 0;
}

void bench_machine_pin(int i)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int k = 0; k < 2; k++) {
        if (i < 0 || i == k)
            CPU_SET((size_t)bench_machine.cpus[k], &set);
    }
    sched_setaffinity(0, sizeof set, &set);
}

const char *bench_place_name(enum bench_place place)
{
    static const char *const names[] = {"core", "near", "far", "mixed"};
    return place < BENCH_PLACES ? names[place] : "?";
}
