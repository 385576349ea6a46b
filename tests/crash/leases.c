/* SPDX-License-Identifier: MIT */
/**
 * "Alive" means: an address space holds the lease. Whatever a process does to its descriptors, threads and children, its
 * lease is held exactly as long as it could still store into the segment (PROTOCOLS.md, "Who is alive").
 *
 * Each case is a subject, a child that attaches as the first one (lease 1), does something, says so, and goes on or dies;
 * the overseer probes lease 1 through a description of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "step.h"
#include "strait/strait.h"

#define LONG_NS UINT64_C(10000000000)

static struct stage *st;
static char name[32];
static const char *this_case;
static int bad, bad_before;

#define facts (st->actor[0].facts)
#define SAID  ((uint32_t *)(void *)&facts[0]) /* gate: the subject has done its part */
#define CHILD facts[1]                        /* a process that the subject left behind */

static void check(bool ok, const char *what)
{
    if (!ok) {
        printf("FAIL  %s: %s\n", this_case, what);
        bad++;
    }
}

/* ---- the subject's part ---- */

static struct strait_segment *attach(enum strait_attach_mode how)
{
    struct strait_segment *segment = NULL;
    int r = strait_attach(
        name, &(struct strait_segment_options){.attach = how, .bytes = 256 * 1024, .directory_max = 8}, &segment);
    if (r < 0)
        _exit(10);
    return segment;
}

static void say(void)
{
    gate_open(SAID);
}

static void stay(void)
{
    for (;;)
        pause();
}

static void linger(void) /* a child that must not keep anything alive */
{
    prctl(PR_SET_PDEATHSIG, 0);
    CHILD = (uint64_t)getpid();
    say();
    stay();
}

static void subject_fork(void)
{
    struct strait_segment *segment = attach(STRAIT_OPEN_OR_CREATE);
    if (fork() == 0) {
        facts[2] = (uint64_t)(strait_sweep_dead(segment) == -ECHILD);
        linger();
    }
    stay();
}

static void subject_raw_fork(void)
{
    struct strait_segment *segment = attach(STRAIT_OPEN_OR_CREATE);
    if (_Fork() == 0) {
        facts[2] = (uint64_t)(strait_sweep_dead(segment) == -ECHILD);
        linger();
    }
    stay();
}

static void subject_spawn(void)
{
    char *const args[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "600", NULL};
    pid_t pid;
    attach(STRAIT_OPEN_OR_CREATE);
    if (posix_spawnp(&pid, "sleep", NULL, NULL, args, environ) != 0)
        _exit(11);
    facts[2] = 1;
    CHILD = (uint64_t)pid;
    say();
    stay();
}

/* The child has not left the parent's address space yet, and could store into the segment. */
static void subject_vfork(void)
{
    attach(STRAIT_OPEN_OR_CREATE);
    if (vfork() == 0) {
        facts[2] = 1;
        linger();
    }
    stay();
}

static int use(struct strait_segment *segment)
{
    struct strait_tx *tx;
    struct strait_rx *rx;
    uint64_t in = 3, out = 0;
    int r = strait_tx_open(segment, "c", NULL, &tx);
    if (r == 0)
        r = strait_rx_open(segment, "c", NULL, &rx);
    if (r == 0)
        r = strait_send(tx, &in, sizeof(in), STRAIT_NOW);
    if (r == 0)
        r = strait_recv(rx, &out, sizeof(out), STRAIT_NOW) == sizeof(out) && out == in ? 0 : -EPROTO;
    return r;
}

static void subject_closefrom(void)
{
    struct strait_segment *segment = attach(STRAIT_OPEN_OR_CREATE);
    closefrom(3);
    facts[2] = (uint64_t)(use(segment) == 0);
    say();
    stay();
}

static void *unshared(void *arg)
{
    (void)arg;
    facts[2] = (uint64_t)(unshare(CLONE_FILES) == 0);
    closefrom(3);
    return NULL;
}

