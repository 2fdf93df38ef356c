// mmap and munmap of anonymous memory: addresses, pieces, protections, limits, promises, and every
// call that must be refused. Mappings of files are in mapfile.c, sharing in shared.c.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "abi/syscall.h"
#include "support.h"

#define NUMBER(number, name) SYSCALL_##name = (number),
enum { SYSCALLS(NUMBER) };

enum { RW = PROT_READ | PROT_WRITE, REGIONS = 32, TABLE = 512 * PAGE };

#define USER_TOP 0x4000000000ul
#define FREE_PLACE ((char *)0x1000000000) // nothing is near it
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

static const int sharings[] = {MAP_PRIVATE, MAP_SHARED};

// Maps pages exactly there.
static char *map_fixed(char *at, size_t page_count, int protection, int flags) {
    char *start = mmap(at, page_count * PAGE, protection, flags | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    if (start != at)
        FAIL("expected to map %zu pages at %p, saw %p: %s", page_count, at, start, strerror(errno));
    return start;
}

// The same, filled with a byte.
static char *map_filled(char *at, size_t page_count, int byte) {
    return memset(map_fixed(at, page_count, RW, MAP_PRIVATE), byte, page_count * PAGE);
}

static struct syscall_result raw_mmap(const long *a) {
    return raw_syscall6(SYSCALL_mmap, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static unsigned flags_at(const void *p) {
    return test_page(p).flags;
}

static struct memstat start_counting(void) {
    test_own_pages();
    return test_memstat();
}

// Ends the test unless as much memory is free and promised as there was.
static void check_all_back(const struct memstat *before) {
    struct memstat now = test_memstat();
    CHECK_EQUAL(before->frames_free, now.frames_free);
    CHECK_EQUAL(before->frames_promised, now.frames_promised);
}

TEST(mapped_memory_is_zero_until_written) {
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_pages(3, RW, sharings[i]);
        CHECK_BYTES(start, 0, 3 * PAGE);
        memset(start, 7, 3 * PAGE);
        CHECK_BYTES(start, 7, 3 * PAGE);
        unmap_pages(start, 3);
        check_all_back(&before);
    }
}

// Promised when mapped, a frame when touched, all back when unmapped.
TEST(mapped_memory_costs_what_is_touched) {
    enum { PAGES = 100 };
    struct memstat before = start_counting();
    uint64_t frames = user_frames();
    char *start = map_pages(PAGES, RW, MAP_PRIVATE);
    CHECK_EQUAL(before.frames_promised + PAGES, test_memstat().frames_promised);
    CHECK_EQUAL(frames, user_frames());
    for (int i = 0; i < PAGES; i += 4)
        start[i * PAGE] = 1;
    CHECK_EQUAL(before.frames_promised + PAGES - PAGES / 4, test_memstat().frames_promised);
    CHECK_EQUAL(frames + PAGES / 4, user_frames());
    CHECK_EQUAL(before.faults[FAULT_ZERO_FILL] + PAGES / 4, test_memstat().faults[FAULT_ZERO_FILL]);
    unmap_pages(start + 2 * PAGE, 8); // two of them touched
    CHECK_EQUAL(before.frames_promised + PAGES - PAGES / 4 - 6, test_memstat().frames_promised);
    CHECK_EQUAL(frames + PAGES / 4 - 2, user_frames());
    unmap_pages(start, PAGES);
    check_all_back(&before);
}

TEST(lengths_are_rounded_up) {
    static const size_t lengths[] = {1, 2, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1, 2 * PAGE};
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        size_t pages = (lengths[i] + PAGE - 1) / PAGE;
        CHECK(mmap(FREE_PLACE, lengths[i], RW, PRIVATE | MAP_FIXED, -1, 0) == FREE_PLACE);
        memset(FREE_PLACE, 1, pages * PAGE);
        CHECK_EQUAL(0, flags_at(FREE_PLACE + pages * PAGE) & PAGE_REGION);
        CHECK_EQUAL(0, munmap(FREE_PLACE, lengths[i]));
        CHECK_EQUAL(0, flags_at(FREE_PLACE + (pages - 1) * PAGE) & PAGE_REGION);
    }
    check_all_back(&before);
}

TEST(mappings_lie_at_the_top) {
    char *first = map_pages(2, RW, MAP_PRIVATE), *second = map_pages(1, PROT_READ, MAP_PRIVATE);
    char *third = map_pages(3, RW, MAP_PRIVATE);
    CHECK(first == (char *)USER_TOP - 2 * PAGE);
    CHECK(second == first - PAGE);
    CHECK(third == second - 3 * PAGE);
    unmap_pages(second, 1);
    CHECK(map_pages(2, PROT_READ, MAP_PRIVATE) == third - 2 * PAGE); // too large for the hole
    CHECK(map_pages(1, RW, MAP_PRIVATE) == second);
    unmap_pages(first, 2);
    CHECK(map_pages(1, RW, MAP_SHARED) == (char *)USER_TOP - PAGE);
    CHECK(map_pages(1, RW, MAP_SHARED) == (char *)USER_TOP - 2 * PAGE);
}

TEST(hints_are_followed_where_nothing_is) {
    char *hint = FREE_PLACE;
    CHECK(mmap(hint, 3 * PAGE, RW, PRIVATE, -1, 0) == hint);
    CHECK(mmap(hint + 3 * PAGE, PAGE, RW, SHARED, -1, 0) == hint + 3 * PAGE);
    CHECK(mmap(hint - PAGE, PAGE, RW, PRIVATE, -1, 0) == hint - PAGE);
    for (int i = -1; i <= 3; i++) {
        char *start = mmap(hint + i * PAGE, 2 * PAGE, RW, PRIVATE, -1, 0);
        CHECK(start >= hint + 4 * PAGE && start <= (char *)USER_TOP - 2 * PAGE);
        memset(start, 1, 2 * PAGE);
    }
    CHECK_BYTES(hint - PAGE, 0, 5 * PAGE);
}

// Hints that cannot be followed are no errors.
TEST(wild_hints_are_not_followed) {
    for (size_t i = 0; i < BAD_ADDRESS_COUNT + 1; i++) {
        uintptr_t hint = i < BAD_ADDRESS_COUNT ? bad_addresses[i] : (uintptr_t)&flags_at;
        char *start = mmap((void *)hint, 2 * PAGE, RW, PRIVATE, -1, 0);
        CHECK(start != MAP_FAILED && (uintptr_t)start % PAGE == 0);
        CHECK((uintptr_t)start >= PAGE && (uintptr_t)start <= USER_TOP - 2 * PAGE);
        memset(start, 1, 2 * PAGE);
        unmap_pages(start, 2);
    }
}

TEST(fixed_mappings_replace_heap) {
    enum { PAGES = 8 };
    uintptr_t align = round_to_page(sbrk(0)) - (uintptr_t)sbrk(0);
    CHECK(sbrk((int)align) != (char *)-1);
    struct memstat before = start_counting();
    char *heap = sbrk(PAGES * PAGE);
    memset(heap, 1, PAGES * PAGE);
    map_fixed(heap + 3 * PAGE, 2, RW, MAP_PRIVATE);
    CHECK_BYTES(heap, 1, 3 * PAGE);
    CHECK_BYTES(heap + 3 * PAGE, 0, 2 * PAGE);
    CHECK_BYTES(heap + 5 * PAGE, 1, 3 * PAGE);
    map_fixed(heap, 1, PROT_READ, MAP_PRIVATE);
    CHECK_EQUAL(0, *heap);
    check_touch_kills(heap, TOUCH_STORE);
    CHECK(sbrk(PAGE) == heap + PAGES * PAGE);
    CHECK(sbrk(-(PAGES + 1) * PAGE) == heap + (PAGES + 1) * PAGE);
    CHECK_EQUAL(0, flags_at(heap) & PAGE_REGION);
    CHECK_EQUAL(0, flags_at(heap + 3 * PAGE) & PAGE_REGION);
    test_own_pages();
    check_all_back(&before);
}

TEST(fixed_mappings_replace_parts_of_mappings) {
    struct memstat before = start_counting();
    for (int from = 0; from < 6; from++) {
        for (int end = from + 1; end <= 8; end++) {
            char *start = map_filled(FREE_PLACE, 6, 1);
            map_filled(start + from * PAGE, (size_t)(end - from), 2);
            CHECK_BYTES(start, 1, (size_t)from * PAGE);
            CHECK_BYTES(start + from * PAGE, 2, (size_t)(end - from) * PAGE);
            if (end < 6)
                CHECK_BYTES(start + end * PAGE, 1, (size_t)(6 - end) * PAGE);
            unmap_pages(start, 8);
            check_all_back(&before);
        }
    }
}

// The page below the stack, which no region covers, so that a stack that is too deep faults.
TEST(fixed_mapping_below_the_stack) {
    volatile int local = 5;
    char *page = (char *)((uintptr_t)&local / PAGE * PAGE);
    while (flags_at(page) & PAGE_REGION)
        page -= PAGE;
    check_touch_kills(page + PAGE - 1, TOUCH_STORE);
    map_filled(page, 1, 3);
    IN_CHILD {
        page[PAGE - 1] = 1;
        page[PAGE] = 1;
    }
    CHECK_CHILD(0);
    CHECK_BYTES(page, 3, PAGE);
    CHECK_EQUAL(5, local);
}

TEST(fixed_mappings_outside_are_refused) {
    static const uintptr_t beyond[] = {
        USER_TOP,           USER_TOP + PAGE,  0x8000000000,        0xffffffc000000000,
        0xffffffc080200000, (uintptr_t)-PAGE, (uintptr_t)-2 * PAGE};
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
        CHECK_FAILS((long)mmap((void *)beyond[i], 2 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0),
                    ENOMEM);
    CHECK_FAILS((long)mmap((void *)(USER_TOP - PAGE), 2 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0),
                ENOMEM);
    CHECK_FAILS(
        (long)mmap((void *)(USER_TOP - PAGE), PAGE + 1, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0),
        ENOMEM);
    CHECK_FAILS((long)mmap(FREE_PLACE, USER_TOP, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(FREE_PLACE, (size_t)-PAGE, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0),
                ENOMEM);
    for (uintptr_t i = 1; i < PAGE; i *= 2)
        CHECK_FAILS((long)mmap(FREE_PLACE + i, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0), EINVAL);
    check_all_back(&before);
    map_filled((char *)(USER_TOP - PAGE), 1, 1);
}

// For want of memory or of regions.
TEST(refused_fixed_mappings_change_nothing) {
    char *start = map_filled(FREE_PLACE, 4, 1);
    struct memstat before = start_counting();
    size_t too_many = before.frames_free + 1;
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int flags = sharings[i] | MAP_ANONYMOUS | MAP_FIXED;
        CHECK_FAILS((long)mmap(start + PAGE, too_many * PAGE, RW, flags, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(start - PAGE, too_many * PAGE, RW, flags, -1, 0), ENOMEM);
        CHECK_BYTES(start, 1, 4 * PAGE);
        CHECK_EQUAL(0, flags_at(start - PAGE) & PAGE_REGION);
        check_all_back(&before);
    }
    char *next = start + 100 * PAGE;
    while (mmap(next, PAGE, PROT_NONE, PRIVATE, -1, 0) == next)
        next += 2 * PAGE;
    CHECK_EQUAL(ENOMEM, errno);
    before = test_memstat();
    CHECK_FAILS((long)mmap(start + PAGE, PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(start + PAGE, PAGE, RW, SHARED | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_BYTES(start, 1, 4 * PAGE);
    check_all_back(&before);
}

TEST(pieces_can_be_unmapped) {
    struct memstat before = start_counting();
    uint64_t frames = user_frames();
    for (int from = 0; from < 5; from++) {
        for (int end = from + 1; end <= 5; end++) {
            char *start = map_filled(FREE_PLACE, 5, 1);
            unmap_pages(start + from * PAGE, (size_t)(end - from));
            CHECK_EQUAL(frames + (uint64_t)(5 - (end - from)), user_frames());
            for (int i = 0; i < 5; i++) {
                bool gone = i >= from && i < end;
                CHECK_EQUAL(gone ? 0 : PAGE_REGION, flags_at(start + i * PAGE) & PAGE_REGION);
                if (!gone)
                    CHECK_BYTES(start + i * PAGE, 1, PAGE);
            }
            unmap_pages(start, 5);
            check_all_back(&before);
        }
    }
}

TEST(unmapped_pages_kill) {
    char *start = map_filled(FREE_PLACE, 3, 1);
    unmap_pages(start + PAGE, 1);
    for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++)
        check_touch_kills(start + PAGE, how);
    CHECK_FAILS(write(TEST_FD, start + PAGE, 1), EFAULT);
    CHECK_FAILS(open(start + PAGE, O_RDONLY), EFAULT);
    CHECK(touch_works(start + PAGE - 1, TOUCH_STORE) && touch_works(start + 2 * PAGE, TOUCH_STORE));
    map_fixed(start + PAGE, 1, RW, MAP_PRIVATE);
    CHECK_BYTES(start + PAGE, 0, PAGE);
}

TEST(holes_can_be_unmapped) {
    struct memstat before = start_counting();
    CHECK_EQUAL(0, munmap(FREE_PLACE, 100 * PAGE));
    CHECK_EQUAL(0, munmap(FREE_PLACE, 1ul << 36));
    for (int i = 0; i < 8; i++)
        map_filled(FREE_PLACE + 3 * i * PAGE, 2, i);
    CHECK_EQUAL(0, munmap(FREE_PLACE + PAGE, 20 * PAGE));
    CHECK_BYTES(FREE_PLACE, 0, PAGE);
    CHECK_BYTES(FREE_PLACE + 21 * PAGE, 7, 2 * PAGE);
    CHECK_EQUAL(0, flags_at(FREE_PLACE + 18 * PAGE) & PAGE_REGION);
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(0, munmap(FREE_PLACE - 1000 * PAGE, 3000 * PAGE));
    check_all_back(&before);
}

TEST(munmap_refuses) {
    char *start = map_filled(FREE_PLACE, 2, 1);
    struct memstat before = start_counting();
    for (int i = 1; i < PAGE; i *= 2)
        CHECK_FAILS(munmap(start + i, PAGE), EINVAL);
    CHECK_FAILS(munmap(start, 0), EINVAL);
    CHECK_FAILS(munmap(NULL, 0), EINVAL);
    CHECK_FAILS(munmap((void *)USER_TOP, PAGE), EINVAL);
    CHECK_FAILS(munmap((void *)(USER_TOP - PAGE), PAGE + 1), EINVAL);
    CHECK_FAILS(munmap((void *)(USER_TOP - PAGE), 2 * PAGE), EINVAL);
    CHECK_FAILS(munmap(start, USER_TOP), EINVAL);
    CHECK_FAILS(munmap(start, (size_t)-PAGE), EINVAL);
    CHECK_FAILS(munmap(start, (size_t)-1), EINVAL);
    CHECK_FAILS(munmap(start, -(size_t)start), EINVAL);
    CHECK_FAILS(munmap((void *)0xffffffc080200000, PAGE), EINVAL);
    CHECK_FAILS(munmap((void *)-PAGE, PAGE), EINVAL);
    check_all_back(&before);
    CHECK_BYTES(start, 1, 2 * PAGE);
}

static void unmap_stack(void) {
    volatile char local = 0;
    munmap((void *)((uintptr_t)&local / PAGE * PAGE), PAGE);
    local = 1;
}

static void unmap_text(void) {
    munmap((void *)TEXT_START, TEXT_PAGES * PAGE);
}

static void unmap_everything(void) {
    munmap(NULL, USER_TOP);
}

static void map_over_text(void) {
    mmap((void *)TEXT_START, TEXT_PAGES * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0);
}

static void map_over_everything(void) {
    mmap((void *)PAGE, USER_TOP - PAGE, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0);
}

// Whatever a program takes away from itself, nobody else is harmed.
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
    char *heap = sbrk(6 * PAGE);
    memset(heap, 1, 6 * PAGE);
    unmap_pages(heap + 4 * PAGE, 2);
    CHECK(sbrk(0) == heap + 6 * PAGE);
    check_touch_kills(heap + 5 * PAGE, TOUCH_LOAD);
    CHECK(sbrk(2 * PAGE) == heap + 6 * PAGE);
    memset(heap + 6 * PAGE, 2, 2 * PAGE);
    CHECK_BYTES(heap, 1, 4 * PAGE);
    CHECK(sbrk(-8 * PAGE) == heap + 8 * PAGE);
    test_own_pages();
    check_all_back(&before);
}

TEST(heap_stops_at_a_mapping) {
    char *end = (char *)round_to_page(sbrk(0)) + 4 * PAGE;
    map_filled(end, 1, 1);
    char *heap = sbrk(0);
    CHECK_FAILS((long)sbrk((int)(end - heap) + 1), ENOMEM);
    CHECK_FAILS((long)sbrk(100 * PAGE), ENOMEM);
    CHECK(sbrk(0) == heap);
    CHECK(sbrk((int)(end - heap)) == heap);
    memset(heap, 2, (size_t)(end - heap));
    CHECK_FAILS((long)sbrk(1), ENOMEM);
    CHECK_BYTES(end, 1, PAGE);
    unmap_pages(end, 1);
    CHECK(sbrk(PAGE) == end);
    CHECK_BYTES(end, 0, PAGE);
}

// Three pages each, with holes between them, until there are no more regions; returns how many.
static int map_all_regions(void) {
    int count = 0;
    for (char *at = FREE_PLACE; mmap(at, 3 * PAGE, RW, PRIVATE, -1, 0) == at; at += 8 * PAGE)
        memset(at, ++count, 3 * PAGE);
    CHECK_EQUAL(ENOMEM, errno);
    CHECK(count > REGIONS / 2 && count < REGIONS);
    return count;
}

static void check_regions(int count) {
    for (int i = 0; i < count; i++)
        CHECK_BYTES(FREE_PLACE + 8 * i * PAGE, i + 1, 3 * PAGE);
}

TEST(regions_are_limited) {
    struct memstat start = start_counting();
    int count = map_all_regions();
    struct memstat before = test_memstat();
    CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, PRIVATE, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, SHARED, -1, 0), ENOMEM);
    for (int i = 0; i < count; i++)
        CHECK_FAILS(munmap(FREE_PLACE + (8 * i + 1) * PAGE, PAGE), ENOMEM);
    check_all_back(&before);
    check_regions(count);
    IN_CHILD {
        check_regions(count);
        CHECK_FAILS(munmap(FREE_PLACE + PAGE, PAGE), ENOMEM);
        CHECK_EQUAL(0, munmap(FREE_PLACE, 3 * PAGE));
        CHECK_EQUAL(0, munmap(FREE_PLACE + 9 * PAGE, PAGE)); // now there is room for a split
    }
    CHECK_CHILD(0);
    check_regions(count);
    CHECK_EQUAL(3, helper_run((char *[]){"+exit", "3", NULL}));
    unmap_pages(FREE_PLACE, 8 * (size_t)count);
    test_own_pages();
    check_all_back(&start);
}

TEST(pieces_fit_where_regions_are_limited) {
    int count = map_all_regions();
    CHECK_EQUAL(0, munmap(FREE_PLACE, PAGE));             // a head
    CHECK_EQUAL(0, munmap(FREE_PLACE + 10 * PAGE, PAGE)); // a tail
    char *between = FREE_PLACE + 19 * PAGE;               // joins two neighbours of its kind
    CHECK(mmap(between, 5 * PAGE, RW, PRIVATE, -1, 0) == between);
    memset(between, 9, 5 * PAGE);
    CHECK_BYTES(FREE_PLACE + 16 * PAGE, 3, 3 * PAGE);
    CHECK_BYTES(FREE_PLACE + 24 * PAGE, 4, 3 * PAGE);
    CHECK_EQUAL(0, munmap(FREE_PLACE + 8 * PAGE, 3 * PAGE)); // a whole one
    CHECK_EQUAL(0, munmap(FREE_PLACE + 33 * PAGE, PAGE));    // a middle
    CHECK_BYTES(FREE_PLACE + 32 * PAGE, 5, PAGE);
    CHECK_BYTES(FREE_PLACE + 34 * PAGE, 5, PAGE);
    unmap_pages(FREE_PLACE, 8 * (size_t)count);
}

// Far more mappings than regions: neighbours of one kind are one.
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
    test_own_pages();
    check_all_back(&before);
}

