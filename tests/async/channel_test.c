/* SPDX-License-Identifier: MIT */
/* Channels in a loop: what is delivered, and every way in which a wait can end early or be misused. */
#include "async.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "wait.h"

/* ---- delivery ---- */

static void what_is_there_is_received(UNUSED_STATE)
{
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct probe p;

    probe_init(&p);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_send_tagged(tx, 7, "hello", 6, STRAIT_NOW), 0);
    CHECK_IS(strait_await_recv(loop, &p.a, rx, p.text, sizeof p.text, &p.info, STRAIT_FOREVER), 0);
    CHECK_IS(p.calls, 0); /* never from inside a start */
    CHECK_IS(probe_finish(loop, &p), 6);
    CHECK(strcmp(p.text, "hello") == 0);
    CHECK_IS(p.info.tag, 7);
    CHECK_IS(strait_loop_pending(loop), 0);
    /* in place */
    CHECK_IS(strait_send(tx, "there", 6, STRAIT_NOW), 0);
    CHECK_IS(strait_await_peek(loop, &p.a, rx, &p.info, STRAIT_FOREVER), 0);
    CHECK_IS(probe_finish(loop, &p), 0);
    CHECK(strcmp(p.info.data, "there") == 0);
    CHECK_IS(strait_release(rx, &p.info), 0);
    strait_loop_destroy(loop);
    strait_rx_close(rx);
    strait_tx_close(tx);
    strait_detach(s);
}

struct meeting {
    gate ready, go, late;
    uint32_t n;
};

static void send_when_told(void *arg)
{
    struct meeting *m = arg;
    struct strait_segment *s = attach("a");
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    gate_open(&m->ready);
    for (uint32_t i = 1; i <= m->n; i++) {
        gate_wait_count(&m->go, i);
        CHECK_IS(strait_send(tx, &i, sizeof i, soon()), 0);
    }
    gate_wait(&m->late);
    strait_tx_close(tx);
    strait_detach(s);
}

/* Another process sends only once the loop is asleep. */
static void what_comes_later_wakes_the_loop(UNUSED_STATE)
{
    struct meeting *m = shared_new(sizeof *m);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_rx *rx;
    struct probe p;
    uint32_t got;

    m->n = 200;
    probe_init(&p);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    pid_t peer = peer_start(send_when_told, m);
    gate_wait(&m->ready);
    for (uint32_t i = 1; i <= m->n; i++) {
        CHECK_IS(strait_await_recv(loop, &p.a, rx, &got, sizeof got, NULL, STRAIT_FOREVER), 0);
        CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0); /* armed: only a wake helps now */
        gate_count(&m->go);
        CHECK_IS(probe_finish(loop, &p), sizeof got);
        CHECK_IS(got, i);
    }
    /* the last sender leaves while we sleep */
    CHECK_IS(strait_await_recv(loop, &p.a, rx, &got, sizeof got, NULL, STRAIT_FOREVER), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    gate_open(&m->late);
    CHECK_IS(probe_finish(loop, &p), -EPIPE);
    peer_join(peer);
    strait_loop_destroy(loop);
    strait_rx_close(rx);
    strait_detach(s);
    shared_free(m, sizeof *m);
}

