/* SPDX-License-Identifier: MIT */
/* What a sender does, in each kind of channel and by each policy. */
#include "unit.h"

#include <signal.h>

#include <strait/strait.h>

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

static struct strait_channel_options kind(unsigned i)
{
    return (struct strait_channel_options){.senders = i & 1 ? STRAIT_ONE : STRAIT_MANY,
                                           .receivers = i & 2 ? STRAIT_ONE : STRAIT_MANY,
                                           .depth = 4,
                                           .peek_window = 1,
                                           .first_turn = (UINT64_C(1) << 40) - 2};
}

/* Runs `act` on a fresh channel of each of the four kinds. */
static void each_kind(void (*act)(void), struct strait_channel_options more)
{
    for (unsigned i = 0; i < 4; i++) {
        struct strait_channel_options o = kind(i);
        o.full = more.full;
        o.busy = more.busy;
        if (more.depth)
            o.depth = more.depth;
        channel(&o);
        act();
        strait_tx_close(tx);
        strait_rx_close(rx);
        tx = NULL;
        rx = NULL;
        CHECK_IS(strait_channel_unlink(s, "c"), 0);
    }
}

static int send_text(const char *t, uint64_t deadline_ns)
{
    return strait_send(tx, t, (uint32_t)strlen(t), deadline_ns);
}

static void expect(const char *t)
{
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), strlen(t));
    CHECK(memcmp(text, t, strlen(t)) == 0);
}

static void around_the_wrap(void)
{
    for (uint32_t i = 0; i < 30; i++) {
        CHECK_IS(strait_send_tagged(tx, (uint16_t)i, &i, sizeof i, STRAIT_NOW), 0);
        uint32_t back;
        struct strait_msg info;
        CHECK_IS(strait_recv_info(rx, &back, sizeof back, &info, STRAIT_NOW), sizeof back);
        CHECK_IS(back, i);
        CHECK_IS(info.tag, i);
        CHECK_IS(info.attempts, 0);
    }
}

static void every_kind_carries_messages_and_tags_across_the_wrap_of_turns(UNUSED_STATE)
{
    each_kind(around_the_wrap, (struct strait_channel_options){0});
}

static void empty_and_largest(void)
{
    char most[49] = {0};

    CHECK_IS(strait_send(tx, "", 0, STRAIT_NOW), 0);
    CHECK_IS(strait_send(tx, most, 48, STRAIT_NOW), 0);
    CHECK_IS(strait_send(tx, most, 49, STRAIT_NOW), -EMSGSIZE);
    CHECK_SAYS("channel c takes messages of 48 bytes at most, this one has 49");
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), 48);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
}

static void messages_have_0_to_slot_bytes(UNUSED_STATE)
{
    each_kind(empty_and_largest, (struct strait_channel_options){0});
}

/* ---- full ---- */

static void fill(void)
{
    CHECK_IS(send_text("0", STRAIT_NOW), 0);
    CHECK_IS(send_text("1", STRAIT_NOW), 0);
    CHECK_IS(send_text("2", STRAIT_NOW), 0);
    CHECK_IS(send_text("3", STRAIT_NOW), 0);
}

static void full_wait(void)
{
    uint64_t until;

    fill();
    CHECK_IS(send_text("4", STRAIT_NOW), -EAGAIN);
    until = strait_after_ns(MS);
    CHECK_IS(send_text("4", until), -ETIMEDOUT);
    CHECK(strait_now_ns() >= until);
    expect("0");
    CHECK_IS(send_text("4", STRAIT_FOREVER), 0);
    expect("1");
}

static void policy_wait_waits_until_the_deadline(UNUSED_STATE)
{
    each_kind(full_wait, (struct strait_channel_options){.full = STRAIT_FULL_WAIT});
    each_kind(full_wait, (struct strait_channel_options){.full = STRAIT_FULL_WAIT, .busy = true});
}

static void full_fail(void)
{
    fill();
    CHECK_IS(send_text("4", STRAIT_FOREVER), -EAGAIN);
    expect("0");
    CHECK_IS(send_text("4", STRAIT_FOREVER), 0);
}

static void policy_fail_fails_at_once(UNUSED_STATE)
{
    each_kind(full_fail, (struct strait_channel_options){.full = STRAIT_FULL_FAIL});
}

static void full_drop_new(void)
{
    fill();
    CHECK_IS(send_text("4", STRAIT_FOREVER), 1);
    CHECK_IS(send_text("5", STRAIT_FOREVER), 1);
    CHECK_IS(tx->endpoint->view.shared->dropped_new, 2);
    expect("0");
    CHECK_IS(send_text("6", STRAIT_FOREVER), 0);
    expect("1");
    expect("2");
    expect("3");
    expect("6");
}

static void policy_drop_new_drops_and_counts_the_new(UNUSED_STATE)
{
    each_kind(full_drop_new, (struct strait_channel_options){.full = STRAIT_FULL_DROP_NEW});
}

