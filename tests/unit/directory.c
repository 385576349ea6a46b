/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "directory.h"
#include "lease.h"

#define ENTRIES 8
#define ARENA   (16 * STRAIT_PAGE)

static struct strait_segment_map map;

static int make(void **state)
{
    struct strait_segment_shape shape = {.directory_max = ENTRIES, .mode = 0600};

    place_setup(state);
    shape.bytes = STRAIT_PAGE + STRAIT_LEASES * sizeof(struct strait_lease_cell) +
                  STRAIT_ERRORS * sizeof(struct strait_error_cell) + STRAIT_PAGE + ARENA;
    CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_publish(&map), 0);
    CHECK_IS(strait_lease_take(&map), 1);
    CHECK_IS(map.bytes - map.arena_off, ARENA);
    return 0;
}

static int drop(void **state)
{
    strait_segment_close(&map);
    return place_teardown(state);
}

static int add(const char *name, uint64_t pages, struct strait_object *o)
{
    int r = strait_directory_prepare(&map, name, STRAIT_KIND_CHANNEL, pages * STRAIT_PAGE, -1, o);
    if (r == 0)
        strait_directory_publish(&map, o);
    return r;
}

static void room(uint64_t free_pages, uint64_t longest_pages)
{
    uint64_t bytes, longest;

    strait_directory_space(&map, &bytes, &longest);
    CHECK_IS(bytes / STRAIT_PAGE, free_pages);
    CHECK_IS(longest / STRAIT_PAGE, longest_pages);
}

static void a_published_object_is_found_by_name_and_kind(UNUSED_STATE)
{
    struct strait_object made, found;

    CHECK_IS(add("a", 2, &made), 0);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_CHANNEL, &found), 0);
    CHECK_IS(found.offset, made.offset);
    CHECK_IS(found.bytes, 2 * STRAIT_PAGE);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_NONE, &found), 0);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_REGION, &found), -ENOTUNIQ);
    CHECK_IS(strait_directory_find(&map, "b", STRAIT_KIND_CHANNEL, &found), -ENOENT);
    CHECK_IS(strait_directory_find(&map, "", STRAIT_KIND_CHANNEL, &found), -ENOENT);
}

static void a_prepared_object_is_invisible_and_takes_no_room(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(strait_directory_prepare(&map, "a", STRAIT_KIND_CHANNEL, STRAIT_PAGE, -1, &o), 0);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_NONE, &o), -ENOENT);
    room(16, 16);
}

static void a_name_is_taken_once(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(add("a", 1, &o), 0);
    CHECK_IS(add("a", 1, &o), -EEXIST);
}

static void objects_do_not_overlap_and_begin_zeroed_on_a_page(UNUSED_STATE)
{
    struct strait_object o[4];

    memset(map.base + map.arena_off, 0xee, ARENA);
    for (int i = 0; i < 4; i++) {
        char name[2] = {(char)('a' + i), 0};
        CHECK_IS(add(name, 3, &o[i]), 0);
        CHECK_IS(o[i].offset % STRAIT_PAGE, 0);
        for (uint64_t b = 0; b < o[i].bytes; b++)
            if (map.base[o[i].offset + b] != 0)
                fail_msg("object %d is not zeroed at %llu", i, (unsigned long long)b);
        for (int j = 0; j < i; j++)
            CHECK(o[i].offset >= o[j].offset + o[j].bytes || o[j].offset >= o[i].offset + o[i].bytes);
    }
    room(4, 4);
}

static void sizes_are_rounded_up_to_pages(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(strait_directory_prepare(&map, "a", STRAIT_KIND_CHANNEL, STRAIT_PAGE + 1, -1, &o), 0);
    CHECK_IS(o.bytes, 2 * STRAIT_PAGE);
}

static void a_full_arena_is_enospc(UNUSED_STATE)
{
    struct strait_object o;

    CHECK_IS(add("none", 0, &o), -ENOSPC);
    CHECK_IS(add("huge", 17, &o), -ENOSPC);
    CHECK_IS(strait_directory_prepare(&map, "wraps", STRAIT_KIND_CHANNEL, UINT64_MAX, -1, &o), -ENOSPC);
    CHECK_IS(add("all", 16, &o), 0);
    CHECK_IS(add("more", 1, &o), -ENOSPC);
    room(0, 0);
}

