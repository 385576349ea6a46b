/* SPDX-License-Identifier: MIT */
/* Requests and answers, both sides; and what each notices of the other's going. */
#include "unit.h"

#include <strait/strait.h>

#include "reply.h"

#include "endpoint.h"

static struct strait_segment *s;
static struct strait_tx *tx;
static struct strait_rx *rx;
static struct strait_reply_rx reply;
static struct strait_msg job;
static struct strait_answer answer;
static char text[64];

static int make(void **state)
{
    struct strait_channel_options o = {
        .depth = 4, .replies = 2, .reply_bytes = 16, .reply_depth = 2, .max_attempts = 2};

    place_setup(state);
    CHECK_IS(strait_attach("x", NULL, &s), 0);
    CHECK_IS(strait_tx_open(s, "c", &o, &tx), 0);
    CHECK_IS(strait_rx_open(s, "c", &o, &rx), 0);
    return 0;
}

static int drop(void **state)
{
    strait_tx_close(tx);
    strait_rx_close(rx);
    strait_detach(s);
    return place_teardown(state);
}

static void ask(void)
{
    CHECK_IS(strait_request(tx, 7, "question", 8, STRAIT_FOREVER, &reply, STRAIT_NOW), 0);
}

static void accept_job(void)
{
    CHECK_IS(strait_peek(rx, &job, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_accept(rx, &job, &answer), 0);
}

static uint32_t state_of(const struct strait_reply_rx *r)
{
    return strait_reply_state(r->reply->word);
}

static void a_request_carries_its_bytes_tag_deadline_and_token(UNUSED_STATE)
{
    CHECK_IS(strait_request(tx, 7, "question", 8, 4711, &reply, STRAIT_NOW), 0);
    CHECK_IS(strait_peek(rx, &job, STRAIT_NOW), 0);
    CHECK_IS(job.bytes, 8);
    CHECK_IS(job.tag, 7);
    CHECK_IS(job.flags, STRAIT_MSG_REQUEST);
    CHECK_IS(job.token, reply.token);
    CHECK_IS(job.deadline_ns, 4711);
    CHECK(memcmp(job.data, "question", 8) == 0);
    strait_reply_close(&reply);
}

static void an_answer_of_one_part_ends_the_request(UNUSED_STATE)
{
    struct strait_msg info;

    ask();
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), -EAGAIN);
    accept_job();
    CHECK_IS(strait_answer_size(&answer), 16);
    CHECK_IS(strait_answer_wanted(&answer), 0);
    CHECK_IS(strait_answer_send(&answer, 3, STRAIT_MSG_LAST, "answer", 6, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_send(&answer, 3, 0, "more", 4, STRAIT_NOW), -EPIPE); /* it is closed */
    CHECK_IS(strait_release(rx, &job), 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, &info, STRAIT_NOW), 6);
    CHECK(memcmp(text, "answer", 6) == 0);
    CHECK_IS(info.tag, 3);
    CHECK_IS(info.flags, STRAIT_MSG_LAST);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, &info, STRAIT_FOREVER), -ENODATA);
    CHECK_IS(state_of(&reply), STRAIT_REPLY_DONE);
    const struct strait_reply *word = reply.reply;
    strait_reply_close(&reply);
    strait_reply_close(&reply);
    CHECK_IS(strait_reply_state(word->word), STRAIT_REPLY_FREE);
}

static void a_stream_of_parts_has_backpressure(UNUSED_STATE)
{
    ask();
    accept_job();
    CHECK_IS(strait_answer_send(&answer, 0, 0, "1", 1, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_send(&answer, 0, 0, "2", 1, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_send(&answer, 0, 0, "3", 1, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_answer_send(&answer, 0, 0, "3", 1, strait_after_ns(MS)), -ETIMEDOUT);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), 1);
    CHECK_IS(text[0], '1');
    CHECK_IS(strait_answer_send(&answer, 0, STRAIT_MSG_LAST, "3", 1, STRAIT_NOW), 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), 1);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), 1);
    CHECK_IS(text[0], '3');
    strait_reply_close(&reply);
}

