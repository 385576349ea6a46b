/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"
#include "segment.h"

static const struct strait_segment_shape shape = {.bytes = 1 << 20, .directory_max = 16, .mode = 0600};

/* A finished segment file strait.NAME in the place. */
static void make(const char *name)
{
    struct strait_segment_map map;
    char path[PATH_MAX];

    CHECK_IS(strait_segment_path(path, place_dir(), name), 0);
    CHECK_IS(strait_segment_build(&map, path, &shape), 0);
    CHECK_IS(strait_segment_publish(&map), 0);
    strait_segment_close(&map);
}

static int open_it(const char *file, struct strait_misfit *misfit)
{
    struct strait_segment_map map;
    int r = strait_segment_open(&map, place_path(file), true, false, misfit);

    if (r == 0)
        strait_segment_close(&map);
    else
        CHECK_IS(map.fd, -1);
    return r;
}

/* ---- names ---- */

static void names_are_1_to_47_printable_bytes_without_slash(UNUSED_STATE)
{
    char longest[STRAIT_NAME_BYTES + 1];

    memset(longest, 'x', sizeof longest);
    longest[STRAIT_NAME_BYTES - 1] = 0;
    CHECK(strait_name_good("a"));
    CHECK(strait_name_good("stra\xc3\x9f"
                           "e-7.b"));
    CHECK(strait_name_good(longest));
    longest[STRAIT_NAME_BYTES - 1] = 'x';
    longest[STRAIT_NAME_BYTES] = 0;
    CHECK(!strait_name_good(longest));
    CHECK(!strait_name_good(""));
    CHECK(!strait_name_good("a/b"));
    CHECK(!strait_name_good("a b"));
    CHECK(!strait_name_good("a\nb"));
    CHECK(!strait_name_good("a\x7f"));
}

static void a_path_is_directory_prefix_name(UNUSED_STATE)
{
    char path[PATH_MAX], far[PATH_MAX];

    CHECK_IS(strait_segment_path(path, "/dev/shm", "x"), 0);
    CHECK(strcmp(path, "/dev/shm/strait.x") == 0);
    CHECK_IS(strait_segment_path(path, "/dev/shm", "a/b"), -EINVAL);
    CHECK_IS(strait_segment_path(path, "/dev/shm", "0123456789012345678901234567890123456789012345678"), -ENAMETOOLONG);
    memset(far, 'd', sizeof far);
    far[PATH_MAX - 9] = 0;
    CHECK_IS(strait_segment_path(path, far, "x"), -ENAMETOOLONG);
    CHECK_IS(strait_segment_path(path, "", "x"), -ENAMETOOLONG);
}

/* ---- build, publish ---- */

static void a_segment_has_no_name_before_it_is_finished(UNUSED_STATE)
{
    struct strait_segment_map map;

    CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &shape), 0);
    CHECK_IS(place_files(), 0);
    CHECK_IS(strait_segment_publish(&map), 0);
    CHECK_IS(place_files(), 1);
    CHECK(strait_segment_named(&map));
    strait_segment_close(&map);
}

static void of_two_creators_one_gets_eexist(UNUSED_STATE)
{
    struct strait_segment_map a, b;

    CHECK_IS(strait_segment_build(&a, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_build(&b, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_publish(&b), 0);
    CHECK_IS(strait_segment_publish(&a), -EEXIST);
    CHECK(!strait_segment_named(&a));
    CHECK(strait_segment_named(&b));
    strait_segment_close(&a);
    strait_segment_close(&b);
}

static void a_new_segment_is_reserved_whole_and_has_the_mode_asked_for(UNUSED_STATE)
{
    struct stat st;
    mode_t mask = umask(077);
    struct strait_segment_map map;
    struct strait_segment_shape open_to_all = shape;

    open_to_all.mode = 0640;
    CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &open_to_all), 0);
    umask(mask);
    CHECK_IS(fstat(map.fd, &st), 0);
    CHECK_IS(st.st_mode & 0777, 0640);
    CHECK_IS(st.st_size, shape.bytes);
    CHECK_IS(st.st_blocks * 512, shape.bytes);
    strait_segment_close(&map);
}

