/* SPDX-License-Identifier: MIT */
/* Channels as named objects: made, opened, refused, closed, unlinked, held. */
#include "unit.h"

#include <strait/strait.h>

#include "endpoint.h"

static struct strait_segment *s;

static int make(void **state)
{
    struct strait_segment_options o = {.bytes = 1 << 20, .directory_max = 4};

    place_setup(state);
    CHECK_IS(strait_attach("x", &o, &s), 0);
    return 0;
}

static int drop(void **state)
{
    strait_detach(s);
    return place_teardown(state);
}

static int open_and_close(const char *name, const struct strait_channel_options *o)
{
    struct strait_tx *tx = NULL;
    int r = strait_tx_open(s, name, o, &tx);

    CHECK((r == 0) == (tx != NULL));
    strait_tx_close(tx);
    return r;
}

static const struct strait_channel *shared(const char *name)
{
    struct strait_object o;

    CHECK_IS(strait_directory_find(&s->map, name, STRAIT_KIND_CHANNEL, &o), 0);
    return (const struct strait_channel *)(void *)(s->map.base + o.offset);
}

/* ---- making ---- */

static void defaults_are_48_bytes_and_16_kib_of_slots(UNUSED_STATE)
{
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(tx->slot_bytes, 48);
    CHECK_IS(tx->end.mask + 1, 256);
    CHECK_IS(tx->end.stride, 64);
    CHECK_IS(tx->end.flags, STRAIT_RING_MANY_PRODUCERS | STRAIT_RING_MANY_CONSUMERS);
    CHECK_IS(tx->endpoint->view.max_attempts, 3);
    CHECK_IS(tx->endpoint->view.peek_window, 64);
    strait_tx_close(tx);
}

static void large_messages_get_at_least_16_slots(UNUSED_STATE)
{
    struct strait_channel_options o = {.slot_bytes = 8192, .receivers = STRAIT_ONE};
    struct strait_tx *tx;

    CHECK_IS(strait_tx_open(s, "c", &o, &tx), 0);
    CHECK_IS(tx->end.mask + 1, 16);
    CHECK_IS(tx->endpoint->view.peek_window, 1);
    strait_tx_close(tx);
}

static void create_makes_it_once(UNUSED_STATE)
{
    CHECK_IS(strait_channel_create(s, "c", NULL), 0);
    CHECK_IS(strait_channel_create(s, "c", NULL), -EEXIST);
    CHECK_SAYS("channel c");
    CHECK_IS(open_and_close("c", NULL), 0);
}

static void options_that_make_no_channel_are_refused_with_the_limits(UNUSED_STATE)
{
    const struct strait_channel_options bad[] = {
        {.depth = 3},
        {.depth = 1},
        {.depth = STRAIT_RING_SLOTS * 2},
        {.slot_bytes = (1u << 30) + 1},
        {.slot_bytes = UINT32_MAX},
        {.max_attempts = 32},
        {.depth = 4, .peek_window = 5},
        {.full = (enum strait_full)4},
        {.dead_letters = 65537},
        {.replies = 1 << 24},
        {.replies = 1, .slot_bytes = 16},
        {.replies = 1, .reply_depth = 3},
        {.replies = 1, .reply_depth = 1},
        {.replies = 1, .reply_bytes = UINT32_MAX},
        {.replies = 1, .full = STRAIT_FULL_DROP_OLDEST},
        {.lanes = 100000},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (open_and_close("c", &bad[i]) != -EINVAL)
            fail_msg("options %zu made a channel", i);
        CHECK_SAYS("do not make a channel");
    }
    CHECK_IS(open_and_close("c", NULL), 0);
}

static void names_that_are_none_are_refused(UNUSED_STATE)
{
    CHECK_IS(open_and_close("", NULL), -EINVAL);
    CHECK_IS(open_and_close("a b", NULL), -EINVAL);
    CHECK_IS(open_and_close("a/b", NULL), -EINVAL);
    CHECK_IS(open_and_close("012345678901234567890123456789012345678901234567", NULL), -EINVAL);
    CHECK_IS(open_and_close("01234567890123456789012345678901234567890123456", NULL), 0);
    CHECK_IS(strait_channel_create(s, "", NULL), -EINVAL);
}

static void a_full_directory_is_emfile_in_words(UNUSED_STATE)
{
    CHECK_IS(open_and_close("a", NULL), 0);
    CHECK_IS(open_and_close("b", NULL), 0);
    CHECK_IS(open_and_close("c", NULL), 0);
    CHECK_IS(open_and_close("d", NULL), 0);
    CHECK_IS(open_and_close("e", NULL), -EMFILE);
    CHECK_SAYS("all 4 directory entries of segment");
}

