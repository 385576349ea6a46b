/* SPDX-License-Identifier: MIT */
/* Who competes, in the order of the table's rows. */
#include "bench.h"

/* clang-format off */
#define BENCH_EACH_PEER(X)                                                                                             \
    X(mailbox) X(rotating) X(one_line) X(futex) X(copy) X(write_read) X(vyukov) X(lamport)                             \
    X(pipe) X(unix_stream) X(unix_seqpacket) X(mq) X(eventfd) X(zmq) X(nng) X(boost)                                   \
    X(ck_spsc) X(ck_mpmc) X(rte_spsc) X(rte_mpmc) X(rte_spsc_x32) X(rte_mpmc_x32)                                      \
    X(strait) X(strait_many) X(strait_sleeping) X(strait_many_sleeping) X(strait_lanes) X(strait_x32)                  \
    X(strait_many_x32) X(strait_loop)
/* clang-format on */

#define DECLARE(symbol) extern const struct bench_peer bench_peer_##symbol;
#define NAME(symbol)    &bench_peer_##symbol,

BENCH_EACH_PEER(DECLARE)

const struct bench_peer *const bench_peers[] = {BENCH_EACH_PEER(NAME) NULL};