static void the_header_tells_name_size_and_an_id_of_its_own(UNUSED_STATE)
{
    struct strait_segment_map a, b;
    struct strait_misfit misfit;

    make("one");
    make("two");
    CHECK_IS(strait_segment_open(&a, place_path("strait.one"), false, false, &misfit), 0);
    CHECK_IS(strait_segment_open(&b, place_path("strait.two"), false, false, &misfit), 0);
    CHECK(strcmp(strait_segment_header(&a)->name, "one") == 0);
    CHECK_IS(strait_segment_header(&a)->bytes, shape.bytes);
    CHECK_IS(strait_segment_header(&a)->creator_pid, getpid());
    CHECK(strait_segment_header(&a)->id != strait_segment_header(&b)->id);
    strait_segment_close(&a);
    strait_segment_close(&b);
}

static void a_size_that_does_not_hold_its_tables_is_refused(UNUSED_STATE)
{
    struct strait_segment_map map;
    const uint64_t tables = STRAIT_PAGE + STRAIT_LEASES * sizeof(struct strait_lease_cell) + 16 * 256;
    const uint64_t bad[] = {0, 1, STRAIT_PAGE, tables, UINT64_MAX};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct strait_segment_shape s = shape;
        s.bytes = bad[i];
        CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &s), -EINVAL);
    }
    for (uint32_t entries = 0; entries <= 65536; entries += 65536) {
        struct strait_segment_shape s = shape;
        s.directory_max = entries;
        CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &s), -EINVAL);
    }
    CHECK_IS(place_files(), 0);
}

static void a_folder_that_is_not_there_is_enoent(UNUSED_STATE)
{
    struct strait_segment_map map;
    CHECK_IS(strait_segment_build(&map, place_path("no/strait.x"), &shape), -ENOENT);
    CHECK_IS(map.fd, -1);
}

/* ---- open: what is refused ---- */

static void a_missing_name_is_enoent(UNUSED_STATE)
{
    struct strait_misfit misfit;
    CHECK_IS(open_it("strait.none", &misfit), -ENOENT);
}

static void foreign_files_are_no_segments(UNUSED_STATE)
{
    struct strait_misfit misfit;
    char zeros[8192] = {0};

    place_write("strait.empty", "", 0);
    CHECK_IS(open_it("strait.empty", &misfit), -EBADMSG);
    CHECK(strcmp(misfit.field, "file size") == 0);
    place_write("strait.short", zeros, 4095);
    CHECK_IS(open_it("strait.short", &misfit), -EBADMSG);
    place_write("strait.zeros", zeros, sizeof zeros);
    CHECK_IS(open_it("strait.zeros", &misfit), -EBADMSG);
    CHECK(strcmp(misfit.field, "magic number") == 0);
    CHECK_IS(misfit.here, STRAIT_MAGIC);
    CHECK_IS(misfit.there, 0);
}

static void what_is_no_file_is_refused_without_waiting(UNUSED_STATE)
{
    struct strait_misfit misfit;

    CHECK_IS(mkfifo(place_path("strait.fifo"), 0600), 0);
    CHECK_IS(open_it("strait.fifo", &misfit), -EBADMSG);
    CHECK(strcmp(misfit.field, "file type") == 0);
    CHECK_IS(mkdir(place_path("strait.dir"), 0700), 0);
    CHECK_IS(open_it("strait.dir", &misfit), -EISDIR);
    make("real");
    CHECK_IS(symlinkat("strait.real", open(place_dir(), O_DIRECTORY | O_CLOEXEC), "strait.link"), 0);
    CHECK_IS(open_it("strait.link", &misfit), -ELOOP);
    CHECK_IS(open_it("strait.real", &misfit), 0);
}

