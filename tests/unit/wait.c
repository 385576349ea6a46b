/* SPDX-License-Identifier: MIT */
/* The one place that sleeps: deadlines, signals, whose death ends a wait, what is written down meanwhile. */
#include "unit.h"

#include <signal.h>

#include <strait/strait.h>

#include "process.h"
#include "wait.h"

static struct strait_segment *s;
static struct strait_bell bell;
static struct strait_mood mood;

static int make(void **state)
{
    place_setup(state);
    memset(&bell, 0, sizeof bell);
    memset(&mood, 0, sizeof mood);
    CHECK_IS(strait_attach("x", NULL, &s), 0);
    return 0;
}

static int drop(void **state)
{
    strait_detach(s);
    return place_teardown(state);
}

struct script {
    int calls, done_at; /* -1 = never */
    int64_t result;
    bool kept_record;
};

static int64_t play(void *arg)
{
    struct script *script = arg;
    return ++script->calls == script->done_at ? script->result : -EAGAIN;
}

static struct strait_wait wait_for(struct script *script)
{
    return (struct strait_wait){.map = &s->map,
                                .bell = &bell,
                                .mood = &mood,
                                .step = play,
                                .arg = script,
                                .parties = 2,
                                .kind = STRAIT_WAIT_LOOP,
                                .object = 4096,
                                .detail = 7};
}

static void a_step_that_is_done_is_not_waited_for(UNUSED_STATE)
{
    struct script script = {.done_at = 1, .result = 42};
    struct strait_wait w = wait_for(&script);

    CHECK_IS(strait_wait(&w, STRAIT_FOREVER), 42);
    CHECK_IS(script.calls, 1);
}

static void now_means_one_try(UNUSED_STATE)
{
    struct script script = {.done_at = 2};
    struct strait_wait w = wait_for(&script);

    CHECK_IS(strait_wait(&w, STRAIT_NOW), -EAGAIN);
    CHECK_IS(script.calls, 1);
}

static void an_error_of_the_step_ends_the_wait(UNUSED_STATE)
{
    struct script script = {.done_at = 3, .result = -EPIPE};
    struct strait_wait w = wait_for(&script);

    CHECK_IS(strait_wait(&w, STRAIT_FOREVER), -EPIPE);
    CHECK_IS(bell.sleeps, 0);
}

static void a_deadline_ends_the_wait_and_leaves_the_bell(UNUSED_STATE)
{
    struct script script = {.done_at = -1};
    struct strait_wait w = wait_for(&script);
    uint64_t until = strait_after_ns(3 * MS);

    CHECK_IS(strait_wait(&w, until), -ETIMEDOUT);
    CHECK(strait_now_ns() >= until);
    CHECK(bell.sleeps >= 1);
    CHECK_IS(strait_bell_count(bell.sleepers), 0);
    CHECK_IS(strait_wait(&w, 1), -ETIMEDOUT); /* long ago */
}

static void a_busy_wait_never_sleeps(UNUSED_STATE)
{
    struct script script = {.done_at = -1};
    struct strait_wait w = wait_for(&script);

    w.busy = true;
    CHECK_IS(strait_wait(&w, strait_after_ns(2 * MS)), -ETIMEDOUT);
    CHECK_IS(bell.sleeps, 0);
    CHECK(script.calls > 1);
}

static int64_t look_at_the_record(void *arg)
{
    struct script *script = arg;
    const struct strait_wait_record *r = &strait_segment_lease(&s->map, s->map.lease)->waits[0];

    if (strait_bell_count(bell.sleepers) == 0) /* spinning: nothing is written down */
        return -EAGAIN;
    script->kept_record = r->kind == STRAIT_WAIT_LOOP && r->object == 4096 && r->detail == 7 && r->thread != 0 &&
                          r->since_ns != 0 && r->since_ns <= strait_now_ns();
    return 0;
}

static void a_sleeper_writes_down_what_it_waits_for_and_clears_it(UNUSED_STATE)
{
    struct script script = {0};
    struct strait_wait w = wait_for(&script);

    w.step = look_at_the_record;
    CHECK_IS(strait_wait(&w, STRAIT_FOREVER), 0);
    CHECK(script.kept_record);
    CHECK_IS(strait_segment_lease(&s->map, s->map.lease)->waits[0].kind, STRAIT_WAIT_NONE);
    CHECK_IS(strait_segment_lease(&s->map, s->map.lease)->waits[0].thread, 0);
}