static void a_full_directory_is_emfile(UNUSED_STATE)
{
    struct strait_object o;
    char name[2] = "a";

    for (int i = 0; i < ENTRIES; i++, name[0]++)
        CHECK_IS(add(name, 1, &o), 0);
    CHECK_IS(add("z", 1, &o), -EMFILE);
    CHECK_IS(strait_directory_unlink(&map, "c", STRAIT_KIND_CHANNEL), 0);
    CHECK_IS(add("z", 1, &o), 0);
    CHECK_IS(o.entry, 2);
}

static void freed_room_in_the_middle_is_used_again_and_is_zeroed(UNUSED_STATE)
{
    struct strait_object a, b, c, again;

    CHECK_IS(add("a", 4, &a), 0);
    CHECK_IS(add("b", 4, &b), 0);
    CHECK_IS(add("c", 4, &c), 0);
    memset(map.base + b.offset, 0xee, b.bytes);
    CHECK_IS(strait_directory_unlink(&map, "b", STRAIT_KIND_CHANNEL), 0);
    room(8, 4);
    CHECK_IS(add("d", 5, &again), -ENOSPC); /* 8 are free, 4 in one piece */
    CHECK_IS(add("d", 4, &again), 0);
    CHECK_IS(again.offset, b.offset);
    CHECK_IS(map.base[again.offset], 0);
    CHECK_IS(map.base[again.offset + again.bytes - 1], 0);
}

static void unlink_takes_the_name_now_and_the_memory_with_the_last_reference(UNUSED_STATE)
{
    struct strait_object a, b;

    CHECK_IS(add("a", 4, &a), 0);
    strait_directory_refer(&map, a.entry);
    CHECK_IS(strait_directory_unlink(&map, "a", STRAIT_KIND_CHANNEL), 0);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_NONE, &b), -ENOENT);
    CHECK_IS(strait_directory_unlink(&map, "a", STRAIT_KIND_CHANNEL), -ENOENT);
    CHECK_IS(strait_directory_at(&map, a.entry, &b), 0); /* still there for those who have it */
    room(12, 12);
    CHECK_IS(add("a", 4, &b), 0); /* the name is free for another */
    CHECK(b.offset != a.offset);
    strait_directory_unrefer(&map, a.entry, map.lease);
    CHECK_IS(strait_directory_at(&map, a.entry, &a), -ENOENT);
    room(12, 8);
}

static void a_named_object_stays_when_nobody_refers_to_it(UNUSED_STATE)
{
    struct strait_object a;

    CHECK_IS(add("a", 4, &a), 0);
    strait_directory_refer(&map, a.entry);
    strait_directory_unrefer(&map, a.entry, map.lease);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_CHANNEL, &a), 0);
}

static void unlinking_checks_the_kind(UNUSED_STATE)
{
    struct strait_object a;

    CHECK_IS(add("a", 1, &a), 0);
    CHECK_IS(strait_directory_unlink(&map, "a", STRAIT_KIND_REGION), -ENOTUNIQ);
    CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_CHANNEL, &a), 0);
}

static void an_entry_that_points_outside_is_eproto(UNUSED_STATE)
{
    struct strait_object a, seen = {.entry = 77};
    struct strait_entry *entry;

    CHECK_IS(add("a", 1, &a), 0);
    entry = strait_segment_entry(&map, a.entry);
    const struct {
        uint64_t offset, bytes;
    } lies[] = {{0, STRAIT_PAGE},
                {a.offset + 1, STRAIT_PAGE},
                {a.offset, STRAIT_PAGE - 1},
                {a.offset, UINT64_MAX & ~UINT64_C(4095)},
                {UINT64_MAX & ~UINT64_C(4095), STRAIT_PAGE},
                {map.bytes, STRAIT_PAGE}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        entry->offset = lies[i].offset;
        entry->bytes = lies[i].bytes;
        CHECK_IS(strait_directory_at(&map, a.entry, &seen), -EPROTO);
        CHECK_IS(strait_directory_find(&map, "a", STRAIT_KIND_CHANNEL, &seen), -EPROTO);
        CHECK_IS(seen.entry, 77);
    }
}

