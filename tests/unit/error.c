/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>

#include "error.h"

static void every_errno_of_the_interface_has_a_text_of_our_own(UNUSED_STATE)
{
    const int ours[] = {EAGAIN,   ETIMEDOUT, EPIPE,      EMSGSIZE,        ENOSPC,  EBADMSG, ESTALE,
                        EPROTO,   ECHILD,    EOWNERDEAD, ENOTRECOVERABLE, EBUSY,   EUSERS,  EMFILE,
                        ENOTUNIQ, ENOBUFS,   EPROTOTYPE, EALREADY,        ENODATA, EDEADLK};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        CHECK(strcmp(strait_strerror(ours[i]), strerror(ours[i])) != 0);
}

static void both_signs_of_an_error_mean_the_same(UNUSED_STATE)
{
    CHECK(strait_strerror(-EPIPE) == strait_strerror(EPIPE));
    CHECK(strcmp(strait_strerror(0), "success") == 0);
}

static void others_are_the_systems(UNUSED_STATE)
{
    CHECK(strcmp(strait_strerror(-EXDEV), strerror(EXDEV)) == 0);
    CHECK(strcmp(strait_strerror(99999), "unknown error") == 0);
    CHECK(strait_strerror(INT32_MIN + 1) != NULL);
}

static void a_failure_is_remembered_as_a_sentence(UNUSED_STATE)
{
    CHECK_IS(strait_fail(-ENOSPC, "%d of %s", 3, "seven"), -ENOSPC);
    CHECK(strcmp(strait_error(), "3 of seven") == 0);
}

static void a_sentence_longer_than_its_room_is_cut(UNUSED_STATE)
{
    CHECK_IS(strait_fail(-1, "%4000d", 1), -1);
    CHECK(strlen(strait_error()) > 100 && strlen(strait_error()) < 4000);
}

static void *look(void *arg)
{
    (void)arg;
    CHECK(strcmp(strait_error(), "") == 0);
    strait_fail(-1, "theirs");
    return NULL;
}

static void each_thread_has_its_own(UNUSED_STATE)
{
    pthread_t thread;

    strait_fail(-1, "mine");
    CHECK_IS(pthread_create(&thread, NULL, look, NULL), 0);
    pthread_join(thread, NULL);
    CHECK(strcmp(strait_error(), "mine") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_errno_of_the_interface_has_a_text_of_our_own),
        TEST(both_signs_of_an_error_mean_the_same),
        TEST(others_are_the_systems),
        TEST(a_failure_is_remembered_as_a_sentence),
        TEST(a_sentence_longer_than_its_room_is_cut),
        TEST(each_thread_has_its_own),
    };
    return RUN(tests);
}
