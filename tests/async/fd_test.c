/* SPDX-License-Identifier: MIT */
/* Fds for other people's loops: a receiver's (drain, arm, poll) and a loop's (step, arm, poll). */
#include "async.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "endpoint.h"

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int r;

    do
        r = poll(&p, 1, timeout_ms);
    while (r < 0 && errno == EINTR);
    CHECK(r >= 0);
    return r == 1;
}

/* By the contract; how many polls it took. */
static uint32_t drain_to_the_end(struct strait_rx *rx, uint32_t *next)
{
    int fd = strait_rx_fd(rx), r;
    uint32_t polls = 0, got;
    int64_t n;

    CHECK(fd >= 0);
    for (;;) {
        while ((n = strait_recv(rx, &got, sizeof got, STRAIT_NOW)) == sizeof got)
            CHECK_IS(got, (*next)++);
        if (n == -EPIPE)
            return polls;
        CHECK_IS(n, -EAGAIN);
        r = strait_rx_arm(rx);
        CHECK(r == 0 || r == 1);
        if (r == 0) {
            polls++;
            CHECK(readable(fd, PATIENCE_S * 1000));
        }
    }
}

struct stream {
    gate ready;
    uint32_t n;
};

static void send_all(void *arg)
{
    struct stream *t = arg;
    struct strait_segment *s = attach("a");
    uint32_t seed = 1;
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    gate_wait(&t->ready);
    for (uint32_t i = 0; i < t->n; i++) {
        CHECK_IS(strait_send(tx, &i, sizeof i, soon()), 0);
        seed = seed * 1664525 + 1013904223;
        for (uint32_t k = seed >> 20; k > 0; k--) /* random gaps, up to about 100 us */
            strait_pause();
    }
    strait_tx_close(tx);
    strait_detach(s);
}

static void the_contract_loses_nothing(UNUSED_STATE)
{
    struct stream *t = shared_new(sizeof *t);
    struct strait_segment *s = attach("a");
    struct strait_rx *rx;
    uint32_t next = 0;

    t->n = test_rounds(20000);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    pid_t peer = peer_start(send_all, t);
    gate_open(&t->ready);
    CHECK(drain_to_the_end(rx, &next) > 0);
    CHECK_IS(next, t->n);
    peer_join(peer);
    strait_rx_close(rx);
    strait_detach(s);
    shared_free(t, sizeof *t);
}

static void it_is_level_triggered(UNUSED_STATE)
{
    struct strait_segment *s = attach("a");
    struct strait_tx *tx;
    struct strait_rx *rx;
    uint32_t got;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    int fd = strait_rx_fd(rx);
    CHECK_IS(strait_rx_fd(rx), fd); /* the same one */
    CHECK_IS(strait_rx_arm(rx), 0);
    CHECK(!readable(fd, 0));
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&rx->bell->sleepers)), 1);
    CHECK_IS(strait_send(tx, &fd, sizeof fd, STRAIT_NOW), 0);
    CHECK(readable(fd, PATIENCE_S * 1000));
    CHECK(readable(fd, 0)); /* still */
    /* counted out as soon as it has rung: whoever sends now makes no system call */
    while (strait_bell_count(__atomic_load_n(&rx->bell->sleepers, __ATOMIC_SEQ_CST)) != 0)
        sched_yield();
    CHECK_IS(strait_rx_arm(rx), 1); /* not drained: it says so, and counts nobody in */
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&rx->bell->sleepers)), 0);
    CHECK_IS(strait_recv(rx, &got, sizeof got, STRAIT_NOW), sizeof got);
    CHECK_IS(strait_rx_arm(rx), 0);
    CHECK(!readable(fd, 0));        /* arm has taken the old news back */
    CHECK_IS(strait_rx_arm(rx), 0); /* twice is once */
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&rx->bell->sleepers)), 1);
    strait_tx_close(tx); /* the end is news, too */
    CHECK(readable(fd, PATIENCE_S * 1000));
    CHECK_IS(strait_recv(rx, &got, sizeof got, STRAIT_NOW), -EPIPE);
    CHECK_IS(strait_rx_arm(rx), 1);
    strait_rx_close(rx);
    strait_detach(s);
}

static void closing_while_armed(UNUSED_STATE)
{
    struct strait_segment *s = attach("a");
    struct strait_tx *tx;
    struct strait_rx *rx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_rx_arm(rx), 0);
    strait_rx_close(rx);
    CHECK_IS(strait_bell_count(strait_load64_relaxed(&tx->bell->sleepers)), 0);
    CHECK_IS(strait_send(tx, "x", 2, STRAIT_NOW), -EPIPE);
    strait_tx_close(tx);
    strait_detach(s);
}

static void a_busy_channel_has_none(UNUSED_STATE)
{
    struct strait_channel_options o = {.busy = true};
    struct strait_segment *s = attach("a");
    struct strait_rx *rx;

    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    CHECK_IS(strait_rx_fd(rx), -EOPNOTSUPP);
    CHECK_IS(strait_rx_arm(rx), -EOPNOTSUPP);
    strait_rx_close(rx);
    strait_detach(s);
}

