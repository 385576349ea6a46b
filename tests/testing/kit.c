/* SPDX-License-Identifier: MIT */
/* The testing kit itself: its clock, its faults, its segments; as a user's test sees it. */
#include <strait/testing.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define SECOND UINT64_C(1000000000)

static int fresh(void **state)
{
    (void)state;
    strait_testing_reset();
    return 0;
}

static void both_ends(void **state)
{
    struct strait_testing_pair pair;
    char text[8];

    (void)state;
    assert_int_equal(strait_testing_pair_open(&pair, NULL), 0);
    assert_int_equal(strait_send(pair.tx, "hi", 3, STRAIT_NOW), 0);
    assert_int_equal(strait_recv(pair.rx, text, sizeof text, STRAIT_NOW), 3);
    assert_string_equal(text, "hi");
    strait_tx_close(pair.tx);
    pair.tx = NULL;
    assert_int_equal(strait_recv(pair.rx, text, sizeof text, STRAIT_FOREVER), -EPIPE);
    strait_testing_pair_close(&pair);
}

/* A minute of waiting takes no time, and nothing comes too early. */
static void the_clock_advances(void **state)
{
    struct strait_testing_pair pair;
    uint64_t before = strait_now_ns(), deadline = strait_after_ns(60 * SECOND);
    char text[8];

    (void)state;
    assert_int_equal(strait_testing_pair_open(&pair, NULL), 0);
    strait_testing_advance(59 * SECOND);
    assert_true(strait_now_ns() - before < 60 * SECOND);
    assert_true(strait_now_ns() < deadline);
    strait_testing_advance(SECOND);
    assert_int_equal(strait_recv(pair.rx, text, sizeof text, deadline), -ETIMEDOUT);
    strait_testing_pair_close(&pair);
}

static void *wait_an_hour(void *rx)
{
    char text[8];
    return (void *)(intptr_t)strait_recv(rx, text, sizeof text, strait_after_ns(3600 * SECOND));
}

/* A thread that waits already notices. */
static void a_waiter_sees_the_clock_advance(void **state)
{
    struct strait_testing_pair pair;
    pthread_t waiter;
    void *r;

    (void)state;
    assert_int_equal(strait_testing_pair_open(&pair, NULL), 0);
    assert_int_equal(pthread_create(&waiter, NULL, wait_an_hour, pair.rx), 0);
    while (strait_testing_calls(STRAIT_TESTING_RECV) == 0)
        sched_yield();
    strait_testing_advance(3601 * SECOND);
    assert_int_equal(pthread_join(waiter, &r), 0);
    assert_int_equal((intptr_t)r, -ETIMEDOUT);
    strait_testing_pair_close(&pair);
}

static void the_nth_call_fails(void **state)
{
    struct strait_testing_pair pair;
    uint64_t deadline, n = 0;

    (void)state;
    assert_int_equal(strait_testing_pair_open(&pair, NULL), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_SEND, 3, STRAIT_TESTING_CLOSED), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_SEND, 4, STRAIT_TESTING_FULL), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_SEND, 5, STRAIT_TESTING_TIMEOUT), 0);
    assert_int_equal(strait_send(pair.tx, &n, sizeof n, STRAIT_NOW), 0);
    assert_int_equal(strait_send(pair.tx, &n, sizeof n, STRAIT_NOW), 0);
    assert_int_equal(strait_send(pair.tx, &n, sizeof n, STRAIT_NOW), -EPIPE);
    assert_int_equal(strait_try_send(pair.tx, 0, &n, sizeof n), -EAGAIN);
    deadline = strait_after_ns(10 * SECOND);
    assert_int_equal(strait_send(pair.tx, &n, sizeof n, deadline), -ETIMEDOUT);
    assert_true(strait_now_ns() >= deadline);
    assert_int_equal(strait_send(pair.tx, &n, sizeof n, STRAIT_NOW), 0);
    assert_int_equal(strait_testing_calls(STRAIT_TESTING_SEND), 6);
    assert_int_equal(strait_testing_reset(), 0);
    /* three of six have arrived */
    for (int i = 0; i < 3; i++)
        assert_int_equal(strait_recv(pair.rx, &n, sizeof n, STRAIT_NOW), sizeof n);
    assert_int_equal(strait_recv(pair.rx, &n, sizeof n, STRAIT_NOW), -EAGAIN);
    strait_testing_pair_close(&pair);
}

