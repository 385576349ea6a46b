/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <strait/strait.h>
#include <unistd.h>

#include "process.h"
#include "region.h"

#define PLAIN   (&(struct strait_region_options){.bytes = 100})
#define ATOMIC  (&(struct strait_region_options){.bytes = 100, .atomic = true})
#define READERS (&(struct strait_region_options){.bytes = 100, .readers = true})

/* What a test and its peers share besides the segment. */
struct shared {
    gate ready, go, done;
    int64_t answer;
};

static struct strait_segment *segment;

static struct strait_region *open_new(const struct strait_region_options *options)
{
    struct strait_region *r = NULL;

    if (segment == NULL)
        CHECK_IS(strait_attach("region", NULL, &segment), 0);
    CHECK_IS(strait_region_open(segment, "it", options, &r), 0);
    return r;
}

/* In a peer: attaches for itself. */
static struct strait_region *open_as_peer(void)
{
    struct strait_region *r = NULL;

    segment = NULL;
    CHECK_IS(strait_attach("region", NULL, &segment), 0);
    CHECK_IS(strait_region_open(segment, "it", NULL, &r), 0);
    return r;
}

static int teardown(void **state)
{
    strait_detach(segment);
    segment = NULL;
    return place_teardown(state);
}

#define TEST_REGION(name) cmocka_unit_test_setup_teardown(name, place_setup, teardown)

/* ---- peers ---- */

static void lock_and_hold(void *arg)
{
    struct shared *s = arg;
    struct strait_region *r = open_as_peer();

    CHECK_IS(strait_region_lock(r, soon()), 0);
    gate_open(&s->ready);
    gate_wait(&s->go);
    CHECK_IS(strait_region_unlock(r), 0);
    gate_wait(&s->done);
}

static void read_and_hold(void *arg)
{
    struct shared *s = arg;
    struct strait_region *r = open_as_peer();

    CHECK_IS(strait_region_read_lock(r, soon()), 0);
    gate_open(&s->ready);
    gate_wait(&s->go);
    CHECK_IS(strait_region_read_unlock(r), 0);
    gate_wait(&s->done);
}

static void lock_in_vain(void *arg)
{
    struct shared *s = arg;
    struct strait_region *r = open_as_peer();

    gate_open(&s->ready);
    s->answer = strait_region_lock(r, soon());
    gate_open(&s->done);
}

static void begin_and_hold(void *arg)
{
    struct shared *s = arg;
    struct strait_region *r = open_as_peer();
    void *data;

    CHECK_IS(strait_region_lock(r, soon()), 0);
    CHECK_IS(strait_region_begin(r, &data), 0);
    memset(data, 'x', 60);
    gate_open(&s->ready);
    gate_wait(&s->go);
}

/* A peer that dies in what it does. */
static void die_in(void (*act)(void *), struct shared *s)
{
    pid_t pid = peer_start(act, s);

    gate_wait(&s->ready);
    peer_kill(pid);
}

/* ---- one process ---- */

static void a_region_begins_with_its_initial_bytes(UNUSED_STATE)
{
    struct strait_region *r = open_new(&(struct strait_region_options){.bytes = 6, .initial = "hello"});

    CHECK_IS(strait_region_bytes(r), 6);
    CHECK_IS(strcmp(strait_region_data(r), "hello"), 0);
    CHECK_IS(strait_region_create(segment, "it", PLAIN), -EEXIST);
    CHECK_IS(strait_region_create(segment, "other", PLAIN), 0);
    strait_region_close(r);
}