static int in_the_child(struct strait_rx *parents)
{
    struct strait_segment *s;
    struct strait_tx *tx;
    struct strait_rx *rx;

    if (strait_rx_fd(parents) != -ECHILD || strait_rx_arm(parents) != -ECHILD)
        return 1;
    /* its own receiver gets a helper of its own */
    s = attach("a");
    if (strait_rx_open(s, "d", NULL, &rx) != 0 || strait_tx_open(s, "d", NULL, &tx) != 0)
        return 2;
    if (strait_rx_arm(rx) != 0 || strait_send(tx, "x", 2, STRAIT_NOW) != 0)
        return 3;
    if (!readable(strait_rx_fd(rx), PATIENCE_S * 1000))
        return 4;
    strait_rx_close(rx);
    strait_tx_close(tx);
    strait_detach(s);
    return 0;
}

static void a_child_has_its_own(UNUSED_STATE)
{
    struct strait_segment *s = attach("a");
    struct strait_tx *tx;
    struct strait_rx *rx;
    int status;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_rx_arm(rx), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(in_the_child(rx));
    CHECK_IS(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_IS(WEXITSTATUS(status), 0);
    CHECK_IS(strait_send(tx, "x", 2, STRAIT_NOW), 0);
    CHECK(readable(strait_rx_fd(rx), PATIENCE_S * 1000));
    strait_rx_close(rx);
    strait_tx_close(tx);
    strait_detach(s);
}

struct mourning {
    gate in;
};

static void send_and_die(void *arg)
{
    struct mourning *m = arg;
    struct strait_segment *s = attach("a");
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    gate_open(&m->in);
    for (;;)
        pause();
}

/* The only sender is killed while we poll: the helper notices. */
static void a_death_is_told(UNUSED_STATE)
{
    struct mourning *m = shared_new(sizeof *m);
    struct strait_segment *s = attach("a");
    struct strait_rx *rx;
    uint32_t next = 0;

    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    pid_t peer = peer_start(send_and_die, m);
    gate_wait(&m->in);
    CHECK_IS(strait_rx_arm(rx), 0);
    peer_kill(peer);
    drain_to_the_end(rx, &next);
    CHECK_IS(next, 0);
    strait_rx_close(rx);
    strait_detach(s);
    shared_free(m, sizeof *m);
}

/* ---- a loop in an epoll set ---- */

static void outer_run(struct strait_loop *loop, int set, const int *calls, int want)
{
    struct epoll_event event;

    while (*calls < want) {
        int r;
        while ((r = strait_loop_step(loop, STRAIT_NOW)) > 0)
            ;
        CHECK_IS(r, 0);
        if (*calls >= want)
            return;
        r = strait_loop_arm(loop);
        CHECK(r == 0 || r == 1);
        if (r == 0)
            CHECK_IS(epoll_wait(set, &event, 1, PATIENCE_S * 1000), 1);
    }
}

static void a_loop_stands_in_another(UNUSED_STATE)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct stream *t = shared_new(sizeof *t);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct probe p, timer, byte;
    struct strait_rx *rx;
    int set = epoll_create1(0), pair[2];
    uint32_t got;

    CHECK_IS(epoll_ctl(set, EPOLL_CTL_ADD, strait_loop_fd(loop), &event), 0);
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    /* a timer, and nothing else */
    probe_init(&timer);
    uint64_t when = strait_after_ns(10 * MS);
    CHECK_IS(strait_op_timer(loop, &timer.a.op, when), 0);
    outer_run(loop, set, &timer.calls, 1);
    CHECK(strait_now_ns() >= when);
    /* a socket */
    probe_init(&byte);
    CHECK_IS(strait_op_recv(loop, &byte.a.op, pair[0], byte.text, 1, soon()), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    CHECK_IS(strait_loop_arm(loop), 0);
    CHECK_IS(write(pair[1], "x", 1), 1);
    outer_run(loop, set, &byte.calls, 1);
    /* channels */
    probe_init(&p);
    t->n = test_rounds(5000);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    pid_t peer = peer_start(send_all, t);
    gate_open(&t->ready);
    for (uint32_t i = 0; i < t->n; i++) {
        CHECK_IS(strait_await_recv(loop, &p.a, rx, &got, sizeof got, NULL, soon()), 0);
        outer_run(loop, set, &p.calls, (int)i + 1);
        CHECK_IS(p.res, sizeof got);
        CHECK_IS(got, i);
    }
    peer_join(peer);
    close(set);
    close(pair[0]);
    close(pair[1]);
    strait_loop_destroy(loop);
    strait_rx_close(rx);
    strait_detach(s);
    shared_free(t, sizeof *t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(the_contract_loses_nothing), TEST_PLACE(it_is_level_triggered), TEST_PLACE(closing_while_armed),
        TEST_PLACE(a_busy_channel_has_none),    TEST_PLACE(a_child_has_its_own),   TEST_PLACE(a_death_is_told),
        TEST_PLACE(a_loop_stands_in_another),
    };
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