// Mappings of different kinds stay apart, wherever they lie.
TEST(neighbours_of_different_kinds_stay_apart) {
    static const int kinds[] = {PROT_READ, RW, PROT_NONE, PROT_READ | PROT_EXEC, RW, PROT_READ};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        map_fixed(FREE_PLACE + i * PAGE, 1, kinds[i], MAP_PRIVATE);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        unsigned flags = flags_at(FREE_PLACE + i * PAGE) & (PAGE_READ | PAGE_WRITE | PAGE_EXEC);
        CHECK_EQUAL(kinds[i] * PAGE_READ, flags);
    }
    char *shared = map_fixed(FREE_PLACE + 10 * PAGE, 1, RW, MAP_SHARED);
    map_fixed(shared + PAGE, 1, RW, MAP_PRIVATE);
    map_fixed(shared - PAGE, 1, RW, MAP_SHARED);
    CHECK_EQUAL(PAGE_SHARED, flags_at(shared) & PAGE_SHARED);
    CHECK_EQUAL(0, flags_at(shared + PAGE) & PAGE_SHARED);
    IN_CHILD memset(shared - PAGE, 1, 3 * PAGE);
    CHECK_CHILD(0);
    CHECK_BYTES(shared - PAGE, 1, 2 * PAGE);
    CHECK_BYTES(shared + PAGE, 0, PAGE);
}

