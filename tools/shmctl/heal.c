/* SPDX-License-Identifier: MIT */
/* shmctl heal: take the lock of a region whose owner died inside, repair the data or not, call them sound. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "commands.h"
#include "guard.h"

/* What the data are to become: as they are, zeroes, or a file's. */
static int repair(const struct ctl *ctl, struct strait_region *region)
{
    const char *file = ctl_given(ctl, "from");
    uint64_t bytes = strait_region_bytes(region);
    FILE *f;
    size_t n;

    if (ctl_given(ctl, "zero"))
        memset(strait_region_data(region), 0, bytes);
    if (file == NULL)
        return CTL_GOOD;
    f = fopen(file, "re");
    if (f == NULL) {
        ctl_say("%s: %s", file, strerror(errno));
        return CTL_FINDING;
    }
    n = fread(strait_region_data(region), 1, bytes, f);
    fclose(f);
    if (n == bytes)
        return CTL_GOOD;
    ctl_say("%s has %zu bytes, the region has %llu: it stays suspect", file, n, (unsigned long long)bytes);
    return CTL_FINDING;
}

/* Healed, or there was nothing to heal. */
static int say(const struct ctl *ctl, bool healed)
{
    struct json j;

    if (!ctl->json) {
        printf(healed ? "region %s is healed\n" : "region %s is sound: nothing was done\n",
               table_text(ctl->word[1], STRAIT_NAME_BYTES));
        return CTL_GOOD;
    }
    ctl_json_begin(&j, "heal");
    json_string(&j, "segment", ctl->word[0]);
    json_string(&j, "region", ctl->word[1]);
    json_u64(&j, "part", ctl_number(ctl, "part", 0, 0, STRAIT_REGION_PARTS - 1));
    json_bool(&j, "healed", healed);
    json_close(&j);
    return CTL_GOOD;
}

static int heal(const struct ctl *ctl, struct strait_region *region)
{
    int r = strait_region_lock_for_heal(region, strait_after_ns(CTL_PATIENCE_NS)), done;

    if (r == -ETIMEDOUT) {
        ctl_say("region %s is locked by somebody who lives: shmctl show %s %s", ctl->word[1], ctl->word[0],
                ctl->word[1]);
        return CTL_FINDING;
    }
    if (r < 0)
        return ctl_say_failed(ctl->word[1], r);
    if (r == 0) {
        strait_region_unlock(region);
        return say(ctl, false);
    }
    done = repair(ctl, region);
    if (done != CTL_GOOD) {
        strait_region_restore(region); /* as it was: neither healed nor poisoned by us */
        return done;
    }
    strait_region_heal(region);
    strait_region_unlock(region);
    return say(ctl, true);
}

static int run(const struct ctl *ctl)
{
    uint32_t part = (uint32_t)ctl_number(ctl, "part", 0, 0, STRAIT_REGION_PARTS - 1);
    struct strait_segment *segment;
    struct strait_region *region;
    int r;

    if (ctl_given(ctl, "zero") && ctl_given(ctl, "from"))
        return ctl_usage("--zero or --from, not both");
    r = ctl_attach(ctl, ctl->word[0], &segment);
    if (r != CTL_GOOD)
        return r;
    r = strait_region_open_part(segment, ctl->word[1], NULL, 0, part, &region);
    if (r < 0) {
        r = ctl_say_failed(ctl->word[1], r);
    } else {
        r = heal(ctl, region);
        strait_region_close(region);
    }
    strait_detach(segment);
    return r;
}

const struct ctl_command ctl_heal = {
    .name = "heal",
    .arguments = "NAME REGION",
    .summary = "Call a region sound whose owner died inside, or which is poisoned",
    .help = "Without an option the data stay as they are: have a look first whether they make sense. Takes the "
            "region's lock\n"
            "for at most 2 s; a lock that somebody living holds is left alone.\n"
            "\n"
            "  shmctl heal demo table\n"
            "  shmctl heal demo table --from table.good\n",
    .least = 2,
    .most = 2,
    .run = run,
    .writes = true,
    .options = (const struct ctl_option[]){{"part", 'p', "N", "of a sharded region; default 0"},
                                           {"zero", 'z', NULL, "the data become zeroes"},
                                           {"from", 'f', "FILE", "the data become these bytes"},
                                           {NULL}},
};
