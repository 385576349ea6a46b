/* SPDX-License-Identifier: MIT */
/**
 * Chaos: processes on shared channels of all kinds are killed, stopped and continued several times a second, restarted,
 * and what they sent and received is judged. In rounds, so that the books stay small.
 *
 *   chaos [--seconds N] [--seconds-of ENVIRONMENT-VARIABLE] [--seed N]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "history.h"
#include "step.h"
#include "strait/strait.h"

#define ARRAY     7      /* values of an array, where there are packs; five fit a slot */
#define VALUES    60000  /* of one producer in one round */
#define SIGHTS    400000 /* of one consumer in one round */
#define ROUND_NS  UINT64_C(4000000000)
#define FINISH_NS UINT64_C(20000000000)

static const struct kind {
    const char *name;
    enum strait_ends senders, receivers;
    enum strait_full full;
    uint32_t lanes, producers, consumers;
    bool peeks;
    uint32_t shards;
    enum strait_spread spread;
    bool packed;
} kinds[] = {
    {"n-n", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 2, 2, false},
    {"n-n-peeked", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 1, 2, true},
    {"n-1", STRAIT_MANY, STRAIT_ONE, STRAIT_FULL_WAIT, 0, 2, 1, false},
    {"1-n", STRAIT_ONE, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 1, 2, false},
    {"1-1-peeked", STRAIT_ONE, STRAIT_ONE, STRAIT_FULL_WAIT, 0, 1, 1, true},
    {"lanes", STRAIT_MANY, STRAIT_ONE, STRAIT_FULL_WAIT, 4, 2, 1, false},
    {"drop-oldest", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_DROP_OLDEST, 0, 1, 1, false},
    {"shards", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 1, 2, true, 3},
    {"shards-in-turn", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 1, 2, false, 2, STRAIT_SPREAD_TURN},
    {"shards-by-key", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 2, 2, true, 2, STRAIT_SPREAD_KEY},
    {"n-n-packed", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 1, 2, false, .packed = true},
    {"n-n-packed-peeked", STRAIT_MANY, STRAIT_MANY, STRAIT_FULL_WAIT, 0, 1, 2, true, .packed = true},
    {"1-1-packed", STRAIT_ONE, STRAIT_ONE, STRAIT_FULL_WAIT, 0, 1, 1, false, .packed = true},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))
#define MOST  4 /* processes of one sort on one channel */

struct producer_book {
    uint64_t n; /* values begun */
    uint8_t sent[VALUES];
};

struct consumer_book {
    uint64_t n;
    uint32_t opened; /* the life that has its receiver open */
    struct history_sight sights[SIGHTS];
};

/** What survives the processes: anonymous memory of the overseer. */
struct books {
    uint32_t finish; /* producers stop */
    uint64_t troubles;
    char trouble[160];
    struct producer_book producers[KINDS][MOST];
    struct consumer_book consumers[KINDS][MOST];
};

struct process {
    pid_t pid; /* 0: not there */
    size_t kind;
    uint32_t index, lives;
    bool consumer, stopped, done;
    uint64_t due_ns; /* stopped: to continue; dead: to start again */
};

static struct books *books;
static struct process processes[KINDS * 2 * MOST];
static size_t processes_n;
static uint64_t kills[KINDS], all_kills, all_stops, state_of_chance;
static char segment_name[32];

static uint64_t chance(uint64_t below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return state_of_chance % below;
}

/* ---- the processes ---- */

static void trouble(const char *what, int64_t r)
{
    if (__atomic_fetch_add(&books->troubles, 1, __ATOMIC_RELAXED) == 0)
        snprintf(books->trouble, sizeof(books->trouble), "%s: %s (%s)", what, strait_strerror((int)r), strait_error());
    _exit(1);
}

static struct strait_segment *join(void)
{
    struct strait_segment *segment;
    int r = strait_attach(segment_name, &(struct strait_segment_options){.attach = STRAIT_OPEN_ONLY}, &segment);
    if (r < 0)
        trouble("attach", r);
    return segment;
}

/* words: value, then its mix three times; the tag is the low half of the value that its array began with */
static void write_words(uint64_t words[4], uint64_t value)
{
    words[0] = value;
    for (unsigned i = 1; i < 4; i++)
        words[i] = (value + i) * UINT64_C(0x9E3779B97F4A7C15);
}

static uint64_t read_words(const uint64_t words[4], int64_t bytes, uint16_t tag)
{
    uint64_t right[4];
    write_words(right, words[0]);
    return bytes == sizeof(right) && !memcmp(words, right, sizeof(right)) && (uint16_t)(words[0] - tag) < ARRAY
               ? words[0]
               : 0;
}

