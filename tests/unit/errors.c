/* SPDX-License-Identifier: MIT */
/* What went wrong, kept in the segment: distinct, counted, dated, by many at once, half-written by the dead. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include <strait/strait.h>

#include "errors.h"
#include "process.h"
#include "strait/atomic.h"
#include "verify.h"

static struct strait_segment *s;

static int make(void **state)
{
    place_setup(state);
    CHECK_IS(strait_attach("x", NULL, &s), 0);
    return 0;
}

static int drop(void **state)
{
    strait_detach(s);
    return place_teardown(state);
}

#define TEST_SEGMENT(name) cmocka_unit_test_setup_teardown(name, make, drop)

static bool seek(enum strait_error_kind kind, const char *object, struct strait_error_seen *seen)
{
    for (uint32_t i = 0; i < STRAIT_ERRORS; i++)
        if (strait_error_read(&s->map, i, seen) && seen->kind == kind && strcmp(seen->object, object) == 0)
            return true;
    return false;
}

static uint64_t count_of(enum strait_error_kind kind, const char *object)
{
    struct strait_error_seen seen;
    return seek(kind, object, &seen) ? seen.count : 0;
}

static uint32_t distinct(void)
{
    struct strait_error_seen seen;
    uint32_t n = 0;

    for (uint32_t i = 0; i < STRAIT_ERRORS; i++)
        n += strait_error_read(&s->map, i, &seen);
    return n;
}

static void found(struct strait_verify *how, const struct strait_finding *finding)
{
    (void)how;
    (void)finding;
}

static uint32_t findings(void)
{
    struct strait_verify how = {.found = found};
    return strait_verify(&s->map, &how);
}

static void note(enum strait_error_kind kind, const char *object, uint64_t n)
{
    strait_error_note(&s->map, kind, object, s->map.lease, n);
}

/* ---- one process ---- */

static void one_error_is_one_cell_with_a_count_and_two_times(UNUSED_STATE)
{
    struct strait_error_seen seen, later;

    note(STRAIT_ERROR_FULL, "jobs", 0);
    CHECK_IS(distinct(), 0);
    note(STRAIT_ERROR_FULL, "jobs", 1);
    CHECK(seek(STRAIT_ERROR_FULL, "jobs", &seen));
    CHECK(seen.first_ns > UINT64_C(1600000000000000000) && seen.last_ns >= seen.first_ns);
    CHECK_IS(seen.pid, getpid());
    CHECK_IS(seen.lease, s->map.lease);
    CHECK(strcmp(seen.program, strait_segment_lease(&s->map, s->map.lease)->program) == 0);
    do
        note(STRAIT_ERROR_FULL, "jobs", 2);
    while (seek(STRAIT_ERROR_FULL, "jobs", &later) && later.last_ns == seen.last_ns); /* until the clock's next tick */
    CHECK(later.count >= 3 && later.count % 2 == 1);
    CHECK_IS(later.first_ns, seen.first_ns);
    CHECK(later.last_ns > seen.last_ns);
    CHECK_IS(distinct(), 1);
    note(STRAIT_ERROR_FULL, "orders", 1);
    note(STRAIT_ERROR_DAMAGED, "jobs", 1);
    CHECK_IS(distinct(), 3);
    CHECK_IS(findings(), 0);
}

static void what_finds_no_cell_is_counted(UNUSED_STATE)
{
    char name[STRAIT_NAME_BYTES];

    for (int i = 0; i < STRAIT_ERRORS + 3; i++) {
        snprintf(name, sizeof name, "object-%d", i);
        note(STRAIT_ERROR_FULL, name, 1);
    }
    CHECK_IS(distinct(), STRAIT_ERRORS);
    CHECK_IS(strait_segment_header(&s->map)->errors_lost, 3);
    note(STRAIT_ERROR_FULL, "object-0", 1);
    CHECK_IS(count_of(STRAIT_ERROR_FULL, "object-0"), 2);
    CHECK_IS(findings(), 0);
}