static void a_full_segment_is_enospc_with_what_is_left(UNUSED_STATE)
{
    struct strait_channel_options o = {.slot_bytes = 8192, .depth = 128};

    CHECK_IS(open_and_close("c", &o), -ENOSPC);
    CHECK_SAYS("channel c needs 10");
    CHECK_SAYS("KiB free");
    CHECK_SAYS("make the channel shallower or the segment larger");
}

/* ---- finding ---- */

static void an_existing_channel_is_opened_whatever_smaller_is_asked_for(UNUSED_STATE)
{
    struct strait_channel_options large = {.slot_bytes = 100}, small = {.slot_bytes = 10, .depth = 2};
    struct strait_tx *tx;

    CHECK_IS(strait_channel_create(s, "c", &large), 0);
    CHECK_IS(strait_tx_open(s, "c", &small, &tx), 0);
    CHECK_IS(tx->slot_bytes, 100);
    strait_tx_close(tx);
}

static void more_than_it_has_is_refused(UNUSED_STATE)
{
    struct strait_channel_options larger = {.slot_bytes = 49}, requests = {.replies = 1};

    CHECK_IS(open_and_close("c", NULL), 0);
    CHECK_IS(open_and_close("c", &larger), -EINVAL);
    CHECK_SAYS("exists with messages of 48 bytes at most, 49 are asked for");
    CHECK_IS(open_and_close("c", &requests), -EINVAL);
    CHECK_SAYS("exists without replies");
}

static void another_kind_of_object_is_enotuniq(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(strait_directory_prepare(&s->map, "r", STRAIT_KIND_REGION, 4096, -1, &o), 0);
    strait_directory_publish(&s->map, &o);
    CHECK_IS(open_and_close("r", NULL), -ENOTUNIQ);
    CHECK_SAYS("another kind of object");
}

static void a_damaged_channel_is_eproto(UNUSED_STATE)
{
    CHECK_IS(strait_channel_create(s, "c", NULL), 0);
    struct strait_channel *c = (struct strait_channel *)(uintptr_t)shared("c"), good = *c;
    c->rings = 0;
    CHECK_IS(open_and_close("c", NULL), -EPROTO);
    *c = good;
    c->rings_off = UINT64_MAX - 63;
    CHECK_IS(open_and_close("c", NULL), -EPROTO);
    *c = good;
    c->replies = UINT32_MAX;
    CHECK_IS(open_and_close("c", NULL), -EPROTO);
    *c = good;
    c->slot_bytes = 4096; /* more than the stride */
    CHECK_IS(open_and_close("c", NULL), -EPROTO);
    *c = good;
    c->dead_off = 8;
    CHECK_IS(open_and_close("c", NULL), -EPROTO);
    *c = good;
    ((struct strait_ring *)(void *)(s->map.base + c->rings_off))->capacity = 7;
    CHECK_IS(open_and_close("c", NULL), -EPROTO);
}

/* ---- one means one ---- */

static void a_second_sole_sender_or_receiver_is_ebusy(UNUSED_STATE)
{
    struct strait_channel_options o = {.senders = STRAIT_ONE, .receivers = STRAIT_ONE};
    struct strait_tx *tx, *tx2 = NULL;
    struct strait_rx *rx, *rx2 = NULL;

    CHECK_IS(strait_tx_open(s, "c", &o, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    CHECK_IS(strait_tx_open(s, "c", &o, &tx2), -EBUSY);
    CHECK_SAYS("one sender only");
    CHECK_IS(strait_rx_open(s, "c", &o, &rx2), -EBUSY);
    CHECK_SAYS("one receiver only");
    strait_tx_close(tx);
    CHECK_IS(strait_tx_open(s, "c", &o, &tx2), 0);
    strait_tx_close(tx2);
    strait_rx_close(rx);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx2), 0);
    strait_rx_close(rx2);
}

static void be_the_sole_sender(void *arg)
{
    struct strait_channel_options o = {.senders = STRAIT_ONE};
    struct strait_segment *mine;
    struct strait_tx *tx;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_tx_open(mine, "c", &o, &tx), 0);
    gate_open(arg);
    gate_wait((gate *)arg + 1);
}

static void a_dead_sole_sender_is_succeeded_at_once(UNUSED_STATE)
{
    struct strait_channel_options o = {.senders = STRAIT_ONE};
    gate *gates = shared_new(2 * sizeof *gates);
    struct strait_tx *tx = NULL;
    pid_t pid = peer_start(be_the_sole_sender, gates);

    gate_wait(gates);
    CHECK_IS(strait_tx_open(s, "c", &o, &tx), -EBUSY);
    peer_kill(pid);
    CHECK_IS(strait_tx_open(s, "c", &o, &tx), 0);
    strait_tx_close(tx);
    shared_free(gates, 2 * sizeof *gates);
}

