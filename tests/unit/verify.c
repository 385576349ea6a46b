/* SPDX-License-Identifier: MIT */
/* Each rule of strait_rules is broken here once, alone, and must be named; a segment in use breaks none. */
#include "unit.h"

#include <fcntl.h>

#include "admin.h"
#include "attach.h"
#include "channel.h"
#include "errors.h"
#include "counter.h"
#include "lease.h"
#include "pages.h"
#include "region.h"
#include "reply.h"
#include "strait/bell.h"
#include "verify.h"

#define SOON (strait_after_ns(UINT64_C(2000000000)))

static struct strait_segment_map map;
static struct strait_object many, sole, lanes, shards, drops, region, counter;
static struct strait_channel_view calls;  /* of many */
static struct strait_ring_end ring, line; /* of many, of sole */

/* ---- a segment with one of each ---- */

static void add_channel(const char *name, struct strait_channel_plan plan, struct strait_object *o)
{
    CHECK_IS(strait_channel_measure(&plan), 0);
    CHECK_IS(strait_directory_prepare(&map, name, STRAIT_KIND_CHANNEL, plan.bytes, -1, o), 0);
    strait_channel_build(&map, o, &plan);
    strait_directory_publish(&map, o);
}

static void add_state(void)
{
    struct strait_region_plan plan = {.parts = 2, .bytes = 64, .flags = STRAIT_REGION_READERS, .runs = 2};
    struct strait_counter_plan cells = {.handles = 4, .shards = 2};

    CHECK_IS(strait_region_measure(&plan), 0);
    CHECK_IS(strait_directory_prepare(&map, "region", STRAIT_KIND_REGION, plan.object_bytes, -1, &region), 0);
    strait_region_build(&map, &region, &plan);
    strait_directory_publish(&map, &region);
    CHECK_IS(strait_counter_measure(&cells), 0);
    CHECK_IS(strait_directory_prepare(&map, "counter", STRAIT_KIND_COUNTER, cells.object_bytes, -1, &counter), 0);
    strait_counter_build(&map, &counter, &cells);
    strait_directory_publish(&map, &counter);
}

static int make(void **state)
{
    struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 8, .mode = 0600};
    struct strait_channel_plan plan = {.slot_bytes = 48,
                                       .capacity = 4,
                                       .rings = 2,
                                       .max_attempts = 3,
                                       .peek_window = 2,
                                       .dead_max = 2,
                                       .replies = 2,
                                       .reply_bytes = 48,
                                       .reply_capacity = 2};
    struct strait_misfit misfit;

    place_setup(state);
    CHECK_IS(strait_attach_map(&map, place_path("strait.x"), STRAIT_ATTACH_CREATE, &shape, SOON, &misfit), 0);
    plan.flags = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS;
    add_channel("many", plan, &many);
    plan.flags = 0;
    plan.rings = 1;
    add_channel("sole", plan, &sole);
    plan.flags = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_LANES;
    plan.rings = 2;
    add_channel("lanes", plan, &lanes);
    plan.flags = STRAIT_CHANNEL_MANY_PRODUCERS | STRAIT_CHANNEL_MANY_CONSUMERS | STRAIT_CHANNEL_SHARDED;
    add_channel("shards", plan, &shards);
    plan.flags = 0;
    plan.rings = 1;
    plan.replies = 0;
    plan.full = STRAIT_FULL_DROP_OLDEST; /* both sides compare and swap, also where there is one of each */
    add_channel("drops", plan, &drops);
    add_state();
    CHECK_IS(strait_channel_view(&map, &many, &calls), 0);
    CHECK_IS(strait_channel_end(&calls, 0, &ring), 0);
    struct strait_channel_view v;
    CHECK_IS(strait_channel_view(&map, &sole, &v), 0);
    CHECK_IS(strait_channel_end(&v, 0, &line), 0);
    return 0;
}

static int drop(void **state)
{
    strait_segment_close(&map);
    return place_teardown(state);
}

/* ---- what verify says ---- */

