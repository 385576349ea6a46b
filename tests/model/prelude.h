/* SPDX-License-Identifier: MIT */
/* Included before every file of a harness. A look for the dead goes over all leases: the model has fewer. The types keep
 * their size; only loops get shorter. */
#ifndef STRAIT_TESTS_MODEL_PRELUDE_H
#define STRAIT_TESTS_MODEL_PRELUDE_H

#include "strait/layout.h"

#undef STRAIT_LEASES
#define STRAIT_LEASES 64

/* The kernel, as far as admin.c, lease.c and wait.c call it directly, and the heap of each process; see seams.c. */
#define fcntl         model_fcntl
#define stat          model_stat
#define getpid        model_getpid
#define open          model_open
#define close         model_close
#define mmap          model_mmap
#define munmap        model_munmap
#define madvise       model_madvise
#define nanosleep     model_nanosleep
#define clock_gettime model_clock_gettime
#define syscall       model_syscall
#define calloc        model_calloc
#define aligned_alloc model_aligned_alloc
#define free          model_free

#endif
