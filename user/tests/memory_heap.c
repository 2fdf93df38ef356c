// sbrk: the break, what the heap costs, refusals, and heaps that take all memory.
#define TEST_FAMILY "memory"
#include "test.h"

#include "support.h"

enum { TABLE_BYTES = PAGE_BYTES * 512 }; // what one leaf page table maps

TEST(sbrk_moves_the_break) {
    char *start = sbrk(0);
    CHECK(start != (char *)-1);
    CHECK(sbrk(0) == start);
    CHECK(sbrk(100) == start);
    CHECK(sbrk(PAGE_BYTES) == start + 100);
    CHECK(sbrk(0) == start + 100 + PAGE_BYTES);
    memset(start, 7, 100 + PAGE_BYTES);
    CHECK(sbrk(-PAGE_BYTES) == start + 100 + PAGE_BYTES);
    CHECK_BYTES(start, 7, 100);
    CHECK(sbrk(-100) == start + 100);
    CHECK(sbrk(0) == start);
}

TEST(sbrk_byte_by_byte) {
    char *start = sbrk(0);
    for (int i = 0; i < 3 * PAGE_BYTES + 5; i++) {
        char *byte = heap_grow(1);
        CHECK(byte == start + i);
        CHECK_EQUAL(0, *byte);
        *byte = (char)i;
    }
    for (int i = 0; i < 3 * PAGE_BYTES + 5; i++)
        CHECK_EQUAL((char)i, start[i]);
    for (int i = 0; i < 3 * PAGE_BYTES + 5; i++)
        CHECK(sbrk(-1) != (char *)-1);
    CHECK(sbrk(0) == start);
}

TEST(sbrk_after_fork) {
    char *start = heap_grow(PAGE_BYTES);
    IN_CHILD {
        CHECK(sbrk(1) == start + PAGE_BYTES);
        CHECK(sbrk(1) == start + PAGE_BYTES + 1);
        start[PAGE_BYTES + 1] = 1;
    }
    CHECK_CHILD(0);
    CHECK(sbrk(0) == start + PAGE_BYTES);
    check_touch_kills((char *)round_to_page(start + PAGE_BYTES), TOUCH_LOAD);
}

TEST(heap_costs_only_touched_pages) {
    enum { PAGES = 300 };
    uint64_t before = user_frames();
    char *start = heap_grow(PAGES * PAGE_BYTES);
    CHECK_EQUAL(before, user_frames());
    for (int i = 0; i < PAGES; i += 3)
        start[i * PAGE_BYTES] = 1;
    CHECK_EQUAL(before + PAGES / 3, user_frames());
    heap_grow(-PAGES / 2 * PAGE_BYTES);
    CHECK_EQUAL(before + PAGES / 6, user_frames());
    heap_grow(-PAGES / 2 * PAGE_BYTES);
    CHECK_EQUAL(before, user_frames());
}

TEST(heap_gives_back_tables) {
    enum { BYTES = 5 * TABLE_BYTES };
    uint64_t tables = table_frames(), promised = test_memstat().frames_promised,
             users = user_frames();
    for (int round = 0; round < 3; round++) {
        char *start = heap_grow(BYTES);
        for (int i = 0; i < BYTES; i += TABLE_BYTES / 2)
            start[i] = 1;
        CHECK(table_frames() > tables);
        CHECK(sbrk(-BYTES) == start + BYTES);
        CHECK_EQUAL(tables, table_frames());
        CHECK_EQUAL(users, user_frames());
        CHECK_EQUAL(promised, test_memstat().frames_promised);
    }
}

TEST(heap_across_gigabytes) {
    enum { BYTES = 1 << 30 };
    uint64_t before = test_frames_free();
    for (int round = 0; round < 2; round++) {
        char *start = sbrk(BYTES);
        if (start == (char *)-1) {
            CHECK_EQUAL(ENOMEM, errno); // the machine has less
            continue;
        }
        for (size_t i = 0; i < BYTES; i += BYTES / 8)
            start[i] = 1;
        start[BYTES - 1] = 1;
        CHECK(sbrk(-BYTES) == start + BYTES);
        CHECK_EQUAL(before, test_frames_free());
    }
}

TEST(heap_is_zero_again_after_shrinking) {
    char *start = (char *)round_to_page(heap_grow(17 * PAGE_BYTES));
    CHECK_BYTES(start, 0, 16 * PAGE_BYTES);
    memset(start, 0xff, 16 * PAGE_BYTES);
    char *end = heap_grow(-16 * PAGE_BYTES);
    CHECK(sbrk(16 * PAGE_BYTES) == end - 16 * PAGE_BYTES);
    CHECK_BYTES((char *)round_to_page(sbrk(0) - 16 * PAGE_BYTES), 0, 15 * PAGE_BYTES);
}

