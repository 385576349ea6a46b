/* SPDX-License-Identifier: MIT */
/* What a receiver does: copying, in place, with the dead behind it. */
#include "unit.h"

#include <strait/strait.h>

#include "channel.h"
#include "endpoint.h"

static struct strait_segment *s;
static struct strait_tx *tx;
static struct strait_rx *rx;
static char text[48];

static int make(void **state)
{
    place_setup(state);
    CHECK_IS(strait_attach("x", NULL, &s), 0);
    return 0;
}

static int drop(void **state)
{
    strait_tx_close(tx);
    strait_rx_close(rx);
    tx = NULL;
    rx = NULL;
    strait_detach(s);
    return place_teardown(state);
}

static void channel(const struct strait_channel_options *o)
{
    CHECK_IS(strait_tx_open(s, "c", o, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", o, &rx), 0);
}

static void send_all(const char *letters)
{
    for (; *letters; letters++)
        CHECK_IS(strait_send(tx, letters, 1, STRAIT_NOW), 0);
}

static void expect(char letter)
{
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 1);
    CHECK_IS(text[0], letter);
}

/* ---- nothing there ---- */

static void an_empty_channel_is_eagain_now_and_etimedout_later(UNUSED_STATE)
{
    struct strait_msg msg;
    uint64_t until;

    channel(NULL);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_recv(rx, text, sizeof text, 1), -ETIMEDOUT); /* long ago */
    until = strait_after_ns(MS);
    CHECK_IS(strait_recv(rx, text, sizeof text, until), -ETIMEDOUT);
    CHECK(strait_now_ns() >= until);
    CHECK_IS(strait_peek(rx, &msg, strait_after_ns(MS)), -ETIMEDOUT);
}

/* ---- what recv refuses ---- */

static void a_buffer_too_small_leaves_the_message(UNUSED_STATE)
{
    channel(NULL);
    CHECK_IS(strait_send(tx, "0123456789", 10, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, 9, STRAIT_FOREVER), -EMSGSIZE);
    CHECK_SAYS("the next message has 10 bytes, the buffer 9");
    CHECK_IS(strait_recv(rx, text, 10, STRAIT_NOW), 10);
}

static void lie(uint32_t bytes, uint16_t flags)
{
    send_all("ab");
    struct strait_slot *slot = strait_ring_slot(&rx->end, rx->end.cursor);
    slot->head = strait_head(bytes, 0, flags);
}

static void a_length_that_cannot_be_is_dropped(UNUSED_STATE)
{
    struct strait_msg msg;

    channel(NULL);
    lie(49, 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EBADMSG);
    CHECK_SAYS("49 bytes in a slot of 48");
    expect('b');
    lie(UINT32_MAX, 0);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), -EBADMSG);
    expect('b');
    lie(15, STRAIT_MSG_REQUEST); /* too short for its head */
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), -EBADMSG);
    expect('b');
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
}

static void flags_that_cannot_be_are_dropped(UNUSED_STATE)
{
    channel(NULL);
    lie(1, 0x10);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EBADMSG);
    expect('b');
}

static void a_request_is_to_be_peeked(UNUSED_STATE)
{
    struct strait_channel_options o = {.replies = 1};
    struct strait_reply_rx reply;
    struct strait_msg msg;

    channel(&o);
    CHECK_IS(strait_request(tx, 3, "q", 1, STRAIT_FOREVER, &reply, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), -EPROTOTYPE);
    CHECK_SAYS("peek");
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
    CHECK_IS(strait_release(rx, &msg), 0);
    strait_reply_close(&reply);
}

/* ---- in place ---- */

static void peek_shows_the_message_in_its_slot(UNUSED_STATE)
{
    struct strait_msg msg;

    channel(NULL);
    CHECK_IS(strait_send_tagged(tx, 7, "in place", 8, STRAIT_NOW), 0);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
    CHECK_IS(msg.bytes, 8);
    CHECK_IS(msg.tag, 7);
    CHECK_IS(msg.flags, 0);
    CHECK_IS(msg.attempts, 0);
    CHECK(memcmp(msg.data, "in place", 8) == 0);
    CHECK((const unsigned char *)msg.data > s->map.base &&
          (const unsigned char *)msg.data < s->map.base + s->map.bytes);
    CHECK_IS(strait_release(rx, &msg), 0);
    CHECK_IS(strait_release(rx, &msg), -EINVAL);
}

