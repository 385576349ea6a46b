/* SPDX-License-Identifier: MIT */
/*
 * Three in the morning: six processes, and nothing moves. Find out why, in another terminal:
 *
 *   shmctl blame disaster
 *   shmctl deadlock disaster
 *
 * ann, bob and cid each have a fork and want the next one. dan is stopped in the middle of sweeping, and has the ledger.
 * eve died in the stock, and because of dan nobody can sweep her. fay waits for all of them: for room in the orders, which
 * ann does not read, for the ledger and for the stock. Enter ends it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <strait/strait.h>

static const char *const names[] = {"ann", "bob", "cid", "dan", "eve", "fay"};
enum { ANN, BOB, CID, DAN, EVE, FAY, ALL };

static struct strait_segment *segment;
static int ready[2], go[ALL][2]; /* pipes: who has what it wants first; who may want more */
static pid_t pids[ALL];

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, strait_strerror(r), strait_error());
        exit(1);
    }
}

static void lock(const char *name)
{
    struct strait_region_options options = {.bytes = 64};
    struct strait_region *region;

    must(strait_region_open(segment, name, &options, &region), name);
    must(strait_region_lock(region, STRAIT_FOREVER), name);
}

static void *lock_thread(void *name)
{
    lock(name);
    return NULL;
}

/* "I have it": then wait to be told. */
static void meet(int who)
{
    char byte;

    if (write(ready[1], "x", 1) != 1 || read(go[who][0], &byte, 1) != 1)
        exit(1);
}

/* ann, bob, cid: a fork, and then the next one. ann is also the one who should read the orders. */
static void dine(int who, const char *first, const char *second)
{
    struct strait_channel_options small = {.depth = 4};
    struct strait_rx *orders;

    if (who == ANN)
        must(strait_rx_open(segment, "orders", &small, &orders), "orders");
    lock(first);
    meet(who);
    lock(second);
}

/* Called by the sweeper in the admin section: nobody else gets in while it is there. */
static void stop_here(const struct strait_death *death)
{
    (void)death;
    raise(SIGSTOP);
}

static void sweep_and_stop(void)
{
    lock("ledger");
    meet(DAN);
    strait_on_death(stop_here);
    for (;;) { /* somebody dies attached; whoever is quicker sweeps it */
        pid_t gil = fork();
        if (gil == 0) {
            prctl(PR_SET_NAME, "gil");
            must(strait_attach("disaster", NULL, &segment), "gil");
            _exit(0);
        }
        waitpid(gil, NULL, 0);
        strait_sweep_dead(segment);
    }
}

static void want_everything(void)
{
    struct strait_tx *orders;
    pthread_t thread;

    must(strait_tx_open(segment, "orders", NULL, &orders), "orders");
    while (strait_try_send(orders, 0, "order", 5) == 0)
        ;
    meet(FAY);
    pthread_create(&thread, NULL, lock_thread, "ledger");
    pthread_create(&thread, NULL, lock_thread, "stock");
    strait_send(orders, "order", 5, STRAIT_FOREVER);
}

static void act(int who)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, names[who]); /* what shmctl shows */
    must(strait_attach("disaster", NULL, &segment), names[who]);
    if (who <= CID) {
        static const char *const forks[] = {"fork-1", "fork-2", "fork-3"};
        dine(who, forks[who], forks[(who + 1) % 3]);
    } else if (who == DAN) {
        sweep_and_stop();
    } else if (who == EVE) {
        lock("stock");
        meet(EVE);
    } else {
        want_everything();
    }
}

static void start(int who)
{
    char byte;

    must(pipe(go[who]), "pipe");
    pids[who] = fork();
    if (pids[who] == 0) {
        act(who);
        exit(1); /* nobody gets here */
    }
    if (read(ready[0], &byte, 1) != 1)
        exit(1);
}

/* Are so many threads of the process asleep, and no other there? */
static int asleep(pid_t pid, int threads)
{
    char command[128];

    snprintf(command, sizeof command, "test \"$(cat /proc/%d/task/*/stat | grep -c ') S ')\" = %d", pid, threads);
    return system(command) == 0;
}

static void let_wait(int who, int threads)
{
    if (write(go[who][1], "x", 1) != 1)
        exit(1);
    while (!asleep(pids[who], threads))
        nanosleep(&(struct timespec){0, 5000000}, NULL);
}

int main(void)
{
    strait_region_check_ranks(false); /* it would forbid the deadlock */
    must(pipe(ready), "pipe");
    for (int who = 0; who < ALL; who++)
        start(who);
    let_wait(ANN, 1);
    let_wait(BOB, 1);
    let_wait(CID, 1);
    let_wait(FAY, 3);
    if (write(go[DAN][1], "x", 1) != 1)
        return 1;
    waitpid(pids[DAN], NULL, WUNTRACED);
    kill(pids[EVE], SIGKILL);
    waitpid(pids[EVE], NULL, 0);
    for (int who = 0; who < ALL; who++)
        printf("%s %d\n", names[who], pids[who]);
    printf("now: shmctl blame disaster; shmctl deadlock disaster; Enter ends it\n");
    fflush(stdout);
    getchar();
    for (int who = 0; who < ALL; who++)
        kill(pids[who], SIGKILL);
    while (wait(NULL) > 0)
        ;
    return strait_segment_remove("disaster", NULL) == 1 ? 0 : 1;
}
