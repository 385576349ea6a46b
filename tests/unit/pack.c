/* SPDX-License-Identifier: MIT */
/* Packed channels: several messages in one slot, received one after the other, whatever happens in between. */
#include "unit.h"

#include <stdio.h>
#include <strait/strait.h>

#include "attach.h"
#include "channel.h"
#include "endpoint.h"
#include "strait/ring_pack.h"
#include "verify.h"

enum { EACH = 8, IN_SLOT = 6, DEPTH = 4 };

static struct strait_segment *s;
static struct strait_tx *tx;
static struct strait_rx *rx;
static uint64_t next_sent, next_expected;

static int make(void **state)
{
    place_setup(state);
    CHECK_IS(strait_attach("x", NULL, &s), 0);
    next_sent = next_expected = 1;
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

static struct strait_channel_options options(unsigned ends)
{
    return (struct strait_channel_options){.slot_bytes = EACH * IN_SLOT,
                                           .depth = DEPTH,
                                           .packed = true,
                                           .senders = ends & 1 ? STRAIT_MANY : STRAIT_ONE,
                                           .receivers = ends & 2 ? STRAIT_MANY : STRAIT_ONE};
}

static void channel(const struct strait_channel_options *o)
{
    CHECK_IS(strait_tx_open(s, "c", o, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", o, &rx), 0);
}

/* One and many, on either side; each begins with an empty channel. */
static void again(unsigned ends)
{
    struct strait_channel_options o = options(ends);

    strait_tx_close(tx);
    strait_rx_close(rx);
    strait_channel_unlink(s, "c");
    channel(&o);
    next_sent = next_expected = 1;
}

static int send_array(uint32_t n)
{
    uint64_t values[64];
    int r;

    for (uint32_t i = 0; i < n; i++)
        values[i] = next_sent + i;
    r = strait_send_array(tx, 7, values, EACH, n, STRAIT_NOW);
    next_sent += r > 0 ? (uint32_t)r : 0;
    return r;
}

static void send_all(uint32_t n)
{
    CHECK_IS(send_array(n), (int)n);
}

static void expect(uint32_t attempts)
{
    struct strait_msg info;
    uint64_t value = 0;

    CHECK_IS(strait_recv_info(rx, &value, sizeof value, &info, STRAIT_NOW), EACH);
    CHECK_IS(value, next_expected);
    CHECK_IS(info.tag, 7);
    CHECK_IS(info.attempts, attempts);
    next_expected++;
}

static void expect_marked(uint32_t n, uint32_t attempts)
{
    while (n--)
        expect(attempts);
}

static void expect_many(uint32_t n)
{
    expect_marked(n, 0);
}

static void expect_nothing(void)
{
    uint64_t value;
    CHECK_IS(strait_recv(rx, &value, sizeof value, STRAIT_NOW), -EAGAIN);
}

static uint32_t slots(enum strait_slot_state state)
{
    uint32_t counts[8];
    strait_ring_count(&rx->endpoint->ends[0], counts);
    return counts[state];
}

static void tell(struct strait_verify *v, const struct strait_finding *f)
{
    (void)v;
    fprintf(stderr, "rule %d, slot %u: %#llx\n", f->rule, f->slot, (unsigned long long)f->value);
}

/* verify has nothing to say. */
static void check_sound(void)
{
    struct strait_verify v = {.found = tell};
    CHECK_IS(strait_verify(&s->map, &v), 0);
}

/* ---- alive ---- */

static void an_array_fills_slots_and_comes_out_one_by_one(UNUSED_STATE)
{
    for (unsigned ends = 0; ends < 4; ends++) {
        again(ends);
        send_all(2 * IN_SLOT + 3);
        CHECK_IS(slots(STRAIT_SLOT_READY), 3);
        check_sound();
        for (uint32_t i = 0; i < 2 * IN_SLOT + 3; i++) {
            expect(0);
            check_sound();
        }
        expect_nothing();
        CHECK_IS(slots(STRAIT_SLOT_FREE), DEPTH);
    }
}

static void an_array_that_does_not_fit_is_sent_in_part(UNUSED_STATE)
{
    for (unsigned ends = 0; ends < 4; ends++) {
        again(ends);
        CHECK_IS(send_array(DEPTH * IN_SLOT + 5), DEPTH * IN_SLOT);
        CHECK_IS(send_array(2), -EAGAIN);
        expect_many(IN_SLOT - 1);
        CHECK_IS(send_array(2), -EAGAIN); /* the first slot is not yet free */
        expect(0);
        CHECK_IS(send_array(9), IN_SLOT);
        expect_many(DEPTH * IN_SLOT);
        expect_nothing();
    }
}

static void an_array_is_received_in_any_pieces(UNUSED_STATE)
{
    uint64_t to[64];

    for (unsigned ends = 0; ends < 4; ends++) {
        again(ends);
        for (uint32_t piece = 1; piece < 16; piece++) {
            send_all(DEPTH * IN_SLOT);
            for (uint32_t left = DEPTH * IN_SLOT; left;) {
                int n = strait_recv_array(rx, to, EACH, piece, STRAIT_NOW);
                CHECK(n > 0 && n <= (int)piece);
                for (int i = 0; i < n; i++)
                    CHECK_IS(to[i], next_expected++);
                left -= (uint32_t)n;
            }
            expect_nothing();
        }
    }
}

static void single_messages_lie_between_packs(UNUSED_STATE)
{
    uint64_t value;

    for (unsigned ends = 0; ends < 4; ends++) {
        again(ends);
        value = next_sent++;
        CHECK_IS(strait_send_tagged(tx, 7, &value, sizeof value, STRAIT_NOW), 0);
        send_all(4);
        value = next_sent++;
        CHECK_IS(strait_send_tagged(tx, 7, &value, sizeof value, STRAIT_NOW), 0);
        expect_many(6);
        expect_nothing();
    }
}

static void shorter_and_longer_messages_are_told_apart(UNUSED_STATE)
{
    uint64_t to[64] = {9, 9};

    again(0);
    send_all(3);
    CHECK_IS(strait_recv(rx, to, 7, STRAIT_NOW), -EMSGSIZE);
    CHECK_IS(strait_recv_array(rx, to, 16, 1, STRAIT_NOW), 1); /* padded */
    CHECK_IS(to[0], 1);
    CHECK_IS(to[1], 0);
    CHECK_IS(strait_recv_array(rx, to, 4, 1, STRAIT_NOW), -EMSGSIZE);
    next_expected = 2;
    expect_many(2);
    CHECK_IS(strait_send_array(tx, 0, to, EACH * IN_SLOT + 1, 1, STRAIT_NOW), -EMSGSIZE);
    CHECK_IS(strait_send_array(tx, 0, to, 0, 300, STRAIT_NOW), 300); /* empty ones: 255 in a slot */
    CHECK_IS(slots(STRAIT_SLOT_READY), 2);
    for (int i = 0; i < 300; i++)
        CHECK_IS(strait_recv(rx, to, 8, STRAIT_NOW), 0);
    expect_nothing();
}

static void who_peeks_releases_before_it_goes_on(UNUSED_STATE)
{
    struct strait_msg msg, more;
    uint64_t value;

    for (unsigned ends = 0; ends < 4; ends++) {
        again(ends);
        send_all(3);
        for (uint64_t i = 1; i <= 3; i++) {
            CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
            CHECK_IS(msg.bytes, EACH);
            CHECK_IS(msg.tag, 7);
            CHECK(memcmp(msg.data, &i, sizeof i) == 0);
            CHECK_IS(strait_recv(rx, &value, sizeof value, STRAIT_NOW), -EBUSY);
            CHECK_IS(strait_recv_array(rx, &value, EACH, 1, STRAIT_NOW), -EBUSY);
            CHECK_IS(strait_peek(rx, &more, STRAIT_NOW), -ENOBUFS);
            more = msg;
            CHECK_IS(strait_release(rx, &msg), 0);
            CHECK_IS(strait_release(rx, &msg), -EINVAL);
            CHECK_IS(strait_release(rx, &more), -EINVAL);
            check_sound();
        }
        expect_nothing();
        CHECK_IS(slots(STRAIT_SLOT_FREE), DEPTH);
    }
}

static void who_closes_leaves_the_rest_to_others(UNUSED_STATE)
{
    for (unsigned ends = 0; ends < 4; ends++) {
        struct strait_channel_options o = options(ends);
        struct strait_rx *other = NULL;
        again(ends);
        if (ends & 2)
            CHECK_IS(strait_rx_open(s, "c", &o, &other), 0);
        send_all(5);
        expect_many(2);
        strait_rx_close(rx);
        rx = other;
        if (rx == NULL)
            CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
        check_sound();
        expect_marked(3, ends >> 1); /* where others receive, they may have had later ones by now */
        expect_nothing();
        check_sound();
    }
}

/* What comes back from a pack comes behind what was sent later: so all of it is marked. */
static void what_was_overtaken_is_marked(UNUSED_STATE)
{
    struct strait_channel_options o = options(3);
    struct strait_rx *other;
    struct strait_msg msg;

    channel(&o);
    CHECK_IS(strait_rx_open(s, "c", &o, &other), 0);
    send_all(4);
    send_all(1);
    expect(0);
    strait_rx_close(rx);
    rx = other;
    strait_try_recv(rx, &(uint64_t){0}, 8, &msg);
    CHECK_IS(msg.attempts, 1);
    next_expected = 3;
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
    CHECK_IS(msg.attempts, 1);
    CHECK_IS(strait_release(rx, &msg), 0);
    next_expected = 4;
    expect(1);
    expect(0);
}

/* A handle of the same process may yet give its pack back: that is no end for another one. */
static void a_pack_in_hands_is_not_the_end(UNUSED_STATE)
{
    struct strait_channel_options o = options(3);
    struct strait_rx *other;
    uint64_t value;

    channel(&o);
    CHECK_IS(strait_rx_open(s, "c", &o, &other), 0);
    send_all(3);
    expect(0);
    strait_tx_close(tx);
    tx = NULL;
    CHECK_IS(strait_recv(other, &value, sizeof value, STRAIT_NOW), -EAGAIN);
    strait_rx_close(rx);
    rx = other;
    expect_marked(2, 1);
    CHECK_IS(strait_recv(rx, &value, sizeof value, STRAIT_NOW), -EPIPE);
}

static void what_lies_there_is_counted(UNUSED_STATE)
{
    const uint32_t lying = 1 << STRAIT_SLOT_READY | 1 << STRAIT_SLOT_RETURNED;

    for (unsigned ends = 0; ends < 4; ends++) {
        again(ends);
        send_all(IN_SLOT + 2);
        send_all(1);
        CHECK_IS(strait_ring_messages(&rx->endpoint->ends[0], lying), IN_SLOT + 3);
        expect_many(IN_SLOT + 1);
        CHECK_IS(strait_ring_messages(&rx->endpoint->ends[0], lying | 1 << STRAIT_SLOT_TAKEN), 2);
        strait_ring_slot(&rx->end, IN_SLOT % DEPTH)->head = UINT64_MAX; /* nothing that a peer writes counts for much */
        CHECK(strait_ring_messages(&rx->endpoint->ends[0], lying) <= DEPTH);
    }
}

static void recv_many_goes_through_a_pack(UNUSED_STATE)
{
    uint64_t values[4];
    struct strait_in in[4];

    again(3);
    send_all(4);
    for (int i = 0; i < 4; i++)
        in[i] = (struct strait_in){.data = &values[i], .size = sizeof values[i]};
    for (int got = 0, r; got < 4; got += r) {
        r = strait_recv_many(rx, in + got, (uint32_t)(4 - got), STRAIT_NOW);
        CHECK(r > 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_IS(values[i], i + 1);
}

static void drop_oldest_counts_messages(UNUSED_STATE)
{
    struct strait_channel_options o = options(0);

    o.full = STRAIT_FULL_DROP_OLDEST;
    channel(&o);
    send_all(DEPTH * IN_SLOT);
    CHECK_IS(send_array(2), 2);
    CHECK_IS(rx->endpoint->view.shared->dropped_oldest, IN_SLOT);
    next_expected = IN_SLOT + 1;
    expect(0); /* a pack that is begun is not dropped: the new ones are */
    CHECK_IS(send_array(2), 1);
    CHECK_IS(rx->endpoint->view.shared->dropped_new, 1);
}

static void options_that_do_not_go_together_are_refused(UNUSED_STATE)
{
    struct strait_channel_options requests = {.packed = true, .replies = 1},
                                  window = {.packed = true, .peek_window = 2};

    CHECK_IS(strait_channel_create(s, "r", &requests), -EINVAL);
    CHECK_SAYS("packed");
    CHECK_IS(strait_channel_create(s, "w", &window), -EINVAL);
}

/* ---- after a death ---- */

struct stage {
    gate ready, never;
    struct strait_channel_options options;
    uint32_t received;
    bool peeks;
};

static void receive_and_wait(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *mine;
    struct strait_rx *r;
    struct strait_msg msg;
    uint64_t value;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_rx_open(mine, "c", &stage->options, &r), 0);
    for (uint32_t i = 0; i < stage->received; i++)
        CHECK_IS(strait_recv(r, &value, sizeof value, soon()), EACH);
    if (stage->peeks)
        CHECK_IS(strait_peek(r, &msg, soon()), 0);
    gate_open(&stage->ready);
    gate_wait(&stage->never);
}

/* Another receiver, instead of ours where there is one only, receives, perhaps peeks, and is killed. */
static void receiver_dies(unsigned ends, uint32_t received, bool peeks)
{
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid;

    if (!(ends & 2)) {
        strait_rx_close(rx);
        rx = NULL;
    }
    *stage = (struct stage){.options = options(ends), .received = received, .peeks = peeks};
    pid = peer_start(receive_and_wait, stage);
    gate_wait(&stage->ready);
    peer_kill(pid);
    if (rx == NULL)
        CHECK_IS(strait_rx_open(s, "c", &stage->options, &rx), 0);
    else
        CHECK_IS(strait_sweep_dead(s), 1);
    check_sound();
    shared_free(stage, sizeof *stage);
}

static void a_dead_receivers_pack_goes_on_where_it_stopped(UNUSED_STATE)
{
    for (unsigned ends = 0; ends < 4; ends++)
        for (int peeks = 0; peeks < 2; peeks++) {
            again(ends);
            send_all(5);
            receiver_dies(ends, 2, peeks);
            next_expected = 3;
            expect(1);                   /* it may have been seen; what comes behind it has not, */
            expect_marked(2, ends >> 1); /* but others may have had later ones */
            expect_nothing();
            check_sound();
        }
}

/* The one that kills becomes a letter, those behind it do not. */
static void only_the_message_that_kills_becomes_a_letter(UNUSED_STATE)
{
    struct strait_dead_letter letter;
    uint64_t value;

    again(2);
    send_all(3);
    for (unsigned deaths = 0; deaths < 3; deaths++) {
        CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 0, &letter, &value, sizeof value), -ENOENT);
        receiver_dies(2, 0, true);
    }
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 0, &letter, &value, sizeof value), EACH);
    CHECK_IS(value, 1);
    CHECK_IS(letter.tag, 7);
    CHECK_IS(letter.attempts, 3);
    CHECK_IS(letter.flags, 0);
    next_expected = 2;
    expect_marked(2, 1);
    expect_nothing();
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 1, &letter, &value, sizeof value), -ENOENT);
}

