/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "layout.h"

static void the_fingerprint_of_nothing_is_the_offset_basis(UNUSED_STATE)
{
    CHECK_IS(strait_layout_fingerprint(NULL, 0), UINT64_C(0xcbf29ce484222325));
}

static void the_fingerprint_is_fnv1a_of_little_endian_bytes(UNUSED_STATE)
{
    uint32_t a = 'a', foobar[] = {0x626f6f66, 0x00007261}; /* "foob", "ar\0\0" */
    uint64_t hash = UINT64_C(0xaf63dc4c8601ec8c);          /* FNV-1a of "a" */

    for (int i = 0; i < 3; i++)
        hash *= UINT64_C(0x100000001b3); /* and of three zero bytes */
    CHECK_IS(strait_layout_fingerprint(&a, 1), hash);
    hash = UINT64_C(0x85944171f73967e8); /* FNV-1a of "foobar" */
    hash *= UINT64_C(0x100000001b3);
    hash *= UINT64_C(0x100000001b3);
    CHECK_IS(strait_layout_fingerprint(foobar, 2), hash);
}

static void every_value_moves_the_fingerprint(UNUSED_STATE)
{
    uint32_t values[STRAIT_LAYOUT_FIELDS] = {0};
    uint64_t whole;

    for (uint32_t i = 0; i < strait_layout_fields_n; i++)
        values[i] = strait_layout_fields[i].value;
    whole = strait_layout_fingerprint(values, strait_layout_fields_n);
    for (uint32_t i = 0; i < strait_layout_fields_n; i++) {
        values[i] ^= 1;
        CHECK(strait_layout_fingerprint(values, strait_layout_fields_n) != whole);
        values[i] ^= 1;
    }
    CHECK(strait_layout_fingerprint(values, strait_layout_fields_n - 1) != whole);
}

static void every_field_has_a_name_of_its_own(UNUSED_STATE)
{
    for (uint32_t i = 0; i < strait_layout_fields_n; i++) {
        CHECK(strait_layout_fields[i].name && *strait_layout_fields[i].name);
        for (uint32_t j = 0; j < i; j++)
            CHECK(strcmp(strait_layout_fields[i].name, strait_layout_fields[j].name) != 0);
    }
}

static void words_that_two_sides_write_lie_on_lines_of_their_own(UNUSED_STATE)
{
    CHECK_IS(offsetof(struct strait_ring, tail_hint) % STRAIT_LINE, 0);
    CHECK_IS(offsetof(struct strait_ring, head_hint) % STRAIT_LINE, 0);
    CHECK_IS(offsetof(struct strait_ring, producer) % STRAIT_LINE, 0);
    CHECK_IS(offsetof(struct strait_channel, readable) % STRAIT_LINE, 0);
    CHECK_IS(offsetof(struct strait_ring, writable) % STRAIT_LINE, 0);
    CHECK_IS(sizeof(struct strait_bell) % STRAIT_LINE, 0);
    CHECK_IS(sizeof(struct strait_lease_cell) % STRAIT_LINE, 0);
    CHECK_IS(sizeof(struct strait_reply) % STRAIT_LINE, 0);
    CHECK_IS(sizeof(struct strait_slot), STRAIT_SLOT_HEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_fingerprint_of_nothing_is_the_offset_basis),
        TEST(the_fingerprint_is_fnv1a_of_little_endian_bytes),
        TEST(every_value_moves_the_fingerprint),
        TEST(every_field_has_a_name_of_its_own),
        TEST(words_that_two_sides_write_lie_on_lines_of_their_own),
    };
    return RUN(tests);
}