static void full_drop_oldest(void)
{
    struct strait_msg held;

    fill();
    CHECK_IS(send_text("4", STRAIT_FOREVER), 1);
    CHECK_IS(tx->endpoint->view.shared->dropped_oldest, 1);
    expect("1");
    CHECK_IS(send_text("5", STRAIT_FOREVER), 0);
    CHECK_IS(strait_peek(rx, &held, STRAIT_NOW), 0); /* "2" is in the way now: what is read is not dropped */
    CHECK_IS(send_text("6", STRAIT_FOREVER), 1);
    CHECK_IS(tx->endpoint->view.shared->dropped_new, 1);
    CHECK(memcmp(held.data, "2", 1) == 0);
    CHECK_IS(strait_release(rx, &held), 0);
    expect("3");
    expect("4");
    expect("5");
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
}

static void policy_drop_oldest_drops_and_counts_the_oldest(UNUSED_STATE)
{
    each_kind(full_drop_oldest, (struct strait_channel_options){.full = STRAIT_FULL_DROP_OLDEST});
}

static void full_and_alone(void)
{
    fill();
    strait_rx_close(rx);
    rx = NULL;
    CHECK_IS(send_text("4", STRAIT_FOREVER), -EPIPE);
    CHECK_IS(send_text("4", STRAIT_NOW), -EPIPE);
}

static void a_full_channel_without_receivers_is_epipe_by_every_policy(UNUSED_STATE)
{
    for (unsigned full = STRAIT_FULL_WAIT; full <= STRAIT_FULL_DROP_OLDEST; full++)
        each_kind(full_and_alone, (struct strait_channel_options){.full = (enum strait_full)full});
}

/* ---- batches ---- */

static void batch(void)
{
    struct strait_out out[6];
    struct strait_in in[6];
    char back[6][48];

    for (uint16_t i = 0; i < 6; i++) {
        out[i] = (struct strait_out){&"abcdef"[i], 1, i};
        in[i] = (struct strait_in){.data = back[i], .size = 48};
    }
    CHECK_IS(strait_send_many(tx, out, 0, STRAIT_NOW), 0);
    CHECK_IS(strait_send_many(tx, out, 6, STRAIT_NOW), 4); /* as many as fit */
    CHECK_IS(strait_send_many(tx, out + 4, 2, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_send_many(tx, out + 4, 2, strait_after_ns(MS)), -ETIMEDOUT);
    CHECK_IS(strait_recv_many(rx, in, 3, STRAIT_NOW), 3);
    CHECK_IS(strait_recv_many(rx, in + 3, 3, STRAIT_NOW), 1);
    CHECK_IS(strait_recv_many(rx, in + 4, 2, STRAIT_NOW), -EAGAIN);
    for (uint16_t i = 0; i < 4; i++) {
        CHECK_IS(in[i].bytes, 1);
        CHECK_IS(in[i].tag, i);
        CHECK_IS(back[i][0], 'a' + i);
    }
    out[0].bytes = 49;
    CHECK_IS(strait_send_many(tx, out, 2, STRAIT_NOW), -EMSGSIZE);
    out[0].bytes = 1;
    out[1].bytes = 49;
    CHECK_IS(strait_send_many(tx, out, 2, STRAIT_NOW), 1);
    CHECK_IS(strait_channel_shut(s, "c"), 0);
    CHECK_IS(strait_send_many(tx, out, 2, STRAIT_FOREVER), -EPIPE);
}

static void a_batch_sends_and_receives_what_fits(UNUSED_STATE)
{
    each_kind(batch, (struct strait_channel_options){0});
}

/* ---- in place ---- */

static void in_place(void)
{
    struct strait_claim claim;

    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    CHECK_IS(claim.size, 48);
    memcpy(claim.data, "in place", 8);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN); /* not yet */
    CHECK_IS(strait_commit(tx, &claim, 9, 49), -EMSGSIZE);
    CHECK_IS(strait_commit(tx, &claim, 9, 8), 0);
    struct strait_msg info;
    CHECK_IS(strait_recv_info(rx, text, sizeof text, &info, STRAIT_NOW), 8);
    CHECK_IS(info.tag, 9);

    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    strait_abort(tx, &claim);
    strait_abort(tx, &claim); /* nothing is claimed: nothing happens */
    CHECK_IS(send_text("after", STRAIT_NOW), 0);
    expect("after");
    fill();
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_claim(tx, &claim, strait_after_ns(MS)), -ETIMEDOUT);
}