static void no_more_are_peeked_than_the_window(UNUSED_STATE)
{
    for (unsigned one = 0; one < 2; one++) {
        struct strait_channel_options o = {.depth = 4, .peek_window = 2, .receivers = (enum strait_ends)one};
        struct strait_msg msg[3];
        channel(&o);
        send_all("abc");
        CHECK_IS(strait_peek(rx, &msg[0], STRAIT_NOW), 0);
        CHECK_IS(strait_peek(rx, &msg[1], STRAIT_NOW), 0);
        CHECK_IS(strait_peek(rx, &msg[2], STRAIT_FOREVER), -ENOBUFS);
        CHECK_SAYS("2 messages are peeked, its peek_window");
        CHECK_IS(strait_release(rx, &msg[0]), 0);
        CHECK_IS(strait_peek(rx, &msg[2], STRAIT_NOW), 0);
        CHECK_IS(strait_release(rx, &msg[1]), 0);
        CHECK_IS(strait_release(rx, &msg[2]), 0);
        strait_tx_close(tx);
        strait_rx_close(rx);
        CHECK_IS(strait_channel_unlink(s, "c"), 0);
    }
    tx = NULL;
    rx = NULL;
}

static void a_sole_receiver_releases_in_order_and_before_it_copies(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 4, .peek_window = 4, .receivers = STRAIT_ONE};
    struct strait_msg a, b;

    channel(&o);
    send_all("abc");
    CHECK_IS(strait_peek(rx, &a, STRAIT_NOW), 0);
    CHECK_IS(strait_peek(rx, &b, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), -EBUSY);
    CHECK_IS(strait_release(rx, &b), -EINVAL);
    CHECK_SAYS("in the order of its peeks");
    CHECK_IS(strait_release(rx, &a), 0);
    CHECK_IS(strait_release(rx, &b), 0);
    expect('c');
}

static void one_of_several_receivers_releases_in_any_order_and_may_copy_meanwhile(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 4};
    struct strait_msg a, b;

    channel(&o);
    send_all("abc");
    CHECK_IS(strait_peek(rx, &a, STRAIT_NOW), 0);
    CHECK_IS(strait_peek(rx, &b, STRAIT_NOW), 0);
    expect('c');
    CHECK_IS(strait_release(rx, &b), 0);
    CHECK_IS(strait_release(rx, &a), 0);
}

static void a_peeked_slot_blocks_a_sender_that_has_gone_round(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 4};
    struct strait_msg a;

    channel(&o);
    send_all("abcd");
    CHECK_IS(strait_peek(rx, &a, STRAIT_NOW), 0);
    expect('b');
    CHECK_IS(strait_send(tx, "e", 1, STRAIT_NOW), -EAGAIN);
    CHECK(memcmp(a.data, "a", 1) == 0);
    CHECK_IS(strait_release(rx, &a), 0);
    CHECK_IS(strait_send(tx, "e", 1, STRAIT_NOW), 0);
}

static void a_message_that_only_we_hold_cannot_come_back_and_is_not_waited_for(UNUSED_STATE)
{
    struct strait_segment *s2 = s;
    struct strait_rx *other;
    struct strait_msg msg;

    channel(NULL);
    CHECK_IS(strait_rx_open(s2, "c", NULL, &other), 0);
    send_all("a");
    CHECK_IS(strait_peek(other, &msg, STRAIT_NOW), 0);
    strait_tx_close(tx);
    tx = NULL;
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EPIPE);
    CHECK_IS(strait_release(other, &msg), 0);
    strait_rx_close(other);
}

/* ---- the dead ---- */

struct stage {
    gate ready, never;
    struct strait_channel_options options;
    uint32_t peeks;
};

static void peek_and_wait(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *mine;
    struct strait_rx *r;
    struct strait_msg msg[8];

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_rx_open(mine, "c", &stage->options, &r), 0);
    for (uint32_t i = 0; i < stage->peeks; i++)
        CHECK_IS(strait_peek(r, &msg[i], soon()), 0);
    gate_open(&stage->ready);
    gate_wait(&stage->never);
}

/* A receiver peeks `peeks` messages and is killed. */
static void receiver_dies(struct stage *stage, uint32_t peeks)
{
    stage->ready = 0;
    stage->peeks = peeks;
    pid_t pid = peer_start(peek_and_wait, stage);
    gate_wait(&stage->ready);
    peer_kill(pid);
}

static void what_a_dead_receiver_peeked_comes_again_before_newer_messages(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_msg msg;

    channel(NULL);
    send_all("abc");
    receiver_dies(stage, 2);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0); /* nobody has looked yet */
    CHECK(memcmp(msg.data, "c", 1) == 0);
    CHECK_IS(strait_release(rx, &msg), 0);
    send_all("d");
    CHECK_IS(strait_sweep_dead(s), 1);
    for (const char *p = "ab"; *p; p++) {
        CHECK_IS(strait_recv_info(rx, text, sizeof text, &msg, STRAIT_NOW), 1);
        CHECK_IS(text[0], *p);
        CHECK_IS(msg.attempts, 1);
    }
    expect('d');
    CHECK_IS(tx->endpoint->view.shared->redelivered, 2);
    shared_free(stage, sizeof *stage);
}

