/* SPDX-License-Identifier: MIT */
/**
 * On a machine with two NUMA nodes or more: every page lies on the node that was asked for, as move_pages(2) says; senders
 * and receivers are at home on the node that they run on; a node without receivers is served by the others; CPUs and nodes
 * that we may not use are not used. And what needs a kernel that one may set up: segments in huge pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin.h"
#include "endpoint.h"
#include "pages.h"
#include "process.h"
#include "spread.h"
#include "strait/strait.h"
#include "topology.h"
#include "verify.h"

static struct strait_segment *segment;
static struct strait_topology machine;
static int checks, failures;

#define CHECK(what, ...)                                                                                               \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(what)) {                                                                                                 \
            failures++;                                                                                                \
            printf("%s:%d: %s does not hold", __func__, __LINE__, #what);                                              \
            printf(". " __VA_ARGS__);                                                                                  \
            printf(" (%s)\n", strait_error());                                                                         \
        }                                                                                                              \
    } while (0)

static int node(uint32_t i)
{
    return machine.node[i].number;
}

/* Onto the CPUs of the node at this index. */
static void go_to(uint32_t i)
{
    CHECK(sched_setaffinity(0, sizeof machine.node[i].cpus, &machine.node[i].cpus) == 0);
}

static void go_anywhere(void)
{
    cpu_set_t all;

    CPU_ZERO(&all);
    for (uint32_t i = 0; i < machine.n; i++)
        CPU_OR(&all, &all, &machine.node[i].cpus);
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
}

/* ---- whole objects ---- */

static void all_pages_on(const char *name, int wanted)
{
    int64_t all = strait_node_pages(segment, name, -1), there = strait_node_pages(segment, name, wanted);

    CHECK(all > 0 && there == all, "%s: %lld of %lld pages on node %d", name, (long long)there, (long long)all, wanted);
}

static void objects_lie_on_their_node(void)
{
    for (uint32_t i = 0; i < machine.n; i++) {
        uint32_t memory = STRAIT_MEMORY_ON(node(i));
        struct strait_shards *shards;
        struct strait_counter *counter;
        struct strait_pool *pool;
        char name[4][32];

        for (int k = 0; k < 4; k++)
            snprintf(name[k], sizeof name[k], "kind%d-%d", k, node(i));
        go_to((i + 1) % machine.n); /* made from elsewhere */
        CHECK(strait_channel_create(segment, name[0], &(struct strait_channel_options){.memory = memory}) == 0);
        CHECK(
            strait_shards_open(segment, name[1],
                               &(struct strait_shards_options){.shards = 8, .each = {.bytes = 3000, .memory = memory}},
                               &shards) == 0);
        CHECK(strait_counter_open(segment, name[2], &(struct strait_counter_options){.memory = memory}, &counter) == 0);
        CHECK(strait_pool_open(segment, name[3], &(struct strait_pool_options){.memory = memory}, &pool) == 0);
        for (int k = 0; k < 4; k++)
            all_pages_on(name[k], node(i));
        strait_pool_close(pool);
        strait_counter_close(counter);
        strait_shards_close(shards);
    }
    go_anywhere();
}

static void interleaved_pages_lie_everywhere(void)
{
    struct strait_channel_options o = {.memory = STRAIT_MEMORY_INTERLEAVED, .depth = 1024};
    int64_t all;

    CHECK(strait_channel_create(segment, "everywhere", &o) == 0);
    all = strait_node_pages(segment, "everywhere", -1);
    for (uint32_t i = 0; i < machine.n; i++) {
        int64_t there = strait_node_pages(segment, "everywhere", node(i));
        CHECK(there >= all / machine.n - 1 && there <= all / machine.n + 1, "%lld of %lld", (long long)there,
              (long long)all);
    }
}

/* ---- shards ---- */

static struct strait_channel_view view_of(const char *name)
{
    struct strait_channel_view v = {0};
    struct strait_object o;