struct said {
    struct strait_verify how; /* first */
    uint32_t times[STRAIT_RULES];
    struct strait_finding last;
};

static void found(struct strait_verify *how, const struct strait_finding *finding)
{
    struct said *said = (struct said *)(void *)how;
    said->times[finding->rule]++;
    said->last = *finding;
    CHECK(finding->offset < map.bytes);
}

static uint32_t look(struct said *said, bool admin)
{
    *said = (struct said){.how = {found, admin, true}};
    return strait_verify(&map, &said->how);
}

static void is_sound(void)
{
    struct said said;

    if (look(&said, true) != 0)
        fail_msg("a finding where there is none: %s", strait_rules[said.last.rule].name);
    CHECK_IS(look(&said, false), 0);
}

/* One finding or more, all of this rule; `admin`: only under the admin lock. Afterwards the word is mended. */
static struct strait_finding breaks_when(enum strait_rule rule, bool admin)
{
    struct said said;
    uint32_t n = look(&said, true);

    if (n == 0 || n != said.times[rule])
        fail_msg("%s: %u findings, %u of them its own, the last %s", strait_rules[rule].name, n, said.times[rule],
                 n ? strait_rules[said.last.rule].name : "-");
    struct strait_finding last = said.last;
    if (admin)
        CHECK_IS(look(&said, false), 0);
    return last;
}

static struct strait_finding breaks(enum strait_rule rule)
{
    return breaks_when(rule, false);
}

/* Put a value into a field, see the rule named, put the field back. */
#define SPOIL(field, value, rule)                                                                                      \
    do {                                                                                                               \
        __typeof__(field) was_ = (field);                                                                              \
        (field) = (value);                                                                                             \
        CHECK_IS(breaks(rule).offset % 4, 0);                                                                          \
        (field) = was_;                                                                                                \
    } while (0)
#define SPOIL_ADMIN(field, value, rule)                                                                                \
    do {                                                                                                               \
        __typeof__(field) was_ = (field);                                                                              \
        (field) = (value);                                                                                             \
        breaks_when(rule, true);                                                                                       \
        (field) = was_;                                                                                                \
    } while (0)

static struct strait_channel *channel(const struct strait_object *o)
{
    return (struct strait_channel *)(void *)(map.base + o->offset);
}

static struct strait_ring *ring_of(const struct strait_object *o)
{
    return (struct strait_ring *)(void *)(map.base + channel(o)->rings_off);
}

static struct strait_reply *reply(uint32_t i)
{
    struct strait_reply *r;
    CHECK_IS(strait_reply_at(&calls, i, &r), 0);
    return r;
}

static uint64_t word(uint64_t turn, enum strait_slot_state state, uint32_t owner, uint64_t attempts)
{
    return strait_slot_word(turn << STRAIT_TURN_SHIFT, state, owner) | attempts << STRAIT_ATTEMPTS_SHIFT;
}

/* ---- sound ---- */

static void a_segment_in_use_breaks_no_rule(UNUSED_STATE)
{
    struct strait_ring_end end;
    uint64_t token;
    uint32_t i = 0;

    is_sound();
    CHECK_IS(strait_channel_enter(&calls, STRAIT_ROLE_SENDER, &i), 0);
    CHECK_IS(strait_channel_enter(&calls, STRAIT_ROLE_RECEIVER, &i), 0);
    strait_ring_slot(&ring, 0)->word = word(1, STRAIT_SLOT_TAKEN, 1, 2);
    strait_ring_slot(&ring, 1)->word = word(0, STRAIT_SLOT_RETURNED, 0, 1);
    strait_ring_slot(&ring, 2)->word = word(0, STRAIT_SLOT_READY, 0, 0);
    strait_ring_slot(&ring, 3)->word = word(0, STRAIT_SLOT_CLAIMED, 1, 0);
    ring.ring->returned = 1;
    CHECK_IS(strait_reply_open(&calls, 0, &end, &token), 0);
    is_sound();
    /* slot 0 has been round twice while slot 1 is still being read */
    strait_ring_slot(&ring, 0)->word = word(2, STRAIT_SLOT_FREE, 0, 0);
    strait_ring_slot(&ring, 1)->word = word(0, STRAIT_SLOT_TAKEN, 1, 0);
    is_sound();
}

