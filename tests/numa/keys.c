/* SPDX-License-Identifier: MIT */
/**
 * The order of keys, with stealing and kills: senders and receivers of a sharded channel are killed at random and start
 * again, receivers change CPUs and stop to work now and then, so that others take from their shards. Of each key, the
 * messages must be worked on one after the other, by one receiver at a time, none lost; one whose receiver died comes again,
 * marked.
 *
 *   keys [--seconds N] [--shards N] [--seed N]
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "endpoint.h"
#include "lease.h"
#include "spread.h"
#include "strait/strait.h"

#define SENDERS   2
#define RECEIVERS 3
#define PROCESSES (SENDERS + RECEIVERS)
#define KEYS_EACH 8
#define KEYS      (SENDERS * KEYS_EACH)
#define MOST      (1 << 20) /* messages of one key */
#define MS        UINT64_C(1000000)
#define SECOND    UINT64_C(1000000000)

enum sent { UNSENT = 0, CUT, SENT, REFUSED };

struct key {
    uint32_t holder; /* the receiver that works on one of its messages */
    uint32_t begun;  /* the last number that its sender has begun to send; the first is 1 */
    uint32_t done;   /* the last number that was worked on */
    uint8_t sent[MOST + 1];
};

/* What survives the processes. */
static struct books {
    uint32_t finish;
    uint32_t wrong;
    char text[160];
    uint64_t worked, stolen, again;
    struct key keys[KEYS];
} * books;

static char name[48];
static uint64_t state_of_chance;

static uint64_t chance(uint64_t below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return state_of_chance % below;
}

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (__atomic_fetch_add(&books->wrong, 1, __ATOMIC_SEQ_CST) == 0)
        vsnprintf(books->text, sizeof books->text, format, args);
    va_end(args);
}

static struct strait_segment *join(void)
{
    struct strait_segment *s;
    int r = strait_attach(name, &(struct strait_segment_options){.attach = STRAIT_OPEN_ONLY}, &s);

    if (r < 0) {
        wrong("attach: %s", strait_error());
        _exit(1);
    }
    return s;
}

/* ---- senders ---- */

struct message {
    uint32_t key, number;
    uint64_t mirror;
};

static uint64_t mirror_of(uint32_t key, uint32_t number)
{
    return ~((uint64_t)key << 32 | number);
}

static void send_one(struct strait_tx *tx, uint32_t key)
{
    struct key *k = &books->keys[key];
    struct message m = {key, k->begun + 1, mirror_of(key, k->begun + 1)};
    int r;

    k->sent[m.number] = CUT;
    __atomic_store_n(&k->begun, m.number, __ATOMIC_SEQ_CST);
    r = strait_send_key(tx, key, (uint16_t)key, &m, sizeof m, strait_after_ns(200 * MS));
    __atomic_store_n(&k->sent[m.number], r == 0 ? SENT : REFUSED, __ATOMIC_SEQ_CST);
    if (r < 0 && r != -ETIMEDOUT && r != -EPIPE)
        wrong("send: %s", strait_error());
}

static void send_all(uint32_t index)
{
    struct strait_segment *s = join();
    struct strait_tx *tx;

    if (strait_tx_open(s, "keys", NULL, &tx) < 0) {
        wrong("open a sender: %s", strait_error());
        _exit(1);
    }
    while (!__atomic_load_n(&books->finish, __ATOMIC_RELAXED)) {
        uint32_t key = index * KEYS_EACH + (uint32_t)chance(KEYS_EACH);
        if (books->keys[key].begun < MOST)
            send_one(tx, key);
        else
            usleep(1000);
    }
    strait_tx_close(tx);
    strait_detach(s);
}

/* ---- receivers ---- */

/* May this number be the next one of its key? */
static void check_order(const struct key *k, const struct message *m, uint32_t attempts)
{
    if (m->number <= k->done && (m->number != k->done || attempts == 0))
        wrong("key %u: number %u after %u, attempts %u", m->key, m->number, k->done, attempts);
    for (uint32_t i = k->done + 1; i < m->number; i++)
        if (__atomic_load_n(&k->sent[i], __ATOMIC_SEQ_CST) == SENT)
            wrong("key %u: number %u came, %u did not", m->key, m->number, i);
}

