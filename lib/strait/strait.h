/* SPDX-License-Identifier: MIT */
/** strait: processes that talk through shared memory and survive each other's deaths. The umbrella header. */
#ifndef STRAIT_H
#define STRAIT_H

#include <strait/await.h>
#include <strait/batch.h>
#include <strait/blocking.h>
#include <strait/channel.h>
#include <strait/counter.h>
#include <strait/error.h>
#include <strait/fd.h>
#include <strait/fetch.h>
#include <strait/loop.h>
#include <strait/numa.h>
#include <strait/pool.h>
#include <strait/region.h>
#include <strait/reply.h>
#include <strait/segment.h>
#include <strait/shards.h>
#include <strait/supervisor.h>

#endif
