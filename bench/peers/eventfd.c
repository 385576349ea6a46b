/* SPDX-License-Identifier: MIT */
/*
 * The hand-made ring that sleeps on eventfds: a one/one ring; who finds it empty (or full) says so, looks again and
 * reads an eventfd; the other side writes it when somebody said so. Store, fence, load on both sides.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

struct eventfd_ring {
    uint64_t tail __attribute__((aligned(BENCH_LINE)));
    uint64_t head __attribute__((aligned(BENCH_LINE)));
    uint32_t reader_sleeps __attribute__((aligned(BENCH_LINE)));
    uint32_t writer_sleeps __attribute__((aligned(BENCH_LINE)));
    unsigned char slots[] __attribute__((aligned(BENCH_LINE)));
};

struct eventfds {
    int readable[8], writable[8];
};

struct eventfd_end {
    struct eventfd_ring *ring;
    uint64_t at, other, mask;
    size_t stride;
    int readable, writable;
};

/* Says "I sleep" in *flag, and sleeps unless *index has moved on from `seen` meanwhile. */
static void sleep_unless_moved(uint32_t *flag, const uint64_t *index, uint64_t seen, int fd)
{
    uint64_t count;
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(index, __ATOMIC_ACQUIRE) == seen && read(fd, &count, sizeof count) != sizeof count)
        _exit(3);
    __atomic_store_n(flag, 0, __ATOMIC_RELAXED);
}

BENCH_INLINE void wake_if_asleep(uint32_t *flag, int fd)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(flag, __ATOMIC_RELAXED) && __atomic_exchange_n(flag, 0, __ATOMIC_RELAXED)) {
        uint64_t one = 1;
        if (write(fd, &one, sizeof one) != sizeof one)
            _exit(3);
    }
}

BENCH_INLINE void *eventfd_claim(struct eventfd_end *e, size_t bytes)
{
    (void)bytes;
    while (e->at - e->other > e->mask) {
        uint64_t head = __atomic_load_n(&e->ring->head, __ATOMIC_ACQUIRE);
        if (head == e->other)
            sleep_unless_moved(&e->ring->writer_sleeps, &e->ring->head, head, e->writable);
        e->other = head;
    }
    return e->ring->slots + (e->at & e->mask) * e->stride;
}

BENCH_INLINE void eventfd_commit(struct eventfd_end *e, size_t bytes)
{
    (void)bytes;
    __atomic_store_n(&e->ring->tail, ++e->at, __ATOMIC_RELEASE);
    wake_if_asleep(&e->ring->reader_sleeps, e->readable);
}

BENCH_INLINE void eventfd_flush(struct eventfd_end *e)
{
    (void)e;
}

BENCH_INLINE const void *eventfd_peek(struct eventfd_end *e, size_t bytes)
{
    (void)bytes;
    while (e->at == e->other) {
        uint64_t tail = __atomic_load_n(&e->ring->tail, __ATOMIC_ACQUIRE);
        if (tail == e->other)
            sleep_unless_moved(&e->ring->reader_sleeps, &e->ring->tail, tail, e->readable);
        e->other = tail;
    }
    return e->ring->slots + (e->at & e->mask) * e->stride;
}

BENCH_INLINE void eventfd_release(struct eventfd_end *e)
{
    __atomic_store_n(&e->ring->head, ++e->at, __ATOMIC_RELEASE);
    wake_if_asleep(&e->ring->writer_sleeps, e->writable);
}

#define PEER(verb) eventfd_##verb
#define PEER_END   struct eventfd_end
#include "../pieces.h"

static size_t stride_of(const struct bench_run *run)
{
    return (run->shape.bytes + 7) / 8 * 8;
}

static size_t shared_bytes(const struct bench_run *run)
{
    size_t slots = (stride_of(run) * run->shape.depth + BENCH_LINE - 1) / BENCH_LINE * BENCH_LINE;
    return (sizeof(struct eventfd_ring) + slots) * run->shape.channels;
}

static int setup(struct bench_run *run)
{
    struct eventfds *fds = calloc(1, sizeof *fds);
    if (!fds)
        return -ENOMEM;
    run->own = fds;
    for (unsigned i = 0; i < run->shape.channels; i++) {
        fds->readable[i] = eventfd(0, EFD_CLOEXEC);
        fds->writable[i] = eventfd(0, EFD_CLOEXEC);
        if (fds->readable[i] < 0 || fds->writable[i] < 0)
            return bench_why(run, -errno, "not run: eventfd: %s", strerror(errno));
    }
    return 0;
}

static void teardown(struct bench_run *run)
{
    struct eventfds *fds = run->own;
    for (unsigned i = 0; fds && i < run->shape.channels; i++) {
        close(fds->readable[i]);
        close(fds->writable[i]);
    }
    free(fds);
    run->own = NULL;
}

static struct eventfd_end *open_end(const struct bench_run *run, int channel)
{
    const struct eventfds *fds = run->own;
    struct eventfd_end *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->ring = (struct eventfd_ring *)((unsigned char *)run->shared + (size_t)channel * run->state_bytes);
    e->mask = run->shape.depth - 1;
    e->stride = stride_of(run);
    e->readable = fds->readable[channel];
    e->writable = fds->writable[channel];
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_eventfd = {
    .name = "eventfd-ring",
    .what = "a hand-made one/one ring that sleeps on eventfds",
    .flags = BENCH_SLEEPS | BENCH_ROUNDTRIP | BENCH_STREAM | BENCH_WAKE | BENCH_LARGE,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter, .teardown = teardown,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
