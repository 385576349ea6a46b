/* SPDX-License-Identifier: MIT */
/* The public face of a segment: strait_attach and what belongs to it. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <strait/strait.h>

#include "admin.h"
#include "layout.h"
#include "process.h"

static struct strait_segment *attach(void)
{
    struct strait_segment *s = NULL;

    CHECK_IS(strait_attach("x", NULL, &s), 0);
    return s;
}

static int attach_as(const struct strait_segment_options *o)
{
    struct strait_segment *s = NULL;
    int r = strait_attach("x", o, &s);

    CHECK((r == 0) == (s != NULL)); /* outputs are untouched on failure */
    strait_detach(s);
    return r;
}

static void attaching_twice_shares_one_mapping_and_one_lease(UNUSED_STATE)
{
    struct strait_segment *a = attach(), *b = attach();

    CHECK(a == b);
    CHECK_IS(a->uses, 2);
    strait_detach(b);
    CHECK_IS(strait_segment_lease(&a->map, 1)->state, STRAIT_LEASE_USED);
    strait_detach(a);
}

static void two_names_are_two_segments(UNUSED_STATE)
{
    struct strait_segment *a = attach(), *b;

    CHECK_IS(strait_attach("y", NULL, &b), 0);
    CHECK(a != b);
    CHECK(a->map.inode != b->map.inode);
    strait_detach(a);
    strait_detach(b);
}

static void the_same_file_by_another_path_is_the_same_attachment(UNUSED_STATE)
{
    struct strait_segment_options roundabout = {0};
    struct strait_segment *a = attach(), *b;
    char dir[PATH_MAX];

    strcpy(dir, place_path("."));
    roundabout.directory = dir;
    CHECK_IS(strait_attach("x", &roundabout, &b), 0);
    CHECK(a == b);
    strait_detach(a);
    strait_detach(b);
}

static void the_last_detach_frees_the_lease_and_leaves_the_segment(UNUSED_STATE)
{
    struct strait_segment_map map;
    struct strait_misfit misfit;

    strait_detach(attach());
    CHECK_IS(strait_segment_open(&map, place_path("strait.x"), false, false, &misfit), 0);
    CHECK_IS(strait_segment_lease(&map, 1)->state, STRAIT_LEASE_FREE);
    strait_segment_close(&map);
    strait_detach(NULL);
}

static void a_name_that_means_a_new_file_is_a_new_attachment(UNUSED_STATE)
{
    struct strait_segment *a = attach(), *b;

    CHECK_IS(unlink(place_path("strait.x")), 0);
    b = attach();
    CHECK(a != b);
    strait_detach(a);
    strait_detach(b);
}

static void options_shape_a_new_segment(UNUSED_STATE)
{
    struct strait_segment_options o = {.bytes = 1 << 20, .directory_max = 7, .mode = 0640, .no_prefault = true};
    struct strait_segment *s;
    struct stat st;

    CHECK_IS(strait_attach("x", &o, &s), 0);
    CHECK_IS(s->map.bytes, 1 << 20);
    CHECK_IS(s->map.directory_max, 7);
    CHECK_IS(stat(place_path("strait.x"), &st), 0);
    CHECK_IS(st.st_mode & 0777, 0640);
    strait_detach(s);
}

static void modes_of_attaching_say_what_may_exist(UNUSED_STATE)
{
    struct strait_segment_options only_open = {.attach = STRAIT_OPEN_ONLY},
                                  only_create = {.attach = STRAIT_CREATE_ONLY};

    CHECK_IS(attach_as(&only_open), -ENOENT);
    CHECK_SAYS("strait.x does not exist");
    CHECK_IS(attach_as(&only_create), 0);
    CHECK_IS(attach_as(&only_create), -EEXIST);
    CHECK_SAYS("exists already");
    CHECK_IS(attach_as(&only_open), 0);
    struct strait_segment *held = attach();
    CHECK_IS(attach_as(&only_create), -EEXIST); /* by us, too */
    strait_detach(held);
}