// What could not be had is refused at once; PROT_NONE needs no memory.
TEST(more_than_there_is_is_refused) {
    static const size_t huge[] = {1ul << 33, 1ul << 37, USER_TOP,     USER_TOP + PAGE,
                                  1ul << 48, 1ul << 63, (size_t)-PAGE};
    struct memstat before = start_counting();
    size_t available = before.frames_free - before.frames_promised;
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int flags = sharings[i] | MAP_ANONYMOUS;
        CHECK_FAILS((long)mmap(NULL, (available + 1) * PAGE, RW, flags, -1, 0), ENOMEM);
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
    test_own_pages();
    check_all_back(&before);
}

// What was mapped is there though others take all that is left.
TEST(mapped_memory_is_there) {
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
        memset(start, 1, PAGES * PAGE);
        memset(shared, 2, PAGES * PAGE);
        CHECK_BYTES(start, 1, PAGES * PAGE);
    }
    close(ready[1]); // so that a child that fails is noticed
    close(go[0]);
    read_fully(ready[0], &byte, 1);
    memory_promise_all();
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, PRIVATE, -1, 0), ENOMEM);
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, SHARED, -1, 0), ENOMEM);
    write_fully(go[1], "", 1);
    CHECK_CHILD(0);
}

// With every amount of memory from none to enough, mmap works wholly or changes nothing.
TEST(mapping_with_little_memory) {
    enum { PAGES = 3 };
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int failures = 0, left = 0;
        memory_promise_all();
        struct memstat before = test_memstat();
        for (; left < 12; left++) {
            char *start = mmap(FREE_PLACE, PAGES * PAGE, RW, sharings[i] | MAP_ANONYMOUS, -1, 0);
            if (start == MAP_FAILED) {
                CHECK_EQUAL(ENOMEM, errno);
                CHECK_EQUAL(left, failures++); // not after it has worked
            } else {
                memset(start, 1, PAGES * PAGE);
                unmap_pages(start, PAGES);
            }
            check_all_back(&before);
            CHECK(sbrk(-PAGE) != (char *)-1);
            before = test_memstat();
        }
        CHECK(failures >= PAGES && failures <= PAGES + 5);
    }
}