static void after_max_attempts_a_message_is_a_dead_letter(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_channel_options o = {.max_attempts = 2, .dead_letters = 2};
    struct strait_dead_letter letter;

    channel(&o);
    CHECK_IS(strait_send_tagged(tx, 5, "poison", 6, STRAIT_NOW), 0);
    receiver_dies(stage, 1);
    CHECK_IS(strait_sweep_dead(s), 1);
    receiver_dies(stage, 1);
    CHECK_IS(strait_sweep_dead(s), 1);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 0, &letter, text, sizeof text), 6);
    CHECK(memcmp(text, "poison", 6) == 0);
    CHECK_IS(letter.tag, 5);
    CHECK_IS(letter.attempts, 2);
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 1, &letter, text, sizeof text), -ENOENT);
    send_all("a");
    expect('a');
    shared_free(stage, sizeof *stage);
}

static void only_the_newest_dead_letters_are_kept(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_channel_options o = {.max_attempts = 1, .dead_letters = 2};
    struct strait_dead_letter letter;

    channel(&o);
    send_all("abc");
    receiver_dies(stage, 3);
    CHECK_IS(strait_sweep_dead(s), 1);
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 0, &letter, text, sizeof text), 1);
    CHECK_IS(text[0], 'c');
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 1, &letter, text, 0), 1); /* size 0: only how long */
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 2, &letter, text, sizeof text), -ENOENT);
    shared_free(stage, sizeof *stage);
}

static void a_dead_sole_receivers_successor_is_told_of_the_suspects(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_msg msg;

    stage->options = (struct strait_channel_options){.receivers = STRAIT_ONE, .depth = 8, .peek_window = 2};
    CHECK_IS(strait_tx_open(s, "c", &stage->options, &tx), 0);
    send_all("abc");
    receiver_dies(stage, 2);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0); /* sweeps by itself */
    for (int i = 0; i < 3; i++) {
        CHECK_IS(strait_recv_info(rx, text, sizeof text, &msg, STRAIT_NOW), 1);
        CHECK_IS(text[0], 'a' + i);
        CHECK_IS(msg.attempts, i < 2);
    }
    send_all("d");
    strait_rx_close(rx);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0); /* after a leave in good order nobody is suspected */
    CHECK_IS(strait_recv_info(rx, text, sizeof text, &msg, STRAIT_NOW), 1);
    CHECK_IS(msg.attempts, 0);
    shared_free(stage, sizeof *stage);
}

static void a_sole_receiver_never_gets_a_dead_letter(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_msg msg;

    stage->options = (struct strait_channel_options){.receivers = STRAIT_ONE, .max_attempts = 1};
    CHECK_IS(strait_tx_open(s, "c", &stage->options, &tx), 0);
    send_all("a");
    for (int i = 0; i < 3; i++)
        receiver_dies(stage, 1);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
    CHECK_IS(strait_recv_info(rx, text, sizeof text, &msg, STRAIT_NOW), 1);
    CHECK_IS(msg.attempts, 3);
    shared_free(stage, sizeof *stage);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(an_empty_channel_is_eagain_now_and_etimedout_later),
        HERE(a_buffer_too_small_leaves_the_message),
        HERE(a_length_that_cannot_be_is_dropped),
        HERE(flags_that_cannot_be_are_dropped),
        HERE(a_request_is_to_be_peeked),
        HERE(peek_shows_the_message_in_its_slot),
        HERE(no_more_are_peeked_than_the_window),
        HERE(a_sole_receiver_releases_in_order_and_before_it_copies),
        HERE(one_of_several_receivers_releases_in_any_order_and_may_copy_meanwhile),
        HERE(a_peeked_slot_blocks_a_sender_that_has_gone_round),
        HERE(a_message_that_only_we_hold_cannot_come_back_and_is_not_waited_for),
        HERE(what_a_dead_receiver_peeked_comes_again_before_newer_messages),
        HERE(after_max_attempts_a_message_is_a_dead_letter),
        HERE(only_the_newest_dead_letters_are_kept),
        HERE(a_dead_sole_receivers_successor_is_told_of_the_suspects),
        HERE(a_sole_receiver_never_gets_a_dead_letter),
    };
    return RUN(tests);
}
