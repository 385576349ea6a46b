/* SPDX-License-Identifier: MIT */
#include "strait/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "cpus.h"
#include "error.h"
#include "process.h"

#define DEFAULT_RESTARTS         8
#define DEFAULT_RESTART_FIRST_NS UINT64_C(10000000)
#define DEFAULT_RESTART_MOST_NS  UINT64_C(1000000000)
#define DEFAULT_RESTART_QUICK_NS UINT64_C(1000000000)
#define DEFAULT_HANG_NS          UINT64_C(1000000000)
#define DEFAULT_CHECK_NS         UINT64_C(250000000)
#define WORKERS_MOST             4096

struct child {
    struct strait_op op; /* first: what the loop gives back. Watches the pidfd, or counts the pause */
    struct strait_supervisor *supervisor;
    uint32_t index;
    pid_t pid; /* 0 = not running */
    int pidfd;
    uint64_t started_ns;
    uint32_t quick; /* deaths in a row */
    bool leaving;   /* asked to go: not started again */
    bool doomed;    /* killed by us, and not dead yet */
};

struct strait_supervisor {
    struct strait_op check; /* first: what the loop gives back */
    struct strait_loop *loop;
    struct strait_supervisor_options options;
    struct child **children; /* each on its own: their ops must not move */
    uint32_t workers, room;
    struct strait_topology topology;
    cpu_set_t cpus; /* of the list */
    bool stopping;
};

/* ---- telling ---- */

static void tell(const struct child *c, enum strait_worker_event event, pid_t pid, int status)
{
    const struct strait_supervisor_options *o = &c->supervisor->options;
    struct strait_worker_report report = {event, c->index, (int32_t)pid, status, c->quick};

    if (o->report)
        o->report(&report, o->context);
}

/* ---- CPUs ---- */

static int choose_cpus(struct strait_supervisor *s)
{
    const char *list = s->options.cpu_list;

    strait_process_lock();
    strait_topology_read(&s->topology);
    strait_process_unlock();
    if (list == NULL)
        return 0;
    if (strait_cpus_parse(list, &s->cpus) < 0)
        return strait_fail(-EINVAL, "'%s' is no list of CPUs: write it like 0-3,6", list);
    if (strait_cpus_usable(&s->topology, &s->cpus) == 0)
        return strait_fail(-EINVAL, "this process may run on none of the CPUs %s: taskset -cp %d shows its own", list,
                           (int)getpid());
    return 0;
}

static void pin(const struct strait_supervisor *s, uint32_t worker)
{
    cpu_set_t mine;

    if (s->options.cpu_list)
        strait_cpus_one(&s->topology, &s->cpus, worker, &mine);
    else if (s->options.no_pin || !strait_cpus_node(&s->topology, worker, &mine))
        return;
    sched_setaffinity(0, sizeof mine, &mine); /* CPUs that went away: better unpinned than not at all */
}

/* ---- start ---- */

static void watch(struct child *c);
static void died(struct strait_op *op, int res);

static _Noreturn void be_child(struct child *c, pid_t parent)
{
    struct strait_supervisor *s = c->supervisor;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it ended before we asked to be told */
    pin(s, c->index);
    strait_loop_destroy(s->loop);
    _exit(s->options.run(c->index, s->options.context));
}

static int start(struct child *c)
{
    pid_t parent = getpid(), pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        be_child(c, parent);
    c->pid = pid;
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->started_ns = strait_now_ns();
    c->doomed = false;
    tell(c, STRAIT_WORKER_STARTED, pid, 0);
    watch(c);
    return 0;
}

static void watch(struct child *c)
{
    c->op.done = died;
    if (c->pidfd < 0 || strait_op_poll(c->supervisor->loop, &c->op, c->pidfd, POLLIN, STRAIT_FOREVER) < 0)
        kill(c->pid, SIGKILL); /* one that we could not see die would be worse than none; stop reaps it */
}

static void start_again(struct strait_op *op, int res)
{
    struct child *c = (struct child *)(void *)op;
    int r;

    if (res < 0 || c->leaving || c->supervisor->stopping || c->pid)
        return;
    r = start(c);
    if (r < 0)
        tell(c, STRAIT_WORKER_GIVEN_UP, 0, r);
}

/* ---- death ---- */

static uint64_t pause_before(const struct child *c)
{
    const struct strait_supervisor_options *o = &c->supervisor->options;
    uint64_t pause = o->restart_first_ns;

    if (c->quick < 2)
        return 0; /* the first death may have been an accident */
    for (uint32_t i = 2; i < c->quick && pause < o->restart_most_ns; i++)
        pause *= 2;
    return pause < o->restart_most_ns ? pause : o->restart_most_ns;
}

