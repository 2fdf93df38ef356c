// MAP_FIXED: what a mapping replaces, and that a refused one changes nothing.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

TEST(fixed_mappings_replace_heap) {
    enum { PAGES = 8 };
    uintptr_t align = round_to_page(sbrk(0)) - (uintptr_t)sbrk(0);
    CHECK(sbrk((int)align) != (char *)-1);
    struct memstat before = start_counting();
    char *heap = sbrk(PAGES * PAGE_BYTES);
    memset(heap, 1, PAGES * PAGE_BYTES);
    map_fixed(heap + 3 * PAGE_BYTES, 2, RW, MAP_PRIVATE);
    CHECK_BYTES(heap, 1, 3 * PAGE_BYTES);
    CHECK_BYTES(heap + 3 * PAGE_BYTES, 0, 2 * PAGE_BYTES);
    CHECK_BYTES(heap + 5 * PAGE_BYTES, 1, 3 * PAGE_BYTES);
    map_fixed(heap, 1, PROT_READ, MAP_PRIVATE);
    CHECK_EQUAL(0, *heap);
    check_touch_kills(heap, TOUCH_STORE);
    CHECK(sbrk(PAGE_BYTES) == heap + PAGES * PAGE_BYTES);
    CHECK(sbrk(-(PAGES + 1) * PAGE_BYTES) == heap + (PAGES + 1) * PAGE_BYTES);
    CHECK_EQUAL(0, flags_at(heap) & PAGE_REGION);
    CHECK_EQUAL(0, flags_at(heap + 3 * PAGE_BYTES) & PAGE_REGION);
    check_all_back(&before);
}

TEST(fixed_mappings_replace_parts_of_mappings) {
    struct memstat before = start_counting();
    for (int from = 0; from < 6; from++) {
        for (int end = from + 1; end <= 8; end++) {
            char *start = map_filled(FREE_PLACE, 6, 1);
            map_filled(start + from * PAGE_BYTES, (size_t)(end - from), 2);
            CHECK_BYTES(start, 1, (size_t)from * PAGE_BYTES);
            CHECK_BYTES(start + from * PAGE_BYTES, 2, (size_t)(end - from) * PAGE_BYTES);
            if (end < 6)
                CHECK_BYTES(start + end * PAGE_BYTES, 1, (size_t)(6 - end) * PAGE_BYTES);
            unmap_pages(start, 8);
            check_all_back(&before);
        }
    }
}

// The page below the stack, which no region covers, so that a stack that grows too deep faults.
TEST(fixed_mapping_below_the_stack) {
    volatile int local = 5;
    char *page = (char *)((uintptr_t)&local / PAGE_BYTES * PAGE_BYTES);
    while (flags_at(page) & PAGE_REGION)
        page -= PAGE_BYTES;
    check_touch_kills(page + PAGE_BYTES - 1, TOUCH_STORE);
    map_filled(page, 1, 3);
    IN_CHILD {
        page[PAGE_BYTES - 1] = 1;
        page[PAGE_BYTES] = 1;
    }
    CHECK_CHILD(0);
    CHECK_BYTES(page, 3, PAGE_BYTES);
    CHECK_EQUAL(5, local);
}

TEST(fixed_mappings_outside_user_space_fail) {
    static const uintptr_t beyond[] = {USER_TOP,
                                       USER_TOP + PAGE_BYTES,
                                       0x8000000000,
                                       0xffffffc000000000,
                                       0xffffffc080200000,
                                       (uintptr_t)-PAGE_BYTES,
                                       (uintptr_t)-2 * PAGE_BYTES};
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
        CHECK_FAILS((long)mmap((void *)beyond[i], 2 * PAGE_BYTES, RW, PRIVATE | MAP_FIXED, -1, 0),
                    ENOMEM);
    CHECK_FAILS(
        (long)mmap((void *)(USER_TOP - PAGE_BYTES), 2 * PAGE_BYTES, RW, PRIVATE | MAP_FIXED, -1, 0),
        ENOMEM);
    CHECK_FAILS((long)mmap((void *)(USER_TOP - PAGE_BYTES), PAGE_BYTES + 1, PROT_NONE,
                           PRIVATE | MAP_FIXED, -1, 0),
                ENOMEM);
    CHECK_FAILS((long)mmap(FREE_PLACE, USER_TOP, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(FREE_PLACE, (size_t)-PAGE_BYTES, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0),
                ENOMEM);
    for (uintptr_t i = 1; i < PAGE_BYTES; i *= 2)
        CHECK_FAILS((long)mmap(FREE_PLACE + i, PAGE_BYTES, RW, PRIVATE | MAP_FIXED, -1, 0), EINVAL);
    check_all_back(&before);
    map_filled((char *)(USER_TOP - PAGE_BYTES), 1, 1);
}

// Refused for lack of memory or of regions.
TEST(refused_fixed_mappings_change_nothing) {
    char *start = map_filled(FREE_PLACE, 4, 1);
    struct memstat before = start_counting();
    size_t too_many = before.frames_free + 1;
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int flags = sharings[i] | MAP_ANONYMOUS | MAP_FIXED;
        CHECK_FAILS((long)mmap(start + PAGE_BYTES, too_many * PAGE_BYTES, RW, flags, -1, 0),
                    ENOMEM);
        CHECK_FAILS((long)mmap(start - PAGE_BYTES, too_many * PAGE_BYTES, RW, flags, -1, 0),
                    ENOMEM);
        CHECK_BYTES(start, 1, 4 * PAGE_BYTES);
        CHECK_EQUAL(0, flags_at(start - PAGE_BYTES) & PAGE_REGION);
        check_all_back(&before);
    }
    char *next = start + 100 * PAGE_BYTES;
    while (mmap(next, PAGE_BYTES, PROT_NONE, PRIVATE, -1, 0) == next)
        next += 2 * PAGE_BYTES;
    CHECK_EQUAL(ENOMEM, errno);
    before = test_memstat();
    CHECK_FAILS((long)mmap(start + PAGE_BYTES, PAGE_BYTES, PROT_READ, PRIVATE | MAP_FIXED, -1, 0),
                ENOMEM);
    CHECK_FAILS((long)mmap(start + PAGE_BYTES, PAGE_BYTES, RW, SHARED | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_BYTES(start, 1, 4 * PAGE_BYTES);
    check_all_back(&before);
}
