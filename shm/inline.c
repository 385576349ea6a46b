/* SPDX-License-Identifier: MIT */
/* The inline fast path of this floor once more, as exported symbols: for ctypes, dlsym and other languages. */
#define STRAIT_INLINE __attribute__((visibility("default")))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#include "strait/bell.h"
#include "strait/lock.h"
#include "strait/ring.h"
#include "strait/ring_pack.h"

#ifdef STRAIT_TSAN
uint32_t strait_tsan_fence;
#endif