static void a_truncated_segment_is_damaged(UNUSED_STATE)
{
    struct strait_misfit misfit;

    make("x");
    CHECK_IS(truncate(place_path("strait.x"), (1 << 20) - STRAIT_PAGE), 0);
    CHECK_IS(open_it("strait.x", &misfit), -EPROTO);
    CHECK(strcmp(misfit.field, "file size") == 0);
    CHECK_IS(truncate(place_path("strait.x"), STRAIT_PAGE), 0);
    CHECK_IS(open_it("strait.x", &misfit), -EPROTO);
    CHECK_IS(truncate(place_path("strait.x"), 100), 0);
    CHECK_IS(open_it("strait.x", &misfit), -EBADMSG);
}

static void another_version_is_estale(UNUSED_STATE)
{
    struct strait_misfit misfit;
    uint32_t version = STRAIT_LAYOUT_VERSION - 1;

    make("x");
    place_patch("strait.x", offsetof(struct strait_header, version), &version, sizeof version);
    CHECK_IS(open_it("strait.x", &misfit), -ESTALE);
    CHECK(strcmp(misfit.field, "layout version") == 0);
    CHECK_IS(misfit.there, version);
    CHECK_IS(misfit.here, STRAIT_LAYOUT_VERSION);
}

static void every_field_of_the_layout_that_differs_is_named(UNUSED_STATE)
{
    struct strait_misfit misfit;

    make("x");
    for (uint32_t i = 0; i < strait_layout_fields_n; i++) {
        uint64_t at = offsetof(struct strait_header, layout) + i * sizeof(uint32_t);
        uint32_t mine = strait_layout_fields[i].value, other = mine + 8;
        place_patch("strait.x", at, &other, sizeof other);
        CHECK_IS(open_it("strait.x", &misfit), -ESTALE);
        CHECK(misfit.field == strait_layout_fields[i].name);
        CHECK_IS(misfit.here, mine);
        CHECK_IS(misfit.there, other);
        place_patch("strait.x", at, &mine, sizeof mine);
    }
    CHECK_IS(open_it("strait.x", &misfit), 0);
}

/* Patch one word of the header: the answer, and the field that is named. */
static void patched(size_t at, uint64_t value, size_t bytes, int error, const char *field)
{
    struct strait_misfit misfit;

    make("x");
    place_patch("strait.x", at, &value, bytes);
    CHECK_IS(open_it("strait.x", &misfit), error);
    if (strcmp(misfit.field, field) != 0)
        fail_msg("%s was named, not %s", misfit.field, field);
    unlink(place_path("strait.x"));
}

static void every_word_of_the_header_is_checked(UNUSED_STATE)
{
#define AT(field) offsetof(struct strait_header, field)
    patched(AT(layout_n), strait_layout_fields_n + 1, 4, -ESTALE, "number of layout fields");
    patched(AT(layout_n), 3, 4, -ESTALE, "number of layout fields");
    patched(AT(layout_n), UINT32_MAX, 4, -ESTALE, "number of layout fields");
    patched(AT(fingerprint), 1, 8, -EPROTO, "layout fingerprint");
    patched(AT(bytes), 1 << 21, 8, -EPROTO, "file size");
    patched(AT(page_bytes), 8192, 4, -EPROTO, "page bytes");
    patched(AT(leases_off), 0, 8, -EPROTO, "offset of the leases");
    patched(AT(errors_off), 1, 8, -EPROTO, "offset of the errors");
    patched(AT(directory_off), UINT64_MAX, 8, -EPROTO, "offset of the directory");
    patched(AT(directory_max), 0, 4, -EPROTO, "directory entries");
    patched(AT(directory_max), 65536, 4, -EPROTO, "directory entries");
    patched(AT(directory_max), 17 * 16, 4, -EPROTO, "offset of the arena");
    patched(AT(arena_off), 1 << 19, 8, -EPROTO, "offset of the arena");
#undef AT
}

