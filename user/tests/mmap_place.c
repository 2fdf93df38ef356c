// Anonymous mappings: what they cost, and at which addresses they are placed.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

TEST(mapped_memory_is_zero_until_written) {
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_pages(3, RW, sharings[i]);
        CHECK_BYTES(start, 0, 3 * PAGE_BYTES);
        memset(start, 7, 3 * PAGE_BYTES);
        CHECK_BYTES(start, 7, 3 * PAGE_BYTES);
        unmap_pages(start, 3);
        check_all_back(&before);
    }
}

// Reserved when mapped, a frame when touched, all given back when unmapped.
TEST(mapped_memory_costs_only_touched_pages) {
    enum { PAGES = 100 };
    struct memstat before = start_counting();
    uint64_t frames = user_frames();
    char *start = map_pages(PAGES, RW, MAP_PRIVATE);
    CHECK_EQUAL(before.frames_promised + PAGES, test_memstat().frames_promised);
    CHECK_EQUAL(frames, user_frames());
    for (int i = 0; i < PAGES; i += 4)
        start[i * PAGE_BYTES] = 1;
    CHECK_EQUAL(before.frames_promised + PAGES - PAGES / 4, test_memstat().frames_promised);
    CHECK_EQUAL(frames + PAGES / 4, user_frames());
    CHECK_EQUAL(before.faults[FAULT_ZERO_FILL] + PAGES / 4, test_memstat().faults[FAULT_ZERO_FILL]);
    unmap_pages(start + 2 * PAGE_BYTES, 8); // two of them touched
    CHECK_EQUAL(before.frames_promised + PAGES - PAGES / 4 - 6, test_memstat().frames_promised);
    CHECK_EQUAL(frames + PAGES / 4 - 2, user_frames());
    unmap_pages(start, PAGES);
    check_all_back(&before);
}

TEST(lengths_are_rounded_up) {
    static const size_t lengths[] = {
        1, 2, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 2 * PAGE_BYTES - 1, 2 * PAGE_BYTES};
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        size_t pages = (lengths[i] + PAGE_BYTES - 1) / PAGE_BYTES;
        CHECK(mmap(FREE_PLACE, lengths[i], RW, PRIVATE | MAP_FIXED, -1, 0) == FREE_PLACE);
        memset(FREE_PLACE, 1, pages * PAGE_BYTES);
        CHECK_EQUAL(0, flags_at(FREE_PLACE + pages * PAGE_BYTES) & PAGE_REGION);
        CHECK_EQUAL(0, munmap(FREE_PLACE, lengths[i]));
        CHECK_EQUAL(0, flags_at(FREE_PLACE + (pages - 1) * PAGE_BYTES) & PAGE_REGION);
    }
    check_all_back(&before);
}

TEST(mappings_are_placed_from_the_top_down) {
    char *first = map_pages(2, RW, MAP_PRIVATE), *second = map_pages(1, PROT_READ, MAP_PRIVATE);
    char *third = map_pages(3, RW, MAP_PRIVATE);
    CHECK(first == (char *)USER_TOP - 2 * PAGE_BYTES);
    CHECK(second == first - PAGE_BYTES);
    CHECK(third == second - 3 * PAGE_BYTES);
    unmap_pages(second, 1);
    CHECK(map_pages(2, PROT_READ, MAP_PRIVATE) == third - 2 * PAGE_BYTES); // too large for the hole
    CHECK(map_pages(1, RW, MAP_PRIVATE) == second);
    unmap_pages(first, 2);
    CHECK(map_pages(1, RW, MAP_SHARED) == (char *)USER_TOP - PAGE_BYTES);
    CHECK(map_pages(1, RW, MAP_SHARED) == (char *)USER_TOP - 2 * PAGE_BYTES);
}

TEST(free_hints_are_followed) {
    char *hint = FREE_PLACE;
    CHECK(mmap(hint, 3 * PAGE_BYTES, RW, PRIVATE, -1, 0) == hint);
    CHECK(mmap(hint + 3 * PAGE_BYTES, PAGE_BYTES, RW, SHARED, -1, 0) == hint + 3 * PAGE_BYTES);
    CHECK(mmap(hint - PAGE_BYTES, PAGE_BYTES, RW, PRIVATE, -1, 0) == hint - PAGE_BYTES);
    for (int i = -1; i <= 3; i++) {
        char *start = mmap(hint + i * PAGE_BYTES, 2 * PAGE_BYTES, RW, PRIVATE, -1, 0);
        CHECK(start >= hint + 4 * PAGE_BYTES && start <= (char *)USER_TOP - 2 * PAGE_BYTES);
        memset(start, 1, 2 * PAGE_BYTES);
    }
    CHECK_BYTES(hint - PAGE_BYTES, 0, 5 * PAGE_BYTES);
}

