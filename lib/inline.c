/* SPDX-License-Identifier: MIT */
/* The inline calls of channel.h once more, as exported symbols. */
#include <strait/bell.h>
#include <strait/lock.h>
#include <strait/ring.h>
#include <strait/ring_pack.h>
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#undef STRAIT_INLINE
#define STRAIT_INLINE __attribute__((visibility("default")))

#include <strait/batch.h>
#include <strait/channel.h>
#include <strait/counter.h>
#include <strait/region.h>
