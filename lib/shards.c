/* SPDX-License-Identifier: MIT */
/* Sharded regions: strait/shards.h. */
#include "strait/shards.h"

#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "guard.h"
#include "pages.h"

#define DEFAULT_SHARDS 16

struct strait_shards {
    uint32_t n;
    struct strait_region *region[];
};

static void close_some(struct strait_shards *s, uint32_t n)
{
    while (n-- > 0)
        strait_region_close(s->region[n]);
    free(s);
}

/* The first shard says how many there are. */
int strait_shards_open(struct strait_segment *segment, const char *name, const struct strait_shards_options *options,
                       struct strait_shards **shards)
{
    uint32_t asked = options ? options->shards ? options->shards : DEFAULT_SHARDS : 0;
    const struct strait_region_options *each = options ? &options->each : NULL;
    struct strait_region *first;
    struct strait_shards *s;
    int r = strait_region_open_part(segment, name, each, asked, 0, &first);

    if (r < 0)
        return r;
    asked = first->guard->parts;
    s = malloc(sizeof *s + asked * sizeof(struct strait_region *));
    if (s == NULL) {
        strait_region_close(first);
        return strait_fail(-ENOMEM, "region %s: out of memory", name);
    }
    s->region[0] = first;
    for (s->n = 1; s->n < asked && r == 0; s->n++)
        r = strait_region_open_part(segment, name, NULL, asked, s->n, &s->region[s->n]);
    if (r < 0)
        close_some(s, s->n - 1);
    else
        *shards = s;
    return r;
}

void strait_shards_close(struct strait_shards *s)
{
    if (s)
        close_some(s, s->n);
}

int strait_shards_unlink(struct strait_segment *segment, const char *name)
{
    return strait_region_unlink(segment, name);
}

uint32_t strait_shards_count(const struct strait_shards *s)
{
    return s->n;
}

/* FNV-1a (Fowler, Noll, Vo), then MurmurHash3's finaliser (Appleby), because the upper bits decide. Part of the layout:
 * STRAIT_SHARD_HASH. */
static uint64_t hash(const unsigned char *key, size_t bytes)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes; i++)
        h = (h ^ key[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

struct strait_region *strait_shards_of(const struct strait_shards *s, const void *key, size_t bytes)
{
    return s->region[(hash(key, bytes) >> 32) * s->n >> 32]; /* one range of hashes each */
}

struct strait_region *strait_shards_at(const struct strait_shards *s, uint32_t i)
{
    return i < s->n ? s->region[i] : NULL;
}

int strait_shards_node(const struct strait_shards *s, uint32_t i)
{
    const struct strait_region *r = strait_shards_at(s, i);
    int32_t node;

    if (r == NULL)
        return strait_fail(-EINVAL, "a region of %u shards has no shard %u", s->n, i);
    if (*r->home == 0)
        return strait_process_forked();
    node = (int32_t)strait_load32_relaxed((const uint32_t *)&r->guard->part.lock->node);
    if (node >= STRAIT_NODE_ANY && node < STRAIT_NODE_NUMBERS)
        return node == STRAIT_NODE_ANY ? -ENODEV : node;
    return strait_fail(strait_handle_error(&r->guard->handle, STRAIT_ERROR_DAMAGED, -EPROTO),
                       "shard %u of region %s is damaged", i, r->guard->handle.name);
}
