/* SPDX-License-Identifier: MIT */
/* Segments in huge pages: what is asked for, what is got, what is said when it is not. The positive half needs a kernel that
 * makes transparent huge pages of shared memory when asked to (6.1); hugetlbfs is the two-node guest's affair. */
#include "unit.h"

#include <strait/strait.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "huge.h"
#include "process.h"

#define MIB (UINT64_C(1) << 20)

static int attach(const struct strait_segment_options *o, struct strait_segment **s)
{
    return strait_attach("x", o, s);
}

/* Does this kernel make a shared mapping's pages huge, if it is asked directly? */
static bool machine_has_them(void)
{
    int fd = memfd_create("probe", MFD_CLOEXEC);
    uint64_t unit = strait_huge_of(fd, true).bytes;
    bool has = false;
    void *base;

    if (unit && ftruncate(fd, (off_t)unit) == 0 &&
        (base = strait_huge_map(fd, unit, unit, PROT_READ | PROT_WRITE, MAP_POPULATE))) {
        has = madvise(base, unit, 25 /* MADV_COLLAPSE */) == 0;
        munmap(base, unit);
    }
    close(fd);
    if (!has)
        print_message("SKIPPED: this kernel gives no huge pages for shared memory\n");
    return has;
}

static int exit_status(pid_t pid)
{
    int status = -1;

    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uint64_t unit_here(void)
{
    int fd = memfd_create("unit", MFD_CLOEXEC);
    uint64_t unit = strait_huge_of(fd, true).bytes;

    close(fd);
    return unit;
}

static void plain_is_the_default(UNUSED_STATE)
{
    struct strait_segment *s;
    struct stat st;

    CHECK_IS(attach(&(struct strait_segment_options){.bytes = 5 * MIB}, &s), 0);
    CHECK_IS(strait_segment_huge(s), 0);
    CHECK_IS(stat(place_path("strait.x"), &st), 0);
    CHECK_IS(st.st_size, 5 * MIB);
    strait_detach(s);
}

static void without_huge_pages_a_try_is_plain(UNUSED_STATE)
{
    struct strait_segment *s;

    CHECK_IS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    CHECK_IS(attach(&(struct strait_segment_options){.bytes = 4 * MIB, .huge = STRAIT_HUGE_TRY}, &s), 0);
    CHECK_IS(strait_segment_huge(s), 0);
    CHECK_IS(strait_channel_create(s, "c", NULL), 0);
    strait_detach(s);
    CHECK_IS(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
}

static void without_huge_pages_a_must_is_refused(UNUSED_STATE)
{
    struct strait_segment *s = NULL;
    struct stat st;

    CHECK_IS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    CHECK_IS(attach(&(struct strait_segment_options){.bytes = 4 * MIB, .huge = STRAIT_HUGE_MUST}, &s), -EOPNOTSUPP);
    CHECK_SAYS("not all of it is in huge pages");
    CHECK(s == NULL);
    CHECK_IS(stat(place_path("strait.x"), &st), -1); /* nothing is left */
    CHECK_IS(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
}

static void a_must_is_refused_where_the_segment_is_plain(UNUSED_STATE)
{
    struct strait_segment *s, *again;

    CHECK_IS(attach(&(struct strait_segment_options){.bytes = 4 * MIB}, &s), 0);
    CHECK_IS(attach(&(struct strait_segment_options){.huge = STRAIT_HUGE_MUST}, &again), -EOPNOTSUPP); /* our mapping */
    pid_t pid = fork();
    if (pid == 0)
        _exit(attach(&(struct strait_segment_options){.huge = STRAIT_HUGE_MUST}, &again) == -EOPNOTSUPP ? 0 : 1);
    CHECK_IS(exit_status(pid), 0);
    strait_detach(s);
    CHECK_IS(attach(&(struct strait_segment_options){.huge = STRAIT_HUGE_MUST + 1}, &s), -EINVAL);
}

static void a_segment_is_whole_huge_pages(UNUSED_STATE)
{
    struct strait_segment_options o = {.bytes = 5 * MIB, .huge = STRAIT_HUGE_MUST};
    struct strait_segment *s;

    if (!machine_has_them())
        skip();
    CHECK_IS(attach(&o, &s), 0);
    CHECK_IS(s->map.bytes % unit_here(), 0);
    CHECK(s->map.bytes >= 5 * MIB && s->map.bytes < 5 * MIB + unit_here());
    CHECK_IS(strait_segment_huge(s), (int64_t)s->map.bytes);
    CHECK_IS(strait_huge_bytes(s->map.fd, s->map.bytes), (int64_t)s->map.bytes);
    CHECK_IS(strait_channel_create(s, "c", NULL), 0);
    CHECK_IS(strait_segment_huge(s), (int64_t)s->map.bytes); /* its fresh pages have cut none */
    strait_detach(s);
}

static void unnamed_ones_are_huge_too(UNUSED_STATE)
{
    struct strait_segment_options o = {.bytes = 4 * MIB, .huge = STRAIT_HUGE_MUST};
    struct strait_segment *s;

    if (!machine_has_them())
        skip();
    CHECK_IS(strait_attach_unnamed(&o, &s), 0);
    CHECK_IS(strait_segment_huge(s), (int64_t)s->map.bytes);
    strait_detach(s);
}

/* In a process of its own: who maps it and how many bytes of it by huge pages. */
static int64_t huge_for_another(enum strait_huge_pages wish)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct strait_segment *s;
        if (attach(&(struct strait_segment_options){.attach = STRAIT_OPEN_ONLY, .huge = wish}, &s) < 0)
            _exit(255);
        _exit((int)(strait_segment_huge(s) / (int64_t)MIB));
    }
    return (int64_t)exit_status(pid) * (int64_t)MIB;
}

static void each_process_maps_as_it_asks(UNUSED_STATE)
{
    struct strait_segment *s;

    if (!machine_has_them())
        skip();
    CHECK_IS(attach(&(struct strait_segment_options){.bytes = 4 * MIB, .huge = STRAIT_HUGE_TRY}, &s), 0);
    CHECK_IS(huge_for_another(STRAIT_HUGE_TRY), (int64_t)s->map.bytes);
    CHECK_IS(huge_for_another(STRAIT_HUGE_MUST), (int64_t)s->map.bytes);
    strait_detach(s);
}

/* ---- prefault ---- */

/* Without a sanitizer's own pages. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static long faults_of_reading(const struct strait_segment *s)
{
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    for (uint64_t at = 0; at < s->map.bytes; at += STRAIT_PAGE)
        *(volatile const unsigned char *)(s->map.base + at);
    getrusage(RUSAGE_SELF, &after);
    return after.ru_minflt - before.ru_minflt;
}

static void pages_are_mapped_ahead_unless_told_not_to(UNUSED_STATE)
{
    struct strait_segment *s;

    CHECK_IS(attach(&(struct strait_segment_options){.bytes = 4 * MIB}, &s), 0);
    CHECK(faults_of_reading(s) < 8);
    strait_detach(s);
    CHECK_IS(attach(&(struct strait_segment_options){.no_prefault = true}, &s), 0);
    CHECK(faults_of_reading(s) >= 32); /* the kernel maps up to 16 at a fault */
    strait_detach(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(plain_is_the_default),
        TEST_PLACE(without_huge_pages_a_try_is_plain),
        TEST_PLACE(without_huge_pages_a_must_is_refused),
        TEST_PLACE(a_must_is_refused_where_the_segment_is_plain),
        TEST_PLACE(a_segment_is_whole_huge_pages),
        TEST_PLACE(unnamed_ones_are_huge_too),
        TEST_PLACE(each_process_maps_as_it_asks),
        TEST_PLACE(pages_are_mapped_ahead_unless_told_not_to),
    };
    return RUN(tests);
}