TEST(access_above_the_break_kills) {
    char *end = (char *)round_to_page(heap_grow(3 * PAGE_BYTES) + 3 * PAGE_BYTES);
    check_touch_kills(end, TOUCH_LOAD);
    check_touch_kills(end, TOUCH_STORE);
    check_touch_kills(end + 100 * PAGE_BYTES, TOUCH_LOAD);
    end[-1] = 1;
    heap_grow(-2 * PAGE_BYTES);
    check_touch_kills(end - 1, TOUCH_LOAD);
    check_touch_kills(end - 1, TOUCH_STORE);
    CHECK_EQUAL(0, flags_at(end - PAGE_BYTES) & PAGE_REGION);
}

TEST(sbrk_refuses_too_much) {
    char *start = sbrk(0);
    test_own_pages();
    uint64_t before = test_frames_free();
    memory_reserve_all();
    for (int i = 0; i < 100; i++)
        CHECK_FAILS(sbrk(PAGE_BYTES), ENOMEM);
    CHECK_FAILS(sbrk(INT32_MAX), ENOMEM);
    while (sbrk(0) > start) {
        int64_t above = sbrk(0) - start;
        CHECK(sbrk(above > 1 << 30 ? -(1 << 30) : -(int)above) != (char *)-1);
    }
    CHECK(sbrk(0) == start);
    CHECK_EQUAL(before, test_frames_free());
}

TEST(sbrk_refuses_to_go_below_zero) {
    char *end = sbrk(0);
    CHECK((uintptr_t)end < (1u << 30));
    CHECK_FAILS_EITHER(sbrk(INT32_MIN), EINVAL, ENOMEM);
    CHECK_FAILS_EITHER(sbrk(-(1 << 30)), EINVAL, ENOMEM);
    CHECK_FAILS_EITHER(sbrk(-(int)(uintptr_t)end - 1), EINVAL, ENOMEM);
    CHECK(sbrk(0) == end);
}

// A program may unmap its own stack, text or everything, whatever becomes of it.
TEST(sbrk_below_the_heap_harms_only_its_caller) {
    int whole = (int)(uintptr_t)sbrk(0);
    int steps[] = {-whole,     -whole + PAGE_BYTES - 1, -whole + TEXT_START,
                   -whole / 2, -17 * PAGE_BYTES,        -PAGE_BYTES};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            sbrk(steps[i]);
            sbrk(PAGE_BYTES);
            exit(0);
        }
        int status;
        CHECK_EQUAL(pid, wait(&status));
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
}

TEST(sbrk_at_random) {
    enum { MOST = 64 * PAGE_BYTES, STEP = 64 };
    uint32_t seed = 71;
    char *start = sbrk(0);
    int size = 0;
    for (int step = 0; step < 300; step++) {
        int next = (int)(random_next(&seed) % MOST) / STEP * STEP;
        CHECK(sbrk(next - size) == start + size);
        for (int at = size; at < next; at += STEP)
            start[at] = (char)(at / STEP);
        size = next;
        if (size > 0) {
            int at = (int)(random_next(&seed) % (unsigned)size) / STEP * STEP;
            CHECK_EQUAL((char)(at / STEP), start[at]);
        }
    }
}

TEST(granted_memory_can_be_touched) {
    enum { BYTES = 2 << 20 };
    int ready[2], go[2];
    CHECK_EQUAL(0, pipe(ready));
    CHECK_EQUAL(0, pipe(go));
    IN_CHILD {
        char *start = heap_grow(BYTES);
        char byte;
        test_own_pages();
        write_fully(ready[1], "", 1);
        read_fully(go[0], &byte, 1);
        memset(start, 1, BYTES);
    }
    char byte;
    read_fully(ready[0], &byte, 1);
    memory_reserve_all();
    CHECK_FAILS(sbrk(PAGE_BYTES), ENOMEM);
    write_fully(go[1], "", 1);
    CHECK_CHILD(0);
}

// Children take all the memory they can at the same time, until nothing is left; all of it comes
// back.
TEST(many_exhaust_memory_together) {
    enum { CHILDREN = 6, MOST = 16 << 20 };
    int go[2];
    CHECK_EQUAL(0, pipe(go));
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            char byte;
            read_fully(go[0], &byte, 1);
            for (int taken = 0; taken < MOST && sbrk(16 * PAGE_BYTES) != (char *)-1;
                 taken += 16 * PAGE_BYTES)
                *(volatile char *)(sbrk(0) - 1) = 1;
            exit(0);
        }
    }
    test_own_pages();
    write_fully(go[1], "......", CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        CHECK(wait(&status) > 0);
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
    heap_grow(PAGE_BYTES)[0] = 1;
}

static _Noreturn void grow_and_shrink_forever(void) {
    for (;;) {
        for (int i = 0; i < 30; i++)
            memset(heap_grow(8 * PAGE_BYTES), 1, 8 * PAGE_BYTES);
        heap_grow(-30 * 8 * PAGE_BYTES);
    }
}

TEST(killed_while_growing) {
    for (unsigned round = 0; round < 10; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            grow_and_shrink_forever();
        delay(round * 50000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}