static void options_that_make_no_sense_are_refused(UNUSED_STATE)
{
    struct strait_segment_options o = {.attach = (enum strait_attach_mode)3}, mode = {.mode = 01777},
                                  small = {.bytes = 4096};

    CHECK_IS(attach_as(&o), -EINVAL);
    CHECK_IS(attach_as(&mode), -EINVAL);
    CHECK_IS(attach_as(&small), -EINVAL);
    CHECK_SAYS("4 KiB do not hold a segment with 128 directory entries");
}

static void names_that_are_none_are_refused_with_the_rule(UNUSED_STATE)
{
    struct strait_segment *s = NULL;
    const char *bad[] = {"", "a/b", "a b", "..//", "0123456789012345678901234567890123456789012345678"};

    for (size_t i = 0; i < 5; i++) {
        int r = strait_attach(bad[i], NULL, &s);
        CHECK(r == -EINVAL || r == -ENAMETOOLONG);
        CHECK_SAYS("is no name for a segment: 1 to 47");
    }
    CHECK_IS(strait_attach(NULL, NULL, &s), -EINVAL);
    CHECK(s == NULL);
}

/* ---- what is refused, in words ---- */

static void a_foreign_file_is_refused_with_its_magic_number(UNUSED_STATE)
{
    char zeros[8192] = {0};

    place_write("strait.x", zeros, sizeof zeros);
    CHECK_IS(attach_as(NULL), -EBADMSG);
    CHECK_SAYS("strait.x is not a strait segment: its magic number is 0");
}

static void a_pipe_a_folder_and_a_link_are_refused(UNUSED_STATE)
{
    CHECK_IS(mkfifo(place_path("strait.x"), 0600), 0);
    CHECK_IS(attach_as(NULL), -EBADMSG);
    CHECK_SAYS("file type");
    CHECK_IS(unlink(place_path("strait.x")), 0);
    CHECK_IS(mkdir(place_path("strait.x"), 0700), 0);
    CHECK_IS(attach_as(NULL), -EISDIR);
    CHECK_IS(rmdir(place_path("strait.x")), 0);
    CHECK_IS(symlink("nowhere", place_path("strait.x")), 0);
    CHECK_IS(attach_as(NULL), -ELOOP);
    CHECK_SAYS("strait.x");
}

static void a_truncated_segment_is_refused_with_both_sizes(UNUSED_STATE)
{
    strait_detach(attach());
    CHECK_IS(truncate(place_path("strait.x"), 1 << 20), 0);
    CHECK_IS(attach_as(NULL), -EPROTO);
    CHECK_SAYS("damaged: its file size is 1048576, expected 8388608");
}

static void an_older_version_is_refused_with_both_versions(UNUSED_STATE)
{
    uint32_t old = STRAIT_LAYOUT_VERSION - 1;
    char says[80];

    strait_detach(attach());
    place_patch("strait.x", offsetof(struct strait_header, version), &old, sizeof old);
    CHECK_IS(attach_as(NULL), -ESTALE);
    snprintf(says, sizeof says, "another layout: layout version is %u there, %u here", old, STRAIT_LAYOUT_VERSION);
    CHECK_SAYS(says);
}

static void another_layout_is_refused_with_the_field_that_moved(UNUSED_STATE)
{
    uint32_t i = 0, other = 4711;

    while (strcmp(strait_layout_fields[i].name, "strait_ring.head_hint") != 0)
        i++;
    strait_detach(attach());
    place_patch("strait.x", offsetof(struct strait_header, layout) + 4 * i, &other, sizeof other);
    CHECK_IS(attach_as(NULL), -ESTALE);
    CHECK_SAYS("strait_ring.head_hint is 4711 there, 128 here");
}

static void a_segment_that_we_may_not_open_is_eacces(UNUSED_STATE)
{
    strait_detach(attach());
    CHECK_IS(chmod(place_path("strait.x"), 0), 0);
    if (geteuid() == 0)
        CHECK_IS(seteuid(65534), 0); /* root may open everything */
    int r = attach_as(NULL);
    if (getuid() == 0)
        CHECK_IS(seteuid(0), 0);
    CHECK_IS(r, -EACCES);
    CHECK_SAYS("Permission denied");
}