/* A writer may die behind each of its stores: what it leaves is not shown, and the next one makes it whole. */
static void a_half_written_cell_is_not_there_and_then_is_finished(UNUSED_STATE)
{
    for (int stores = 1; stores <= 8; stores++) {
        char name[STRAIT_NAME_BYTES] = "";
        struct strait_error_seen seen;
        uint64_t key, words[STRAIT_NAME_BYTES / 8];
        struct strait_error_cell *cell;

        snprintf(name, sizeof name, "the-name-of-a-channel-%d", stores);
        memcpy(words, name, sizeof words);
        key = strait_error_key(STRAIT_ERROR_REDELIVERED, name);
        cell = strait_segment_error(&s->map, key % STRAIT_ERRORS);
        *cell = (struct strait_error_cell){.key = key, .first_ns = stores > 7 ? 5 : 0};
        for (int i = 1; i < stores && i <= STRAIT_NAME_BYTES / 8; i++)
            cell->object[i - 1] = words[i - 1];
        CHECK(!seek(STRAIT_ERROR_REDELIVERED, name, &seen));
        CHECK_IS(findings(), 0);
        note(STRAIT_ERROR_REDELIVERED, name, 1);
        CHECK(seek(STRAIT_ERROR_REDELIVERED, name, &seen));
        CHECK_IS(seen.count, 1);
        CHECK(stores > 7 ? seen.first_ns == 5 : seen.first_ns > 5);
        CHECK(strait_error_find(&s->map, STRAIT_ERROR_REDELIVERED, name) == cell);
        CHECK_IS(findings(), 0);
        memset(cell, 0, sizeof *cell);
    }
}

static void a_name_without_an_end_is_cut(UNUSED_STATE)
{
    char name[STRAIT_NAME_BYTES];
    struct strait_error_seen seen;

    memset(name, 'n', sizeof name);
    note(STRAIT_ERROR_DAMAGED, name, 1);
    name[sizeof name - 1] = 0;
    CHECK(seek(STRAIT_ERROR_DAMAGED, name, &seen));
    CHECK_IS(findings(), 0);
}

/* ---- many processes ---- */

#define RACERS 2
#define OWN    20 /* names of each racer; one more is common to all */
#define NAMES  (RACERS * OWN + 1)

struct race {
    gate at[2]; /* arrived at a round's begin, at its end; over all rounds */
    uint32_t rounds, who;
};

/* Names whose cell would be the first: all who race want the same ones, one behind the other. */
static void invent(char names[NAMES][STRAIT_NAME_BYTES])
{
    for (uint32_t n = 0, found = 0; found < NAMES; n++) {
        snprintf(names[found], STRAIT_NAME_BYTES, "object-%u", n);
        found += strait_error_key(STRAIT_ERROR_FULL, names[found]) % STRAIT_ERRORS == 0;
    }
}

/* All at once, without a system call: those who are woken one after the other do not race. */
static void spin_until(const gate *g, uint32_t n)
{
    while (__atomic_load_n(g, __ATOMIC_SEQ_CST) < n)
        strait_pause();
}

static void meet(gate *g, uint32_t n)
{
    gate_count(g);
    gate_wait_count(g, n);
}

static void note_all(void *arg)
{
    struct race *race = arg;
    uint32_t me = __atomic_fetch_add(&race->who, 1, __ATOMIC_SEQ_CST);
    char names[NAMES][STRAIT_NAME_BYTES];
    struct strait_segment *mine;

    invent(names);
    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    for (uint32_t round = 1; round <= race->rounds; round++) {
        gate_count(&race->at[0]);
        spin_until(&race->at[0], round * (RACERS + 1));
        for (uint32_t i = 0; i < OWN; i++)
            strait_error_note(&mine->map, STRAIT_ERROR_FULL, names[me * OWN + i], mine->map.lease, 1);
        strait_error_note(&mine->map, STRAIT_ERROR_FULL, names[NAMES - 1], mine->map.lease, 1);
        meet(&race->at[1], round * (RACERS + 1));
    }
    strait_detach(mine);
}

