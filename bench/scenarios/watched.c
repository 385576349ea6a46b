/* SPDX-License-Identifier: MIT */
/*
 * A stream while shmctl tap and shmctl top look on, against the same stream unwatched: the same two processes, the same ring, piece
 * after piece. Each piece that counts is divided by the unwatched ones beside it, so that what the machine does meanwhile falls
 * out: watched pieces, and, to show what this way of measuring is worth, unwatched ones ("strait": it should say 100).
 * The watchers live all the while, pinned to nothing, and stand still but for the watched pieces.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
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
#include "../probe.h"
#include "../worker.h"

#define PIECE_NS  UINT64_C(30000000)  /* neighbours share the machine's mood */
#define LOOK_NS   UINT64_C(100000000) /* top's interval */
#define TAP_LEAST 1000                /* messages a second that it must have seen, without a limit */
#define QUICK_NS  UINT64_C(10000000000)
#define FULL_NS   UINT64_C(60000000000)
#define LEAST     10 /* pieces of each kind that count, within PATIENCE times as long */
#define PATIENCE  2
#define STEADY    1.1 /* so far apart may the pieces beside one be */
#define GOLDEN    0.6180339887

extern const struct bench_peer bench_peer_strait, bench_peer_strait_watched;

enum { TAP, TOP, WATCHERS };

