/* SPDX-License-Identifier: MIT */
/*
 * A call to another machine, against a bare libnats request over the same server; and local traffic beside a bridge that has
 * nothing to do. Server, bridges and both responders run all the time; batches alternate. Nothing is pinned but the local round
 * trip. "Machines" are two segments here: what is measured is the way through two bridges and a server, not a wire.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"
#include "../clock.h"
#include "../machine.h"

#ifdef BENCH_HAVE_NATS
#include <nats/nats.h>

#define ROUNDS_QUICK 10
#define ROUNDS_FULL  40
#define CALLS        100   /* of a batch; its median counts */
#define TRIPS        20000 /* of a local batch; its mean counts */
#define BYTES        64
#define PATIENCE_NS  UINT64_C(10000000000)
#define PROCESSES    8

static struct {
    pid_t pid[PROCESSES];
    unsigned pids;
    char url[64], name[3][32]; /* of the segments: callers, workers, nobody's */
    char store[64];
    struct strait_segment *segment[3];
    struct strait_pool *pool;
    natsConnection *connection;
    struct strait_tx *tx[3];
    struct strait_rx *rx[3];
} all;

/* ---- processes ---- */

static pid_t start(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGTERM, SIG_DFL); /* the harness catches it */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    } else {
        all.pid[all.pids++] = pid;
    }
    return pid;
}

