/* SPDX-License-Identifier: MIT */
/* What the kernel may write straight into a slot, lib/landing.c: what copies in its reader's own context, and nothing else. */
#include "unit.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "landing.h"

static bool safe(int fd)
{
    bool yes = strait_landing_safe(fd);

    CHECK(fd >= 0);
    close(fd);
    return yes;
}

static bool safe_path(const char *path)
{
    return safe(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

static void sockets_and_pipes_are_safe(UNUSED_STATE)
{
    int pair[2];

    CHECK_IS(pipe2(pair, O_CLOEXEC), 0);
    CHECK(safe(pair[0]));
    CHECK(safe(pair[1]));
    CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK(safe(pair[0]));
    CHECK(safe(pair[1]));
    CHECK(safe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    CHECK_IS(mkfifo(place_path("fifo"), 0600), 0);
    CHECK(safe_path(place_path("fifo")));
}

static void a_file_in_memory_is_safe(UNUSED_STATE)
{
    place_write("file", "text", 4);
    CHECK(safe_path(place_path("file")));
    CHECK(safe(memfd_create("landing", MFD_CLOEXEC)));
}

/* The one place where a program finds out: a file of the working folder, by the kind of file system that it lies on. */
static void a_file_on_disk_is_safe_by_its_file_system(UNUSED_STATE)
{
    struct statfs fs;
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    bool listed;

    if (fd < 0) {
        print_message("SKIPPED: no unnamed file in the working folder: %s\n", strerror(errno));
        skip();
    }
    CHECK_IS(fstatfs(fd, &fs), 0);
    listed = fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == 0x58465342 || fs.f_type == BTRFS_SUPER_MAGIC ||
             fs.f_type == TMPFS_MAGIC;
    CHECK_IS(safe(fd), listed);
}

/* With O_DIRECT the device writes, whenever it gets to it: also after the process is dead, reaped and swept. */
static void a_file_opened_for_direct_access_is_not(UNUSED_STATE)
{
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600), flags;

    if (fd < 0) {
        print_message("SKIPPED: no direct access here: %s\n", strerror(errno));
        skip();
    }
    CHECK(!strait_landing_safe(fd));
    flags = fcntl(fd, F_GETFL);
    CHECK_IS(fcntl(fd, F_SETFL, flags & ~O_DIRECT), 0);
    bool buffered = strait_landing_safe(fd);
    CHECK_IS(fcntl(fd, F_SETFL, flags), 0); /* and whoever turns it on later */
    CHECK(!strait_landing_safe(fd));
    close(fd);
    if (!buffered)
        print_message("(this file system is not safe without it, either)\n");
}

static void what_is_made_while_it_is_read_is_not(UNUSED_STATE)
{
    CHECK(!safe_path("/proc/self/status"));
    CHECK(!safe_path("/dev/zero"));
    CHECK(!safe_path("/dev/null"));
    CHECK(!safe_path(place_dir()));
    CHECK(!safe(eventfd(0, EFD_CLOEXEC)));
}

static void what_is_not_open_is_not(UNUSED_STATE)
{
    CHECK(!strait_landing_safe(-1));
    CHECK(!strait_landing_safe(1 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(sockets_and_pipes_are_safe),           TEST_PLACE(a_file_in_memory_is_safe),
        TEST(a_file_on_disk_is_safe_by_its_file_system),  TEST(a_file_opened_for_direct_access_is_not),
        TEST_PLACE(what_is_made_while_it_is_read_is_not), TEST(what_is_not_open_is_not),
    };
    return RUN(tests);
}