static void a_lock_is_held_until_it_is_given_back(UNUSED_STATE)
{
    struct strait_region *a = open_new(PLAIN), *b = open_new(PLAIN);

    CHECK_IS(strait_region_unlock(a), -EPERM);
    CHECK_IS(strait_region_lock(a, STRAIT_NOW), 0);
    CHECK_IS(strait_region_lock(a, STRAIT_NOW), -EDEADLK);
    CHECK_IS(strait_region_lock(b, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_unlock(b), -EPERM);
    CHECK_IS(strait_region_unlock(a), 0);
    CHECK_IS(strait_region_lock(b, STRAIT_NOW), 0);
    strait_region_close(b);
    CHECK_IS(strait_region_lock(a, STRAIT_NOW), 0);
    strait_region_close(a);
}

static void options_that_do_not_suit_are_refused_by_name(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN), *other = NULL;
    struct strait_rx *rx;

    CHECK_IS(strait_region_open(segment, "it", &(struct strait_region_options){.bytes = 101}, &other), -EINVAL);
    CHECK_SAYS("101 are asked for");
    CHECK_IS(strait_region_open(segment, "it", ATOMIC, &other), -EINVAL);
    CHECK_SAYS("a plain");
    CHECK_IS(strait_region_open(segment, "new", &(struct strait_region_options){.bytes = 0}, &other), -EINVAL);
    CHECK_IS(strait_region_open(segment, "new", NULL, &other), -ENOENT);
    CHECK_IS(strait_rx_open(segment, "it", NULL, &rx), -ENOTUNIQ);
    CHECK_IS(strait_region_begin(r, &(void *){NULL}), -EOPNOTSUPP);
    CHECK_IS(strait_region_read_lock(r, STRAIT_NOW), -EOPNOTSUPP);
    CHECK_IS(strait_region_snapshot(r, &(char[4]){0}, 4, STRAIT_NOW), -EOPNOTSUPP);
    CHECK(other == NULL);
    strait_region_close(r);
}

static void a_forked_child_gets_echild(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    pid_t pid;

    CHECK_IS(strait_region_lock(r, STRAIT_NOW), 0);
    pid = fork();
    if (pid == 0)
        _exit(strait_region_unlock(r) == -ECHILD && strait_region_lock(r, 0) == -ECHILD &&
                      strait_region_poisoned(r) == -ECHILD && strait_region_heal(r) == -ECHILD
                  ? 0
                  : 1);
    peer_join(pid);
    CHECK_IS(strait_region_unlock(r), 0);
    strait_region_close(r);
}

static void a_head_that_points_outside_is_not_believed(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct strait_region_view view;
    struct strait_object object;
    struct strait_region_head *h;
    uint64_t *fields[7], n = 0;

    CHECK_IS(strait_directory_find(&segment->map, "it", STRAIT_KIND_REGION, &object), 0);
    CHECK_IS(strait_region_view(&segment->map, &object, &view), 0);
    h = view.shared;
    fields[n++] = &h->bytes, fields[n++] = &h->parts_off, fields[n++] = &h->part_bytes;
    fields[n++] = &h->run_bytes, fields[n++] = &h->copy_bytes;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t was = *fields[i];
        static const uint64_t lies[] = {1, 1 << 20, UINT64_MAX, UINT64_MAX / 2, 1ull << 41, ~UINT64_C(63)};
        for (size_t k = 0; k < sizeof lies / sizeof lies[0]; k++) {
            *fields[i] = was + lies[k];
            if (fields[i] != &h->bytes || was + lies[k] > 128) /* as many fit the lines of 100 */
                CHECK_IS(strait_region_view(&segment->map, &object, &view), -EPROTO);
        }
        *fields[i] = was;
    }
    for (uint32_t k = 1; k < 32; k++) {
        h->flags = 1u << k | (k == 1);
        CHECK_IS(strait_region_view(&segment->map, &object, &view), -EPROTO);
    }
    h->flags = 0;
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t *small[] = {&h->cells_at, &h->data_at, &h->run_parts}, was = *small[k];
        for (uint32_t i = 0; i < 4; i++) {
            *small[k] = (uint32_t[]){0, 1, 1 << 20, UINT32_MAX}[i];
            if (*small[k] != was)
                CHECK_IS(strait_region_view(&segment->map, &object, &view), -EPROTO);
        }
        *small[k] = was;
    }
    h->parts = 2;
    CHECK_IS(strait_region_view(&segment->map, &object, &view) < 0 ||
                 view.parts_off + 2 * view.part_bytes <= object.offset + object.bytes,
             true);
    h->parts = 0;
    CHECK_IS(strait_region_view(&segment->map, &object, &view), -EPROTO);
    strait_region_close(r);
}

/* ---- death ---- */

