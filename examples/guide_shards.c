/* SPDX-License-Identifier: MIT */
/* Many writers at many keys: one lock for each range of keys' hashes, so that they seldom meet; and how often they did. */
#include "guide.h"

#define KEYS   64
#define SHARDS 8

struct shard {
    uint64_t hits[KEYS]; /* of the keys that belong here */
};

static const struct strait_shards_options options = {.shards = SHARDS, .each = {.bytes = sizeof(struct shard)}};

static void hit(int i)
{
    struct strait_shards *shards;

    must(strait_shards_open(segment, "hits", &options, &shards));
    for (uint32_t n = 0; n < 10000; n++) {
        uint32_t key = (n * 7 + (uint32_t)i * 13) % KEYS;
        struct strait_region *region = strait_shards_of(shards, &key, sizeof key);
        must(strait_region_lock(region, STRAIT_FOREVER));
        ((struct shard *)strait_region_data(region))->hits[key]++;
        must(strait_region_unlock(region));
    }
    strait_shards_close(shards);
}

int main(void)
{
    struct strait_shards *shards;
    uint64_t sum = 0;
    int failed;

    join();
    must(strait_shards_open(segment, "hits", &options, &shards));
    failed = in_parallel(4, hit);
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct strait_region *region = strait_shards_at(shards, i);
        struct strait_contention figures;
        uint64_t here = 0;
        for (int k = 0; k < KEYS; k++)
            here += ((struct shard *)strait_region_data(region))->hits[k];
        must(strait_region_contention(region, &figures));
        printf("shard %u: %llu hits, %llu had to wait\n", i, (unsigned long long)here,
               (unsigned long long)figures.contended);
        sum += here;
    }
    strait_shards_close(shards);
    return leave(failed || sum != 40000);
}