/* The marks of those that nobody has had are no attempts: each message survives max_attempts - 1 receivers of its own. */
static void a_mark_is_not_counted(UNUSED_STATE)
{
    struct strait_dead_letter letter;
    uint64_t value;

    again(2);
    send_all(3);
    for (uint32_t received = 0; received < 3; received++)
        for (unsigned deaths = 1; deaths < 3; deaths++) {
            receiver_dies(2, deaths == 1 && received,
                          true); /* past the one that the last two died of, and to the next */
            CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 0, &letter, &value, sizeof value), -ENOENT);
        }
    next_expected = 3;
    expect(2);
    expect_nothing();
}

static void the_last_of_a_pack_becomes_a_letter_and_the_slot_free(UNUSED_STATE)
{
    struct strait_dead_letter letter;
    uint64_t value;

    again(2);
    send_all(2);
    for (unsigned deaths = 0; deaths < 6; deaths++)
        receiver_dies(2, 0, true);
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 0, &letter, &value, sizeof value), EACH);
    CHECK_IS(value, 2);
    CHECK_IS(letter.part, 1);
    CHECK_IS(strait_channel_dead_letter(&rx->endpoint->view, 1, &letter, &value, sizeof value), EACH);
    CHECK_IS(value, 1);
    expect_nothing();
    CHECK_IS(slots(STRAIT_SLOT_FREE), DEPTH);
}