static void who_comes_after_a_death_is_told_and_heals(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);
    struct strait_contention figures;

    die_in(lock_and_hold, s);
    CHECK_IS(strait_region_lock(r, soon()), 1);
    CHECK_IS(strait_region_suspect(r), 1);
    CHECK_IS(strait_region_heal(r), 0);
    CHECK_IS(strait_region_suspect(r), 0);
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    CHECK_IS(strait_region_contention(r, &figures), 0);
    CHECK_IS(figures.deaths, 1);
    CHECK(figures.contended >= 1);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

static void released_unhealed_it_is_poisoned_until_somebody_heals(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);

    die_in(lock_and_hold, s);
    CHECK_IS(strait_region_lock(r, soon()), 1);
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_poisoned(r), 1);
    CHECK_IS(strait_region_lock(r, soon()), -ENOTRECOVERABLE);
    CHECK_SAYS("strait_region_lock_for_heal");
    CHECK_IS(strait_region_lock_for_heal(r, soon()), 1);
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_poisoned(r), 1);
    CHECK_IS(strait_region_lock_for_heal(r, soon()), 1);
    CHECK_IS(strait_region_heal(r), 0);
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_poisoned(r), 0);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

static void closing_while_suspect_leaves_it_suspect(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN), *other = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);

    die_in(lock_and_hold, s);
    CHECK_IS(strait_region_lock(r, soon()), 1);
    strait_region_close(r);
    CHECK_IS(strait_region_lock(other, STRAIT_NOW), 1);
    strait_region_close(other);
    shared_free(s, sizeof *s);
}

static void who_only_tries_does_not_try_for_ever(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);
    uint64_t until = soon();
    int e;

    die_in(lock_and_hold, s);
    while ((e = strait_region_lock(r, STRAIT_NOW)) == -EAGAIN)
        CHECK(strait_now_ns() < until);
    CHECK_IS(e, 1);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

static void a_sleeper_gets_the_lock_from_the_living_and_from_the_dead(UNUSED_STATE)
{
    for (int dead = 0; dead < 2; dead++) {
        struct strait_region *r = open_new(PLAIN);
        struct shared *holder = shared_new(sizeof *holder), *s = shared_new(sizeof *s);
        pid_t held = peer_start(lock_and_hold, holder), pid;

        gate_wait(&holder->ready);
        pid = peer_start(lock_in_vain, s);
        gate_wait(&s->ready);
        peer_await_sleep(pid);
        if (dead)
            peer_kill(held);
        else
            gate_open(&holder->go);
        gate_wait(&s->done);
        CHECK_IS(s->answer, dead);
        gate_open(&holder->done);
        peer_join(pid);
        if (!dead)
            peer_join(held);
        strait_region_close(r);
        strait_region_unlink(segment, "it");
        shared_free(holder, sizeof *holder);
        shared_free(s, sizeof *s);
    }
}

static void a_deadline_ends_a_wait_and_leaves_no_trace(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);
    pid_t pid = peer_start(lock_and_hold, s);

    gate_wait(&s->ready);
    CHECK_IS(strait_region_lock(r, strait_after_ns(5 * MS)), -ETIMEDOUT);
    for (unsigned i = 0; i < STRAIT_WAITS; i++)
        CHECK_IS(strait_segment_lease(&segment->map, segment->map.lease)->waits[i].thread, 0);
    gate_open(&s->go);
    gate_open(&s->done);
    peer_join(pid);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

static void a_waiter_writes_down_what_it_waits_for(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);
    struct strait_wait_record *record = NULL;
    pid_t pid;

    CHECK_IS(strait_region_lock(r, soon()), 0);
    pid = peer_start(lock_in_vain, s);
    gate_wait(&s->ready);
    peer_await_sleep(pid);
    for (uint32_t i = 1; i < STRAIT_LEASES && record == NULL; i++)
        if (strait_segment_lease(&segment->map, i)->waits[0].kind == STRAIT_WAIT_LOCK)
            record = &strait_segment_lease(&segment->map, i)->waits[0];
    CHECK(record != NULL);
    CHECK_IS(record->thread, pid);
    CHECK_IS(strait_region_unlock(r), 0);
    peer_join(pid);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

/* ---- atomic regions ---- */