static void more_waiting_threads_than_records_wait_unrecorded(UNUSED_STATE)
{
    struct strait_wait_record *r[STRAIT_WAITS];

    for (int i = 0; i < STRAIT_WAITS; i++) {
        r[i] = strait_wait_note(&s->map, STRAIT_WAIT_RECV, 1, 2);
        CHECK(r[i] != NULL);
    }
    CHECK(strait_wait_note(&s->map, STRAIT_WAIT_RECV, 1, 2) == NULL);
    strait_wait_forget(NULL);
    strait_wait_forget(r[2]);
    CHECK(strait_wait_note(&s->map, STRAIT_WAIT_RECV, 1, 2) == r[2]);
}

/* ---- modes ---- */

static void who_sleeps_often_wants_fences_and_who_sleeps_seldom_membarriers(UNUSED_STATE)
{
    uint64_t now = 1000000;

    s->map.fence = false;
    for (int i = 0; i < 30; i++)
        strait_mood_mode(&mood, &s->map, now += 1000000);
    CHECK_IS(strait_mood_mode(&mood, &s->map, now += 1000000), STRAIT_BELL_ASYM);
    for (int i = 0; i < 30; i++)
        strait_mood_mode(&mood, &s->map, now += 1000);
    CHECK_IS(strait_mood_mode(&mood, &s->map, now += 1000), STRAIT_BELL_FENCE);
    mood.news += 1000; /* often, but for many messages each time: they should not fence */
    CHECK_IS(strait_mood_mode(&mood, &s->map, now += 1000), STRAIT_BELL_ASYM);
    CHECK_IS(strait_mood_mode(&mood, &s->map, now += 1000), STRAIT_BELL_FENCE);
}

static void where_somebody_has_no_membarrier_everybody_fences(UNUSED_STATE)
{
    s->map.fence = false;
    strait_segment_header(&s->map)->no_barrier = 1;
    CHECK_IS(strait_mood_mode(&mood, &s->map, 5), STRAIT_BELL_FENCE);
    strait_segment_header(&s->map)->no_barrier = 0;
    CHECK_IS(strait_mood_mode(&mood, &s->map, 5000000000), STRAIT_BELL_ASYM);
    s->map.fence = true;
    CHECK_IS(strait_mood_mode(&mood, &s->map, 9000000000), STRAIT_BELL_FENCE);
}

/* ---- deaths and signals, of others ---- */

struct stage {
    gate ready, never;
};

static void send_nothing_and_wait(void *arg)
{
    struct strait_channel_options busy = {.busy = true};
    struct stage *stage = arg;
    struct strait_segment *mine;
    struct strait_tx *tx;
    struct strait_claim claim;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_tx_open(mine, "busy", &busy, &tx), 0);
    CHECK_IS(strait_tx_open(mine, "calm", NULL, &tx), 0);
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0); /* in everybody's way */
    gate_open(&stage->ready);
    gate_wait(&stage->never);
}

/* A receiver waits for ever for somebody who is dead and whom nobody else sweeps. */
static void the_dead_end_a_wait_on(const char *name, bool busy)
{
    struct strait_channel_options o = {.busy = busy};
    struct stage *stage = shared_new(sizeof *stage);
    struct strait_rx *rx;
    char text[48];
    uint64_t began;
    pid_t pid = peer_start(send_nothing_and_wait, stage);

    gate_wait(&stage->ready);
    CHECK_IS(strait_rx_open(s, name, &o, &rx), 0);
    peer_kill(pid);
    began = strait_now_ns();
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_FOREVER), -EPIPE);
    CHECK(strait_now_ns() - began < 2000 * MS);
    strait_rx_close(rx);
    shared_free(stage, sizeof *stage);
}

static void a_sleeper_finds_the_dead_by_itself(UNUSED_STATE)
{
    the_dead_end_a_wait_on("calm", false);
}

static void a_spinner_on_a_busy_channel_finds_the_dead_by_itself(UNUSED_STATE)
{
    the_dead_end_a_wait_on("busy", true);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(a_step_that_is_done_is_not_waited_for),
        HERE(now_means_one_try),
        HERE(an_error_of_the_step_ends_the_wait),
        HERE(a_deadline_ends_the_wait_and_leaves_the_bell),
        HERE(a_busy_wait_never_sleeps),
        HERE(a_sleeper_writes_down_what_it_waits_for_and_clears_it),
        HERE(more_waiting_threads_than_records_wait_unrecorded),
        HERE(who_sleeps_often_wants_fences_and_who_sleeps_seldom_membarriers),
        HERE(where_somebody_has_no_membarrier_everybody_fences),
        HERE(a_sleeper_finds_the_dead_by_itself),
        HERE(a_spinner_on_a_busy_channel_finds_the_dead_by_itself),
    };
    return RUN(tests);
}