// A hint that cannot be followed is not an error.
TEST(impossible_hints_are_ignored) {
    for (size_t i = 0; i < BAD_ADDRESS_COUNT + 1; i++) {
        uintptr_t hint = i < BAD_ADDRESS_COUNT ? bad_addresses[i] : (uintptr_t)&flags_at;
        char *start = mmap((void *)hint, 2 * PAGE_BYTES, RW, PRIVATE, -1, 0);
        CHECK(start != MAP_FAILED && (uintptr_t)start % PAGE_BYTES == 0);
        CHECK((uintptr_t)start >= PAGE_BYTES && (uintptr_t)start <= USER_TOP - 2 * PAGE_BYTES);
        memset(start, 1, 2 * PAGE_BYTES);
        unmap_pages(start, 2);
    }
}

TEST(mappings_across_gigabytes) {
    enum { COUNT = 12 };
    struct memstat before = start_counting();
    for (size_t i = 0; i < COUNT; i++) {
        // Across two leaf tables.
        char *start = map_filled(FREE_PLACE + (i << 30) - PAGE_BYTES, 2, (int)i + 1);
        CHECK_BYTES(start, (int)i + 1, 2 * PAGE_BYTES);
    }
    struct memstat now = test_memstat();
    CHECK_EQUAL(2 * COUNT, now.frames_used[FRAME_USER] - before.frames_used[FRAME_USER]);
    CHECK_EQUAL(3 * COUNT + 1, now.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE]);
    IN_CHILD {
        for (size_t i = 0; i < COUNT; i++)
            CHECK_EQUAL(i + 1, FREE_PLACE[i << 30]);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(0, munmap(FREE_PLACE - PAGE_BYTES, (size_t)COUNT << 30));
    check_all_back(&before);
}

// There may be far more mappings than regions: neighbours of one kind are one region.
TEST(neighbours_merge) {
    enum { MAPPINGS = 10 * REGIONS };
    struct memstat before = start_counting();
    static char *starts[MAPPINGS];
    for (int i = 0; i < MAPPINGS; i++) {
        starts[i] = map_pages(1, RW, MAP_PRIVATE);
        *starts[i] = (char)i;
    }
    IN_CHILD {
        for (int i = 0; i < MAPPINGS; i++)
            CHECK_EQUAL((char)i, *starts[i]);
        for (int i = 0; i < MAPPINGS; i++)
            *map_pages(1, RW, MAP_PRIVATE) = 1;
    }
    CHECK_CHILD(0);
    for (int i = 0; i < MAPPINGS; i++) {
        CHECK_EQUAL((char)i, *starts[i]);
        unmap_pages(starts[i], 1);
    }
    check_all_back(&before);
}

// Mappings of different kinds stay apart, wherever they are.
TEST(neighbours_of_different_kinds_stay_apart) {
    static const int kinds[] = {PROT_READ, RW, PROT_NONE, PROT_READ | PROT_EXEC, RW, PROT_READ};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        map_fixed(FREE_PLACE + i * PAGE_BYTES, 1, kinds[i], MAP_PRIVATE);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        unsigned flags =
            flags_at(FREE_PLACE + i * PAGE_BYTES) & (PAGE_READ | PAGE_WRITE | PAGE_EXEC);
        CHECK_EQUAL(kinds[i] * PAGE_READ, flags);
    }
    char *shared = map_fixed(FREE_PLACE + 10 * PAGE_BYTES, 1, RW, MAP_SHARED);
    map_fixed(shared + PAGE_BYTES, 1, RW, MAP_PRIVATE);
    map_fixed(shared - PAGE_BYTES, 1, RW, MAP_SHARED);
    CHECK_EQUAL(PAGE_SHARED, flags_at(shared) & PAGE_SHARED);
    CHECK_EQUAL(0, flags_at(shared + PAGE_BYTES) & PAGE_SHARED);
    IN_CHILD memset(shared - PAGE_BYTES, 1, 3 * PAGE_BYTES);
    CHECK_CHILD(0);
    CHECK_BYTES(shared - PAGE_BYTES, 1, 2 * PAGE_BYTES);
    CHECK_BYTES(shared + PAGE_BYTES, 0, PAGE_BYTES);
}