static void an_unswept_death_is_no_damage(UNUSED_STATE)
{
    uint32_t i = 0;

    CHECK_IS(strait_channel_enter(&calls, STRAIT_ROLE_SENDER, &i), 0);
    strait_ring_slot(&ring, 0)->word = word(0, STRAIT_SLOT_CLAIMED, 2, 0);
    strait_segment_lease(&map, 2)->state = STRAIT_LEASE_USED; /* and nobody holds its lock */
    channel(&many)->status = STRAIT_CHANNEL_NO_RECEIVERS;     /* it died between the set and the status */
    is_sound();
}

static void every_rule_has_a_name_and_a_page(UNUSED_STATE)
{
    for (int i = 0; i < STRAIT_RULES; i++) {
        CHECK(strait_rules[i].name && strait_rules[i].says && strait_rules[i].section);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(strait_rules[i].name, strait_rules[k].name) != 0);
    }
}

/* ---- broken ---- */

static void headers_are_checked(UNUSED_STATE)
{
    struct strait_header *h = strait_segment_header(&map);

    SPOIL(h->arena_off, 0, STRAIT_RULE_HEADER);
    h->layout[2]++;
    assert_string_equal(breaks(STRAIT_RULE_HEADER).field, "STRAIT_WAITS");
    h->layout[2]--;
    SPOIL(h->gone, 2, STRAIT_RULE_HEADER_FLAGS);
    SPOIL(h->no_barrier, 2, STRAIT_RULE_HEADER_FLAGS);
    SPOIL(h->id, 0, STRAIT_RULE_HEADER_FLAGS);
    is_sound();
}

static void leases_are_checked(UNUSED_STATE)
{
    SPOIL(strait_segment_lease(&map, 5)->state, 2, STRAIT_RULE_LEASE_STATE);
    SPOIL(strait_segment_lease(&map, 0)->state, STRAIT_LEASE_USED, STRAIT_RULE_LEASE_STATE);
    SPOIL(strait_segment_lease(&map, 1)->waits[1].kind, 99, STRAIT_RULE_LEASE_WAIT);
    SPOIL_ADMIN(strait_segment_lease(&map, 1)->state, STRAIT_LEASE_FREE, STRAIT_RULE_LEASE_HELD);
    is_sound();
}

static void errors_are_checked(UNUSED_STATE)
{
    struct strait_error_cell *cell = strait_error_find(&map, STRAIT_ERROR_FULL, "jobs");

    is_sound(); /* half-written as yet */
    strait_error_count(&map, cell, 0, 1);
    is_sound();
    SPOIL(cell->key, cell->key + 1, STRAIT_RULE_ERROR);
    SPOIL(cell->key, (cell->key & UINT64_MAX >> 8) | (uint64_t)STRAIT_ERROR_KINDS << 56, STRAIT_RULE_ERROR);
    SPOIL(cell->object[0], 0, STRAIT_RULE_ERROR);
    is_sound();
}

static void directories_are_checked(UNUSED_STATE)
{
    struct strait_entry *a = strait_segment_entry(&map, many.entry), *b = strait_segment_entry(&map, sole.entry);

    SPOIL(a->state, 3, STRAIT_RULE_ENTRY_STATE);
    SPOIL(b->kind, STRAIT_KIND_NONE, STRAIT_RULE_ENTRY_KIND);
    SPOIL(b->kind, STRAIT_KIND_POOL + 1, STRAIT_RULE_ENTRY_KIND);
    SPOIL(b->offset, b->offset + 64, STRAIT_RULE_ENTRY_BOUNDS);
    SPOIL(b->offset, 0, STRAIT_RULE_ENTRY_BOUNDS);
    SPOIL(b->bytes, UINT64_MAX - STRAIT_PAGE + 1, STRAIT_RULE_ENTRY_BOUNDS);
    SPOIL(b->offset, a->offset, STRAIT_RULE_ENTRY_OVERLAP);
    SPOIL(b->name[1], '/', STRAIT_RULE_ENTRY_NAME);
    SPOIL(b->refs.bits[7], 1, STRAIT_RULE_ENTRY_REFS);
    SPOIL(b->refs.bits[0], 1, STRAIT_RULE_ENTRY_REFS); /* lease 0 */
    SPOIL_ADMIN(b->state, STRAIT_ENTRY_UNLINKED, STRAIT_RULE_ENTRY_LEFT);
    memcpy(b->name, "many", 5);
    breaks(STRAIT_RULE_ENTRY_TWICE);
    memset(b->name, 'x', sizeof b->name);
    breaks(STRAIT_RULE_ENTRY_NAME);
}

