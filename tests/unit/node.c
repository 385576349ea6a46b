/* SPDX-License-Identifier: MIT */
/* The option `memory`: what it says yes to on any machine, and what it refuses, with a sentence. Invented topologies stand
 * for the machines that are not here. */
#include "unit.h"

#include <strait/strait.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "directory.h"
#include "pages.h"
#include "process.h"
#include "topology.h"

static struct strait_segment *segment;
static struct strait_topology invented;

static int setup(void **state)
{
    if (place_setup(state) != 0)
        return 1;
    CHECK_IS(strait_attach("nodes", NULL, &segment), 0);
    return 0;
}

static int teardown(void **state)
{
    strait_topology_use(NULL);
    strait_detach(segment);
    return place_teardown(state);
}

#define TEST_NODES(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int32_t node_of(const char *name)
{
    struct strait_object o;

    CHECK_IS(strait_directory_find(&segment->map, name, STRAIT_KIND_NONE, &o), 0);
    return strait_segment_entry(&segment->map, o.entry)->node;
}

static int create(const char *name, uint32_t memory)
{
    return strait_channel_create(segment, name, &(struct strait_channel_options){.memory = memory});
}

/* Node 0 as it is; 1 without memory; 2 outside of our cpuset. */
static void three_nodes(void)
{
    invented.n = 3;
    for (int i = 0; i < 3; i++)
        invented.node[i] = (struct strait_node){.number = i, .memory = i != 1, .allowed = i != 2};
    strait_topology_use(&invented);
}

static void objects_of_every_kind_are_made_on_a_node(UNUSED_STATE)
{
    struct strait_region_options region = {.bytes = 100, .memory = STRAIT_MEMORY_ON(0)};
    struct strait_shards_options shards = {.shards = 4, .each = region};
    struct strait_counter_options counter = {.memory = STRAIT_MEMORY_ON(0)};
    struct strait_pool_options pool = {.memory = STRAIT_MEMORY_ON(0)};
    struct strait_shards *s;
    struct strait_counter *c;
    struct strait_pool *p;

    CHECK_IS(create("channel", STRAIT_MEMORY_ON(0)), 0);
    CHECK_IS(strait_region_create(segment, "region", &region), 0);
    CHECK_IS(strait_shards_open(segment, "shards", &shards, &s), 0);
    CHECK_IS(strait_counter_open(segment, "counter", &counter, &c), 0);
    CHECK_IS(strait_pool_open(segment, "pool", &pool, &p), 0);
    CHECK_IS(node_of("channel"), 0);
    CHECK_IS(node_of("region"), 0);
    CHECK_IS(node_of("shards"), 0);
    CHECK_IS(node_of("counter"), 0);
    CHECK_IS(node_of("pool"), 0);
    strait_shards_close(s);
    strait_counter_close(c);
    strait_pool_close(p);
}

static void nobody_is_placed_who_does_not_ask(UNUSED_STATE)
{
    CHECK_IS(create("plain", 0), 0);
    CHECK_IS(strait_channel_create(segment, "defaults", NULL), 0);
    CHECK_IS(create("everywhere", STRAIT_MEMORY_INTERLEAVED), 0);
    CHECK_IS(node_of("plain"), STRAIT_NODE_ANY);
    CHECK_IS(node_of("defaults"), STRAIT_NODE_ANY);
    CHECK_IS(node_of("everywhere"), STRAIT_NODE_INTERLEAVED);
}

static void a_placed_channel_carries_messages(UNUSED_STATE)
{
    struct strait_channel_options o = {.memory = STRAIT_MEMORY_ON(0)};
    struct strait_tx *tx;
    struct strait_rx *rx;
    int said = 7, heard = 0;

    CHECK_IS(strait_tx_open(segment, "c", &o, &tx), 0);
    CHECK_IS(strait_rx_open(segment, "c", &o, &rx), 0);
    CHECK_IS(strait_send(tx, &said, sizeof said, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, &heard, sizeof heard, STRAIT_NOW), sizeof heard);
    CHECK_IS(heard, 7);
    strait_tx_close(tx);
    strait_rx_close(rx);
}

