/* SPDX-License-Identifier: MIT */
/* Region locks in a loop: given back, inherited from the dead, queued for, given up. */
#include "async.h"

struct hold {
    gate held, free;
};

static const struct strait_region_options eight = {.bytes = 8};

static struct strait_region *region_open(struct strait_segment *s)
{
    struct strait_region *r = NULL;

    CHECK_IS(strait_region_open(s, "r", &eight, &r), 0);
    return r;
}

static void hold_until_told(void *arg)
{
    struct hold *h = arg;
    struct strait_segment *s = attach("a");
    struct strait_region *r = region_open(s);

    CHECK_IS(strait_region_lock(r, soon()), 0);
    gate_open(&h->held);
    gate_wait(&h->free);
    CHECK_IS(strait_region_unlock(r), 0);
    strait_region_close(r);
    strait_detach(s);
}

/* Three waiters of ours behind another process: each gets it in turn, by the unlock of the one before. */
static void waiters_get_it_in_turn(UNUSED_STATE)
{
    struct hold *h = shared_new(sizeof *h);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *r[3];
    struct probe p[3];

    pid_t peer = peer_start(hold_until_told, h);
    gate_wait(&h->held);
    for (int i = 0; i < 3; i++) {
        r[i] = region_open(s);
        probe_init(&p[i]);
        CHECK_IS(strait_await_lock(loop, &p[i].a, r[i], soon()), 0);
    }
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    gate_open(&h->free);
    for (int had = 0; had < 3; had++) {
        int who = -1;
        while (who < 0) {
            int n = strait_loop_step(loop, soon());
            CHECK(n > 0);
            for (int i = 0; i < 3; i++)
                if (p[i].calls == 1 && r[i]) {
                    CHECK_IS(who, -1); /* one at a time */
                    who = i;
                }
        }
        CHECK_IS(p[who].res, 0);
        if (had < 2) /* its unlock is to wake the next one */
            CHECK(*r[who]->word & STRAIT_LOCK_WAITERS);
        CHECK_IS(strait_region_unlock(r[who]), 0);
        strait_region_close(r[who]);
        r[who] = NULL;
    }
    peer_join(peer);
    strait_loop_destroy(loop);
    strait_detach(s);
    shared_free(h, sizeof *h);
}

static void the_dead_leave_it_suspect(UNUSED_STATE)
{
    struct hold *h = shared_new(sizeof *h);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *r = region_open(s);
    struct probe p;

    probe_init(&p);
    pid_t peer = peer_start(hold_until_told, h);
    gate_wait(&h->held);
    CHECK_IS(strait_await_lock(loop, &p.a, r, soon()), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    peer_kill(peer);
    CHECK_IS(probe_finish(loop, &p), 1);
    CHECK_IS(strait_region_heal(r), 0);
    CHECK_IS(strait_region_unlock(r), 0);
    strait_region_close(r);
    strait_loop_destroy(loop);
    strait_detach(s);
    shared_free(h, sizeof *h);
}

static void giving_up(UNUSED_STATE)
{
    struct strait_region_options rw = {.bytes = 8, .readers = true};
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *mine = region_open(s), *second = region_open(s), *shared = NULL;
    struct probe p;

    probe_init(&p);
    CHECK_IS(strait_region_lock(mine, STRAIT_NOW), 0);
    CHECK_IS(strait_await_lock(loop, &p.a, mine, soon()), 0);
    CHECK_IS(probe_finish(loop, &p), -EDEADLK);
    CHECK_IS(strait_await_lock(loop, &p.a, second, strait_after_ns(5 * MS)), 0);
    CHECK_IS(probe_finish(loop, &p), -ETIMEDOUT);
    CHECK_IS(strait_await_lock(loop, &p.a, second, soon()), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    CHECK_IS(strait_op_cancel(&p.a.op), 0);
    CHECK_IS(probe_finish(loop, &p), -ECANCELED);
    CHECK_IS(strait_await_lock(loop, &p.a, second, soon()), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    strait_region_close(second); /* while it is awaited */
    CHECK_IS(probe_finish(loop, &p), -ECANCELED);
    CHECK_IS(strait_region_unlock(mine), 0);
    CHECK_IS(strait_await_lock(loop, &p.a, mine, soon()), 0);
    CHECK_IS(probe_finish(loop, &p), 0);
    CHECK_IS(strait_region_unlock(mine), 0);
    CHECK_IS(strait_region_open(s, "rw", &rw, &shared), 0);
    CHECK_IS(strait_await_lock(loop, &p.a, shared, soon()), -EOPNOTSUPP);
    strait_region_close(shared);
    strait_region_close(mine);
    strait_loop_destroy(loop);
    strait_detach(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(waiters_get_it_in_turn),
        TEST_PLACE(the_dead_leave_it_suspect),
        TEST_PLACE(giving_up),
    };
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