/* A shard that says of itself that it lies elsewhere: a ring's, a run of a region's parts, a counter's. */
static void a_shards_node_is_checked(UNUSED_STATE)
{
    struct strait_region_head *r = (struct strait_region_head *)(void *)(map.base + region.offset);
    struct strait_counter_head *c = (struct strait_counter_head *)(void *)(map.base + counter.offset);
    struct strait_lock *lock = (struct strait_lock *)(void *)(map.base + r->parts_off + r->run_bytes);
    struct strait_counter_shard *cells = (struct strait_counter_shard *)(void *)(map.base + c->shards_off);
    struct strait_channel_view v;
    struct strait_pages pages;
    int32_t *said[3];

    CHECK_IS(strait_channel_view(&map, &shards, &v), 0);
    said[0] = &((struct strait_ring *)(void *)(map.base + v.rings_off))[1].node;
    said[1] = &lock->node;
    said[2] = &cells->node;
    for (uint32_t i = 0; i < 3; i++) {
        SPOIL(*said[i], STRAIT_NODE_INTERLEAVED, STRAIT_RULE_ENTRY_NODE);
        SPOIL(*said[i], STRAIT_NODE_NUMBERS, STRAIT_RULE_ENTRY_NODE);
    }
    if (strait_pages_where(map.base, STRAIT_PAGE, &pages) < 0)
        return; /* a kernel or a container that does not tell */
    for (uint32_t i = 0; i < 3; i++) {
        int32_t here = 0, was = *said[i];
        struct said heard;
        SPOIL(*said[i], STRAIT_NODE_NUMBERS - 1, STRAIT_RULE_ENTRY_NODE);
        strait_pages_where(map.base + ((unsigned char *)said[i] - map.base) / STRAIT_PAGE * STRAIT_PAGE, STRAIT_PAGE,
                           &pages);
        while (pages.on[here] == 0)
            here++;
        *said[i] = here;
        if (look(&heard, true)) /* pages of one shard may lie on several nodes, as nobody has placed them */
            CHECK_IS(heard.times[STRAIT_RULE_ENTRY_NODE], 1);
        *said[i] = was;
    }
}

/* One object, made where the kernel liked; then its entry says otherwise. */
static void nodes_are_checked(UNUSED_STATE)
{
    struct strait_entry *entry = strait_segment_entry(&map, many.entry);
    struct strait_pages pages;
    struct said said;

    SPOIL(entry->node, STRAIT_NODE_SHARDED - 1, STRAIT_RULE_ENTRY_NODE);
    SPOIL(entry->node, STRAIT_NODE_NUMBERS, STRAIT_RULE_ENTRY_NODE);
    entry->node = STRAIT_NODE_INTERLEAVED; /* nobody remembers on which */
    is_sound();
    if (strait_pages_where(map.base + many.offset, many.bytes, &pages) < 0)
        return; /* a kernel or a container that does not tell */
    entry->node = STRAIT_NODE_NUMBERS - 1;
    CHECK_IS(breaks(STRAIT_RULE_ENTRY_NODE).value, many.bytes / STRAIT_PAGE);
    said = (struct said){.how = {found, true, false}};
    CHECK_IS(strait_verify(&map, &said.how), 0); /* nobody asked where they lie */
    for (entry->node = 0; pages.on[entry->node] == 0; entry->node++)
        ;
    CHECK_IS(look(&said, true), pages.on[entry->node] == many.bytes / STRAIT_PAGE ? 0 : 1);
    /* A file with holes is not asked: reading them would allocate. */
    entry->node = STRAIT_NODE_NUMBERS - 1;
    breaks(STRAIT_RULE_ENTRY_NODE);
    CHECK_IS(
        fallocate(map.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(map.bytes - STRAIT_PAGE), STRAIT_PAGE),
        0);
    is_sound();
}

