/* SPDX-License-Identifier: MIT */
/* Floor of sleeping: a number in a futex word, nothing else. The kernel's own wake-up is nearly all of it. */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../bench.h"
#include "../ends.h"
#include "../payload.h"

struct futex_cell {
    uint32_t word; /* messages sent, the low half */
    uint32_t unused;
    unsigned char payload[BENCH_LINE - 8];
};

struct futex_end {
    struct futex_cell *cell;
    uint32_t at;
};

BENCH_INLINE void *bare_futex_claim(struct futex_end *e, size_t bytes)
{
    (void)bytes;
    return e->cell->payload;
}

BENCH_INLINE void bare_futex_commit(struct futex_end *e, size_t bytes)
{
    (void)bytes;
    __atomic_store_n(&e->cell->word, ++e->at, __ATOMIC_RELEASE);
    syscall(SYS_futex, &e->cell->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

BENCH_INLINE void bare_futex_flush(struct futex_end *e)
{
    (void)e;
}

BENCH_INLINE const void *bare_futex_peek(struct futex_end *e, size_t bytes)
{
    (void)bytes;
    while (__atomic_load_n(&e->cell->word, __ATOMIC_ACQUIRE) == e->at)
        syscall(SYS_futex, &e->cell->word, FUTEX_WAIT, e->at, NULL, NULL, 0);
    return e->cell->payload;
}

BENCH_INLINE void bare_futex_release(struct futex_end *e)
{
    e->at++;
}

#define PEER(verb) bare_futex_##verb
#define PEER_END   struct futex_end
#include "../pieces.h"

static size_t shared_bytes(const struct bench_run *run)
{
    return sizeof(struct futex_cell) * run->shape.channels;
}

static int setup(struct bench_run *run)
{
    run->depth = 1;
    return 0;
}

static struct futex_end *open_end(const struct bench_run *run, int channel)
{
    struct futex_end *e = calloc(1, sizeof *e);
    if (e)
        e->cell = (struct futex_cell *)run->shared + channel;
    return e;
}

BENCH_DEFINE_ENTER(open_end)

/* clang-format off */
const struct bench_peer bench_peer_futex = {
    .name = "futex",
    .what = "a number in a futex word: the kernel's wake-up and nothing else",
    .flags = BENCH_FLOOR | BENCH_SLEEPS | BENCH_ROUNDTRIP | BENCH_WAKE | BENCH_IDLE,
    .most_bytes = BENCH_LINE - 8,
    .shared_bytes = shared_bytes, .setup = setup, .enter = enter,
    BENCH_PIECE_OPS(PEER),
};
/* clang-format on */
