/* SPDX-License-Identifier: MIT */
/* Floor of everything that copies: one process, memcpy between two sets of buffers, nobody writes or reads the bytes. */
#include <string.h>

#include "../bench.h"
#include "../clock.h"
#include "../worker.h"

static size_t shared_bytes(const struct bench_run *run)
{
    return run->shape.bytes * run->shape.depth * 2;
}

static void produce(struct bench_worker *w)
{
    const struct bench_run *run = w->run;
    unsigned char *to = run->shared, *from = to + w->bytes * run->shape.depth;
    uint64_t n = 0, end = bench_ticks() + w->piece_ticks;
    while (n % w->block != 0 || bench_ticks() < end) {
        size_t at = n++ % run->shape.depth * w->bytes;
        memcpy(to + at, from + at, w->bytes);
        __asm__ volatile("" ::: "memory"); /* the copy is wanted although nobody reads it */
    }
    w->out->messages = n;
}

static void consume(struct bench_worker *w)
{
    (void)w; /* there is nothing to receive */
}

const struct bench_peer bench_peer_copy = {
    .name = "memcpy",
    .what = "one process copies buffers; nobody looks at them",
    .flags = BENCH_FLOOR | BENCH_LARGE | BENCH_UNTOUCHED,
    .shared_bytes = shared_bytes,
    .produce = produce,
    .consume = consume,
};