static void subject_unshare(void)
{
    pthread_t thread;
    struct strait_segment *segment = attach(STRAIT_OPEN_OR_CREATE);
    pthread_create(&thread, NULL, unshared, NULL);
    pthread_join(thread, NULL);
    facts[2] = facts[2] && use(segment) == 0;
    say();
    stay();
}

static void *attacher(void *arg)
{
    *(struct strait_segment **)arg = attach(STRAIT_OPEN_OR_CREATE);
    return NULL;
}

static void subject_thread(void)
{
    pthread_t thread;
    struct strait_segment *segment = NULL;
    pthread_create(&thread, NULL, attacher, &segment);
    pthread_join(thread, NULL); /* who attached is gone, the process is not */
    facts[2] = (uint64_t)(use(segment) == 0);
    say();
    stay();
}

static void *survivor_thread(void *arg)
{
    (void)arg;
    while (true) { /* until the leader is a zombie among its threads */
        char path[64], text[512] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
        FILE *f = fopen(path, "re");
        if (f && fgets(text, sizeof(text), f) && strstr(text, ") Z "))
            break;
        if (f)
            fclose(f);
    }
    facts[2] = 1;
    say();
    stay();
    return NULL;
}

static void subject_leader_exits(void)
{
    pthread_t thread;
    attach(STRAIT_OPEN_OR_CREATE);
    pthread_create(&thread, NULL, survivor_thread, NULL);
    pthread_exit(NULL);
}

static void subject_twice(void)
{
    struct strait_segment *a = attach(STRAIT_OPEN_OR_CREATE), *b = attach(STRAIT_OPEN_ONLY);
    struct audit audit;
    strait_detach(a);
    facts[2] = (uint64_t)(audit_open(&audit, st) && audit_used(&audit) == 1 && audit_alive(&audit, 1) && use(b) == 0);
    say();
    stay();
}

static void subject_exec(void)
{
    attach(STRAIT_OPEN_OR_CREATE);
    facts[2] = 1;
    say();
    execlp("sleep", "sleep", "600", (char *)NULL);
    _exit(12);
}

static void subject_dump(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &all);
    attach(STRAIT_OPEN_OR_CREATE);
    facts[2] = 1;
    say();
    raise(SIGABRT);
}

