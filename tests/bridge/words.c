/* SPDX-License-Identifier: MIT */
/* What others write into headers: read right, or refused; never a number that is nearly right. */
#include "bridge/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "bridge/calls.h"

static const struct {
    const char *text;
    uint64_t least, most;
    uint64_t value;
    bool right;
} numbers[] = {
    {"0", 0, 0, 0, true},
    {"007", 0, 7, 7, true},
    {"65535", 0, UINT16_MAX, 65535, true},
    {"65536", 0, UINT16_MAX, 0, false},
    {"4294967295", 0, UINT32_MAX, UINT32_MAX, true},
    {"4294967296", 0, UINT32_MAX, 0, false},
    {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX, true},
    {"18446744073709551616", 0, UINT64_MAX, 0, false},  /* 2^64 */
    {"18446744073709551625", 0, UINT64_MAX, 0, false},  /* 2^64 + 9: the last digit's carry */
    {"184467440737095516150", 0, UINT64_MAX, 0, false}, /* the last product's */
    {"36893488147419103233", 0, UINT64_MAX, 0, false},  /* 2^65 + 1 */
    {"4", 5, 9, 0, false},
    {"", 0, 9, 0, false},
    {" 1", 0, 9, 0, false},
    {"1 ", 0, 9, 1, false},
    {"+1", 0, 9, 0, false},
    {"-1", 0, UINT64_MAX, 0, false},
    {"0x1", 0, 9, 0, false},
    {"1e3", 0, 9999, 1, false},
    {"1.", 0, 9, 1, false},
    {"\xd9\xa1", 0, 9, 0, false}, /* a digit, elsewhere */
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct words w = words_of(numbers[i].text, ' ');
        uint64_t value = words_number(&w, numbers[i].least, numbers[i].most);
        if (words_end(&w) != numbers[i].right || value != numbers[i].value)
            fail_msg("'%s' is read as %llu, right: %d", numbers[i].text, (unsigned long long)value, words_end(&w));
    }
}

static void test_words(void **state)
{
    struct words w = words_of("X 1 some thing 2 a.b-c", ' ');
    char subject[8];

    (void)state;
    words_letter(&w, 'X');
    assert_int_equal(words_number(&w, 0, 9), 1);
    words_skip(&w, 2);
    assert_int_equal(words_number(&w, 0, 9), 2);
    assert_false(words_end(&w));
    words_subject(&w, subject, sizeof subject);
    assert_string_equal(subject, "a.b-c");
    assert_true(words_end(&w));

    w = words_of("$JS.7..8", '.'); /* an empty word is one */
    words_skip(&w, 1);
    assert_int_equal(words_number(&w, 0, 9), 7);
    words_skip(&w, 1);
    assert_int_equal(words_number(&w, 0, 9), 8);
    assert_true(words_end(&w));
}

static void test_what_is_wrong_stays_wrong(void **state)
{
    struct words w = words_of("X y 1", ' ');
    char subject[8] = "before";

    (void)state;
    words_letter(&w, 'X');
    assert_int_equal(words_number(&w, 0, 9), 0);
    assert_int_equal(words_number(&w, 0, 9), 0);
    words_subject(&w, subject, sizeof subject);
    assert_string_equal(subject, "");
    assert_false(words_end(&w));

    w = words_of(NULL, ' ');
    words_letter(&w, 'X');
    assert_false(words_end(&w));

    w = words_of("1", ' ');
    words_number(&w, 0, 9);
    assert_true(words_end(&w));
    words_number(&w, 0, 9); /* there is no second one */
    assert_false(words_end(&w));
}

static void test_subjects(void **state)
{
    static const char *const wrongs[] = {"", "a b", "a.*", "a.>", "a\tb", "a\x7f", "\xc3\xa4", "12345678"};
    char subject[8 + 1];

    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct words w = words_of(wrongs[i], ' ');
        memset(subject, 'x', sizeof subject);
        words_subject(&w, subject, 8);
        if (words_end(&w))
            fail_msg("'%s' is taken for a subject", wrongs[i]);
        assert_int_equal(subject[8], 'x');
    }
}

