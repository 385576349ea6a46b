/* SPDX-License-Identifier: MIT */
/* The operations of a channel, each with its line of the contract (judge). */
#include <errno.h>
#include <string.h>

#include "cast.h"

#define OBSERVER(who) (10u + (uint32_t)(who))

/* ---- what the judges share ---- */

static void broken(struct stage *st, int who, const char *what)
{
    stage_fail(st, VERDICT_BROKEN, "actor %d: %s: %s", who, what, strait_strerror(st->actor[who].result));
}

/* A value whose sending was cut: whole or not at all. */
static struct ledger_entry *maybe(struct ledger *l, uint64_t value)
{
    struct ledger_entry *e = ledger_expect(l, value);
    e->least = 0;
    return e;
}

/* The oldest unread message is the one that drop-oldest drops. */
static void oldest_dropped(struct ledger *l, bool surely)
{
    if (l->entries_n == 0)
        return;
    l->entries[0].least = 0;
    if (surely)
        l->entries[0].most = 0;
}

static bool is_pair(const struct stage *st)
{
    return st->actor[1].fate != FATE_OPEN;
}

static void judge_send(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    uint32_t n = l->entries_n;
    struct ledger_entry *e = maybe(l, CAST_VALUE(who, 0));
    if (!a->returned || is_pair(st)) { /* the oldest may be gone, for a message that was never finished */
        if (n == 4 || is_pair(st))
            l->slack += l->drops;
    } else if (a->result == 1 && l->drops) {
        oldest_dropped(l, true);
    }
    if (!a->returned)
        return;
    if (a->result == 0 || (a->result == 1 && l->drops && !is_pair(st)))
        e->least = 1;
    else if (a->result < 0)
        e->most = 0;
}

static int send_values(int who, uint32_t n, uint64_t deadline_ns)
{
    for (uint32_t i = 0; i < n; i++)
        me.out[i] = (struct strait_out){me.buffer[i], me.bytes[i], (uint16_t)CAST_VALUE(who, i)};
    return n == 1 ? strait_send_tagged(me.tx, me.out[0].tag, me.buffer[0], me.bytes[0], deadline_ns)
                  : strait_send_many(me.tx, me.out, n, deadline_ns);
}

/* Payloads are made outside the window. */
static bool enter_send(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    (void)st;
    for (uint32_t i = 0; i < CAST_BATCH; i++)
        me.bytes[i] = ledger_write(CAST_VALUE(who, i), me.buffer[i]);
    return true;
}

static int act_send(struct stage *st, int who)
{
    (void)st;
    return send_values(who, 1, STRAIT_NOW);
}

const struct operation op_send = {
    .row = "send", .roles = ROLE_SENDER, .enter = enter_send, .act = act_send, .judge = judge_send};

/* Long enough to go to sleep, short enough to be stepped through. */
static int act_send_blocked(struct stage *st, int who)
{
    (void)st;
    return send_values(who, 1, strait_after_ns(20000000));
}

const struct operation op_send_blocked = {
    .row = "send, waiting", .roles = ROLE_SENDER, .enter = enter_send, .act = act_send_blocked, .judge = judge_send};

static int act_send_many(struct stage *st, int who)
{
    (void)st;
    return send_values(who, CAST_BATCH, STRAIT_NOW);
}

/* Each message whole or not at all, and none before an earlier one. */
static void judge_send_many(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    for (uint32_t i = 0; i < CAST_BATCH; i++) {
        struct ledger_entry *e = maybe(l, CAST_VALUE(who, i));
        if (a->returned && (int)i < a->result)
            e->least = 1;
        else if (a->returned)
            e->most = 0;
    }
}

const struct operation op_send_many = {
    .row = "send_many", .roles = ROLE_SENDER, .enter = enter_send, .act = act_send_many, .judge = judge_send_many};

/* An array has messages of one length: the i-th value of this actor that is as long as any. */
static uint64_t array_value(int who, uint32_t i)
{
    unsigned char scratch[LEDGER_PAYLOAD];
    for (uint32_t at = 0;; at++) {
        uint64_t value = CAST_VALUE(who, at);
        if (ledger_write(value, scratch) == LEDGER_PAYLOAD && i-- == 0)
            return value;
    }
}

static bool enter_send_array(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    (void)st;
    for (uint32_t i = 0; i < CAST_BATCH; i++)
        ledger_write(array_value(who, i), me.buffer[i]);
    return true;
}

static int act_send_array(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_send_array(me.tx, CAST_ARRAY_TAG, me.buffer, LEDGER_PAYLOAD, CAST_BATCH, STRAIT_NOW);
}

