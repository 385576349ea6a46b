/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <strait/error.h>

static pid_t first; /* the process that runs the tests */

__attribute__((constructor)) static void remember_first(void)
{
    first = getpid();
}

/* cmocka's, where the test is one of cmocka's: the test has failed, the next one runs. */
__attribute__((weak)) void _fail(const char *file, int line);

_Noreturn static void end(const char *file, int line)
{
    fflush(NULL);
    if (_fail && getpid() == first)
        _fail(file, line);
    _exit(99);
}

void peer_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: pid %d: not true: %s (%s; errno %s)\n", file, line, getpid(), what, strait_error(),
            strerror(errno));
    end(file, line);
}

void peer_differs(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    fprintf(stderr, "%s:%d: pid %d: %s is %" PRId64 " (%s), not %" PRId64 " (%s)\n", file, line, getpid(), what, got,
            got < 0 && got > -4096 ? strait_strerror((int)got) : "", want, strait_error());
    end(file, line);
}

void *shared_new(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        err(99, "mmap");
    return memory;
}

void shared_free(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

pid_t peer_start(void (*act)(void *arg), void *arg)
{
    pid_t parent = getpid(), pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        err(99, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(99);
        act(arg);
        fflush(NULL);
        _exit(0);
    }
    return pid;
}

static int reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            err(99, "waitpid");
    return status;
}

void peer_join(pid_t pid)
{
    int status = reap(pid);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "peer %d ended badly: %s %d\n", pid, WIFEXITED(status) ? "exit" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        end(__FILE__, __LINE__);
    }
}

void peer_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    reap(pid);
}

void peer_stop(pid_t pid)
{
    int status;

    kill(pid, SIGSTOP);
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
        errx(99, "peer %d did not stop", pid);
}

void peer_continue(pid_t pid)
{
    kill(pid, SIGCONT);
}

static uint64_t seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

static bool asleep(pid_t pid)
{
    char path[64], text[512] = "", *at;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (f == NULL)
        return false;
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    at = strrchr(text, ')');
    return at && at[2] == 'S';
}

void peer_await_sleep(pid_t pid)
{
    uint64_t until = seconds() + PATIENCE_S;

    while (!asleep(pid)) {
        if (seconds() > until)
            errx(99, "peer %d never slept", pid);
        nanosleep(&(struct timespec){0, 1000000}, NULL); /* between looks, not to be in time */
    }
}

void gate_open(gate *g)
{
    gate_count(g);
}

bool gate_is_open(const gate *g)
{
    return __atomic_load_n(g, __ATOMIC_SEQ_CST) != 0;
}

void gate_wait(gate *g)
{
    gate_wait_count(g, 1);
}

void gate_count(gate *g)
{
    __atomic_fetch_add(g, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, g, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void gate_wait_count(gate *g, uint32_t n)
{
    uint64_t until = seconds() + PATIENCE_S;
    uint32_t seen;

    while ((seen = __atomic_load_n(g, __ATOMIC_SEQ_CST)) < n) {
        struct timespec bound = {1, 0};
        if (seconds() > until)
            errx(99, "pid %d: a gate stays at %u, not %u", getpid(), seen, n);
        syscall(SYS_futex, g, FUTEX_WAIT, seen, &bound, NULL, 0);
    }
}

uint64_t soon(void)
{
    return strait_after_ns(PATIENCE_S * UINT64_C(1000000000));
}

uint32_t test_rounds(uint32_t n)
{
    const char *brief = getenv("STRAIT_SHORT");

    if (brief == NULL || *brief == 0 || *brief == '0')
        return n;
    return n < 10 ? 1 : n / 10;
}
