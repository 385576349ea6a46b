/* SPDX-License-Identifier: MIT */
/*
 * From a death to the next delivery. A process claims a slot and is killed; a message that was sent behind that slot
 * waits, and the receiver sleeps before it. Time starts when the kernel has freed the dead one's lease (asked through a
 * description of our own: F_OFD_GETLK) and ends when the receiver has the message.
 *
 *   recover        the channel was in use a moment ago
 *   recover-quiet  nothing has happened on it for 5 s, and its sleepers look up more rarely
 *
 * Only ours compete: a ring with tickets never delivers again, and a kernel queue has no claims.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"
#include "../clock.h"
#include "../machine.h"
#include "../worker.h"

#define TRIALS_QUICK 8
#define TRIALS_FULL  30
#define QUIET_TRIALS 6
#define QUIET_NS     (UINT64_C(5) * 1000 * 1000 * 1000)
#define STUCK_NS     (UINT64_C(10) * 1000 * 1000 * 1000)

enum { VICTIM, RECEIVER, SENDER, PARTIES };

/* What the parties tell each other. Shared memory. */
struct stage {
    uint64_t attached[PARTIES]; /* each party, when it is ready; the harness */
    uint64_t claimed;           /* victim; sender */
    uint64_t sent, received_ns; /* sender; receiver. the harness */
};

struct trial {
    struct bench_run *run;
    char name[STRAIT_NAME_BYTES];
    struct stage *stage;
    pid_t pids[PARTIES];
    int lock_fd;
    int victim_lease;
};

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    (void)role;
    *tx_channel = *rx_channel = -1;
}

static bool wait_for(const uint64_t *flag)
{
    uint64_t end = bench_now_ns() + STUCK_NS;
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) {
        if (bench_now_ns() > end)
            return false;
        usleep(100); /* nothing is measured yet */
    }
    return true;
}

/* ---- the parties ---- */

