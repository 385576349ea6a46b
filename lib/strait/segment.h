/* SPDX-License-Identifier: MIT */
/** Attaching to a named shared-memory segment. */
#ifndef STRAIT_SEGMENT_PUBLIC_H
#define STRAIT_SEGMENT_PUBLIC_H

#include <strait/base.h>

STRAIT_BEGIN_DECLS

/** This process's attachment. */
struct strait_segment;

enum strait_attach_mode {
    STRAIT_OPEN_OR_CREATE = 0,
    STRAIT_OPEN_ONLY = 1,
    STRAIT_CREATE_ONLY = 2,
};

/** Huge pages: fewer TLB misses in a segment of many megabytes. NUMA.md, "Huge pages". */
enum strait_huge_pages {
    STRAIT_HUGE_NO = 0,
    STRAIT_HUGE_TRY = 1,  /**< as far as the kernel gives them, else plain pages: strait_segment_huge tells */
    STRAIT_HUGE_MUST = 2, /**< all of it, or the attach is refused */
};

/** All zero = the defaults. */
struct strait_segment_options {
    enum strait_attach_mode attach;
    uint64_t bytes;         /**< of a new segment, reserved at once; default 8 MiB */
    uint32_t directory_max; /**< named objects of a new segment; default 128 */
    uint32_t mode;          /**< permissions of a new segment; default 0600. Read permission is liveness trust. */
    uint32_t group;         /**< group id of a new segment's file; 0 = the creator's. With mode 0660: several users */
    bool no_prefault;       /**< do not map the pages ahead of use (a page fault costs about 4 us) */
    const char *directory;  /**< default: $STRAIT_DIR, else /dev/shm */
    uint64_t timeout_ns;    /**< how long joining may take when another process is stopped inside it; default 5 s */
    enum strait_huge_pages huge; /**< map by huge pages; a new segment's size is rounded up to whole ones */
};

/**
 * Attach to the segment `name` (1 to 47 printable bytes without '/'); by default it is created if it is not there.
 *
 * Any thread; blocks for at most timeout_ns. Attaching twice from one process shares one mapping and one lease; every
 * attach wants its own detach. After fork() the child's copy answers -ECHILD: the child attaches itself. Leftovers of
 * dead processes are swept on the way.
 *
 * 0, -EINVAL name or options, -ENOENT (open only), -EEXIST (create only), -EACCES, -ENOSPC the file system is too
 * small, -EBADMSG not a segment, -ESTALE made by a build with another layout, -EPROTO damaged, -EUSERS 511 processes
 * are attached, -ETIMEDOUT somebody holds the admin lock, -EOPNOTSUPP STRAIT_HUGE_MUST and plain pages among them,
 * -ENOMEM. strait_error() has the sentence.
 */
STRAIT_API int strait_attach(const char *name, const struct strait_segment_options *options,
                             struct strait_segment **segment);

/**
 * Make a segment that has no name and attach to it: nothing in any file system, nothing left when its last process ends.
 * Others attach by a descriptor (strait_segment_fd_of) that is sent to them or that they inherit. Its file is sealed: no
 * peer can truncate it. `shmctl` does not see it. Options: attach and directory do not matter. As strait_attach.
 */
STRAIT_API int strait_attach_unnamed(const struct strait_segment_options *options, struct strait_segment **segment);

/** Attach to the segment that `fd` has open for reading and writing, named or not. The descriptor stays the caller's and
 * may be closed at once. As strait_attach; -EBADF no descriptor. */
STRAIT_API int strait_attach_fd(int fd, const struct strait_segment_options *options, struct strait_segment **segment);

/**
 * A new descriptor of the segment's file, close-on-exec, to hand to another process (SCM_RIGHTS, fork) for strait_attach_fd.
 * The caller closes it. Keep none across fork(2) that is not meant for the child. The fd, or -errno of open(2), -ECHILD.
 */
STRAIT_API int strait_segment_fd_of(const struct strait_segment *segment);

/**
 * How many bytes of the segment this process maps by huge pages, as the kernel says now (/proc/self/smaps). Of those that it
 * has touched: all after an attach that prefaults. Any thread; blocks for the kernel's list of mappings. -errno of open(2),
 * -ECHILD.
 */
STRAIT_API int64_t strait_segment_huge(const struct strait_segment *segment);

/**
 * Undo one attach. With the last one the process leaves: its lease is freed. The segment stays until it is removed.
 * Close the segment's handles first. Blocks for the admin lock, 5 s at most. NULL is ignored.
 */
STRAIT_API void strait_detach(struct strait_segment *segment);

/**
 * Remove the segment `name` if no process is attached: 1 removed, 0 in use (nothing happened), -ENOENT, or as attach
 * says. `directory` NULL = the default.
 */
STRAIT_API int strait_segment_remove(const char *name, const char *directory);

/**
 * Look for dead processes and undo what they left behind; waiters do the same by themselves. For a supervisor that has
 * just reaped a child and does not want to wait. How many were swept, -ETIMEDOUT, -ECHILD. Any thread.
 */
STRAIT_API int strait_sweep_dead(struct strait_segment *segment);

/** A process that died attached, and what was undone for it. */
struct strait_death {
    const char *segment; /**< path */
    uint32_t lease, pid; /**< pid in the namespace of the dead */
    const char *program;
    uint32_t voided;   /**< messages that it was writing: never visible to anybody */
    uint32_t returned; /**< messages that it was reading: delivered again */
    uint32_t locks;    /**< regions that it had locked: the next owner of each is told */
};

/**
 * Call `hook` whenever this process has swept a dead one; NULL = no more. It runs inside the admin section, in whichever
 * thread found the death: be quick, call nothing of strait. One hook a process.
 */
STRAIT_API void strait_on_death(void (*hook)(const struct strait_death *death));

STRAIT_END_DECLS

#endif
