/* SPDX-License-Identifier: MIT */
/* docs/OPERATION.md: the log, quotas, versions, segments handed over by descriptor. */
#include <strait/strait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static struct {
    unsigned errors, deaths;
    char last[512];
} told;

static void listen_in(enum strait_log_level level, const char *text, void *context)
{
    CHECK(context == &told);
    if (level == STRAIT_LOG_ERROR)
        told.errors++;
    else
        told.deaths++;
    snprintf(told.last, sizeof told.last, "%s", text);
}

static void the_log_has_every_failure(UNUSED_STATE)
{
    struct strait_segment *segment;

    strait_on_log(listen_in, &told);
    CHECK_IS(strait_attach("no/name", NULL, &segment), -EINVAL);
    CHECK_IS(told.errors, 1);
    CHECK(strcmp(told.last, strait_error()) == 0);
    strait_on_log(NULL, NULL);
    CHECK_IS(strait_attach("no/name", NULL, &segment), -EINVAL);
    CHECK_IS(told.errors, 1);
}

static void dies_writing(void *arg)
{
    struct strait_segment *segment;
    struct strait_claim claim;
    struct strait_tx *tx;

    (void)arg;
    CHECK_IS(strait_attach("log", NULL, &segment), 0);
    CHECK_IS(strait_tx_open(segment, "c", NULL, &tx), 0);
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    raise(SIGKILL);
}

static void the_log_has_every_death(UNUSED_STATE)
{
    struct strait_segment *segment;
    pid_t child;
    int status;

    CHECK_IS(strait_attach("log", NULL, &segment), 0);
    strait_on_log(listen_in, &told);
    child = peer_start(dies_writing, NULL);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK_IS(strait_sweep_dead(segment), 1);
    CHECK_IS(told.deaths, 1);
    CHECK(strstr(told.last, "has died; 1 messages") != NULL);
    strait_on_log(NULL, NULL);
    strait_detach(segment);
}

/* One tenant that fills its segment takes nothing from another. */
static void a_segment_is_its_own_quota(UNUSED_STATE)
{
    struct strait_segment_options small = {.bytes = 512 * 1024, .directory_max = 4};
    struct strait_segment *greedy, *modest;
    char name[16];
    int r = 0, n = 0;

    CHECK_IS(strait_attach("greedy", &small, &greedy), 0);
    CHECK_IS(strait_attach("modest", &small, &modest), 0);
    for (; r == 0; n++) {
        snprintf(name, sizeof name, "c%d", n);
        r = strait_channel_create(greedy, name, NULL);
    }
    CHECK_IS(r, -EMFILE);
    CHECK_IS(n, 5);
    CHECK_SAYS("all 4 directory entries");
    CHECK_IS(strait_channel_unlink(greedy, "c0"), 0);
    CHECK_IS(strait_channel_create(greedy, "large", &(struct strait_channel_options){.depth = 16384}), -ENOSPC);
    CHECK_SAYS("KiB free");
    CHECK_IS(strait_channel_create(modest, "c0", NULL), 0);
    strait_detach(greedy);
    strait_detach(modest);
}

static void versions_agree(UNUSED_STATE)
{
    char headers[32];

    snprintf(headers, sizeof headers, "%d.%d.%d", STRAIT_VERSION_MAJOR, STRAIT_VERSION_MINOR, STRAIT_VERSION_PATCH);
    CHECK(strcmp(strait_version(), headers) == 0);
    CHECK(strcmp(strait_version(), PROJECT_VERSION) == 0);
    CHECK_IS(strait_layout_version(), STRAIT_LAYOUT_VERSION);
}

/* A descriptor is all that another process needs, and no peer can shrink the file. */
static void a_descriptor_is_enough(UNUSED_STATE)
{
    struct strait_segment *segment, *again;
    struct strait_rx *rx;
    char text[8];
    int fd, status;
    pid_t child;

    CHECK_IS(strait_attach_unnamed(NULL, &segment), 0);
    CHECK_IS(place_files(), 0);
    CHECK_IS(strait_rx_open(segment, "c", NULL, &rx), 0);
    fd = strait_segment_fd_of(segment);
    CHECK(fd >= 0);
    CHECK_IS(ftruncate(fd, 0), -1);
    CHECK_IS(errno, EPERM);
    CHECK_IS(strait_attach_fd(fd, NULL, &again), 0);
    CHECK(again == segment);
    strait_detach(again);
    child = fork();
    if (child == 0) {
        struct strait_tx *tx;
        int bad = strait_segment_fd_of(segment) != -ECHILD || strait_attach_fd(fd, NULL, &again) ||
                  strait_tx_open(again, "c", NULL, &tx) || strait_send(tx, "by fd", 6, STRAIT_NOW);
        _exit(bad); /* without leaving: a death */
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, soon()), 6);
    CHECK_IS(strait_recv(rx, text, sizeof text, soon()), -EPIPE);
    CHECK_IS(strait_attach_fd(STDIN_FILENO, NULL, &again) < 0, 1);
    CHECK_IS(strait_attach_fd(-1, NULL, &again), -EBADF);
    close(fd);
    strait_rx_close(rx);
    strait_detach(segment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(the_log_has_every_failure),  TEST_PLACE(the_log_has_every_death),
        TEST_PLACE(a_segment_is_its_own_quota), TEST(versions_agree),
        TEST_PLACE(a_descriptor_is_enough),
    };
    return RUN(tests);
}