/* One value, or an array: how many were sent, or -errno. */
static int send_values(struct strait_tx *tx, bool packed, uint64_t words[][4], uint32_t n)
{
    uint16_t tag = (uint16_t)words[0][0];
    uint64_t deadline = strait_after_ns(200000000);
    int r;
    if (packed)
        return strait_send_array(tx, tag, words, sizeof(words[0]), n, deadline);
    r = strait_send_tagged(tx, tag, words[0], sizeof(words[0]), deadline);
    return r < 0 ? r : 1;
}

static void produce(size_t kind, uint32_t index)
{
    struct strait_segment *segment = join();
    struct producer_book *b = &books->producers[kind][index];
    struct strait_tx *tx;
    uint64_t words[ARRAY][4];
    uint32_t n = kinds[kind].packed ? ARRAY : 1;
    int r = strait_tx_open(segment, kinds[kind].name, NULL, &tx);
    if (r == 0 && kinds[kind].spread == STRAIT_SPREAD_KEY)
        r = strait_tx_key(tx, index); /* each in one shard, whatever life it is in: in order */
    if (r < 0)
        trouble("open a sender", r);
    while (!__atomic_load_n(&books->finish, __ATOMIC_RELAXED) && b->n + n <= VALUES) {
        uint64_t i = b->n;
        for (uint32_t k = 0; k < n; k++) {
            write_words(words[k], HISTORY_VALUE(index, i + k));
            b->sent[i + k] = HISTORY_CUT;
        }
        __atomic_store_n(&b->n, i + n, __ATOMIC_SEQ_CST);
        r = send_values(tx, kinds[kind].packed, words, n);
        for (uint32_t k = 0; k < n; k++)
            __atomic_store_n(&b->sent[i + k], (int)k < r ? HISTORY_SENT : HISTORY_REFUSED, __ATOMIC_SEQ_CST);
        if (r < 0 && r != -ETIMEDOUT && r != -EPIPE)
            trouble("send", r);
        if (i % 64 < n)
            usleep(1000); /* only the pace: bursts, and time for receivers to fall asleep */
    }
    strait_tx_close(tx);
    strait_detach(segment);
    _exit(0);
}

static void see(struct consumer_book *b, const struct process *p, uint64_t value, uint32_t attempts, bool released)
{
    if (b->n == SIGHTS)
        trouble("too many messages for the book", -ENOBUFS);
    b->sights[b->n] = (struct history_sight){value, attempts, released, p->index, p->lives};
    __atomic_store_n(&b->n, b->n + 1, __ATOMIC_SEQ_CST);
}

static int64_t take_peeked(struct strait_rx *rx, struct consumer_book *b, const struct process *p)
{
    struct strait_msg msg;
    uint64_t words[4];
    int64_t r = strait_peek(rx, &msg, strait_after_ns(1000000000));
    if (r < 0)
        return r;
    memcpy(words, msg.data, msg.bytes < sizeof(words) ? msg.bytes : sizeof(words));
    see(b, p, read_words(words, msg.bytes, msg.tag), msg.attempts, false);
    r = strait_release(rx, &msg);
    if (r == 0)
        b->sights[b->n - 1].released = 1;
    return r;
}

static int64_t take(struct strait_rx *rx, struct consumer_book *b, const struct process *p)
{
    struct strait_msg info;
    uint64_t words[4];
    int64_t r = strait_recv_info(rx, words, sizeof(words), &info, strait_after_ns(1000000000));
    if (r >= 0)
        see(b, p, read_words(words, r, info.tag), info.attempts, true);
    return r;
}

static void consume(const struct process *p)
{
    struct strait_segment *segment = join();
    struct consumer_book *b = &books->consumers[p->kind][p->index];
    struct strait_rx *rx;
    int64_t r = strait_rx_open(segment, kinds[p->kind].name, NULL, &rx);
    if (r < 0)
        trouble("open a receiver", r);
    __atomic_store_n(&b->opened, p->lives, __ATOMIC_SEQ_CST);
    do {
        r = kinds[p->kind].peeks ? take_peeked(rx, b, p) : take(rx, b, p);
        if (kinds[p->kind].packed && r >= 0 && b->n % 16 == 0)
            usleep(500); /* so that harm finds it in mid-pack */
    } while (r >= 0 || r == -ETIMEDOUT);
    if (r != -EPIPE)
        trouble("receive", r);
    strait_rx_close(rx);
    strait_detach(segment);
    _exit(0);
}