static struct watcher {
    pid_t pid;
    uint64_t cpu_ns; /* in watched pieces */
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

static int start(struct bench_run *run)
{
    char segment[STRAIT_NAME_BYTES];
    const char *const tap[] = {"shmctl", "tap", segment, "c0", "--rate", "0", NULL};
    const char *const top[] = {"shmctl", "top", "--interval", "0.1", NULL};

    snprintf(segment, sizeof segment, "bench-%d-%s", (int)getpid(), run->peer->name);
    watched_ns = 0;
    tap_says = memfd_create("tap", MFD_CLOEXEC);
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = (struct watcher){.pid = fork()};
        if (watchers[i].pid < 0)
            return bench_why(run, -errno, "fork: %s", strerror(errno));
        if (watchers[i].pid == 0)
            become(i == TAP ? tap : top, i == TAP ? tap_says : -1);
    }
    return tell(run, SIGSTOP, WSTOPPED);
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

static void end_watchers(void)
{
    for (int i = 0; i < WATCHERS; i++) {
        if (watchers[i].pid <= 0)
            continue;
        kill(watchers[i].pid, SIGTERM);
        kill(watchers[i].pid, SIGCONT);
        waitpid(watchers[i].pid, NULL, 0);
    }
}

/* ---- pieces ---- */

/* Of the receiver, from its first moment to its last message, in millions a second; 0 or less = it failed. */
static double plain_piece(struct bench_run *run)
{
    const struct bench_report *r = run->control->reports;

    if (bench_workers_piece(run) < 0)
        return 0;
    if (r[0].bad || r[1].bad || r[0].messages != r[1].messages) {
        bench_why(run, 0, "WRONG PAYLOAD, or messages lost");
        return 0;
    }
    return (double)r[1].messages * 1e3 / bench_to_ns(r[1].end - r[1].start);
}

/* top's and tap's timers ran out while they stood still: both look at once. So let go before the piece begins, each time by
 * another part of their rhythm, so that a piece has as many looks as its length has, be that no whole number. */
static void wait_a_part(unsigned nth)
{
    double part = nth * GOLDEN;
    struct timespec t = {0, (long)((part - floor(part)) * (double)LOOK_NS)};

    nanosleep(&t, NULL);
}

static double watched_piece(struct bench_run *run, unsigned nth)
{
    const struct bench_report *r = run->control->reports;
    uint64_t before[WATCHERS];
    double rate;

    if (tell(run, SIGCONT, WCONTINUED) < 0)
        return 0;
    wait_a_part(nth);
    for (int i = 0; i < WATCHERS; i++)
        before[i] = cpu_of(watchers[i].pid);
    rate = plain_piece(run);
    for (int i = 0; i < WATCHERS; i++)
        watchers[i].cpu_ns += cpu_of(watchers[i].pid) - before[i];
    if (rate > 0)
        watched_ns += (uint64_t)bench_to_ns(r[1].end - r[1].start);
    return tell(run, SIGSTOP, WSTOPPED) < 0 ? 0 : rate;
}

/* ---- the measurement ---- */

static enum bench_place place_of(const struct bench_run *run)
{
    const struct bench_report *r = run->control ? run->control->reports : NULL; /* NULL = the piece failed */
    return r ? bench_probe_place(r[0].line_before, r[0].line_after) : BENCH_MIXED;
}

/* Counts a piece between two unwatched ones, if those agree: else the machine went elsewhere meanwhile, and the piece between
 * says nothing. Which ones are left out does not depend on what they would say. */
static void count(struct bench_run *run, double before, double piece, double after, bool moved)
{
    if (!moved && before < after * STEADY && after < before * STEADY && run->pieces_n < BENCH_PIECES)
        run->pieces[run->pieces_n++] =
            (struct bench_piece){.value = 100 * piece / sqrt(before * after), .place = BENCH_MIXED};
}

/* Unwatched, watched, unwatched, unwatched …: runs[0] gets the unwatched ones that count, runs[1] the watched; the processes
 * are those of runs[0]. The unwatched ones' median rate in *rate. */
static int take_pieces(struct bench_run **runs, uint64_t lasts_ns, double *rate)
{
    uint64_t start = bench_now_ns();
    double before = plain_piece(runs[0]), after, piece, rates[BENCH_PIECES];
    enum bench_place from = place_of(runs[0]), at, to;
    unsigned n = 0;

    for (bool enough = false; !enough && n < BENCH_PIECES && !bench_interrupted; n++, before = after, from = to) {
        bool watched = n % 2;
        if (!watched)
            wait_a_part(n / 2);
        piece = watched ? watched_piece(runs[0], n / 2) : plain_piece(runs[0]);
        at = place_of(runs[0]);
        after = piece > 0 ? plain_piece(runs[0]) : 0;
        if (before <= 0 || after <= 0)
            return -EIO;
        to = place_of(runs[0]);
        count(runs[watched], before, piece, after, at == BENCH_MIXED || at != from || at != to);
        rates[n] = after;
        enough = bench_now_ns() > start + lasts_ns && runs[0]->pieces_n >= LEAST && runs[1]->pieces_n >= LEAST;
        enough |= bench_now_ns() > start + PATIENCE * lasts_ns;
    }
    *rate = bench_median(rates, n);
    return runs[0]->pieces_n && runs[1]->pieces_n ? 0 : bench_why(runs[0], -EIO, "restless: no two pieces alike");
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between which two pieces the true median lies, by 19 to 1, whatever their distribution. */
static void median_between(const struct bench_run *run, double *least, double *most)
{
    double v[BENCH_PIECES];
    unsigned n = run->pieces_n, off = (unsigned)(0.98 * sqrt(n)) + 1;

    for (unsigned i = 0; i < n; i++)
        v[i] = run->pieces[i].value;
    qsort(v, n, sizeof v[0], by_size);
    *least = v[n / 2 > off ? n / 2 - off : 0];
    *most = v[n / 2 + off < n ? n / 2 + off : n - 1];
}

static void note(struct bench_run *run, const char *format, double a, double b)
{
    double least, most;
    int n;

    median_between(run, &least, &most);
    n = snprintf(run->note, sizeof run->note, "%.1f..%.1f; ", least, most);
    snprintf(run->note + n, sizeof run->note - (size_t)n, format, a, b);
}

static int fail(struct bench_run **runs, unsigned n, enum bench_outcome outcome)
{
    for (unsigned i = 0; i < n; i++) {
        runs[i]->outcome = outcome;
        if (i)
            memcpy(runs[i]->why, runs[0]->why, sizeof runs[i]->why);
    }
    return 0;
}

static int measure(struct bench_run **runs, unsigned n, bool quick)
{
    double rate = 0, watched_s;
    unsigned long seen;
    int r = n == 2 ? bench_workers_start(runs[0]) : bench_why(runs[0], -EINVAL, "takes both of its rows, or none");

    if (r < 0)
        return fail(runs, n, BENCH_NOT_RUN);
    r = start(runs[0]);
    if (r == 0 && watched_piece(runs[0], 0) <= 0) /* to warm up, and to have their start behind us */
        r = -EIO;
    if (r == 0) {
        watched_ns = watchers[TAP].cpu_ns = watchers[TOP].cpu_ns = 0;
        r = take_pieces(runs, quick ? QUICK_NS : FULL_NS, &rate);
    }
    end_watchers();
    seen = tap_says >= 0 ? tapped() : 0;
    close(tap_says);
    bench_workers_stop(runs[0]);
    watched_s = (double)watched_ns / 1e9;
    if (r == 0 && (double)seen < TAP_LEAST * watched_s)
        r = bench_why(runs[0], -EIO, "tap saw %lu messages in %.1f s: this stream was not watched", seen, watched_s);
    if (r < 0)
        return fail(runs, n, BENCH_BROKEN);
    note(runs[0], "%.1f M msg/s", rate, 0);
    note(runs[1], "tap %.1f, top %.1f %% of a CPU", (double)watchers[TAP].cpu_ns / watched_s / 1e7,
         (double)watchers[TOP].cpu_ns / watched_s / 1e7);
    return 0;
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

static const struct bench_peer *const peers[] = {&bench_peer_strait, &bench_peer_strait_watched, NULL};
static const struct bench_case cases[] = {{.bytes = 48}};

const struct bench_scenario bench_scenario_watched = {
    .name = "watched",
    .what = "a stream while shmctl tap and top look on, in % of its rate a moment before and after",
    .unit = "%",
    .better = BENCH_HIGHER,
    .takes = BENCH_STREAM,
    .floor = "strait",
    .cases = cases,
    .cases_n = 1,
    .piece_ns = PIECE_NS,
    .fixed = true,
    .setting = "ring of 256; watchers anywhere",
    .producers = 1,
    .consumers = 1,
    .peers = peers,
    .roles = roles,
    .piece = piece,
    .measure = measure,
};