static void after_death(struct child *c, pid_t pid, int status)
{
    struct strait_supervisor *s = c->supervisor;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    /* Its tasks go to the others at once, not only when somebody's patience ends. */
    if (s->options.segment)
        strait_sweep_dead(s->options.segment);
    c->quick = !well && strait_now_ns() - c->started_ns < s->options.restart_quick_ns ? c->quick + 1 : 0;
    tell(c, well ? STRAIT_WORKER_ENDED : STRAIT_WORKER_DIED, pid, status);
    if (well || c->leaving || s->stopping)
        return;
    if (c->quick > s->options.restarts) {
        tell(c, STRAIT_WORKER_GIVEN_UP, pid, 0);
        return;
    }
    c->op.done = start_again;
    strait_op_timer(s->loop, &c->op, strait_after_ns(pause_before(c)));
}

static bool reap(struct child *c, int flags)
{
    pid_t pid = c->pid;
    int status = 0;

    if (pid == 0 || waitpid(pid, &status, flags) != pid)
        return false;
    if (c->pidfd >= 0)
        close(c->pidfd);
    c->pid = 0;
    c->pidfd = -1;
    after_death(c, pid, status);
    return true;
}

static void died(struct strait_op *op, int res)
{
    struct child *c = (struct child *)(void *)op;

    if (res == -ECANCELED)
        return;
    if (!reap(c, WNOHANG) && c->pid)
        watch(c);
}

/* ---- looking after the living ---- */

static uint64_t resident_bytes(pid_t pid)
{
    char path[32], text[128], *resident = NULL; /* "all resident shared …", in pages */
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fgets(text, sizeof text, f))
        resident = strchr(text, ' ');
    fclose(f);
    return resident ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void end_badly(struct child *c, enum strait_worker_event event)
{
    if (c->doomed)
        return;
    c->doomed = true;
    tell(c, event, c->pid, 0);
    kill(c->pid, SIGKILL);
}

static struct child *child_of(const struct strait_supervisor *s, uint32_t pid)
{
    for (uint32_t i = 0; i < s->workers; i++)
        if (s->children[i]->pid && (uint32_t)s->children[i]->pid == pid)
            return s->children[i];
    return NULL;
}

/* A slot that is TAKEN holds the lease of its worker; the lease says its pid. */
static void check_slot(struct strait_supervisor *s, const struct strait_ring_end *end, uint32_t i, uint64_t now)
{
    struct strait_slot *slot = strait_ring_slot(end, i);
    /* acquire [V1] <- [R1] strait_ring_commit: payload follows word */
    uint64_t word = strait_load64_acquire(&slot->word);
    uint32_t owner = (uint32_t)(word & STRAIT_OWNER_MASK);
    struct strait_request_head head;
    struct child *c;

    if (strait_slot_state(word) != STRAIT_SLOT_TAKEN || owner == 0 || owner >= STRAIT_LEASES ||
        !(strait_head_flags(strait_load64_relaxed(&slot->head)) & STRAIT_MSG_REQUEST))
        return;
    strait_payload_read(&head, strait_slot_payload(slot), sizeof head);
    if (head.deadline_ns == 0 || now < head.deadline_ns || now - head.deadline_ns < s->options.hang_ns)
        return;
    c = child_of(s, strait_load32_relaxed(&strait_segment_lease(&s->options.segment->map, owner)->pid));
    /* it may have released the task since we looked */
    if (c && strait_load64_acquire(&slot->word) == word) /* acquire [V2] <- [R4] strait_ring_release */
        end_badly(c, STRAIT_WORKER_HUNG);
}

static void check_hangs(struct strait_supervisor *s)
{
    struct strait_channel_view view;
    struct strait_object object;
    struct strait_ring_end end;
    uint64_t now = strait_now_ns();

    if (s->options.segment == NULL || s->options.pool == NULL || *s->options.segment->home == 0)
        return;
    if (strait_directory_find(&s->options.segment->map, s->options.pool, STRAIT_KIND_CHANNEL, &object) < 0 ||
        strait_channel_view(&s->options.segment->map, &object, &view) < 0)
        return;
    for (uint32_t r = 0; r < view.rings; r++)
        for (uint32_t i = 0; strait_channel_end(&view, r, &end) == 0 && i <= end.mask; i++)
            check_slot(s, &end, i, now);
}

static void check(struct strait_op *op, int res)
{
    struct strait_supervisor *s = (struct strait_supervisor *)(void *)op;

    if (res < 0)
        return;
    for (uint32_t i = 0; i < s->workers && s->options.memory_bytes; i++) {
        struct child *c = s->children[i];
        if (c->pid && resident_bytes(c->pid) > s->options.memory_bytes)
            end_badly(c, STRAIT_WORKER_TOO_LARGE);
    }
    check_hangs(s);
    strait_op_timer(s->loop, &s->check, strait_after_ns(s->options.check_ns));
}

/* ---- from outside ---- */

