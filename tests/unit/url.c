/* SPDX-License-Identifier: MIT */
#include "url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct right {
    const char *text, *host, *authority, *target;
    int scheme, port;
};

static const struct right rights[] = {
    {"http://a.example/x?y=1#z", "a.example", "a.example", "/x?y=1", STRAIT_SCHEME_HTTP, 80},
    {"HTTP://A.Example:8080", "a.example", "A.Example:8080", "", STRAIT_SCHEME_HTTP, 8080},
    {"http://[::1]:99/", "::1", "[::1]:99", "/", STRAIT_SCHEME_HTTP, 99},
    {"http://[fe80::1]", "fe80::1", "[fe80::1]", "", STRAIT_SCHEME_HTTP, 80},
    {"http://h?q", "h", "h", "?q", STRAIT_SCHEME_HTTP, 80},
    {"http://h#f", "h", "h", "", STRAIT_SCHEME_HTTP, 80},
    {"http://h:65535/a/../b", "h", "h:65535", "/a/../b", STRAIT_SCHEME_HTTP, 65535},
    {"file:///etc/hostname", "", "", "/etc/hostname", STRAIT_SCHEME_FILE, 0},
    {"file://localhost/etc", "", "localhost", "/etc", STRAIT_SCHEME_FILE, 0},
};

static const struct {
    const char *text;
    int error;
} wrongs[] = {
    {"", -EINVAL},
    {"http", -EINVAL},
    {"/etc/passwd", -EINVAL},
    {"http:/x", -EINVAL},
    {"://x", -EINVAL},
    {"gopher://x/", -EPROTONOSUPPORT},
    {"https+x://x/", -EPROTONOSUPPORT},
    {"http://", -EINVAL},
    {"http:///x", -EINVAL},
    {"http://:80/", -EINVAL},
    {"http://h:/", -EINVAL},
    {"http://h:0/", -EINVAL},
    {"http://h:65536/", -EINVAL},
    {"http://h:123456/", -EINVAL},
    {"http://h:8a/", -EINVAL},
    {"http://u:p@h/", -EINVAL},
    {"http://h h/", -EINVAL},
    {"http://h/a b", -EINVAL},
    {"http://h/a\r\nX: y", -EINVAL},
    {"http://h/\xc3\xa4", -EINVAL},
    {"http://h%41/", -EINVAL},
    {"http://[::1/", -EINVAL},
    {"http://[zz]/", -EINVAL},
    {"http://[::1]x/", -EINVAL},
    {"http://[127.0.0.1]/", -EINVAL},
    {"file://host/x", -EINVAL},
    {"file://", -EINVAL},
    {"file://localhost?x", -EINVAL},
};

static void right_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        const struct right *r = &rights[i];
        struct strait_url url;
        const char *why = NULL;
        assert_int_equal(strait_url_parse(&url, r->text, &why), 0);
        assert_null(why);
        assert_int_equal(url.scheme, r->scheme);
        assert_int_equal(url.port, r->port);
        assert_string_equal(url.host, r->host);
        assert_int_equal(url.authority_bytes, strlen(r->authority));
        assert_memory_equal(url.authority, r->authority, strlen(r->authority));
        assert_int_equal(url.target_bytes, strlen(r->target));
        assert_memory_equal(url.target, r->target, strlen(r->target));
    }
}

static void wrong_ones_leave_the_output_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct strait_url url, before;
        const char *why = NULL;
        memset(&url, 0xa5, sizeof url);
        memset(&before, 0xa5, sizeof before);
        assert_int_equal(strait_url_parse(&url, wrongs[i].text, &why), wrongs[i].error);
        assert_non_null(why);
        assert_memory_equal(&url, &before, sizeof url);
    }
}

static void too_long(void **state)
{
    static char text[STRAIT_URL_BYTES + 100] = "http://h/";
    struct strait_url url;
    const char *why;

    (void)state;
    memset(text + 9, 'a', STRAIT_URL_BYTES - 9 - 1);
    assert_int_equal(strait_url_parse(&url, text, &why), 0);
    text[STRAIT_URL_BYTES - 1] = 'a';
    assert_int_equal(strait_url_parse(&url, text, &why), -ENAMETOOLONG);
    memcpy(text, "http://", 7);
    memset(text + 7, 'b', 256);
    text[7 + 256] = 0;
    assert_int_equal(strait_url_parse(&url, text, &why), -EINVAL);
    text[7 + 255] = 0;
    assert_int_equal(strait_url_parse(&url, text, &why), 0);
}