    CHECK(strait_directory_find(&segment->map, name, STRAIT_KIND_CHANNEL, &o) == 0);
    CHECK(strait_channel_view(&segment->map, &o, &v) == 0);
    return v;
}

static void each_shard_lies_on_its_node(void)
{
    struct strait_channel_options o = {.shards = STRAIT_SHARDS_NODES, .depth = 512};
    struct strait_channel_view v;

    CHECK(strait_channel_create(segment, "sharded", &o) == 0);
    v = view_of("sharded");
    CHECK(v.rings == machine.n, "%u shards", v.rings);
    for (uint32_t i = 0; i < v.rings; i++) {
        struct strait_ring *ring, checked;
        struct strait_pages pages;
        unsigned char *slots;
        uint64_t bytes;
        CHECK(strait_channel_ring(&v, i, &ring, &checked, &slots) == 0);
        bytes = (uint64_t)checked.capacity * checked.stride;
        CHECK(ring->node == node(i));
        CHECK(strait_pages_where(slots, bytes, &pages) == 0);
        CHECK(pages.on[node(i)] == bytes / STRAIT_PAGE, "shard %u: %llu of %llu pages", i,
              (unsigned long long)pages.on[node(i)], (unsigned long long)bytes / STRAIT_PAGE);
    }
}

/* The page of this byte, as move_pages says. */
static int node_of(const void *at)
{
    struct strait_pages pages;
    int i = 0;

    if (strait_pages_where((const void *)((uintptr_t)at / STRAIT_PAGE * STRAIT_PAGE), STRAIT_PAGE, &pages) < 0)
        return -1;
    while (i < STRAIT_NODE_NUMBERS && pages.on[i] == 0)
        i++;
    return i;
}

/* Shards of several pages each, of part of one, and of readers, whose cells are pages, too. */
static void each_regions_shard_lies_on_its_node(void)
{
    static const struct strait_shards_options kinds[] = {
        {.shards = 7, .each = {.bytes = 10000}},
        {.shards = 64, .each = {.bytes = 16}},
        {.shards = 4, .each = {.bytes = 100, .atomic = true}},
        {.shards = 3, .each = {.bytes = 100, .readers = true}},
    };

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint32_t n = kinds[k].shards, each = (n + machine.n - 1) / machine.n;
        struct strait_shards *s;
        CHECK(strait_shards_open(segment, "shards", &kinds[k], &s) == 0);
        for (uint32_t i = 0; i < n; i++) {
            const struct strait_region *r = strait_shards_at(s, i);
            int wanted = node(i / each);
            CHECK(strait_shards_node(s, i) == wanted, "shard %u says %d", i, strait_shards_node(s, i));
            for (uint64_t at = 0; at < r->bytes; at += STRAIT_PAGE)
                CHECK(node_of((unsigned char *)r->data + at) == wanted, "shard %u at %llu", i, (unsigned long long)at);
            CHECK(node_of(r->word) == wanted && node_of((unsigned char *)r->data + r->bytes - 1) == wanted);
        }
        strait_shards_close(s);
        CHECK(strait_shards_unlink(segment, "shards") == 0);
    }
}

static void each_cell_lies_on_the_node_that_counts(void)
{
    struct strait_counter_options o = {.shards = STRAIT_SHARDS_NODES, .handles = 200};
    struct strait_counter *c[STRAIT_NODES];
    int64_t sum = 0;

    for (uint32_t i = 0; i < machine.n; i++) {
        go_to(i);
        CHECK(strait_counter_open(segment, "cells", &o, &c[i]) == 0);
        CHECK(node_of(c[i]->value) == node(i), "the cell of node %d is on %d", node(i), node_of(c[i]->value));
        strait_counter_add(c[i], i + 1);
    }
    go_anywhere();
    CHECK(strait_counter_read(c[0], &sum) == 0 && sum == machine.n * (machine.n + 1) / 2, "%lld", (long long)sum);
    for (uint32_t i = 0; i < machine.n; i++)
        strait_counter_close(c[i]);
}