static void work_on(struct strait_rx *rx, struct strait_msg *msg, uint32_t self)
{
    struct message m;
    struct key *k;
    uint32_t other;

    memcpy(&m, msg->data, sizeof m);
    if (msg->bytes != sizeof m || m.key >= KEYS || m.mirror != mirror_of(m.key, m.number) || m.number > MOST) {
        wrong("a message that nobody sent");
        return;
    }
    k = &books->keys[m.key];
    other = __atomic_exchange_n(&k->holder, self, __ATOMIC_SEQ_CST);
    if (other && msg->attempts == 0)
        wrong("key %u: receivers %u and %u at once", m.key, other, self);
    check_order(k, &m, msg->attempts);
    if (chance(100) == 0) /* long enough to be killed in */
        usleep(1000);
    k->done = m.number;
    __atomic_store_n(&k->holder, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&books->worked, 1, __ATOMIC_RELAXED);
    if (rx->lane != strait_spread_home(rx->endpoint->spread))
        __atomic_fetch_add(&books->stolen, 1, __ATOMIC_RELAXED);
    if (msg->attempts)
        __atomic_fetch_add(&books->again, 1, __ATOMIC_RELAXED);
}

/* To one of the CPUs that we may use, which may be another node's. */
static void move_somewhere(void)
{
    cpu_set_t all, one;
    unsigned cpu;

    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    do
        cpu = (unsigned)chance(CPU_SETSIZE);
    while (!CPU_ISSET(cpu, &all));
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setaffinity(0, sizeof all, &all);
}

static void receive_all(uint32_t self)
{
    struct strait_segment *s = join();
    struct strait_rx *rx;
    int r;

    if (strait_rx_open(s, "keys", NULL, &rx) < 0) {
        wrong("open a receiver: %s", strait_error());
        _exit(1);
    }
    do {
        struct strait_msg msg;
        r = strait_peek(rx, &msg, strait_after_ns(100 * MS));
        if (r == 0) {
            work_on(rx, &msg, self);
            strait_release(rx, &msg);
        }
        if (chance(500) == 0)
            move_somewhere();
        if (chance(2000) == 0) /* idle: others take what comes meanwhile */
            usleep(2000);
    } while (r == 0 || r == -ETIMEDOUT);
    if (r != -EPIPE)
        wrong("peek: %s", strait_error());
    strait_rx_close(rx);
    strait_detach(s);
}

/* ---- the overseer ---- */

static pid_t start(uint32_t i)
{
    uint64_t seed = chance(UINT64_MAX) | 1;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    state_of_chance = seed;
    if (i < SENDERS)
        send_all(i);
    else
        receive_all(i);
    _exit(0);
}

/* Reap; true while somebody is there. Who was killed starts again, unless `ending`. */
static bool tend(pid_t *pids, bool ending)
{
    bool any = false;

    for (uint32_t i = 0; i < PROCESSES; i++) {
        int status;
        if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
            pids[i] = 0;
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
                wrong("process %u: signal %d", i, WTERMSIG(status));
            else if (WIFSIGNALED(status) && !ending)
                pids[i] = start(i);
        }
        any = any || pids[i];
    }
    return any;
}

/* Any process, or, every other time, a receiver with a message in its hands, if one is seen soon. */
static uint32_t victim(void)
{
    for (int look = chance(2) ? 2000 : 0; look > 0; look--) {
        uint32_t holder = __atomic_load_n(&books->keys[chance(KEYS)].holder, __ATOMIC_RELAXED);
        if (holder)
            return holder;
        sched_yield();
    }
    return (uint32_t)chance(PROCESSES);
}

static bool tried(void)
{
    return __atomic_load_n(&books->stolen, __ATOMIC_RELAXED) && __atomic_load_n(&books->again, __ATOMIC_RELAXED);
}

static void judge(void)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        const struct key *k = &books->keys[key];
        for (uint32_t i = k->done + 1; i <= k->begun; i++)
            if (k->sent[i] == SENT)
                wrong("key %u: number %u was sent and never came", key, i);
    }
    if (!tried())
        wrong("%llu stolen, %llu again: nothing was tried", (unsigned long long)books->stolen,
              (unsigned long long)books->again);
}

static bool any_of(const pid_t *pids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (pids[i])
            return true;
    return false;
}

/* First the senders go. Then the channel is shut, which sticks: a receiver that was killed last and starts late would find a
 * channel that all have left, so a fresh one, and wait for its first sender. */
static void finish(struct strait_segment *s, pid_t *pids)
{
    int patience = 20000; /* looks, not by the clock: a guest's may jump */

    __atomic_store_n(&books->finish, 1, __ATOMIC_SEQ_CST);
    for (; any_of(pids, SENDERS) && patience > 0; patience--) {
        tend(pids, true);
        usleep(1000);
    }
    if (strait_channel_shut(s, "keys") < 0)
        wrong("shut: %s", strait_error());
    for (; tend(pids, true) && patience > 0; patience--)
        usleep(1000);
}