/* ---- hostile ---- */

static void heads_that_cannot_be_are_dropped(UNUSED_STATE)
{
    const uint64_t flags = (uint64_t)STRAIT_MSG_PACK << 48;
    const uint64_t heads[] = {
        flags,                                     /* no message */
        flags | 8 | 7 << 16,                       /* more than fit */
        flags | 0xFFFF | 255 << 16,                /* far more */
        flags | 8 | 2 << 16 | 2 << 24,             /* none left */
        flags | 8 | 2 << 16 | UINT64_C(255) << 24, /* behind the end */
        flags | 8 | 2 << 16 | (uint64_t)STRAIT_MSG_REQUEST << 48,
    };
    uint64_t value[64];
    struct strait_msg msg;

    for (unsigned ends = 0; ends < 4; ends++)
        for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
            for (int how = 0; how < 3; how++) {
                again(ends);
                send_all(2);
                strait_ring_slot(&rx->end, rx->end.cursor)->head = heads[i];
                int64_t r = how == 0   ? strait_recv(rx, value, sizeof value, STRAIT_NOW)
                            : how == 1 ? strait_peek(rx, &msg, STRAIT_NOW)
                                       : strait_recv_array(rx, value, EACH, 64, STRAIT_NOW);
                CHECK_IS(r, -EBADMSG);
                expect_nothing();
                CHECK_IS(slots(STRAIT_SLOT_FREE), DEPTH);
            }
}

