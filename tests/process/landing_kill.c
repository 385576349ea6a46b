/* SPDX-License-Identifier: MIT */
/**
 * A process dies with a read in flight into a slot that it had claimed. Once it is swept, the slot is somebody else's: what
 * the kernel reads from then on must land nowhere. From pipes, FIFOs and sockets the dead one's read takes nothing any
 * more; from a file that is not in the page cache nothing is copied in a dead process's name. With every rung of the loop,
 * and once with the victim left alive, or a read that was never in flight would pass for one that did no harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strait/strait.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "landing.h"
#include "peer.h"
#include "place.h"

#define SLOT_BYTES (1u << 20)
#define FILE_BYTES (16u << 20)
#define TEXT_BYTES 4096
#define MARK       0x77 /* what the victim leaves in its slot */
#define MINE       0x11 /* what its next owner writes there */
#define NEWS       0xee /* what comes to be read */

static const struct strait_channel_options options = {.slot_bytes = SLOT_BYTES, .depth = 2, .dead_letters = 1};

/* What victim and test share. */
struct scene {
    gate reading, done;
    int fd; /* to read from */
    char rung[16];
    bool none; /* no such rung here */
    uint32_t bytes;
    int got;
};

static struct scene *scene;

/* ---- the victim ---- */

struct landing {
    struct strait_op op;
    bool over;
};

static void landed(struct strait_op *op, int res)
{
    scene->got = res;
    ((struct landing *)op)->over = true;
}

static void victim(void *arg)
{
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_claim claim;
    struct strait_loop *loop;
    struct landing landing = {.op = {.done = landed}};

    (void)arg;
    setenv("STRAIT_BACKEND", scene->rung, 1);
    if (strait_loop_create(&loop, 8) < 0) {
        printf("SKIPPED %s: %s\n", scene->rung, strait_loop_why());
        scene->none = true;
        gate_open(&scene->reading);
        return;
    }
    CHECK_IS(strait_attach("landing", NULL, &segment), 0);
    CHECK_IS(strait_tx_open(segment, "c", &options, &tx), 0);
    CHECK_IS(strait_claim(tx, &claim, soon()), 0);
    memset(claim.data, MARK, claim.size);
    CHECK(strait_landing_safe(scene->fd)); /* the question that whoever reads into a slot has to ask */
    CHECK_IS(strait_op_read(loop, &landing.op, scene->fd, claim.data, scene->bytes, 0, STRAIT_FOREVER), 0);
    CHECK(strait_loop_step(loop, STRAIT_NOW) >= 0); /* handed to the kernel */
    gate_open(&scene->reading);
    while (!landing.over)
        CHECK(strait_loop_step(loop, STRAIT_FOREVER) >= 0);
    CHECK(scene->got > 0);
    CHECK_IS(strait_commit(tx, &claim, 0, (uint32_t)scene->got), 0);
    strait_loop_destroy(loop);
    strait_tx_close(tx);
    strait_detach(segment);
}

/* ---- the survivor ---- */

struct survivor {
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_rx *rx;
};

static struct survivor survive(void)
{
    struct strait_segment_options memory = {.bytes = 6 * SLOT_BYTES};
    struct survivor s;

    CHECK_IS(strait_attach("landing", &memory, &s.segment), 0);
    CHECK_IS(strait_rx_open(s.segment, "c", &options, &s.rx), 0);
    CHECK_IS(strait_tx_open(s.segment, "c", &options, &s.tx), 0);
    return s;
}

static void leave(struct survivor *s)
{
    strait_tx_close(s->tx);
    strait_rx_close(s->rx);
    strait_detach(s->segment);
    CHECK(strait_segment_remove("landing", NULL) >= 0);
}

static bool all(const unsigned char *at, int byte, size_t n)
{
    return n == 0 || (at[0] == byte && memcmp(at, at + 1, n - 1) == 0);
}

/* The slot that the victim had, ours now: the ring has two, and a message goes through the other. */
static struct strait_claim take_over(struct survivor *s)
{
    static unsigned char text[8], back[SLOT_BYTES];

    for (int tries = 0; tries < 4; tries++) {
        struct strait_claim claim;
        CHECK_IS(strait_claim(s->tx, &claim, soon()), 0);
        if (all((unsigned char *)claim.data + TEXT_BYTES, MARK, TEXT_BYTES)) {
            memset(claim.data, MINE, claim.size);
            return claim;
        }
        CHECK_IS(strait_commit(s->tx, &claim, 0, sizeof text), 0);
        CHECK_IS(strait_recv(s->rx, back, sizeof back, soon()), sizeof text);
    }
    peer_fail(__FILE__, __LINE__, "the victim's slot comes round");
}

static pid_t start(const char *rung, int fd, uint32_t bytes)
{
    pid_t pid;

    memset(scene, 0, sizeof *scene);
    snprintf(scene->rung, sizeof scene->rung, "%s", rung);
    scene->fd = fd;
    scene->bytes = bytes;
    fflush(stdout);
    pid = peer_start(victim, NULL);
    gate_wait(&scene->reading);
    return pid;
}

/* ---- what waits: pipes, FIFOs, sockets ---- */

