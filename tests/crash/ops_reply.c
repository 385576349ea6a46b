/* SPDX-License-Identifier: MIT */
/* Requests and answers. The survivor is the other side; where both sides are needed before the window, the actor plays
 * them both, or brings a helper that outlives it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"

#define JOB(who)    LEDGER_VALUE(20 + (who), 1)
#define ANSWER(who) LEDGER_VALUE(30 + (who), 1)
#define SURVIVOR    9
#define OBSERVER    40

static bool refused(struct stage *st, const char *what, int64_t r)
{
    return stage_fail(st, r == -ETIMEDOUT ? VERDICT_HUNG : VERDICT_BROKEN, "%s: %s", what, strait_strerror((int)r));
}

/* ---- both sides, in small steps ---- */

static int request(int who, struct strait_reply_rx *reply)
{
    uint32_t bytes = ledger_write(JOB(who), me.buffer[0]);
    return strait_request(me.tx, 1, me.buffer[0], bytes, STRAIT_FOREVER, reply, STRAIT_NOW);
}

/* Takes the next request. 0 or -errno; a message that is none is broken. */
static int take(struct stage *st)
{
    int r = strait_peek(me.rx, &me.msg, STRAIT_NOW);
    if (r == 0 && (!(me.msg.flags & STRAIT_MSG_REQUEST) || ledger_read(me.msg.data, me.msg.bytes) == 0))
        stage_fail(st, VERDICT_TORN, "a request came torn");
    return r;
}

static int answer(int who, uint16_t flags)
{
    uint32_t bytes = ledger_write(ANSWER(who), me.buffer[1]);
    return strait_answer_send(&me.answer, 2, flags, me.buffer[1], bytes, strait_after_ns(CAST_WAIT_NS));
}

/* The survivor as a worker: whatever requests are there are answered or found to be nobody's. */
static bool serve_all(struct stage *st, int *answered)
{
    int r;
    while ((r = take(st)) == 0) {
        r = strait_answer_accept(me.rx, &me.msg, &me.answer);
        if (r == 0) {
            r = answer(SURVIVOR, STRAIT_MSG_LAST);
            *answered += r == 0;
        }
        if (r < 0 && r != -EPIPE && r != -EALREADY)
            return refused(st, "accept and answer", r);
        if ((r = strait_release(me.rx, &me.msg)) < 0)
            return refused(st, "release", r);
    }
    return r == -EAGAIN || r == -EPIPE || refused(st, "peek", r);
}

/* Reads an answer to its last part; the value of that part, 0 with a verdict. */
static uint64_t read_answer(struct stage *st, struct strait_reply_rx *reply, bool *restarted)
{
    for (;;) {
        struct strait_msg info;
        int64_t r = strait_reply_recv(reply, me.buffer[2], LEDGER_PAYLOAD, &info, strait_after_ns(CAST_WAIT_NS));
        if (r < 0)
            return refused(st, "receive an answer", r), 0;
        uint64_t value = ledger_read(me.buffer[2], (uint32_t)r);
        if (!value)
            return stage_fail(st, VERDICT_TORN, "an answer came torn"), 0;
        *restarted = *restarted || (info.flags & STRAIT_MSG_RESTART);
        if (info.flags & STRAIT_MSG_LAST)
            return value;
    }
}

/* A whole call by the survivor alone: every reply can be had again. */
static bool calls_work(struct stage *st, const struct setting *s)
{
    for (uint32_t i = 0; i < s->replies + 1; i++) {
        struct strait_reply_rx reply;
        bool restarted = false;
        int answered = 0, r = request(SURVIVOR, &reply);
        if (r < 0)
            return refused(st, "the next request", r);
        if (!serve_all(st, &answered))
            return false;
        if (read_answer(st, &reply, &restarted) != ANSWER(SURVIVOR))
            return stage_fail(st, VERDICT_BROKEN, "the next answer is not the one that was sent");
        strait_reply_close(&reply);
    }
    return true;
}

/* After a caller's death: its requests are served or nobody's, its replies free. */
static bool look_caller(struct stage *st, const struct setting *s, int who)
{
    int answered = 0;
    (void)who;
    if (!cast_open(st, s, ROLE_SENDER | ROLE_RECEIVER) || !serve_all(st, &answered))
        return false;
    int r = strait_sweep_dead(me.segment);
    return (r >= 0 || refused(st, "sweep", r)) && serve_all(st, &answered) && calls_work(st, s);
}

/* ---- the caller dies ---- */

