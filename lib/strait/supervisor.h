/* SPDX-License-Identifier: MIT */
/**
 * A supervisor keeps worker processes running, on a loop of the caller's: it forks them, pins them, sees them die
 * (pidfd), sweeps what they left, starts them again with a growing pause, and gives up on one that cannot stay up. It
 * kills a worker that overruns a task's deadline or a memory limit. Every such event is told to the caller.
 */
#ifndef STRAIT_SUPERVISOR_H
#define STRAIT_SUPERVISOR_H

#include <strait/loop.h>
#include <strait/segment.h>

STRAIT_BEGIN_DECLS

struct strait_supervisor;

enum strait_worker_event {
    STRAIT_WORKER_STARTED,
    STRAIT_WORKER_ENDED,     /**< returned 0: it is not started again */
    STRAIT_WORKER_DIED,      /**< by a signal, or with another exit status: it is started again */
    STRAIT_WORKER_HUNG,      /**< held a task past its deadline and hang_ns: killed */
    STRAIT_WORKER_TOO_LARGE, /**< resident memory above memory_bytes: killed */
    STRAIT_WORKER_GIVEN_UP,  /**< died `restarts` times in a row within restart_quick_ns each, or cannot be forked */
};

struct strait_worker_report {
    enum strait_worker_event event;
    uint32_t worker; /**< 0 … workers - 1 */
    int32_t pid;
    int status;        /**< DIED, ENDED: as waitpid(2) gives it; GIVEN_UP: -errno if fork failed */
    uint32_t restarts; /**< in a row */
};

struct strait_supervisor_options {
    /** What a worker does, in its own process; its return value is the exit status. Attach there: the parent's handles
     * answer -ECHILD. Required. */
    int (*run)(uint32_t worker, void *context);
    void (*report)(const struct strait_worker_report *report, void *context); /**< may be NULL */
    void *context;
    uint32_t workers; /**< default: one for each CPU that we may run on */
    const char
        *cpu_list;     /**< "0-3,6": pin each worker to one of them, NUMA nodes in turn, round and round. NULL: worker i
                                    runs on the CPUs of one node, nodes in turn; where there is one node only, anywhere */
    uint32_t restarts; /**< quick deaths in a row before a worker is given up; default 8 */
    uint64_t restart_first_ns; /**< pause before the second restart, doubled with each quick death; default 10 ms */
    uint64_t restart_most_ns;  /**< longest pause; default 1 s */
    uint64_t restart_quick_ns; /**< a death within this time of its start is quick; default 1 s */
    uint64_t memory_bytes;     /**< resident memory of one worker; 0 = no limit */
    /** For sweeping at once when a worker dies; may be NULL. */
    struct strait_segment *segment;
    const char *pool;  /**< with segment: the pool whose tasks the workers hold; NULL = hangs are not looked for */
    uint64_t hang_ns;  /**< grace beyond a task's deadline; default 1 s */
    uint64_t check_ns; /**< how often memory and hangs are looked at; default 250 ms */
    bool no_pin;       /**< without cpu_list: workers run anywhere, however many nodes there are */
};

/**
 * Start the workers. Thread: the loop's. 0, -EINVAL options (a CPU list that cannot be, or names no CPU of ours), -ENOMEM, or what fork(2) and the
 * loop say. Children are killed when the thread that started them ends (PR_SET_PDEATHSIG).
 */
STRAIT_API int strait_supervisor_start(struct strait_loop *loop, const struct strait_supervisor_options *options,
                                       struct strait_supervisor **supervisor);

/** From now on `workers` of them: more are started; of too many the last ones get SIGTERM. 0, -ENOMEM, -ECHILD. */
STRAIT_API int strait_supervisor_resize(struct strait_supervisor *supervisor, uint32_t workers);

/** How many are running now. */
STRAIT_API uint32_t strait_supervisor_alive(const struct strait_supervisor *supervisor);

/** Pid of worker i, 0 = it is not running now. */
STRAIT_API int32_t strait_supervisor_pid(const struct strait_supervisor *supervisor, uint32_t worker);

/**
 * Wait until all have ended by themselves (shut the pool down first), at the deadline SIGKILL the rest, reap all, free.
 * Runs the loop meanwhile. How many had to be killed. NULL is ignored.
 */
STRAIT_API int strait_supervisor_stop(struct strait_supervisor *supervisor, uint64_t deadline_ns);

STRAIT_END_DECLS

#endif
