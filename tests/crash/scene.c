/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETUP_NS UINT64_C(20000000000) /* preparing, entering, leaving; generous: the machine may be loaded */
#define STEP_NS  UINT64_C(10000000000) /* one native run of an operation */
#define RETRIES  2                     /* of a point whose only fault is lateness */

struct flight {
    bool used;
    struct stage *st;
    pid_t survivor;
    uint64_t deadline_ns, rip;
    struct point point;
};

struct runner {
    uint32_t next;
    uint64_t serial;
    const struct scene *hangs; /* the last scene of which a point hung every time: no more second chances */
    runner_report *report;
    void *arg;
    struct flight flight[SCENE_FLIGHT];
};

struct runner *runner_new(runner_report *report, void *arg)
{
    struct runner *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->report = report;
    r->arg = arg;
    r->serial = ((uint64_t)getpid() << 32);
    for (int i = 0; i < SCENE_FLIGHT; i++)
        if (!(r->flight[i].st = stage_new())) {
            runner_free(r);
            return NULL;
        }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return step_setup() < 0 ? (runner_free(r), NULL) : r;
}

void runner_free(struct runner *r)
{
    for (int i = 0; r && i < SCENE_FLIGHT; i++)
        stage_free(r->flight[i].st);
    free(r);
}

static pid_t fork_child(void)
{
    pid_t parent = getpid(), pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(99);
    return 0;
}

/* ---- the children ---- */

static void survive(const struct scene *sc, struct stage *st, bool prepares, bool checks)
{
    if (prepares) {
        if (!sc->prepare(st, sc->arg)) {
            stage_fail(st, VERDICT_BROKEN, "the scene cannot be prepared");
            _exit(3);
        }
        gate_open(&st->prepared);
    }
    if (!checks) { /* stays there, idle, until it is killed as well */
        gate_wait(&st->go, UINT64_MAX / 2);
        _exit(0);
    }
    if (prepares && !sc->asleep)
        gate_wait(&st->go, UINT64_MAX / 2);
    sc->check(st, sc->arg);
    _exit(0);
}

static void perform(const struct scene *sc, struct stage *st, int who)
{
    struct actor *a = &st->actor[who];
    if (!sc->enter(st, sc->arg, who)) {
        stage_fail(st, VERDICT_BROKEN, "actor %d cannot enter", who);
        _exit(3);
    }
    a->entered = 1;
    step_trace_me();
    step_begin();
    int result = sc->act(st, sc->arg, who);
    step_end();
    a->result = result;
    if (sc->after)
        sc->after(st, sc->arg, who);
    gate_open(&a->returned);
    gate_wait(&st->leave, UINT64_MAX / 2);
    if (sc->leave)
        sc->leave(st, sc->arg, who);
    _exit(0);
}

/* ---- the worker ---- */

/* Reaps within `ns`; the tick of step_setup interrupts. False: still there. */
static bool reap(pid_t pid, uint64_t until_ns, int *status)
{
    for (;;) {
        pid_t got = waitpid(pid, status, 0);
        if (got == pid)
            return true;
        if (got < 0 && errno != EINTR) {
            *status = 0;
            return true;
        }
        if (step_now_ns() > until_ns)
            return false;
    }
}

static void kill_and_reap(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    while (!reap(pid, UINT64_MAX, &status))
        ;
}

static void flight_end(struct runner *r, struct flight *f)
{
    struct stage *st = f->st;
    int status = 0;
    if (f->survivor > 0 && !reap(f->survivor, f->deadline_ns, &status)) {
        kill_and_reap(f->survivor);
        stage_fail(st, VERDICT_HUNG, "the survivor has not finished its checks");
        status = 0;
    }
    if (WIFSIGNALED(status))
        stage_fail(st, VERDICT_BROKEN, "the survivor died of signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        stage_fail(st, VERDICT_BROKEN, "the survivor gave up with status %d", WEXITSTATUS(status));
    if (st->orphan > 0 && !reap(st->orphan, step_now_ns() + SETUP_NS, &status))
        kill_and_reap(st->orphan);
    if (st->object[0])
        shm_unlink(st->object);
    f->used = false;
    if (st->verdict == VERDICT_HUNG && f->point.tries < RETRIES && r->hangs != f->point.scene) {
        struct point again = f->point;
        r->report(r->arg, &f->point, st, f->rip, true);
        again.tries++;
        runner_point(r, &again);
        return;
    }
    if (st->verdict == VERDICT_HUNG)
        r->hangs = f->point.scene;
    r->report(r->arg, &f->point, st, f->rip, false);
}

static struct flight *flight_take(struct runner *r)
{
    struct flight *f = &r->flight[r->next];
    r->next = (r->next + 1) % SCENE_FLIGHT;
    while (f->used) /* a point that is tried again takes the place at once */
        flight_end(r, f);
    return f;
}

void runner_drain(struct runner *r)
{
    for (int i = 0; i < SCENE_FLIGHT; i++)
        while (r->flight[i].used)
            flight_end(r, &r->flight[i]);
}

/* Waits for a gate, and gives up early when the process that should open it is dead. */
static bool gate_or_death(uint32_t *gate, pid_t pid)
{
    uint64_t until = step_now_ns() + SETUP_NS;
    while (!gate_wait(gate, 20000000)) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
            return __atomic_load_n(gate, __ATOMIC_SEQ_CST) != 0;
        if (step_now_ns() > until)
            return false;
    }
    return true;
}