/* ---- unlink ---- */

static void unlink_takes_the_name_now_and_the_memory_with_the_last_handle(UNUSED_STATE)
{
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct strait_object o;
    char text[48];

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_channel_unlink(s, "c"), 0);
    CHECK_IS(strait_channel_unlink(s, "c"), -ENOENT);
    CHECK_IS(strait_send(tx, "still", 5, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 5);
    strait_tx_close(tx);
    CHECK_IS(strait_directory_at(&s->map, 0, &o), 0);
    strait_rx_close(rx);
    CHECK_IS(strait_directory_at(&s->map, 0, &o), -ENOENT);
}

static void a_new_channel_of_the_old_name_is_another(UNUSED_STATE)
{
    struct strait_tx *old, *young;
    struct strait_rx *rx;
    char text[48];

    CHECK_IS(strait_tx_open(s, "c", NULL, &old), 0);
    CHECK_IS(strait_channel_unlink(s, "c"), 0);
    CHECK_IS(strait_tx_open(s, "c", NULL, &young), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_send(old, "old", 3, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_send(young, "young", 5, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 5);
    strait_tx_close(old);
    strait_tx_close(young);
    strait_rx_close(rx);
}

/* ---- closing ---- */

static void receivers_drain_then_get_epipe_when_the_last_sender_has_gone(UNUSED_STATE)
{
    struct strait_tx *a, *b;
    struct strait_rx *rx;
    char text[48];

    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN); /* nobody was ever there: they may come */
    CHECK_IS(strait_tx_open(s, "c", NULL, &a), 0);
    CHECK_IS(strait_tx_open(s, "c", NULL, &b), 0);
    CHECK_IS(strait_send(a, "1", 1, STRAIT_NOW), 0);
    strait_tx_close(a);
    CHECK_IS(strait_send(b, "22", 2, STRAIT_NOW), 0);
    strait_tx_close(b);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 1);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 2);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), -EPIPE);
    CHECK_IS(strait_tx_open(s, "c", NULL, &a), 0); /* not sticky */
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    strait_tx_close(a);
    strait_rx_close(rx);
}

static void senders_get_epipe_when_the_last_receiver_has_gone(UNUSED_STATE)
{
    struct strait_tx *tx;
    struct strait_rx *rx;

    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_send(tx, "1", 1, STRAIT_NOW), 0); /* nobody was ever there: they may come */
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    strait_rx_close(rx);
    CHECK_IS(strait_send(tx, "2", 1, STRAIT_FOREVER), -EPIPE);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_send(tx, "3", 1, STRAIT_NOW), 0);
    strait_rx_close(rx);
    strait_tx_close(tx);
}

static void a_hold_keeps_both_sides_waiting(UNUSED_STATE)
{
    struct strait_hold *hold = NULL;
    struct strait_tx *tx;
    struct strait_rx *rx;
    char text[48];

    CHECK_IS(strait_channel_hold(s, "c", &hold), -ENOENT);
    CHECK(hold == NULL);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_channel_hold(s, "c", &hold), 0);
    strait_tx_close(tx);
    CHECK_IS(strait_recv(rx, text, sizeof text, strait_after_ns(MS)), -ETIMEDOUT);
    strait_channel_unhold(hold);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), -EPIPE);
    strait_rx_close(rx);
    strait_channel_unhold(NULL);
}

static void an_explicit_close_sticks(UNUSED_STATE)
{
    struct strait_tx *tx;
    struct strait_rx *rx;
    char text[48];

    CHECK_IS(strait_channel_shut(s, "c"), -ENOENT);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_send(tx, "1", 1, STRAIT_NOW), 0);
    CHECK_IS(strait_channel_shut(s, "c"), 0);
    CHECK_IS(strait_send(tx, "2", 1, STRAIT_NOW), -EPIPE);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 1);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), -EPIPE);
    strait_tx_close(tx);
    CHECK_IS(strait_tx_open(s, "c", NULL, &tx), 0);
    CHECK_IS(strait_send(tx, "3", 1, STRAIT_NOW), -EPIPE);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EPIPE);
    strait_tx_close(tx);
    strait_rx_close(rx);
}

static void closing_one_of_two_handles_of_a_process_keeps_its_place(UNUSED_STATE)
{
    struct strait_tx *a, *b;
    struct strait_rx *rx;
    char text[48];

    CHECK_IS(strait_tx_open(s, "c", NULL, &a), 0);
    CHECK_IS(strait_tx_open(s, "c", NULL, &b), 0);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    strait_tx_close(a);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    strait_tx_close(b);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EPIPE);
    strait_rx_close(rx);
}

