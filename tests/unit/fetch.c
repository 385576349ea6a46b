/* SPDX-License-Identifier: MIT */
/* What a coordinator makes of parts, hostile ones included, and where the kernel may write. */
#include <strait/fetch.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <cmocka.h>

#include "landing.h"

static int decode(uint16_t tag, uint16_t flags, const void *data, size_t bytes, struct strait_fetch_part *part)
{
    /* at the end of an allocation, so that a sanitizer sees a byte too far */
    void *copy = malloc(bytes ? bytes : 1);
    struct strait_msg msg = {.data = copy, .bytes = (uint32_t)bytes, .tag = tag, .flags = flags};
    int error;

    memcpy(copy, data, bytes);
    error = strait_fetch_part(&msg, part);
    free(copy);
    return error;
}

static void parts(void **state)
{
    struct {
        struct strait_fetch_head head;
        char body[4];
    } first = {.head = {.length = 4, .status = 200}, .body = "body"};
    struct strait_fetch_part part;

    (void)state;
    assert_int_equal(decode(STRAIT_FETCH_FIRST, 0, &first, sizeof first.head + 4, &part), 0);
    assert_true(part.first && !part.last && !part.failure);
    assert_int_equal(part.bytes, 4);
    assert_int_equal(part.head.status, 200);
    assert_int_equal(decode(STRAIT_FETCH_MORE, STRAIT_MSG_LAST, "body", 4, &part), 0);
    assert_true(!part.first && part.last && !part.failure);
    assert_int_equal(part.bytes, 4);
    assert_int_equal(decode(STRAIT_FETCH_MORE, STRAIT_MSG_LAST, "", 0, &part), 0);
    first.head.kind = STRAIT_FETCH_TIMEOUT;
    assert_int_equal(
        decode(STRAIT_FETCH_FIRST, STRAIT_MSG_LAST | STRAIT_MSG_ERROR, &first, sizeof first.head + 4, &part), 0);
    assert_true(part.failure && part.last);
    assert_int_equal(part.head.kind, STRAIT_FETCH_TIMEOUT);
}

static void lies(void **state)
{
    struct strait_fetch_head head = {.kind = STRAIT_FETCH_OK};
    struct strait_fetch_part part, before;
    uint16_t failed = STRAIT_MSG_LAST | STRAIT_MSG_ERROR;

    (void)state;
    memset(&part, 0xa5, sizeof part);
    memset(&before, 0xa5, sizeof before);
    for (size_t n = 0; n < sizeof head; n++)
        assert_int_equal(decode(STRAIT_FETCH_FIRST, 0, &head, n, &part), -EBADMSG);
    assert_int_equal(decode(STRAIT_FETCH_FIRST, failed, &head, sizeof head, &part),
                     -EBADMSG); /* a failure that is none */
    head.kind = STRAIT_FETCH_STATUS;
    assert_int_equal(decode(STRAIT_FETCH_FIRST, 0, &head, sizeof head, &part), -EBADMSG);
    assert_int_equal(decode(STRAIT_FETCH_FIRST, STRAIT_MSG_ERROR, &head, sizeof head, &part),
                     -EBADMSG); /* not the last */
    head.kind = STRAIT_FETCH_KINDS;
    assert_int_equal(decode(STRAIT_FETCH_FIRST, failed, &head, sizeof head, &part), -EBADMSG);
    assert_memory_equal(&part, &before, sizeof part);
}

static void kinds(void **state)
{
    (void)state;
    assert_string_equal(strait_fetch_kind_name(STRAIT_FETCH_TOO_LARGE), "too-large");
    assert_string_equal(strait_fetch_kind_name(STRAIT_FETCH_WORKER), "worker");
    assert_string_equal(strait_fetch_kind_name(12345), "unknown");
}

static void landing(void **state)
{
    int fds[2], fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_false(strait_landing_safe(fd));
    close(fd);
    assert_false(strait_landing_safe(fd)); /* closed */
    fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_false(strait_landing_safe(fd));
    close(fd);
    fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(strait_landing_safe(fd)); /* tmpfs */
    close(fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(strait_landing_safe(fds[0]));
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_true(strait_landing_safe(fds[0]));
    close(fds[0]);
    close(fds[1]);
}

/* The case that the rule is there for. On a file system without O_DIRECT there is nothing to refuse. */
static void direct(void **state)
{
    char name[] = "/tmp/strait-landing.XXXXXX";
    int made = mkstemp(name), fd = open(name, O_RDONLY | O_DIRECT | O_CLOEXEC);

    (void)state;
    unlink(name);
    close(made);
    if (fd < 0) {
        print_message("SKIPPED O_DIRECT: /tmp does not have it\n");
        skip();
    }
    assert_false(strait_landing_safe(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts), cmocka_unit_test(lies), cmocka_unit_test(kinds),
                                       cmocka_unit_test(landing), cmocka_unit_test(direct)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
