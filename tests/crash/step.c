/* SPDX-License-Identifier: MIT */
#include "step.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_US   4000 /* of the timer that interrupts waitpid */
#define TICKS_MET 3    /* so many in one step, and the child asleep: it is blocked */
#define VDSO_MOST 16384

#if defined(__x86_64__)

/* One trap each, then return. step_end's address ends the window, its trap catches a child that runs natively. */
__asm__(".text\n"
        ".globl step_begin\n.type step_begin,@function\nstep_begin:\n\tint3\n\tret\n.size step_begin,.-step_begin\n"
        ".globl step_end\n.type step_end,@function\nstep_end:\n\tint3\n\tret\n.size step_end,.-step_end\n");

bool step_supported(void)
{
    return true;
}

static uint64_t step_read_rip(pid_t pid)
{
    errno = 0;
    return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), 0);
}

static void step_write_rip(pid_t pid, uint64_t rip)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), rip);
}

#define STEP_TRAP      0xCCu
#define STEP_TRAP_MASK 0xFFul

static bool step_is_syscall(pid_t pid, uint64_t rip)
{
    return (ptrace(PTRACE_PEEKTEXT, pid, rip, 0) & 0xFFFF) == 0x050F;
}

#else

void step_begin(void)
{
}

void step_end(void)
{
}

bool step_supported(void)
{
    return false;
}

static uint64_t step_read_rip(pid_t pid)
{
    (void)pid;
    return 0;
}

static void step_write_rip(pid_t pid, uint64_t rip)
{
    (void)pid;
    (void)rip;
}

#define STEP_TRAP      0u
#define STEP_TRAP_MASK 0ul

static bool step_is_syscall(pid_t pid, uint64_t rip)
{
    (void)pid;
    (void)rip;
    return false;
}

#endif

uint64_t step_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void tick(int sig)
{
    (void)sig; /* only to make waitpid return */
}

int step_setup(void)
{
    struct sigaction act = {.sa_handler = tick}; /* no SA_RESTART: that is the point */
    struct itimerval every = {{0, TICK_US}, {0, TICK_US}};
    if (sigaction(SIGALRM, &act, NULL) < 0 || setitimer(ITIMER_REAL, &every, NULL) < 0)
        return -errno;
    return 0;
}

