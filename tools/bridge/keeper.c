/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strait/error.h>

#define PAUSE_LEAST_MS 20
#define PAUSE_MOST_MS  2000
#define QUICK_NS       UINT64_C(5000000000) /* a child that lives shorter dies quickly: the pause grows */
#define LOOK_MS        100

struct keeper {
    struct bridge *bridge;
    struct strait_segment *segment;
    struct strait_hold *hold[BRIDGE_LINKS];
    int signals;
    uint32_t held;
};

/* Hold what is there by now. Channels come when the programs come. */
static void hold(struct keeper *k)
{
    const struct bridge_options *o = &k->bridge->options;
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY, .directory = o->directory};

    if (k->segment == NULL && strait_attach(o->segment, &options, &k->segment) < 0)
        return;
    for (uint32_t i = 0; i < o->links; i++)
        if (k->hold[i] == NULL && strait_channel_hold(k->segment, o->link[i].name, &k->hold[i]) == 0)
            k->held++;
}

static void let_go(struct keeper *k)
{
    for (uint32_t i = 0; i < BRIDGE_LINKS; i++)
        strait_channel_unhold(k->hold[i]);
    strait_detach(k->segment);
}

static pid_t start(struct keeper *k, int (*be_bridge)(struct bridge *bridge))
{
    pid_t keeper = getpid(), pid = fork();

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != keeper)
        _exit(1);
    exit(be_bridge(k->bridge));
}

/* Until the child ends: its status. A signal to us is passed on. */
static int watch(struct keeper *k, pid_t pid, bool *ending)
{
    struct pollfd polled[] = {{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN},
                              {.fd = k->signals, .events = POLLIN}};
    struct signalfd_siginfo info;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        poll(polled, 2, k->held < k->bridge->options.links ? LOOK_MS : -1);
        if (read(k->signals, &info, sizeof info) > 0) {
            *ending = true;
            kill(pid, SIGTERM);
        }
        if (k->held < k->bridge->options.links)
            hold(k);
    }
    close(polled[0].fd);
    return status;
}

/* Wait before the next try: true, a signal came meanwhile. */
static bool rest(const struct keeper *k, int pause_ms)
{
    struct pollfd polled = {.fd = k->signals, .events = POLLIN};
    return poll(&polled, 1, pause_ms) > 0;
}

int keeper_run(struct bridge *b, int (*be_bridge)(struct bridge *bridge))
{
    struct keeper k = {.bridge = b};
    int pause_ms = PAUSE_LEAST_MS, status = 0;
    bool ending = false;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    k.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (k.signals < 0)
        return 1;
    while (!ending) {
        uint64_t started_ns = strait_now_ns();
        pid_t pid = start(&k, be_bridge);

        if (pid < 0) {
            bridge_say(b, "fork: %s", strerror(errno));
            break;
        }
        status = watch(&k, pid, &ending);
        if (WIFEXITED(status) || ending)
            break;
        pause_ms = strait_now_ns() - started_ns > QUICK_NS ? PAUSE_LEAST_MS
                   : pause_ms * 2 < PAUSE_MOST_MS          ? pause_ms * 2
                                                           : PAUSE_MOST_MS;
        bridge_say(b, "the bridge was killed by signal %d: starting it again", WTERMSIG(status));
        ending = rest(&k, pause_ms);
    }
    let_go(&k);
    return WIFEXITED(status) ? WEXITSTATUS(status) : !ending;
}
