/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int clear(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    return 0;
}

static const struct strait_proxy *proxy_for(struct strait_proxies *p, const char *text)
{
    struct strait_url url;
    const char *why;

    assert_int_equal(strait_url_parse(&url, text, &why), 0);
    return strait_proxy_for(p, &url);
}

static void from_the_environment(void **state)
{
    struct strait_proxies p = {0};

    (void)state;
    setenv("http_proxy", "http://user:p%40ss@proxy.example:3128/", 1);
    setenv("HTTP_PROXY", "http://evil/", 1);
    setenv("HTTPS_PROXY", "other:99", 1);
    assert_int_equal(strait_proxies_load(&p), 0);
    assert_string_equal(p.http.url.host, "proxy.example");
    assert_int_equal(p.http.url.port, 3128);
    assert_string_equal(p.http.secret, "Basic dXNlcjpwQHNz");
    assert_string_equal(p.https.url.host, "other");
    assert_int_equal(p.https.url.port, 99);
    assert_null(p.https.secret);
    assert_ptr_equal(proxy_for(&p, "http://x/"), &p.http);
    assert_ptr_equal(proxy_for(&p, "https://x/"), &p.https);
    strait_proxies_free(&p);
}

static void none_set(void **state)
{
    struct strait_proxies p = {0};

    (void)state;
    setenv("HTTP_PROXY", "http://evil/", 1); /* a CGI's client may set this one */
    assert_int_equal(strait_proxies_load(&p), 0);
    assert_null(proxy_for(&p, "http://x/"));
    strait_proxies_free(&p);
}

static void what_cannot_be_used(void **state)
{
    static const char *const bad[] = {"socks5://x:1", "https://x", "http://", "x:0", "http://a b"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct strait_proxies p = {0};
        setenv("all_proxy", bad[i], 1);
        assert_int_equal(strait_proxies_load(&p), 0);
        assert_non_null(proxy_for(&p, "http://x/")->why);
        strait_proxies_free(&p);
    }
}

static void who_is_spared(void **state)
{
    static const char *const direct[] = {"http://localhost/", "http://127.3.2.1/",   "http://[::1]/",
                                         "http://a.example/", "http://x.a.example/", "http://b.example:81/",
                                         "http://192.0.2.1/", "http://[fe80::1]/"};
    static const char *const through[] = {"http://notlocalhost/", "http://aa.example/", "http://b.example/",
                                          "http://192.0.2.11/", "http://[fe80::11]/"};
    struct strait_proxies p = {0};

    (void)state;
    setenv("http_proxy", "p:1", 1);
    setenv("no_proxy", ".a.example, b.example:81,192.0.2.1 [fe80::1]", 1);
    assert_int_equal(strait_proxies_load(&p), 0);
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++)
        if (proxy_for(&p, direct[i]))
            fail_msg("%s", direct[i]);
    for (size_t i = 0; i < sizeof through / sizeof *through; i++)
        if (!proxy_for(&p, through[i]))
            fail_msg("%s", through[i]);
    strait_proxies_free(&p);
    setenv("no_proxy", "*", 1);
    assert_int_equal(strait_proxies_load(&p), 0);
    assert_null(proxy_for(&p, "http://x/"));
    strait_proxies_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(from_the_environment, clear), cmocka_unit_test_setup(none_set, clear),
        cmocka_unit_test_setup(what_cannot_be_used, clear), cmocka_unit_test_setup(who_is_spared, clear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
