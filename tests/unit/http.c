/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\n"

struct answer {
    const char *text; /* what the server sends before it closes */
    int error;        /* of feed or eof */
    int status;
    const char *body;
    bool keep_alive;
};

static const struct answer answers[] = {
    {OK "Content-Length: 5\r\n\r\nhello", 0, 200, "hello", true},
    {OK "Content-Length: 5\r\n\r\nhelloX", 0, 200, "hello", false}, /* a byte too many */
    {OK "Content-Length: 0\r\n\r\n", 0, 200, "", true},
    {OK "Content-Length: 5\r\nConnection: close\r\n\r\nhello", 0, 200, "hello", false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 0, 200, "hello", true},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", 0, 200, "hello", true},
    {OK "\r\nuntil close", 0, 200, "until close", false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, 200, "hi", false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 0, 404, "no", true},
    {"HTTP/1.1 204 No Content\r\n\r\n", 0, 204, "", true},
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi", 0, 200, "hi", true},
    {"", -ECONNRESET, 0, NULL, false},
    {"HTTP/1.1 20", -EPROTO, 0, NULL, false},
    {OK "Content-Length: 5\r\n\r\nhell", -EPROTO, 200, NULL, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", -EPROTO, 200, NULL, false},
    {OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", -EPROTO, 200, NULL, false},
    {OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", -EPROTO, 200, NULL, false},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", -EPROTO, 0, NULL, false},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", -EPROTO, 0, NULL, false},
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", -EPROTO, 0, NULL, false},
    {OK "Content-Length: -5\r\n\r\n", -EPROTO, 0, NULL, false},
    {OK "Content-Length: 99999999999999999999\r\n\r\n", -EPROTO, 0, NULL, false},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", -EPROTO, 0, NULL, false},
    {"SSH-2.0-OpenSSH_9\r\n", -EPROTO, 0, NULL, false},
    {"HTTP/1.1 abc OK\r\n\r\n", -EPROTO, 0, NULL, false},
    {OK "Bad Header: x\r\n\r\n", -EPROTO, 0, NULL, false},
};

/* Feeds in pieces of `step` bytes, each in a buffer of its own size, so that a sanitizer sees a byte too far. */
static int play(const char *text, size_t step, struct strait_http *http, char *body)
{
    size_t n = strlen(text), got = 0;
    int error = 0;

    strait_http_begin(http);
    body[0] = 0;
    for (size_t at = 0; at < n && error == 0 && !http->done; at += step) {
        size_t bytes = step < n - at ? step : n - at, some = 0;
        char *buffer = malloc(bytes);
        memcpy(buffer, text + at, bytes);
        error = strait_http_feed(http, buffer, bytes, &some);
        memcpy(body + got, buffer, some);
        got += some;
        body[got] = 0;
        free(buffer);
    }
    return error || http->done ? error : strait_http_eof(http);
}

static void answers_in_every_cut(void **state)
{
    struct strait_http http = {0};
    char body[4096];

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *a = &answers[i];
        for (size_t step = 1; step <= strlen(a->text) + 1; step++) {
            if (a->error && play(a->text, step, &http, body) == 0)
                fail_msg("answer %zu in steps of %zu was accepted", i, step);
            else if (a->error)
                assert_int_equal(play(a->text, step, &http, body), a->error);
            if (a->error) {
                assert_non_null(http.why);
                continue;
            }
            assert_int_equal(play(a->text, step, &http, body), 0);
            assert_true(http.done);
            assert_int_equal(http.status, a->status);
            assert_string_equal(body, a->body);
            if (step > strlen(a->text)) /* cut before the byte too many, it has not been seen */
                assert_int_equal(http.keep_alive, a->keep_alive);
        }
    }
}

static void body_is_not_moved(void **state)
{
    struct strait_http http = {0};
    char head[] = OK "Content-Length: 1000\r\n\r\n", part[400];
    size_t body;

    (void)state;
    strait_http_begin(&http);
    assert_int_equal(strait_http_feed(&http, head, sizeof head - 1, &body), 0);
    assert_int_equal(body, 0);
    assert_true(http.head_done);
    assert_int_equal(http.length, 1000);
    memset(part, 'x', sizeof part);
    assert_int_equal(strait_http_feed(&http, part, sizeof part, &body), 0);
    assert_int_equal(body, sizeof part);
    assert_false(http.done);
}

static int endless(const char *start, const char *again)
{
    struct strait_http http = {0};
    char copy[256];
    size_t body;
    int error;

    strait_http_begin(&http);
    strcpy(copy, start);
    error = strait_http_feed(&http, copy, strlen(copy), &body);
    for (int i = 0; i < 100000 && error == 0; i++) {
        strcpy(copy, again);
        error = strait_http_feed(&http, copy, strlen(copy), &body);
    }
    return error;
}

static void what_has_no_end_is_cut(void **state)
{
    (void)state;
    assert_int_equal(endless(OK, "X-More: yes\r\n"), -EMSGSIZE);
    assert_int_equal(endless(OK "X: ", "more"), -EMSGSIZE);
    assert_int_equal(endless("", "HTTP/1.1 100 Continue\r\n\r\n"), -EMSGSIZE);
    assert_int_equal(endless(OK "Transfer-Encoding: chunked\r\n\r\n5;", "extension"), -EMSGSIZE);
    assert_int_equal(endless(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "T: x\r\n"), -EMSGSIZE);
    assert_int_equal(endless(OK "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), 0);
}

/* Which fields are kept, whatever the cuts. */
static void fields(void **state)
{
    static const struct {
        const char *text, *fields;
        bool want;
    } cases[] = {
        {OK "X-One: 1\r\nContent-Length: 0\r\n\r\n", "", false},
        {OK "X-One: 1\r\nContent-Length: 0\r\n\r\n", "x-one: 1\ncontent-length: 0\n", true},
        {OK "X-Empty:\r\nContent-Length: 0\r\n\r\n", "x-empty: \ncontent-length: 0\n", true},
        {OK "X-Tab: a\tb\r\nContent-Length: 0\r\n\r\n", "x-tab: a b\ncontent-length: 0\n", true},
        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "location: /x\ncontent-length: 0\n", false},
        {"HTTP/1.1 103 Early\r\nLocation: /x\r\n\r\n" OK "A: b\r\nContent-Length: 0\r\n\r\n",
         "a: b\ncontent-length: 0\n", true},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", "transfer-encoding: chunked\n", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= strlen(cases[i].text); step++) {
            struct strait_http http = {0};
            strait_http_begin(&http);
            http.want_fields = cases[i].want;
            for (size_t at = 0, n = strlen(cases[i].text), body; at < n; at += step) {
                char piece[256];
                size_t bytes = step < n - at ? step : n - at;
                memcpy(piece, cases[i].text + at, bytes);
                assert_int_equal(strait_http_feed(&http, piece, bytes, &body), 0);
            }
            assert_true(http.done);
            assert_string_equal(http.fields ? http.fields : "", cases[i].fields);
            strait_http_end(&http);
        }
    }
}

static void no_body_after_head(void **state)
{
    struct strait_http http = {0};
    char head[] = OK "Content-Length: 1000\r\n\r\n";
    size_t body;

    (void)state;
    strait_http_begin(&http);
    http.no_body = true;
    assert_int_equal(strait_http_feed(&http, head, sizeof head - 1, &body), 0);
    assert_true(http.done && http.keep_alive);
    assert_int_equal(http.length, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_in_every_cut), cmocka_unit_test(body_is_not_moved),
                                       cmocka_unit_test(what_has_no_end_is_cut), cmocka_unit_test(fields),
                                       cmocka_unit_test(no_body_after_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