static int act_request(struct stage *st, int who)
{
    (void)st;
    return request(who, &me.reply);
}

static void judge_good(struct stage *st, int who, struct ledger *l)
{
    (void)l;
    if (st->actor[who].returned && st->actor[who].result < 0)
        refused(st, "the operation", st->actor[who].result);
}

const struct operation op_request = {
    .row = "request", .roles = ROLE_SENDER, .act = act_request, .judge = judge_good, .look = look_caller};

/* The actor asks and answers itself. */
static bool enter_answered(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    int r = request(who, &me.reply);
    if (r == 0)
        r = take(st);
    if (r == 0)
        r = strait_answer_accept(me.rx, &me.msg, &me.answer);
    if (r == 0)
        r = answer(who, STRAIT_MSG_LAST);
    if (r == 0)
        r = strait_release(me.rx, &me.msg);
    return r == 0 || refused(st, "ask and answer", r);
}

static int act_reply_recv(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return (int)strait_reply_recv(&me.reply, me.buffer[2], LEDGER_PAYLOAD, NULL, STRAIT_NOW);
}

static void after_reply_recv(struct stage *st, int who)
{
    int r = st->actor[who].result;
    if (r < 0 || ledger_read(me.buffer[2], (uint32_t)r) != ANSWER(who))
        refused(st, "receive an answer", r);
}

const struct operation op_reply_recv = {.row = "receive an answer",
                                        .roles = ROLE_SENDER | ROLE_RECEIVER,
                                        .enter = enter_answered,
                                        .act = act_reply_recv,
                                        .after = after_reply_recv,
                                        .look = look_caller};

static int act_reply_close(struct stage *st, int who)
{
    (void)st;
    (void)who;
    strait_reply_close(&me.reply);
    return 0;
}

const struct operation op_reply_close = {.row = "close a reply",
                                         .roles = ROLE_SENDER | ROLE_RECEIVER,
                                         .enter = enter_answered,
                                         .act = act_reply_close,
                                         .look = look_caller};

/* A worker that is at it when its caller closes or dies. It outlives the actor and answers when the fates are decided. */
static void helper(struct stage *st, const struct setting *s)
{
    struct actor *a = &st->actor[0];
    memset(&me, 0, sizeof(me));
    if (!cast_attach(st, STRAIT_OPEN_ONLY) || !cast_open(st, s, ROLE_RECEIVER))
        _exit(1);
    gate_open((uint32_t *)(void *)&a->facts[5]);
    if (strait_peek(me.rx, &me.msg, strait_after_ns(20 * CAST_WAIT_NS)) != 0 ||
        strait_answer_accept(me.rx, &me.msg, &me.answer) != 0)
        _exit(1);
    gate_open((uint32_t *)(void *)&a->facts[6]);
    gate_wait(&st->go, UINT64_MAX / 2);
    int r = answer(0, STRAIT_MSG_LAST);
    if (r != 0 && r != -EPIPE)
        refused(st, "answer", r);
    strait_release(me.rx, &me.msg);
    cast_leave();
    gate_open((uint32_t *)(void *)&a->facts[7]);
    _exit(0);
}

static bool enter_busy(struct stage *st, const struct setting *s, int who)
{
    struct actor *a = &st->actor[who];
    pid_t pid = fork();
    if (pid == 0)
        helper(st, s);
    st->orphan = pid;
    if (pid < 0 || !gate_wait((uint32_t *)(void *)&a->facts[5], 20 * CAST_WAIT_NS))
        return false;
    int r = request(who, &me.reply);
    if (r < 0)
        return refused(st, "request", r);
    return gate_wait((uint32_t *)(void *)&a->facts[6], 20 * CAST_WAIT_NS);
}

static bool look_busy(struct stage *st, const struct setting *s, int who)
{
    if (!gate_wait((uint32_t *)(void *)&st->actor[who].facts[7], 5 * CAST_WAIT_NS))
        return stage_fail(st, VERDICT_HUNG, "the worker of a dead caller does not get done");
    return look_caller(st, s, who);
}

const struct operation op_reply_close_busy = {.row = "close a reply that is being answered",
                                              .roles = ROLE_SENDER,
                                              .takes = ROLE_RECEIVER, /* the helper's */
                                              .enter = enter_busy,
                                              .act = act_reply_close,
                                              .look = look_busy};

/* ---- the worker dies ---- */

