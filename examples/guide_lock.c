/* SPDX-License-Identifier: MIT */
/* Many writers, several numbers that belong together: a region under its lock, repaired by whoever comes after a death. */
#include <signal.h>

#include "guide.h"

struct stock {
    int64_t in, out, here; /* here = in - out */
};

static const struct strait_region_options options = {.bytes = sizeof(struct stock)};

static void book(int i)
{
    struct strait_region *region;
    struct stock *stock;

    must(strait_region_open(segment, "stock", &options, &region));
    stock = strait_region_data(region);
    for (int n = 0; n < 1000; n++) {
        int r = strait_region_lock(region, STRAIT_FOREVER);
        must(r);
        if (r == 1) { /* the owner before us died between two stores: repair, then say so */
            stock->here = stock->in - stock->out;
            must(strait_region_heal(region));
        }
        stock->in += 2;
        if (i == 0 && n == 500)
            raise(SIGKILL);
        stock->out += 1;
        stock->here += 1;
        must(strait_region_unlock(region));
    }
    strait_region_close(region);
}

int main(void)
{
    struct strait_region *region;
    struct stock *s;
    int killed, r;

    join();
    must(strait_region_open(segment, "stock", &options, &region));
    killed = in_parallel(4, book);
    s = strait_region_data(region);
    must(r = strait_region_lock(region, STRAIT_FOREVER));
    if (r == 1) {
        s->here = s->in - s->out;
        must(strait_region_heal(region));
    }
    printf("%d killed; in %lld, out %lld, here %lld\n", killed, (long long)s->in, (long long)s->out,
           (long long)s->here);
    killed = killed != 1 || s->here != s->in - s->out || s->in != 2 * (3 * 1000 + 501);
    must(strait_region_unlock(region));
    strait_region_close(region);
    return leave(killed);
}
