/* SPDX-License-Identifier: MIT */
/* Every way in which a wait can end early or be misused. */
#include "async.h"

#include <sys/wait.h>

static void deadlines(UNUSED_STATE)
{
    struct room r;
    uint64_t until;

    room_open(&r);
    CHECK_IS(strait_send(r.tx, "stay", 5, STRAIT_NOW), 0);
    /* past, and STRAIT_NOW: not tried, the message stays */
    CHECK_IS(await(&r, 1), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), -ETIMEDOUT);
    CHECK_IS(await(&r, STRAIT_NOW), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), -ETIMEDOUT);
    CHECK_IS(await(&r, soon()), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), 5);
    CHECK(strcmp(r.p.text, "stay") == 0);
    /* to come */
    until = strait_after_ns(15 * MS);
    CHECK_IS(await(&r, until), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), -ETIMEDOUT);
    CHECK(strait_now_ns() >= until);
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&r.rx->bell->sleepers)), 0); /* counted out */
    /* far: the heap forgets it when the message comes first */
    CHECK_IS(await(&r, soon()), 0);
    CHECK_IS(strait_send(r.tx, "x", 2, STRAIT_NOW), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), 2);
    room_close(&r);
}

static void cancels(UNUSED_STATE)
{
    struct room r;

    room_open(&r);
    CHECK_IS(strait_op_cancel(&r.p.a.op), -ENOENT); /* never started */
    asleep(&r);
    CHECK_IS(strait_op_cancel(&r.p.a.op), 0);
    CHECK_IS(strait_op_cancel(&r.p.a.op), -EALREADY);
    CHECK_IS(r.p.calls, 0); /* never from inside a cancel */
    CHECK_IS(probe_finish(r.loop, &r.p), -ECANCELED);
    CHECK_IS(strait_op_cancel(&r.p.a.op), -ENOENT); /* after its completion */
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&r.rx->bell->sleepers)), 0);
    /* cancelled with a message on the way: one or the other, never both, never neither */
    for (int i = 0; i < 200; i++) {
        asleep(&r);
        CHECK_IS(strait_send(r.tx, &i, sizeof i, STRAIT_NOW), 0);
        CHECK_IS(strait_op_cancel(&r.p.a.op), 0);
        int res = probe_finish(r.loop, &r.p), got = -1;
        if (res == -ECANCELED)
            res = (int)strait_recv(r.rx, &got, sizeof got, STRAIT_NOW);
        else
            memcpy(&got, r.p.text, sizeof got);
        CHECK_IS(res, sizeof got);
        CHECK_IS(got, i);
        CHECK_IS(strait_recv(r.rx, &got, sizeof got, STRAIT_NOW), -EAGAIN);
    }
    room_close(&r);
}

static void an_op_flies_once(UNUSED_STATE)
{
    struct room r;

    room_open(&r);
    asleep(&r);
    CHECK_IS(await(&r, STRAIT_FOREVER), -EBUSY);
    CHECK_IS(strait_op_timer(r.loop, &r.p.a.op, STRAIT_FOREVER), -EBUSY);
    CHECK_IS(strait_send(r.tx, "x", 2, STRAIT_NOW), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), 2); /* its first flight went on unharmed */
    r.p.a.op.done = NULL;
    CHECK_IS(await(&r, STRAIT_FOREVER), -EINVAL);
    CHECK_IS(strait_loop_pending(r.loop), 0);
    room_close(&r);
}

static void a_busy_channel_is_refused(UNUSED_STATE)
{
    struct strait_channel_options o = {.busy = true};
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_rx *rx;
    struct probe p;

    probe_init(&p);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    CHECK_IS(strait_await_recv(loop, &p.a, rx, p.text, sizeof p.text, NULL, STRAIT_FOREVER), -EOPNOTSUPP);
    CHECK_IS(strait_loop_pending(loop), 0);
    strait_loop_destroy(loop);
    strait_rx_close(rx);
    strait_detach(s);
}

