/* SPDX-License-Identifier: MIT */
/*
 * A stream while shmctl tap and shmctl top look on, against the same one unwatched. Both watchers live all the while, pinned to
 * nothing, and are stopped but for the pieces of the watched run: their start is not measured, and everything else is the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../bench.h"
#include "../clock.h"
#include "../machine.h"
#include "../worker.h"

#define PIECE_MS 40 /* tap wakes twice in it; neighbours share the machine's mood */

extern const struct bench_peer bench_peer_strait, bench_peer_strait_watched;

enum { TAP, TOP, WATCHERS };

static struct watcher {
    pid_t pid;
    uint64_t cpu_ns; /* when the run's measured time began */
} watchers[WATCHERS];
static int tap_says = -1; /* a file that tap's standard error goes to */
static uint64_t watched_ns;

/* ---- processes ---- */

static uint64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? bench_clock_ns(clock) : 0;
}

static void become(const char *const *arguments, int says)
{
    char self[PATH_MAX] = "", path[PATH_MAX + 32];
    int null = open("/dev/null", O_RDWR);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    (void)n;
    bench_worker_alone();
    signal(SIGTERM, SIG_DFL); /* it is to say what it saw */
    bench_machine_pin(-1);
    dup2(null, STDOUT_FILENO);
    dup2(says >= 0 ? says : null, STDERR_FILENO);
    snprintf(path, sizeof path, "%s/../tools/shmctl", dirname(self));
    execv(path, (char *const *)(uintptr_t)arguments);
    execvp("shmctl", (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static int start(struct bench_run *run)
{
    char segment[STRAIT_NAME_BYTES];
    const char *const tap[] = {"shmctl", "tap", segment, "c0", NULL};
    const char *const top[] = {"shmctl", "top", "--interval", "0.1", NULL};

    snprintf(segment, sizeof segment, "bench-%d-%s", (int)getpid(), run->peer->name);
    tap_says = memfd_create("tap", MFD_CLOEXEC);
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i].pid = fork();
        if (watchers[i].pid < 0)
            return bench_why(run, -errno, "fork: %s", strerror(errno));
        if (watchers[i].pid == 0)
            become(i == TAP ? tap : top, i == TAP ? tap_says : -1);
    }
    return 0;
}

/* Stop or continue both; it has happened when this returns. */
static int tell(struct bench_run *run, int sig, int happened)
{
    for (int i = 0; i < WATCHERS; i++) {
        siginfo_t info = {.si_pid = 0};

        if (watchers[i].pid <= 0 || kill(watchers[i].pid, sig) < 0 ||
            waitid(P_PID, (id_t)watchers[i].pid, &info, happened | WEXITED) < 0)
            return bench_why(run, -ECHILD, "no shmctl to look on: %s", strerror(errno));
        if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
            watchers[i].pid = 0;
            return bench_why(run, -ECHILD, "shmctl %s ended with %d", i == TAP ? "tap" : "top", info.si_status);
        }
    }
    return 0;
}

/* ---- around the pieces of the watched run ---- */

static int before(struct bench_run *run)
{
    if (run->peer != &bench_peer_strait_watched)
        return 0;
    return watchers[TAP].pid ? tell(run, SIGCONT, WCONTINUED) : start(run);
}

static int after(struct bench_run *run)
{
    const struct bench_report *r = run->control->reports;
    int e;

    if (run->peer != &bench_peer_strait_watched)
        return 0;
    e = tell(run, SIGSTOP, WSTOPPED);
    if (e < 0)
        return e;
    for (int i = 0; i < WATCHERS && watched_ns == 0; i++) /* the first piece is not measured, nor their start */
        watchers[i].cpu_ns = cpu_of(watchers[i].pid);
    watched_ns += watched_ns ? (uint64_t)bench_to_ns(r[1].end - r[1].start) : 1;
    return 0;
}

/* What tap said when it ended: how many messages it saw. */
static unsigned long tapped(void)
{
    char text[256] = "";
    off_t end = lseek(tap_says, 0, SEEK_END), from = end > 255 ? end - 255 : 0;
    const char *line;
    ssize_t n = pread(tap_says, text, sizeof text - 1, from);

    text[n > 0 ? n - 1 : 0] = 0; /* nor the last line's end */
    line = strrchr(text, '\n');
    line = strstr(line ? line : text, "shmctl: ");
    return line ? strtoul(line + strlen("shmctl: "), NULL, 10) : 0;
}

static void end(struct bench_run *run)
{
    double share[WATCHERS] = {0};
    unsigned long seen;

    if (run->peer != &bench_peer_strait_watched)
        return;
    for (int i = 0; i < WATCHERS; i++) {
        if (watchers[i].pid <= 0)
            continue;
        share[i] =
            100.0 * (double)(cpu_of(watchers[i].pid) - watchers[i].cpu_ns) / (double)(watched_ns ? watched_ns : 1);
        kill(watchers[i].pid, SIGTERM);
        kill(watchers[i].pid, SIGCONT);
        waitpid(watchers[i].pid, NULL, 0);
    }
    seen = tap_says >= 0 ? tapped() : 0;
    if (run->outcome == BENCH_FINE && seen == 0) {
        run->outcome = BENCH_BROKEN;
        bench_why(run, 0, "tap saw nothing: this stream was not watched");
    }
    snprintf(run->note, sizeof run->note, "tap %.1f %% of a CPU, top %.1f %%; %lu tapped", share[TAP], share[TOP],
             seen);
    close(tap_says);
}

static void roles(const struct bench_run *run, unsigned role, int *tx_channel, int *rx_channel)
{
    (void)run;
    *(role == 0 ? tx_channel : rx_channel) = 0;
}

static void piece(struct bench_worker *w)
{
    (w->role == 0 ? w->run->peer->produce : w->run->peer->consume)(w);
}

/* Of the receiver, from its first moment to its last message. */
static double millions(const struct bench_run *run)
{
    const struct bench_report *r = &run->control->reports[1];
    return (double)r->messages * 1e3 / bench_to_ns(r->end - r->start);
}

static const struct bench_peer *const peers[] = {&bench_peer_strait, &bench_peer_strait_watched, NULL};
static const struct bench_case cases[] = {{.bytes = 48, .quick_pieces = 45, .full_pieces = 300}};

const struct bench_scenario bench_scenario_watched = {
    .name = "watched",
    .what = "one process sends, another receives; shmctl tap and top look on, or do not",
    .unit = "M msg/s",
    .better = BENCH_HIGHER,
    .takes = BENCH_STREAM,
    .floor = "strait",
    .cases = cases,
    .cases_n = 1,
    .piece_ns = PIECE_MS * UINT64_C(1000000),
    .fixed = true,
    .setting = "ring of 256; watchers anywhere",
    .producers = 1,
    .consumers = 1,
    .peers = peers,
    .roles = roles,
    .piece = piece,
    .before = before,
    .after = after,
    .end = end,
    .value = millions,
};