struct noted {
    struct strait_verify how;
    unsigned node_rule, others;
};

static void note(struct strait_verify *how, const struct strait_finding *finding)
{
    struct noted *n = (struct noted *)(void *)how;
    *(finding->rule == STRAIT_RULE_ENTRY_NODE ? &n->node_rule : &n->others) += 1;
}

static struct noted verify(void)
{
    struct noted n = {.how = {note, false, true}};

    strait_verify(&segment->map, &n.how);
    return n;
}

/* A page moved away, as an administrator might, is a finding; moved home it is none. */
static void move_away_and_back(void *at)
{
    void *page = (void *)((uintptr_t)at / STRAIT_PAGE * STRAIT_PAGE);
    int home = node_of(page), elsewhere = home == node(0) ? node(1) : node(0), status = -1;
    struct noted n;

    CHECK(syscall(SYS_move_pages, 0, 1UL, &page, &elsewhere, &status, 2 /* MPOL_MF_MOVE */) == 0 && status == elsewhere,
          "the page did not move: %d", status);
    n = verify();
    CHECK(n.node_rule == 1 && n.others == 0, "%u and %u findings", n.node_rule, n.others);
    CHECK(syscall(SYS_move_pages, 0, 1UL, &page, &home, &status, 2 /* MPOL_MF_MOVE */) == 0 && status == home);
}

static void verify_says_where_pages_should_be(void)
{
    struct strait_channel_view v = view_of("sharded");
    struct strait_shards_options each = {.shards = 4, .each = {.bytes = 5000}};
    struct strait_counter_options cells = {.shards = STRAIT_SHARDS_NODES};
    struct strait_ring *ring, checked;
    struct strait_counter *counter;
    struct strait_shards *shards;
    unsigned char *slots;
    struct noted n;

    CHECK(strait_shards_open(segment, "shards", &each, &shards) == 0);
    CHECK(strait_counter_open(segment, "counted", &cells, &counter) == 0);
    n = verify();
    CHECK(n.node_rule == 0 && n.others == 0, "%u and %u findings", n.node_rule, n.others);
    CHECK(strait_channel_ring(&v, 0, &ring, &checked, &slots) == 0);
    move_away_and_back(slots);
    move_away_and_back(strait_region_data(strait_shards_at(shards, 3)));
    move_away_and_back(counter->value);
    n = verify();
    CHECK(n.node_rule == 0 && n.others == 0, "%u and %u findings", n.node_rule, n.others);
    strait_counter_close(counter);
    strait_shards_close(shards);
}

static uint32_t lie_in(const char *name, uint32_t i)
{
    struct strait_channel_view v = view_of(name);
    struct strait_ring_end end;
    uint32_t counts[8];

    CHECK(strait_channel_end(&v, i, &end) == 0);
    strait_ring_count(&end, counts);
    return counts[STRAIT_SLOT_READY];
}

/* A sender that moves takes its messages along, within 64 of them. */
static void senders_follow_their_node(void)
{
    struct strait_channel_options o = {.shards = STRAIT_SHARDS_NODES, .depth = 256};
    struct strait_tx *tx;

    go_to(0);
    CHECK(strait_tx_open(segment, "follow", &o, &tx) == 0);
    for (uint64_t n = 0; n < 100; n++)
        CHECK(strait_send(tx, &n, sizeof n, STRAIT_NOW) == 0);
    CHECK(lie_in("follow", 0) == 100);
    go_to(1);
    for (uint64_t n = 0; n < 164; n++)
        CHECK(strait_send(tx, &n, sizeof n, STRAIT_NOW) == 0);
    CHECK(lie_in("follow", 1) >= 100 && lie_in("follow", 0) <= 164, "%u, %u", lie_in("follow", 0), lie_in("follow", 1));
    strait_tx_close(tx);
    go_anywhere();
}

