/* SPDX-License-Identifier: MIT */
/* Sharded channels: which shard a message goes to, who receives it, and in which order. On invented machines where the real
 * one has too few nodes. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include <strait/strait.h>

#include "channel.h"
#include "directory.h"
#include "process.h"
#include "spread.h"
#include "topology.h"

static struct strait_segment *segment;
static struct strait_topology invented;

static int setup(void **state)
{
    if (place_setup(state) != 0)
        return 1;
    CHECK_IS(strait_attach("spread", &(struct strait_segment_options){.bytes = 4 << 20}, &segment), 0);
    return 0;
}

static int teardown(void **state)
{
    strait_topology_use(NULL);
    strait_detach(segment);
    return place_teardown(state);
}

#define TEST_SPREAD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct strait_tx *sender(const char *name, uint32_t shards, enum strait_spread spread)
{
    struct strait_channel_options o = {.shards = shards, .spread = spread, .depth = 8};
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(segment, name, &o, &tx), 0);
    return tx;
}

static struct strait_rx *receiver(const char *name)
{
    struct strait_rx *rx;

    CHECK_IS(strait_rx_open(segment, name, NULL, &rx), 0);
    return rx;
}

static int send_number(struct strait_tx *tx, uint64_t number)
{
    return strait_send(tx, &number, sizeof number, STRAIT_NOW);
}

static int send_key(struct strait_tx *tx, uint64_t key, uint64_t number)
{
    return strait_send_key(tx, key, 0, &number, sizeof number, STRAIT_NOW);
}

/* The next number, or -errno. */
static int64_t recv_number(struct strait_rx *rx)
{
    uint64_t number = 0;
    int64_t r = strait_recv(rx, &number, sizeof number, STRAIT_NOW);
    return r < 0 ? r : (int64_t)number;
}

static struct strait_channel_view view_of(const char *name)
{
    struct strait_channel_view v;
    struct strait_object o;

    CHECK_IS(strait_directory_find(&segment->map, name, STRAIT_KIND_CHANNEL, &o), 0);
    CHECK_IS(strait_channel_view(&segment->map, &o, &v), 0);
    return v;
}

/* How many messages lie in shard i. */
static uint32_t lie_in(const char *name, uint32_t i)
{
    struct strait_channel_view v = view_of(name);
    struct strait_ring_end end;
    uint32_t counts[8];

    CHECK_IS(strait_channel_end(&v, i, &end), 0);
    strait_ring_count(&end, counts);
    return counts[STRAIT_SLOT_READY];
}

/* ---- sending ---- */

static void who_sends_to_its_own_node_fills_one_shard(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 4, STRAIT_SPREAD_NODE);
    uint32_t shards_used = 0, n = 0;

    while (send_number(tx, n) == 0)
        n++;
    assert_int_equal(n, 8);
    for (uint32_t i = 0; i < 4; i++)
        shards_used += lie_in("c", i) > 0;
    assert_int_equal(shards_used, 1);
    strait_tx_close(tx);
}

static void in_turn_every_shard_gets_the_same(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 3, STRAIT_SPREAD_TURN);

    for (uint64_t n = 0; n < 24; n++)
        CHECK_IS(send_number(tx, n), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(lie_in("c", i), 8);
    CHECK_IS(send_number(tx, 24), -EAGAIN);
    strait_tx_close(tx);
}

/* These numbers are part of the layout: other builds must agree. */
static void a_key_has_its_shard_in_every_build(UNUSED_STATE)
{
    static const struct {
        uint64_t key;
        uint32_t of_2, of_7, of_64;
    } known[] = {{0, 0, 0, 0}, {1, 1, 4, 45}, {42, 1, 3, 32}, {UINT64_MAX, 0, 2, 25}};
    struct strait_tx *tx = sender("c", 7, STRAIT_SPREAD_KEY);

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_int_equal(strait_shard_of_key(known[i].key, 2), known[i].of_2);
        assert_int_equal(strait_shard_of_key(known[i].key, 7), known[i].of_7);
        assert_int_equal(strait_shard_of_key(known[i].key, 64), known[i].of_64);
        CHECK_IS(send_key(tx, known[i].key, i), 0);
        assert_int_equal(lie_in("c", known[i].of_7), 1);
    }
    strait_tx_close(tx);
}

static void keys_spread_evenly(UNUSED_STATE)
{
    uint32_t of[8] = {0};

    for (uint64_t key = 0; key < 80000; key++)
        of[strait_shard_of_key(key, 8)]++;
    for (int i = 0; i < 8; i++)
        assert_in_range(of[i], 9500, 10500);
}