static void path_of(const char *text, int error, const char *path)
{
    struct strait_url url;
    const char *why;
    char got[16];

    assert_int_equal(strait_url_parse(&url, text, &why), 0);
    assert_int_equal(strait_url_path(&url, got, sizeof got, &why), error);
    if (path)
        assert_string_equal(got, path);
}

static void paths(void **state)
{
    (void)state;
    path_of("file:///a%20b%2Fc", 0, "/a b/c");
    path_of("file:///a%C3%a4", 0, "/a\xc3\xa4");
    path_of("file:///a#b", 0, "/a");
    path_of("file:///a%3f", 0, "/a?");
    path_of("file:///a?b", -EINVAL, NULL);
    path_of("file:///a%", -EINVAL, NULL);
    path_of("file:///a%2", -EINVAL, NULL);
    path_of("file:///a%2g", -EINVAL, NULL);
    path_of("file:///a%00b", -EINVAL, NULL);
    path_of("file:///23456789abcdef", 0, "/23456789abcdef");
    path_of("file:///23456789abcdefg", -ENAMETOOLONG, NULL);
}

/* RFC 3986, 5.4, on another base. */
static void joins(void **state)
{
    static const char *const cases[][2] = {
        {"g", "http://h:8/b/c/g"},
        {"./g/", "http://h:8/b/c/g/"},
        {"/g", "http://h:8/g"},
        {"?y", "http://h:8/b/c/d?y"},
        {"g?y/../x", "http://h:8/b/c/g?y/../x"},
        {"", "http://h:8/b/c/d?q"},
        {"#s", "http://h:8/b/c/d?q"},
        {"g#s", "http://h:8/b/c/g"},
        {".", "http://h:8/b/c/"},
        {"..", "http://h:8/b/"},
        {"../g", "http://h:8/b/g"},
        {"../../../g", "http://h:8/g"},
        {"/./g", "http://h:8/g"},
        {"/../g", "http://h:8/g"},
        {"g.", "http://h:8/b/c/g."},
        {"..g", "http://h:8/b/c/..g"},
        {"g/./h", "http://h:8/b/c/g/h"},
        {"g/../h", "http://h:8/b/c/h"},
        {"https://x/y", "https://x/y"},
        {"//x/y", "http://x/y"},
        {"file:///etc", "file:///etc"},
        {"mailto:x", "mailto:x"},
    };
    struct strait_url base;
    const char *why;
    char text[64];

    (void)state;
    assert_int_equal(strait_url_parse(&base, "http://h:8/b/c/d?q", &why), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(strait_url_join(text, sizeof text, &base, cases[i][0], &why), 0);
        assert_string_equal(text, cases[i][1]);
    }
    for (size_t room = 1; room <= strlen("http://h:8/b/c/g"); room++) {
        char *small = malloc(room);
        assert_int_equal(strait_url_join(small, room, &base, "g", &why), -ENAMETOOLONG);
        free(small);
    }
    assert_int_equal(strait_url_parse(&base, "http://h", &why), 0);
    assert_int_equal(strait_url_join(text, sizeof text, &base, "x", &why), 0);
    assert_string_equal(text, "http://h/x");
}

static void origins(void **state)
{
    static const char *const others[] = {"https://h/", "http://h:81/", "http://i/"};
    struct strait_url a, b;
    const char *why;

    (void)state;
    assert_int_equal(strait_url_parse(&a, "http://h/x", &why), 0);
    assert_int_equal(strait_url_parse(&b, "HTTP://H:80/y", &why), 0);
    assert_true(strait_url_same_origin(&a, &b));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(strait_url_parse(&b, others[i], &why), 0);
        assert_false(strait_url_same_origin(&a, &b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones), cmocka_unit_test(wrong_ones_leave_the_output_alone),
        cmocka_unit_test(too_long),   cmocka_unit_test(paths),
        cmocka_unit_test(joins),      cmocka_unit_test(origins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