/* ---- lanes ---- */

static void each_sender_has_a_lane_and_the_next_one_is_refused(UNUSED_STATE)
{
    struct strait_channel_options o = {.lanes = 2, .depth = 4};
    struct strait_tx *a, *b, *c = NULL;
    struct strait_rx *rx;
    char text[48];

    CHECK_IS(strait_tx_open(s, "c", &o, &a), 0);
    CHECK_IS(strait_tx_open(s, "c", &o, &b), 0);
    CHECK(a->end.ring != b->end.ring);
    CHECK_IS(strait_tx_open(s, "c", &o, &c), -EUSERS);
    CHECK_SAYS("2 lanes");
    strait_tx_close(a);
    CHECK_IS(strait_tx_open(s, "c", &o, &c), 0);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    for (int i = 0; i < 4; i++) { /* b's lane full, c's too */
        CHECK_IS(strait_send(b, "b", 1, STRAIT_NOW), 0);
        CHECK_IS(strait_send(c, "cc", 2, STRAIT_NOW), 0);
    }
    CHECK_IS(strait_send(b, "b", 1, STRAIT_NOW), -EAGAIN);
    int64_t bytes = 0;
    for (int i = 0; i < 8; i++)
        bytes += strait_recv(rx, text, sizeof text, STRAIT_NOW);
    CHECK_IS(bytes, 12);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    strait_tx_close(b);
    strait_tx_close(c);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EPIPE);
    strait_rx_close(rx);
}

static void peek_what_is_in_the_second_lane(void *arg)
{
    struct strait_channel_options o = {.lanes = 2, .receivers = STRAIT_ONE};
    struct strait_segment *mine;
    struct strait_rx *rx;
    struct strait_msg m;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_rx_open(mine, "c", &o, &rx), 0);
    CHECK_IS(strait_peek(rx, &m, soon()), 0);
    gate_open(arg);
    gate_wait((gate *)arg + 1);
}

/* A sole receiver has the role in every lane: its successor is told whichever of them it died in. */
static void what_a_dead_receiver_peeked_in_any_lane_comes_marked(UNUSED_STATE)
{
    struct strait_channel_options o = {.lanes = 2, .receivers = STRAIT_ONE};
    gate *gates = shared_new(2 * sizeof *gates);
    struct strait_tx *first, *second;
    struct strait_rx *rx;
    struct strait_msg m;
    pid_t pid;

    CHECK_IS(strait_tx_open(s, "c", &o, &first), 0);
    CHECK_IS(strait_tx_open(s, "c", &o, &second), 0);
    CHECK_IS(strait_send(second, "second", 6, STRAIT_NOW), 0);
    pid = peer_start(peek_what_is_in_the_second_lane, gates);
    gate_wait(gates);
    peer_kill(pid);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    CHECK_IS(strait_peek(rx, &m, STRAIT_NOW), 0);
    CHECK_IS(m.bytes, 6);
    CHECK_IS(m.attempts, 1);
    CHECK_IS(strait_release(rx, &m), 0);
    strait_rx_close(rx);
    strait_tx_close(second);
    strait_tx_close(first);
    shared_free(gates, 2 * sizeof *gates);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(defaults_are_48_bytes_and_16_kib_of_slots),
        HERE(large_messages_get_at_least_16_slots),
        HERE(create_makes_it_once),
        HERE(options_that_make_no_channel_are_refused_with_the_limits),
        HERE(names_that_are_none_are_refused),
        HERE(a_full_directory_is_emfile_in_words),
        HERE(a_full_segment_is_enospc_with_what_is_left),
        HERE(an_existing_channel_is_opened_whatever_smaller_is_asked_for),
        HERE(more_than_it_has_is_refused),
        HERE(another_kind_of_object_is_enotuniq),
        HERE(a_damaged_channel_is_eproto),
        HERE(a_second_sole_sender_or_receiver_is_ebusy),
        HERE(a_dead_sole_sender_is_succeeded_at_once),
        HERE(unlink_takes_the_name_now_and_the_memory_with_the_last_handle),
        HERE(a_new_channel_of_the_old_name_is_another),
        HERE(receivers_drain_then_get_epipe_when_the_last_sender_has_gone),
        HERE(senders_get_epipe_when_the_last_receiver_has_gone),
        HERE(a_hold_keeps_both_sides_waiting),
        HERE(an_explicit_close_sticks),
        HERE(closing_one_of_two_handles_of_a_process_keeps_its_place),
        HERE(each_sender_has_a_lane_and_the_next_one_is_refused),
        HERE(what_a_dead_receiver_peeked_in_any_lane_comes_marked),
    };
    return RUN(tests);
}
