/* SPDX-License-Identifier: MIT */
/* Undoing what the dead left, object by object; and what happens when a sweeper dies half-way. */
#include "unit.h"

#include <strait/strait.h>

#include "admin.h"
#include "channel.h"
#include "endpoint.h"
#include "lease.h"
#include "process.h"
#include "sweep.h"

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

struct stage {
    gate ready, never;
};

/* A process that has a hand in everything: a claim, a peek, a role, a hold, a reference, a count at a bell. */
static void be_everywhere(void *arg)
{
    struct stage *stage = arg;
    struct strait_channel_options sole = {.senders = STRAIT_ONE, .receivers = STRAIT_ONE};
    struct strait_bell_ticket ticket;
    struct strait_segment *mine;
    struct strait_tx *tx;
    struct strait_rx *rx;
    struct strait_claim claim;
    struct strait_msg msg;
    struct strait_hold *hold;

    CHECK_IS(strait_attach("x", NULL, &mine), 0);
    CHECK_IS(strait_tx_open(mine, "many", NULL, &tx), 0);
    CHECK_IS(strait_rx_open(mine, "many", NULL, &rx), 0);
    CHECK_IS(strait_channel_hold(mine, "many", &hold), 0);
    CHECK_IS(strait_send(tx, "peeked", 6, STRAIT_NOW), 0);
    CHECK_IS(strait_peek(rx, &msg, STRAIT_NOW), 0);
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    strait_bell_enter(rx->bell, &ticket, STRAIT_BELL_FENCE);
    strait_bell_enter(tx->space, &ticket, STRAIT_BELL_FENCE);
    CHECK_IS(strait_tx_open(mine, "sole", &sole, &tx), 0);
    CHECK_IS(strait_rx_open(mine, "sole", &sole, &rx), 0);
    gate_open(&stage->ready);
    gate_wait(&stage->never);
}

static uint32_t somebody_dies(void)
{
    struct stage *stage = shared_new(sizeof *stage);
    pid_t pid = peer_start(be_everywhere, stage);

    gate_wait(&stage->ready);
    peer_kill(pid);
    shared_free(stage, sizeof *stage);
    return strait_lease_next_dead(&s->map, 1);
}

static void view_of(const char *name, struct strait_channel_view *view)
{
    struct strait_object o;

    CHECK_IS(strait_directory_find(&s->map, name, STRAIT_KIND_CHANNEL, &o), 0);
    CHECK_IS(strait_channel_view(&s->map, &o, view), 0);
}

static void nothing_left_of(uint32_t lease)
{
    struct strait_channel_view many, sole;
    struct strait_ring_end end;
    uint32_t counts[8];

    view_of("many", &many);
    view_of("sole", &sole);
    CHECK(!strait_set_has(&many.shared->senders, lease));
    CHECK(!strait_set_has(&many.shared->receivers, lease));
    CHECK(!strait_set_has(&many.shared->holders, lease));
    CHECK(!strait_set_has(&strait_segment_entry(&s->map, many.object.entry)->refs, lease));
    CHECK_IS(many.shared->status, STRAIT_CHANNEL_NO_SENDERS | STRAIT_CHANNEL_NO_RECEIVERS);
    CHECK_IS(strait_channel_end(&many, 0, &end), 0);
    strait_ring_count(&end, counts);
    CHECK_IS(counts[STRAIT_SLOT_RETURNED], 1);
    CHECK_IS(counts[STRAIT_SLOT_VOID], 1);
    CHECK_IS(counts[STRAIT_SLOT_TAKEN] + counts[STRAIT_SLOT_CLAIMED], 0);
    CHECK_IS(strait_bell_count(many.shared->readable.sleepers), 0);
    CHECK_IS(strait_bell_count(end.ring->writable.sleepers), 0);
    CHECK_IS(strait_channel_end(&sole, 0, &end), 0);
    CHECK_IS(end.ring->producer, STRAIT_LEASE_NONE);
    CHECK_IS(end.ring->consumer, STRAIT_LEASE_NONE);
    CHECK_IS(end.ring->suspect, 1);
}

static void a_sweep_removes_the_dead_from_everything_and_frees_their_lease(UNUSED_STATE)
{
    uint32_t dead = somebody_dies();

    CHECK_IS(dead, 2);
    CHECK_IS(strait_sweep(&s->map, soon()), 1);
    nothing_left_of(dead);
    CHECK_IS(strait_segment_lease(&s->map, dead)->state, STRAIT_LEASE_FREE);
    CHECK_IS(strait_segment_header(&s->map)->sweeps, 1);
    CHECK_IS(strait_sweep(&s->map, soon()), 0);
}