static void judge_send_array(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    if (is_pair(st)) /* drop-oldest: its first message may have taken the place of the oldest */
        l->slack += l->drops;
    for (uint32_t i = 0; i < CAST_BATCH; i++) {
        struct ledger_entry *e = maybe(l, array_value(who, i));
        if (a->returned && (int)i < a->result)
            e->least = 1;
        else if (a->returned)
            e->most = 0;
    }
}

const struct operation op_send_array = {.row = "send_array",
                                        .roles = ROLE_SENDER,
                                        .enter = enter_send_array,
                                        .act = act_send_array,
                                        .judge = judge_send_array};

/* ---- claim, commit, abort ---- */

static int act_claim(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_claim(me.tx, &me.claim, STRAIT_NOW);
}

static void leave_claim(struct stage *st, int who)
{
    (void)st;
    (void)who;
    strait_abort(me.tx, &me.claim);
}

/* Nobody ever sees it; with drop-oldest the oldest may have made room for it. */
static void judge_claim(struct stage *st, int who, struct ledger *l)
{
    (void)st;
    (void)who;
    l->slack += l->drops;
}

const struct operation op_claim = {
    .row = "claim", .roles = ROLE_SENDER, .act = act_claim, .leave = leave_claim, .judge = judge_claim};

static bool enter_claimed(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    int r = strait_claim(me.tx, &me.claim, STRAIT_NOW);
    if (r < 0)
        return stage_fail(st, VERDICT_BROKEN, "claim: %s", strait_strerror(r));
    me.bytes[0] = ledger_write(CAST_VALUE(who, 0), me.claim.data);
    return true;
}

static int act_commit(struct stage *st, int who)
{
    (void)st;
    return strait_commit(me.tx, &me.claim, (uint16_t)CAST_VALUE(who, 0), me.bytes[0]);
}

static void judge_commit(struct stage *st, int who, struct ledger *l)
{
    struct ledger_entry *e = maybe(l, CAST_VALUE(who, 0));
    if (st->actor[who].returned)
        e->least = 1;
    if (st->actor[who].returned && st->actor[who].result)
        broken(st, who, "commit");
}

const struct operation op_commit = {
    .row = "commit", .roles = ROLE_SENDER, .enter = enter_claimed, .act = act_commit, .judge = judge_commit};

static int act_abort(struct stage *st, int who)
{
    (void)st;
    (void)who;
    strait_abort(me.tx, &me.claim);
    return 0;
}

const struct operation op_abort = {.row = "abort", .roles = ROLE_SENDER, .enter = enter_claimed, .act = act_abort};

/* ---- receiving ---- */

static int receive_into(uint32_t n, uint64_t deadline_ns)
{
    for (uint32_t i = 0; i < n; i++)
        me.in[i] = (struct strait_in){.data = me.buffer[i], .size = LEDGER_PAYLOAD};
    if (n > 1)
        return strait_recv_many(me.rx, me.in, n, deadline_ns);
    int64_t r = strait_recv(me.rx, me.buffer[0], LEDGER_PAYLOAD, deadline_ns);
    me.in[0].bytes = (uint32_t)r;
    return r < 0 ? (int)r : 1;
}

/* What was received goes into the books: it must not come again. */
void after_recv(struct stage *st, int who)
{
    for (int i = 0; i < st->actor[who].result; i++)
        ledger_see(ledger_of(st), ledger_read(me.buffer[i], me.in[i].bytes), 0, OBSERVER(who));
}

int act_recv(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return receive_into(1, STRAIT_NOW);
}

/* Cut: the message is lost with its receiver, or comes again. Returned: it does not come again. */
static void judge_recv(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    if (!a->returned)
        l->slack += 1;
    else if (a->result < 0 && l->entries_n && !is_pair(st))
        broken(st, who, "nothing received where a message was");
}

const struct operation op_recv = {
    .row = "recv", .roles = ROLE_RECEIVER, .act = act_recv, .after = after_recv, .judge = judge_recv};

static int act_recv_blocked(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return receive_into(1, strait_after_ns(20000000));
}

const struct operation op_recv_blocked = {
    .row = "recv, waiting", .roles = ROLE_RECEIVER, .act = act_recv_blocked, .after = after_recv, .judge = judge_recv};

static int act_recv_many(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return receive_into(CAST_BATCH, STRAIT_NOW);
}

static void judge_recv_many(struct stage *st, int who, struct ledger *l)
{
    if (!st->actor[who].returned)
        l->slack += CAST_BATCH;
}

const struct operation op_recv_many = {
    .row = "recv_many", .roles = ROLE_RECEIVER, .act = act_recv_many, .after = after_recv, .judge = judge_recv_many};

int act_recv_array(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_recv_array(me.rx, me.buffer, LEDGER_PAYLOAD, CAST_BATCH, STRAIT_NOW);
}