static void victim(struct trial *t, struct strait_segment *segment)
{
    struct strait_tx *tx;
    struct strait_claim claim;
    if (strait_tx_open(segment, "c0", NULL, &tx) < 0 || strait_claim(tx, &claim, STRAIT_NOW) < 0)
        _exit(1);
    __atomic_store_n(&t->stage->claimed, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void receiver(struct trial *t, struct strait_segment *segment)
{
    struct strait_rx *rx;
    uint64_t message;
    if (strait_rx_open(segment, "c0", NULL, &rx) < 0)
        _exit(1);
    __atomic_store_n(&t->stage->attached[RECEIVER], 1, __ATOMIC_RELEASE);
    if (strait_recv(rx, &message, sizeof message, STRAIT_FOREVER) != sizeof message)
        _exit(1);
    __atomic_store_n(&t->stage->received_ns, bench_now_ns(), __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void sender(struct trial *t, struct strait_segment *segment)
{
    struct strait_tx *tx;
    uint64_t message = 1;
    if (strait_tx_open(segment, "c0", NULL, &tx) < 0 || !wait_for(&t->stage->claimed) ||
        strait_send(tx, &message, sizeof message, STRAIT_FOREVER) != 0)
        _exit(1);
    __atomic_store_n(&t->stage->sent, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static pid_t fork_party(struct trial *t, int party)
{
    static void (*const parts[])(struct trial *, struct strait_segment *) = {victim, receiver, sender};
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY};
    struct strait_segment *segment;
    pid_t pid = fork();
    if (pid)
        return pid;
    bench_worker_alone();
    if (strait_attach(t->name, &options, &segment) < 0)
        _exit(1);
    parts[party](t, segment);
    _exit(1);
}

/* ---- who holds which lease ---- */

static bool lease_held(int fd, int lease)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_LEASES + lease, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* The only lease that is held: the victim's, as long as nobody else has attached. */
static int only_lease(int fd)
{
    for (int lease = 1; lease < STRAIT_LEASES; lease++) {
        if (lease_held(fd, lease))
            return lease;
    }
    return -1;
}

/* ---- a trial ---- */

static int trial_open(struct trial *t, struct bench_run *run, unsigned nth)
{
    char path[128];
    struct strait_segment *segment;
    struct strait_segment_options options = {.attach = STRAIT_CREATE_ONLY, .bytes = 2u << 20};
    struct strait_channel_options channel = {.depth = run->shape.depth,
                                             .receivers = STRAIT_ONE,
                                             .lanes = strcmp(run->peer->name, "strait-lanes") == 0 ? 4 : 0};
    *t = (struct trial){.run = run, .lock_fd = -1};
    snprintf(t->name, sizeof t->name, "bench-%d-recover-%u", getpid(), nth);
    t->stage = bench_share(sizeof *t->stage);
    int r = t->stage ? strait_attach(t->name, &options, &segment) : -ENOMEM;
    if (r < 0)
        return bench_why(run, r, "not run: strait_attach: %.100s", strait_error());
    r = strait_channel_create(segment, "c0", &channel);
    strait_detach(segment);
    if (r < 0)
        return bench_why(run, r, "not run: strait_channel_create: %.100s", strait_error());
    const char *folder = getenv("STRAIT_DIR");
    snprintf(path, sizeof path, "%.60s/strait.%.48s", folder ? folder : "/dev/shm", t->name);
    t->lock_fd = open(path, O_RDWR | O_CLOEXEC);
    return t->lock_fd < 0 ? bench_why(run, -errno, "not run: %s: %s", path, strerror(errno)) : 0;
}

/* The victim first, alone, so that its lease is known; then the message behind its claim. */
static bool trial_begin(struct trial *t)
{
    t->pids[VICTIM] = fork_party(t, VICTIM);
    if (!wait_for(&t->stage->claimed))
        return false;
    t->victim_lease = only_lease(t->lock_fd);
    t->pids[RECEIVER] = fork_party(t, RECEIVER);
    if (!wait_for(&t->stage->attached[RECEIVER]))
        return false;
    t->pids[SENDER] = fork_party(t, SENDER);
    return wait_for(&t->stage->sent) && t->victim_lease > 0;
}

/* Milliseconds from the lease's end to the delivery; below 0: it never came. */
static double trial_kill(struct trial *t)
{
    kill(t->pids[VICTIM], SIGKILL);
    while (lease_held(t->lock_fd, t->victim_lease))
        ;
    uint64_t freed_ns = bench_now_ns();
    waitpid(t->pids[VICTIM], NULL, 0);
    t->pids[VICTIM] = 0;
    if (!wait_for(&t->stage->received_ns))
        return -1;
    uint64_t received_ns = __atomic_load_n(&t->stage->received_ns, __ATOMIC_ACQUIRE);
    return received_ns > freed_ns ? (double)(received_ns - freed_ns) / 1e6 : 0.0;
}

static void trial_close(struct trial *t)
{
    for (int i = 0; i < PARTIES; i++) {
        if (t->pids[i] <= 0)
            continue;
        kill(t->pids[i], SIGKILL);
        waitpid(t->pids[i], NULL, 0);
    }
    if (t->lock_fd >= 0)
        close(t->lock_fd);
    if (t->name[0])
        strait_segment_remove(t->name, NULL);
}

/* All trials stand ready at the same time, and rest as long as is asked; then one kill after the other. */
static void trials(struct bench_run *run, unsigned n, uint64_t rest_ns)
{
    struct trial t[TRIALS_FULL] = {0};
    bool ready = true;
    for (unsigned i = 0; ready && i < n; i++) {
        ready = trial_open(&t[i], run, i) == 0 && trial_begin(&t[i]);
        if (ready && rest_ns == 0) {
            double ms = trial_kill(&t[i]);
            run->pieces[run->pieces_n++] = (struct bench_piece){.value = ms, .place = BENCH_MIXED};
        }
    }
    struct timespec rest = {(time_t)(rest_ns / 1000000000), 0};
    if (ready && rest_ns)
        nanosleep(&rest, NULL);
    for (unsigned i = 0; ready && rest_ns && i < n; i++) {
        double ms = trial_kill(&t[i]);
        run->pieces[run->pieces_n++] = (struct bench_piece){.value = ms, .place = BENCH_MIXED};
    }
    for (unsigned i = 0; i < n; i++)
        trial_close(&t[i]);
    if (!ready) {
        run->outcome = BENCH_NOT_RUN;
        if (!run->why[0])
            bench_why(run, 0, "not run: a process of the trial did not get ready");
    }
    for (unsigned i = 0; i < run->pieces_n; i++) {
        if (run->pieces[i].value < 0) {
            run->outcome = BENCH_BROKEN;
            bench_why(run, 0, "NEVER DELIVERED within 10 s of the death");
        }
    }
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    for (unsigned i = 0; i < n; i++)
        trials(runs[i], quick ? TRIALS_QUICK : TRIALS_FULL, 0);
    return 0;
}

static int measure_quiet(struct bench_run **runs, unsigned n, bool quick)
{
    (void)quick;
    for (unsigned i = 0; i < n; i++)
        trials(runs[i], QUIET_TRIALS, QUIET_NS);
    return 0;
}

#define OURS(symbol, its_name, its_what)                                                                               \
    static const struct bench_peer symbol = {.name = its_name, .what = its_what, .flags = BENCH_OURS | BENCH_RECOVER}

OURS(one_ring, "strait-many-sleeping", "many/one, one shared ring");
OURS(lanes, "strait-lanes", "a ring for each sender");

static const struct bench_peer *const ours[] = {&one_ring, &lanes, NULL};
static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_recover = {
    .name = "recover",
    .what = "from the kernel freeing a dead sender's lease to the next delivery",
    .unit = "ms",
    .better = BENCH_LOWER,
    .takes = BENCH_RECOVER,
    .cases = cases,
    .cases_n = 1,
    .producers = 2,
    .consumers = 1,
    .fixed = true,
    .peers = ours,
    .roles = roles,
    .measure = measure,
};

const struct bench_scenario bench_scenario_recover_quiet = {
    .name = "recover-quiet",
    .what = "the same on a channel that has been quiet for 5 s",
    .unit = "ms",
    .better = BENCH_LOWER,
    .takes = BENCH_RECOVER,
    .cases = cases,
    .cases_n = 1,
    .producers = 2,
    .consumers = 1,
    .fixed = true,
    .peers = ours,
    .roles = roles,
    .measure = measure_quiet,
};