#define FAILS(kind, call)                                                                                              \
    do {                                                                                                               \
        assert_int_equal(strait_testing_inject(kind, 1, STRAIT_TESTING_CLOSED), 0);                                    \
        assert_int_equal(call, -EPIPE);                                                                                \
        assert_int_equal(strait_testing_inject(kind, 1, STRAIT_TESTING_OWNER_DIED), 0);                                \
        assert_int_equal(call, -EOWNERDEAD);                                                                           \
        assert_int_equal(strait_testing_inject(kind, 1, STRAIT_TESTING_FULL), 0);                                      \
        assert_int_equal(call, -EAGAIN);                                                                               \
        assert_int_equal(strait_testing_inject(kind, 1, STRAIT_TESTING_TIMEOUT), 0);                                   \
        assert_int_equal(call, -EAGAIN);                                                                               \
        assert_int_equal(strait_testing_reset(), 0);                                                                   \
    } while (0)

/* Every call that testing.h says can fail does, in each way, and nothing has come of it; afterwards it works. */
static void every_call_fails(void **state)
{
    struct strait_channel_options options = {.shards = 1, .spread = STRAIT_SPREAD_KEY, .depth = 16};
    struct strait_testing_pair pair, calls;
    uint64_t n = 7, to;
    struct strait_out out = {.data = &n, .bytes = sizeof n};
    struct strait_in in = {.data = &to, .size = sizeof to};
    struct strait_reply_rx reply;
    struct strait_answer answer;
    struct strait_claim claim;
    struct strait_msg msg;

    (void)state;
    assert_int_equal(strait_testing_pair_open(&pair, &options), 0);
    assert_int_equal(strait_testing_pair_open(&calls, &(struct strait_channel_options){.replies = 4}), 0);
    FAILS(STRAIT_TESTING_SEND, strait_try_send(pair.tx, 0, &n, sizeof n));
    FAILS(STRAIT_TESTING_SEND, strait_send(pair.tx, &n, sizeof n, STRAIT_NOW));
    FAILS(STRAIT_TESTING_SEND, strait_send_tagged(pair.tx, 1, &n, sizeof n, STRAIT_NOW));
    FAILS(STRAIT_TESTING_SEND, strait_send_key(pair.tx, 5, 1, &n, sizeof n, STRAIT_NOW));
    FAILS(STRAIT_TESTING_SEND, strait_send_many(pair.tx, &out, 1, STRAIT_NOW));
    FAILS(STRAIT_TESTING_SEND, strait_send_array(pair.tx, 0, &n, sizeof n, 1, STRAIT_NOW));
    FAILS(STRAIT_TESTING_SEND, strait_claim(pair.tx, &claim, STRAIT_NOW));
    assert_int_equal(strait_recv(pair.rx, &to, sizeof to, STRAIT_NOW), -EAGAIN);
    assert_int_equal(strait_send_key(pair.tx, 5, 1, &n, sizeof n, STRAIT_NOW), 0);
    FAILS(STRAIT_TESTING_RECV, strait_try_recv(pair.rx, &to, sizeof to, NULL));
    FAILS(STRAIT_TESTING_RECV, strait_recv(pair.rx, &to, sizeof to, STRAIT_NOW));
    FAILS(STRAIT_TESTING_RECV, strait_recv_info(pair.rx, &to, sizeof to, &msg, STRAIT_NOW));
    FAILS(STRAIT_TESTING_RECV, strait_recv_many(pair.rx, &in, 1, STRAIT_NOW));
    FAILS(STRAIT_TESTING_RECV, strait_recv_array(pair.rx, &to, sizeof to, 1, STRAIT_NOW));
    FAILS(STRAIT_TESTING_RECV, strait_peek(pair.rx, &msg, STRAIT_NOW));
    assert_int_equal(strait_recv_array(pair.rx, &to, sizeof to, 1, STRAIT_NOW), 1);
    assert_int_equal(to, 7);
    FAILS(STRAIT_TESTING_REQUEST, strait_call(calls.tx, 0, &n, sizeof n, &to, sizeof to, NULL, STRAIT_NOW));
    FAILS(STRAIT_TESTING_REQUEST, strait_request(calls.tx, 0, &n, sizeof n, STRAIT_FOREVER, &reply, STRAIT_NOW));
    assert_int_equal(strait_request(calls.tx, 0, &n, sizeof n, STRAIT_FOREVER, &reply, STRAIT_NOW), 0);
    assert_int_equal(strait_peek(calls.rx, &msg, STRAIT_NOW), 0);
    assert_int_equal(strait_answer_accept(calls.rx, &msg, &answer), 0);
    FAILS(STRAIT_TESTING_ANSWER, strait_answer_claim(&answer, &claim, STRAIT_NOW));
    FAILS(STRAIT_TESTING_ANSWER, strait_answer_send(&answer, 0, STRAIT_MSG_LAST, &n, sizeof n, STRAIT_NOW));
    assert_int_equal(strait_answer_send(&answer, 0, STRAIT_MSG_LAST, &n, sizeof n, STRAIT_NOW), 0);
    assert_int_equal(strait_release(calls.rx, &msg), 0);
    FAILS(STRAIT_TESTING_REPLY, strait_reply_peek(&reply, &msg, STRAIT_NOW));
    FAILS(STRAIT_TESTING_REPLY, strait_reply_recv(&reply, &to, sizeof to, NULL, STRAIT_NOW));
    assert_int_equal(strait_reply_recv(&reply, &to, sizeof to, NULL, STRAIT_NOW), sizeof to);
    strait_reply_close(&reply);
    strait_testing_pair_close(&calls);
    strait_testing_pair_close(&pair);
}

