/* SPDX-License-Identifier: MIT */
/* Region locks in a loop: given back, inherited from the dead, queued for, given up. */
#include "async.h"

#include "errors.h"
#include "process.h"

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

static uint64_t error_count(const struct strait_segment *s, enum strait_error_kind kind)
{
    struct strait_error_seen seen;
    uint64_t n = 0;

    for (uint32_t i = 0; i < STRAIT_ERRORS; i++)
        if (strait_error_read(&s->map, i, &seen) && seen.kind == kind)
            n += seen.count;
    return n;
}

static void giving_up(UNUSED_STATE)
{
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *mine = region_open(s), *second = region_open(s);
    struct probe p;

    probe_init(&p);
    CHECK_IS(strait_region_lock(mine, STRAIT_NOW), 0);
    CHECK_IS(strait_await_lock(loop, &p.a, mine, soon()), 0);
    CHECK_IS(probe_finish(loop, &p), -EDEADLK);
    CHECK_IS(strait_await_lock(loop, &p.a, second, strait_after_ns(5 * MS)), 0);
    CHECK_IS(probe_finish(loop, &p), -ETIMEDOUT);
    CHECK_IS(error_count(s, STRAIT_ERROR_LOCK_LATE), 1);
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
    CHECK_IS(strait_await_read_lock(loop, &p.a, mine, soon()), 0);
    CHECK_IS(probe_finish(loop, &p), -EOPNOTSUPP);
    strait_region_close(mine);
    strait_loop_destroy(loop);
    strait_detach(s);
}

/* ---- readers and writers ---- */

static const struct strait_region_options eight_rw = {.bytes = 8, .readers = true};

static struct strait_region *rw_open(struct strait_segment *s)
{
    struct strait_region *r = NULL;

    CHECK_IS(strait_region_open(s, "rw", &eight_rw, &r), 0);
    return r;
}

static void write_until_told(void *arg)
{
    struct hold *h = arg;
    struct strait_segment *s = attach("a");
    struct strait_region *r = rw_open(s);

    CHECK_IS(strait_region_lock(r, soon()), 0);
    gate_open(&h->held);
    gate_wait(&h->free);
    CHECK_IS(strait_region_unlock(r), 0);
    strait_region_close(r);
    strait_detach(s);
}

static void read_until_told(void *arg)
{
    struct hold *h = arg;
    struct strait_segment *s = attach("a");
    struct strait_region *r = rw_open(s);

    CHECK_IS(strait_region_read_lock(r, soon()), 0);
    gate_open(&h->held);
    gate_wait(&h->free);
    CHECK_IS(strait_region_read_unlock(r), 0);
    strait_region_close(r);
    strait_detach(s);
}

/* Behind a writer in another process: all of them at once. */
static void readers_wait_for_a_writer(UNUSED_STATE)
{
    struct hold *h = shared_new(sizeof *h);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *r[3];
    struct probe p[3];

    pid_t peer = peer_start(write_until_told, h);
    gate_wait(&h->held);
    for (int i = 0; i < 3; i++) {
        r[i] = rw_open(s);
        probe_init(&p[i]);
        CHECK_IS(strait_await_read_lock(loop, &p[i].a, r[i], soon()), 0);
    }
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    gate_open(&h->free);
    loop_finish(loop);
    for (int i = 0; i < 3; i++) {
        CHECK_IS(p[i].calls, 1);
        CHECK_IS(p[i].res, 0);
        CHECK_IS(strait_region_read_unlock(r[i]), 0);
        strait_region_close(r[i]);
    }
    peer_join(peer);
    strait_loop_destroy(loop);
    strait_detach(s);
    shared_free(h, sizeof *h);
}

/* The word is its own at once, so nobody else begins to read; it is told when the reader leaves, or is dead. */
static void a_writer_waits_for_readers(UNUSED_STATE)
{
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *writer = rw_open(s), *reader = rw_open(s);

    for (int dies = 0; dies < 2; dies++) {
        struct hold *h = shared_new(sizeof *h);
        struct probe p;

        probe_init(&p);
        pid_t peer = peer_start(read_until_told, h);
        gate_wait(&h->held);
        CHECK_IS(strait_await_lock(loop, &p.a, writer, soon()), 0);
        CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
        CHECK_IS(p.calls, 0);
        CHECK_IS(strait_region_read_lock(reader, STRAIT_NOW), -EAGAIN);
        if (dies)
            peer_kill(peer);
        else
            gate_open(&h->free);
        CHECK_IS(probe_finish(loop, &p), 0); /* 0 after a reader's death, too: it has changed nothing */
        CHECK_IS(strait_region_read_lock(reader, STRAIT_NOW), -EAGAIN);
        CHECK_IS(strait_region_unlock(writer), 0);
        if (!dies)
            peer_join(peer);
        shared_free(h, sizeof *h);
    }
    strait_region_close(reader);
    strait_region_close(writer);
    strait_loop_destroy(loop);
    strait_detach(s);
}

/* Gives up while readers are inside: by cancel, deadline, close. Readers come in again each time. */
static void a_writer_gives_up(UNUSED_STATE)
{
    struct hold *h = shared_new(sizeof *h);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_region *writer = rw_open(s), *reader = rw_open(s);
    struct probe p;

    probe_init(&p);
    pid_t peer = peer_start(read_until_told, h);
    gate_wait(&h->held);
    for (int how = 0; how < 3; how++) {
        CHECK_IS(strait_await_lock(loop, &p.a, writer, how == 1 ? strait_after_ns(20 * MS) : soon()), 0);
        CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
        CHECK_IS(strait_region_read_lock(reader, STRAIT_NOW), -EAGAIN);
        if (how == 0)
            CHECK_IS(strait_op_cancel(&p.a.op), 0);
        if (how == 2)
            strait_region_close(writer);
        CHECK_IS(probe_finish(loop, &p), how == 1 ? -ETIMEDOUT : -ECANCELED);
        CHECK_IS(strait_region_read_lock(reader, STRAIT_NOW), 0);
        CHECK_IS(strait_region_read_unlock(reader), 0);
    }
    gate_open(&h->free);
    peer_join(peer);
    strait_region_close(reader);
    strait_loop_destroy(loop);
    strait_detach(s);
    shared_free(h, sizeof *h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(waiters_get_it_in_turn),    TEST_PLACE(the_dead_leave_it_suspect),  TEST_PLACE(giving_up),
        TEST_PLACE(readers_wait_for_a_writer), TEST_PLACE(a_writer_waits_for_readers), TEST_PLACE(a_writer_gives_up),
    };
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
