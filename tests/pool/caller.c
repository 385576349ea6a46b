/* SPDX-License-Identifier: MIT */
/* pool-caller NAME=PROGRAM…: tasks wait in a pool that has no worker; then these join, one after the other, each while tasks are
 * under way. Every task is answered once, and in the end each of them has answered some. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <strait/strait.h>

#include "place.h"

#define AT_ONCE 16
#define MOST    64 /* worker programs */

#define PATIENCE_NS UINT64_C(20000000000)

static pid_t pids[MOST];

/* A worker that stays would hold whoever reads our output. */
static void must(int64_t r, const char *what)
{
    if (r >= 0)
        return;
    printf("FAILED: %s: %s (%s)\n", what, strait_strerror((int)r), strait_error());
    for (int i = 0; i < MOST; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
    place_free();
    exit(1);
}

static pid_t start(char *spec)
{
    char *program = strchr(spec, '=');
    extern char **environ;
    pid_t pid;

    must(program ? 0 : -EINVAL, spec);
    *program++ = 0;
    must(-posix_spawn(&pid, program, NULL, NULL, (char *[]){program, spec, NULL}, environ), program);
    return pid;
}

/* It may have to wait: a worker that lost its CPU between answer and release still has a slot of the last turn. */
static void submit(struct strait_pool *pool, struct strait_reply_rx replies[AT_ONCE])
{
    for (int i = 0; i < AT_ONCE; i++)
        must(strait_pool_submit(pool, 0, "who?", 5, STRAIT_FOREVER, &replies[i], strait_after_ns(PATIENCE_NS)),
             "submit");
}

/* Each task's answer. True: one of them was `name`'s. */
static bool collect(struct strait_reply_rx replies[AT_ONCE], const char *name)
{
    bool found = false;

    for (int i = 0; i < AT_ONCE; i++) {
        char who[16] = "";
        must(strait_reply_recv(&replies[i], who, sizeof who, NULL, strait_after_ns(PATIENCE_NS)), "answer");
        strait_reply_close(&replies[i]);
        found = found || strcmp(who, name) == 0;
    }
    return found;
}

int main(int argc, char **argv)
{
    struct strait_reply_rx replies[AT_ONCE];
    struct strait_segment *segment;
    struct strait_pool *pool;
    int status, rounds = 0;

    place_new();
    must(strait_attach("pool", NULL, &segment), "attach");
    must(strait_pool_open(segment, "work", NULL, &pool), "pool");
    for (int i = 1; i < argc && i < MOST; i++) {
        uint64_t until_ns = strait_after_ns(PATIENCE_NS);
        submit(pool, replies);
        for (pids[i] = start(argv[i]); !collect(replies, argv[i]); rounds++) {
            must(strait_now_ns() < until_ns ? 0 : -ETIMEDOUT, argv[i]);
            submit(pool, replies);
        }
    }
    must(strait_pool_shutdown(pool, strait_after_ns(PATIENCE_NS)), "shutdown");
    for (int i = 1; i < argc && i < MOST; i++)
        must(waitpid(pids[i], &status, 0) == pids[i] && status == 0 ? 0 : -ECHILD, argv[i]);
    strait_pool_close(pool);
    strait_detach(segment);
    must(strait_segment_remove("pool", NULL) == 1 ? 0 : -EBUSY, "a lease is left");
    printf("ok: %d kinds of workers, after %d rounds each had answered\n", argc - 1, rounds);
    place_free();
    return 0;
}