// The same where something is replaced, and pages behind it need tables of their own.
TEST(replacing_with_little_memory) {
    char *start = map_filled((char *)(0x1000000000 + TABLE - PAGE), 1, 1);
    bool worked = false;
    memory_promise_all();
    struct memstat before = test_memstat();
    for (int left = 0; left < 16; left++) {
        char *seen = mmap(start, (TABLE + 2 * PAGE), PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
        CHECK(seen == MAP_FAILED && errno == ENOMEM); // so much is not left
        seen = mmap(start, 3 * PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
        worked |= seen != MAP_FAILED;
        if (worked)
            break;
        CHECK_EQUAL(ENOMEM, errno);
        CHECK_BYTES(start, 1, PAGE);
        check_all_back(&before);
        CHECK(sbrk(-PAGE) != (char *)-1);
        before = test_memstat();
    }
    CHECK(worked);
    CHECK_BYTES(start, 0, 3 * PAGE);
}

static bool allows(int protection, enum touch how) {
    static const int needs[] = {
        [TOUCH_LOAD] = RW, [TOUCH_STORE] = PROT_WRITE, [TOUCH_JUMP] = PROT_EXEC};
    return protection & needs[how];
}

// Every combination: loads, stores and (where code can be put) jumps work or kill.
TEST(protections_of_memory) {
    static const uint32_t code = 0x00008067; // ret
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (int protection = PROT_NONE; protection <= PROT_ALL; protection++) {
            char *start = map_pages(1, protection, sharings[i]);
            for (enum touch how = TOUCH_LOAD; how <= TOUCH_STORE; how++)
                if (touch_works(start, how) != allows(protection, how))
                    FAIL("expected way %d %d with protection %d, saw the opposite", how,
                         allows(protection, how), protection);
            if (protection & PROT_WRITE) {
                memcpy(start, &code, sizeof code);
                __asm__ volatile("fence.i" ::: "memory");
                CHECK_EQUAL((protection & PROT_EXEC) != 0, touch_works(start, TOUCH_JUMP));
            } else {
                check_touch_kills(start, TOUCH_JUMP);
            }
            CHECK_EQUAL(PAGE_REGION, flags_at(start) & PAGE_REGION);
            unmap_pages(start, 1);
        }
    }
}

static void check_unreadable(const char *page) {
    CHECK_FAILS(write(TEST_FD, page, 1), EFAULT);
    CHECK_FAILS(open(page, O_RDONLY), EFAULT);
    CHECK_FAILS(exec(page, (char *[]){"x", NULL}), EFAULT);
    CHECK_FAILS(exec(USERTESTS, (char **)(uintptr_t)page), EFAULT);
}

static void check_unwritable(int fd, char *page) {
    CHECK_FAILS(read(fd, page, 1), EFAULT);
    CHECK_FAILS(fstat(fd, (struct stat *)page), EFAULT);
    CHECK_FAILS(pipe((int *)page), EFAULT);
    CHECK_FAILS(memstat((struct memstat *)page, 0), EFAULT);
}

// The kernel reads and writes for a program what the program may.
TEST(protections_hold_for_system_calls) {
    file_make_pattern("file", 100);
    int fd = open("file", O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (int protection = PROT_NONE; protection <= PROT_ALL; protection++) {
            char *start = map_pages(1, protection, sharings[i]);
            for (int round = 0; round < 2; round++) { // the page is there in the second
                if (allows(protection, TOUCH_LOAD))
                    write_fully(fd, start, 1);
                else
                    check_unreadable(start);
                if (allows(protection, TOUCH_STORE))
                    read_fully(fd, start, 1);
                else
                    check_unwritable(fd, start);
            }
            unmap_pages(start, 1);
        }
    }
}

TEST(buffers_across_mappings) {
    enum { ODD = 1000 };
    file_make_pattern("file", 6 * PAGE);
    map_fixed(FREE_PLACE, 1, RW, MAP_PRIVATE);
    map_fixed(FREE_PLACE + PAGE, 1, RW, MAP_SHARED);
    map_fixed(FREE_PLACE + 2 * PAGE, 1, PROT_ALL, MAP_PRIVATE);
    map_fixed(FREE_PLACE + 3 * PAGE, 1, PROT_READ, MAP_PRIVATE);
    int fd = open("file", O_RDWR), out = open("out", O_CREATE | O_RDWR);
    CHECK_EQUAL(3 * PAGE - ODD, read(fd, FREE_PLACE + ODD, 3 * PAGE - ODD));
    pattern_check(FREE_PLACE + ODD, 0, 3 * PAGE - ODD);
    CHECK_EQUAL(4 * PAGE - ODD, write(out, FREE_PLACE + ODD, 4 * PAGE - ODD));
    CHECK_FAILS(write(out, FREE_PLACE + 3 * PAGE, PAGE + 1), EFAULT);
    CHECK_FAILS(read(fd, FREE_PLACE + 2 * PAGE, PAGE + 1), EFAULT);
    CHECK_EQUAL(4 * PAGE - ODD, file_stat("out").size);
    file_check_pattern("file", 6 * PAGE);
}

// Every call that must be refused, and why.
TEST(wrong_arguments_are_refused) {
    static const struct {
        long arguments[6]; // address, length, protection, flags, fd, offset
        int error;
    } wrong[] = {
        {{0, 0, RW, PRIVATE, -1, 0}, EINVAL},
        {{0, 0, RW, SHARED, -1, 0}, EINVAL},
        {{(long)FREE_PLACE, 0, RW, PRIVATE | MAP_FIXED, -1, 0}, EINVAL},
        {{0, PAGE, RW, 0, -1, 0}, EINVAL}, // neither private nor shared
        {{0, PAGE, RW, MAP_ANONYMOUS, -1, 0}, EINVAL},
        {{0, PAGE, RW, PRIVATE | MAP_SHARED, -1, 0}, EINVAL},
        {{0, PAGE, RW, PRIVATE | 4, -1, 0}, EINVAL},
        {{0, PAGE, RW, PRIVATE | 8, -1, 0}, EINVAL},
        {{0, PAGE, RW, PRIVATE | 0x40, -1, 0}, EINVAL},
        {{0, PAGE, RW, PRIVATE | 0x4000, -1, 0}, EINVAL},
        {{0, PAGE, RW, PRIVATE | 1l << 31, -1, 0}, EINVAL},
        {{0, PAGE, 8, PRIVATE, -1, 0}, EINVAL},
        {{0, PAGE, RW | 0x100, PRIVATE, -1, 0}, EINVAL},
        {{0, PAGE, -1, PRIVATE, -1, 0}, EINVAL},
        {{(long)FREE_PLACE + 1, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0}, EINVAL},
        {{0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0}, EBADF},
        {{0, PAGE, PROT_READ, MAP_SHARED, OPEN_MAX, 0}, EBADF},
        {{0, PAGE, PROT_READ, MAP_PRIVATE, 1 << 20, 0}, EBADF},
        {{0, PAGE, PROT_READ, MAP_PRIVATE, INT32_MAX, 0}, EBADF},
        {{0, PAGE, PROT_READ, MAP_PRIVATE, OPEN_MAX - 2, 0}, EBADF}, // closed
    };
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct syscall_result result = raw_mmap(wrong[i].arguments);
        if (result.value != -1 || result.error != wrong[i].error)
            FAIL("expected call %zu to fail with %d, saw %ld (error %ld)", i, wrong[i].error,
                 result.value, result.error);
    }
    check_all_back(&before);
}