static void channels_are_checked(UNUSED_STATE)
{
    struct strait_channel *c = channel(&many);

    SPOIL(c->rings, 0, STRAIT_RULE_CHANNEL_NUMBERS);
    SPOIL(c->dead_off, c->dead_off + many.bytes, STRAIT_RULE_CHANNEL_NUMBERS);
    SPOIL(c->flags, c->flags | 256, STRAIT_RULE_CHANNEL_OPTIONS);
    SPOIL(c->full, 4, STRAIT_RULE_CHANNEL_OPTIONS);
    SPOIL(c->max_attempts, 32, STRAIT_RULE_CHANNEL_OPTIONS);
    SPOIL(c->max_attempts, 0, STRAIT_RULE_CHANNEL_OPTIONS);
    SPOIL(c->holders.bits[1], 4, STRAIT_RULE_CHANNEL_SET);
    SPOIL(c->status, 8, STRAIT_RULE_CHANNEL_STATUS);
    SPOIL_ADMIN(c->status, STRAIT_CHANNEL_NO_SENDERS, STRAIT_RULE_CHANNEL_STATUS);
    SPOIL_ADMIN(c->had_senders, 1, STRAIT_RULE_CHANNEL_STATUS);
    SPOIL_ADMIN(c->had_receivers, 1, STRAIT_RULE_CHANNEL_STATUS);
    SPOIL_ADMIN(c->senders.bits[0], 2, STRAIT_RULE_CHANNEL_STATUS);
    SPOIL_ADMIN(c->receivers.bits[0], 2, STRAIT_RULE_CHANNEL_STATUS);
    SPOIL(c->readable.mode, 3, STRAIT_RULE_BELL);
    is_sound();
}

static void dead_letters_are_checked(UNUSED_STATE)
{
    struct strait_dead_letters *d = (struct strait_dead_letters *)(void *)(map.base + calls.dead_off);
    struct strait_dead_letter *l = (struct strait_dead_letter *)(void *)(d + 1);

    d->count = 1;
    is_sound();
    SPOIL(d->entry_bytes, 1, STRAIT_RULE_DEAD_LETTER);
    SPOIL(l->ring, 2, STRAIT_RULE_DEAD_LETTER);
    SPOIL(l->bytes, 49, STRAIT_RULE_DEAD_LETTER);
    is_sound();
}

static void rings_are_checked(UNUSED_STATE)
{
    struct strait_ring *r = line.ring;

    SPOIL(r->capacity, 3, STRAIT_RULE_RING_NUMBERS);
    SPOIL(r->flags, STRAIT_RING_MANY_PRODUCERS, STRAIT_RULE_RING_FLAGS);
    SPOIL(r->slots_off, sole.offset, STRAIT_RULE_RING_OVERLAP);
    SPOIL(ring_of(&lanes)->flags, STRAIT_RING_MANY_PRODUCERS, STRAIT_RULE_RING_FLAGS); /* each lane has one sender */
    SPOIL(ring_of(&drops)->flags, 0, STRAIT_RULE_RING_FLAGS);
    SPOIL(r->suspect, 2, STRAIT_RULE_RING_ROLE);
    SPOIL(r->producer, 3, STRAIT_RULE_RING_ROLE);
    SPOIL_ADMIN(r->consumer, 1, STRAIT_RULE_RING_ROLE);   /* in use, but no receiver */
    SPOIL(ring.ring->producer, 1, STRAIT_RULE_RING_ROLE); /* of many producers none is the sole one */
    SPOIL(ring.ring->writable.mode, 7, STRAIT_RULE_BELL);
    SPOIL_ADMIN(strait_ring_slot(&ring, 0)->word, word(0, STRAIT_SLOT_RETURNED, 0, 1), STRAIT_RULE_RING_RETURNED);
    is_sound();
}

