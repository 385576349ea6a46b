/* SPDX-License-Identifier: MIT */
/* A receiver that is in the middle of a pack: what it has received does not come again, what lies behind comes. */
#include "cast.h"

#define OBSERVER(who) (10u + (uint32_t)(who))

static bool receive_first(struct stage *st, uint32_t observer)
{
    int64_t r = strait_recv(me.rx, me.buffer[0], LEDGER_PAYLOAD, STRAIT_NOW);
    ledger_see(ledger_of(st), r < 0 ? 0 : ledger_read(me.buffer[0], (uint32_t)r), 0, observer);
    return r >= 0;
}

static bool enter_amid(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    return receive_first(st, OBSERVER(who)) || stage_fail(st, VERDICT_BROKEN, "the pack cannot be begun");
}

/* Of what comes behind the first message, as many as the cut call may have had. */
static void judge_cut(struct stage *st, int who, struct ledger *l, uint32_t most)
{
    const struct actor *a = &st->actor[who];
    for (uint32_t i = 1; i <= most && i < l->entries_n && !a->returned; i++)
        l->entries[i].least = 0;
    if (a->returned && a->result < 0)
        stage_fail(st, VERDICT_BROKEN, "actor %d: %s in mid-pack", who, strait_strerror(a->result));
}

static void judge_recv(struct stage *st, int who, struct ledger *l)
{
    judge_cut(st, who, l, 1);
}

const struct operation op_recv_amid = {.row = "recv, in mid-pack",
                                       .roles = ROLE_RECEIVER,
                                       .amid = true,
                                       .enter = enter_amid,
                                       .act = act_recv,
                                       .after = after_recv,
                                       .judge = judge_recv};

static void judge_recv_array(struct stage *st, int who, struct ledger *l)
{
    judge_cut(st, who, l, CAST_BATCH);
}

const struct operation op_recv_array_amid = {.row = "recv_array, in mid-pack",
                                             .roles = ROLE_RECEIVER,
                                             .amid = true,
                                             .enter = enter_amid,
                                             .act = act_recv_array,
                                             .after = after_recv_array,
                                             .judge = judge_recv_array};

const struct operation op_peek_amid = {.row = "peek, in mid-pack",
                                       .roles = ROLE_RECEIVER,
                                       .amid = true,
                                       .enter = enter_amid,
                                       .act = act_peek,
                                       .after = after_peek,
                                       .leave = leave_peek,
                                       .judge = judge_peek};

static bool enter_peeked(struct stage *st, const struct setting *s, int who)
{
    if (!enter_amid(st, s, who) || strait_peek(me.rx, &me.msg, STRAIT_NOW) < 0)
        return stage_fail(st, VERDICT_BROKEN, "nothing to be peeked in mid-pack");
    st->actor[who].facts[0] = ledger_read(me.msg.data, me.msg.bytes);
    return true;
}

const struct operation op_release_amid = {.row = "release, in mid-pack",
                                          .roles = ROLE_RECEIVER,
                                          .amid = true,
                                          .enter = enter_peeked,
                                          .act = act_release,
                                          .after = after_release,
                                          .judge = judge_release};

const struct operation op_rx_close_amid = {.row = "close a receiver, in mid-pack",
                                           .roles = ROLE_RECEIVER,
                                           .amid = true,
                                           .enter = enter_amid,
                                           .act = act_rx_close};

static bool peek_second(struct stage *st)
{
    return receive_first(st, OBSERVER(1)) && strait_peek(me.rx, &me.msg, STRAIT_NOW) == 0;
}

static bool enter_dead_peeker(struct stage *st, const struct setting *s, int who)
{
    (void)who;
    return play_dead(st, s, ROLE_RECEIVER, peek_second);
}

static int act_sweep(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_sweep_dead(me.segment);
}

const struct operation op_sweep_letter_amid = {.row = "sweep, of a last attempt in mid-pack",
                                               .takes = ROLE_RECEIVER,
                                               .amid = true,
                                               .max_attempts = 1,
                                               .enter = enter_dead_peeker,
                                               .act = act_sweep,
                                               .look = look_letters};
