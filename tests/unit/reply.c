/* SPDX-License-Identifier: MIT */
/* The reply word, transition by transition, lease by lease; the rest of PROTOCOLS' "Reply word" is answer.c's. */
#include "unit.h"

#include "reply.h"

#define CALLER 3
#define WORKER 4
#define OTHER  5

static struct strait_segment_map map;
static struct strait_channel_view view;
static struct strait_reply *reply;
static struct strait_ring_end end;
static uint64_t token;

static int make(void **state)
{
    struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 4, .mode = 0600};
    struct strait_channel_plan plan = {.slot_bytes = 48,
                                       .capacity = 4,
                                       .rings = 1,
                                       .max_attempts = 3,
                                       .peek_window = 1,
                                       .replies = 1,
                                       .reply_bytes = 16,
                                       .reply_capacity = 2};
    struct strait_object o;

    place_setup(state);
    CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_channel_measure(&plan), 0);
    CHECK_IS(strait_directory_prepare(&map, "c", STRAIT_KIND_CHANNEL, plan.bytes, -1, &o), 0);
    strait_channel_build(&map, &o, &plan);
    CHECK_IS(strait_channel_view(&map, &o, &view), 0);
    CHECK_IS(strait_reply_at(&view, 0, &reply), 0);
    CHECK_IS(strait_reply_at(&view, 1, &reply), -EPROTO);
    map.lease = CALLER;
    CHECK_IS(strait_reply_open(&view, 7, &end, &token), 0); /* any index to begin with */
    return 0;
}

static int drop(void **state)
{
    map.lease = 0;
    strait_segment_close(&map);
    return place_teardown(state);
}

static void is(enum strait_reply_state state, uint32_t owner)
{
    CHECK_IS(strait_reply_state(reply->word), state);
    CHECK_IS(strait_reply_owner(reply->word), owner);
    CHECK_IS(strait_reply_generation(reply->word), strait_reply_generation(token));
}

static void accepted_by(uint32_t lease)
{
    struct strait_reply *same;

    map.lease = lease;
    CHECK_IS(strait_reply_accept(&view, token, &end, &same), 0);
    CHECK(same == reply);
}

static void opening_names_the_caller_in_a_new_generation(UNUSED_STATE)
{
    is(STRAIT_REPLY_OPEN, CALLER);
    CHECK_IS(reply->caller, CALLER);
    CHECK_IS(strait_reply_generation(token), 1);
    CHECK_IS(token & STRAIT_TOKEN_INDEX_MASK, 0);
    CHECK_IS(strait_reply_open(&view, 0, &end, &token), -ENOBUFS);
    strait_reply_drop(reply, token, CALLER);
    is(STRAIT_REPLY_FREE, 0);
    CHECK_IS(strait_reply_open(&view, 0, &end, &token), 0);
    CHECK_IS(strait_reply_generation(token), 2);
}

static void a_worker_names_itself_before_it_writes(UNUSED_STATE)
{
    accepted_by(WORKER);
    is(STRAIT_REPLY_BUSY, WORKER);
    CHECK_IS(strait_reply_wanted(reply, token, WORKER), 0);
    CHECK_IS(strait_reply_wanted(reply, token, OTHER), -EPIPE);
}

static void finishing_is_the_workers_alone(UNUSED_STATE)
{
    accepted_by(WORKER);
    CHECK_IS(strait_reply_finish(reply, token, OTHER), -EPIPE);
    is(STRAIT_REPLY_BUSY, WORKER);
    CHECK_IS(strait_reply_finish(reply, token, WORKER), 0);
    is(STRAIT_REPLY_DONE, 0);
    CHECK_IS(strait_reply_finish(reply, token, WORKER), -EPIPE);
    strait_reply_drop(reply, token, CALLER);
    is(STRAIT_REPLY_FREE, 0);
}

static void a_caller_that_leaves_a_busy_reply_abandons_it_to_the_worker(UNUSED_STATE)
{
    accepted_by(WORKER);
    strait_reply_drop(reply, token, CALLER);
    is(STRAIT_REPLY_ABANDONED, WORKER);
    strait_reply_drop(reply, token, CALLER); /* again: nothing */
    is(STRAIT_REPLY_ABANDONED, WORKER);
    CHECK_IS(strait_reply_finish(reply, token, WORKER), -EPIPE);
    is(STRAIT_REPLY_FREE, 0);
}