void step_trace_me(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static bool asleep_in(pid_t pid, long call)
{
    char path[48], text[64];
    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool got = fgets(text, sizeof(text), f) != NULL;
    fclose(f);
    if (!got || text[0] < '0' || text[0] > '9') /* "running", or -1: not in a system call */
        return false;
    return call < 0 || strtol(text, NULL, 10) == call;
}

bool step_asleep(pid_t pid)
{
    return asleep_in(pid, SYS_futex);
}

/* Waits for the next stop. `sleep_ok`: a sleeping child is waited for until the limit, else it is STEP_BLOCKED. */
static enum step_stop wait_stop(struct step *s, bool sleep_ok)
{
    uint64_t begun = 0;
    for (int ticks = 0;;) {
        pid_t got = waitpid(s->pid, &s->status, __WALL);
        if (got == s->pid)
            break;
        if (errno != EINTR)
            return STEP_GONE;
        if (!begun)
            begun = step_now_ns();
        s->running = true;
        if (++ticks >= TICKS_MET && !sleep_ok && asleep_in(s->pid, -1))
            return STEP_BLOCKED;
        if (step_now_ns() - begun > s->limit_ns)
            return STEP_HUNG;
    }
    s->running = false;
    if (!WIFSTOPPED(s->status) || WSTOPSIG(s->status) != SIGTRAP)
        return STEP_GONE;
    s->rip = step_read_rip(s->pid);
    return STEP_AT;
}

static enum step_stop resume(struct step *s, enum __ptrace_request how, bool sleep_ok)
{
    if (ptrace(how, s->pid, 0, 0) < 0)
        return STEP_GONE;
    return wait_stop(s, sleep_ok);
}

enum step_stop step_attach(struct step *s, pid_t pid, uint64_t limit_ns)
{
    *s = (struct step){.pid = pid, .limit_ns = limit_ns};
    enum step_stop stop = wait_stop(s, true);
    if (stop != STEP_AT)
        return stop;
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
    return s->rip == (uint64_t)(uintptr_t)step_begin + 1 ? STEP_AT : STEP_GONE;
}

/* Runs natively until `rip` has been met `times` times. */
static enum step_stop run_to_address(struct step *s, uint64_t rip, uint32_t times)
{
    errno = 0;
    unsigned long was = (unsigned long)ptrace(PTRACE_PEEKTEXT, s->pid, rip, 0);
    enum step_stop stop = errno ? STEP_GONE : STEP_AT;
    while (times-- && stop == STEP_AT) {
        if (s->rip == rip) /* from where it stands, over the address itself */
            stop = resume(s, PTRACE_SINGLESTEP, true);
        if (stop != STEP_AT)
            break;
        ptrace(PTRACE_POKETEXT, s->pid, rip, (was & ~STEP_TRAP_MASK) | STEP_TRAP);
        stop = resume(s, PTRACE_CONT, true);
        if (stop != STEP_AT)
            break;
        ptrace(PTRACE_POKETEXT, s->pid, rip, was);
        step_write_rip(s->pid, --s->rip); /* behind the trap, which is one byte */
        if (s->rip != rip)
            break; /* the window's end, by another way than the recorded one */
    }
    return stop;
}

/* The cheapest recorded place from which n can be stepped to; a visit costs about three steps. */
static uint64_t anchor(const struct step *s, uint64_t n, const struct step_trace *known)
{
    uint64_t at = n < known->n ? n : known->n - 1, best = s->done, cost = n - s->done;
    for (uint64_t a = at; a > s->done && at - a < cost; a--)
        if (known->visit[a] && at - a + 3 * known->visit[a] + 8 < cost) {
            best = a;
            cost = at - a + 3 * known->visit[a] + 8;
        }
    return best;
}

static enum step_stop jump(struct step *s, uint64_t n, const struct step_trace *known)
{
    uint64_t a = anchor(s, n, known);
    if (s->done || a == 0) /* visits are counted from the start */
        return STEP_AT;
    enum step_stop stop = run_to_address(s, known->rip[a], known->visit[a]);
    s->done = a;
    return stop;
}

enum step_stop step_to(struct step *s, uint64_t n, const struct step_trace *known)
{
    const uint64_t end = (uint64_t)(uintptr_t)step_end;
    enum step_stop stop = STEP_AT;
    if (s->running) /* blocked when we left it */
        stop = wait_stop(s, true);
    if (stop == STEP_AT && known && known->n)
        stop = jump(s, n, known);
    while (stop == STEP_AT && s->rip != end && s->done < n) {
        stop = resume(s, PTRACE_SINGLESTEP, s->done + 1 < n);
        s->done++;
    }
    return stop == STEP_AT && s->rip == end ? STEP_END : stop;
}

enum step_stop step_finish(struct step *s)
{
    const uint64_t end = (uint64_t)(uintptr_t)step_end;
    enum step_stop stop = STEP_AT;
    if (s->running)
        stop = wait_stop(s, true);
    if (stop == STEP_AT && s->rip != end)
        stop = resume(s, PTRACE_CONT, true);
    if (stop != STEP_AT)
        return stop;
    return s->rip == end || s->rip == end + 1 ? STEP_END : STEP_GONE;
}

void step_release(struct step *s)
{
    if (s->rip == (uint64_t)(uintptr_t)step_end)
        step_write_rip(s->pid, s->rip + 1); /* over its trap */
    ptrace(PTRACE_DETACH, s->pid, 0, 0);
}

void step_kill(struct step *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    for (;;) {
        pid_t got = waitpid(s->pid, &s->status, __WALL);
        if (got == s->pid && (WIFEXITED(s->status) || WIFSIGNALED(s->status)))
            break;
        if (got < 0 && errno != EINTR)
            break;
    }
    s->pid = 0;
}

static int trace_push(struct step_trace *t, uint64_t rip)
{
    if (t->n == t->room) {
        size_t room = t->room ? 2 * t->room : 1024;
        uint64_t *rips = realloc(t->rip, room * sizeof(*rips));
        t->rip = rips ? rips : t->rip;
        uint8_t *changed = rips ? realloc(t->changed, room) : NULL;
        t->changed = changed ? changed : t->changed;
        if (!changed)
            return -ENOMEM;
        t->room = room;
    }
    t->rip[t->n] = rip;
    t->changed[t->n++] = 0;
    return 0;
}

struct seen {
    uint64_t rip;
    size_t i;
};

static int by_rip(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->rip != y->rip)
        return x->rip < y->rip ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

/* Counts the visits of each address outside the vdso, whose pages cannot be written. System calls in a long loop are
 * worth a look at the first turns and now and then later. */
static int trace_count_visits(struct step_trace *t)
{
    uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
    struct seen *seen = malloc((t->n + 1) * sizeof(*seen));
    t->visit = calloc(t->n + 1, sizeof(*t->visit));
    if (!seen || !t->visit) {
        free(seen);
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->n; i++)
        seen[i] = (struct seen){t->rip[i], i};
    qsort(seen, t->n, sizeof(*seen), by_rip);
    uint32_t visit = 0;
    for (size_t i = 0; i < t->n; i++) {
        visit = i && seen[i].rip == seen[i - 1].rip ? visit + 1 : 1;
        t->visit[seen[i].i] = !vdso || seen[i].rip - vdso >= VDSO_MOST ? visit : 0;
        if (t->changed[seen[i].i] == STEP_CALLED && visit > 4 && visit % 64)
            t->changed[seen[i].i] = 0;
    }
    free(seen);
    return 0;
}

enum step_stop step_record(struct step *s, struct step_trace *t, uint64_t (*hash)(void *), void *arg)
{
    const uint64_t end = (uint64_t)(uintptr_t)step_end;
    enum step_stop stop = STEP_AT;
    uint64_t was = hash ? hash(arg) : 0;
    *t = (struct step_trace){0};
    while (stop == STEP_AT && s->rip != end) {
        if (t->n >= STEP_WINDOW_MOST || trace_push(t, s->rip) < 0)
            return STEP_HUNG;
        bool call = step_is_syscall(s->pid, s->rip);
        stop = resume(s, PTRACE_SINGLESTEP, true);
        s->done++;
        uint64_t is = hash ? hash(arg) : 0;
        t->changed[t->n - 1] = is != was ? STEP_CHANGED : call ? STEP_CALLED : 0;
        was = is;
    }
    if (stop != STEP_AT)
        return stop;
    return trace_count_visits(t) < 0 ? STEP_GONE : STEP_END;
}

void step_trace_free(struct step_trace *t)
{
    free(t->rip);
    free(t->changed);
    free(t->visit);
    *t = (struct step_trace){0};
}