static void sizes_are_checked_on_both_sides(UNUSED_STATE)
{
    char big[64] = {0};

    CHECK_IS(strait_request(tx, 0, big, 33, STRAIT_FOREVER, &reply, STRAIT_NOW), -EMSGSIZE);
    CHECK_SAYS("requests of 32 bytes at most, this one has 33");
    CHECK_IS(strait_request(tx, 0, big, 32, STRAIT_FOREVER, &reply, STRAIT_NOW), 0);
    accept_job();
    CHECK_IS(strait_answer_send(&answer, 0, 0, big, 17, STRAIT_NOW), -EMSGSIZE);
    CHECK_SAYS("16 bytes at most, this one 17");
    CHECK_IS(strait_answer_send(&answer, 0, STRAIT_MSG_LAST, big, 16, STRAIT_NOW), 0);
    CHECK_IS(strait_reply_recv(&reply, text, 15, NULL, STRAIT_NOW), -EMSGSIZE);
    CHECK_IS(strait_reply_recv(&reply, text, 16, NULL, STRAIT_NOW), 16); /* the part stayed */
    strait_reply_close(&reply);
}

static void parts_are_written_and_read_in_place(UNUSED_STATE)
{
    struct strait_claim claim;
    struct strait_msg part;

    ask();
    accept_job();
    CHECK_IS(strait_answer_claim(&answer, &claim, STRAIT_NOW), 0);
    CHECK_IS(claim.size, 16);
    memcpy(claim.data, "here", 4);
    CHECK_IS(strait_answer_commit(&answer, &claim, 1, 0, 17), -EMSGSIZE);
    CHECK_IS(strait_answer_commit(&answer, &claim, 1, STRAIT_MSG_LAST | 0x8000, 4), 0);
    CHECK_IS(strait_reply_peek(&reply, &part, STRAIT_NOW), 0);
    CHECK_IS(part.flags, STRAIT_MSG_LAST); /* unknown flags stay at home */
    CHECK(memcmp(part.data, "here", 4) == 0);
    strait_reply_release(&reply, &part);
    CHECK_IS(strait_reply_peek(&reply, &part, STRAIT_NOW), -ENODATA);
    strait_reply_close(&reply);
}

static void replies_run_out_and_come_back(UNUSED_STATE)
{
    struct strait_reply_rx a, b, c;

    CHECK_IS(strait_request(tx, 0, "a", 1, STRAIT_FOREVER, &a, STRAIT_NOW), 0);
    CHECK_IS(strait_request(tx, 0, "b", 1, STRAIT_FOREVER, &b, STRAIT_NOW), 0);
    CHECK(a.reply != b.reply);
    CHECK_IS(strait_request(tx, 0, "c", 1, STRAIT_FOREVER, &c, STRAIT_NOW), -ENOBUFS);
    CHECK_SAYS("all 2 replies are in use");
    strait_reply_close(&a);
    CHECK_IS(strait_request(tx, 0, "c", 1, STRAIT_FOREVER, &c, STRAIT_NOW), 0);
    strait_reply_close(&b);
    strait_reply_close(&c);
}

static void a_request_that_does_not_fit_the_channel_gives_its_reply_back(UNUSED_STATE)
{
    for (int i = 0; i < 4; i++)
        CHECK_IS(strait_send(tx, "x", 1, STRAIT_NOW), 0);
    for (int i = 0; i < 5; i++)
        CHECK_IS(strait_request(tx, 0, "a", 1, STRAIT_FOREVER, &reply, STRAIT_NOW), -EAGAIN);
}

static void a_channel_without_replies_takes_no_requests(UNUSED_STATE)
{
    struct strait_tx *plain;

    CHECK_IS(strait_tx_open(s, "plain", NULL, &plain), 0);
    CHECK_IS(strait_request(plain, 0, "a", 1, STRAIT_FOREVER, &reply, STRAIT_NOW), -EOPNOTSUPP);
    strait_tx_close(plain);
}