static void a_foreign_file_is_not_changed_by_looking_at_it(UNUSED_STATE)
{
    struct strait_misfit misfit;
    struct stat before, after;

    place_write("strait.x", "", 0);
    CHECK_IS(truncate(place_path("strait.x"), 64 << 20), 0); /* a hole of 64 MiB */
    CHECK_IS(stat(place_path("strait.x"), &before), 0);
    struct strait_segment_map map;
    CHECK_IS(strait_segment_open(&map, place_path("strait.x"), true, true, &misfit), -EBADMSG);
    CHECK_IS(stat(place_path("strait.x"), &after), 0);
    CHECK_IS(after.st_size, before.st_size);
    CHECK_IS(after.st_blocks, before.st_blocks); /* prefaulting it would fill the memory */
}

/* ---- the descriptor ---- */

static void a_descriptor_closed_behind_our_back_is_opened_anew(UNUSED_STATE)
{
    struct strait_segment_map map;

    CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_publish(&map), 0);
    close(map.fd);
    int stranger = open("/dev/null", O_RDONLY | O_CLOEXEC); /* gets the same number */
    CHECK_IS(stranger, map.fd);
    CHECK(strait_segment_fd(&map) >= 0);
    CHECK(map.fd != stranger);
    CHECK(fcntl(stranger, F_GETFD) >= 0); /* somebody else's: not ours to close */
    close(stranger);
    strait_segment_close(&map);
}

static void a_name_that_means_another_file_is_not_opened_for_it(UNUSED_STATE)
{
    struct strait_segment_map map;

    CHECK_IS(strait_segment_build(&map, place_path("strait.x"), &shape), 0);
    CHECK_IS(strait_segment_publish(&map), 0);
    CHECK_IS(unlink(place_path("strait.x")), 0);
    CHECK(!strait_segment_named(&map));
    make("x");
    CHECK(!strait_segment_named(&map));
    CHECK_IS(strait_segment_fd(&map), map.fd);
    close(map.fd);
    CHECK_IS(strait_segment_fd(&map), -EBADF);
    map.fd = -1;
    strait_segment_close(&map);
}

static void ranges_outside_the_arena_are_outside(UNUSED_STATE)
{
    struct strait_segment_map map = {.bytes = 1 << 20, .arena_off = 1 << 16};

    CHECK(strait_segment_holds(&map, 1 << 16, 1));
    CHECK(strait_segment_holds(&map, 1 << 20, 0));
    CHECK(!strait_segment_holds(&map, (1 << 16) - 1, 1));
    CHECK(!strait_segment_holds(&map, 1 << 20, 1));
    CHECK(!strait_segment_holds(&map, UINT64_MAX, 2)); /* would wrap */
    CHECK(!strait_segment_holds(&map, 1 << 16, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_1_to_47_printable_bytes_without_slash),
        TEST(a_path_is_directory_prefix_name),
        TEST_PLACE(a_segment_has_no_name_before_it_is_finished),
        TEST_PLACE(of_two_creators_one_gets_eexist),
        TEST_PLACE(a_new_segment_is_reserved_whole_and_has_the_mode_asked_for),
        TEST_PLACE(the_header_tells_name_size_and_an_id_of_its_own),
        TEST_PLACE(a_size_that_does_not_hold_its_tables_is_refused),
        TEST_PLACE(a_folder_that_is_not_there_is_enoent),
        TEST_PLACE(a_missing_name_is_enoent),
        TEST_PLACE(foreign_files_are_no_segments),
        TEST_PLACE(what_is_no_file_is_refused_without_waiting),
        TEST_PLACE(a_truncated_segment_is_damaged),
        TEST_PLACE(another_version_is_estale),
        TEST_PLACE(every_field_of_the_layout_that_differs_is_named),
        TEST_PLACE(every_word_of_the_header_is_checked),
        TEST_PLACE(a_foreign_file_is_not_changed_by_looking_at_it),
        TEST_PLACE(a_descriptor_closed_behind_our_back_is_opened_anew),
        TEST_PLACE(a_name_that_means_another_file_is_not_opened_for_it),
        TEST(ranges_outside_the_arena_are_outside),
    };
    return RUN(tests);
}
