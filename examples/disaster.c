/* SPDX-License-Identifier: MIT */
/*
 * Three in the morning: six processes, and nothing moves. Find out why, in another terminal: shmctl blame disaster; shmctl
 * deadlock disaster. Enter ends it.
 *
 * ann, bob and cid each have a fork and want the next one. dan is stopped in the middle of sweeping, and has the ledger.
 * eve died in the stock, and because of dan nobody can sweep her. fay waits for all of them: for room in the orders, which
 * ann does not read, for the ledger and for the stock.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "guide.h"

static const char *const names[] = {"ann", "bob", "cid", "dan", "eve", "fay"};
enum { ANN, BOB, CID, DAN, EVE, FAY, ALL };
static char forks[3][8] = {"fork-1", "fork-2", "fork-3"};
static pid_t pids[ALL];

static void *lock(void *name)
{
    struct strait_region_options options = {.bytes = 64};
    struct strait_region *region;

    must(strait_region_open(segment, name, &options, &region));
    must(strait_region_lock(region, STRAIT_FOREVER));
    return NULL;
}

/* Called by the sweeper in the admin section: nobody else gets in while it is there. */
static void stop_here(const struct strait_death *death)
{
    (void)death;
    raise(SIGSTOP);
}

static void sweep_and_stop(void)
{
    strait_on_death(stop_here);
    for (;;) { /* somebody dies attached; whoever is quicker sweeps it */
        if (fork() == 0) {
            prctl(PR_SET_NAME, "gil");
            join();
            _exit(0);
        }
        wait(NULL);
        strait_sweep_dead(segment);
    }
}

/* What each has before it stops, and wants when it goes on. */
static void act(int who)
{
    struct strait_channel_options small = {.depth = 4};
    struct strait_rx *rx;
    struct strait_tx *tx = NULL;
    pthread_t thread;

    if (who == ANN)
        must(strait_rx_open(segment, "orders", &small, &rx));
    if (who == FAY) {
        must(strait_tx_open(segment, "orders", NULL, &tx));
        while (strait_try_send(tx, 0, "order", 5) == 0)
            ;
    } else {
        lock(who <= CID ? forks[who] : who == DAN ? "ledger" : "stock");
    }
    raise(SIGSTOP);
    if (who <= CID)
        lock(forks[(who + 1) % 3]);
    if (who == DAN)
        sweep_and_stop();
    pthread_create(&thread, NULL, lock, "ledger");
    pthread_create(&thread, NULL, lock, "stock");
    strait_send(tx, "order", 5, STRAIT_FOREVER);
}

static void start(int who)
{
    int status;

    pids[who] = fork();
    if (pids[who] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, names[who]); /* what shmctl shows */
        join();
        act(who);
        exit(1); /* nobody gets here */
    }
    waitpid(pids[who], &status, WUNTRACED);
    must(WIFSTOPPED(status) ? 0 : -ECHILD);
}

/* Until so many threads of it are asleep, and no other is there. */
static void let_wait(int who, int threads)
{
    char asleep[128];

    kill(pids[who], SIGCONT);
    snprintf(asleep, sizeof asleep, "test \"$(cat /proc/%d/task/*/stat | grep -c ') S ')\" = %d", pids[who], threads);
    while (system(asleep) != 0)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
}

int main(void)
{
    snprintf(guide_name, sizeof guide_name, "disaster");
    strait_region_check_ranks(false); /* it would forbid the deadlock */
    for (int who = 0; who < ALL; who++)
        start(who);
    for (int who = ANN; who <= CID; who++)
        let_wait(who, 1);
    let_wait(FAY, 3);
    kill(pids[DAN], SIGCONT);
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
    return strait_segment_remove(guide_name, NULL) == 1 ? 0 : 1;
}