static void *joiner(void *arg)
{
    (void)arg;
    for (;;) {
        strait_detach(attach(STRAIT_OPEN_OR_CREATE));
        __atomic_fetch_add(&facts[3], 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static uint64_t attempt;

/* Forks while another thread is in and out of the administrative section; the child stays, the parent dies on the spot. */
static void subject_forks_amid(void)
{
    pthread_t thread;
    strait_detach(attach(STRAIT_OPEN_OR_CREATE));
    pthread_create(&thread, NULL, joiner, NULL);
    while (__atomic_load_n(&facts[3], __ATOMIC_SEQ_CST) < 3)
        ;
    uint64_t until = step_now_ns() + attempt * 7919 % 300000; /* somewhere else in the joiner's round each time */
    while (step_now_ns() < until)
        ;
    if (fork() == 0) {
        kill(getppid(), SIGKILL);
        facts[2] = 1;
        say();
    }
    stay();
}

/* ---- the overseer's part ---- */

static pid_t begin(const char *what, void (*subject)(void), struct audit *a)
{
    this_case = what;
    stage_reset(st, 0);
    snprintf(name, sizeof(name), "leases-%d", (int)getpid());
    snprintf(st->object, sizeof(st->object), "/strait.%s", name);
    shm_unlink(st->object);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0); /* whatever it leaves behind goes with its group */
        subject();
        _exit(0);
    }
    check(gate_wait(SAID, LONG_NS), "the subject does not get there");
    check(facts[2] == 1, "the subject found something wrong");
    check(audit_open(a, st), "there is no segment");
    return pid;
}

static bool freed(struct audit *a, uint64_t within_ns)
{
    uint64_t until = step_now_ns() + within_ns;
    while (audit_alive(a, 1))
        if (step_now_ns() > until)
            return false;
    return true;
}

static void end(pid_t pid, struct audit *a)
{
    kill(-pid, SIGKILL);
    while (waitpid(-pid, NULL, 0) > 0) /* we are its orphans' reaper */
        ;
    audit_close(a);
    shm_unlink(st->object);
}

/* Held while the subject lives; free as soon as it is reaped, whatever its children do. */
static void lives_then_dies(const char *what, void (*subject)(void))
{
    struct audit a;
    pid_t pid = begin(what, subject, &a);
    check(audit_alive(&a, 1), "the lease is not held by the living");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (CHILD)
        check(kill((pid_t)CHILD, 0) == 0, "the child should still be there");
    check(!audit_alive(&a, 1), "the lease is held by the dead");
    end(pid, &a);
}

static void case_stopped(void)
{
    struct audit a;
    int status;
    pid_t pid = begin("a stopped process is alive", subject_thread, &a);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    check(audit_alive(&a, 1), "the lease is not held by the stopped");
    end(pid, &a);
}

static void case_zombie(void)
{
    struct audit a;
    siginfo_t info;
    pid_t pid = begin("a zombie is dead", subject_thread, &a);
    kill(pid, SIGKILL);
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    check(!audit_alive(&a, 1), "the lease is held by a zombie");
    end(pid, &a);
}

static void case_exec(void)
{
    struct audit a;
    pid_t pid = begin("exec leaves the address space", subject_exec, &a);
    check(freed(&a, LONG_NS), "the lease outlives exec");
    check(kill(pid, 0) == 0, "the process should still be there");
    end(pid, &a);
}

static void case_vfork(void)
{
    struct audit a;
    pid_t pid = begin("vfork without exec: two processes, one address space", subject_vfork, &a);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    check(audit_alive(&a, 1), "the lease is free while its address space lives");
    kill((pid_t)CHILD, SIGKILL);
    check(freed(&a, LONG_NS), "the lease outlives its address space");
    end(pid, &a);
}

static void case_dump(void)
{
    struct audit a;
    int status;
    pid_t pid = begin("a core dump", subject_dump, &a);
    waitpid(pid, &status, 0);
    check(WIFSIGNALED(status), "the subject should have dumped");
    check(!audit_alive(&a, 1), "the lease is held after the dump");
    end(pid, &a);
    char core[32];
    unlink("core"); /* where the pattern puts it here, if it does */
    snprintf(core, sizeof(core), "core.%d", (int)pid);
    unlink(core);
}

static void case_forks_amid(void)
{
    for (attempt = 0; attempt < 100 && bad == bad_before; attempt++) {
        struct audit a;
        struct strait_segment *segment = NULL;
        struct strait_segment_options o = {.attach = STRAIT_OPEN_ONLY, .timeout_ns = LONG_NS};
        pid_t pid = begin("forks amid joining", subject_forks_amid, &a);
        uint64_t begun = step_now_ns();
        check(strait_attach(name, &o, &segment) == 0, "nobody can join: a child keeps the admin lock");
        check(step_now_ns() - begun < 2000000000, "joining took long");
        strait_detach(segment);
        end(pid, &a);
    }
}

static void told(void)
{
    if (bad == bad_before)
        printf("ok    %s\n", this_case);
    bad_before = bad;
}

int main(void)
{
    st = stage_new();
    if (!st || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return 1;
    lives_then_dies("fork", subject_fork);
    told();
    lives_then_dies("_Fork", subject_raw_fork);
    told();
    lives_then_dies("vfork and exec", subject_spawn);
    told();
    lives_then_dies("closefrom", subject_closefrom);
    told();
    lives_then_dies("unshare(CLONE_FILES)", subject_unshare);
    told();
    lives_then_dies("the attaching thread exits", subject_thread);
    told();
    lives_then_dies("the thread group's leader exits", subject_leader_exits);
    told();
    lives_then_dies("attach twice", subject_twice);
    told();
    case_stopped();
    told();
    case_zombie();
    told();
    case_exec();
    told();
    case_vfork();
    told();
    case_dump();
    told();
    case_forks_amid();
    told();
    return bad != 0;
}