static void those_who_race_for_a_cell_get_one_each_and_share_what_is_the_same(UNUSED_STATE)
{
    struct race *race = shared_new(sizeof *race);
    char names[NAMES][STRAIT_NAME_BYTES];
    pid_t pids[RACERS];

    race->rounds = test_rounds(2000);
    invent(names);
    for (int i = 0; i < RACERS; i++)
        pids[i] = peer_start(note_all, race);
    for (uint32_t round = 1; round <= race->rounds; round++) {
        gate_count(&race->at[0]);
        gate_wait_count(&race->at[1], round * (RACERS + 1) - 1);
        for (uint32_t i = 0; i < NAMES; i++)
            CHECK_IS(count_of(STRAIT_ERROR_FULL, names[i]), i < NAMES - 1 ? 1 : RACERS);
        CHECK_IS(distinct(), NAMES);
        CHECK_IS(findings(), 0);
        memset(strait_segment_error(&s->map, 0), 0, STRAIT_ERRORS * sizeof(struct strait_error_cell));
        meet(&race->at[1], round * (RACERS + 1));
    }
    for (int i = 0; i < RACERS; i++)
        peer_join(pids[i]);
    shared_free(race, sizeof *race);
}

/* ---- who writes them ---- */

static void hold_much_and_die(void *arg)
{
    gate *gates = arg;
    struct strait_segment *mine;
    struct strait_region *region;
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct strait_claim claim;
    struct strait_msg msg;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_tx_open(mine, "jobs", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(mine, "jobs", NULL, &rx), 0);
    CHECK_IS(strait_send(tx, "1", 2, STRAIT_NOW), 0);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    CHECK_IS(strait_region_open(mine, "table", &(struct strait_region_options){.bytes = 64}, &region), 0);
    CHECK_IS(strait_region_lock(region, STRAIT_NOW), 0);
    gate_open(&gates[0]);
    gate_wait(&gates[1]);
}

static void deaths_are_remembered_with_what_they_left(UNUSED_STATE)
{
    gate *gates = shared_new(2 * sizeof *gates);
    pid_t pid = peer_start(hold_much_and_die, gates);
    struct strait_region *region;
    struct strait_error_seen seen;

    gate_wait(&gates[0]);
    CHECK_IS(strait_region_open(s, "table", NULL, &region), 0);
    CHECK_IS(strait_region_lock(region, strait_after_ns(MS)), -ETIMEDOUT);
    CHECK_IS(count_of(STRAIT_ERROR_LOCK_LATE, "table"), 1);
    peer_kill(pid);
    CHECK_IS(strait_sweep_dead(s), 1);
    CHECK(seek(STRAIT_ERROR_DIED, "", &seen));
    CHECK_IS(seen.count, 1);
    CHECK_IS(seen.pid, pid);
    CHECK_IS(count_of(STRAIT_ERROR_HALF_WRITTEN, "jobs"), 1);
    CHECK_IS(count_of(STRAIT_ERROR_REDELIVERED, "jobs"), 1);
    CHECK_IS(count_of(STRAIT_ERROR_DEAD_LETTER, "jobs"), 0);
    CHECK(seek(STRAIT_ERROR_LOCK_DIED, "table", &seen));
    CHECK_IS(seen.pid, pid);
    CHECK_IS(strait_region_lock(region, soon()), 1);
    CHECK_IS(strait_region_unlock(region), 0);
    CHECK_IS(count_of(STRAIT_ERROR_LOCK_POISONED, "table"), 1);
    strait_region_close(region);
    shared_free(gates, 2 * sizeof *gates);
}

