/* SPDX-License-Identifier: MIT */
/* Placing pages of a file, and asking where they lie. With one node, what can be seen is who is refused and which policy
 * the file has; the two-node guest sees the pages (tests/numa). */
#include "unit.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pages.h"

#define PAGES 8
#define BYTES (PAGES * STRAIT_PAGE)

static int fd;

static int make(void **state)
{
    place_setup(state);
    fd = open(place_path("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && ftruncate(fd, BYTES) == 0 ? 0 : -1;
}

static int drop(void **state)
{
    close(fd);
    return place_teardown(state);
}

/* What the kernel has on record for a page of the file, whoever asked for it; -1 where it does not say. */
static int policy_of(unsigned page)
{
    unsigned char *at = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
    int policy = -1;

    CHECK(at != MAP_FAILED);
    if (syscall(SYS_get_mempolicy, &policy, NULL, 0UL, at + page * STRAIT_PAGE, (unsigned long)MPOL_F_ADDR) < 0)
        policy = -1;
    munmap(at, BYTES);
    return policy;
}

/* In an emulator or a container the kernel may not tell; then there is nothing to see here. */
static bool tells(void)
{
    if (policy_of(0) >= 0)
        return true;
    print_message("SKIPPED: the kernel tells this process nothing about memory policies\n");
    return false;
}

static void what_is_placed_is_on_record_with_the_file(UNUSED_STATE)
{
    if (!tells())
        skip();
    CHECK_IS(strait_pages_place(fd, 2 * STRAIT_PAGE, 3 * STRAIT_PAGE, 0), 0);
    CHECK_IS(policy_of(1), MPOL_DEFAULT);
    CHECK_IS(policy_of(2), MPOL_BIND);
    CHECK_IS(policy_of(4), MPOL_BIND);
    CHECK_IS(policy_of(5), MPOL_DEFAULT);
    CHECK_IS(strait_pages_place(fd, 4 * STRAIT_PAGE, STRAIT_PAGE, STRAIT_NODE_INTERLEAVED), 0);
    CHECK_IS(policy_of(3), MPOL_BIND);
    CHECK_IS(policy_of(4), MPOL_INTERLEAVE);
}

/* The next object at this place did not ask for what the last one had. */
static void a_place_is_forgotten(UNUSED_STATE)
{
    if (!tells())
        skip();
    CHECK_IS(strait_pages_place(fd, 0, BYTES, 0), 0);
    CHECK_IS(strait_pages_place(fd, STRAIT_PAGE, 2 * STRAIT_PAGE, STRAIT_NODE_ANY), 0);
    CHECK_IS(policy_of(0), MPOL_BIND);
    CHECK_IS(policy_of(1), MPOL_DEFAULT);
    CHECK_IS(policy_of(2), MPOL_DEFAULT);
    CHECK_IS(policy_of(3), MPOL_BIND);
}

/* Each mapping remembers what was asked through it, and the kernel does nothing when it is asked for the same again; but
 * somebody else may have asked for something else since. */
static void who_asks_last_has_it(UNUSED_STATE)
{
    if (!tells())
        skip();
    CHECK_IS(strait_pages_place(fd, 0, BYTES, 0), 0);
    CHECK_IS(strait_pages_place(fd, 0, BYTES, STRAIT_NODE_INTERLEAVED), 0);
    CHECK_IS(strait_pages_place(fd, 0, BYTES, 0), 0);
    CHECK_IS(policy_of(0), MPOL_BIND);
}

static void impossible_nodes_are_refused(UNUSED_STATE)
{
    CHECK_IS(strait_pages_place(fd, 0, BYTES, -3), -EINVAL);
    CHECK_IS(strait_pages_place(fd, 0, BYTES, STRAIT_NODE_NUMBERS), -EINVAL);
    if (!tells())
        skip();
    CHECK_IS(strait_pages_place(fd, 0, BYTES, STRAIT_NODE_NUMBERS - 1), -EINVAL);
    CHECK_IS(policy_of(0), MPOL_DEFAULT);
}

static void every_page_lies_somewhere(UNUSED_STATE)
{
    struct strait_pages pages;
    uint64_t sum = 0;
    unsigned char *at = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);

    CHECK(at != MAP_FAILED);
    CHECK_IS(posix_fallocate(fd, 0, BYTES), 0);
    if (tells()) {
        CHECK_IS(strait_pages_where(at, BYTES, &pages), 0);
        for (int i = 0; i < STRAIT_NODE_NUMBERS; i++)
            sum += pages.on[i];
        CHECK_IS(sum, PAGES);
        CHECK_IS(pages.unknown, 0);
    }
    munmap(at, BYTES);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(what_is_placed_is_on_record_with_the_file),
        HERE(a_place_is_forgotten),
        HERE(who_asks_last_has_it),
        HERE(impossible_nodes_are_refused),
        HERE(every_page_lies_somewhere),
    };
    return RUN(tests);
}