static void run_program(const char *const *arguments)
{
    int null;

    if (start() != 0)
        return;
    null = open("/dev/null", O_RDWR);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static void end_all(void)
{
    for (unsigned i = all.pids; i-- > 0;) {
        kill(all.pid[i], SIGTERM);
        waitpid(all.pid[i], NULL, 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        strait_detach(all.segment[i]);
        strait_segment_remove(all.name[i], NULL);
    }
    const char *const remove[] = {"rm", "-rf", all.store, NULL};
    all.pids = 0;
    run_program(remove);
    waitpid(all.pid[0], NULL, 0);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    bind(fd, (struct sockaddr *)&address, sizeof address);
    getsockname(fd, (struct sockaddr *)&address, &bytes);
    close(fd);
    return ntohs(address.sin_port);
}

static void start_server(void)
{
    char port[16];

    snprintf(port, sizeof port, "%d", free_port());
    snprintf(all.url, sizeof all.url, "nats://127.0.0.1:%s", port);
    snprintf(all.store, sizeof all.store, "/tmp/strait-bench-bridge-%d", (int)getpid());
    const char *const server[] = {"nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", all.store, NULL};
    run_program(server);
}

static void start_bridge(unsigned segment, const char *what)
{
    char program[PATH_MAX] = "", path[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    (void)n;
    snprintf(path, sizeof path, "%s/../tools/strait-bridge", dirname(program));
    const char *const bridge[] = {access(path, X_OK) == 0 ? path : "strait-bridge",
                                  "--server",
                                  all.url,
                                  "--app",
                                  "bench",
                                  "--segment",
                                  all.name[segment],
                                  what,
                                  "pool",
                                  NULL};
    run_program(bridge);
}

/* ---- the far ends ---- */

static int handle(struct strait_task *task, void *context)
{
    (void)context;
    return strait_task_answer(task, STRAIT_MSG_LAST, task->data, task->bytes);
}

static void serve_pool(void)
{
    struct strait_segment *segment;
    struct strait_pool *pool;

    if (start() != 0)
        return;
    if (strait_attach(all.name[1], NULL, &segment) == 0 && strait_pool_open(segment, "pool", NULL, &pool) == 0)
        strait_pool_serve(pool, handle, NULL, STRAIT_FOREVER);
    _exit(1);
}

static void answer(natsConnection *connection, natsSubscription *subscription, natsMsg *msg, void *closure)
{
    (void)subscription;
    (void)closure;
    natsConnection_Publish(connection, natsMsg_GetReply(msg), natsMsg_GetData(msg), natsMsg_GetDataLength(msg));
    natsMsg_Destroy(msg);
}

static natsStatus connect_bare(natsConnection **connection)
{
    uint64_t until_ns = bench_now_ns() + PATIENCE_NS;
    natsOptions *options;
    natsStatus e = natsOptions_Create(&options);

    if (e == NATS_OK)
        e = natsOptions_SetURL(options, all.url);
    if (e == NATS_OK)
        e = natsOptions_SetSendAsap(options, true); /* else a thread of libnats waits up to 1 ms for more */
    if (e != NATS_OK)
        return e;
    while ((e = natsConnection_Connect(connection, options)) != NATS_OK && bench_now_ns() < until_ns)
        sched_yield(); /* the server is on its way */
    natsOptions_Destroy(options);
    return e;
}

static void serve_bare(void)
{
    natsConnection *connection;
    natsSubscription *subscription;

    if (start() != 0)
        return;
    if (connect_bare(&connection) == NATS_OK &&
        natsConnection_Subscribe(&subscription, connection, "bench.bare", answer, NULL) == NATS_OK)
        for (;;)
            pause();
    _exit(1);
}

static void echo_local(unsigned segment)
{
    struct strait_segment *s;
    struct strait_rx *rx;
    struct strait_tx *tx;
    unsigned char bytes[48];

    if (start() != 0)
        return;
    bench_machine_pin(1);
    if (strait_attach(all.name[segment], NULL, &s) == 0 && strait_rx_open(s, "there", NULL, &rx) == 0 &&
        strait_tx_open(s, "back", NULL, &tx) == 0)
        while (strait_recv(rx, bytes, sizeof bytes, STRAIT_FOREVER) >= 0)
            strait_send(tx, bytes, sizeof bytes, STRAIT_FOREVER);
    _exit(1);
}

/* ---- batches ---- */

static int bare_request(void)
{
    unsigned char bytes[BYTES] = {1};
    natsMsg *msg;
    natsStatus e = natsConnection_Request(&msg, all.connection, "bench.bare", bytes, sizeof bytes, 2000);

    if (e == NATS_OK)
        natsMsg_Destroy(msg);
    return e == NATS_OK ? 0 : -EIO;
}

static int bridged_request(void)
{
    unsigned char bytes[BYTES] = {1}, back[BYTES];
    int64_t r = strait_pool_execute(all.pool, 0, bytes, sizeof bytes, back, sizeof back, NULL,
                                    strait_after_ns(UINT64_C(2000000000)));

    return r == BYTES ? 0 : r < 0 ? (int)r : -EPROTO;
}

static double requests_ns(int (*request)(void))
{
    double ns[CALLS];

    for (int i = 0; i < CALLS; i++) {
        uint64_t began_ns = bench_now_ns();
        if (request() < 0)
            return -1;
        ns[i] = (double)(bench_now_ns() - began_ns);
    }
    return bench_median(ns, CALLS);
}

static double local_ns(unsigned segment)
{
    unsigned char bytes[48] = {1};
    cpu_set_t before;
    uint64_t began_ns;

    sched_getaffinity(0, sizeof before, &before);
    bench_machine_pin(0);
    began_ns = bench_now_ns();
    for (int i = 0; i < TRIPS; i++)
        if (strait_send(all.tx[segment], bytes, sizeof bytes, STRAIT_FOREVER) < 0 ||
            strait_recv(all.rx[segment], bytes, sizeof bytes, STRAIT_FOREVER) < 0)
            return -1;
    began_ns = bench_now_ns() - began_ns;
    sched_setaffinity(0, sizeof before, &before);
    return (double)began_ns / TRIPS;
}

static double batch_ns(const struct bench_run *run)
{
    switch (*(const char *)run->peer->own) {
    case 'n':
        return requests_ns(bare_request);
    case 's':
        return requests_ns(bridged_request);
    case 'b':
        return local_ns(0);
    default:
        return local_ns(2);
    }
}

/* ---- all of it ---- */

static int open_all(void)
{
    uint64_t until_ns = bench_now_ns() + PATIENCE_NS;
    int r = 0;

    for (unsigned i = 0; i < 3 && r == 0; i++) {
        snprintf(all.name[i], sizeof all.name[i], "bench.bridge.%d.%u", (int)getpid(), i);
        r = strait_attach(all.name[i], NULL, &all.segment[i]);
    }
    if (r == 0)
        r = strait_pool_open(all.segment[0], "pool", NULL, &all.pool);
    if (r < 0)
        return r;
    start_server();
    start_bridge(0, "--call");
    start_bridge(1, "--serve");
    serve_pool();
    serve_bare();
    for (unsigned i = 0; i < 3 && r == 0; i += 2) {
        echo_local(i);
        r = strait_tx_open(all.segment[i], "there", NULL, &all.tx[i]);
        if (r == 0)
            r = strait_rx_open(all.segment[i], "back", NULL, &all.rx[i]);
    }
    if (r < 0)
        return r;
    if (connect_bare(&all.connection) != NATS_OK)
        return -ECONNREFUSED;
    while ((r = bridged_request()) < 0 && bench_now_ns() < until_ns) {
    }
    while (r == 0 && (r = bare_request()) < 0 && bench_now_ns() < until_ns)
        r = 0;
    return r;
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    int r = open_all();

    for (unsigned round = 0; r == 0 && round <= (quick ? ROUNDS_QUICK : ROUNDS_FULL); round++)
        for (unsigned i = 0; i < n; i++) {
            double ns = batch_ns(runs[i]);
            if (ns < 0)
                r = -EIO;
            else if (round > 0) /* the first one warms up */
                runs[i]->pieces[runs[i]->pieces_n++] = (struct bench_piece){.value = ns, .place = BENCH_MIXED};
        }
    for (unsigned i = 0; r < 0 && i < n; i++) {
        runs[i]->outcome = BENCH_NOT_RUN;
        runs[i]->pieces_n = 0;
        bench_why(runs[i], 0, "nats-server or strait-bridge cannot be started: %s", strait_strerror(r));
    }
    natsConnection_Destroy(all.connection);
    end_all();
    return 0;
}

#define ABSENT NULL
#else
#define ABSENT "libnats-dev"
static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    (void)runs;
    (void)n;
    (void)quick;
    return 0;
}
#endif

#define PEER(symbol, its_name, its_what, letter, its_flags)                                                            \
    static const struct bench_peer symbol = {                                                                          \
        .name = its_name, .what = its_what, .flags = BENCH_OTHER | (its_flags), .absent = ABSENT, .own = letter}

PEER(bare, "libnats", "natsConnection_Request, a callback answers", "n", BENCH_FLOOR);
PEER(bridged, "strait-bridge", "strait_pool_execute, served behind two bridges", "s", BENCH_OURS);
PEER(alone, "local", "local round trip, no bridge on the segment", "l", BENCH_OURS);
PEER(beside, "local-beside-bridge", "local round trip, an idle bridge on the segment", "b", BENCH_OURS);

static const struct bench_peer *const peers[] = {&bare, &bridged, &alone, &beside, NULL};
static const struct bench_case cases[] = {{.bytes = 64}};

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    (void)role;
    *tx_channel = *rx_channel = -1;
}

const struct bench_scenario bench_scenario_bridge = {
    .name = "bridge",
    .what = "a call over NATS and back; local traffic beside an idle bridge",
    .unit = "ns",
    .better = BENCH_LOWER,
    .takes = BENCH_OTHER,
    .floor = "libnats",
    .cases = cases,
    .cases_n = 1,
    .producers = 1,
    .consumers = 1,
    .fixed = true,
    .setting = "one request at a time over one nats-server on loopback; two bridges, two segments",
    .peers = peers,
    .roles = roles,
    .measure = measure,
};