static void slots_are_checked(UNUSED_STATE)
{
    uint64_t *w = &strait_ring_slot(&ring, 1)->word, *s = &strait_ring_slot(&line, 0)->word;
    struct strait_slot *message = strait_ring_slot(&ring, 0);

    message->word = word(0, STRAIT_SLOT_READY, 0, 0);
    is_sound();
    SPOIL(*w, word(0, (enum strait_slot_state)6, 0, 0), STRAIT_RULE_SLOT_STATE);
    SPOIL(*s, word(0, STRAIT_SLOT_CLAIMED, 1, 0), STRAIT_RULE_SLOT_STATE); /* a sole producer does not claim */
    SPOIL(*s, word(0, STRAIT_SLOT_TAKEN, 1, 0), STRAIT_RULE_SLOT_STATE);
    SPOIL(*s, word(0, STRAIT_SLOT_RETURNED, 0, 1), STRAIT_RULE_SLOT_STATE);
    SPOIL(*s, word(0, STRAIT_SLOT_VOID, 0, 0), STRAIT_RULE_SLOT_STATE);
    SPOIL(*w, word(0, STRAIT_SLOT_CLAIMED, 0, 0), STRAIT_RULE_SLOT_OWNER);
    SPOIL(*w, word(0, STRAIT_SLOT_READY, 1, 0), STRAIT_RULE_SLOT_OWNER);
    SPOIL(*w, word(0, STRAIT_SLOT_TAKEN, 9, 0), STRAIT_RULE_SLOT_LEASE);
    SPOIL(*w, word(0, STRAIT_SLOT_TAKEN, STRAIT_LEASE_ORPHAN, 0), STRAIT_RULE_SLOT_LEASE);
    SPOIL(*w, word(0, STRAIT_SLOT_READY, 0, 3), STRAIT_RULE_SLOT_ATTEMPTS); /* many consumers */
    SPOIL(*w, word(0, STRAIT_SLOT_TAKEN, 1, 3), STRAIT_RULE_SLOT_ATTEMPTS);
    SPOIL(*w, word(0, STRAIT_SLOT_VOID, 0, 1), STRAIT_RULE_SLOT_ATTEMPTS);
    SPOIL(*w, word(1, STRAIT_SLOT_READY, 0, 0), STRAIT_RULE_SLOT_TURN); /* filled before slot 0 was */
    SPOIL(message->word, word(2, STRAIT_SLOT_READY, 0, 0), STRAIT_RULE_SLOT_TURN);
    SPOIL(message->head, 49, STRAIT_RULE_SLOT_LENGTH);
    *s = word(0, STRAIT_SLOT_READY, 0, 4); /* a sole consumer's successor marks what may have been read */
    is_sound();
}

static void returned_slots_have_attempts(UNUSED_STATE)
{
    ring.ring->returned = 1;
    SPOIL(strait_ring_slot(&ring, 0)->word, word(0, STRAIT_SLOT_RETURNED, 0, 0), STRAIT_RULE_SLOT_ATTEMPTS);
    SPOIL(strait_ring_slot(&ring, 0)->word, word(0, STRAIT_SLOT_RETURNED, 0, 3), STRAIT_RULE_SLOT_ATTEMPTS);
    is_sound();
}

static uint64_t reply_word(uint32_t owner, enum strait_reply_state state)
{
    return STRAIT_REPLY_GENERATION_ONE | (uint64_t)owner << STRAIT_REPLY_OWNER_SHIFT | state;
}