/* ---- the overseer ---- */

static void start(struct process *p)
{
    pid_t parent = getpid();
    p->lives++;
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        if (p->consumer)
            consume(p);
        produce(p->kind, p->index);
    }
    p->stopped = false;
}

static void harm(struct process *p)
{
    if (p->pid <= 0 || p->done || p->stopped)
        return;
    if (chance(3) == 0) {
        kill(p->pid, SIGSTOP);
        p->stopped = true;
        p->due_ns = step_now_ns() + 1000000 + chance(60000000);
        all_stops++;
        return;
    }
    int status;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &status, 0);
    all_kills++;
    if (p->consumer)
        kills[p->kind]++;
    p->done = WIFEXITED(status) && WEXITSTATUS(status) == 0; /* it was quicker */
    p->pid = 0;
    p->due_ns = step_now_ns() + chance(50000000);
}

/* Continues and restarts what is due, and reaps who has finished. True while somebody is still at it. */
static bool tend(bool all)
{
    bool busy = false;
    for (size_t i = 0; i < processes_n; i++) {
        struct process *p = &processes[i];
        int status;
        bool due = all || step_now_ns() >= p->due_ns;
        if (p->stopped && due) {
            kill(p->pid, SIGCONT);
            p->stopped = false;
        }
        if (p->pid > 0 && !p->stopped && waitpid(p->pid, &status, WNOHANG) == p->pid) {
            p->pid = 0;
            p->done = true;
        }
        if (p->pid == 0 && !p->done && due)
            start(p);
        busy = busy || !p->done;
    }
    return busy;
}

/* All consumers are at their places: one that came after everybody else had left would wait for new senders. */
static bool consumers_there(void)
{
    for (size_t i = 0; i < processes_n; i++) {
        const struct process *p = &processes[i];
        if (p->consumer && !p->done &&
            __atomic_load_n(&books->consumers[p->kind][p->index].opened, __ATOMIC_SEQ_CST) != p->lives)
            return false;
    }
    return true;
}

static void cast_processes(void)
{
    processes_n = 0;
    for (size_t k = 0; k < KINDS; k++)
        for (uint32_t i = 0; i < kinds[k].producers + kinds[k].consumers; i++) {
            bool consumer = i >= kinds[k].producers;
            processes[processes_n++] =
                (struct process){.kind = k, .index = consumer ? i - kinds[k].producers : i, .consumer = consumer};
        }
}

static int judge_kind(size_t k, uint64_t *messages)
{
    struct history_producer producers[MOST];
    struct history h = {producers,
                        kinds[k].producers,
                        NULL,
                        0,
                        kinds[k].peeks ? 0 : kills[k],
                        kinds[k].full == STRAIT_FULL_DROP_OLDEST,
                        kinds[k].shards && kinds[k].spread != STRAIT_SPREAD_KEY};
    struct history_verdict v;
    for (uint32_t i = 0; i < kinds[k].producers; i++)
        producers[i] = (struct history_producer){books->producers[k][i].sent, books->producers[k][i].n};
    for (uint32_t i = 0; i < kinds[k].consumers; i++)
        h.sights_n += books->consumers[k][i].n;
    h.sights = malloc((h.sights_n + 1) * sizeof(*h.sights));
    size_t at = 0;
    for (uint32_t i = 0; i < kinds[k].consumers; at += books->consumers[k][i++].n)
        memcpy(h.sights + at, books->consumers[k][i].sights, books->consumers[k][i].n * sizeof(*h.sights));
    history_judge(&h, &v);
    free(h.sights);
    *messages += v.received;
    if (!v.lost && !v.duplicated && !v.torn && !v.disordered)
        return 0;
    printf("%s: sent %llu, received %llu, lost %llu, duplicated %llu, torn %llu, out of order %llu: %s\n",
           kinds[k].name, (unsigned long long)v.sent, (unsigned long long)v.received, (unsigned long long)v.lost,
           (unsigned long long)v.duplicated, (unsigned long long)v.torn, (unsigned long long)v.disordered, v.text);
    return 1;
}

static int audit_after(struct stage *st)
{
    struct audit a;
    stage_reset(st, 0);
    snprintf(st->object, sizeof(st->object), "/strait.%s", segment_name);
    if (audit_open(&a, st)) {
        audit_clean(&a, st, 0);
        audit_close(&a);
    }
    if (st->verdict)
        printf("after the round: %s\n", st->text);
    return st->verdict != VERDICT_GOOD;
}

