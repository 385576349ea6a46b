/* SPDX-License-Identifier: MIT */
/* A process writes random words all over a segment while others work in it. They may lose every message and get every
 * error there is; they may not crash, and no call may last a second beyond its deadline. The scribbler does not truncate:
 * that is a stated limit. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <strait/strait.h>

#include "peer.h"
#include "place.h"

#define ROUNDS   24
#define ROUND_NS 200000000 /* how long each segment is worked in */
#define WAIT_NS  20000000
#define LATE_NS  UINT64_C(1000000000)
#define VICTIMS  3

static struct {
    gate go, stop;
    uint64_t calls, late_ns_most;
} * shared;

static uint64_t seed;

static uint64_t dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- how late? ---- */

/* Nanoseconds that this process was ready to run and had no CPU: no fault of the call's. */
static uint64_t starved_ns(void)
{
    static int fd = -1;
    char text[128] = "";
    unsigned long long ran, waited = 0;

    if (fd < 0)
        fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, text, sizeof text - 1, 0) <= 0 || sscanf(text, "%llu %llu", &ran, &waited) != 2)
        return 0;
    return waited;
}

static uint64_t began_starved;

static uint64_t begin(void)
{
    began_starved = starved_ns();
    return strait_after_ns(WAIT_NS);
}

static void end(const char *call, uint64_t deadline_ns)
{
    uint64_t now = strait_now_ns(), starved = starved_ns() - began_starved;

    __atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
    if (now <= deadline_ns + starved)
        return;
    now -= deadline_ns + starved;
    if (now > __atomic_load_n(&shared->late_ns_most, __ATOMIC_RELAXED))
        __atomic_store_n(&shared->late_ns_most, now, __ATOMIC_RELAXED);
    if (now > LATE_NS) {
        fprintf(stderr, "%s returned %llu ms after its deadline\n", call, (unsigned long long)now / 1000000);
        _exit(98);
    }
}

#define TIMED(call)                                                                                                    \
    do {                                                                                                               \
        uint64_t deadline = begin();                                                                                   \
        (void)(call);                                                                                                  \
        end(#call, deadline);                                                                                          \
    } while (0)

/* ---- victims ---- */

struct victim {
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_rx *rx;
    unsigned char text[256];
};

static const struct strait_channel_options channel_options[] = {
    {.replies = 4, .depth = 16},
    {.full = STRAIT_FULL_DROP_OLDEST, .depth = 64, .slot_bytes = 24},
    {.lanes = 4, .depth = 16},
};
static const char *const channels[] = {"calls", "latest", "lanes"};

static void open_ends(struct victim *v, unsigned channel)
{
    if (v->tx == NULL)
        TIMED(strait_tx_open(v->segment, channels[channel], &channel_options[channel], &v->tx));
    if (v->rx == NULL)
        TIMED(strait_rx_open(v->segment, channels[channel], &channel_options[channel], &v->rx));
}

static void serve(struct victim *v)
{
    struct strait_answer answer;
    struct strait_msg msg;
    int r;

    TIMED(r = strait_peek(v->rx, &msg, deadline));
    if (r < 0)
        return;
    if (msg.bytes > sizeof v->text)
        _exit(97); /* larger than any slot */
    memcpy(v->text, msg.data, msg.bytes);
    if (strait_answer_accept(v->rx, &msg, &answer) == 0) {
        TIMED(strait_answer_send(&answer, 1, STRAIT_MSG_LAST, v->text, 8, deadline));
        strait_answer_abandon(&answer);
    }
    strait_release(v->rx, &msg);
}

static void ask(struct victim *v)
{
    struct strait_reply_rx reply;
    int r;

    TIMED(r = strait_request(v->tx, 1, v->text, 8, deadline, &reply, deadline));
    if (r < 0)
        return;
    TIMED(strait_reply_recv(&reply, v->text, sizeof v->text, NULL, deadline));
    strait_reply_close(&reply);
}

static void write_in_place(struct victim *v)
{
    struct strait_claim claim;
    int r;

    TIMED(r = strait_claim(v->tx, &claim, deadline));
    if (r != 0)
        return;
    memset(claim.data, 7, claim.size);
    if (dice() & 1)
        strait_commit(v->tx, &claim, 3, claim.size);
    else
        strait_abort(v->tx, &claim);
}

static void work(struct victim *v)
{
    switch (dice() % 8) {
    case 0:
    case 1:
        TIMED(strait_send(v->tx, v->text, (uint32_t)(dice() % 25), deadline));
        break;
    case 2:
    case 3:
        TIMED(strait_recv(v->rx, v->text, sizeof v->text, deadline));
        break;
    case 4:
        serve(v);
        break;
    case 5:
        ask(v);
        break;
    case 6:
        write_in_place(v);
        break;
    default:
        TIMED(strait_sweep_dead(v->segment));
        break;
    }
}

static void victim_runs(void *arg)
{
    unsigned number = *(unsigned *)arg, channel = number % 3;
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY, .timeout_ns = LATE_NS / 2};
    struct victim v = {.text = "strait"};

    int r;

    seed = seed * 31 + number + 1;
    do /* nobody scribbles yet, but others attach, too, and the machine may be busy */
        r = strait_attach("x", &options, &v.segment);
    while (r == -ETIMEDOUT);
    CHECK_IS(r, 0);
    open_ends(&v, channel);
    gate_count(&shared->go);
    while (!gate_is_open(&shared->stop)) {
        if (v.tx && v.rx)
            work(&v);
        if (dice() % 64 == 0) { /* begin anew, in whatever is left of it */
            strait_tx_close(v.tx);
            strait_rx_close(v.rx);
            v.tx = NULL;
            v.rx = NULL;
            open_ends(&v, (unsigned)(dice() % 3));
        }
        if (v.tx == NULL || v.rx == NULL) { /* handles first, then the segment */
            strait_tx_close(v.tx);
            strait_rx_close(v.rx);
            strait_detach(v.segment);
            v.tx = NULL;
            v.rx = NULL;
            v.segment = NULL;
            while (!gate_is_open(&shared->stop) && v.segment == NULL)
                TIMED(strait_attach("x", &options, &v.segment));
            if (v.segment)
                open_ends(&v, (unsigned)(dice() % 3));
        }
    }
    if (v.segment) {
        strait_tx_close(v.tx);
        strait_rx_close(v.rx);
        strait_detach(v.segment);
    }
}