// Descriptor and offset mean nothing without a file.
TEST(descriptors_do_not_matter_for_memory) {
    static const int fds[] = {-1, 0, 99, TEST_FD, INT32_MIN};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        char *start = mmap(NULL, PAGE, RW, PRIVATE, fds[i], 0);
        CHECK(start != MAP_FAILED);
        memset(start, 1, PAGE);
        unmap_pages(start, 1);
    }
}

TEST(bad_addresses_of_mappings) {
    struct memstat before = start_counting();
    for (size_t i = 0; i < BAD_ADDRESS_COUNT; i++) {
        void *bad = (void *)bad_addresses[i];
        bool aligned = bad_addresses[i] % PAGE == 0, inside = bad_addresses[i] < USER_TOP;
        if (aligned && inside) {
            map_filled(bad, 1, 1);
            unmap_pages(bad, 1);
            continue;
        }
        CHECK_FAILS(munmap(bad, PAGE), EINVAL);
        CHECK_FAILS_EITHER((long)mmap(bad, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0),
                           inside ? EINVAL : ENOMEM, EINVAL);
    }
    check_all_back(&before);
}

TEST(wild_arguments_do_no_harm) {
    static const long wild[] = {0,         1,         -1,       PAGE,        -PAGE,
                                USER_TOP,  1l << 38,  1l << 62, INT64_MAX,   INT64_MIN,
                                INT32_MAX, INT32_MIN, 1l << 32, 0x1000000000};
    struct memstat before = start_counting();
    uint32_t seed = 41;
    for (int round = 0; round < 2000; round++) {
        long arguments[6];
        for (int i = 0; i < 6; i++)
            arguments[i] = wild[random_next(&seed) % ARRAY_SIZE(wild)];
        if (round % 2 == 0)
            arguments[2] &= PROT_ALL, arguments[3] &= ~MAP_FIXED;
        if (arguments[3] & MAP_FIXED && arguments[0] < 0x1000000000)
            continue; // would replace the program
        struct syscall_result result = raw_mmap(arguments);
        CHECK(result.value == -1 || (uintptr_t)result.value < USER_TOP);
        if (result.value != -1)
            CHECK_EQUAL(0, munmap((void *)result.value, (size_t)arguments[1]));
    }
    test_own_pages();
    check_all_back(&before);
}