static void whatever_is_sent_after_a_key_belongs_to_it(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 4, STRAIT_SPREAD_KEY);
    uint64_t numbers[4] = {1, 2, 3, 4};
    struct strait_claim claim;
    uint32_t shard = strait_shard_of_key(1, 4);

    CHECK_IS(strait_tx_key(tx, 1), 0);
    CHECK_IS(strait_send_array(tx, 0, numbers, 8, 4, STRAIT_NOW), 4);
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    CHECK_IS(strait_commit(tx, &claim, 0, 8), 0);
    assert_int_equal(lie_in("c", shard), 5);
    strait_tx_close(tx);
}

/* ---- receiving ---- */

static void a_receiver_finds_every_shard(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 5, STRAIT_SPREAD_TURN);
    struct strait_rx *rx = receiver("c");
    uint64_t seen = 0;

    for (uint64_t n = 0; n < 20; n++)
        CHECK_IS(send_number(tx, n), 0);
    for (int i = 0; i < 20; i++) {
        int64_t n = recv_number(rx);
        assert_in_range(n, 0, 19);
        assert_false(seen >> n & 1);
        seen |= UINT64_C(1) << n;
    }
    CHECK_IS(recv_number(rx), -EAGAIN);
    strait_tx_close(tx);
    CHECK_IS(recv_number(rx), -EPIPE);
    strait_rx_close(rx);
}

/* Its own shard first, also for the message after one that it stole. */
static void own_messages_come_before_stolen_ones(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 2, STRAIT_SPREAD_TURN);
    struct strait_rx *rx = receiver("c");
    uint64_t first = 0; /* a message in each shard */

    for (uint64_t n = 0; n < 6; n++)
        CHECK_IS(send_number(tx, n), 0);
    first = (uint64_t)recv_number(rx);
    for (uint64_t n = 1; n < 3; n++)
        assert_int_equal(recv_number(rx), first + 2 * n);
    assert_int_equal(recv_number(rx), first ^ 1); /* stolen */
    CHECK_IS(send_number(tx, 6), 0);
    CHECK_IS(send_number(tx, 7), 0);
    assert_int_equal(recv_number(rx), 6 + first); /* own */
    strait_rx_close(rx);
    strait_tx_close(tx);
}

/* A shard that nobody is at home in is looked into, although the own one is never empty. */
static void a_shard_without_receivers_does_not_starve(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 3, STRAIT_SPREAD_KEY);
    struct strait_rx *rx = receiver("c");
    uint64_t own, foreign[2], got[3] = {0};
    uint32_t home, n = 0;

    /* the first message that comes although all shards have one lies at home */
    for (uint64_t key = 0; lie_in("c", 0) == 0 || lie_in("c", 1) == 0 || lie_in("c", 2) == 0; key++)
        CHECK_IS(send_key(tx, key, strait_shard_of_key(key, 3)), 0);
    home = (uint32_t)recv_number(rx);
    while (recv_number(rx) >= 0)
        ;
    for (own = 0; strait_shard_of_key(own, 3) != home; own++)
        ;
    for (uint32_t i = 0; i < 2; i++)
        for (foreign[i] = 0; strait_shard_of_key(foreign[i], 3) != (home + 1 + i) % 3; foreign[i]++)
            ;
    CHECK_IS(send_key(tx, foreign[0], 1), 0);
    CHECK_IS(send_key(tx, foreign[1], 2), 0);
    for (; n < 400 && (got[1] == 0 || got[2] == 0); n++) {
        while (send_key(tx, own, 0) == 0)
            ;
        got[recv_number(rx)]++;
    }
    assert_in_range(n, 8, 399);
    strait_rx_close(rx);
    strait_tx_close(tx);
}

static void a_stolen_message_makes_room_for_its_sender(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 4, STRAIT_SPREAD_TURN);
    struct strait_rx *rx = receiver("c");

    for (int round = 0; round < 100; round++) {
        uint32_t n = 0;
        while (send_number(tx, n) == 0)
            n++;
        assert_int_not_equal(n, 0);
        for (uint32_t i = 0; i < n; i++)
            assert_true(recv_number(rx) >= 0);
        CHECK_IS(recv_number(rx), -EAGAIN);
    }
    strait_rx_close(rx);
    strait_tx_close(tx);
}

/* ---- order ---- */

static void a_key_stays_in_order_whoever_receives(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 2, STRAIT_SPREAD_KEY);
    struct strait_rx *rx[3] = {receiver("c"), receiver("c"), receiver("c")};
    uint64_t next[4] = {0};

    for (uint64_t n = 0; n < 4000; n++) {
        uint64_t key = n * 7 % 4;
        while (send_key(tx, key, key << 32 | next[key]) == -EAGAIN)
            ;
        next[key]++;
        int64_t got = recv_number(rx[n % 3]);
        assert_true(got >= 0);
        assert_int_equal((uint32_t)got, next[got >> 32] - 1);
    }
    for (int i = 0; i < 3; i++)
        strait_rx_close(rx[i]);
    strait_tx_close(tx);
}