/* ---- the caller goes ---- */

static void a_caller_that_leaves_before_the_worker_came_is_epipe(UNUSED_STATE)
{
    ask();
    strait_reply_close(&reply);
    CHECK_IS(strait_peek(rx, &job, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_accept(rx, &job, &answer), -EPIPE);
}

static void a_caller_that_leaves_meanwhile_is_epipe_and_its_reply_is_freed_by_the_worker(UNUSED_STATE)
{
    const struct strait_reply *shared;

    ask();
    shared = reply.reply;
    accept_job();
    CHECK_IS(strait_answer_send(&answer, 0, 0, "1", 1, STRAIT_NOW), 0);
    strait_reply_close(&reply);
    CHECK_IS(strait_reply_state(shared->word), STRAIT_REPLY_ABANDONED);
    CHECK_IS(strait_answer_wanted(&answer), -EPIPE);
    CHECK_IS(strait_answer_send(&answer, 0, 0, "2", 1, STRAIT_NOW), -EPIPE);
    CHECK_IS(strait_reply_state(shared->word), STRAIT_REPLY_FREE);
    CHECK_IS(strait_release(rx, &job), 0);
    for (int i = 0; i < 3; i++) { /* the leftover part belongs to nobody's next answer */
        ask();
        CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), -EAGAIN);
        strait_reply_close(&reply);
        CHECK_IS(strait_peek(rx, &job, STRAIT_NOW), 0);
        CHECK_IS(strait_release(rx, &job), 0);
    }
}

static void an_old_token_does_not_reach_the_next_request(UNUSED_STATE)
{
    struct strait_msg old;

    ask();
    CHECK_IS(strait_peek(rx, &old, STRAIT_NOW), 0);
    strait_reply_close(&reply);
    for (int i = 0; i < 2; i++) { /* the same reply again, in another generation */
        struct strait_reply_rx next;
        CHECK_IS(strait_request(tx, 0, "n", 1, STRAIT_FOREVER, &next, STRAIT_NOW), 0);
        CHECK_IS(strait_answer_accept(rx, &old, &answer), -EPIPE);
        strait_reply_close(&next);
    }
}

/* ---- tokens that cannot be ---- */

static void messages_and_tokens_that_are_no_requests_are_refused(UNUSED_STATE)
{
    struct strait_msg forged = {.flags = 0, .token = 0};

    CHECK_IS(strait_answer_accept(rx, &forged, &answer), -EBADMSG);
    forged.flags = STRAIT_MSG_REQUEST;
    forged.token = 2; /* there are 0 and 1 */
    CHECK_IS(strait_answer_accept(rx, &forged, &answer), -EBADMSG);
    forged.token = STRAIT_TOKEN_INDEX_MASK;
    CHECK_IS(strait_answer_accept(rx, &forged, &answer), -EBADMSG);
    forged.token = 0; /* never opened */
    CHECK_IS(strait_answer_accept(rx, &forged, &answer), -EPIPE);
}

static void a_job_has_one_worker_at_a_time(UNUSED_STATE)
{
    struct strait_answer second;

    ask();
    accept_job();
    CHECK_IS(strait_answer_accept(rx, &job, &second), -EBUSY);
    CHECK_IS(strait_answer_send(&answer, 0, STRAIT_MSG_LAST, "1", 1, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_accept(rx, &job, &second), -EALREADY);
    strait_reply_close(&reply);
}

/* ---- the worker goes ---- */

static void a_worker_that_gives_up_is_eownerdead_after_what_it_sent(UNUSED_STATE)
{
    ask();
    accept_job();
    CHECK_IS(strait_answer_send(&answer, 0, 0, "1", 1, STRAIT_NOW), 0);
    strait_answer_abandon(&answer);
    strait_answer_abandon(&answer);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), 1);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_FOREVER), -EOWNERDEAD);
    strait_reply_close(&reply);
}