static void a_loop_is_destroyed_with_waits_in_flight(UNUSED_STATE)
{
    enum { N = 300 };
    struct probe *p = calloc(N, sizeof *p);
    struct room r;

    room_open(&r);
    for (int i = 0; i < N; i++) {
        probe_init(&p[i]);
        CHECK_IS(strait_await_recv(r.loop, &p[i].a, r.rx, p[i].text, sizeof p[i].text, NULL, soon()), 0);
    }
    CHECK_IS(strait_loop_step(r.loop, STRAIT_NOW), 0);
    CHECK_IS(strait_loop_pending(r.loop), N);
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&r.rx->bell->sleepers)), N);
    strait_loop_destroy(r.loop);
    for (int i = 0; i < N; i++) {
        CHECK_IS(p[i].calls, 1);
        CHECK_IS(p[i].res, -ECANCELED);
    }
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&r.rx->bell->sleepers)), 0);
    r.loop = NULL;
    room_close(&r);
    free(p);
}

static int in_the_child(struct room *r, struct probe *fresh)
{
    if (strait_loop_step(r->loop, STRAIT_NOW) != -ECHILD || strait_loop_run(r->loop, STRAIT_NOW) != -ECHILD)
        return 1;
    if (strait_op_cancel(&r->p.a.op) != -ECHILD)
        return 2;
    if (strait_await_recv(r->loop, &fresh->a, r->rx, fresh->text, sizeof fresh->text, NULL, STRAIT_FOREVER) != -ECHILD)
        return 3;
    if (strait_loop_fd(r->loop) != -ECHILD || strait_loop_arm(r->loop) != -ECHILD)
        return 4;
    strait_loop_destroy(r->loop);
    return 0;
}

static void a_child_cannot_use_the_loop(UNUSED_STATE)
{
    struct probe fresh;
    struct room r;
    int status;

    room_open(&r);
    probe_init(&fresh);
    asleep(&r);
    pid_t child = fork();
    if (child == 0)
        _exit(in_the_child(&r, &fresh));
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_IS(WEXITSTATUS(status), 0);
    /* and has done it no harm */
    CHECK_IS(strait_send(r.tx, "x", 2, STRAIT_NOW), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), 2);
    room_close(&r);
}

static void a_channel_closes_while_it_is_awaited(UNUSED_STATE)
{
    struct room r;

    room_open(&r);
    asleep(&r);
    CHECK_IS(strait_channel_shut(r.s, "c"), 0);
    CHECK_IS(probe_finish(r.loop, &r.p), -EPIPE);
    room_close(&r);
}

/* The handle goes, and the segment with it, before the loop comes to it. */
static void a_handle_closes_while_it_is_awaited(UNUSED_STATE)
{
    struct probe second;
    struct room r;

    room_open(&r);
    probe_init(&second);
    asleep(&r);
    CHECK_IS(strait_await_recv(r.loop, &second.a, r.rx, second.text, sizeof second.text, NULL, STRAIT_FOREVER), 0);
    strait_rx_close(r.rx);
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&r.tx->bell->sleepers)), 0);
    strait_tx_close(r.tx);
    strait_detach(r.s);
    loop_finish(r.loop);
    CHECK_IS(r.p.calls, 1);
    CHECK_IS(r.p.res, -ECANCELED);
    CHECK_IS(second.calls, 1);
    CHECK_IS(second.res, -ECANCELED);
    strait_loop_destroy(r.loop);
}

/* ---- which rung ---- */

static void a_rung_that_does_not_exist(UNUSED_STATE)
{
    const char *was = getenv("STRAIT_BACKEND");
    char *keep = was ? strdup(was) : NULL;
    struct strait_loop *loop = NULL;

    setenv("STRAIT_BACKEND", "carrier-pigeon", 1);
    CHECK_IS(strait_loop_create(&loop, 0), -EINVAL);
    CHECK(loop == NULL);
    CHECK(strstr(strait_loop_why(), "STRAIT_BACKEND") != NULL);
    CHECK(strait_loop_probe() == NULL);
    if (keep)
        setenv("STRAIT_BACKEND", keep, 1);
    else
        unsetenv("STRAIT_BACKEND");
    CHECK(strait_loop_probe() != NULL);
    free(keep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(deadlines),
        TEST_PLACE(cancels),
        TEST_PLACE(an_op_flies_once),
        TEST_PLACE(a_busy_channel_is_refused),
        TEST_PLACE(a_loop_is_destroyed_with_waits_in_flight),
        TEST_PLACE(a_child_cannot_use_the_loop),
        TEST_PLACE(a_channel_closes_while_it_is_awaited),
        TEST_PLACE(a_handle_closes_while_it_is_awaited),
        TEST(a_rung_that_does_not_exist),
    };
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