/* A receiver on node 1 takes node 1's first, then what lies on the other. */
static void receivers_begin_at_home(void)
{
    uint32_t own = lie_in("follow", 1), foreign = lie_in("follow", 0);
    struct strait_rx *rx;
    uint64_t n;

    go_to(1);
    CHECK(strait_rx_open(segment, "follow", NULL, &rx) == 0);
    for (uint32_t i = 0; i < own / 2; i++) /* now and then one is from elsewhere, so that nobody starves */
        CHECK(strait_recv(rx, &n, sizeof n, STRAIT_NOW) == sizeof n);
    CHECK(lie_in("follow", 1) <= own - own / 2 + 2 && lie_in("follow", 0) >= foreign - 2);
    for (uint32_t i = own / 2; i < own + foreign; i++)
        CHECK(strait_recv(rx, &n, sizeof n, STRAIT_NOW) == sizeof n);
    CHECK(strait_recv(rx, &n, sizeof n, STRAIT_NOW) == -EPIPE);
    strait_rx_close(rx);
    go_anywhere();
}

static void die_as_receiver(void)
{
    struct strait_segment *s;
    struct strait_rx *rx;
    struct strait_msg msg;

    go_to(1);
    if (strait_attach("numa-place", NULL, &s) == 0 && strait_rx_open(s, "left", NULL, &rx) == 0 &&
        strait_peek(rx, &msg, STRAIT_NOW) == 0)
        kill(getpid(), SIGKILL);
    _exit(1);
}

/* The only receiver of node 1 is killed with a message in its hands; a receiver on node 0 gets all that comes there. */
static void a_node_without_receivers_is_served(void)
{
    struct strait_channel_options o = {.shards = STRAIT_SHARDS_NODES, .depth = 64, .spread = STRAIT_SPREAD_KEY};
    struct strait_tx *tx;
    struct strait_rx *rx;
    uint64_t key = 0, n = 0;
    int status = 0;
    pid_t pid;

    go_to(0);
    CHECK(strait_tx_open(segment, "left", &o, &tx) == 0);
    CHECK(strait_rx_open(segment, "left", NULL, &rx) == 0);
    while (strait_shard_of_key(key, machine.n) != 1)
        key++;
    for (; n < 20; n++)
        CHECK(strait_send_key(tx, key, 0, &n, sizeof n, STRAIT_NOW) == 0);
    pid = fork();
    if (pid == 0)
        die_as_receiver();
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (uint64_t i = 0; i < 20; i++) {
        struct strait_msg info;
        CHECK(strait_recv_info(rx, &n, sizeof n, &info, strait_after_ns(UINT64_C(5000000000))) == sizeof n && n == i &&
                  info.attempts == (i == 0),
              "message %llu", (unsigned long long)i);
    }
    strait_rx_close(rx);
    strait_tx_close(tx);
    go_anywhere();
}

/* ---- workers ---- */

#define WORKERS 4

static cpu_set_t *ran_on; /* of each worker; shared with them */

static int say_where(uint32_t worker, void *context)
{
    (void)context;
    return sched_getaffinity(0, sizeof *ran_on, &ran_on[worker]) < 0;
}

static void start_workers(const char *list, bool no_pin)
{
    struct strait_supervisor_options o = {.run = say_where, .workers = WORKERS, .cpu_list = list, .no_pin = no_pin};
    struct strait_supervisor *supervisor;
    struct strait_loop *loop;

    memset(ran_on, 0, WORKERS * sizeof *ran_on);
    CHECK(strait_loop_create(&loop, 64) == 0);
    CHECK(strait_supervisor_start(loop, &o, &supervisor) == 0);
    CHECK(strait_supervisor_stop(supervisor, strait_after_ns(UINT64_C(10000000000))) == 0);
    strait_loop_destroy(loop);
}