static void a_commit_is_seen_whole_and_what_is_not_committed_is_gone(UNUSED_STATE)
{
    struct strait_region *r = open_new(ATOMIC);
    char got[100] = "?";
    void *data;

    CHECK_IS(strait_region_begin(r, &data), -EPERM);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    CHECK_IS(strait_region_commit(r), -EPERM);
    CHECK_IS(strait_region_begin(r, &data), 0);
    strcpy(data, "one");
    CHECK_IS(strait_region_snapshot(r, got, sizeof got, STRAIT_NOW), 0);
    CHECK_IS(got[0], 0);
    CHECK_IS(strait_region_commit(r), 0);
    CHECK_IS(strait_region_begin(r, &data), 0);
    CHECK_IS(strcmp(data, "one"), 0); /* the spare copy begins as the published one */
    strcpy(data, "two");
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_commit(r), -EPERM);
    CHECK_IS(strait_region_snapshot(r, got, sizeof got, STRAIT_NOW), 0);
    CHECK_IS(strcmp(got, "one"), 0);
    CHECK_IS(strcmp(strait_region_data(r), "one"), 0);
    CHECK_IS(strait_region_snapshot(r, got, 101, STRAIT_NOW), -EMSGSIZE);
    CHECK_IS(strait_region_snapshot(r, got, 3, STRAIT_NOW), 0);
    strait_region_close(r);
}

