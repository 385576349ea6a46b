/* SPDX-License-Identifier: MIT */
#ifndef STRAIT_LIB_POOL_H
#define STRAIT_LIB_POOL_H

#include "strait/pool.h"

struct strait_pool {
    struct strait_segment *segment;
    struct strait_hold *hold; /* the pool stays open while somebody has it, workers or not */
    struct strait_tx *tx;     /* opened with the first task */
    struct strait_rx *rx;     /* opened with the first serve */
    struct strait_channel_options options;
    char name[STRAIT_NAME_BYTES];
};

#endif
