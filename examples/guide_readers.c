/* SPDX-License-Identifier: MIT */
/* Many readers that need long, one writer now and then: readers look in place, all at once, without meeting at one line. */
#include <string.h>

#include "guide.h"

#define ROWS 4096

struct table {
    uint32_t row[ROWS]; /* all of one edition */
};

static const struct strait_region_options options = {.bytes = sizeof(struct table), .readers = true};

static void part(int i)
{
    struct strait_region *region;
    struct table *table;

    must(strait_region_open(segment, "table", &options, &region));
    table = strait_region_data(region);
    for (uint32_t n = 1; i == 0 && n <= 200; n++) {
        must(strait_region_lock(region, STRAIT_FOREVER)); /* the writer waits for the readers; new ones wait for it */
        for (int k = 0; k < ROWS; k++)
            table->row[k] = n;
        must(strait_region_unlock(region));
    }
    for (int n = 0; i > 0 && n < 1000; n++) {
        must(strait_region_read_lock(region, STRAIT_FOREVER));
        for (int k = 1; k < ROWS; k++)
            if (table->row[k] != table->row[0])
                must(-EBADMSG);
        must(strait_region_read_unlock(region));
    }
    strait_region_close(region);
}

int main(void)
{
    int failed;

    join();
    failed = in_parallel(4, part);
    printf("3 readers, 200 editions, %d failed\n", failed);
    return leave(failed);
}