static void array(void)
{
    uint64_t out[40][2], in[41][2];
    uint32_t got = 0;

    for (uint64_t i = 0; i < 40; i++)
        out[i][0] = out[i][1] = i + 1;
    CHECK_IS(strait_send_array(tx, 7, out, 16, 0, STRAIT_NOW), 0);
    CHECK_IS(strait_recv_array(rx, in, 16, 0, STRAIT_NOW), 0);
    CHECK_IS(strait_recv_array(rx, in, 16, 40, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_send_array(tx, 7, out, 49, 1, STRAIT_NOW), -EMSGSIZE);
    CHECK_IS(strait_send_array(tx, 7, out, 16, 40, STRAIT_NOW), 40);
    CHECK_IS(strait_send_array(tx, 7, out, 16, 40, STRAIT_NOW), 24); /* as many as fit */
    CHECK_IS(strait_send_array(tx, 7, out, 16, 1, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_recv_array(rx, in, 16, 40, STRAIT_NOW), 40);
    CHECK(memcmp(in, out, sizeof out) == 0);
    CHECK_IS(strait_recv_array(rx, in, 16, 40, STRAIT_NOW), 24);
    CHECK(memcmp(in, out, 24 * sizeof out[0]) == 0);

    CHECK_IS(strait_send(tx, out, 16, STRAIT_NOW), 0);
    CHECK_IS(strait_send(tx, out[2], 8, STRAIT_NOW), 0); /* shorter than its place: padded */
    memset(in, 0xee, sizeof in);
    while (got < 2) {
        int r = strait_recv_array(rx, in[got], 16, 40, STRAIT_NOW);
        CHECK(r > 0);
        got += (uint32_t)r;
    }
    CHECK_IS(got, 2);
    CHECK(in[1][0] == 3 && in[1][1] == 0);

    CHECK_IS(strait_send(tx, out, 16, STRAIT_NOW), 0);
    CHECK_IS(strait_recv_array(rx, in, 8, 1, STRAIT_NOW), -EMSGSIZE); /* and stays */
    CHECK_IS(strait_recv_array(rx, in, 16, 1, STRAIT_NOW), 1);
    strait_tx_close(tx);
    tx = NULL;
    CHECK_IS(strait_recv_array(rx, in, 16, 1, STRAIT_FOREVER), -EPIPE);
}

static void an_array_sends_and_receives_what_fits(UNUSED_STATE)
{
    each_kind(array, (struct strait_channel_options){.depth = 64});
}

static void a_claim_is_written_in_place_and_committed_or_aborted(UNUSED_STATE)
{
    each_kind(in_place, (struct strait_channel_options){0});
}

static void a_claim_that_would_be_dropped_answers_1_and_gives_no_slot(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 4, .full = STRAIT_FULL_DROP_NEW};
    struct strait_claim claim = {0};

    channel(&o);
    fill();
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 1);
    CHECK(claim.data == NULL);
}

static void an_uncommitted_claim_stops_receivers_and_an_aborted_one_does_not(UNUSED_STATE)
{
    struct strait_tx *other;
    struct strait_claim claim;

    channel(NULL);
    CHECK_IS(strait_tx_open(s, "c", NULL, &other), 0);
    CHECK_IS(strait_claim(other, &claim, STRAIT_NOW), 0);
    CHECK_IS(send_text("behind", STRAIT_NOW), 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EAGAIN);
    strait_abort(other, &claim);
    expect("behind");
    strait_tx_close(other);
}

/* ---- signals ---- */

static void do_nothing(int sig)
{
    (void)sig;
}

static void send_into_the_full_channel(void *arg)
{
    struct strait_segment *mine;
    struct strait_tx *t;
    struct sigaction act = {.sa_handler = do_nothing};

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_tx_open(mine, "c", NULL, &t), 0);
    sigaction(SIGUSR1, &act, NULL);
    gate_open(arg);
    CHECK_IS(strait_send(t, "5", 1, STRAIT_FOREVER), -EINTR);
}

static void a_signal_handler_ends_the_wait_with_eintr(UNUSED_STATE)
{
    struct strait_channel_options o = {.depth = 4};
    gate *ready = shared_new(sizeof *ready);

    channel(&o);
    fill();
    pid_t pid = peer_start(send_into_the_full_channel, ready);
    gate_wait(ready);
    peer_await_sleep(pid);
    kill(pid, SIGUSR1);
    peer_join(pid);
    expect("0");
    CHECK_IS(send_text("6", STRAIT_NOW), 0);
    shared_free(ready, sizeof *ready);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(every_kind_carries_messages_and_tags_across_the_wrap_of_turns),
        HERE(messages_have_0_to_slot_bytes),
        HERE(policy_wait_waits_until_the_deadline),
        HERE(policy_fail_fails_at_once),
        HERE(policy_drop_new_drops_and_counts_the_new),
        HERE(policy_drop_oldest_drops_and_counts_the_oldest),
        HERE(a_full_channel_without_receivers_is_epipe_by_every_policy),
        HERE(a_batch_sends_and_receives_what_fits),
        HERE(an_array_sends_and_receives_what_fits),
        HERE(a_claim_is_written_in_place_and_committed_or_aborted),
        HERE(a_claim_that_would_be_dropped_answers_1_and_gives_no_slot),
        HERE(an_uncommitted_claim_stops_receivers_and_an_aborted_one_does_not),
        HERE(a_signal_handler_ends_the_wait_with_eintr),
    };
    return RUN(tests);
}