static void a_node_that_is_not_there_is_refused(UNUSED_STATE)
{
    struct strait_region_options region = {.bytes = 100, .memory = STRAIT_MEMORY_ON(5)};

    three_nodes();
    CHECK_IS(create("c", STRAIT_MEMORY_ON(5)), -ENODEV);
    CHECK_SAYS("channel c: this machine has no node 5; pages may lie on 0");
    CHECK_IS(strait_region_create(segment, "r", &region), -ENODEV);
    CHECK_SAYS("region r: this machine has no node 5");
    CHECK_IS(create("c", STRAIT_MEMORY_ON(0x7fffffff)), -ENODEV);
    CHECK_IS(create("c", UINT32_MAX - 1), -ENODEV);
    CHECK_IS(create("c", 0), 0); /* nothing was left behind */
}

static void a_node_without_memory_is_refused(UNUSED_STATE)
{
    three_nodes();
    CHECK_IS(create("c", STRAIT_MEMORY_ON(1)), -ENODEV);
    CHECK_SAYS("channel c: node 1 has no memory; pages may lie on 0");
}

static void a_node_outside_of_the_cpuset_is_refused(UNUSED_STATE)
{
    three_nodes();
    CHECK_IS(create("c", STRAIT_MEMORY_ON(2)), -EPERM);
    CHECK_SAYS("channel c: this process may not use the memory of node 2, its cpuset has 0");
}

/* ---- a container whose seccomp profile forbids mbind ---- */

