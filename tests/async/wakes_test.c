/* SPDX-License-Identifier: MIT */
/* Sends with random gaps into a sleeping loop: no wake may be lost. STRAIT_WAKES says how many (default 20,000; suite
 * wakes takes a million on each rung: 30 to 40 s on two idle CPUs). Each waits until the one before was received, or its ring would hide that one's lost wake. A lost wake
 * does not hang: the loop's pulse finds the message, and counts it in `late`. */
#include "async.h"

#include "endpoint.h"
#include "method.h"

struct storm {
    gate ready;
    uint32_t n;
    uint32_t received;
};

static void blow(void *arg)
{
    struct storm *t = arg;
    struct strait_segment *s = attach("a");
    uint64_t seed = 88172645463325252u;
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    gate_wait(&t->ready);
    for (uint32_t i = 0; i < t->n; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        for (uint64_t k = seed & (seed >> 60 == 0 ? 4095 : 255); k > 0; k--) /* 0 to about 12 us, now and then 200 */
            strait_pause();
        CHECK_IS(strait_send(tx, &i, sizeof i, STRAIT_FOREVER), 0);
        while (__atomic_load_n(&t->received, __ATOMIC_ACQUIRE) <= i)
            strait_pause();
    }
    strait_tx_close(tx);
    strait_detach(s);
}

static void no_wake_is_lost(UNUSED_STATE)
{
    const char *env = getenv("STRAIT_WAKES");
    struct storm *t = shared_new(sizeof *t);
    struct strait_segment *s = attach("a");
    struct strait_loop *loop = loop_new();
    struct strait_rx *rx;
    struct probe p;
    uint32_t got;

    t->n = env ? (uint32_t)strtoul(env, NULL, 10) : test_rounds(20000);
    probe_init(&p);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    pid_t peer = peer_start(blow, t);
    gate_open(&t->ready);
    for (uint32_t i = 0; i < t->n; i++) {
        CHECK_IS(strait_await_recv(loop, &p.a, rx, &got, sizeof got, NULL, STRAIT_FOREVER), 0);
        CHECK_IS(probe_finish(loop, &p), sizeof got);
        CHECK_IS(got, i);
        __atomic_store_n(&t->received, i + 1, __ATOMIC_RELEASE);
    }
    CHECK_IS(strait_await_recv(loop, &p.a, rx, &got, sizeof got, NULL, STRAIT_FOREVER), 0);
    CHECK_IS(probe_finish(loop, &p), -EPIPE);
    printf("%s: %u sends, %llu sleeps, %llu lost wakes\n", strait_loop_backend(loop), t->n,
           (unsigned long long)rx->bell->sleeps, (unsigned long long)strait_loop_ward(loop)->late);
    CHECK(rx->bell->sleeps > t->n / 100); /* it did sleep */
    CHECK_IS(strait_loop_ward(loop)->late, 0);
    peer_join(peer);
    strait_loop_destroy(loop);
    strait_rx_close(rx);
    strait_detach(s);
    shared_free(t, sizeof *t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_PLACE(no_wake_is_lost)};
    int skip = skip_missing_rung();

    return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
