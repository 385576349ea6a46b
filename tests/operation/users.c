/* SPDX-License-Identifier: MIT */
/* Several users, one group: mode and group of a new segment. Needs root, to become others. */
#include <strait/strait.h>

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define GROUP    64001
#define MEMBER   64002
#define STRANGER 64003

static void become(uint32_t user, uint32_t group)
{
    CHECK_IS(setgroups(0, NULL), 0);
    CHECK_IS(setgid(group), 0);
    CHECK_IS(setuid(user), 0);
}

static void member(void *arg)
{
    struct strait_segment *segment;
    struct strait_tx *tx;

    (void)arg;
    become(MEMBER, GROUP);
    CHECK_IS(strait_attach("shared", NULL, &segment), 0);
    CHECK_IS(strait_tx_open(segment, "c", NULL, &tx), 0);
    CHECK_IS(strait_send(tx, "member", 7, STRAIT_NOW), 0);
    strait_tx_close(tx);
    strait_detach(segment);
}

static void stranger(void *arg)
{
    struct strait_segment *segment;

    (void)arg;
    become(STRANGER, STRANGER);
    CHECK_IS(strait_attach("shared", NULL, &segment), -EACCES);
}

static void a_group_shares_a_segment(UNUSED_STATE)
{
    struct strait_segment_options options = {.mode = 0660, .group = GROUP};
    struct strait_segment *segment;
    struct strait_rx *rx;
    struct stat st;
    char text[8];

    CHECK_IS(chmod(place_dir(), 0777), 0);
    umask(077);
    CHECK_IS(strait_attach("shared", &options, &segment), 0);
    CHECK_IS(stat(place_path("strait.shared"), &st), 0);
    CHECK_IS(st.st_gid, GROUP);
    CHECK_IS(st.st_mode & 0777, 0660);
    CHECK_IS(strait_rx_open(segment, "c", NULL, &rx), 0);
    peer_join(peer_start(member, NULL));
    peer_join(peer_start(stranger, NULL));
    CHECK_IS(strait_recv(rx, text, sizeof text, soon()), 7);
    strait_rx_close(rx);
    strait_detach(segment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_PLACE(a_group_shares_a_segment)};

    if (geteuid() != 0) {
        puts("SKIPPED: only root can become somebody else");
        return 77;
    }
    return RUN(tests);
}