static int add_child(struct strait_supervisor *s)
{
    struct child *c = calloc(1, sizeof *c);
    int r;

    if (c == NULL)
        return -ENOMEM;
    c->supervisor = s;
    c->index = s->workers;
    c->pidfd = -1;
    s->children[s->workers++] = c;
    r = start(c);
    return r;
}

static int set_defaults(struct strait_supervisor *s)
{
    struct strait_supervisor_options *o = &s->options;
    cpu_set_t allowed;

    if (o->workers == 0)
        o->workers = sched_getaffinity(0, sizeof allowed, &allowed) < 0 ? 1 : (uint32_t)CPU_COUNT(&allowed);
    o->restarts = o->restarts ? o->restarts : DEFAULT_RESTARTS;
    o->restart_first_ns = o->restart_first_ns ? o->restart_first_ns : DEFAULT_RESTART_FIRST_NS;
    o->restart_most_ns = o->restart_most_ns ? o->restart_most_ns : DEFAULT_RESTART_MOST_NS;
    o->restart_quick_ns = o->restart_quick_ns ? o->restart_quick_ns : DEFAULT_RESTART_QUICK_NS;
    o->hang_ns = o->hang_ns ? o->hang_ns : DEFAULT_HANG_NS;
    o->check_ns = o->check_ns ? o->check_ns : DEFAULT_CHECK_NS;
    if (o->run == NULL || o->workers > WORKERS_MOST)
        return strait_fail(-EINVAL, "a supervisor needs something to run, and at most %d workers", WORKERS_MOST);
    return choose_cpus(s);
}

int strait_supervisor_start(struct strait_loop *loop, const struct strait_supervisor_options *options,
                            struct strait_supervisor **supervisor)
{
    struct strait_supervisor *s = calloc(1, sizeof *s);
    int r;

    if (s == NULL)
        return strait_fail(-ENOMEM, "supervisor: out of memory");
    s->loop = loop;
    s->options = *options;
    r = set_defaults(s);
    if (r < 0) {
        free(s);
        return r;
    }
    r = strait_supervisor_resize(s, s->options.workers);
    if (r == 0 && (s->options.memory_bytes || s->options.pool)) {
        s->check.done = check;
        r = strait_op_timer(loop, &s->check, strait_after_ns(s->options.check_ns));
    }
    if (r < 0)
        strait_supervisor_stop(s, STRAIT_NOW);
    else
        *supervisor = s;
    return r;
}

int strait_supervisor_resize(struct strait_supervisor *s, uint32_t workers)
{
    int r = 0;

    if (workers > s->room) {
        struct child **more = workers > WORKERS_MOST ? NULL : realloc(s->children, workers * sizeof(struct child *));
        if (more == NULL)
            return strait_fail(-ENOMEM, "supervisor: no room for %u workers", workers);
        s->children = more;
        s->room = workers;
    }
    for (uint32_t i = 0; i < s->workers && r == 0; i++) {
        struct child *c = s->children[i];
        c->leaving = i >= workers;
        if (c->leaving && c->pid)
            kill(c->pid, SIGTERM);
        else if (!c->leaving && c->pid == 0 && !strait_op_pending(&c->op))
            r = start(c);
    }
    while (r == 0 && s->workers < workers)
        r = add_child(s);
    return r;
}

uint32_t strait_supervisor_alive(const struct strait_supervisor *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->workers; i++)
        n += s->children[i]->pid != 0;
    return n;
}

int32_t strait_supervisor_pid(const struct strait_supervisor *s, uint32_t worker)
{
    return worker < s->workers ? (int32_t)s->children[worker]->pid : 0;
}

/* Our ops must have left the loop before their memory goes. */
static void let_go(struct strait_supervisor *s)
{
    bool pending = true;

    strait_op_cancel(&s->check);
    for (uint32_t i = 0; i < s->workers; i++)
        strait_op_cancel(&s->children[i]->op);
    while (pending) {
        pending = strait_op_pending(&s->check);
        for (uint32_t i = 0; i < s->workers; i++)
            pending = pending || strait_op_pending(&s->children[i]->op);
        if (pending && strait_loop_step(s->loop, STRAIT_FOREVER) == -ECHILD)
            break;
    }
}

int strait_supervisor_stop(struct strait_supervisor *s, uint64_t deadline_ns)
{
    int killed = 0;

    if (s == NULL)
        return 0;
    s->stopping = true;
    while (strait_supervisor_alive(s) && strait_now_ns() < deadline_ns)
        if (strait_loop_step(s->loop, deadline_ns) == -ECHILD)
            break;
    for (uint32_t i = 0; i < s->workers; i++) {
        struct child *c = s->children[i];
        if (c->pid == 0)
            continue;
        killed++;
        kill(c->pid, SIGKILL);
        reap(c, 0);
    }
    let_go(s);
    for (uint32_t i = 0; i < s->workers; i++)
        free(s->children[i]);
    free(s->children);
    free(s);
    return killed;
}