/* Shorter messages are padded, so each says itself how long it is. */
void after_recv_array(struct stage *st, int who)
{
    for (int i = 0; i < st->actor[who].result; i++) {
        uint64_t value = 0;
        for (uint32_t bytes = 8; bytes <= LEDGER_PAYLOAD && value == 0; bytes++)
            value = ledger_read(me.buffer[i], bytes);
        ledger_see(ledger_of(st), value, 0, OBSERVER(who));
    }
}

const struct operation op_recv_array = {.row = "recv_array",
                                        .roles = ROLE_RECEIVER,
                                        .act = act_recv_array,
                                        .after = after_recv_array,
                                        .judge = judge_recv_many};

/* ---- peek, release ---- */

int act_peek(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_peek(me.rx, &me.msg, STRAIT_NOW);
}

void after_peek(struct stage *st, int who)
{
    struct actor *a = &st->actor[who];
    if (a->result == 0)
        a->facts[0] = ledger_read(me.msg.data, me.msg.bytes);
}

void leave_peek(struct stage *st, int who)
{
    if (st->actor[who].result)
        return;
    ledger_see(ledger_of(st), ledger_read(me.msg.data, me.msg.bytes), 0, OBSERVER(who));
    strait_release(me.rx, &me.msg);
}

/* Never lost; once peek has returned, the next receiver is told. */
void judge_peek(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    struct ledger_entry *e = a->facts[0] ? ledger_find(l, a->facts[0]) : NULL;
    if (a->fate == FATE_RAN && e)
        e->attempts_least = e->attempts_most = 1;
    if (a->returned && a->result < 0 && l->entries_n && !is_pair(st))
        broken(st, who, "nothing peeked where a message was");
}

const struct operation op_peek = {.row = "peek",
                                  .roles = ROLE_RECEIVER,
                                  .act = act_peek,
                                  .after = after_peek,
                                  .leave = leave_peek,
                                  .judge = judge_peek};

static bool enter_peeked(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    int r = strait_peek(me.rx, &me.msg, STRAIT_NOW);
    if (r < 0)
        return stage_fail(st, VERDICT_BROKEN, "peek: %s", strait_strerror(r));
    st->actor[who].facts[0] = ledger_read(me.msg.data, me.msg.bytes);
    return true;
}

int act_release(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_release(me.rx, &me.msg);
}

void after_release(struct stage *st, int who)
{
    ledger_see(ledger_of(st), st->actor[who].facts[0], 0, OBSERVER(who));
}

/* Cut: given back, or comes again with the mark. */
void judge_release(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    struct ledger_entry *e = ledger_find(l, a->facts[0]);
    if (!a->returned && e) {
        e->least = 0;
        e->attempts_least = e->attempts_most = 1;
    }
}

const struct operation op_release = {.row = "release",
                                     .roles = ROLE_RECEIVER,
                                     .enter = enter_peeked,
                                     .act = act_release,
                                     .after = after_release,
                                     .judge = judge_release};

/* ---- endpoints ---- */

static int act_tx_close(struct stage *st, int who)
{
    (void)st;
    (void)who;
    strait_tx_close(me.tx);
    me.tx = NULL;
    return 0;
}

const struct operation op_tx_close = {
    .row = "close a sender", .roles = ROLE_SENDER, .alone = true, .act = act_tx_close};

int act_rx_close(struct stage *st, int who)
{
    (void)st;
    (void)who;
    strait_rx_close(me.rx);
    me.rx = NULL;
    return 0;
}

const struct operation op_rx_close = {
    .row = "close a receiver", .roles = ROLE_RECEIVER, .alone = true, .act = act_rx_close};

static int act_tx_open(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_tx_open(me.segment, CAST_CHANNEL, NULL, &me.tx);
}

static void judge_open(struct stage *st, int who, struct ledger *l)
{
    (void)l;
    if (st->actor[who].returned && st->actor[who].result && !is_pair(st))
        broken(st, who, "open");
}

const struct operation op_tx_open = {
    .row = "open a sender", .takes = ROLE_SENDER, .act = act_tx_open, .judge = judge_open};

static int act_rx_open(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_rx_open(me.segment, CAST_CHANNEL, NULL, &me.rx);
}

const struct operation op_rx_open = {
    .row = "open a receiver", .takes = ROLE_RECEIVER, .act = act_rx_open, .judge = judge_open};

static int act_shut(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_channel_shut(me.segment, CAST_CHANNEL);
}

static void judge_shut(struct stage *st, int who, struct ledger *l)
{
    l->closed = st->actor[who].returned ? 2 : 1;
    if (st->actor[who].returned && st->actor[who].result)
        broken(st, who, "close the channel");
}

const struct operation op_shut = {.row = "close the channel", .act = act_shut, .judge = judge_shut};