static void nobody_passes_a_message_in_hand(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 2, STRAIT_SPREAD_KEY);
    struct strait_rx *a = receiver("c"), *b = receiver("c");
    struct strait_msg msg;

    for (uint64_t n = 0; n < 3; n++)
        CHECK_IS(send_key(tx, 5, n), 0);
    CHECK_IS(strait_peek(a, &msg, STRAIT_NOW), 0);
    CHECK_IS(recv_number(b), -EAGAIN); /* the second one is there, but not yet for us */
    CHECK_IS(recv_number(a), -EBUSY);
    CHECK_IS(strait_peek(a, &(struct strait_msg){0}, STRAIT_NOW), -ENOBUFS);
    CHECK_IS(strait_release(a, &msg), 0);
    assert_int_equal(recv_number(b), 1);
    assert_int_equal(recv_number(a), 2);
    strait_rx_close(a);
    strait_rx_close(b);
    strait_tx_close(tx);
}

static void another_shard_goes_on_meanwhile(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 2, STRAIT_SPREAD_KEY);
    struct strait_rx *a = receiver("c"), *b = receiver("c");
    struct strait_msg msg;
    uint64_t other = 0;

    while (strait_shard_of_key(other, 2) == strait_shard_of_key(5, 2))
        other++;
    CHECK_IS(send_key(tx, 5, 1), 0);
    CHECK_IS(strait_peek(a, &msg, STRAIT_NOW), 0);
    CHECK_IS(send_key(tx, other, 2), 0);
    assert_int_equal(recv_number(b), 2);
    CHECK_IS(strait_release(a, &msg), 0);
    strait_rx_close(a);
    strait_rx_close(b);
    strait_tx_close(tx);
}

/* ---- refusals ---- */

/* With a message of each shard in hand, and a claim in each. */
static void die_in_every_shard(void *arg)
{
    struct strait_segment *s;
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct strait_claim claim[3];
    struct strait_msg msg[3];

    CHECK_IS(strait_attach("spread", NULL, &s), 0);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_IS(strait_peek(rx, &msg[i], STRAIT_NOW), 0);
        CHECK_IS(strait_claim(tx, &claim[i], STRAIT_NOW), 0);
    }
    gate_open(arg);
    for (;;)
        pause();
}

static void a_death_is_swept_in_every_shard(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 3, STRAIT_SPREAD_TURN);
    struct strait_rx *rx = receiver("c");
    gate *inside = shared_new(sizeof *inside);
    struct strait_msg info;
    uint64_t number;
    pid_t pid;

    for (uint64_t n = 0; n < 3; n++)
        CHECK_IS(send_number(tx, n), 0);
    pid = peer_start(die_in_every_shard, inside);
    gate_wait(inside);
    CHECK_IS(recv_number(rx), -EAGAIN);
    peer_kill(pid);
    CHECK(strait_sweep_dead(segment) >= 0);
    for (uint64_t n = 0; n < 3; n++) {
        CHECK_IS(strait_recv_info(rx, &number, sizeof number, &info, STRAIT_NOW), sizeof number);
        CHECK_IS(info.attempts, 1);
    }
    CHECK_IS(recv_number(rx), -EAGAIN);
    for (uint64_t n = 0; n < 24 - 3;
         n++) /* a claim that was given up is passed by receivers only when they get there */
        CHECK_IS(send_number(tx, n), 0);
    for (uint64_t n = 0; n < 24 - 3; n++)
        CHECK(recv_number(rx) >= 0);
    shared_free(inside, sizeof *inside);
    strait_rx_close(rx);
    strait_tx_close(tx);
}

static void what_makes_no_sharded_channel_is_refused(UNUSED_STATE)
{
    static const struct strait_channel_options bad[] = {
        {.shards = 65},
        {.shards = 2, .lanes = 2},
        {.shards = 2, .senders = STRAIT_ONE},
        {.shards = 2, .receivers = STRAIT_ONE},
        {.shards = 2, .spread = STRAIT_SPREAD_KEY, .peek_window = 2},
        {.spread = STRAIT_SPREAD_KEY},
        {.spread = STRAIT_SPREAD_TURN},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_IS(strait_channel_create(segment, "bad", &bad[i]), -EINVAL);
        CHECK_SAYS("shards");
    }
}