static void a_sweep_that_was_cut_short_is_finished_by_the_next(UNUSED_STATE)
{
    uint32_t dead = somebody_dies();
    struct strait_left_behind left = {0};
    struct strait_channel_view many;
    uint32_t returned;

    /* The first sweeper got through all objects and died before the index was freed. */
    CHECK_IS(strait_admin_enter(&s->map, soon()), 0);
    strait_sweep_objects(&s->map, dead, &left);
    strait_admin_leave(&s->map);
    CHECK_IS(left.returned, 1);
    CHECK_IS(left.voided, 1);
    CHECK(strait_lease_dead(&s->map, dead));
    view_of("many", &many);
    returned = ((struct strait_ring *)(void *)(s->map.base + many.rings_off))->returned;
    CHECK_IS(strait_sweep(&s->map, soon()), 1);
    nothing_left_of(dead);
    CHECK_IS(many.shared->redelivered, 1);                                                            /* counted once */
    CHECK_IS(((struct strait_ring *)(void *)(s->map.base + many.rings_off))->returned, returned + 1); /* raised again */
}

static void the_living_are_not_swept(UNUSED_STATE)
{
    struct strait_tx *tx;
    struct strait_claim claim;

    CHECK_IS(strait_tx_open(s, "many", NULL, &tx), 0);
    CHECK_IS(strait_claim(tx, &claim, STRAIT_NOW), 0);
    CHECK_IS(strait_sweep(&s->map, soon()), 0);
    CHECK_IS(strait_commit(tx, &claim, 0, 0), 0);
    strait_tx_close(tx);
}

static void without_anybody_dead_the_admin_lock_is_not_wanted(UNUSED_STATE)
{
    CHECK_IS(strait_admin_enter(&s->map, soon()), 0);
    CHECK_IS(strait_sweep(&s->map, STRAIT_NOW), 0);
    strait_admin_leave(&s->map);
}

static void with_somebody_dead_a_held_admin_lock_is_etimedout(UNUSED_STATE)
{
    CHECK_IS(somebody_dies(), 2);
    CHECK_IS(strait_admin_enter(&s->map, soon()), 0);
    CHECK_IS(strait_sweep(&s->map, strait_after_ns(MS)), -ETIMEDOUT);
    strait_admin_leave(&s->map);
    CHECK_IS(strait_sweep(&s->map, soon()), 1);
}

static void waiters_do_not_look_where_somebody_has_just_looked(UNUSED_STATE)
{
    struct strait_header *h = strait_segment_header(&s->map);

    CHECK_IS(somebody_dies(), 2);
    h->looked_ns = strait_now_ns();
    CHECK_IS(strait_sweep_after_sleep(&s->map, UINT64_C(1000000000000), soon()), 0);
    h->looked_ns = strait_now_ns() + UINT64_C(1000000000000); /* a lie, or another boot's */
    CHECK_IS(strait_sweep_after_sleep(&s->map, UINT64_C(1000000000000), soon()), 1);
}

static void an_unlinked_object_goes_with_its_last_user_by_death(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(somebody_dies(), 2);
    CHECK_IS(strait_directory_find(&s->map, "many", STRAIT_KIND_CHANNEL, &o), 0);
    CHECK_IS(strait_channel_unlink(s, "many"), 0);
    CHECK_IS(strait_directory_at(&s->map, o.entry, &o), 0);
    CHECK_IS(strait_sweep(&s->map, soon()), 1);
    CHECK_IS(strait_directory_at(&s->map, o.entry, &o), -ENOENT);
}

static void a_damaged_object_does_not_stop_the_sweep(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(somebody_dies(), 2);
    CHECK_IS(strait_directory_find(&s->map, "many", STRAIT_KIND_CHANNEL, &o), 0);
    ((struct strait_channel *)(void *)(s->map.base + o.offset))->rings_off = UINT64_MAX;
    CHECK_IS(strait_sweep(&s->map, soon()), 1);
    CHECK_IS(strait_sweep(&s->map, soon()), 0);
    CHECK_IS(strait_directory_find(&s->map, "sole", STRAIT_KIND_CHANNEL, &o), 0);
    struct strait_channel_view view;
    CHECK_IS(strait_channel_view(&s->map, &o, &view), 0);
    CHECK_IS(strait_set_count(&view.shared->senders), 0);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(a_sweep_removes_the_dead_from_everything_and_frees_their_lease),
        HERE(a_sweep_that_was_cut_short_is_finished_by_the_next),
        HERE(the_living_are_not_swept),
        HERE(without_anybody_dead_the_admin_lock_is_not_wanted),
        HERE(with_somebody_dead_a_held_admin_lock_is_etimedout),
        HERE(waiters_do_not_look_where_somebody_has_just_looked),
        HERE(an_unlinked_object_goes_with_its_last_user_by_death),
        HERE(a_damaged_object_does_not_stop_the_sweep),
    };
    return RUN(tests);
}