static void an_old_generation_changes_nothing(UNUSED_STATE)
{
    uint64_t old = token - STRAIT_REPLY_GENERATION_ONE;

    strait_reply_drop(reply, old, CALLER);
    is(STRAIT_REPLY_OPEN, CALLER);
    strait_reply_fail(&view, old, WORKER);
    is(STRAIT_REPLY_OPEN, CALLER);
    accepted_by(WORKER);
    CHECK_IS(strait_reply_finish(reply, old, WORKER), -EPIPE);
    is(STRAIT_REPLY_BUSY, WORKER);
}

static void an_open_reply_is_its_owners_to_drop(UNUSED_STATE)
{
    strait_reply_drop(reply, token, OTHER);
    is(STRAIT_REPLY_OPEN, CALLER);
}

/* ---- deaths ---- */

static void a_dead_worker_gives_the_job_back_to_its_caller(UNUSED_STATE)
{
    accepted_by(WORKER);
    strait_reply_sweep(&view, OTHER);
    is(STRAIT_REPLY_BUSY, WORKER);
    strait_reply_sweep(&view, WORKER);
    is(STRAIT_REPLY_OPEN, CALLER);
    strait_reply_sweep(&view, WORKER);
    is(STRAIT_REPLY_OPEN, CALLER);
}

static void a_worker_that_dies_with_an_abandoned_reply_frees_it(UNUSED_STATE)
{
    accepted_by(WORKER);
    strait_reply_drop(reply, token, CALLER);
    strait_reply_sweep(&view, WORKER);
    is(STRAIT_REPLY_FREE, 0);
}

static void a_dead_caller_is_as_one_that_leaves(UNUSED_STATE)
{
    strait_reply_sweep(&view, CALLER);
    is(STRAIT_REPLY_FREE, 0);
    map.lease = CALLER;
    CHECK_IS(strait_reply_open(&view, 0, &end, &token), 0);
    accepted_by(WORKER);
    strait_reply_sweep(&view, CALLER);
    is(STRAIT_REPLY_ABANDONED, WORKER);
}

static void caller_and_worker_in_one_process_die_together(UNUSED_STATE)
{
    accepted_by(CALLER);
    strait_reply_sweep(&view, CALLER);
    is(STRAIT_REPLY_FREE, 0);
}

static void a_caller_that_dies_between_open_and_its_name_is_found_by_the_word(UNUSED_STATE)
{
    reply->caller = OTHER; /* of an earlier exchange */
    strait_reply_sweep(&view, OTHER);
    is(STRAIT_REPLY_OPEN, CALLER);
    strait_reply_sweep(&view, CALLER);
    is(STRAIT_REPLY_FREE, 0);
}

static void a_job_out_of_attempts_fails_for_its_caller(UNUSED_STATE)
{
    strait_reply_fail(&view, token, WORKER);
    is(STRAIT_REPLY_FAILED, 0);
    strait_reply_drop(reply, token, CALLER);
    is(STRAIT_REPLY_FREE, 0);
    strait_reply_fail(&view, token, WORKER); /* nobody waits any more */
    is(STRAIT_REPLY_FREE, 0);
}

static void a_job_under_another_worker_does_not_fail_for_a_dead_one(UNUSED_STATE)
{
    accepted_by(WORKER);
    strait_reply_fail(&view, token, OTHER);
    is(STRAIT_REPLY_BUSY, WORKER);
    strait_reply_fail(&view, token, WORKER);
    is(STRAIT_REPLY_FAILED, 0);
}

static void generations_wrap(UNUSED_STATE)
{
    strait_reply_drop(reply, token, CALLER);
    reply->word |= ~(STRAIT_REPLY_GENERATION_ONE - 1);
    CHECK_IS(strait_reply_open(&view, 0, &end, &token), 0);
    CHECK_IS(strait_reply_generation(token), 0);
    is(STRAIT_REPLY_OPEN, CALLER);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(opening_names_the_caller_in_a_new_generation),
        HERE(a_worker_names_itself_before_it_writes),
        HERE(finishing_is_the_workers_alone),
        HERE(a_caller_that_leaves_a_busy_reply_abandons_it_to_the_worker),
        HERE(an_old_generation_changes_nothing),
        HERE(an_open_reply_is_its_owners_to_drop),
        HERE(a_dead_worker_gives_the_job_back_to_its_caller),
        HERE(a_worker_that_dies_with_an_abandoned_reply_frees_it),
        HERE(a_dead_caller_is_as_one_that_leaves),
        HERE(caller_and_worker_in_one_process_die_together),
        HERE(a_caller_that_dies_between_open_and_its_name_is_found_by_the_word),
        HERE(a_job_out_of_attempts_fails_for_its_caller),
        HERE(a_job_under_another_worker_does_not_fail_for_a_dead_one),
        HERE(generations_wrap),
    };
    return RUN(tests);
}
