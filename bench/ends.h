/* SPDX-License-Identifier: MIT */
/** The enter of peers whose end is one structure made by open_end(run, channel). */
#ifndef BENCH_ENDS_H
#define BENCH_ENDS_H

#include <errno.h>

#include "bench.h"

#define BENCH_DEFINE_ENTER(open_end)                                                                                   \
    static int enter(struct bench_worker *w)                                                                           \
    {                                                                                                                  \
        if (w->tx_channel >= 0 && !(w->tx = open_end(w->run, w->tx_channel)))                                          \
            return -ENOMEM;                                                                                            \
        if (w->rx_channel >= 0 && !(w->rx = open_end(w->run, w->rx_channel)))                                          \
            return -ENOMEM;                                                                                            \
        return 0;                                                                                                      \
    }

#endif