static void who_dies_inside_has_changed_nothing_and_nobody_is_told(UNUSED_STATE)
{
    struct strait_region *r = open_new(ATOMIC);
    struct shared *s = shared_new(sizeof *s);
    char got[100] = "?", zero[100] = "";

    die_in(begin_and_hold, s);
    CHECK_IS(strait_region_snapshot(r, got, sizeof got, STRAIT_NOW), 0);
    CHECK_IS(memcmp(got, zero, sizeof got), 0);
    CHECK_IS(strait_region_lock(r, soon()), 0);
    CHECK_IS(strait_region_poisoned(r), 0);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

/* ---- readers ---- */

static void readers_share_and_writers_exclude(UNUSED_STATE)
{
    struct strait_region *a = open_new(READERS), *b = open_new(READERS);

    CHECK_IS(strait_region_read_lock(a, STRAIT_NOW), 0);
    CHECK_IS(strait_region_read_lock(b, STRAIT_NOW), 0);
    CHECK_IS(strait_region_read_unlock(a), 0);
    CHECK_IS(strait_region_read_unlock(a), -EPERM);
    CHECK_IS(strait_region_lock(a, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_read_lock(a, STRAIT_NOW), 0); /* the writer that gave up is not in the way */
    CHECK_IS(strait_region_unlock(a), -EPERM);
    CHECK_IS(strait_region_read_unlock(a), 0);
    CHECK_IS(strait_region_read_unlock(b), 0);
    CHECK_IS(strait_region_lock(a, STRAIT_NOW), 0);
    CHECK_IS(strait_region_read_lock(b, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_lock(b, STRAIT_NOW), -EAGAIN);
    CHECK_IS(strait_region_unlock(a), 0);
    strait_region_close(a);
    strait_region_close(b);
}

static void a_writer_waits_for_readers_living_and_dead(UNUSED_STATE)
{
    for (int dead = 0; dead < 2; dead++) {
        struct strait_region *r = open_new(READERS);
        struct shared *reader = shared_new(sizeof *reader), *s = shared_new(sizeof *s);
        pid_t reads = peer_start(read_and_hold, reader), pid;

        gate_wait(&reader->ready);
        pid = peer_start(lock_in_vain, s);
        gate_wait(&s->ready);
        peer_await_sleep(pid);
        CHECK_IS(strait_region_read_lock(r, STRAIT_NOW), -EAGAIN); /* it waits already: newcomers stand back */
        if (dead)
            peer_kill(reads);
        else
            gate_open(&reader->go);
        gate_wait(&s->done);
        CHECK_IS(s->answer, 0);
        gate_open(&reader->done);
        peer_join(pid);
        if (!dead)
            peer_join(reads);
        CHECK_IS(strait_region_read_lock(r, soon()), 1); /* it ended without giving the lock back */
        strait_region_close(r);
        strait_region_unlink(segment, "it");
        shared_free(reader, sizeof *reader);
        shared_free(s, sizeof *s);
    }
}

static void readers_learn_of_a_dead_writer(UNUSED_STATE)
{
    struct strait_region *r = open_new(READERS);
    struct shared *s = shared_new(sizeof *s);

    die_in(lock_and_hold, s);
    CHECK_IS(strait_region_read_lock(r, soon()), 1);
    CHECK_IS(strait_region_read_unlock(r), 0);
    CHECK_IS(strait_region_lock(r, soon()), 1);
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_read_lock(r, soon()), -ENOTRECOVERABLE);
    CHECK_IS(strait_region_lock_for_heal(r, soon()), 1);
    CHECK_IS(strait_region_heal(r), 0);
    CHECK_IS(strait_region_unlock(r), 0);
    CHECK_IS(strait_region_read_lock(r, soon()), 0);
    strait_region_close(r);
    shared_free(s, sizeof *s);
}

/* ---- references ---- */

static void an_unlinked_region_lives_while_somebody_has_it(UNUSED_STATE)
{
    struct strait_region *a = open_new(PLAIN), *b = NULL;
    uint64_t before, now, longest;

    strait_directory_space(&segment->map, &before, &longest);
    CHECK_IS(strait_region_unlink(segment, "it"), 0);
    CHECK_IS(strait_region_unlink(segment, "it"), -ENOENT);
    CHECK_IS(strait_region_open(segment, "it", NULL, &b), -ENOENT);
    CHECK_IS(strait_region_lock(a, STRAIT_NOW), 0);
    strait_directory_space(&segment->map, &now, &longest);
    CHECK_IS(now, before);
    strait_region_close(a);
    strait_directory_space(&segment->map, &now, &longest);
    CHECK(now > before);
}

static void an_unlinked_region_goes_with_the_death_of_who_has_it(UNUSED_STATE)
{
    struct strait_region *r = open_new(PLAIN);
    struct shared *s = shared_new(sizeof *s);
    uint64_t before, now, longest;

    pid_t pid = peer_start(lock_and_hold, s);
    gate_wait(&s->ready);
    strait_directory_space(&segment->map, &before, &longest);
    CHECK_IS(strait_region_unlink(segment, "it"), 0);
    strait_region_close(r);
    strait_directory_space(&segment->map, &now, &longest);
    CHECK_IS(now, before);
    peer_kill(pid);
    CHECK_IS(strait_sweep_dead(segment), 1);
    strait_directory_space(&segment->map, &now, &longest);
    CHECK(now > before);
    shared_free(s, sizeof *s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_REGION(a_region_begins_with_its_initial_bytes),
        TEST_REGION(a_lock_is_held_until_it_is_given_back),
        TEST_REGION(options_that_do_not_suit_are_refused_by_name),
        TEST_REGION(a_forked_child_gets_echild),
        TEST_REGION(a_head_that_points_outside_is_not_believed),
        TEST_REGION(who_comes_after_a_death_is_told_and_heals),
        TEST_REGION(released_unhealed_it_is_poisoned_until_somebody_heals),
        TEST_REGION(closing_while_suspect_leaves_it_suspect),
        TEST_REGION(who_only_tries_does_not_try_for_ever),
        TEST_REGION(a_sleeper_gets_the_lock_from_the_living_and_from_the_dead),
        TEST_REGION(a_deadline_ends_a_wait_and_leaves_no_trace),
        TEST_REGION(a_waiter_writes_down_what_it_waits_for),
        TEST_REGION(a_commit_is_seen_whole_and_what_is_not_committed_is_gone),
        TEST_REGION(who_dies_inside_has_changed_nothing_and_nobody_is_told),
        TEST_REGION(readers_share_and_writers_exclude),
        TEST_REGION(a_writer_waits_for_readers_living_and_dead),
        TEST_REGION(readers_learn_of_a_dead_writer),
        TEST_REGION(an_unlinked_region_lives_while_somebody_has_it),
        TEST_REGION(an_unlinked_region_goes_with_the_death_of_who_has_it),
    };
    return RUN(tests);
}