static void a_full_file_system_is_enospc_with_the_remedy(UNUSED_STATE)
{
    struct strait_segment_options huge = {.bytes = UINT64_C(1) << 46};

    CHECK_IS(attach_as(&huge), -ENOSPC);
    CHECK_SAYS("no room for");
    CHECK_SAYS("remount");
    CHECK_IS(place_files(), 0);
}

/* ---- somebody in the way ---- */

struct stage {
    gate in, out;
    int result;
};

static void hold_the_admin_lock(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *s = attach();

    CHECK_IS(strait_admin_enter(&s->map, STRAIT_NOW), 0);
    gate_open(&stage->in);
    gate_wait(&stage->out);
}

static void a_stopped_holder_of_the_admin_lock_is_etimedout_in_words(UNUSED_STATE)
{
    struct strait_segment_options hasty = {.timeout_ns = 20 * MS};
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid = peer_start(hold_the_admin_lock, stage);

    gate_wait(&stage->in);
    peer_stop(pid);
    CHECK_IS(attach_as(&hasty), -ETIMEDOUT);
    CHECK_SAYS("admin lock");
    CHECK_SAYS("is it stopped?");
    peer_kill(pid);
    CHECK_IS(attach_as(&hasty), 0);
    shared_free(stage, sizeof *stage);
}

static void an_attached_process_too_waits_no_longer_than_its_patience(UNUSED_STATE)
{
    struct strait_segment_options hasty = {.timeout_ns = 20 * MS};
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_segment *s;
    struct strait_tx *tx = NULL;

    CHECK_IS(strait_attach("x", &hasty, &s), 0);
    pid_t pid = peer_start(hold_the_admin_lock, stage);
    gate_wait(&stage->in);
    peer_stop(pid);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), -ETIMEDOUT);
    CHECK_SAYS("has held the admin lock for 20 ms");
    CHECK(tx == NULL);
    peer_kill(pid);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    strait_tx_close(tx);
    strait_detach(s);
    shared_free(stage, sizeof *stage);
}

/* ---- fork ---- */

static struct strait_segment *inherited;
static struct strait_tx *inherited_tx;
static struct strait_rx *inherited_rx;

static void use_what_the_parent_opened(void *arg)
{
    struct strait_claim claim = {0};
    struct strait_msg msg;
    struct strait_tx *tx = NULL;
    struct strait_hold *hold = NULL;
    struct strait_out out = {"x", 1, 0};
    struct strait_in in = {&msg, sizeof msg, 0, 0};
    char text[48];

    (void)arg;
    CHECK_IS(strait_send(inherited_tx, "x", 1, STRAIT_FOREVER), -ECHILD);
    CHECK_IS(strait_try_send(inherited_tx, 0, "x", 1), -ECHILD);
    CHECK_IS(strait_send_many(inherited_tx, &out, 1, STRAIT_FOREVER), -ECHILD);
    CHECK_IS(strait_claim(inherited_tx, &claim, STRAIT_FOREVER), -ECHILD);
    CHECK_IS(strait_commit(inherited_tx, &claim, 0, 0), -ECHILD);
    strait_abort(inherited_tx, &claim);
    CHECK_IS(strait_recv(inherited_rx, text, sizeof text, STRAIT_FOREVER), -ECHILD);
    CHECK_IS(strait_recv_many(inherited_rx, &in, 1, STRAIT_FOREVER), -ECHILD);
    CHECK_IS(strait_peek(inherited_rx, &msg, STRAIT_FOREVER), -ECHILD);
    CHECK_SAYS("attach again after fork");
    CHECK_IS(strait_release(inherited_rx, &msg), -ECHILD);
    CHECK_IS(strait_tx_open(inherited, "c", NULL, &tx), -ECHILD);
    CHECK_IS(strait_channel_create(inherited, "d", NULL), -ECHILD);
    CHECK_IS(strait_channel_shut(inherited, "c"), -ECHILD);
    CHECK_IS(strait_channel_unlink(inherited, "c"), -ECHILD);
    CHECK_IS(strait_channel_hold(inherited, "c", &hold), -ECHILD);
    CHECK_IS(strait_sweep_dead(inherited), -ECHILD);
    strait_tx_close(inherited_tx);
    strait_rx_close(inherited_rx);
    strait_detach(inherited);

    struct strait_segment *own = attach(); /* and what the child attaches itself works */
    CHECK_IS(own->map.lease, 2);
    CHECK_IS(strait_tx_open(own, "c", NULL, &tx), 0);
    CHECK_IS(strait_send(tx, "y", 1, STRAIT_NOW), 0);
}