static void workers_spread_over_the_nodes(void)
{
    char list[32];
    cpu_set_t all;

    CPU_ZERO(&all);
    for (uint32_t i = 0; i < machine.n; i++)
        CPU_OR(&all, &all, &machine.node[i].cpus);
    start_workers(NULL, false);
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK(CPU_EQUAL(&ran_on[i], &machine.node[i % machine.n].cpus), "worker %u", i);
    start_workers(NULL, true);
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK(CPU_EQUAL(&ran_on[i], &all), "worker %u", i);
    snprintf(list, sizeof list, "0-%d", CPU_COUNT(&all) - 1);
    start_workers(list, false);
    for (uint32_t i = 0; i < WORKERS; i++) {
        cpu_set_t here;
        CPU_AND(&here, &ran_on[i], &machine.node[i % machine.n].cpus);
        CHECK(CPU_COUNT(&ran_on[i]) == 1 && CPU_COUNT(&here) == 1, "worker %u of list %s", i, list);
        for (uint32_t k = 0; k < i; k++)
            CHECK(!CPU_EQUAL(&ran_on[i], &ran_on[k]), "workers %u and %u are on one CPU", k, i);
    }
}

/* ---- what we may not use ---- */

static void cpus_that_we_may_not_use_are_nobodys(void)
{
    struct strait_topology t;

    for (uint32_t i = 0; i < machine.n; i++) {
        go_to(i);
        CHECK(strait_node_here() == node(i));
        strait_topology_read(&t);
        for (uint32_t k = 0; k < t.n; k++)
            CHECK((CPU_COUNT(&t.node[k].cpus) > 0) == (k == i));
        go_anywhere();
    }
}

static bool write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

/* In a cpuset with the last node only. Why not, or NULL. */
static const char *into_cpuset(void)
{
    char mems[16], pid[16];

    snprintf(mems, sizeof mems, "%d", node(machine.n - 1));
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    mkdir("/tmp/cgroup", 0755);
    if (mount("cgroup2", "/tmp/cgroup", "cgroup2", 0, NULL) < 0)
        return "no cgroup2 can be mounted";
    if (!write_to("/tmp/cgroup/cgroup.subtree_control", "+cpuset") || mkdir("/tmp/cgroup/strait", 0755) < 0)
        return "cgroup2 has no cpuset here";
    if (!write_to("/tmp/cgroup/strait/cpuset.mems", mems) || !write_to("/tmp/cgroup/strait/cgroup.procs", pid))
        return "the cpuset cannot be set";
    return NULL;
}

static void a_cpuset_is_respected(void)
{
    const char *why = into_cpuset();
    struct strait_spread_nodes s;

    if (why) {
        printf("cpuset: not tried, %s\n", why);
        return;
    }
    CHECK(strait_channel_create(segment, "out",
                                &(struct strait_channel_options){.memory = STRAIT_MEMORY_ON(node(0))}) == -EPERM);
    CHECK(strait_channel_create(
              segment, "in", &(struct strait_channel_options){.memory = STRAIT_MEMORY_ON(node(machine.n - 1))}) == 0);
    all_pages_on("in", node(machine.n - 1));
    strait_process_lock();
    strait_spread_nodes(STRAIT_SHARDS_NODES, STRAIT_MEMORY_ANYWHERE, &s);
    strait_process_unlock();
    CHECK(s.n == 1, "%u shards", s.n);
    printf("cpuset: tried\n");
}

/* ---- huge pages ---- */

