/* SPDX-License-Identifier: MIT */
/* What a peer that writes garbage cannot make us do: each of these once held us up, or led out of the segment. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <strait/strait.h>

#include "admin.h"
#include "attach.h"
#include "channel.h"
#include "lease.h"
#include "reply.h"
#include "sweep.h"

#define SOON  (strait_after_ns(UINT64_C(2000000000)))
#define SLOTS 16384

/* Turns 2^40 / capacity apart: seen from each slot, the next one is ahead, all the way round. */
static void slots_that_are_always_ahead_end_a_claim_that_drops(UNUSED_STATE)
{
    static _Alignas(STRAIT_LINE) unsigned char slots[SLOTS * 32];
    struct strait_ring ring = {0}, checked;
    struct strait_ring_end end;
    struct strait_place place;

    strait_ring_init(&ring, slots, 0, SLOTS, 32, STRAIT_RING_MANY_PRODUCERS | STRAIT_RING_MANY_CONSUMERS, 0);
    CHECK_IS(strait_ring_check(&ring, 0, sizeof slots, &checked), 0);
    strait_ring_join_producer(&end, &ring, &checked, slots, 1);
    for (uint64_t i = 0; i < SLOTS; i++)
        ((struct strait_slot *)(void *)(slots + i * 32))->word =
            strait_slot_word((i + 1) * ((UINT64_C(1) << 40) / SLOTS) << STRAIT_TURN_SHIFT, STRAIT_SLOT_READY, 0);
    /* it took a minute when each step of the scan was a scan */
    CHECK_IS(strait_ring_claim_oldest(&end, &place), -EAGAIN);
}

static struct strait_segment_map map;

static int make(void **state)
{
    struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 64, .mode = 0600};
    struct strait_misfit misfit;

    place_setup(state);
    CHECK_IS(strait_attach_map(&map, place_path("strait.x"), STRAIT_ATTACH_CREATE, &shape, SOON, &misfit), 0);
    return 0;
}

static int drop(void **state)
{
    strait_segment_close(&map);
    return place_teardown(state);
}

static struct strait_object add(const char *name, struct strait_channel_view *view)
{
    struct strait_channel_plan plan = {.flags = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS,
                                       .slot_bytes = 48,
                                       .capacity = 4,
                                       .rings = 2,
                                       .max_attempts = 1,
                                       .peek_window = 2,
                                       .dead_max = 2,
                                       .replies = 2,
                                       .reply_bytes = 48,
                                       .reply_capacity = 2};
    struct strait_object o;

    CHECK_IS(strait_channel_measure(&plan), 0);
    CHECK_IS(strait_directory_prepare(&map, name, STRAIT_KIND_CHANNEL, plan.bytes, -1, &o), 0);
    strait_channel_build(&map, &o, &plan);
    strait_directory_publish(&map, &o);
    CHECK_IS(strait_channel_view(&map, &o, view), 0);
    return o;
}

static void rings_that_together_are_larger_than_their_object_are_refused(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_object o = add("c", &view);
    struct strait_ring *ring = (struct strait_ring *)(void *)(map.base + view.rings_off), *r, checked;
    struct strait_reply *reply;
    struct strait_ring_end end;
    unsigned char *slots;
    uint64_t token;

    ring->slots_off = o.offset;
    ring->capacity = (uint32_t)(o.bytes / ring->stride); /* the whole object: fits once, not twice */
    CHECK_IS(strait_channel_ring(&view, 0, &r, &checked, &slots), -EPROTO);
    CHECK_IS(strait_channel_ring(&view, 1, &r, &checked, &slots), 0);
    CHECK_IS(strait_reply_at(&view, 0, &reply), 0);
    reply->ring.slots_off = o.offset;
    reply->ring.capacity = (uint32_t)(o.bytes / reply->ring.stride);
    CHECK_IS(strait_reply_open(&view, 0, &end, &token), -EPROTO);
}

static void slots_too_small_for_their_messages_are_refused(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_ring *ring, *r, checked;
    unsigned char *slots;

    add("c", &view);
    ring = (struct strait_ring *)(void *)(map.base + view.rings_off);
    ring->stride = 32;
    CHECK_IS(strait_channel_ring(&view, 0, &r, &checked, &slots), -EPROTO);
}

static void tables_that_reach_out_of_their_object_are_refused(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_object o = add("c", &view);
    struct strait_channel *c = view.shared;

    c->dead_max = 65536; /* begins inside, ends outside */
    CHECK_IS(strait_channel_view(&map, &o, &view), -EPROTO);
    c->dead_max = 2;
    c->replies = 1 << 20;
    CHECK_IS(strait_channel_view(&map, &o, &view), -EPROTO);
    c->replies = 2;
    CHECK_IS(strait_channel_view(&map, &o, &view), 0);
}

/* Whoever may read the file may lock a byte of it. Its lease must not look as if it had been handed out. */
static void a_lease_that_a_stranger_has_locked_is_passed_over(UNUSED_STATE)
{
    struct flock lock = {.l_type = F_WRLCK, .l_start = STRAIT_LOCK_LEASES + 2, .l_len = 1};
    int stranger = open(place_path("strait.x"), O_RDWR | O_CLOEXEC);
    struct strait_segment_shape shape = {0};
    struct strait_segment_map other;
    struct strait_misfit misfit;

    CHECK_IS(fcntl(stranger, F_OFD_SETLK, &lock), 0);
    CHECK_IS(strait_attach_map(&other, place_path("strait.x"), STRAIT_ATTACH_OPEN, &shape, SOON, &misfit), 0);
    CHECK_IS(other.lease, 3);
    CHECK_IS(strait_segment_lease(&map, 2)->state, STRAIT_LEASE_FREE);
    strait_detach_map(&other, SOON);
    close(stranger);
}