static void a_forked_childs_copies_answer_echild_until_it_attaches(UNUSED_STATE)
{
    char text[48];

    inherited = attach();
    CHECK_IS(strait_tx_open(inherited, "c", NULL, &inherited_tx), 0);
    CHECK_IS(strait_rx_open(inherited, "c", NULL, &inherited_rx), 0);
    peer_join(peer_start(use_what_the_parent_opened, NULL));
    CHECK_IS(strait_recv(inherited_rx, text, sizeof text, soon()), 1);
    CHECK_IS(text[0], 'y');
    strait_tx_close(inherited_tx);
    strait_rx_close(inherited_rx);
    strait_detach(inherited);
}

static void a_child_of_a_raw_fork_gets_echild_too(UNUSED_STATE)
{
    struct strait_segment *s = attach();
    struct stage *stage = shared_new(sizeof *stage);

    if (syscall(SYS_fork) == 0) { /* none of our handlers runs */
        stage->result = strait_sweep_dead(s);
        gate_open(&stage->in);
        _exit(0);
    }
    gate_wait(&stage->in);
    CHECK_IS(stage->result, -ECHILD);
    CHECK_IS(strait_sweep_dead(s), 0);
    strait_detach(s);
    shared_free(stage, sizeof *stage);
}

/* ---- remove ---- */

static void a_segment_is_removed_when_nobody_is_attached(UNUSED_STATE)
{
    struct strait_segment *s = attach();

    CHECK_IS(strait_segment_remove("x", NULL), 0);
    CHECK_IS(place_files(), 1);
    strait_detach(s);
    CHECK_IS(strait_segment_remove("x", NULL), 1);
    CHECK_IS(place_files(), 0);
    CHECK_IS(strait_segment_remove("x", NULL), -ENOENT);
    CHECK_IS(strait_segment_remove("a/b", NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(attaching_twice_shares_one_mapping_and_one_lease),
        TEST_PLACE(two_names_are_two_segments),
        TEST_PLACE(the_same_file_by_another_path_is_the_same_attachment),
        TEST_PLACE(the_last_detach_frees_the_lease_and_leaves_the_segment),
        TEST_PLACE(a_name_that_means_a_new_file_is_a_new_attachment),
        TEST_PLACE(options_shape_a_new_segment),
        TEST_PLACE(modes_of_attaching_say_what_may_exist),
        TEST_PLACE(options_that_make_no_sense_are_refused),
        TEST_PLACE(names_that_are_none_are_refused_with_the_rule),
        TEST_PLACE(a_foreign_file_is_refused_with_its_magic_number),
        TEST_PLACE(a_pipe_a_folder_and_a_link_are_refused),
        TEST_PLACE(a_truncated_segment_is_refused_with_both_sizes),
        TEST_PLACE(an_older_version_is_refused_with_both_versions),
        TEST_PLACE(another_layout_is_refused_with_the_field_that_moved),
        TEST_PLACE(a_segment_that_we_may_not_open_is_eacces),
        TEST_PLACE(a_full_file_system_is_enospc_with_the_remedy),
        TEST_PLACE(a_stopped_holder_of_the_admin_lock_is_etimedout_in_words),
        TEST_PLACE(an_attached_process_too_waits_no_longer_than_its_patience),
        TEST_PLACE(a_forked_childs_copies_answer_echild_until_it_attaches),
        TEST_PLACE(a_child_of_a_raw_fork_gets_echild_too),
        TEST_PLACE(a_segment_is_removed_when_nobody_is_attached),
    };
    return RUN(tests);
}