TEST(mappings_across_gigabytes) {
    enum { COUNT = 12 };
    struct memstat before = start_counting();
    for (size_t i = 0; i < COUNT; i++) {
        char *start =
            map_filled(FREE_PLACE + (i << 30) - PAGE, 2, (int)i + 1); // across two leaf tables
        CHECK_BYTES(start, (int)i + 1, 2 * PAGE);
    }
    struct memstat now = test_memstat();
    CHECK_EQUAL(2 * COUNT, now.frames_used[FRAME_USER] - before.frames_used[FRAME_USER]);
    CHECK_EQUAL(3 * COUNT + 1, now.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE]);
    IN_CHILD {
        for (size_t i = 0; i < COUNT; i++)
            CHECK_EQUAL(i + 1, FREE_PLACE[i << 30]);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(0, munmap(FREE_PLACE - PAGE, (size_t)COUNT << 30));
    test_own_pages();
    check_all_back(&before);
}

TEST(fork_separates_private_mappings) {
    char *start = map_filled(FREE_PLACE, 4, 1);
    char *untouched = map_pages(2, RW, MAP_PRIVATE);
    IN_CHILD {
        CHECK_BYTES(start, 1, 4 * PAGE);
        memset(start, 2, 2 * PAGE);
        memset(untouched, 2, PAGE);
        unmap_pages(start + 3 * PAGE, 1);
        IN_CHILD {
            CHECK_BYTES(start, 2, 2 * PAGE);
            memset(start, 3, 3 * PAGE);
            CHECK_EQUAL(0, flags_at(start + 3 * PAGE) & PAGE_REGION);
        }
        CHECK_CHILD(0);
        CHECK_BYTES(start, 2, 2 * PAGE);
        CHECK_BYTES(start + 2 * PAGE, 1, PAGE);
        CHECK_BYTES(untouched + PAGE, 0, PAGE);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(start, 1, 4 * PAGE);
    CHECK_BYTES(untouched, 0, 2 * PAGE);
}

// A program executed has nothing of what its process had mapped.
TEST(exec_leaves_no_mappings) {
    struct procinfo info[2];
    for (int mapped = 0; mapped < 2; mapped++) {
        if (mapped)
            memset(map_pages(50, RW, MAP_SHARED), 1, 50 * PAGE);
        if (mapped)
            map_filled(FREE_PLACE, 50, 1);
        struct helper helper = helper_start((char *[]){"+text_sum", NULL});
        uint64_t sum;
        read_fully(helper.from, &sum, 1);
        wait_until_waits(helper.pid, WAITS_FOR_PIPE);
        CHECK_EQUAL(helper.pid, procinfo(helper.pid, &info[mapped]));
        write_fully(helper.to, "", 1);
        read_fully(helper.from, &sum, sizeof sum);
        helper_finish(&helper, 0);
    }
    CHECK_EQUAL(info[0].pages_region, info[1].pages_region);
    CHECK_EQUAL(info[0].pages_resident, info[1].pages_resident);
}

TEST(exit_and_kill_free_mappings) {
    struct memstat before = start_counting();
    for (int round = 0; round < 20; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            map_filled(FREE_PLACE, 20, 1);
            memset(map_pages(20, RW, MAP_SHARED), 1, 10 * PAGE);
            if (round % 2 == 0)
                kill(getpid());
            exit(0);
        }
        CHECK_CHILD(round % 2 == 0 ? TEST_STATUS_KILLED : 0);
        test_own_pages();
        check_all_back(&before);
    }
}