static int stage_begin(struct runner *r, struct flight *f)
{
    const struct scene *sc = f->point.scene;
    stage_reset(f->st, ++r->serial);
    f->st->flavour = (uint32_t)(((f->point.n + 31 * f->point.m) * UINT64_C(0x9E3779B97F4A7C15)) >> 40);
    f->survivor = fork_child();
    if (f->survivor == 0)
        survive(sc, f->st, true, !sc->fresh);
    if (f->survivor < 0)
        return -errno;
    if (!gate_or_death(&f->st->prepared, f->survivor))
        return -EPROTO;
    return 0;
}

static int actor_begin(struct flight *f, struct step *s, int who)
{
    const struct scene *sc = f->point.scene;
    pid_t pid = fork_child();
    if (pid == 0)
        perform(sc, f->st, who);
    if (pid < 0)
        return -errno;
    if (step_attach(s, pid, SETUP_NS) != STEP_AT) {
        stage_fail(f->st, VERDICT_BROKEN, "actor %d did not reach its operation (status 0x%x)", who, s->status);
        step_kill(s);
        return -EPROTO;
    }
    s->limit_ns = STEP_NS;
    return 0;
}

/* The survivor is in the operation under test, asleep. */
static int sleeper_wait(struct flight *f)
{
    uint64_t until = step_now_ns() + SETUP_NS;
    while (!__atomic_load_n(&f->st->sleeping, __ATOMIC_SEQ_CST) || !step_asleep(f->survivor)) {
        if (step_now_ns() > until)
            return -ETIMEDOUT;
        sched_yield();
    }
    return 0;
}

static bool actor_bad(struct flight *f, const struct step *s, int who, enum step_stop stop)
{
    if (stop == STEP_HUNG)
        stage_fail(f->st, VERDICT_HUNG, "actor %d's operation does not end", who);
    else if (stop == STEP_GONE)
        stage_fail(f->st, VERDICT_BROKEN, "actor %d got status 0x%x at %#llx", who, s->status,
                   (unsigned long long)s->rip);
    else
        return false;
    return true;
}

/* Runs the operation to its end and lets the actor write its result down. */
static void actor_run(struct flight *f, struct step *s, int who)
{
    if (actor_bad(f, s, who, step_finish(s)))
        return;
    step_release(s);
    if (!gate_or_death(&f->st->actor[who].returned, s->pid))
        stage_fail(f->st, VERDICT_BROKEN, "actor %d did not come back", who);
}

static void actor_end(struct flight *f, struct step *s, int who, bool killed)
{
    struct actor *a = &f->st->actor[who];
    int status;
    if (killed) {
        step_kill(s);
        a->fate = __atomic_load_n(&a->returned, __ATOMIC_SEQ_CST) ? FATE_RAN : FATE_KILLED;
        return;
    }
    gate_open(&f->st->leave);
    if (!reap(s->pid, step_now_ns() + SETUP_NS, &status)) {
        stage_fail(f->st, VERDICT_HUNG, "actor %d cannot leave", who);
        step_kill(s);
    } else if (status) {
        stage_fail(f->st, VERDICT_BROKEN, "actor %d left with status 0x%x", who, status);
    }
    a->fate = FATE_LEFT;
    s->pid = 0;
}

static void play_kill(struct flight *f, struct step *a)
{
    enum step_stop stop = step_to(a, f->point.n, f->point.trace);
    f->rip = a->rip;
    if (stop == STEP_END)
        actor_run(f, a, 0);
    else
        actor_bad(f, a, 0, stop);
    actor_end(f, a, 0, true);
}