static void a_full_channel_takes_it_later(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 2}, fail = {.depth = 2, .full = STRAIT_FULL_FAIL};
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_tx *tx, *tx2;
    struct strait_rx *rx, *rx2;
    struct probe p[3];
    uint32_t got;

    CHECK_IS(strait_tx_open(s, "c", &o, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    for (uint32_t i = 0; i < 2; i++)
        CHECK_IS(strait_send(tx, &i, sizeof i, STRAIT_NOW), 0);
    probe_init(&p[2]);
    uint32_t two = 2;
    CHECK_IS(strait_await_send(loop, &p[2].a, tx, 0, &two, sizeof two, STRAIT_FOREVER), 0);
    CHECK_IS(strait_loop_step(loop, STRAIT_NOW), 0);
    for (uint32_t i = 0; i < 3; i++) {
        probe_init(&p[0]);
        CHECK_IS(strait_await_recv(loop, &p[0].a, rx, &got, sizeof got, NULL, STRAIT_FOREVER), 0);
        while (p[0].calls == 0)
            CHECK(strait_loop_step(loop, soon()) > 0);
        CHECK_IS(got, i);
    }
    CHECK_IS(p[2].calls, 1);
    CHECK_IS(p[2].res, 0);
    /* a policy that does not wait is not changed by waiting elsewhere */
    CHECK_IS(strait_tx_open(s, "f", &fail, &tx2), 0);
    CHECK_IS(strait_rx_open(s, "f", &fail, &rx2), 0);
    for (int i = 0; i < 2; i++)
        CHECK_IS(strait_send(tx2, &two, sizeof two, STRAIT_NOW), 0);
    probe_init(&p[1]);
    CHECK_IS(strait_await_send(loop, &p[1].a, tx2, 0, &two, sizeof two, STRAIT_FOREVER), 0);
    CHECK_IS(probe_finish(loop, &p[1]), -EAGAIN);
    /* too large is too large */
    char large[4096] = {0};
    CHECK_IS(strait_await_send(loop, &p[1].a, tx, 0, large, sizeof large, STRAIT_FOREVER), 0);
    CHECK_IS(probe_finish(loop, &p[1]), -EMSGSIZE);
    strait_loop_destroy(loop);
    strait_rx_close(rx);
    strait_tx_close(tx);
    strait_rx_close(rx2);
    strait_tx_close(tx2);
    strait_detach(s);
}

/* ---- many ---- */

enum { CHANNELS = 200, SOCKETS = 100 };

struct crowd {
    gate go;
    int sockets[SOCKETS];
};

static const char *channel_name(int i)
{
    static char name[16];

    snprintf(name, sizeof name, "c%d", i);
    return name;
}

/* One message to each channel and one byte to each socket, in an order of its own. */
static void feed(void *arg)
{
    struct crowd *c = arg;
    struct strait_segment *s = attach("a");
    struct strait_tx *tx[CHANNELS];

    for (int i = 0; i < CHANNELS; i++)
        CHECK_IS(strait_tx_open(s, channel_name(i), NULL, &tx[i]), 0);
    gate_wait(&c->go);
    for (int k = 0; k < CHANNELS; k++) {
        int i = k * 77 % CHANNELS;
        CHECK_IS(strait_send(tx[i], &i, sizeof i, soon()), 0);
        if (i < SOCKETS)
            CHECK_IS(write(c->sockets[i], "x", 1), 1);
    }
    for (int i = 0; i < CHANNELS; i++)
        strait_tx_close(tx[i]);
    strait_detach(s);
}

static void two_hundred_channels_and_a_hundred_sockets(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 4};
    struct crowd *c = shared_new(sizeof *c);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_rx *rx[CHANNELS];
    struct probe *p = calloc(CHANNELS + SOCKETS, sizeof *p);
    int ours[SOCKETS], pair[2];

    for (int i = 0; i < SOCKETS; i++) {
        CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ours[i] = pair[0];
        c->sockets[i] = pair[1];
    }
    for (int i = 0; i < CHANNELS; i++)
        CHECK_IS(strait_rx_open(s, channel_name(i), &o, &rx[i]), 0);
    pid_t peer = peer_start(feed, c);
    for (int i = 0; i < CHANNELS + SOCKETS; i++)
        probe_init(&p[i]);
    for (int i = 0; i < CHANNELS; i++)
        CHECK_IS(strait_await_recv(loop, &p[i].a, rx[i], p[i].text, sizeof p[i].text, NULL, soon()), 0);
    for (int i = 0; i < SOCKETS; i++)
        CHECK_IS(strait_op_recv(loop, &p[CHANNELS + i].a.op, ours[i], p[CHANNELS + i].text, 1, soon()), 0);
    CHECK_IS(strait_loop_pending(loop), CHANNELS + SOCKETS);
    gate_open(&c->go);
    loop_finish(loop);
    for (int i = 0; i < CHANNELS; i++) {
        CHECK_IS(p[i].calls, 1);
        CHECK_IS(p[i].res, sizeof(int));
        CHECK_IS(*(int *)(void *)p[i].text, i);
        strait_rx_close(rx[i]);
    }
    for (int i = 0; i < SOCKETS; i++) {
        CHECK_IS(p[CHANNELS + i].calls, 1);
        CHECK_IS(p[CHANNELS + i].res, 1);
        close(ours[i]);
        close(c->sockets[i]);
    }
    peer_join(peer);
    strait_loop_destroy(loop);
    strait_detach(s);
    shared_free(c, sizeof *c);
    free(p);
}

/* ---- signals ---- */