static void pair_of(const char *kind, int pair[2])
{
    if (strcmp(kind, "pipe") == 0) {
        CHECK_IS(pipe2(pair, O_CLOEXEC), 0);
    } else if (strcmp(kind, "FIFO") == 0) {
        CHECK(mkfifo(place_path("fifo"), 0600) == 0 || errno == EEXIST);
        pair[0] = pair[1] = open(place_path("fifo"), O_RDWR | O_CLOEXEC);
        pair[1] = dup(pair[0]);
    } else {
        CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    }
}

/* The victim is left alive: what comes lands in its slot, and arrives as its message. */
static void alive(const char *kind, const char *rung)
{
    static unsigned char news[TEXT_BYTES], back[SLOT_BYTES];
    struct survivor s = survive();
    int pair[2];
    pid_t pid;

    pair_of(kind, pair);
    pid = start(rung, pair[0], TEXT_BYTES);
    if (!scene->none) {
        memset(news, NEWS, sizeof news);
        CHECK_IS(write(pair[1], news, sizeof news), sizeof news);
        CHECK_IS(strait_recv(s.rx, back, sizeof back, soon()), sizeof news);
        CHECK(all(back, NEWS, sizeof news));
    }
    peer_join(pid);
    close(pair[0]);
    close(pair[1]);
    leave(&s);
}

static void dead(const char *kind, const char *rung)
{
    static unsigned char news[TEXT_BYTES], back[SLOT_BYTES];
    struct survivor s = survive();
    struct strait_claim claim;
    int pair[2];
    pid_t pid;

    pair_of(kind, pair);
    pid = start(rung, pair[0], TEXT_BYTES);
    if (scene->none) {
        peer_join(pid);
    } else {
        peer_kill(pid);
        CHECK_IS(strait_sweep_dead(s.segment), 1);
        claim = take_over(&s);
        memset(news, NEWS, sizeof news);
        CHECK_IS(write(pair[1], news, sizeof news), sizeof news);
        /* nobody has taken a byte of it: it is all still there for us */
        CHECK_IS(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
        CHECK_IS(read(pair[0], back, sizeof back), sizeof news);
        CHECK(all(claim.data, MINE, claim.size));
        CHECK_IS(strait_commit(s.tx, &claim, 0, SLOT_BYTES), 0);
        CHECK_IS(strait_recv(s.rx, back, sizeof back, soon()), SLOT_BYTES);
        CHECK(all(back, MINE, sizeof back));
        printf("ok    %s, %s: the dead one's read takes nothing\n", kind, rung);
    }
    close(pair[0]);
    close(pair[1]);
    leave(&s);
}

/* ---- what is slow: a file that is not in the page cache ---- */

/* A file of NEWS that only the disk has; -1 where there is none such. */
static int cold_file(void)
{
    static unsigned char block[1 << 20];
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    memset(block, NEWS, sizeof block);
    for (uint32_t at = 0; at < FILE_BYTES; at += (uint32_t)sizeof block)
        CHECK_IS(pwrite(fd, block, sizeof block, at), sizeof block);
    CHECK_IS(fsync(fd), 0);
    CHECK_IS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    if (strait_landing_safe(fd))
        return fd;
    close(fd);
    return -1;
}

/* How often it was tried: 0 or 1. */
static uint32_t dead_amid_a_file(const char *rung)
{
    static unsigned char back[SLOT_BYTES];
    int fd = cold_file();
    struct survivor s;
    struct strait_claim claim;
    pid_t pid;

    if (fd < 0) {
        printf("SKIPPED file, %s: the working folder has no file system from which the kernel may write into a slot\n",
               rung);
        return 0;
    }
    s = survive();
    pid = start(rung, fd, SLOT_BYTES);
    if (scene->none) {
        peer_join(pid);
        leave(&s);
        close(fd);
        return 0;
    }
    peer_kill(pid); /* perhaps it was quicker, and has sent its message: then it is received below */
    strait_sweep_dead(s.segment);
    while (strait_recv(s.rx, back, sizeof back, STRAIT_NOW) >= 0)
        CHECK(all(back, NEWS, SLOT_BYTES));
    CHECK_IS(strait_claim(s.tx, &claim, soon()), 0);
    memset(claim.data, MINE, claim.size);
    struct strait_claim other;
    bool two = strait_claim(s.tx, &other, STRAIT_NOW) == 0; /* one of the two is the victim's */
    if (two)
        memset(other.data, MINE, other.size);
    CHECK_IS(pread(fd, back, sizeof back, 0), sizeof back); /* whatever was on its way from the disk is there now */
    CHECK(all(claim.data, MINE, claim.size));
    CHECK(!two || all(other.data, MINE, other.size));
    CHECK(two);
    strait_abort(s.tx, &claim);
    strait_abort(s.tx, &other);
    leave(&s);
    close(fd);
    return 1;
}

int main(void)
{
    static const char *const rungs[] = {"uring", "uring-thread", "epoll"};
    static const char *const kinds[] = {"pipe", "FIFO", "socket"};

    place_new();
    scene = shared_new(sizeof *scene);
    for (size_t r = 0; r < 3; r++) {
        for (size_t k = 0; k < 3; k++) {
            alive(kinds[k], rungs[r]);
            dead(kinds[k], rungs[r]);
        }
        uint32_t tried = 0;
        for (uint32_t i = 0; i < test_rounds(10); i++)
            tried += dead_amid_a_file(rungs[r]);
        if (tried)
            printf("ok    file, %s: nothing is copied for the dead, %u times\n", rungs[r], tried);
    }
    shared_free(scene, sizeof *scene);
    place_free();
    return 0;
}