static bool forbid_mbind(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mbind, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Two nodes, of which nobody asks for one: what is sharded lies anywhere. Who asks is refused. */
static void make_shards_in_a_container(void *arg)
{
    struct strait_channel_options channel = {.shards = STRAIT_SHARDS_NODES};
    struct strait_shards_options region = {.shards = 4, .each = {.bytes = 16}};
    struct strait_counter_options counter = {.shards = STRAIT_SHARDS_NODES};
    struct strait_segment *s;
    struct strait_shards *shards;
    struct strait_counter *c;

    (void)arg;
    if (!forbid_mbind())
        return; /* a kernel without seccomp */
    CHECK_IS(strait_attach("nodes", NULL, &s), 0);
    CHECK_IS(strait_channel_create(s, "channel", &channel), 0);
    CHECK_IS(strait_shards_open(s, "shards", &region, &shards), 0);
    CHECK_IS(strait_counter_open(s, "counter", &counter, &c), 0);
    CHECK_IS(strait_shards_node(shards, 3), -ENODEV);
    strait_counter_add(c, 1);
    CHECK_IS(strait_channel_create(s, "no", &(struct strait_channel_options){.memory = STRAIT_MEMORY_ON(0)}), -EPERM);
    CHECK_SAYS("does a container forbid it?");
    strait_counter_close(c);
    strait_shards_close(shards);
    strait_detach(s);
}

static void where_placing_is_forbidden_shards_lie_anywhere(UNUSED_STATE)
{
    invented.n = 2;
    for (uint32_t i = 0; i < 2; i++)
        invented.node[i] = (struct strait_node){.memory = true, .allowed = true};
    strait_topology_use(&invented);
    peer_join(peer_start(make_shards_in_a_container, NULL));
}

/* The table says yes, the kernel no. */
static void the_kernels_no_has_a_sentence(UNUSED_STATE)
{
    uint64_t before, after, longest;

    three_nodes();
    invented.node[2] = (struct strait_node){.number = 1000, .memory = true, .allowed = true};
    strait_directory_space(&segment->map, &before, &longest);
    CHECK(create("c", STRAIT_MEMORY_ON(1000)) < 0);
    CHECK_SAYS("channel c: the kernel does not let this process place memory");
    strait_directory_space(&segment->map, &after, &longest);
    CHECK_IS(before, after);
}

static void an_existing_object_stays_where_it_is(UNUSED_STATE)
{
    struct strait_channel_options elsewhere = {.memory = STRAIT_MEMORY_ON(3)}, o = {.memory = STRAIT_MEMORY_ON(0)};
    struct strait_region_options region = {.bytes = 8};
    struct strait_region *r;
    struct strait_tx *tx;

    CHECK_IS(create("c", STRAIT_MEMORY_ON(0)), 0);
    CHECK_IS(strait_tx_open(segment, "c", &elsewhere, &tx), -EINVAL);
    CHECK_SAYS("channel c exists with its pages on node 0, on node 3 is asked for");
    CHECK_IS(strait_tx_open(segment, "c", &o, &tx), 0);
    strait_tx_close(tx);
    CHECK_IS(strait_tx_open(segment, "c", NULL, &tx), 0);
    strait_tx_close(tx);
    CHECK_IS(strait_region_create(segment, "r", &region), 0);
    region.memory = STRAIT_MEMORY_INTERLEAVED;
    CHECK_IS(strait_region_open(segment, "r", &region, &r), -EINVAL);
    CHECK_SAYS("region r exists with its pages anywhere, interleaved is asked for");
    CHECK_IS(strait_region_open(segment, "r", NULL, &r), 0);
    strait_region_close(r);
}

static void pages_are_counted_where_they_lie(UNUSED_STATE)
{
    int64_t all, here;

    CHECK_IS(create("c", STRAIT_MEMORY_ON(0)), 0);
    CHECK_IS(strait_node_pages(segment, "nobody", 0), -ENOENT);
    CHECK_SAYS("object nobody of segment");
    CHECK_IS(strait_node_pages(segment, "c", -2), -EINVAL);
    CHECK_IS(strait_node_pages(segment, "c", STRAIT_NODE_NUMBERS), -EINVAL);
    all = strait_node_pages(segment, "c", -1);
    if (all == -EPERM || all == -ENOSYS) {
        print_message("SKIPPED: the kernel does not tell this process where pages lie\n");
        skip();
    }
    CHECK(all > 4); /* 16 KiB of slots and what belongs to them */
    here = strait_node_pages(segment, "c", 0);
    CHECK_IS(here, all);
    CHECK_IS(strait_node_pages(segment, "c", 1), 0);
}

static void here_is_the_node_of_this_cpu(UNUSED_STATE)
{
    CHECK(strait_node_here() >= 0);
    CHECK_IS(create("c", STRAIT_MEMORY_ON(strait_node_here())), 0);
    three_nodes();
    invented.node[1].memory = true;
    memset(&invented.node[1].cpus, 0xff, sizeof invented.node[1].cpus);
    CHECK_IS(strait_node_here(), 1);
    invented.node[1].memory = false;
    CHECK_IS(strait_node_here(), 0);
    invented.node[0].memory = false;
    CHECK_IS(strait_node_here(), -ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_NODES(objects_of_every_kind_are_made_on_a_node),
        TEST_NODES(nobody_is_placed_who_does_not_ask),
        TEST_NODES(a_placed_channel_carries_messages),
        TEST_NODES(a_node_that_is_not_there_is_refused),
        TEST_NODES(a_node_without_memory_is_refused),
        TEST_NODES(a_node_outside_of_the_cpuset_is_refused),
        TEST_NODES(the_kernels_no_has_a_sentence),
        TEST_NODES(where_placing_is_forbidden_shards_lie_anywhere),
        TEST_NODES(an_existing_object_stays_where_it_is),
        TEST_NODES(pages_are_counted_where_they_lie),
        TEST_NODES(here_is_the_node_of_this_cpu),
    };
    return RUN(tests);
}