static void play_two(struct flight *f, struct step *a, struct step *b)
{
    enum schedule how = f->point.schedule;
    bool kill_a = how == SCHEDULE_B_KILL_A || how == SCHEDULE_TWO_KILL_A || how == SCHEDULE_TWO_KILL_AB;
    bool kill_b = how == SCHEDULE_KILL_B || how == SCHEDULE_TWO_KILL_AB;
    actor_bad(f, a, 0, step_to(a, f->point.n, f->point.trace));
    f->rip = a->rip;
    if (how >= SCHEDULE_TWO)
        actor_bad(f, b, 1, step_to(b, f->point.m, f->point.trace_b));
    else
        actor_run(f, b, 1);
    if (kill_b)
        actor_end(f, b, 1, true);
    if (kill_a)
        actor_end(f, a, 0, true);
    if (!kill_a && !f->st->verdict)
        actor_run(f, a, 0);
    if (!kill_b && how >= SCHEDULE_TWO && !f->st->verdict)
        actor_run(f, b, 1);
    bool bad = f->st->verdict != VERDICT_GOOD;
    if (!kill_a)
        actor_end(f, a, 0, bad);
    if (!kill_b)
        actor_end(f, b, 1, bad);
}

/* The fates are decided: the survivor may judge. */
static int survivor_go(struct flight *f)
{
    const struct scene *sc = f->point.scene;
    if (sc->fresh) {
        if (f->survivor > 0)
            kill_and_reap(f->survivor);
        f->survivor = fork_child();
        if (f->survivor == 0)
            survive(sc, f->st, false, true);
        if (f->survivor < 0)
            return -errno;
    }
    f->deadline_ns = step_now_ns() + (sc->check_ns ? sc->check_ns : SCENE_CHECK_NS);
    f->st->decided_ns = step_now_ns();
    gate_open(&f->st->go);
    return 0;
}

int runner_point(struct runner *r, const struct point *p)
{
    struct flight *f = flight_take(r);
    struct step a = {0}, b = {0};
    f->used = true;
    f->point = *p;
    f->rip = 0;
    f->deadline_ns = 0;
    int rc = stage_begin(r, f);
    if (!rc && p->schedule != SCHEDULE_KILL) /* B first: A may need a peer to enter */
        rc = actor_begin(f, &b, 1);
    if (!rc)
        rc = actor_begin(f, &a, 0);
    if (!rc && p->scene->asleep)
        rc = sleeper_wait(f);
    if (!rc && p->schedule == SCHEDULE_KILL)
        play_kill(f, &a);
    else if (!rc)
        play_two(f, &a, &b);
    step_kill(&a);
    step_kill(&b);
    if (rc)
        stage_fail(f->st, VERDICT_BROKEN, "the scene cannot be set up: %s", strerror(-rc));
    return survivor_go(f);
}

/* ---- recording ---- */

struct watched {
    const uint64_t *words;
    size_t n;
};

static uint64_t watched_hash(void *arg)
{
    const struct watched *w = arg;
    uint64_t h[4] = {1, 2, 3, 4};
    for (size_t i = 0; i + 4 <= w->n; i += 4)
        for (size_t k = 0; k < 4; k++)
            h[k] = (h[k] ^ w->words[i + k]) * UINT64_C(0x9E3779B97F4A7C15);
    return h[0] ^ (h[1] >> 7) ^ (h[2] >> 13) ^ (h[3] >> 29);
}

/* The bytes that matter: the shared-memory object, or the stage's own where a scene has none. */
static struct watched watch(const struct stage *st)
{
    struct watched own = {(const uint64_t *)st->memory, sizeof(st->memory) / 8};
    struct stat is;
    int fd = st->object[0] ? shm_open(st->object, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return own;
    void *p = fstat(fd, &is) == 0 ? mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    return p == MAP_FAILED ? own : (struct watched){p, (size_t)is.st_size / 8};
}

int runner_record(struct runner *r, const struct point *p, int actor, struct step_trace *t)
{
    struct flight *f = flight_take(r);
    struct step s = {0}, peer = {0};
    f->used = true;
    f->point = *p;
    int rc = stage_begin(r, f);
    if (!rc && p->scene->pair)
        rc = actor_begin(f, actor == 1 ? &s : &peer, 1);
    if (!rc && actor == 0)
        rc = actor_begin(f, &s, 0);
    else if (!rc)
        rc = actor_begin(f, &peer, 0);
    if (!rc && p->scene->asleep)
        rc = sleeper_wait(f);
    if (!rc) {
        struct watched w = watch(f->st);
        enum step_stop stop = step_record(&s, t, watched_hash, &w);
        if (w.words != (const uint64_t *)f->st->memory)
            munmap((void *)(uintptr_t)w.words, w.n * 8);
        f->rip = s.rip;
        if (actor_bad(f, &s, actor, stop))
            rc = -EPROTO;
    }
    f->point.n = t->n;
    if (!rc)
        actor_run(f, &s, actor);
    if (!rc)
        actor_end(f, &s, actor, true);
    if (!rc && p->scene->pair)
        actor_end(f, &peer, 1 - actor, true);
    step_kill(&s);
    step_kill(&peer);
    if (rc)
        stage_fail(f->st, VERDICT_BROKEN, "the operation cannot be recorded: %s", strerror(-rc));
    survivor_go(f);
    return rc;
}
