// What a program may load, store and execute, and how deep its stack may be.
#define TEST_FAMILY "memory"
#include "test.h"

#include "support.h"

static int constant_anchor(void) {
    return 42;
}

static const char constants[PAGE_BYTES] = "constants";

TEST(null_page_kills) {
    for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++) {
        check_touch_kills(NULL, how);
        check_touch_kills((void *)(PAGE_BYTES - 1), how);
    }
}

TEST(bad_addresses_kill) {
    for (size_t i = 0; i < BAD_ADDRESS_COUNT; i++) {
        for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++)
            check_touch_kills((void *)bad_addresses[i], how);
    }
}

TEST(kernel_memory_is_out_of_reach) {
    for (uintptr_t address = 0xffffffc080000000; address < 0xffffffc084000000; address += 0x400000)
        check_touch_kills((void *)address, TOUCH_LOAD);
    for (uintptr_t address = 0xffffffc3c0000000; address < 0xffffffc3c0010000; address += 0x2000)
        check_touch_kills((void *)address, TOUCH_LOAD);
    for (int bit = 38; bit < 64; bit++)
        check_touch_kills((void *)((uintptr_t)1 << bit), TOUCH_STORE);
}

TEST(text_and_constants_cannot_be_written) {
    check_touch_kills((void *)&constant_anchor, TOUCH_STORE);
    check_touch_kills(constants, TOUCH_STORE);
    CHECK_EQUAL(0, flags_at(&constant_anchor) & PAGE_WRITE);
    CHECK_EQUAL(0, flags_at(constants) & PAGE_WRITE);
}

TEST(data_cannot_be_executed) {
    static uint32_t code_in_data[] = {0x00008067}; // ret
    uint32_t code_on_stack[] = {0x00008067};
    char *heap = (char *)round_to_page(heap_grow(2 * PAGE_BYTES));
    memcpy(heap, code_in_data, sizeof code_in_data);
    check_touch_kills(code_in_data, TOUCH_JUMP);
    check_touch_kills(code_on_stack, TOUCH_JUMP);
    check_touch_kills(heap, TOUCH_JUMP);
    check_touch_kills(constants, TOUCH_JUMP);
}

TEST(no_page_is_writable_and_executable) {
    heap_grow(PAGE_BYTES);
    for (uintptr_t page = 0; page < (uintptr_t)sbrk(0); page += PAGE_BYTES) {
        unsigned flags = flags_at((const void *)page);
        CHECK(!(flags & PAGE_WRITE && flags & PAGE_EXEC));
    }
}

// The lowest address of the region that holds a local variable.
static uintptr_t stack_bottom(void) {
    char here;
    uintptr_t page = (uintptr_t)&here / PAGE_BYTES * PAGE_BYTES;
    while (flags_at((const void *)(page - PAGE_BYTES)) & PAGE_REGION)
        page -= PAGE_BYTES;
    return page;
}

TEST(stack_ends_at_a_guard_page) {
    char here;
    uintptr_t bottom = stack_bottom();
    CHECK((uintptr_t)&here - bottom < 1 << 20);
    check_touch_kills((void *)(bottom - 1), TOUCH_LOAD);
    check_touch_kills((void *)(bottom - 1), TOUCH_STORE);
    check_touch_kills((void *)(bottom - PAGE_BYTES), TOUCH_STORE);
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        *(volatile char *)bottom = 1; // the whole stack may be used
        exit(0);
    }
    CHECK_CHILD(0);
}

TEST(deep_recursion_works_and_endless_recursion_kills) {
    CHECK(descend(150) > 0);
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        descend(1 << 30);
        exit(0);
    }
    CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(system_calls_reach_untouched_memory) {
    file_make_pattern("file", 2 * PAGE_BYTES);
    uint64_t before = user_frames();
    char *start = (char *)round_to_page(heap_grow(9 * PAGE_BYTES));
    int fd = open("file", O_RDWR);
    read_fully(fd, start + 100, 2 * PAGE_BYTES);
    pattern_check(start + 100, 0, 2 * PAGE_BYTES);
    CHECK_EQUAL(before + 3, user_frames());
    CHECK_EQUAL(0, pipe((int *)(start + 4 * PAGE_BYTES)));
    CHECK_EQUAL(0, fstat(fd, (struct stat *)(start + 5 * PAGE_BYTES)));
    CHECK_EQUAL(before + 5, user_frames());
    write_fully(fd, start + 6 * PAGE_BYTES, PAGE_BYTES); // zeroes
    CHECK_EQUAL(before + 6, user_frames());
    heap_grow(-9 * PAGE_BYTES);
    CHECK_EQUAL(before, user_frames());
}

TEST(unaligned_access_works_across_pages) {
    char *page = (char *)round_to_page(heap_grow(3 * PAGE_BYTES)) + PAGE_BYTES;
    for (int at = -7; at < 0; at++) {
        *(volatile uint64_t *)(page + at) = 0x0102030405060708 + (uint64_t)at;
        CHECK(*(volatile uint64_t *)(page + at) == 0x0102030405060708 + (uint64_t)at);
    }
}