/* One round; how many things were wrong. */
static int round_of_chaos(uint64_t until_ns, uint64_t *messages, struct stage *st)
{
    struct strait_segment *segment;
    struct strait_hold *holds[KINDS];
    int bad = 0;
    if (strait_attach(segment_name, &(struct strait_segment_options){.bytes = 1 << 20}, &segment) < 0)
        return printf("attach: %s\n", strait_error()), 1;
    for (size_t k = 0; k < KINDS; k++) {
        struct strait_channel_options o = {.depth = 16,
                                           .slot_bytes = kinds[k].packed ? 5 * 4 * sizeof(uint64_t) : 0,
                                           .packed = kinds[k].packed,
                                           .senders = kinds[k].senders,
                                           .receivers = kinds[k].receivers,
                                           .full = kinds[k].full,
                                           .lanes = kinds[k].lanes,
                                           .shards = kinds[k].shards,
                                           .spread = kinds[k].spread,
                                           .max_attempts = 31,
                                           .first_turn = (UINT64_C(1) << 40) - 40};
        if (strait_channel_create(segment, kinds[k].name, &o) < 0 ||
            strait_channel_hold(segment, kinds[k].name, &holds[k]) < 0)
            return printf("channel: %s\n", strait_error()), 1;
    }
    memset(kills, 0, sizeof(kills));
    cast_processes();
    while (tend(false) && step_now_ns() < until_ns) {
        harm(&processes[chance(processes_n)]);
        usleep((unsigned)(5000 + chance(20000))); /* the pace of the harm */
    }
    uint64_t finish_by = step_now_ns() + FINISH_NS;
    while (tend(true) && !consumers_there() && step_now_ns() < finish_by)
        usleep(2000);
    __atomic_store_n(&books->finish, 1, __ATOMIC_SEQ_CST);
    for (size_t k = 0; k < KINDS; k++)
        strait_channel_unhold(holds[k]);
    while (tend(true) && step_now_ns() < finish_by)
        usleep(2000);
    for (size_t i = 0; i < processes_n; i++)
        if (!processes[i].done) {
            printf("%s: a %s hangs\n", kinds[processes[i].kind].name, processes[i].consumer ? "consumer" : "producer");
            bad++;
            if (processes[i].pid > 0 && kill(processes[i].pid, SIGKILL) == 0)
                waitpid(processes[i].pid, NULL, 0);
        }
    strait_detach(segment);
    for (size_t k = 0; k < KINDS; k++)
        bad += judge_kind(k, messages);
    return bad + audit_after(st);
}

int main(int argc, char **argv)
{
    uint64_t seconds = 60, rounds = 0, messages = 0, begun = step_now_ns();
    int bad = 0;
    state_of_chance = (uint64_t)getpid() * 2654435761u | 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seconds"))
            seconds = strtoull(argv[i + 1], NULL, 0);
        else if (!strcmp(argv[i], "--seconds-of") && getenv(argv[i + 1]))
            seconds = strtoull(getenv(argv[i + 1]), NULL, 0);
        else if (!strcmp(argv[i], "--seed"))
            state_of_chance = strtoull(argv[i + 1], NULL, 0) | 1;
    }
    printf("seed %llu\n", (unsigned long long)state_of_chance);
    fflush(stdout);
    books = mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct stage *st = stage_new();
    if (books == MAP_FAILED || !st)
        return 1;
    uint64_t end = begun + seconds * 1000000000;
    while (!bad && step_now_ns() < end) {
        uint64_t until = step_now_ns() + ROUND_NS;
        madvise(books, sizeof(*books), MADV_REMOVE);
        snprintf(segment_name, sizeof(segment_name), "chaos-%d-%llu", (int)getpid(), (unsigned long long)rounds);
        bad = round_of_chaos(until < end ? until : end, &messages, st);
        if (books->troubles) {
            printf("%llu processes gave up: %s\n", (unsigned long long)books->troubles, books->trouble);
            bad++;
        }
        if (!bad)
            strait_segment_remove(segment_name, NULL);
        else
            printf("the segment is kept: %s\n", segment_name);
        rounds++;
    }
    printf("chaos: %llu rounds, %zu processes, %llu kills, %llu stops, %llu messages in %.0f s: %s\n",
           (unsigned long long)rounds, processes_n, (unsigned long long)all_kills, (unsigned long long)all_stops,
           (unsigned long long)messages, (double)(step_now_ns() - begun) / 1e9, bad ? "FAILED" : "nothing wrong");
    stage_free(st);
    return bad != 0;
}
