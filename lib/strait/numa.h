/* SPDX-License-Identifier: MIT */
/**
 * Where the memory of objects lies on a machine with several NUMA nodes. The option `memory` of a new channel, region,
 * counter or pool binds its pages before they are reserved; whoever opens it later gets them where they are. On a machine
 * with one node all this costs nothing and changes nothing.
 */
#ifndef STRAIT_NUMA_H
#define STRAIT_NUMA_H

#include <strait/segment.h>

/* ---- values of the option `memory` ---- */

#define STRAIT_MEMORY_ANYWHERE    0                      /* the default: as the kernel likes */
#define STRAIT_MEMORY_INTERLEAVED UINT32_MAX             /* page by page on all nodes that we may use */
#define STRAIT_MEMORY_ON(node)    ((uint32_t)(node) + 1) /* on this node, or not at all */

/* ---- values of the option `shards` ---- */

#define STRAIT_SHARDS_NODES UINT32_MAX /**< as many shards as there are NUMA nodes on which pages may lie */

STRAIT_BEGIN_DECLS

/**
 * The node that memory for the calling thread belongs on: the one it runs on now, or the nearest on which this process may
 * have pages. Any thread; reads /sys and blocks for the registry. The node's number, -ENODEV there is none.
 */
STRAIT_API int strait_node_here(void);

/**
 * How many pages of the object `name` lie on `node`, as the kernel says now; -1 = how many pages it has. Any thread; blocks
 * for the admin lock, 5 s at most. -ENOENT, -EINVAL no number of a node, -EPERM or -ENOSYS the kernel does not tell this
 * process, -EPROTO damaged, -ENOMEM, -ETIMEDOUT, -ECHILD.
 */
STRAIT_API int64_t strait_node_pages(struct strait_segment *segment, const char *name, int node);

STRAIT_END_DECLS

#endif