static void other_channels_know_no_keys(UNUSED_STATE)
{
    struct strait_tx *plain = sender("plain", 0, STRAIT_SPREAD_NODE), *node = sender("node", 2, STRAIT_SPREAD_NODE);

    CHECK_IS(send_key(plain, 1, 1), -EINVAL);
    CHECK_SAYS("plain does not spread by key");
    CHECK_IS(send_key(node, 1, 1), -EINVAL);
    CHECK_IS(
        strait_tx_open(segment, "plain", &(struct strait_channel_options){.shards = 2}, &(struct strait_tx *){NULL}),
        -EINVAL);
    CHECK_SAYS("is not sharded");
    CHECK_IS(strait_tx_open(segment, "node", &(struct strait_channel_options){.shards = 2, .spread = STRAIT_SPREAD_KEY},
                            &(struct strait_tx *){NULL}),
             -EINVAL);
    CHECK_SAYS("otherwise");
    strait_tx_close(plain);
    strait_tx_close(node);
}

/* ---- near and far ---- */

/* Three nodes in a row, all CPUs of this machine in one of them. */
static void a_row_of_nodes(uint32_t mine)
{
    memset(&invented, 0, sizeof invented);
    invented.n = 3;
    for (uint32_t i = 0; i < 3; i++) {
        invented.node[i] = (struct strait_node){.number = (int32_t)i, .memory = true, .allowed = true};
        for (uint32_t to = 0; to < 3; to++)
            invented.node[i].distance[to] = (uint8_t)(10 + 10 * (i > to ? i - to : to - i));
    }
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        CPU_SET(cpu, &invented.node[mine].cpus);
    strait_topology_use(&invented);
}

static void shards_are_dealt_out_over_the_nodes(UNUSED_STATE)
{
    struct strait_spread_nodes s;

    a_row_of_nodes(0);
    strait_spread_nodes(STRAIT_SHARDS_NODES, STRAIT_MEMORY_ANYWHERE, &s);
    assert_int_equal(s.n, 3);
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(s.node[i], i);
    strait_spread_nodes(5, STRAIT_MEMORY_ANYWHERE, &s);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.node[3], 0);
    strait_spread_nodes(2, STRAIT_MEMORY_INTERLEAVED, &s); /* the object has a place of its own */
    assert_int_equal(s.node[1], -1);
    invented.node[1].allowed = false;
    strait_spread_nodes(STRAIT_SHARDS_NODES, STRAIT_MEMORY_ANYWHERE, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.node[1], 2);
    invented.n = 1;
    strait_spread_nodes(STRAIT_SHARDS_NODES, STRAIT_MEMORY_ANYWHERE, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.node[0], -1);
}

/* As a handle opened on that node sees shards on the nodes 0, 1, 2. */
static void check_order(uint32_t mine, const uint8_t expected[3])
{
    struct strait_channel_view v = view_of("c");
    struct strait_ring *rings = (struct strait_ring *)(void *)(segment->map.base + v.rings_off);
    struct strait_spread_map *map;

    for (int32_t i = 0; i < 3; i++)
        rings[i].node = i;
    a_row_of_nodes(mine);
    CHECK_IS(strait_spread_make(&v, &map), 0);
    assert_int_equal(strait_spread_home(map), mine);
    assert_memory_equal(strait_spread_order(map), expected, 3);
    for (int32_t i = 0; i < 3; i++)
        rings[i].node = -1;
    free(map);
}

static void the_nearest_shard_comes_first(UNUSED_STATE)
{
    struct strait_tx *tx = sender("c", 3, STRAIT_SPREAD_NODE);

    check_order(0, (const uint8_t[]){0, 1, 2});
    check_order(1, (const uint8_t[]){1, 2, 0});
    check_order(2, (const uint8_t[]){2, 1, 0});
    strait_tx_close(tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SPREAD(who_sends_to_its_own_node_fills_one_shard),
        TEST_SPREAD(in_turn_every_shard_gets_the_same),
        TEST_SPREAD(a_key_has_its_shard_in_every_build),
        TEST_SPREAD(keys_spread_evenly),
        TEST_SPREAD(whatever_is_sent_after_a_key_belongs_to_it),
        TEST_SPREAD(a_receiver_finds_every_shard),
        TEST_SPREAD(own_messages_come_before_stolen_ones),
        TEST_SPREAD(a_shard_without_receivers_does_not_starve),
        TEST_SPREAD(a_stolen_message_makes_room_for_its_sender),
        TEST_SPREAD(a_key_stays_in_order_whoever_receives),
        TEST_SPREAD(nobody_passes_a_message_in_hand),
        TEST_SPREAD(another_shard_goes_on_meanwhile),
        TEST_SPREAD(a_death_is_swept_in_every_shard),
        TEST_SPREAD(what_makes_no_sharded_channel_is_refused),
        TEST_SPREAD(other_channels_know_no_keys),
        TEST_SPREAD(shards_are_dealt_out_over_the_nodes),
        TEST_SPREAD(the_nearest_shard_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
