/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "strait/atomic.h"

#define WORD_BITS (8 * sizeof(unsigned long))
#define MASK_BITS (STRAIT_NODE_NUMBERS + 1UL) /* the kernel takes one off */
#define AT_ONCE   256                         /* pages in one question */

struct mask {
    unsigned long bits[STRAIT_NODE_NUMBERS / WORD_BITS];
};

static long bind_pages(void *at, uint64_t bytes, int mode, const struct mask *mask)
{
    return syscall(SYS_mbind, at, bytes, mode, mask ? mask->bits : NULL, mask ? MASK_BITS : 0UL, 0UL);
}

/* To forget what an earlier object asked for. The kernel skips a policy that it believes this mapping to have already, and
 * a new mapping has the default: so first another one. */
static int forget(void *at, uint64_t bytes)
{
    if (bind_pages(at, bytes, MPOL_PREFERRED, NULL) == 0)
        bind_pages(at, bytes, MPOL_DEFAULT, NULL);
    return 0; /* who may not set a policy has never set one */
}

static int apply(void *at, uint64_t bytes, int32_t node)
{
    struct mask mask = {{0}};
    long r = 0;

    if (node == STRAIT_NODE_ANY)
        return forget(at, bytes);
    if (node == STRAIT_NODE_INTERLEAVED)
        r = syscall(SYS_get_mempolicy, NULL, mask.bits, MASK_BITS, NULL, (unsigned long)MPOL_F_MEMS_ALLOWED);
    else
        mask.bits[(uint32_t)node / WORD_BITS] = 1UL << (uint32_t)node % WORD_BITS;
    if (r == 0)
        r = bind_pages(at, bytes, node == STRAIT_NODE_INTERLEAVED ? MPOL_INTERLEAVE : MPOL_BIND, &mask);
    if (r == 0 || (errno == ENOSYS && node <= 0)) /* a kernel without NUMA has node 0 and no other */
        return 0;
    return -errno;
}

/* Through a mapping of its own. Policies of tmpfs belong to the file, but each mapping remembers what it has asked for, and
 * asking the same again does nothing: our long-lived one would not notice that another process has since asked for
 * something else. */
int strait_pages_place(int fd, uint64_t offset, uint64_t bytes, int32_t node)
{
    void *at;
    int r;

    if (node < STRAIT_NODE_INTERLEAVED || node >= STRAIT_NODE_NUMBERS)
        return -EINVAL;
    at = mmap(NULL, bytes, PROT_NONE, MAP_SHARED, fd, (off_t)offset);
    if (at == MAP_FAILED)
        return -errno;
    r = apply(at, bytes, node);
    munmap(at, bytes);
    return r;
}

/* The nodes of n pages. */
static int ask(const unsigned char *from, unsigned long n, int node[AT_ONCE])
{
    const unsigned char *at[AT_ONCE];

    for (unsigned long i = 0; i < n; i++) {
        at[i] = from + i * STRAIT_PAGE;
        strait_load32_relaxed((const uint32_t *)(const void *)at[i]);
    }
    return syscall(SYS_move_pages, 0, n, at, NULL, node, 0) < 0 ? -errno : 0;
}

int strait_pages_where(const void *from, uint64_t bytes, struct strait_pages *pages)
{
    uint64_t all = bytes / STRAIT_PAGE;

    memset(pages, 0, sizeof *pages);
    for (uint64_t done = 0; done < all; done += AT_ONCE) {
        unsigned long n = all - done < AT_ONCE ? (unsigned long)(all - done) : AT_ONCE;
        int node[AT_ONCE], r = ask((const unsigned char *)from + done * STRAIT_PAGE, n, node);
        if (r < 0)
            return r;
        for (unsigned long i = 0; i < n; i++)
            *(node[i] >= 0 && node[i] < STRAIT_NODE_NUMBERS ? &pages->on[node[i]] : &pages->unknown) += 1;
    }
    return 0;
}
