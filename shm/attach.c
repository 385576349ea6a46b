/* SPDX-License-Identifier: MIT */
#include "attach.h"

#include <errno.h>
#include <unistd.h>

#include "admin.h"
#include "futex.h"
#include "lease.h"
#include "strait/atomic.h"
#include "sweep.h"

#define AGAIN 1 /* the file was not, or is no longer, what the name means: start over from open */

/* The machine's, not our own affinity: who is pinned to one CPU may well spin for a peer on another. */
static uint32_t online_cpus(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

static void settle_in(struct strait_segment_map *map)
{
    map->cpus = online_cpus();
    map->fence = strait_membarrier_register() < 0;
    if (map->fence)
        /* seq_cst [G3] alone: for strait_mood_mode, whose relaxed look may lag: our own ringers fence in any case */
        strait_store32_seq_cst(&strait_segment_header(map)->no_barrier, 1);
}

/* ---- create ---- */

static int create(struct strait_segment_map *map, const char *path, const struct strait_segment_shape *shape,
                  uint64_t until_ns)
{
    int r = strait_segment_build(map, path, shape);

    if (r < 0)
        return r;
    /* The lease is taken while the file has no name: otherwise gc could take the newborn for an orphan. */
    r = strait_admin_enter(map, until_ns);
    if (r == 0) {
        r = strait_lease_take(map);
        strait_admin_leave(map);
    }
    if (r > 0) {
        settle_in(map);
        r = shape->unnamed ? 0 : strait_segment_publish(map);
    }
    if (r < 0)
        strait_segment_close(map);
    return r;
}

/* ---- join ---- */

/* Admin. A lease for us, after sweeping what the dead left. */
static int take_lease(struct strait_segment_map *map)
{
    int r;

    strait_sweep_admin(map);
    r = strait_lease_take(map);
    return r == -EAGAIN ? -EUSERS : r < 0 ? r : 0;
}

/* Admin. The collector died between its mark and the unlink: finish for it. AGAIN, or what unlink(2) says. */
static int finish_collection(struct strait_segment_map *map)
{
    return strait_segment_named(map) && unlink(map->path) < 0 && errno != ENOENT ? -errno : AGAIN;
}

static int join_admin(struct strait_segment_map *map)
{
    struct strait_header *h = strait_segment_header(map);

    if (strait_load32_acquire(&h->gone) == STRAIT_GONE_NO) /* acquire [G2] <- [G1] collect_admin */
        return take_lease(map);
    return finish_collection(map);
}

/* Of an open map. */
static int join(struct strait_segment_map *map, uint64_t until_ns)
{
    int r = strait_admin_enter(map, until_ns);

    if (r == 0) {
        r = join_admin(map);
        strait_admin_leave(map);
    } else if (r == -EBADF) {
        r = AGAIN; /* unlinked between open and enter */
    }
    if (r == 0)
        settle_in(map);
    else
        strait_segment_close(map);
    return r;
}

/* The name is taken, but perhaps by a file whose collector died before it could unlink it. AGAIN or -EEXIST. */
static int clear_gone(const char *path, uint64_t until_ns)
{
    struct strait_segment_map map;
    struct strait_misfit misfit;
    int r = strait_segment_open(&map, path, true, 0, &misfit);

    if (r < 0)
        return r == -ENOENT ? AGAIN : -EEXIST;
    r = strait_admin_enter(&map, until_ns);
    if (r == 0) {
        /* acquire [G4] <- [G1] collect_admin */
        r = strait_load32_acquire(&strait_segment_header(&map)->gone) == STRAIT_GONE_YES ? AGAIN : -EEXIST;
        if (r == AGAIN)
            r = finish_collection(&map);
        strait_admin_leave(&map);
    }
    strait_segment_close(&map);
    return r == AGAIN ? AGAIN : -EEXIST;
}

int strait_attach_map(struct strait_segment_map *map, const char *path, enum strait_attach_how how,
                      const struct strait_segment_shape *shape, uint64_t until_ns, struct strait_misfit *misfit)
{
    int r;

    do {
        r = how == STRAIT_ATTACH_CREATE ? -ENOENT : strait_segment_open(map, path, true, shape->ask, misfit);
        if (r == 0)
            r = join(map, until_ns);
        if (r == -ENOENT && how != STRAIT_ATTACH_OPEN) {
            r = create(map, path, shape, until_ns);
            if (r == -EEXIST) /* somebody was quicker: join theirs, or leave it at that */
                r = how == STRAIT_ATTACH_EITHER ? AGAIN : clear_gone(path, until_ns);
        }
        if (r == AGAIN && strait_now_ns() >= until_ns)
            r = -ETIMEDOUT;
    } while (r == AGAIN);
    return r;
}

int strait_attach_unnamed_map(struct strait_segment_map *map, const struct strait_segment_shape *shape,
                              uint64_t until_ns)
{
    return create(map, STRAIT_UNNAMED, shape, until_ns);
}

int strait_attach_fd_map(struct strait_segment_map *map, int fd, unsigned ask, uint64_t until_ns,
                         struct strait_misfit *misfit)
{
    int r = strait_segment_adopt(map, fd, ask, misfit);

    if (r == 0)
        r = join(map, until_ns);
    return r == AGAIN ? -ENOENT : r; /* it had a name once, and was removed by it */
}

/* ---- leave ---- */

void strait_detach_map(struct strait_segment_map *map, uint64_t until_ns)
{
    struct strait_left_behind nothing = {0};

    if (map->lease && strait_admin_enter(map, until_ns) == 0) {
        strait_sweep_objects(map, map->lease, &nothing);
        strait_lease_give(map);
        strait_admin_leave(map);
    }
    /* without the admin lock we leave as the dead do: the next one sweeps */
    strait_segment_close(map);
}

/* ---- collect ---- */

static int collect_admin(struct strait_segment_map *map)
{
    for (uint32_t i = 1; i < STRAIT_LEASES; i++)
        if (strait_lease_alive(map, i) != 0)
            return 0;
    if (!strait_segment_named(map))
        return 0;
    /* sticky, and before the unlink: a joiner that has opened the file already starts over. release [G1] -> [G2] */
    strait_store32_release(&strait_segment_header(map)->gone, STRAIT_GONE_YES);
    return unlink(map->path) < 0 ? -errno : 1;
}

int strait_collect(const char *path, uint64_t until_ns, struct strait_misfit *misfit)
{
    struct strait_segment_map map;
    int r = strait_segment_open(&map, path, true, 0, misfit);

    if (r < 0)
        return r;
    r = strait_admin_enter(&map, until_ns);
    if (r == 0) {
        r = collect_admin(&map);
        strait_admin_leave(&map);
    }
    strait_segment_close(&map);
    return r;
}