/* Another process finds the segment by its name in `directory`, all of it huge, and sends. */
static void send_from_another(const char *directory)
{
    struct strait_segment_options o = {.attach = STRAIT_OPEN_ONLY, .directory = directory, .huge = STRAIT_HUGE_MUST};
    struct strait_segment *s;
    struct strait_tx *tx;
    int status = -1;
    pid_t pid;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        bool sent = strait_attach("huge", &o, &s) == 0 && strait_tx_open(s, "c", NULL, &tx) == 0 &&
                    strait_send(tx, "hello", 5, STRAIT_NOW) == 0;
        CHECK(sent, "in %s", directory);
        fflush(stdout);
        _exit(!sent);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "in %s", directory);
}

static void a_huge_segment_works(const char *directory)
{
    struct strait_segment_options o = {.bytes = 3 << 20, .directory = directory, .huge = STRAIT_HUGE_MUST};
    struct strait_segment *s;
    struct strait_rx *rx;
    char got[8];

    if (strait_attach("huge", &o, &s) < 0) {
        CHECK(false, "in %s", directory);
        return;
    }
    CHECK(s->map.bytes == 4 << 20 && strait_segment_huge(s) == 4 << 20, "%lld huge", (long long)strait_segment_huge(s));
    CHECK(strait_rx_open(s, "c", NULL, &rx) == 0);
    send_from_another(directory);
    CHECK(strait_recv(rx, got, sizeof got, STRAIT_NOW) == 5);
    strait_rx_close(rx);
    strait_detach(s);
    CHECK(strait_segment_remove("huge", directory) == 1);
}

static bool hugetlbfs(const char *at)
{
    mkdir(at, 0755);
    return write_to("/proc/sys/vm/nr_hugepages", "4") && mount("none", at, "hugetlbfs", 0, "pagesize=2M") == 0;
}

static void segments_lie_in_huge_pages(void)
{
    const char *at = "/tmp/hugetlb";
    struct strait_segment_options much = {.bytes = 64 << 20, .directory = at},
                                  some = {.bytes = 4 << 20, .directory = at};
    struct strait_segment *s;

    a_huge_segment_works("/dev/shm");
    CHECK(hugetlbfs(at), "no hugetlbfs");
    for (int i = 0; i < 3; i++) /* 4 pages: each time they are all given back */
        a_huge_segment_works(at);
    CHECK(strait_attach("much", &much, &s) == -ENOSPC);
    CHECK(strait_attach("some", &some, &s) == 0); /* its pages are huge whether one asks or not, and cannot be placed */
    CHECK(strait_segment_huge(s) == 4 << 20);
    CHECK(strait_channel_create(s, "c", &(struct strait_channel_options){.memory = STRAIT_MEMORY_ON(node(0))}) ==
          -EOPNOTSUPP);
    strait_detach(s);
    CHECK(strait_segment_remove("some", at) == 1);
}

int main(void)
{
    strait_process_lock();
    strait_topology_read(&machine);
    strait_process_unlock();
    if (machine.n < 2) {
        printf("SKIPPED: this machine has one NUMA node\n");
        return 77;
    }
    if (strait_attach("numa-place", &(struct strait_segment_options){.bytes = 8 << 20, .directory_max = 64}, &segment) <
        0)
        return fprintf(stderr, "attach: %s\n", strait_error()), 1;
    ran_on = mmap(NULL, WORKERS * sizeof *ran_on, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ran_on == MAP_FAILED)
        return perror("mmap"), 1;
    objects_lie_on_their_node();
    interleaved_pages_lie_everywhere();
    each_shard_lies_on_its_node();
    each_regions_shard_lies_on_its_node();
    each_cell_lies_on_the_node_that_counts();
    verify_says_where_pages_should_be();
    senders_follow_their_node();
    receivers_begin_at_home();
    a_node_without_receivers_is_served();
    workers_spread_over_the_nodes();
    cpus_that_we_may_not_use_are_nobodys();
    segments_lie_in_huge_pages();
    a_cpuset_is_respected();
    strait_detach(segment);
    strait_segment_remove("numa-place", NULL);
    printf("%u nodes: %d checks, %d failed\n", machine.n, checks, failures);
    return failures != 0;
}
