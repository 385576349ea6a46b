/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "admin.h"
#include "error.h"
#include "pages.h"
#include "strait/atomic.h"
#include "topology.h"

#define LIST_BYTES 128

static int32_t node_of(uint32_t memory)
{
    return memory == STRAIT_MEMORY_ANYWHERE      ? STRAIT_NODE_ANY
           : memory == STRAIT_MEMORY_INTERLEAVED ? STRAIT_NODE_INTERLEAVED
           : memory - 1 > INT32_MAX              ? INT32_MAX
                                                 : (int32_t)(memory - 1);
}

bool strait_node_placeable(const struct strait_segment *s)
{
    struct statfs fs;
    return s->map.fd < 0 || fstatfs(s->map.fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC;
}

/* Why not this node? */
static int refuse(const struct strait_node_for *f, const struct strait_topology *t, int32_t node)
{
    char list[LIST_BYTES];
    int i = strait_topology_find(t, node);

    strait_topology_list(t, list, sizeof list);
    if (i < 0)
        return strait_fail(-ENODEV, "%s %s: this machine has no node %d; pages may lie on %s", f->noun, f->name, node,
                           list);
    if (!t->node[i].memory)
        return strait_fail(-ENODEV, "%s %s: node %d has no memory; pages may lie on %s", f->noun, f->name, node, list);
    return strait_fail(-EPERM, "%s %s: this process may not use the memory of node %d, its cpuset has %s", f->noun,
                       f->name, node, list);
}

int strait_node_wanted(const struct strait_node_for *f, int32_t *node)
{
    int32_t wanted = node_of(f->memory);
    struct strait_topology t;
    int i;

    if (wanted != STRAIT_NODE_ANY && !strait_node_placeable(f->segment))
        return strait_fail(-EOPNOTSUPP, "%s %s: segment %s does not lie on a tmpfs, and only there pages can be placed",
                           f->noun, f->name, f->segment->map.path);
    if (wanted >= 0) {
        strait_topology_read(&t);
        i = strait_topology_find(&t, wanted);
        if (i < 0 || !strait_topology_places(&t, (uint32_t)i))
            return refuse(f, &t, wanted);
    }
    *node = wanted;
    return 0;
}

bool strait_node_refused(const struct strait_node_for *f, int error)
{
    if (f->memory == STRAIT_MEMORY_ANYWHERE || (error != -EPERM && error != -ENOSYS && error != -EINVAL))
        return false;
    strait_fail(error,
                "%s %s: the kernel does not let this process place memory (mbind: %s); does a container forbid it?",
                f->noun, f->name, strait_strerror(error));
    return true;
}

/* "anywhere", "interleaved", "on node 3" */
static const char *words(int32_t node, char text[static 24])
{
    snprintf(text, 24, "on node %d", node);
    return node == STRAIT_NODE_ANY ? "anywhere" : node == STRAIT_NODE_INTERLEAVED ? "interleaved" : text;
}

int strait_node_suits(const struct strait_node_for *f, uint32_t entry)
{
    const int32_t *shared = &strait_segment_entry(&f->segment->map, entry)->node;
    int32_t node = (int32_t)strait_load32_relaxed((const uint32_t *)shared), wanted = node_of(f->memory);
    char here[24], there[24];

    if (wanted == STRAIT_NODE_ANY || wanted == node)
        return 0;
    return strait_fail(-EINVAL, "%s %s exists with its pages %s, %s is asked for", f->noun, f->name, words(node, there),
                       words(wanted, here));
}

/* ---- for the public ---- */

int strait_node_here(void)
{
    struct strait_topology t;
    int cpu = sched_getcpu();

    if (cpu < 0)
        return -errno;
    strait_process_lock();
    strait_topology_read(&t);
    strait_process_unlock();
    return strait_topology_home(&t, (uint32_t)cpu);
}

static int pages_of(struct strait_segment *s, const char *name, struct strait_object *object,
                    struct strait_pages *pages)
{
    int r;

    strait_process_lock();
    r = strait_process_admin(s);
    if (r == 0) {
        r = strait_directory_find(&s->map, name, STRAIT_KIND_NONE, object);
        if (r < 0)
            strait_fail(r, "object %s of segment %s: %s", name, s->map.path, strait_strerror(r));
        else
            r = strait_pages_where(s->map.base + object->offset, object->bytes, pages);
        strait_admin_leave(&s->map);
    }
    strait_process_unlock();
    return r;
}

int64_t strait_node_pages(struct strait_segment *segment, const char *name, int node)
{
    struct strait_pages *pages;
    struct strait_object object;
    int64_t n;

    if (node < -1 || node >= STRAIT_NODE_NUMBERS)
        return strait_fail(-EINVAL, "object %s: %d is no number of a node", name, node);
    pages = malloc(sizeof *pages);
    if (pages == NULL)
        return strait_fail(-ENOMEM, "object %s: out of memory", name);
    n = pages_of(segment, name, &object, pages);
    if (n == 0)
        n = (int64_t)(node < 0 ? object.bytes / STRAIT_PAGE : pages->on[node]);
    free(pages);
    return n;
}