static void a_pack_is_nothing_on_a_plain_channel(UNUSED_STATE)
{
    struct strait_channel_options o = options(0);
    uint64_t value;

    o.packed = false;
    channel(&o);
    send_all(1);
    strait_ring_slot(&rx->end, rx->end.cursor)->head = strait_pack_head(EACH, 2, 0);
    CHECK_IS(strait_recv(rx, &value, sizeof value, STRAIT_NOW), -EBADMSG);
}

/* What a peer changes after our look does not move us. */
static void a_head_is_read_once(UNUSED_STATE)
{
    again(0);
    send_all(3);
    expect(0);
    rx->pack.slot->head = (uint64_t)STRAIT_MSG_PACK << 48 | 0xFFFF | 255 << 16;
    expect_many(2);
    expect_nothing();
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(an_array_fills_slots_and_comes_out_one_by_one),
        HERE(an_array_that_does_not_fit_is_sent_in_part),
        HERE(an_array_is_received_in_any_pieces),
        HERE(single_messages_lie_between_packs),
        HERE(shorter_and_longer_messages_are_told_apart),
        HERE(who_peeks_releases_before_it_goes_on),
        HERE(who_closes_leaves_the_rest_to_others),
        HERE(a_pack_in_hands_is_not_the_end),
        HERE(what_was_overtaken_is_marked),
        HERE(what_lies_there_is_counted),
        HERE(recv_many_goes_through_a_pack),
        HERE(drop_oldest_counts_messages),
        HERE(options_that_do_not_go_together_are_refused),
        HERE(a_dead_receivers_pack_goes_on_where_it_stopped),
        HERE(only_the_message_that_kills_becomes_a_letter),
        HERE(a_mark_is_not_counted),
        HERE(the_last_of_a_pack_becomes_a_letter_and_the_slot_free),
        HERE(heads_that_cannot_be_are_dropped),
        HERE(a_pack_is_nothing_on_a_plain_channel),
        HERE(a_head_is_read_once),
    };
    return RUN(tests);
}