TEST(procinfo_counts_mappings) {
    struct procinfo before, now;
    char *start = map_pages(10, RW, MAP_PRIVATE);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &before));
    char *more = map_pages(7, RW, MAP_SHARED);
    memset(start, 1, 3 * PAGE);
    memset(more, 1, 2 * PAGE);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &now));
    CHECK_EQUAL(before.pages_region + 7, now.pages_region);
    CHECK_EQUAL(before.pages_resident + 5, now.pages_resident);
    CHECK_EQUAL(before.heap_end, now.heap_end);
    unmap_pages(start, 10);
    unmap_pages(more, 7);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &now));
    CHECK_EQUAL(before.pages_region - 10, now.pages_region);
    CHECK_EQUAL(before.pages_resident, now.pages_resident);
}

// Where no region is, pagemap names the page at which the next one starts.
TEST(pagemap_names_the_next_region) {
    map_fixed(FREE_PLACE + 3 * PAGE, 2, PROT_READ, MAP_PRIVATE);
    struct pageinfo pages[6];
    CHECK_EQUAL(6, pagemap(getpid(), (uintptr_t)FREE_PLACE, pages, 6));
    for (int i = 0; i < 6; i++) {
        CHECK_EQUAL(i == 3 || i == 4 ? PAGE_REGION | PAGE_READ : 0, pages[i].flags);
        CHECK_EQUAL(i < 3 ? (uintptr_t)FREE_PLACE / PAGE + 3 : 0, pages[i].frame);
        CHECK_EQUAL(0, pages[i].sharers);
    }
    CHECK_EQUAL(TEXT_START / PAGE, test_page(NULL).frame);
    uint64_t seen = 0;
    for (uintptr_t va = 0; seen < 1000; seen++) { // a viewer reaches the mapping so
        struct pageinfo page = test_page((void *)va);
        if (page.flags == 0 && page.frame == 0)
            break;
        va = page.flags == 0 ? page.frame * PAGE : va + PAGE;
    }
    CHECK(seen > 10 && seen < 1000);
}

TEST(mapping_again_and_again_leaks_nothing) {
    struct memstat before = start_counting();
    for (int round = 0; round < 600; round++) {
        size_t pages = 1 + (size_t)round % 7;
        char *start = map_pages(pages, RW, sharings[round % 2]);
        *start = 1;
        char *other = mmap(start - 100 * PAGE, 2 * PAGE, PROT_READ, PRIVATE, -1, 0);
        CHECK_EQUAL(0, *other);
        unmap_pages(start - 100 * PAGE, 100 + pages);
    }
    check_all_back(&before);
}

