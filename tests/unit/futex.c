/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <signal.h>
#include <unistd.h>

#include <strait/error.h>

#include "futex.h"

static void a_word_that_differs_is_not_slept_on(UNUSED_STATE)
{
    uint32_t word = 7;
    CHECK_IS(strait_futex_wait(&word, 8, STRAIT_FOREVER), -EAGAIN);
}

static void a_deadline_that_has_passed_ends_the_sleep(UNUSED_STATE)
{
    uint32_t word = 7;
    CHECK_IS(strait_futex_wait(&word, 7, 1), -ETIMEDOUT);
}

static void a_sleep_ends_no_earlier_than_its_deadline(UNUSED_STATE)
{
    uint64_t until = strait_after_ns(5 * MS);
    uint32_t word = 7;

    CHECK_IS(strait_futex_wait(&word, 7, until), -ETIMEDOUT);
    CHECK(strait_now_ns() >= until);
}

static void nobody_asleep_is_nobody_woken(UNUSED_STATE)
{
    uint32_t word = 7;
    CHECK_IS(strait_futex_wake(&word, UINT32_MAX), 0);
}

struct stage {
    uint32_t word, other;
};

static void sleep_on_the_word(void *arg)
{
    struct stage *stage = arg;
    CHECK_IS(strait_futex_wait(&stage->word, 0, soon()), 0);
}

static void another_process_is_woken_through_its_own_mapping(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid = peer_start(sleep_on_the_word, stage);

    while (strait_futex_wake(&stage->word, 1) == 0)
        ; /* until it sleeps */
    peer_join(pid);
    shared_free(stage, sizeof *stage);
}

static void do_nothing(int sig)
{
    (void)sig;
}

static void sleep_until_a_signal(void *arg)
{
    struct stage *stage = arg;
    struct sigaction act = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};

    sigaction(SIGUSR1, &act, NULL);
    gate_open(&stage->other);
    CHECK_IS(strait_futex_wait(&stage->word, 0, soon()), -EINTR);
}

static void a_handler_ends_the_sleep_whatever_its_flags(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid = peer_start(sleep_until_a_signal, stage);

    gate_wait(&stage->other);
    peer_await_sleep(pid);
    kill(pid, SIGUSR1);
    peer_join(pid);
    shared_free(stage, sizeof *stage);
}

static void a_registered_process_has_a_membarrier(UNUSED_STATE)
{
    if (strait_membarrier_register() < 0) {
        print_message("SKIPPED membarrier(2): the kernel or a filter forbids it\n");
        skip();
    }
    CHECK_IS(strait_membarrier(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_word_that_differs_is_not_slept_on),
        TEST(a_deadline_that_has_passed_ends_the_sleep),
        TEST(a_sleep_ends_no_earlier_than_its_deadline),
        TEST(nobody_asleep_is_nobody_woken),
        TEST(another_process_is_woken_through_its_own_mapping),
        TEST(a_handler_ends_the_sleep_whatever_its_flags),
        TEST(a_registered_process_has_a_membarrier),
    };
    return RUN(tests);
}