/* The survivor is the caller. Its request was sent when the scene was prepared, by play_prepare_call. */
static bool look_worker(struct stage *st, const struct setting *s, int who)
{
    bool restarted = false, said = st->actor[who].facts[2] && st->actor[who].returned;
    int answered = 0;
    if (!cast_open(st, s, ROLE_SENDER | ROLE_RECEIVER) || !serve_all(st, &answered))
        return false;
    int r = strait_sweep_dead(me.segment);
    if (r < 0)
        return refused(st, "sweep", r);
    if (!serve_all(st, &answered))
        return false;
    uint64_t value = read_answer(st, &me.reply, &restarted);
    if (!value)
        return false;
    if (value != ANSWER(who) && value != ANSWER(SURVIVOR))
        return stage_fail(st, VERDICT_TORN, "an answer is nobody's");
    if (said && value != ANSWER(who))
        return stage_fail(st, VERDICT_LOST, "a finished answer was replaced by another");
    if (value == ANSWER(SURVIVOR) && !restarted)
        return stage_fail(st, VERDICT_BROKEN, "a second worker's answer is not marked RESTART");
    strait_reply_close(&me.reply);
    return calls_work(st, s);
}

bool play_prepare_call(struct stage *st)
{
    return request(SURVIVOR, &me.reply) == 0 || stage_fail(st, VERDICT_BROKEN, "request");
}

static bool enter_taken(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    (void)who;
    int r = take(st);
    return r == 0 || refused(st, "peek a request", r);
}

static int act_accept(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_answer_accept(me.rx, &me.msg, &me.answer);
}

const struct operation op_accept = {.row = "accept a request",
                                    .roles = ROLE_RECEIVER,
                                    .calls = true,
                                    .enter = enter_taken,
                                    .act = act_accept,
                                    .judge = judge_good,
                                    .look = look_worker};

static bool enter_accepted(struct stage *st, const struct setting *s, int who)
{
    int r = enter_taken(st, s, who) ? strait_answer_accept(me.rx, &me.msg, &me.answer) : -EPROTO;
    me.bytes[1] = ledger_write(ANSWER(who), me.buffer[1]);
    return r == 0 || refused(st, "accept", r);
}

static int act_answer(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_answer_send(&me.answer, 2, STRAIT_MSG_LAST, me.buffer[1], me.bytes[1], STRAIT_NOW);
}

static void after_answer(struct stage *st, int who)
{
    st->actor[who].facts[2] = st->actor[who].result == 0;
}

const struct operation op_answer = {.row = "answer, the last part",
                                    .roles = ROLE_RECEIVER,
                                    .calls = true,
                                    .enter = enter_accepted,
                                    .act = act_answer,
                                    .after = after_answer,
                                    .judge = judge_good,
                                    .look = look_worker};

static int act_answer_part(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_answer_send(&me.answer, 2, 0, me.buffer[1], me.bytes[1], STRAIT_NOW);
}

const struct operation op_answer_part = {.row = "answer, a part",
                                         .roles = ROLE_RECEIVER,
                                         .calls = true,
                                         .enter = enter_accepted,
                                         .act = act_answer_part,
                                         .judge = judge_good,
                                         .look = look_worker};

static bool enter_answered_call(struct stage *st, const struct setting *s, int who)
{
    if (!enter_accepted(st, s, who))
        return false;
    int r = act_answer(st, who);
    st->actor[who].facts[2] = r == 0;
    return r == 0 || refused(st, "answer", r);
}

static int act_answer_release(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_release(me.rx, &me.msg);
}

const struct operation op_answer_release = {.row = "release an answered request",
                                            .roles = ROLE_RECEIVER,
                                            .calls = true,
                                            .enter = enter_answered_call,
                                            .act = act_answer_release,
                                            .judge = judge_good,
                                            .look = look_worker};

/* ---- the sweeper dies over a dead worker ---- */

static bool take_and_accept(struct stage *st)
{
    return take(st) == 0 && strait_answer_accept(me.rx, &me.msg, &me.answer) == 0;
}

static bool enter_dead_worker(struct stage *st, const struct setting *s, int who)
{
    (void)who;
    return play_dead(st, s, ROLE_RECEIVER, take_and_accept);
}

static int act_sweep(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_sweep_dead(me.segment);
}

const struct operation op_sweep_worker = {.row = "sweep, of a worker",
                                          .takes = ROLE_RECEIVER,
                                          .calls = true,
                                          .enter = enter_dead_worker,
                                          .act = act_sweep,
                                          .judge = judge_good,
                                          .look = look_worker};