static void no_worker_left_is_epipe_unless_one_is_expected(UNUSED_STATE)
{
    struct strait_hold *hold;

    ask();
    CHECK_IS(strait_channel_hold(s, "c", &hold), 0);
    strait_rx_close(rx);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, strait_after_ns(MS)), -ETIMEDOUT);
    strait_channel_unhold(hold);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_FOREVER), -EPIPE);
    strait_reply_close(&reply);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
}

static void a_closed_channel_without_workers_is_epipe_for_who_waits(UNUSED_STATE)
{
    struct strait_hold *hold;

    ask();
    CHECK_IS(strait_channel_hold(s, "c", &hold), 0);
    CHECK_IS(strait_channel_shut(s, "c"), 0);
    strait_rx_close(rx);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_FOREVER), -EPIPE);
    strait_reply_close(&reply);
    strait_channel_unhold(hold);
    CHECK_IS(strait_rx_open(s, "c", NULL, &rx), 0);
}

struct stage {
    gate ready, never;
    uint32_t parts;
};

static void answer_some_and_wait(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *mine;
    struct strait_rx *r;
    struct strait_msg msg;
    struct strait_answer a;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_rx_open(mine, "c", NULL, &r), 0);
    CHECK_IS(strait_peek(r, &msg, soon()), 0);
    CHECK_IS(strait_answer_accept(r, &msg, &a), 0);
    for (uint32_t i = 0; i < stage->parts; i++)
        CHECK_IS(strait_answer_send(&a, 0, 0, "half", 4, STRAIT_NOW), 0);
    gate_open(&stage->ready);
    gate_wait(&stage->never);
}

static void worker_dies(struct stage *stage, uint32_t parts)
{
    stage->ready = 0;
    stage->parts = parts;
    pid_t pid = peer_start(answer_some_and_wait, stage);
    gate_wait(&stage->ready);
    peer_kill(pid);
    CHECK_IS(strait_sweep_dead(s), 1);
}

static void a_dead_workers_job_is_redelivered_and_restarts(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_msg info;

    ask();
    worker_dies(stage, 1);
    CHECK_IS(state_of(&reply), STRAIT_REPLY_OPEN);
    accept_job();
    CHECK_IS(job.attempts, 1);
    CHECK(memcmp(job.data, "question", 8) == 0);
    CHECK_IS(strait_answer_send(&answer, 0, 0, "new", 3, STRAIT_NOW), 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, &info, STRAIT_NOW), 4); /* what the dead had sent */
    CHECK_IS(info.flags, 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, &info, STRAIT_NOW), 3);
    CHECK_IS(info.flags, STRAIT_MSG_RESTART);
    CHECK_IS(strait_answer_send(&answer, 0, STRAIT_MSG_LAST, "end", 3, STRAIT_NOW), 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, &info, STRAIT_NOW), 3);
    CHECK_IS(info.flags, STRAIT_MSG_LAST); /* once is enough */
    strait_reply_close(&reply);
    shared_free(stage, sizeof *stage);
}

static void after_max_attempts_the_caller_gets_eownerdead(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);

    ask();
    worker_dies(stage, 0);
    worker_dies(stage, 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_FOREVER), -EOWNERDEAD);
    CHECK_IS(strait_peek(rx, &job, STRAIT_NOW), -EAGAIN);
    strait_reply_close(&reply);
    shared_free(stage, sizeof *stage);
}

static void ask_and_wait(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *mine;
    struct strait_tx *t;
    struct strait_reply_rx r;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_tx_open(mine, "c", NULL, &t), 0);
    CHECK_IS(strait_request(t, 0, "q", 1, STRAIT_FOREVER, &r, STRAIT_NOW), 0);
    gate_open(&stage->ready);
    gate_wait(&stage->never);
}

