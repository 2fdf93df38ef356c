// munmap: pieces, holes, the heap, and the program itself.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

TEST(pieces_can_be_unmapped) {
    struct memstat before = start_counting();
    uint64_t frames = user_frames();
    for (int from = 0; from < 5; from++) {
        for (int end = from + 1; end <= 5; end++) {
            char *start = map_filled(FREE_PLACE, 5, 1);
            unmap_pages(start + from * PAGE_BYTES, (size_t)(end - from));
            CHECK_EQUAL(frames + (uint64_t)(5 - (end - from)), user_frames());
            for (int i = 0; i < 5; i++) {
                bool gone = i >= from && i < end;
                CHECK_EQUAL(gone ? 0 : PAGE_REGION, flags_at(start + i * PAGE_BYTES) & PAGE_REGION);
                if (!gone)
                    CHECK_BYTES(start + i * PAGE_BYTES, 1, PAGE_BYTES);
            }
            unmap_pages(start, 5);
            check_all_back(&before);
        }
    }
}

TEST(unmapped_pages_kill) {
    char *start = map_filled(FREE_PLACE, 3, 1);
    unmap_pages(start + PAGE_BYTES, 1);
    for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++)
        check_touch_kills(start + PAGE_BYTES, how);
    CHECK_FAILS(write(TEST_FD, start + PAGE_BYTES, 1), EFAULT);
    CHECK_FAILS(open(start + PAGE_BYTES, O_RDONLY), EFAULT);
    CHECK(touch_works(start + PAGE_BYTES - 1, TOUCH_STORE) &&
          touch_works(start + 2 * PAGE_BYTES, TOUCH_STORE));
    map_fixed(start + PAGE_BYTES, 1, RW, MAP_PRIVATE);
    CHECK_BYTES(start + PAGE_BYTES, 0, PAGE_BYTES);
}

TEST(holes_can_be_unmapped) {
    struct memstat before = start_counting();
    CHECK_EQUAL(0, munmap(FREE_PLACE, 100 * PAGE_BYTES));
    CHECK_EQUAL(0, munmap(FREE_PLACE, 1ul << 36));
    for (int i = 0; i < 8; i++)
        map_filled(FREE_PLACE + 3 * i * PAGE_BYTES, 2, i);
    CHECK_EQUAL(0, munmap(FREE_PLACE + PAGE_BYTES, 20 * PAGE_BYTES));
    CHECK_BYTES(FREE_PLACE, 0, PAGE_BYTES);
    CHECK_BYTES(FREE_PLACE + 21 * PAGE_BYTES, 7, 2 * PAGE_BYTES);
    CHECK_EQUAL(0, flags_at(FREE_PLACE + 18 * PAGE_BYTES) & PAGE_REGION);
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(0, munmap(FREE_PLACE - 1000 * PAGE_BYTES, 3000 * PAGE_BYTES));
    check_all_back(&before);
}

TEST(munmap_rejects_bad_ranges) {
    char *start = map_filled(FREE_PLACE, 2, 1);
    struct memstat before = start_counting();
    for (int i = 1; i < PAGE_BYTES; i *= 2)
        CHECK_FAILS(munmap(start + i, PAGE_BYTES), EINVAL);
    CHECK_FAILS(munmap(start, 0), EINVAL);
    CHECK_FAILS(munmap(NULL, 0), EINVAL);
    CHECK_FAILS(munmap((void *)USER_TOP, PAGE_BYTES), EINVAL);
    CHECK_FAILS(munmap((void *)(USER_TOP - PAGE_BYTES), PAGE_BYTES + 1), EINVAL);
    CHECK_FAILS(munmap((void *)(USER_TOP - PAGE_BYTES), 2 * PAGE_BYTES), EINVAL);
    CHECK_FAILS(munmap(start, USER_TOP), EINVAL);
    CHECK_FAILS(munmap(start, (size_t)-PAGE_BYTES), EINVAL);
    CHECK_FAILS(munmap(start, (size_t)-1), EINVAL);
    CHECK_FAILS(munmap(start, -(size_t)start), EINVAL);
    CHECK_FAILS(munmap((void *)0xffffffc080200000, PAGE_BYTES), EINVAL);
    CHECK_FAILS(munmap((void *)-PAGE_BYTES, PAGE_BYTES), EINVAL);
    check_all_back(&before);
    CHECK_BYTES(start, 1, 2 * PAGE_BYTES);
}

static void unmap_stack(void) {
    volatile char local = 0;
    munmap((void *)((uintptr_t)&local / PAGE_BYTES * PAGE_BYTES), PAGE_BYTES);
    local = 1;
}

static void unmap_text(void) {
    munmap((void *)TEXT_START, TEXT_PAGES * PAGE_BYTES);
}

static void unmap_everything(void) {
    munmap(NULL, USER_TOP);
}

static void map_over_text(void) {
    mmap((void *)TEXT_START, TEXT_PAGES * PAGE_BYTES, RW, PRIVATE | MAP_FIXED, -1, 0);
}

static void map_over_everything(void) {
    mmap((void *)PAGE_BYTES, USER_TOP - PAGE_BYTES, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0);
}

// Whatever a program unmaps of itself, no other process is harmed.
TEST(programs_may_unmap_themselves) {
    static void (*const deeds[])(void) = {unmap_stack, unmap_text, unmap_everything, map_over_text,
                                          map_over_everything};
    for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            deeds[i]();
            for (int k = 0; k < 10; k++)
                text_sum();
            exit(0);
        }
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(heap_may_be_unmapped) {
    uintptr_t align = round_to_page(sbrk(0)) - (uintptr_t)sbrk(0);
    CHECK(sbrk((int)align) != (char *)-1);
    struct memstat before = start_counting();
    char *heap = sbrk(6 * PAGE_BYTES);
    memset(heap, 1, 6 * PAGE_BYTES);
    unmap_pages(heap + 4 * PAGE_BYTES, 2);
    CHECK(sbrk(0) == heap + 6 * PAGE_BYTES);
    check_touch_kills(heap + 5 * PAGE_BYTES, TOUCH_LOAD);
    CHECK(sbrk(2 * PAGE_BYTES) == heap + 6 * PAGE_BYTES);
    memset(heap + 6 * PAGE_BYTES, 2, 2 * PAGE_BYTES);
    CHECK_BYTES(heap, 1, 4 * PAGE_BYTES);
    CHECK(sbrk(-8 * PAGE_BYTES) == heap + 8 * PAGE_BYTES);
    check_all_back(&before);
}

TEST(heap_stops_at_a_mapping) {
    char *end = (char *)round_to_page(sbrk(0)) + 4 * PAGE_BYTES;
    map_filled(end, 1, 1);
    char *heap = sbrk(0);
    CHECK_FAILS((long)sbrk((int)(end - heap) + 1), ENOMEM);
    CHECK_FAILS((long)sbrk(100 * PAGE_BYTES), ENOMEM);
    CHECK(sbrk(0) == heap);
    CHECK(sbrk((int)(end - heap)) == heap);
    memset(heap, 2, (size_t)(end - heap));
    CHECK_FAILS((long)sbrk(1), ENOMEM);
    CHECK_BYTES(end, 1, PAGE_BYTES);
    unmap_pages(end, 1);
    CHECK(sbrk(PAGE_BYTES) == end);
    CHECK_BYTES(end, 0, PAGE_BYTES);
}