static void what_has_not_happened_is_told(void **state)
{
    (void)state;
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_RECV, 7, STRAIT_TESTING_CLOSED), 0);
    assert_int_equal(strait_testing_reset(), 1);
    assert_int_equal(strait_testing_reset(), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_CALLS, 1, STRAIT_TESTING_CLOSED), -EINVAL);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_RECV, 0, STRAIT_TESTING_CLOSED), -EINVAL);
    for (int i = 0; i < 16; i++)
        assert_int_equal(strait_testing_inject(STRAIT_TESTING_RECV, 7, STRAIT_TESTING_FULL), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_RECV, 7, STRAIT_TESTING_FULL), -ENOBUFS);
}

/* The owner's death is a real one: suspect, poisoned, healed, as in life. */
static void an_owner_dies(void **state)
{
    struct strait_region_options options = {.bytes = sizeof(uint64_t)};
    struct strait_segment *segment;
    struct strait_region *region;

    (void)state;
    assert_int_equal(strait_attach("bank", NULL, &segment), 0);
    assert_int_equal(strait_region_open(segment, "account", &options, &region), 0);
    assert_int_equal(strait_testing_inject(STRAIT_TESTING_LOCK, 2, STRAIT_TESTING_OWNER_DIED), 0);
    assert_int_equal(strait_region_lock(region, STRAIT_FOREVER), 0);
    assert_int_equal(strait_region_unlock(region), 0);
    assert_int_equal(strait_region_lock(region, STRAIT_FOREVER), 1);
    assert_int_equal(strait_region_unlock(region), 0); /* unhealed: poisoned */
    assert_int_equal(strait_region_lock(region, STRAIT_FOREVER), -ENOTRECOVERABLE);
    assert_int_equal(strait_region_lock_for_heal(region, STRAIT_FOREVER), 1);
    assert_int_equal(strait_region_heal(region), 0);
    assert_int_equal(strait_region_unlock(region), 0);
    strait_region_close(region);
    strait_detach(segment);
    assert_int_equal(strait_segment_remove("bank", NULL), 1);
}

/* A name is a segment for this process and its children; and no file has it. */
static void names_are_private(void **state)
{
    struct strait_segment_options only = {.attach = STRAIT_OPEN_ONLY}, anew = {.attach = STRAIT_CREATE_ONLY};
    struct strait_segment *segment, *again;
    struct strait_rx *rx;
    char text[8];
    int status;

    (void)state;
    assert_int_equal(strait_attach("private", &only, &segment), -ENOENT);
    assert_int_equal(strait_attach("private", NULL, &segment), 0);
    assert_int_equal(strait_attach("private", &anew, &again), -EEXIST);
    assert_int_equal(strait_attach("private", &only, &again), 0);
    assert_ptr_equal(segment, again);
    strait_detach(again);
    assert_int_equal(strait_rx_open(segment, "news", NULL, &rx), 0);
    assert_int_not_equal(access("/dev/shm/strait.private", F_OK), 0);
    if (fork() == 0) {
        struct strait_tx *tx;
        int bad = strait_attach("private", &only, &again) || strait_tx_open(again, "news", NULL, &tx) ||
                  strait_send(tx, "child", 6, STRAIT_FOREVER);
        _exit(bad);
    }
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
    assert_int_equal(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), 6);
    assert_string_equal(text, "child");
    assert_int_equal(strait_segment_remove("private", NULL), 0); /* in use: by us */
    strait_rx_close(rx);
    strait_detach(segment);
    assert_int_equal(strait_testing_forget_segments(), 1);
    assert_int_equal(strait_attach("private", &only, &segment), -ENOENT);
}

static uint32_t descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint32_t n = 0;

    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void nothing_is_left(void **state)
{
    uint32_t before = descriptors();

    both_ends(state);
    an_owner_dies(state);
    names_are_private(state);
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_ends, fresh),
        cmocka_unit_test_setup(the_clock_advances, fresh),
        cmocka_unit_test_setup(a_waiter_sees_the_clock_advance, fresh),
        cmocka_unit_test_setup(the_nth_call_fails, fresh),
        cmocka_unit_test_setup(every_call_fails, fresh),
        cmocka_unit_test_setup(what_has_not_happened_is_told, fresh),
        cmocka_unit_test_setup(an_owner_dies, fresh),
        cmocka_unit_test_setup(names_are_private, fresh),
        cmocka_unit_test_setup(nothing_is_left, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
