/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "admin.h"
#include "attach.h"
#include "lease.h"
#include "sweep.h"

static const struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 16, .mode = 0600};
static struct strait_misfit misfit;

static int attach(struct strait_segment_map *map, enum strait_attach_how how)
{
    return strait_attach_map(map, place_path("strait.x"), how, &shape, soon(), &misfit);
}

static void the_first_creates_and_the_second_joins(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_OPEN), -ENOENT);
    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(a.lease, 1);
    CHECK_IS(b.lease, 2);
    CHECK_IS(a.inode, b.inode);
    CHECK(a.cpus >= 1);
    strait_detach_map(&a, soon());
    strait_detach_map(&b, soon());
}

static void create_refuses_what_exists(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_CREATE), 0);
    CHECK_IS(attach(&b, STRAIT_ATTACH_CREATE), -EEXIST);
    strait_detach_map(&a, soon());
}

static void leaving_in_good_order_frees_the_lease_for_the_next(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), 0);
    strait_detach_map(&a, soon());
    CHECK_IS(strait_segment_lease(&b, 1)->state, STRAIT_LEASE_FREE);
    CHECK_IS(strait_segment_header(&b)->sweeps, 0);
    CHECK_IS(attach(&a, STRAIT_ATTACH_OPEN), 0);
    CHECK_IS(a.lease, 1);
    strait_detach_map(&a, soon());
    strait_detach_map(&b, soon());
}

static void who_joins_sweeps_the_dead_first(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    strait_segment_close(&a); /* as the dead leave */
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(b.lease, 1);
    CHECK_IS(strait_segment_lease(&b, 1)->generation, 2);
    CHECK_IS(strait_segment_header(&b)->sweeps, 1);
    strait_detach_map(&b, soon());
}

static void when_all_leases_live_the_next_gets_eusers(UNUSED_STATE)
{
    struct strait_segment_map a, b;
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STRAIT_LOCK_LEASES, .l_len = STRAIT_LEASES};
    int fd;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    strait_detach_map(&a, soon());
    fd = open(place_path("strait.x"), O_RDWR | O_CLOEXEC);
    CHECK_IS(fcntl(fd, F_OFD_SETLK, &all), 0); /* one stranger holds them all */
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), -EUSERS);
    CHECK_IS(b.fd, -1);
    close(fd);
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), 0);
    strait_detach_map(&b, soon());
}

static void a_held_admin_lock_costs_the_deadline(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(strait_admin_enter(&a, STRAIT_NOW), 0);
    CHECK_IS(
        strait_attach_map(&b, place_path("strait.x"), STRAIT_ATTACH_OPEN, &shape, strait_after_ns(5 * MS), &misfit),
        -ETIMEDOUT);
    CHECK_IS(b.fd, -1);
    strait_admin_leave(&a);
    strait_detach_map(&a, soon());
}

static void a_leaver_that_cannot_enter_leaves_as_the_dead_do(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(strait_admin_enter(&a, STRAIT_NOW), 0);
    strait_detach_map(&b, STRAIT_NOW);
    CHECK(strait_lease_dead(&a, 2));
    CHECK_IS(strait_sweep_admin(&a), 1);
    strait_admin_leave(&a);
    strait_detach_map(&a, soon());
}

/* ---- collect ---- */

static void a_segment_in_use_is_not_collected(UNUSED_STATE)
{
    struct strait_segment_map a;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), 0);
    CHECK_IS(place_files(), 1);
    CHECK_IS(strait_segment_header(&a)->gone, STRAIT_GONE_NO);
    strait_detach_map(&a, soon());
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), 1);
    CHECK_IS(place_files(), 0);
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), -ENOENT);
}

static void the_dead_do_not_keep_a_segment(UNUSED_STATE)
{
    struct strait_segment_map a;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    strait_segment_close(&a);
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), 1);
}

static void a_collected_segment_is_gone_for_who_had_it_open(UNUSED_STATE)
{
    struct strait_segment_map old, young;

    CHECK_IS(attach(&old, STRAIT_ATTACH_EITHER), 0);
    strait_detach_map(&old, soon());
    CHECK_IS(strait_segment_open(&old, place_path("strait.x"), true, false, &misfit), 0); /* opened, not joined */
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), 1);
    CHECK_IS(strait_segment_header(&old)->gone, STRAIT_GONE_YES);
    CHECK_IS(attach(&young, STRAIT_ATTACH_EITHER), 0);
    CHECK(old.inode != young.inode);
    strait_segment_close(&old);
    strait_detach_map(&young, soon());
}

static void a_name_marked_gone_is_cleared_by_who_comes_next(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(attach(&a, STRAIT_ATTACH_EITHER), 0);
    strait_segment_header(&a)->gone = STRAIT_GONE_YES; /* its collector died before the unlink */
    strait_segment_close(&a);
    CHECK_IS(attach(&b, STRAIT_ATTACH_OPEN), -ENOENT);
    CHECK_IS(place_files(), 0);
    CHECK_IS(attach(&b, STRAIT_ATTACH_EITHER), 0);
    CHECK_IS(strait_segment_header(&b)->gone, STRAIT_GONE_NO);
    strait_detach_map(&b, soon());
}

static void what_is_no_segment_is_not_collected(UNUSED_STATE)
{
    char zeros[8192] = {0};

    place_write("strait.x", zeros, sizeof zeros);
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), -EBADMSG);
    CHECK_IS(place_files(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(the_first_creates_and_the_second_joins),
        TEST_PLACE(create_refuses_what_exists),
        TEST_PLACE(leaving_in_good_order_frees_the_lease_for_the_next),
        TEST_PLACE(who_joins_sweeps_the_dead_first),
        TEST_PLACE(when_all_leases_live_the_next_gets_eusers),
        TEST_PLACE(a_held_admin_lock_costs_the_deadline),
        TEST_PLACE(a_leaver_that_cannot_enter_leaves_as_the_dead_do),
        TEST_PLACE(a_segment_in_use_is_not_collected),
        TEST_PLACE(the_dead_do_not_keep_a_segment),
        TEST_PLACE(a_collected_segment_is_gone_for_who_had_it_open),
        TEST_PLACE(a_name_marked_gone_is_cleared_by_who_comes_next),
        TEST_PLACE(what_is_no_segment_is_not_collected),
    };
    return RUN(tests);
}
