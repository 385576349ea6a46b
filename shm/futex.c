/* SPDX-License-Identifier: MIT */
#include "futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int answer(long r)
{
    return r < 0 ? -errno : (int)r;
}

int strait_futex_wait(uint32_t *word, uint32_t value, uint64_t until_ns)
{
    struct timespec t = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    struct timespec *deadline = until_ns == STRAIT_FOREVER ? NULL : &t;
    /* BITSET, because plain FUTEX_WAIT takes a relative time and would start over after every signal */
    return answer(syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, deadline, NULL, FUTEX_BITSET_MATCH_ANY));
}

int strait_futex_wake(uint32_t *word, uint32_t n)
{
    return answer(syscall(SYS_futex, word, FUTEX_WAKE, n > INT32_MAX ? INT32_MAX : n, NULL, NULL, 0));
}

int strait_membarrier_register(void)
{
    return answer(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
}

int strait_membarrier(void)
{
    return answer(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
}