static void test_requests(void **state)
{
    static const char *const wrongs[] = {"",
                                         "Q",
                                         "Q 1 2 3",
                                         "Q 1 2 3 4 5",
                                         "Q 65536 0 16 0",
                                         "Q 1 0 0 0",
                                         "Q 1 -1 16 0",
                                         "Q1 0 16 0",
                                         "Q  1 0 16 0",
                                         "q 1 0 16 0",
                                         "M",
                                         "M x",
                                         "M 1 2",
                                         "M 65536",
                                         "P 0 0 0 x",
                                         " M 1",
                                         "M 1 ",
                                         "Q 1 0 16 18446744073709552"};
    struct calls_request q;

    (void)state;
    assert_true(calls_read_request("Q 65535 3 16 18446744073709551", &q));
    assert_true(q.letter == 'Q' && q.tag == 65535 && q.attempt == 3 && q.window == 16);
    assert_int_equal(q.left_us * 1000, UINT64_C(18446744073709551000));
    assert_true(calls_read_request("M 9", &q));
    assert_true(q.letter == 'M' && q.tag == 9);
    assert_false(calls_read_request(NULL, &q));
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
        if (calls_read_request(wrongs[i], &q))
            fail_msg("'%s' is taken for a request", wrongs[i]);
    assert_true(q.letter == 'M' && q.tag == 9); /* untouched */
}

static void test_replies(void **state)
{
    static const struct {
        const char *header;
        bool asked, plain; /* right for which */
    } replies[] = {
        {"P 0 1 2 _INBOX.x.c0.1.2", true, false},
        {"A 4 _INBOX.x.c0.1.2", true, false},
        {"B", true, true},
        {"U", true, false},
        {"D", false, true},
        {"E 112", true, true},
        {"E 0", false, false},
        {"E -5", false, false},
        {"E 4096", false, false},
        {"E", false, false},
        {"B 1", false, false},
        {"D ", false, false},
        {"P 0 1 2", false, false},
        {"P 0 1 2 ", false, false},
        {"P 0 1 65536 x", false, false},
        {"P 4294967296 1 2 x", false, false},
        {"A 4", false, false},
        {"A x y", false, false},
        {"Q 1 0 16 0", false, false},
        {"", false, false},
    };
    struct calls_reply r;

    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        if (calls_read_reply(replies[i].header, false, &r) != replies[i].asked ||
            calls_read_reply(replies[i].header, true, &r) != replies[i].plain)
            fail_msg("'%s' is taken for what it is not", replies[i].header);
    assert_false(calls_read_reply(NULL, false, &r));
    assert_true(calls_read_reply("P 7 8 9 a.b", false, &r));
    assert_true(r.letter == 'P' && r.number == 7 && r.tag == 8 && r.flags == 9);
    assert_string_equal(r.call, "a.b");
}

static void test_words_about_calls(void **state)
{
    struct calls_word k;

    (void)state;
    assert_true(calls_read_word("C", 0, &k) && k.letter == 'C');
    assert_true(calls_read_word("W 5", 5, &k) && k.letter == 'W' && k.parts == 5);
    assert_true(calls_read_word("K 0", 5, &k) && k.letter == 'K' && k.parts == 0);
    assert_false(calls_read_word("W 6", 5, &k)); /* more than was sent */
    assert_false(calls_read_word("W -1", 5, &k));
    assert_false(calls_read_word("W", 5, &k));
    assert_false(calls_read_word("C 1", 5, &k));
    assert_false(calls_read_word("X 1", 5, &k));
    assert_false(calls_read_word("", 5, &k));
    assert_int_equal(k.letter, 'K');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_what_is_wrong_stays_wrong),
                                       cmocka_unit_test(test_subjects),
                                       cmocka_unit_test(test_requests),
                                       cmocka_unit_test(test_replies),
                                       cmocka_unit_test(test_words_about_calls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