/* ---- the scribbler ---- */

/* Random words, words from elsewhere, and words a little changed: the last two get past the first checks. */
static uint64_t lie(const uint64_t *words, size_t n, uint64_t was)
{
    switch (dice() % 5) {
    case 0:
        return dice();
    case 1:
        return words[dice() % n];
    case 2:
        return was + (UINT64_C(1) << dice() % 64);
    case 3:
        return was ^ UINT64_C(1) << dice() % 64;
    default:
        return dice() % 16;
    }
}

static void scribble(void *arg)
{
    unsigned round = *(unsigned *)arg;
    int fd = open(place_path("strait.x"), O_RDWR | O_CLOEXEC);
    struct stat st;
    uint64_t *words;
    size_t n, first;

    if (fd < 0 || fstat(fd, &st) < 0)
        err(95, "strait.x");
    words = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED)
        err(95, "mmap");
    n = (size_t)st.st_size / sizeof *words;
    first =
        round % 2 ? n / 2 : 0; /* the header falls soon, and nobody can attach any more: leave it be, half the time */
    gate_wait_count(&shared->go, VICTIMS);
    while (!gate_is_open(&shared->stop)) {
        size_t at = first + dice() % (round % 4 == 3 ? 4096 : n - first);
        words[at] = lie(words, n, words[at]);
    }
}

/* ---- rounds ---- */

static void play(unsigned round)
{
    struct strait_segment_options options = {.bytes = 1 << 18, .directory_max = 8};
    struct strait_segment *segment;
    unsigned numbers[VICTIMS];
    pid_t pids[VICTIMS + 1];

    memset(&shared->go, 0, sizeof shared->go);
    memset(&shared->stop, 0, sizeof shared->stop);
    place_new();
    CHECK_IS(strait_attach("x", &options, &segment), 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK_IS(strait_channel_create(segment, channels[i], &channel_options[i]), 0);
    strait_detach(segment);
    for (unsigned i = 0; i < VICTIMS; i++) {
        numbers[i] = i;
        pids[i] = peer_start(victim_runs, &numbers[i]);
    }
    pids[VICTIMS] = peer_start(scribble, &round);
    gate_wait_count(&shared->go, VICTIMS);
    /* no hand-shake here: this is how long the scribbling lasts */
    uint64_t until = strait_after_ns(ROUND_NS);
    while (strait_now_ns() < until)
        usleep(10000);
    gate_open(&shared->stop);
    for (unsigned i = 0; i <= VICTIMS; i++)
        peer_join(pids[i]);
    place_free();
}

int main(int argc, char **argv)
{
    uint32_t rounds = test_rounds(ROUNDS);

    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : strait_now_ns();
    seed |= 1;
    printf("seed %#llx\n", (unsigned long long)seed);
    fflush(stdout);
    shared = shared_new(sizeof *shared);
    for (uint32_t i = 0; i < rounds; i++) {
        dice();
        play(i);
    }
    printf("%u rounds, %llu calls, the latest %llu us after its deadline\n", rounds, (unsigned long long)shared->calls,
           (unsigned long long)shared->late_ns_most / 1000);
    return shared->calls == 0;
}
