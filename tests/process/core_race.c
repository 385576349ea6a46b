/* SPDX-License-Identifier: MIT */
/* Many processes make, join and remove one name at the same time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <strait/strait.h>

#include "peer.h"
#include "place.h"
#include "process.h"

#define CROWD 32

struct stage {
    gate ready, go, attached, leave;
    uint32_t created, refused, joined;
    uint64_t id[CROWD];
    uint32_t lease[CROWD];
    uint32_t next, rounds, removed;
    gate stop;
};

static void create_only(void *arg)
{
    struct strait_segment_options o = {.attach = STRAIT_CREATE_ONLY, .bytes = 1 << 20};
    struct stage *stage = arg;
    struct strait_segment *s;
    int r;

    gate_count(&stage->ready);
    gate_wait(&stage->go);
    r = strait_attach("x", &o, &s);
    CHECK(r == 0 || r == -EEXIST);
    __atomic_fetch_add(r == 0 ? &stage->created : &stage->refused, 1, __ATOMIC_RELAXED);
    gate_count(&stage->attached);
    gate_wait_count(&stage->attached, CROWD);
    if (r == 0)
        strait_detach(s);
}

static void open_or_create(void *arg)
{
    struct strait_segment_options o = {.bytes = 1 << 20};
    struct stage *stage = arg;
    uint32_t me = __atomic_fetch_add(&stage->next, 1, __ATOMIC_RELAXED);
    struct strait_segment *s;

    gate_count(&stage->ready);
    gate_wait(&stage->go);
    CHECK_IS(strait_attach("x", &o, &s), 0);
    stage->id[me] = strait_segment_header(&s->map)->id;
    stage->lease[me] = s->map.lease;
    gate_count(&stage->attached);
    gate_wait_count(&stage->attached, CROWD);
    strait_detach(s);
}

static void all_at_once(struct stage *stage, void (*act)(void *))
{
    pid_t pids[CROWD];

    memset(stage, 0, sizeof *stage);
    for (int i = 0; i < CROWD; i++)
        pids[i] = peer_start(act, stage);
    gate_wait_count(&stage->ready, CROWD);
    gate_open(&stage->go);
    for (int i = 0; i < CROWD; i++)
        peer_join(pids[i]);
    CHECK_IS(place_files(), 1);
    CHECK_IS(strait_segment_remove("x", NULL), 1);
}

static void exactly_one_creates(struct stage *stage)
{
    all_at_once(stage, create_only);
    CHECK_IS(stage->created, 1);
    CHECK_IS(stage->refused, CROWD - 1);
    printf("of %d creators one wins\n", CROWD);
}

static void all_join_one_segment_with_leases_of_their_own(struct stage *stage)
{
    uint64_t leases = 0;

    all_at_once(stage, open_or_create);
    for (int i = 0; i < CROWD; i++) {
        CHECK_IS(stage->id[i], stage->id[0]);
        CHECK(stage->lease[i] >= 1 && stage->lease[i] <= CROWD);
        leases |= UINT64_C(1) << stage->lease[i];
    }
    CHECK_IS(leases, ((UINT64_C(1) << CROWD) - 1) << 1);
    printf("%d join one segment, each with its lease\n", CROWD);
}

/* ---- removing against joining ---- */

static void come_and_go(void *arg)
{
    struct strait_segment_options o = {.bytes = 1 << 20, .no_prefault = true};
    struct stage *stage = arg;
    struct strait_segment *s;
    struct stat st;

    for (uint32_t i = 0; i < stage->rounds; i++) {
        CHECK_IS(strait_attach("x", &o, &s), 0);
        CHECK_IS(stat(place_path("strait.x"), &st), 0); /* while we are attached the name means our file */
        CHECK_IS(st.st_ino, s->map.inode);
        strait_detach(s);
    }
    gate_count(&stage->attached);
}

static void remove_again_and_again(void *arg)
{
    struct stage *stage = arg;

    while (!gate_is_open(&stage->stop)) {
        int r = strait_segment_remove("x", NULL);
        CHECK(r == 0 || r == 1 || r == -ENOENT);
        stage->removed += r == 1;
    }
}

static void a_segment_in_use_is_never_removed(struct stage *stage)
{
    pid_t comers[4], remover;

    memset(stage, 0, sizeof *stage);
    stage->rounds = test_rounds(300);
    for (int i = 0; i < 4; i++)
        comers[i] = peer_start(come_and_go, stage);
    remover = peer_start(remove_again_and_again, stage);
    for (int i = 0; i < 4; i++)
        peer_join(comers[i]);
    gate_open(&stage->stop);
    peer_join(remover);
    CHECK(strait_segment_remove("x", NULL) != 0);
    CHECK_IS(place_files(), 0);
    printf("%u attachments, %u removals, none of a segment in use\n", 4 * stage->rounds, stage->removed);
}

/* ---- leftovers ---- */

static void attach_and_wait(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *s;

    CHECK_IS(strait_attach("x", NULL, &s), 0);
    gate_count(&stage->attached);
    gate_wait(&stage->leave);
}

static void what_the_killed_leave_is_removed_when_the_last_is_dead(struct stage *stage)
{
    pid_t pids[3];

    memset(stage, 0, sizeof *stage);
    for (int i = 0; i < 3; i++)
        pids[i] = peer_start(attach_and_wait, stage);
    gate_wait_count(&stage->attached, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_IS(strait_segment_remove("x", NULL), 0);
        peer_kill(pids[i]);
    }
    CHECK_IS(strait_segment_remove("x", NULL), 1);
    CHECK_IS(place_files(), 0);
    printf("leftovers of the killed are removed\n");
}

int main(void)
{
    struct stage *stage = shared_new(sizeof *stage);

    place_new();
    exactly_one_creates(stage);
    all_join_one_segment_with_leases_of_their_own(stage);
    a_segment_in_use_is_never_removed(stage);
    what_the_killed_leave_is_removed_when_the_last_is_dead(stage);
    place_free();
    return 0;
}