static void a_name_without_an_end_is_compared_within_its_field(UNUSED_STATE)
{
    struct strait_object a, seen;

    CHECK_IS(add("a", 1, &a), 0);
    memset(strait_segment_entry(&map, a.entry)->name, 'x', STRAIT_NAME_BYTES);
    CHECK_IS(strait_directory_find(&map, "x", STRAIT_KIND_CHANNEL, &seen), -ENOENT);
}

/* ---- more objects than one look over the directory keeps ---- */

#define MANY 1400

/* MANY entries at once, of one page each, in an order that has nothing to do with where they lie; every hundredth page is
 * left free, and from page 1210 on three in a row. */
static void scatter(struct strait_segment_map *big)
{
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t at = (uint32_t)(UINT64_C(7919) * (i + 1) % MANY); /* each once: 7919 is prime */
        struct strait_entry *entry = strait_segment_entry(big, i);
        if (at % 100 == 0 || (at > 1210 && at < 1213))
            continue;
        entry->kind = STRAIT_KIND_CHANNEL;
        entry->offset = big->arena_off + at * UINT64_C(4096);
        entry->bytes = STRAIT_PAGE;
        entry->state = STRAIT_ENTRY_LIVE;
        entry->name[0] = 'x';
    }
}

static void objects_in_any_order_leave_the_same_room(UNUSED_STATE)
{
    struct strait_segment_shape shape = {.directory_max = MANY, .mode = 0600, .bytes = 6 << 20};
    struct strait_segment_map big;
    struct strait_object o;
    uint64_t bytes, longest;

    CHECK_IS(strait_segment_build(&big, place_path("strait.big"), &shape), 0);
    CHECK_IS(strait_lease_take(&big), 1);
    scatter(&big);
    uint64_t behind = big.bytes - big.arena_off - MANY * UINT64_C(4096);
    strait_directory_space(&big, &bytes, &longest);
    CHECK_IS(bytes, behind + (MANY / 100 + 2) * UINT64_C(4096));
    CHECK_IS(longest, behind);
    /* first fit: one page at the first hole, two at the only place that has them before the end */
    CHECK_IS(strait_directory_prepare(&big, "one", STRAIT_KIND_CHANNEL, 1, -1, &o), 0);
    CHECK_IS(o.offset, big.arena_off);
    CHECK_IS(strait_directory_prepare(&big, "two", STRAIT_KIND_CHANNEL, 2 * STRAIT_PAGE, -1, &o), 0);
    CHECK_IS(o.offset, big.arena_off + 1211 * UINT64_C(4096));
    CHECK_IS(strait_directory_prepare(&big, "three", STRAIT_KIND_CHANNEL, 3 * STRAIT_PAGE, -1, &o), 0);
    CHECK_IS(o.offset, big.arena_off + MANY * UINT64_C(4096));
    strait_segment_close(&big);
}

/* Lies that lie over each other: room is what none of them covers. */
static void objects_that_overlap_take_their_room_once(UNUSED_STATE)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct strait_entry *entry = strait_segment_entry(&map, i);
        entry->offset = map.arena_off + (3 - i) * UINT64_C(4096);
        entry->bytes = (4 + i) * UINT64_C(4096); /* 3..6, 2..6, 1..6, 0..6: the first ends behind all of them */
        entry->state = STRAIT_ENTRY_LIVE;
    }
    room(9, 9);
}

int main(void)
{
#define HERE(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        HERE(a_published_object_is_found_by_name_and_kind),
        HERE(a_prepared_object_is_invisible_and_takes_no_room),
        HERE(a_name_is_taken_once),
        HERE(objects_do_not_overlap_and_begin_zeroed_on_a_page),
        HERE(sizes_are_rounded_up_to_pages),
        HERE(a_full_arena_is_enospc),
        HERE(a_full_directory_is_emfile),
        HERE(freed_room_in_the_middle_is_used_again_and_is_zeroed),
        HERE(unlink_takes_the_name_now_and_the_memory_with_the_last_reference),
        HERE(a_named_object_stays_when_nobody_refers_to_it),
        HERE(unlinking_checks_the_kind),
        HERE(an_entry_that_points_outside_is_eproto),
        HERE(a_name_without_an_end_is_compared_within_its_field),
        TEST_PLACE(objects_in_any_order_leave_the_same_room),
        HERE(objects_that_overlap_take_their_room_once),
    };
    return RUN(tests);
}
