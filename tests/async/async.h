/* SPDX-License-Identifier: MIT */
/** What the tests of loops share. Each program runs once on every rung: STRAIT_BACKEND says which, EXPECT_BACKEND which it
 * must find without being told (under a filter that forbids io_uring). */
#ifndef STRAIT_TESTS_ASYNC_H
#define STRAIT_TESTS_ASYNC_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "peer.h"
#include "place.h"
#include "strait/strait.h"

#define MS               UINT64_C(1000000)
#define TEST(name)       cmocka_unit_test(name)
#define TEST_PLACE(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
#define UNUSED_STATE     __attribute__((unused)) void **state

/** An await that counts what it is told. */
struct probe {
    struct strait_await a;
    int calls, res;
    char text[64];
    struct strait_msg info;
};

static inline void probe_done(struct strait_op *op, int res)
{
    struct probe *p = (struct probe *)(void *)op;

    p->calls++;
    p->res = res;
}

static inline void probe_init(struct probe *p)
{
    memset(p, 0, sizeof *p);
    p->a.op.done = probe_done;
}

static inline struct strait_loop *loop_new(void)
{
    struct strait_loop *loop = NULL;

    CHECK_IS(strait_loop_create(&loop, 0), 0);
    return loop;
}

/** Step until `p` was told once more than before; its result. */
static inline int probe_finish(struct strait_loop *loop, struct probe *p)
{
    int calls = p->calls;

    while (p->calls == calls) {
        int r = strait_loop_step(loop, soon());
        CHECK(r > 0 || r == -EINTR);
    }
    CHECK_IS(p->calls, calls + 1);
    return p->res;
}

/** Run what is pending to its end. */
static inline void loop_finish(struct strait_loop *loop)
{
    CHECK_IS(strait_loop_run(loop, soon()), 0);
}

static inline struct strait_segment *attach(const char *name)
{
    struct strait_segment_options o = {.directory_max = 512, .bytes = UINT64_C(16) << 20, .no_prefault = true};
    struct strait_segment *s = NULL;

    CHECK_IS(strait_attach(name, &o, &s), 0);
    return s;
}

/** One channel with both ends, a loop, and one wait. */
struct room {
    struct strait_segment *s;
    struct strait_loop *loop;
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct probe p;
};

static inline void room_open(struct room *r)
{
    r->s = attach("a");
    r->loop = loop_new();
    CHECK_IS(strait_tx_open(r->s, "c", NULL, &r->tx), 0);
    CHECK_IS(strait_rx_open(r->s, "c", NULL, &r->rx), 0);
    probe_init(&r->p);
}

static inline void room_close(struct room *r)
{
    strait_loop_destroy(r->loop);
    strait_rx_close(r->rx);
    strait_tx_close(r->tx);
    strait_detach(r->s);
}

static inline int await(struct room *r, uint64_t deadline_ns)
{
    return strait_await_recv(r->loop, &r->p.a, r->rx, r->p.text, sizeof r->p.text, NULL, deadline_ns);
}

/** In flight, and armed: only a wake helps from here. */
static inline void asleep(struct room *r)
{
    int calls = r->p.calls;

    CHECK_IS(await(r, STRAIT_FOREVER), 0);
    CHECK_IS(strait_loop_step(r->loop, STRAIT_NOW), 0);
    CHECK_IS(r->p.calls, calls);
}

/** 77 = meson's "skipped", with the reason; 0 = go on. */
static inline int skip_missing_rung(void)
{
    const char *forced = getenv("STRAIT_BACKEND"), *expected = getenv("EXPECT_BACKEND");
    struct strait_loop *loop;
    int r = strait_loop_create(&loop, 0);

    if (r < 0 && forced && (r == -EPERM || r == -ENOSYS)) {
        printf("SKIPPED: rung %s: %s\n", forced, strait_loop_why());
        return 77;
    }
    CHECK_IS(r, 0);
    printf("rung %s: %s\n", strait_loop_backend(loop), strait_loop_why());
    CHECK(!forced || strcmp(strait_loop_backend(loop), forced) == 0);
    CHECK(!expected || strcmp(strait_loop_backend(loop), expected) == 0);
    strait_loop_destroy(loop);
    return 0;
}

#endif
