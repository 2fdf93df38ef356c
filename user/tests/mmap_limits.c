// Limits of mmap: regions, and memory. Whatever is refused changes nothing.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

TEST(regions_are_limited) {
    struct memstat start = start_counting();
    int count = map_all_regions();
    struct memstat before = test_memstat();
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, PRIVATE, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, SHARED, -1, 0), ENOMEM);
    for (int i = 0; i < count; i++)
        CHECK_FAILS(munmap(FREE_PLACE + (8 * i + 1) * PAGE_BYTES, PAGE_BYTES), ENOMEM);
    check_all_back(&before);
    check_regions(count);
    IN_CHILD {
        check_regions(count);
        CHECK_FAILS(munmap(FREE_PLACE + PAGE_BYTES, PAGE_BYTES), ENOMEM);
        CHECK_EQUAL(0, munmap(FREE_PLACE, 3 * PAGE_BYTES));
        // Now there is room for a split.
        CHECK_EQUAL(0, munmap(FREE_PLACE + 9 * PAGE_BYTES, PAGE_BYTES));
    }
    CHECK_CHILD(0);
    check_regions(count);
    CHECK_EQUAL(3, helper_run((char *[]){"+exit", "3", NULL}));
    unmap_pages(FREE_PLACE, 8 * (size_t)count);
    check_all_back(&start);
}

TEST(pieces_fit_where_regions_are_limited) {
    int count = map_all_regions();
    CHECK_EQUAL(0, munmap(FREE_PLACE, PAGE_BYTES));                   // a head
    CHECK_EQUAL(0, munmap(FREE_PLACE + 10 * PAGE_BYTES, PAGE_BYTES)); // a tail
    char *between = FREE_PLACE + 19 * PAGE_BYTES; // joins two neighbours of its kind
    CHECK(mmap(between, 5 * PAGE_BYTES, RW, PRIVATE, -1, 0) == between);
    memset(between, 9, 5 * PAGE_BYTES);
    CHECK_BYTES(FREE_PLACE + 16 * PAGE_BYTES, 3, 3 * PAGE_BYTES);
    CHECK_BYTES(FREE_PLACE + 24 * PAGE_BYTES, 4, 3 * PAGE_BYTES);
    CHECK_EQUAL(0, munmap(FREE_PLACE + 8 * PAGE_BYTES, 3 * PAGE_BYTES)); // a whole one
    CHECK_EQUAL(0, munmap(FREE_PLACE + 33 * PAGE_BYTES, PAGE_BYTES));    // a middle
    CHECK_BYTES(FREE_PLACE + 32 * PAGE_BYTES, 5, PAGE_BYTES);
    CHECK_BYTES(FREE_PLACE + 34 * PAGE_BYTES, 5, PAGE_BYTES);
    unmap_pages(FREE_PLACE, 8 * (size_t)count);
}

// Requests beyond memory are refused at once; PROT_NONE needs no memory.
TEST(requests_beyond_memory_are_refused) {
    static const size_t huge[] = {1ul << 33, 1ul << 37, USER_TOP,           USER_TOP + PAGE_BYTES,
                                  1ul << 48, 1ul << 63, (size_t)-PAGE_BYTES};
    struct memstat before = start_counting();
    size_t available = before.frames_free - before.frames_promised;
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int flags = sharings[i] | MAP_ANONYMOUS;
        CHECK_FAILS((long)mmap(NULL, (available + 1) * PAGE_BYTES, RW, flags, -1, 0), ENOMEM);
        for (size_t k = 0; k < ARRAY_SIZE(huge); k++)
            CHECK_FAILS((long)mmap(NULL, huge[k], RW, flags, -1, 0), ENOMEM);
        CHECK_FAILS_EITHER((long)mmap(NULL, (size_t)-1, RW, flags, -1, 0), ENOMEM, EINVAL);
        check_all_back(&before);
    }
    char *none = mmap(NULL, 1ul << 37, PROT_NONE, PRIVATE, -1, 0);
    CHECK(none != MAP_FAILED);
    check_all_back(&before);
    check_touch_kills(none, TOUCH_LOAD);
    check_touch_kills(none + (1ul << 36), TOUCH_STORE);
    CHECK_FAILS((long)mmap(NULL, 1ul << 37, PROT_NONE, PRIVATE, -1, 0), ENOMEM); // no room
    map_filled(none + (1ul << 36), 3, 1);
    CHECK_EQUAL(0, munmap(none, 1ul << 37));
    check_all_back(&before);
}