static void on_signal(int signal)
{
    (void)signal;
}

struct pest {
    pthread_t whom;
    uint32_t stop;
};

static void *pester(void *arg)
{
    struct pest *p = arg;

    while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
        pthread_kill(p->whom, SIGUSR1);
        usleep(50); /* a pace, not a handshake */
    }
    return NULL;
}

static void signals_end_a_step_and_nothing_else(UNUSED_STATE)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct pest pest = {pthread_self(), 0};
    struct meeting *m = shared_new(sizeof *m);
    int interrupted = 0, r;
    pthread_t thread;
    struct room room;

    sigaction(SIGUSR1, &action, NULL);
    room_open(&room);
    m->n = 500;
    pid_t peer = peer_start(send_when_told, m);
    gate_wait(&m->ready);
    CHECK_IS(pthread_create(&thread, NULL, pester, &pest), 0);
    for (uint32_t i = 1; i <= m->n; i++) {
        int calls = room.p.calls;
        CHECK_IS(await(&room, STRAIT_FOREVER), 0);
        do {
            r = strait_loop_step(room.loop, i <= 5 ? strait_after_ns(5 * MS) : soon());
            interrupted += r == -EINTR;
            CHECK(r >= 0 || r == -EINTR);
            if (interrupted && m->go < i)
                gate_count(&m->go);
        } while (room.p.calls == calls);
        CHECK_IS(room.p.res, sizeof i);
        CHECK_IS(*(uint32_t *)(void *)room.p.text, i);
    }
    __atomic_store_n(&pest.stop, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    gate_open(&m->late);
    CHECK(interrupted > 0);
    peer_join(peer);
    room_close(&room);
    shared_free(m, sizeof *m);
}

/* ---- a wake that was not used ---- */

static void recv_one(void *arg)
{
    struct meeting *m = arg;
    struct strait_segment *s = attach("a");
    struct strait_rx *rx;
    uint32_t got;

    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    gate_open(&m->ready);
    CHECK_IS(strait_recv(rx, &got, sizeof got, soon()), sizeof got);
    strait_rx_close(rx);
    strait_detach(s);
}

/* False: it took so long that our own sleep was over before the send (a loaded machine), and the peer came to be first. */
static bool woken_first(struct meeting *m)
{
    uint64_t began_ns = strait_now_ns();
    uint32_t one = 1, rings;
    bool in_time;
    struct room r;

    room_open(&r);
    asleep(&r);
    pid_t peer = peer_start(recv_one, m);
    gate_wait(&m->ready);
    while (strait_bell_count(__atomic_load_n(&r.rx->bell->sleepers, __ATOMIC_SEQ_CST)) < 2)
        sched_yield();
    peer_await_sleep(peer); /* behind us */
    rings = r.rx->bell->seq;
    CHECK_IS(strait_send(r.tx, &one, sizeof one, STRAIT_NOW), 0);
    CHECK(r.rx->bell->seq != rings);
    CHECK_IS(strait_op_cancel(&r.p.a.op), 0);
    if (probe_finish(r.loop, &r.p) == -ECANCELED) {
        do /* a helper thread may have slept for us, and passes it on when it runs */
            in_time = strait_now_ns() - began_ns < STRAIT_SLEEP_NS;
        while (in_time && __atomic_load_n(&r.rx->bell->seq, __ATOMIC_SEQ_CST) - rings < 2);
    } else { /* the op was quicker than its cancel: give the peer another */
        CHECK_IS(strait_send(r.tx, &one, sizeof one, STRAIT_NOW), 0);
        in_time = true;
    }
    peer_join(peer);
    room_close(&r);
    return in_time;
}

/* We are woken and leave; the other sleeper must get the wake, not wait for its bound. */
static void a_wake_is_passed_on(UNUSED_STATE)
{
    bool told = false;

    for (int tries = 0; tries < 50 && !told; tries++) {
        struct meeting *m = shared_new(sizeof *m);
        told = woken_first(m);
        shared_free(m, sizeof *m);
    }
    CHECK(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(what_is_there_is_received),           TEST_PLACE(what_comes_later_wakes_the_loop),
        TEST_PLACE(a_full_channel_takes_it_later),       TEST_PLACE(two_hundred_channels_and_a_hundred_sockets),
        TEST_PLACE(signals_end_a_step_and_nothing_else), TEST_PLACE(a_wake_is_passed_on),
    };
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