static void full_channels_are_remembered(UNUSED_STATE)
{
    static const struct {
        enum strait_full full;
        uint64_t wait_ns;
        enum strait_error_kind kind;
        int says;
    } cases[] = {{STRAIT_FULL_WAIT, MS, STRAIT_ERROR_FULL, -ETIMEDOUT},
                 {STRAIT_FULL_FAIL, MS, STRAIT_ERROR_FULL, -EAGAIN},
                 {STRAIT_FULL_DROP_NEW, 0, STRAIT_ERROR_DROPPED_NEW, 1},
                 {STRAIT_FULL_DROP_OLDEST, 0, STRAIT_ERROR_DROPPED_OLDEST, 1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strait_channel_options options = {.depth = 2, .full = cases[i].full};
        char name[2] = {(char)('a' + i), 0};
        struct strait_tx *tx;
        struct strait_rx *rx;

        CHECK_IS(strait_rx_open(s, name, &options, &rx), 0);
        CHECK_IS(strait_tx_open(s, name, NULL, &tx), 0);
        for (int k = 0; k < 2; k++)
            CHECK_IS(strait_send(tx, "1", 2, STRAIT_NOW), 0);
        CHECK_IS(distinct(), i);
        for (uint64_t k = 1; k <= 3; k++) {
            CHECK_IS(strait_send(tx, "2", 2, cases[i].wait_ns ? strait_after_ns(cases[i].wait_ns) : STRAIT_NOW),
                     cases[i].says);
            CHECK_IS(count_of(cases[i].kind, name), k);
        }
        if (cases[i].full == STRAIT_FULL_WAIT) { /* who only asks whether there is room has no error */
            CHECK_IS(strait_send(tx, "2", 2, STRAIT_NOW), -EAGAIN);
            CHECK_IS(count_of(cases[i].kind, name), 3);
        }
        strait_tx_close(tx);
        strait_rx_close(rx);
    }
}

static void damage_and_want_of_room_are_remembered(UNUSED_STATE)
{
    struct strait_region *region;
    struct strait_rx *rx;
    struct strait_tx *tx;
    char text[8];

    CHECK_IS(strait_region_open(s, "huge", &(struct strait_region_options){.bytes = UINT64_C(1) << 30}, &region),
             -ENOSPC);
    CHECK_IS(count_of(STRAIT_ERROR_NO_ROOM, "huge"), 1);
    CHECK_IS(strait_rx_open(s, "jobs", &(struct strait_channel_options){.depth = 2}, &rx), 0);
    CHECK_IS(strait_tx_open(s, "jobs", NULL, &tx), 0);
    CHECK_IS(strait_send(tx, "1", 2, STRAIT_NOW), 0);
    strait_ring_slot(&tx->end, 0)->head = strait_head(1000, 0, 0);
    CHECK_IS(strait_recv(rx, text, sizeof text, STRAIT_NOW), -EBADMSG);
    CHECK_IS(count_of(STRAIT_ERROR_DAMAGED, "jobs"), 1);
    strait_tx_close(tx);
    strait_rx_close(rx);
}

static void callers_in_vain_are_remembered(UNUSED_STATE)
{
    struct strait_channel_options options = {.depth = 4, .slot_bytes = 64, .replies = 1};
    struct strait_reply_rx reply, other;
    struct strait_answer answer;
    struct strait_rx *rx;
    struct strait_tx *tx;
    struct strait_msg msg;
    char text[8];

    CHECK_IS(strait_rx_open(s, "calls", &options, &rx), 0);
    CHECK_IS(strait_tx_open(s, "calls", NULL, &tx), 0);
    CHECK_IS(strait_request(tx, 0, "1", 2, STRAIT_FOREVER, &reply, STRAIT_NOW), 0);
    CHECK_IS(strait_request(tx, 0, "2", 2, STRAIT_FOREVER, &other, STRAIT_NOW), -ENOBUFS);
    CHECK_IS(count_of(STRAIT_ERROR_NO_REPLY, "calls"), 1);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, strait_after_ns(MS)), -ETIMEDOUT);
    CHECK_IS(count_of(STRAIT_ERROR_UNANSWERED, "calls"), 1);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
    CHECK_IS(strait_answer_accept(rx, &msg, &answer), 0);
    strait_answer_abandon(&answer);
    CHECK_IS(strait_release(rx, &msg), 0);
    CHECK_IS(strait_reply_recv(&reply, text, sizeof text, NULL, STRAIT_NOW), -EOWNERDEAD);
    CHECK_IS(count_of(STRAIT_ERROR_JOB_LOST, "calls"), 1);
    strait_reply_close(&reply);
    strait_tx_close(tx);
    strait_rx_close(rx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SEGMENT(one_error_is_one_cell_with_a_count_and_two_times),
        TEST_SEGMENT(what_finds_no_cell_is_counted),
        TEST_SEGMENT(a_half_written_cell_is_not_there_and_then_is_finished),
        TEST_SEGMENT(a_name_without_an_end_is_cut),
        TEST_SEGMENT(those_who_race_for_a_cell_get_one_each_and_share_what_is_the_same),
        TEST_SEGMENT(deaths_are_remembered_with_what_they_left),
        TEST_SEGMENT(full_channels_are_remembered),
        TEST_SEGMENT(damage_and_want_of_room_are_remembered),
        TEST_SEGMENT(callers_in_vain_are_remembered),
    };
    return RUN(tests);
}
