/* SPDX-License-Identifier: MIT */
/* A worker of the pool `work` in the segment `pool`, compiled by whom NAME says: each answer says so. Until the pool is shut
 * down. */
#include <strait/pool.h>

#include <string.h>

static int answer(struct strait_task *task, void *context)
{
    const char *name = context;

    return strait_task_answer(task, STRAIT_MSG_LAST, name, (uint32_t)strlen(name) + 1);
}

int main(int argc, char **argv)
{
    const struct strait_segment_options there = {.attach = STRAIT_OPEN_ONLY};
    struct strait_segment *segment;
    struct strait_pool *pool;
    int r;

    if (argc != 2 || strait_attach("pool", &there, &segment) < 0 || strait_pool_open(segment, "work", NULL, &pool) < 0)
        return 1;
    r = strait_pool_serve(pool, answer, argv[1], STRAIT_FOREVER);
    strait_pool_close(pool);
    strait_detach(segment);
    return r < 0;
}
