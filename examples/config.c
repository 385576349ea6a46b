/* SPDX-License-Identifier: MIT */
/* One writer, many readers, no lock for them: config set NAME | config get. A writer killed half-way has changed nothing. */
#include <stdio.h>
#include <string.h>
#include <strait/strait.h>

struct config {
    uint64_t version;
    char name[56];
};

static int set(struct strait_region *region, const char *name)
{
    struct config *next;

    if (strait_region_lock(region, STRAIT_FOREVER) < 0)
        return -1;
    strait_region_begin(region, (void **)&next); /* the spare copy, equal to the published one */
    next->version++;
    snprintf(next->name, sizeof next->name, "%s", name);
    strait_region_commit(region); /* one store: readers see all of it, or none */
    return strait_region_unlock(region);
}

int main(int argc, char **argv)
{
    struct strait_region_options options = {.bytes = sizeof(struct config), .atomic = true};
    struct strait_segment *segment;
    struct strait_region *region;
    struct config now;
    if (strait_attach("example-config", NULL, &segment) < 0 ||
        strait_region_open(segment, "config", &options, &region) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    if (argc == 3 && strcmp(argv[1], "set") == 0 && set(region, argv[2]) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    strait_region_snapshot(region, &now, sizeof now, STRAIT_FOREVER);
    printf("version %llu: %s\n", (unsigned long long)now.version, now.name);
    strait_region_close(region);
    strait_detach(segment);
    return 0;
}
