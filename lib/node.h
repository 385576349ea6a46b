/* SPDX-License-Identifier: MIT */
/** The option `memory` of objects (strait/numa.h): judged by the topology, with sentences. Under the registry's mutex. */
#ifndef STRAIT_NODE_H
#define STRAIT_NODE_H

#include "directory.h"
#include "process.h"
#include "strait/numa.h"

/** An object that somebody makes or opens, for sentences. */
struct strait_node_for {
    const struct strait_segment *segment;
    const char *noun, *name;
    uint32_t memory; /* the option */
};

/** Can the segment's pages be placed? Those of other file systems than tmpfs lie in the page cache. */
bool strait_node_placeable(const struct strait_segment *segment);

/** What the option means: *node as strait_directory_prepare takes it. 0, or with a sentence: -ENODEV no such node, or none
 * with memory, -EPERM this process may not use it, -EOPNOTSUPP the segment's file system does not place pages. */
int strait_node_wanted(const struct strait_node_for *object, int32_t *node);

/** The kernel would not bind pages: the sentence for strait_directory_prepare's answer, if it is one of those; returns
 * whether it was. */
bool strait_node_refused(const struct strait_node_for *object, int error);

/** Was the object that exists made as the option asks? 0, -EINVAL with a sentence. Admin. */
int strait_node_suits(const struct strait_node_for *object, uint32_t entry);

#endif