/* Where somebody hangs: what it waits for in the kernel, and what the rings look like. */
static void show(struct strait_segment *s, pid_t pid)
{
    struct strait_channel_view view;
    struct strait_object object;
    char text[64], line[256] = "";
    FILE *f;

    snprintf(text, sizeof text, "/proc/%d/syscall", (int)pid);
    f = fopen(text, "re");
    if (f) {
        if (fgets(line, sizeof line, f))
            fprintf(stderr, "keys: process %d hangs in %s", (int)pid, line);
        fclose(f);
    }
    if (strait_directory_find(&s->map, "keys", STRAIT_KIND_CHANNEL, &object) < 0 ||
        strait_channel_view(&s->map, &object, &view) < 0)
        return;
    fprintf(stderr, "keys: status %u, sleepers %#llx, senders %u, receivers %u, holders %u, had senders %u\n",
            view.shared->status, (unsigned long long)view.shared->readable.sleepers,
            strait_set_count(&view.shared->senders), strait_set_count(&view.shared->receivers),
            strait_set_count(&view.shared->holders), view.shared->had_senders);
    for (uint32_t i = 1; i < STRAIT_LEASES; i++) {
        const struct strait_lease_cell *cell = strait_segment_lease(&s->map, i);
        if (cell->state != STRAIT_LEASE_FREE)
            fprintf(stderr, "keys: lease %u, pid %u, %s\n", i, cell->pid,
                    strait_lease_dead(&s->map, i) ? "dead" : "alive");
    }
    for (uint32_t ring = 0; ring < view.rings; ring++) {
        struct strait_ring_end end;
        if (strait_channel_end(&view, ring, &end) < 0)
            continue;
        for (uint32_t i = 0; i <= end.mask; i++)
            fprintf(stderr, " %llx", (unsigned long long)strait_ring_slot(&end, i)->word);
        fprintf(stderr, "\n");
    }
}

static int run(uint64_t seconds, uint32_t shards)
{
    struct strait_channel_options o = {.depth = 16,
                                       .shards = shards,
                                       .spread = STRAIT_SPREAD_KEY,
                                       .max_attempts = 31,
                                       .first_turn = (1ull << 40) - 40};
    uint64_t until = strait_after_ns(seconds * SECOND), late = strait_after_ns(5 * seconds * SECOND), kills = 0;
    struct strait_segment *s;
    struct strait_hold *hold;
    pid_t pids[PROCESSES] = {0};

    if (strait_attach(name, &(struct strait_segment_options){.bytes = 1 << 20}, &s) < 0 ||
        strait_channel_create(s, "keys", &o) < 0 || strait_channel_hold(s, "keys", &hold) < 0)
        return fprintf(stderr, "keys: %s\n", strait_error()), 1;
    for (uint32_t i = 0; i < PROCESSES; i++)
        pids[i] = start(i);
    while (strait_after_ns(0) < (tried() ? until : late) && !books->wrong) { /* a slow machine takes longer to try it */
        usleep((unsigned)(5000 + chance(20000)));                            /* the pace of the harm */
        uint32_t i = victim();
        if (pids[i] && kill(pids[i], SIGKILL) == 0)
            kills++;
        tend(pids, false);
        if (chance(2))
            strait_sweep_dead(s);
    }
    finish(s, pids);
    strait_channel_unhold(hold);
    for (uint32_t i = 0; i < PROCESSES; i++)
        if (pids[i]) {
            show(s, pids[i]);
            kill(pids[i], SIGKILL);
            wrong("a %s hangs", i < SENDERS ? "sender" : "receiver");
        }
    judge();
    strait_detach(s);
    strait_segment_remove(name, NULL);
    printf("%u shards: %llu messages, %llu of them stolen, %llu again, %llu kills: %s\n", shards,
           (unsigned long long)books->worked, (unsigned long long)books->stolen, (unsigned long long)books->again,
           (unsigned long long)kills, books->wrong ? books->text : "in order");
    return books->wrong != 0;
}

int main(int argc, char **argv)
{
    uint64_t seconds = getenv("STRAIT_SHORT") ? 2 : 6, shards = 3;

    state_of_chance = (uint64_t)getpid() * 2654435761u | 1;
    for (int i = 1; i + 1 < argc; i += 2)
        *(!strcmp(argv[i], "--seconds")  ? &seconds
          : !strcmp(argv[i], "--shards") ? &shards
                                         : &state_of_chance) = strtoull(argv[i + 1], NULL, 0);
    snprintf(name, sizeof name, "numa-keys-%d", (int)getpid());
    books = mmap(NULL, sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (books == MAP_FAILED)
        return perror("mmap"), 1;
    return run(seconds, (uint32_t)shards);
}
