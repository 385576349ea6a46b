/* SPDX-License-Identifier: MIT */
/**
 * One process at a shared lock; built against glibc, and statically against musl: party SEGMENT DO.
 *
 *   hold      lock, say "held", wait to be killed
 *   lock      lock, say what it answered (0; 1: an owner died inside), heal, unlock
 *   add N     N times: lock, add 1 to a number in two steps, unlock; says the pid
 *   sum       say the number
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "strait/error.h"
#include "strait/region.h"

static struct strait_region *region;

static int fail(void)
{
    fprintf(stderr, "party: %s\n", strait_error());
    return 1;
}

static int hold(void)
{
    if (strait_region_lock(region, strait_after_ns(UINT64_C(5000000000))) < 0)
        return fail();
    puts("held");
    fflush(stdout);
    for (;;)
        pause();
}

static int lock(void)
{
    int r = strait_region_lock(region, strait_after_ns(UINT64_C(5000000000)));

    if (r < 0)
        return fail();
    strait_region_heal(region);
    strait_region_unlock(region);
    printf("%d\n", r);
    return 0;
}

static int add(long n)
{
    volatile uint64_t *number = strait_region_data(region);

    while (n-- > 0) {
        if (strait_region_lock(region, strait_after_ns(UINT64_C(20000000000))) != 0)
            return fail();
        uint64_t seen = *number;
        for (int i = 0; i < 20; i++) /* room for a second owner to be seen */
            strait_pause();
        *number = seen + 1;
        if (strait_region_unlock(region) < 0)
            return fail();
    }
    printf("pid %d\n", getpid());
    return 0;
}

int main(int argc, char **argv)
{
    struct strait_region_options options = {.bytes = sizeof(uint64_t)};
    struct strait_segment_options small = {.bytes = 512 << 10};
    struct strait_segment *segment;

    if (argc < 3 || strait_attach(argv[1], &small, &segment) < 0 ||
        strait_region_open(segment, "it", &options, &region) < 0)
        return fail();
    if (strcmp(argv[2], "hold") == 0)
        return hold();
    if (strcmp(argv[2], "lock") == 0)
        return lock();
    if (strcmp(argv[2], "add") == 0 && argc == 4)
        return add(atol(argv[3]));
    printf("%llu\n", (unsigned long long)*(volatile uint64_t *)strait_region_data(region));
    return 0;
}