static void a_dead_caller_is_as_one_that_left(UNUSED_STATE)
{
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid = peer_start(ask_and_wait, stage);

    gate_wait(&stage->ready);
    accept_job();
    CHECK_IS(strait_answer_wanted(&answer), 0);
    peer_kill(pid);
    CHECK_IS(strait_sweep_dead(s), 1);
    CHECK_IS(strait_answer_send(&answer, 0, 0, "1", 1, STRAIT_FOREVER), -EPIPE);
    CHECK_IS(strait_reply_state(answer.reply->word), STRAIT_REPLY_FREE);
    shared_free(stage, sizeof *stage);
}

/* ---- strait_call ---- */

static void serve(void *arg)
{
    struct strait_segment *mine;
    struct strait_rx *r;
    struct strait_msg msg;
    struct strait_answer a;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_rx_open(mine, "c", NULL, &r), 0);
    gate_open(arg);
    while (strait_peek(r, &msg, soon()) == 0) {
        uint16_t error = msg.tag == 1 ? STRAIT_MSG_ERROR : 0;
        CHECK_IS(strait_answer_accept(r, &msg, &a), 0);
        if (strait_answer_send(&a, 0, 0, "0123456789abcdef", 16, soon()) == 0)
            strait_answer_send(&a, msg.tag, (uint16_t)(STRAIT_MSG_LAST | error), msg.data, msg.bytes, soon());
        CHECK_IS(strait_release(r, &msg), 0);
    }
}

static void a_call_gathers_all_parts(UNUSED_STATE)
{
    gate *ready = shared_new(sizeof *ready);
    struct strait_msg info;

    strait_rx_close(rx);
    rx = NULL;
    pid_t pid = peer_start(serve, ready);
    gate_wait(ready);
    CHECK_IS(strait_call(tx, 0, "tail", 4, text, sizeof text, &info, soon()), 20);
    CHECK(memcmp(text, "0123456789abcdeftail", 20) == 0);
    CHECK_IS(info.bytes, 20);
    CHECK_IS(strait_call(tx, 1, "sorry", 5, text, sizeof text, &info, soon()), -EREMOTEIO);
    CHECK_IS(info.bytes, 5); /* an error: what came before it counts no more */
    CHECK(memcmp(text, "sorry", 5) == 0);
    CHECK_IS(strait_call(tx, 0, "tail", 4, text, 19, &info, soon()), -EMSGSIZE);
    CHECK_IS(strait_call(tx, 0, "tail", 4, text, 20, &info, soon()), 20);
    strait_tx_close(tx);
    tx = NULL;
    peer_join(pid);
    shared_free(ready, sizeof *ready);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(a_request_carries_its_bytes_tag_deadline_and_token),
        HERE(an_answer_of_one_part_ends_the_request),
        HERE(a_stream_of_parts_has_backpressure),
        HERE(sizes_are_checked_on_both_sides),
        HERE(parts_are_written_and_read_in_place),
        HERE(replies_run_out_and_come_back),
        HERE(a_request_that_does_not_fit_the_channel_gives_its_reply_back),
        HERE(a_channel_without_replies_takes_no_requests),
        HERE(a_caller_that_leaves_before_the_worker_came_is_epipe),
        HERE(a_caller_that_leaves_meanwhile_is_epipe_and_its_reply_is_freed_by_the_worker),
        HERE(an_old_token_does_not_reach_the_next_request),
        HERE(messages_and_tokens_that_are_no_requests_are_refused),
        HERE(a_job_has_one_worker_at_a_time),
        HERE(a_worker_that_gives_up_is_eownerdead_after_what_it_sent),
        HERE(no_worker_left_is_epipe_unless_one_is_expected),
        HERE(a_closed_channel_without_workers_is_epipe_for_who_waits),
        HERE(a_dead_workers_job_is_redelivered_and_restarts),
        HERE(after_max_attempts_the_caller_gets_eownerdead),
        HERE(a_dead_caller_is_as_one_that_left),
        HERE(a_call_gathers_all_parts),
    };
    return RUN(tests);
}