TEST(refusals_leak_nothing) {
    struct memstat before = start_counting();
    for (int round = 0; round < 300; round++) {
        CHECK_FAILS((long)mmap(NULL, 1ul << 36, RW, SHARED, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(NULL, 1ul << 36, RW, PRIVATE, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(NULL, 0, RW, PRIVATE, -1, 0), EINVAL);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0), EBADF);
    }
    check_all_back(&before);
    int count = map_all_regions();
    before = test_memstat();
    for (int round = 0; round < 300; round++) {
        CHECK_FAILS((long)mmap(NULL, 5 * PAGE, RW, SHARED, -1, 0), ENOMEM);
        CHECK_FAILS((long)mmap(NULL, 5 * PAGE, PROT_READ, PRIVATE, -1, 0), ENOMEM);
        CHECK_FAILS(munmap(FREE_PLACE + PAGE, PAGE), ENOMEM);
    }
    check_all_back(&before);
    check_regions(count);
}

// Maps, writes, unmaps and forks in an area of its own, against a model of what each page must be.
enum { AREA_PAGES = 40 };

struct page {
    bool mapped, shared;
    int protection;
    uint8_t byte; // its first and last
};

static struct page area[AREA_PAGES];
static int area_pipe[2];

static char *area_page(size_t i) {
    return FREE_PLACE + i * PAGE;
}

static void area_map(uint32_t *seed) {
    static const int protections[] = {PROT_NONE, PROT_READ, RW, RW, RW};
    size_t first = random_next(seed) % AREA_PAGES, count = 1 + random_next(seed) % 6;
    if (count > AREA_PAGES - first)
        count = AREA_PAGES - first;
    int protection = protections[random_next(seed) % ARRAY_SIZE(protections)];
    bool shared = random_next(seed) % 3 == 0;
    int flags = (shared ? SHARED : PRIVATE) | MAP_FIXED;
    if (mmap(area_page(first), count * PAGE, protection, flags, -1, 0) == MAP_FAILED) {
        CHECK_EQUAL(ENOMEM, errno); // regions
        return;
    }
    for (size_t i = first; i < first + count; i++)
        area[i] = (struct page){true, shared, protection, 0};
}

static void area_unmap(uint32_t *seed) {
    size_t first = random_next(seed) % AREA_PAGES, count = 1 + random_next(seed) % 9;
    if (count > AREA_PAGES - first)
        count = AREA_PAGES - first;
    if (munmap(area_page(first), count * PAGE) < 0) {
        CHECK_EQUAL(ENOMEM, errno);
        return;
    }
    for (size_t i = first; i < first + count; i++)
        area[i] = (struct page){0};
}

// Through the kernel, which says when a page cannot be had.
static void area_write(size_t i, uint8_t byte) {
    struct page *p = &area[i];
    bool works = p->mapped && p->protection & PROT_WRITE;
    for (size_t at = 0; at < PAGE; at += PAGE - 1) {
        write_fully(area_pipe[1], &byte, 1);
        if (works)
            read_fully(area_pipe[0], area_page(i) + at, 1);
        else
            CHECK_FAILS(read(area_pipe[0], area_page(i) + at, 1), EFAULT);
        if (!works)
            read_fully(area_pipe[0], &byte, 1);
    }
    if (works)
        p->byte = byte;
}

static void area_check(void) {
    for (size_t i = 0; i < AREA_PAGES; i++) {
        const char *page = area_page(i);
        if (area[i].mapped && area[i].protection & PROT_READ)
            CHECK(page[0] == area[i].byte && page[PAGE - 1] == area[i].byte && page[100] == 0);
        else
            CHECK_FAILS(write(area_pipe[1], page, 1), EFAULT);
        CHECK_EQUAL(area[i].mapped ? PAGE_REGION : 0, flags_at(page) & PAGE_REGION);
    }
}

// A child writes to all that it can; the parent must see what is shared.
static void area_fork(uint8_t byte) {
    IN_CHILD {
        area_check();
        for (size_t i = 0; i < AREA_PAGES; i++)
            area_write(i, byte);
        area_check();
    }
    CHECK_CHILD(0);
    for (size_t i = 0; i < AREA_PAGES; i++) {
        if (area[i].shared && area[i].protection & PROT_WRITE)
            area[i].byte = byte;
    }
}

static void area_run(uint32_t seed, int steps) {
    CHECK_EQUAL(0, pipe(area_pipe));
    for (int step = 0; step < steps; step++) {
        uint32_t kind = random_next(&seed) % 32, r = random_next(&seed);
        if (kind < 12)
            area_map(&seed);
        else if (kind < 16)
            area_unmap(&seed);
        else if (kind < 30)
            area_write(r % AREA_PAGES, (uint8_t)(r >> 16) & 0x7f);
        else if (kind == 30)
            area_check();
        else
            area_fork((uint8_t)(r >> 16) & 0x7f);
    }
    area_check();
    unmap_pages(FREE_PLACE, AREA_PAGES);
}

TEST(mappings_at_random) {
    struct memstat before = start_counting();
    IN_CHILD area_run(17, 1500);
    CHECK_CHILD(0);
    test_own_pages();
    check_all_back(&before);
}

TEST(many_map_at_once) {
    for (uint32_t i = 0; i < 6; i++)
        IN_CHILD area_run(100 + i, 300);
    CHECK_CHILDREN(6);
}

TEST_SLOW(mappings_at_random_for_long) {
    for (uint32_t i = 0; i < 4; i++)
        IN_CHILD area_run(1000 + i, 2000);
    CHECK_CHILDREN(4);
}

TEST(killed_while_mapping) {
    uint32_t seed = 51;
    for (uint32_t round = 0; round < 20; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            area_run(round + 1, INT32_MAX);
            exit(1);
        }
        delay(random_next(&seed) % 400000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}
