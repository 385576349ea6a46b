/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct strait_url url_of(const char *text)
{
    struct strait_url url;
    const char *why;

    assert_int_equal(strait_url_parse(&url, text, &why), 0);
    return url;
}

static void written(const struct strait_request_line *line, char *to, size_t bytes)
{
    int n;

    memset(to, 0, bytes);
    n = strait_request_write(to, bytes, line);
    assert_int_equal(n, strlen(to));
    assert_true((size_t)n < strait_request_bytes(line));
    assert_string_equal(to + n - 4, "\r\n\r\n");
}

static void request(void **state)
{
    struct strait_url url = url_of("http://h:81?q#f");
    struct strait_request_line line = {.url = &url};
    char text[600] = "";

    (void)state;
    written(&line, text, sizeof text);
    assert_memory_equal(text, "GET /?q HTTP/1.1\r\nHost: h:81\r\n", 30);
    assert_non_null(strstr(text, "\r\nAccept-Encoding: identity\r\n"));
    assert_null(strstr(text, "Range"));
    for (size_t n = 1; n < strlen(text); n++) {
        char *small = malloc(n); /* a sanitizer sees a byte too far */
        assert_int_equal(strait_request_write(small, n, &line), -ENAMETOOLONG);
        free(small);
    }
}

static void request_with_everything(void **state)
{
    struct strait_url url = url_of("http://h/p");
    struct strait_request_line line = {.url = &url,
                                       .fields = "user-agent: me\nX: y\n",
                                       .secret = "Basic eA==",
                                       .from = 5,
                                       .bytes = 10,
                                       .head = true,
                                       .absolute = true};
    char text[600] = "";

    (void)state;
    written(&line, text, sizeof text);
    assert_ptr_equal(strstr(text, "HEAD http://h/p HTTP/1.1\r\nHost: h\r\n"), text);
    assert_non_null(strstr(text, "\r\nRange: bytes=5-14\r\n"));
    assert_non_null(strstr(text, "\r\nProxy-Authorization: Basic eA==\r\n"));
    assert_non_null(strstr(text, "\r\nuser-agent: me\r\nX: y\r\n\r\n"));
    assert_null(strstr(text, "strait/"));
    line.bytes = 0;
    written(&line, text, sizeof text);
    assert_non_null(strstr(text, "\r\nRange: bytes=5-\r\n"));
}

static void tunnel(void **state)
{
    struct strait_url url = url_of("https://[::1]/p");
    char text[300];
    int n = strait_request_tunnel(text, sizeof text, &url, NULL);

    (void)state;
    assert_int_equal(n, strlen(text));
    assert_ptr_equal(strstr(text, "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"), text);
}

static void what_a_caller_may_send(void **state)
{
    static const char *const good[] = {"", "A: b\n", "A:b\n", "If-None-Match: \"x\"\nCookie: a=b\n", "A:\n"};
    static const char *const bad[] = {"A",
                                      "A\n",
                                      "A: b",
                                      ": b\n",
                                      "A b: c\n",
                                      "A: b\r\n",
                                      "A: b\x01\n",
                                      "Host: evil\n",
                                      "A: b\n\n",
                                      "RANGE: x\n",
                                      "Te: x\n",
                                      "content-length: 5\n",
                                      "A: b\n c\n",
                                      "Transfer-Encoding: chunked\n",
                                      "Proxy-Authorization: x\n"};
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(strait_fields_check(good[i], &why), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = NULL;
        assert_int_equal(strait_fields_check(bad[i], &why), -EINVAL);
        assert_non_null(why);
    }
}

static void secrets_go(void **state)
{
    char text[] = "A: b\nAuthorization: x\nAuthorization-Like: y\ncookie: z\nC: d\n";

    (void)state;
    strait_fields_drop_secrets(text);
    assert_string_equal(text, "A: b\nAuthorization-Like: y\nC: d\n");
}

static void get(void **state)
{
    char value[8];

    (void)state;
    assert_int_equal(strait_fields_get("a: b\nlocation: /there\nc: d\n", "location", value, sizeof value), 6);
    assert_string_equal(value, "/there");
    assert_int_equal(strait_fields_get("location: /too-long\n", "location", value, sizeof value), 9);
    assert_int_equal(strait_fields_get("xlocation: /x\n", "location", value, sizeof value), -ENOENT);
    assert_int_equal(strait_fields_get(NULL, "location", value, sizeof value), -ENOENT);
}

static void ranges(void **state)
{
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes 5-4/10",
                                      "bytes 0-9/9",
                                      "bytes 0-9",
                                      "bytes -1-2/3",
                                      "lines 0-1/2",
                                      "bytes 0-18446744073709551615/*",
                                      "bytes 99999999999999999999-1/2"};
    uint64_t from, end, total;

    (void)state;
    assert_int_equal(strait_range_parse("bytes 5-9/20", &from, &end, &total), 0);
    assert_true(from == 5 && end == 10 && total == 20);
    assert_int_equal(strait_range_parse("bytes 5-9/*", &from, &end, &total), 0);
    assert_true(from == 5 && end == 10 && total == UINT64_MAX);
    assert_int_equal(strait_range_parse("bytes */20", &from, &end, &total), 0);
    assert_true(from == UINT64_MAX && total == 20);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(strait_range_parse(bad[i], &from, &end, &total), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(request),    cmocka_unit_test(request_with_everything),
                                       cmocka_unit_test(tunnel),     cmocka_unit_test(what_a_caller_may_send),
                                       cmocka_unit_test(secrets_go), cmocka_unit_test(get),
                                       cmocka_unit_test(ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