static void replies_are_checked(UNUSED_STATE)
{
    struct strait_reply *r = reply(1);

    SPOIL(r->word, reply_word(0, (enum strait_reply_state)6), STRAIT_RULE_REPLY_STATE);
    SPOIL(r->word, reply_word(0, STRAIT_REPLY_OPEN), STRAIT_RULE_REPLY_OWNER);
    SPOIL(r->word, reply_word(1, STRAIT_REPLY_DONE), STRAIT_RULE_REPLY_OWNER);
    SPOIL(r->word, reply_word(9, STRAIT_REPLY_OPEN), STRAIT_RULE_REPLY_LEASE);
    SPOIL(r->word, reply_word(1, STRAIT_REPLY_BUSY), STRAIT_RULE_REPLY_LEASE); /* whose caller is nobody */
    SPOIL(r->readable.mode, 3, STRAIT_RULE_BELL);
    SPOIL(r->ring.stride, 7, STRAIT_RULE_RING_NUMBERS);
    SPOIL(r->ring.flags, 1, STRAIT_RULE_RING_FLAGS);
    SPOIL(r->ring.slots_off, reply(0)->ring.slots_off, STRAIT_RULE_RING_OVERLAP);
    r->caller = 1;
    r->word = reply_word(1, STRAIT_REPLY_BUSY);
    is_sound();
}

static void tables_that_overlap_are_named(UNUSED_STATE)
{
    struct said said;

    channel(&many)->rings_off -= 256; /* over the channel's own head: what it then reads as a ring is none either */
    look(&said, false);
    CHECK_IS(said.times[STRAIT_RULE_RING_OVERLAP], 1);
}

static void regions_are_checked(UNUSED_STATE)
{
    struct strait_region_head *h = (struct strait_region_head *)(void *)(map.base + region.offset);
    struct strait_lock *lock = (struct strait_lock *)(void *)(map.base + h->parts_off + h->run_bytes);

    SPOIL(h->parts, 0, STRAIT_RULE_REGION_NUMBERS);
    SPOIL(h->readers.bits[0], 8, STRAIT_RULE_REGION_READERS);
    SPOIL(lock->word, 9, STRAIT_RULE_REGION_LOCK);
    SPOIL(lock->word, UINT32_C(1) << 30, STRAIT_RULE_REGION_LOCK);
    lock->word = STRAIT_LEASE_ORPHAN | STRAIT_LOCK_DIED;
    is_sound();
    lock->word = 1 | STRAIT_LOCK_WAITERS;
    is_sound();
}

static void counters_are_checked(UNUSED_STATE)
{
    struct strait_counter_head *h = (struct strait_counter_head *)(void *)(map.base + counter.offset);
    struct strait_counter_shard *shard = (void *)(map.base + h->shards_off + h->shard_bytes);
    struct strait_counter_cell *cell = (struct strait_counter_cell *)(void *)(shard + 1);

    SPOIL(h->cells, 0, STRAIT_RULE_COUNTER_NUMBERS);
    SPOIL(h->shards, 0, STRAIT_RULE_COUNTER_NUMBERS);
    SPOIL(cell->lease, 600, STRAIT_RULE_COUNTER_CELL);
    is_sound();
}

static void what_is_unlinked_but_in_use_is_no_damage(UNUSED_STATE)
{
    strait_directory_refer(&map, sole.entry);
    CHECK_IS(strait_directory_unlink(&map, "sole", STRAIT_KIND_CHANNEL), 0);
    is_sound();
    strait_directory_unrefer(&map, sole.entry, map.lease);
    is_sound();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_segment_in_use_breaks_no_rule),
        CASE(an_unswept_death_is_no_damage),
        TEST(every_rule_has_a_name_and_a_page),
        CASE(headers_are_checked),
        CASE(leases_are_checked),
        CASE(errors_are_checked),
        CASE(directories_are_checked),
        CASE(nodes_are_checked),
        CASE(a_shards_node_is_checked),
        CASE(channels_are_checked),
        CASE(dead_letters_are_checked),
        CASE(rings_are_checked),
        CASE(slots_are_checked),
        CASE(returned_slots_have_attempts),
        CASE(replies_are_checked),
        CASE(tables_that_overlap_are_named),
        CASE(regions_are_checked),
        CASE(counters_are_checked),
        CASE(what_is_unlinked_but_in_use_is_no_damage),
    };
    return RUN(tests);
}