static void collects(void *arg)
{
    struct strait_misfit misfit;
    (void)arg;
    CHECK_IS(strait_collect(place_path("strait.x"), soon(), &misfit), 0);
}

/* The name came to mean another file while the collector waited for the old one's admin lock. */
static void a_name_that_means_another_file_by_now_is_left_alone(UNUSED_STATE)
{
    char from[PATH_MAX];
    pid_t pid;

    CHECK_IS(strait_admin_enter(&map, SOON), 0);
    pid = peer_start(collects, NULL);
    peer_await_sleep(pid); /* it has opened the file, and waits for us */
    place_write("new", "another", 7);
    strcpy(from, place_path("new"));
    CHECK_IS(rename(from, place_path("strait.x")), 0);
    strait_sweep_objects(&map, map.lease, &(struct strait_left_behind){0});
    strait_lease_give(&map); /* nobody is alive in the old one */
    strait_admin_leave(&map);
    peer_join(pid);
    CHECK_IS(access(place_path("strait.x"), F_OK), 0);
}

static void a_length_beyond_the_slot_is_refused_however_large_the_buffer(UNUSED_STATE)
{
    struct strait_channel_options options = {.slot_bytes = 48, .senders = STRAIT_ONE, .receivers = STRAIT_ONE};
    struct strait_segment *segment;
    struct strait_tx *tx;
    struct strait_rx *rx;
    char to[8192];

    CHECK_IS(strait_attach("lengths", NULL, &segment), 0);
    CHECK_IS(strait_tx_open(segment, "c", &options, &tx), 0);
    CHECK_IS(strait_rx_open(segment, "c", &options, &rx), 0);
    CHECK_IS(strait_send(tx, "a", 1, STRAIT_NOW), 0);
    strait_ring_slot(&rx->end, rx->end.cursor)->head = strait_head(4000, 0, 0);
    CHECK_IS(strait_recv(rx, to, sizeof to, STRAIT_NOW), -EBADMSG);
    CHECK_IS(strait_send(tx, "b", 1, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, to, sizeof to, STRAIT_NOW), 1);
    strait_tx_close(tx);
    strait_rx_close(rx);
    strait_detach(segment);
}

/* The number of objects that a sweep goes through shows in `returned`, which it raises in each. */
static void objects_that_overlap_are_not_swept_over_and_over(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_object o = add("c", &view);
    struct strait_left_behind left = {0};
    struct strait_ring_end end;
    uint32_t before;

    CHECK_IS(strait_channel_end(&view, 0, &end), 0);
    strait_segment_entry(&map, o.entry)->bytes = map.bytes - map.arena_off;
    for (uint32_t i = 0; i < map.directory_max; i++)
        memcpy(strait_segment_entry(&map, i), strait_segment_entry(&map, o.entry), sizeof(struct strait_entry));
    before = end.ring->returned;
    strait_sweep_objects(&map, 7, &left);
    CHECK_IS(end.ring->returned - before, 1);
}

/* Found by tests/fuzz: strait_directory_space went from it to it for ever. */
static void an_object_of_no_bytes_holds_nobody_up(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_object o = add("c", &view), found;
    uint64_t room, longest;

    strait_segment_entry(&map, o.entry)->bytes = 0;
    CHECK_IS(strait_directory_at(&map, o.entry, &found), -EPROTO);
    strait_directory_space(&map, &room, &longest);
    CHECK_IS(room, map.bytes - map.arena_off);
}

static void a_caller_that_is_no_lease_leaves_the_generation_alone(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_reply *reply;

    add("c", &view);
    CHECK_IS(strait_reply_at(&view, 0, &reply), 0);
    reply->word = 5 * STRAIT_REPLY_GENERATION_ONE | UINT64_C(7) << STRAIT_REPLY_OWNER_SHIFT | STRAIT_REPLY_BUSY;
    reply->caller = 0xFF0003;
    strait_reply_sweep(&view, 7);
    CHECK_IS(strait_reply_generation(reply->word), 5);
    CHECK_IS(strait_reply_owner(reply->word), 3);
}

static void a_damaged_dead_letter_changes_nothing_of_the_callers(UNUSED_STATE)
{
    struct strait_channel_view view;
    struct strait_dead_letter head = {.bytes = 77};
    struct strait_dead_letters *letters;
    char to[64] = "as it was";

    add("c", &view);
    letters = (struct strait_dead_letters *)(void *)(map.base + view.dead_off);
    letters->count = 1;
    ((struct strait_dead_letter *)(void *)(letters + 1))->bytes = 4000;
    CHECK_IS(strait_channel_dead_letter(&view, 0, &head, to, sizeof to), -EPROTO);
    CHECK_IS(head.bytes, 77);
    assert_string_equal(to, "as it was");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_that_are_always_ahead_end_a_claim_that_drops),
        CASE(rings_that_together_are_larger_than_their_object_are_refused),
        CASE(slots_too_small_for_their_messages_are_refused),
        CASE(tables_that_reach_out_of_their_object_are_refused),
        CASE(a_lease_that_a_stranger_has_locked_is_passed_over),
        CASE(a_name_that_means_another_file_by_now_is_left_alone),
        TEST_PLACE(a_length_beyond_the_slot_is_refused_however_large_the_buffer),
        CASE(objects_that_overlap_are_not_swept_over_and_over),
        CASE(an_object_of_no_bytes_holds_nobody_up),
        CASE(a_caller_that_is_no_lease_leaves_the_generation_alone),
        CASE(a_damaged_dead_letter_changes_nothing_of_the_callers),
    };
    return RUN(tests);
}
