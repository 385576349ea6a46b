/* SPDX-License-Identifier: MIT */
/** One mapped shared-memory file: made whole before it has a name, checked field by field before it is believed. */
#ifndef STRAIT_SEGMENT_H
#define STRAIT_SEGMENT_H

#include <limits.h>
#include <sys/types.h>

#include "strait/layout.h"

#define STRAIT_DIRECTORY_DEFAULT "/dev/shm"
#define STRAIT_FILE_PREFIX       "strait."
#define STRAIT_UNNAMED           "(unnamed)" /* stands for the path of a segment that has none */

/** What was wrong with a segment, for the sentence that people read; shm/ itself has no text. */
struct strait_misfit {
    const char *field;    /* what differs, a literal; NULL = nothing to tell */
    uint64_t here, there; /* what we expect, what the segment says */
};

/** How a segment's file is to be mapped: any of these. */
enum strait_map_ask {
    STRAIT_MAP_PREFAULT = 1, /* before use */
    STRAIT_MAP_HUGE = 2,     /* by huge pages, as far as there are any; who makes the file asks for them */
    STRAIT_MAP_ALL_HUGE = 4  /* by nothing else, or -EOPNOTSUPP */
};

/** One process's mapping of a segment. Private memory, zeroed before use; fd is -1 while nothing is open. */
struct strait_segment_map {
    unsigned char *base;
    uint64_t bytes;
    int fd; /* administration and probing; never holds a lease. Use strait_segment_fd, which survives closefrom(3) */
    bool writable;
    bool fence;          /* this process is no target of membarrier */
    uint32_t cpus;       /* online */
    uint64_t page_bytes; /* every mapping of the file is whole ones of these */
    uint64_t huge_bytes; /* ours lies where huge pages of these can be mapped; 0 = anywhere */
    uint32_t lease;      /* ours, 0 = none */
    void *lease_page;    /* keeps the lease's file description, and so its lock, as long as the address space */
    uint32_t admin;      /* excludes our own threads from the admin section: 0 free, 1 held, 2 held and wanted */
    dev_t device;
    ino_t inode;
    uint64_t leases_off, errors_off, directory_off, arena_off; /* checked copies of the header's */
    uint32_t directory_max;
    char path[PATH_MAX];
};

struct strait_segment_shape {
    uint64_t bytes;         /* of the whole file; rounded up to pages, huge ones if such are asked for */
    uint32_t directory_max; /* entries */
    mode_t mode;
    gid_t group;  /* 0: the caller's */
    unsigned ask; /* strait_map_ask */
    bool unnamed; /* a sealed memfd: nobody can shrink it, and it goes with its last user */
};

/** dir/strait.name into path[PATH_MAX]: 0, -EINVAL a name that is empty, or has a '/' or a control character,
 * -ENAMETOOLONG. */
int strait_segment_path(char *path, const char *dir, const char *name);

/** A name for segments and objects: 1 to STRAIT_NAME_BYTES - 1 printable bytes without '/'. */
bool strait_name_good(const char *name);

/**
 * Build a segment in an unnamed file: every byte reserved, the header filled in, mapped. It has no name yet, see
 * strait_segment_publish. 0, -ENOSPC, -EINVAL too small for its own tables, -EOPNOTSUPP not all of it could be
 * had in huge pages, or what open(2), mmap(2) say.
 */
int strait_segment_build(struct strait_segment_map *map, const char *path, const struct strait_segment_shape *shape);

/** Give it its name: 0, -EEXIST somebody else was quicker, or what linkat(2) says (it needs /proc). */
int strait_segment_publish(struct strait_segment_map *map);

/**
 * Open and map a segment by path as `ask` says (strait_map_ask), checking everything that the header says. 0, -ENOENT, -EACCES,
 * -EBADMSG not a segment, -ESTALE another version or layout, -EPROTO damaged, -EOPNOTSUPP as _build; misfit tells what.
 */
int strait_segment_open(struct strait_segment_map *map, const char *path, bool writable, unsigned ask,
                        struct strait_misfit *misfit);

/** As strait_segment_open, of an open file: `fd` stays the caller's, the mapping gets descriptions of its own. */
int strait_segment_adopt(struct strait_segment_map *map, int fd, unsigned ask, struct strait_misfit *misfit);

/** Another description of the file that `fd` has open: a descriptor that no lock is held through, or -errno. */
int strait_segment_reopen(int fd, bool writable);

/** Do these bytes begin a segment that this build understands? As strait_segment_open says. Fuzzed. */
int strait_segment_check(const void *bytes, uint64_t file_bytes, struct strait_misfit *misfit);

/** Unmap, close. The lease goes with it. */
void strait_segment_close(struct strait_segment_map *map);

/** The administration's descriptor, reopened by name if somebody closed it behind our back: fd or -errno. */
int strait_segment_fd(struct strait_segment_map *map);

/** Does the path still name this very file? */
bool strait_segment_named(const struct strait_segment_map *map);

static inline struct strait_header *strait_segment_header(const struct strait_segment_map *map)
{
    return (struct strait_header *)(void *)map->base;
}

static inline struct strait_lease_cell *strait_segment_lease(const struct strait_segment_map *map, uint32_t lease)
{
    return (struct strait_lease_cell *)(void *)(map->base + map->leases_off) + lease;
}

static inline struct strait_error_cell *strait_segment_error(const struct strait_segment_map *map, uint32_t i)
{
    return (struct strait_error_cell *)(void *)(map->base + map->errors_off) + i;
}

static inline struct strait_entry *strait_segment_entry(const struct strait_segment_map *map, uint32_t i)
{
    return (struct strait_entry *)(void *)(map->base + map->directory_off) + i;
}

/** Is [off, off + bytes) inside the arena? */
static inline bool strait_segment_holds(const struct strait_segment_map *map, uint64_t off, uint64_t bytes)
{
    return off >= map->arena_off && off <= map->bytes && bytes <= map->bytes - off;
}

#endif