// Mapped memory can be touched even if others have taken all that was left.
TEST(mapped_memory_can_be_touched) {
    enum { PAGES = 300 };
    int ready[2], go[2];
    char byte;
    CHECK_EQUAL(0, pipe(ready));
    CHECK_EQUAL(0, pipe(go));
    IN_CHILD {
        char *start = map_pages(PAGES, RW, MAP_PRIVATE), *shared = map_pages(PAGES, RW, MAP_SHARED);
        test_own_pages();
        write_fully(ready[1], "", 1);
        read_fully(go[0], &byte, 1);
        memset(start, 1, PAGES * PAGE_BYTES);
        memset(shared, 2, PAGES * PAGE_BYTES);
        CHECK_BYTES(start, 1, PAGES * PAGE_BYTES);
    }
    close(ready[1]); // so that a child that fails is noticed
    close(go[0]);
    read_fully(ready[0], &byte, 1);
    memory_reserve_all();
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, PRIVATE, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, SHARED, -1, 0), ENOMEM);
    write_fully(go[1], "", 1);
    CHECK_CHILD(0);
}

// With every amount of memory from none to enough, mmap works completely or changes nothing.
TEST(mapping_with_little_memory) {
    enum { PAGES = 3 };
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int failures = 0, left = 0;
        memory_reserve_all();
        struct memstat before = test_memstat();
        for (; left < 12; left++) {
            char *start =
                mmap(FREE_PLACE, PAGES * PAGE_BYTES, RW, sharings[i] | MAP_ANONYMOUS, -1, 0);
            if (start == MAP_FAILED) {
                CHECK_EQUAL(ENOMEM, errno);
                CHECK_EQUAL(left, failures++); // never again after it has worked
            } else {
                memset(start, 1, PAGES * PAGE_BYTES);
                unmap_pages(start, PAGES);
            }
            check_all_back(&before);
            CHECK(sbrk(-PAGE_BYTES) != (char *)-1);
            before = test_memstat();
        }
        CHECK(failures >= PAGES && failures <= PAGES + 5);
    }
}

// Here something is replaced, and pages after it need page tables of their own.
TEST(replacing_works_or_changes_nothing) {
    char *start = map_filled((char *)(0x1000000000 + TABLE_BYTES - PAGE_BYTES), 1, 1);
    bool worked = false;
    memory_reserve_all();
    struct memstat before = test_memstat();
    for (int left = 0; left < 16; left++) {
        char *seen =
            mmap(start, (TABLE_BYTES + 2 * PAGE_BYTES), PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
        CHECK(seen == MAP_FAILED && errno == ENOMEM); // there is not that much left
        seen = mmap(start, 3 * PAGE_BYTES, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
        worked |= seen != MAP_FAILED;
        if (worked)
            break;
        CHECK_EQUAL(ENOMEM, errno);
        CHECK_BYTES(start, 1, PAGE_BYTES);
        check_all_back(&before);
        CHECK(sbrk(-PAGE_BYTES) != (char *)-1);
        before = test_memstat();
    }
    CHECK(worked);
    CHECK_BYTES(start, 0, 3 * PAGE_BYTES);
}

TEST(refusals_leak_nothing) {
    struct memstat before = start_counting();
    for (int round = 0; round < 300; round++) {
        CHECK_FAILS((long)mmap(NULL, 1ul << 36, RW, SHARED, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(NULL, 1ul << 36, RW, PRIVATE, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(NULL, 0, RW, PRIVATE, -1, 0), EINVAL);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, 99, 0), EBADF);
    }
    check_all_back(&before);
    int count = map_all_regions();
    before = test_memstat();
    for (int round = 0; round < 300; round++) {
        CHECK_FAILS((long)mmap(NULL, 5 * PAGE_BYTES, RW, SHARED, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(NULL, 5 * PAGE_BYTES, PROT_READ, PRIVATE, -1, 0), ENOMEM);
        CHECK_FAILS(munmap(FREE_PLACE + PAGE_BYTES, PAGE_BYTES), ENOMEM);
    }
    check_all_back(&before);
    check_regions(count);
}

TEST(repeated_mapping_leaks_nothing) {
    struct memstat before = start_counting();
    for (int round = 0; round < 600; round++) {
        size_t pages = 1 + (size_t)round % 7;
        char *start = map_pages(pages, RW, sharings[round % 2]);
        *start = 1;
        char *other = mmap(start - 100 * PAGE_BYTES, 2 * PAGE_BYTES, PROT_READ, PRIVATE, -1, 0);
        CHECK_EQUAL(0, *other);
        unmap_pages(start - 100 * PAGE_BYTES, 100 + pages);
    }
    check_all_back(&before);
}
