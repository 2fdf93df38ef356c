// Memory: sbrk, what a program may touch and what not, sharing of text, and running out.
#define TEST_FAMILY "memory"
#include "test.h"

#include "support.h"

enum { TABLE_BYTES = PAGE * 512 }; // what one leaf page table maps

static int constant_anchor(void) {
    return 42;
}

static const char constants[PAGE] = "constants";
static int data[2000] = {1, 2, 3};
static int zeroes[2000];

static char *heap_grow(int bytes) {
    char *start = sbrk(bytes);
    CHECK(start != (char *)-1);
    return start;
}

// Flags of pagemap for the page at the address.
static unsigned page_flags(uintptr_t address) {
    return test_page((const void *)address).flags;
}

TEST(sbrk_moves_the_break) {
    char *start = sbrk(0);
    CHECK(start != (char *)-1);
    CHECK(sbrk(0) == start);
    CHECK(sbrk(100) == start);
    CHECK(sbrk(PAGE) == start + 100);
    CHECK(sbrk(0) == start + 100 + PAGE);
    memset(start, 7, 100 + PAGE);
    CHECK(sbrk(-PAGE) == start + 100 + PAGE);
    CHECK_BYTES(start, 7, 100);
    CHECK(sbrk(-100) == start + 100);
    CHECK(sbrk(0) == start);
}

TEST(sbrk_byte_by_byte) {
    char *start = sbrk(0);
    for (int i = 0; i < 3 * PAGE + 5; i++) {
        char *byte = heap_grow(1);
        CHECK(byte == start + i);
        CHECK_EQUAL(0, *byte);
        *byte = (char)i;
    }
    for (int i = 0; i < 3 * PAGE + 5; i++)
        CHECK_EQUAL((char)i, start[i]);
    for (int i = 0; i < 3 * PAGE + 5; i++)
        CHECK(sbrk(-1) != (char *)-1);
    CHECK(sbrk(0) == start);
}

TEST(sbrk_after_fork) {
    char *start = heap_grow(PAGE);
    IN_CHILD {
        CHECK(sbrk(1) == start + PAGE);
        CHECK(sbrk(1) == start + PAGE + 1);
        start[PAGE + 1] = 1;
    }
    CHECK_CHILD(0);
    CHECK(sbrk(0) == start + PAGE);
    check_touch_kills((char *)round_to_page(start + PAGE), TOUCH_LOAD);
}

TEST(heap_costs_what_is_touched) {
    enum { PAGES = 300 };
    uint64_t before = user_frames();
    char *start = heap_grow(PAGES * PAGE);
    CHECK_EQUAL(before, user_frames());
    for (int i = 0; i < PAGES; i += 3)
        start[i * PAGE] = 1;
    CHECK_EQUAL(before + PAGES / 3, user_frames());
    heap_grow(-PAGES / 2 * PAGE);
    CHECK_EQUAL(before + PAGES / 6, user_frames());
    heap_grow(-PAGES / 2 * PAGE);
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
    char *start = (char *)round_to_page(heap_grow(17 * PAGE));
    CHECK_BYTES(start, 0, 16 * PAGE);
    memset(start, 0xff, 16 * PAGE);
    char *end = heap_grow(-16 * PAGE);
    CHECK(sbrk(16 * PAGE) == end - 16 * PAGE);
    CHECK_BYTES((char *)round_to_page(sbrk(0) - 16 * PAGE), 0, 15 * PAGE);
}

TEST(above_the_break_kills) {
    char *end = (char *)round_to_page(heap_grow(3 * PAGE) + 3 * PAGE);
    check_touch_kills(end, TOUCH_LOAD);
    check_touch_kills(end, TOUCH_STORE);
    check_touch_kills(end + 100 * PAGE, TOUCH_LOAD);
    end[-1] = 1;
    heap_grow(-2 * PAGE);
    check_touch_kills(end - 1, TOUCH_LOAD);
    check_touch_kills(end - 1, TOUCH_STORE);
    CHECK_EQUAL(0, page_flags((uintptr_t)end - PAGE) & PAGE_REGION);
}

TEST(sbrk_refuses_too_much) {
    char *start = sbrk(0);
    test_own_pages();
    uint64_t before = test_frames_free();
    memory_promise_all();
    for (int i = 0; i < 100; i++)
        CHECK_FAILS(sbrk(PAGE), ENOMEM);
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

// A program may take away its own stack, text, everything: whatever becomes of it.
TEST(sbrk_below_the_heap_harms_only_its_caller) {
    int whole = (int)(uintptr_t)sbrk(0);
    int steps[] = {-whole, -whole + PAGE - 1, -whole + TEXT_START, -whole / 2, -17 * PAGE, -PAGE};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            sbrk(steps[i]);
            sbrk(PAGE);
            exit(0);
        }
        int status;
        CHECK_EQUAL(pid, wait(&status));
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
}

TEST(sbrk_at_random) {
    enum { MOST = 64 * PAGE, STEP = 64 };
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

TEST(memory_granted_is_there) {
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
    memory_promise_all();
    CHECK_FAILS(sbrk(PAGE), ENOMEM);
    write_fully(go[1], "", 1);
    CHECK_CHILD(0);
}

// Children that take what they can, at once, until nothing is left; all of it comes back.
TEST(many_take_all_memory) {
    enum { CHILDREN = 6, MOST = 16 << 20 };
    int go[2];
    CHECK_EQUAL(0, pipe(go));
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            char byte;
            read_fully(go[0], &byte, 1);
            for (int taken = 0; taken < MOST && sbrk(16 * PAGE) != (char *)-1; taken += 16 * PAGE)
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
    heap_grow(PAGE)[0] = 1;
}

TEST(fork_without_memory_fails_cleanly) {
    for (int pages = 0; pages < 12; pages++) {
        IN_CHILD {
            memory_promise_all();
            sbrk(-pages * PAGE);
            uint64_t before = test_frames_free();
            pid_t pid = fork();
            if (pid == 0)
                exit(0);
            if (pid < 0) {
                CHECK_EQUAL(ENOMEM, errno);
                CHECK_EQUAL(before, test_frames_free());
            } else {
                CHECK_EQUAL(pid, wait(NULL));
            }
        }
        int status;
        CHECK(wait(&status) > 0);
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
}

static _Noreturn void grow_and_shrink_forever(void) {
    for (;;) {
        for (int i = 0; i < 30; i++)
            memset(heap_grow(8 * PAGE), 1, 8 * PAGE);
        heap_grow(-30 * 8 * PAGE);
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

TEST(null_page_kills) {
    for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++) {
        check_touch_kills(NULL, how);
        check_touch_kills((void *)(PAGE - 1), how);
    }
}

TEST(bad_addresses_kill) {
    for (size_t i = 0; i < BAD_ADDRESS_COUNT; i++) {
        for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++)
            check_touch_kills((void *)bad_addresses[i], how);
    }
}

TEST(all_of_the_kernel_is_out_of_reach) {
    for (uintptr_t address = 0xffffffc080000000; address < 0xffffffc084000000; address += 0x400000)
        check_touch_kills((void *)address, TOUCH_LOAD);
    for (uintptr_t address = 0xfffffff000000000; address < 0xfffffff000010000; address += 0x2000)
        check_touch_kills((void *)address, TOUCH_LOAD);
    for (int bit = 38; bit < 64; bit++)
        check_touch_kills((void *)((uintptr_t)1 << bit), TOUCH_STORE);
}

TEST(text_and_constants_cannot_be_written) {
    check_touch_kills((void *)&constant_anchor, TOUCH_STORE);
    check_touch_kills(constants, TOUCH_STORE);
    CHECK_EQUAL(0, page_flags((uintptr_t)&constant_anchor) & PAGE_WRITE);
    CHECK_EQUAL(0, page_flags((uintptr_t)constants) & PAGE_WRITE);
}

TEST(data_cannot_be_executed) {
    static uint32_t code_in_data[] = {0x00008067}; // ret
    uint32_t code_on_stack[] = {0x00008067};
    char *heap = (char *)round_to_page(heap_grow(2 * PAGE));
    memcpy(heap, code_in_data, sizeof code_in_data);
    check_touch_kills(code_in_data, TOUCH_JUMP);
    check_touch_kills(code_on_stack, TOUCH_JUMP);
    check_touch_kills(heap, TOUCH_JUMP);
    check_touch_kills(constants, TOUCH_JUMP);
}

TEST(no_page_is_writable_and_executable) {
    heap_grow(PAGE);
    for (uintptr_t page = 0; page < (uintptr_t)sbrk(0); page += PAGE) {
        unsigned flags = page_flags(page);
        CHECK(!(flags & PAGE_WRITE && flags & PAGE_EXEC));
    }
}

// The lowest address of the region that holds a local variable.
static uintptr_t stack_bottom(void) {
    char here;
    uintptr_t page = (uintptr_t)&here / PAGE * PAGE;
    while (page_flags(page - PAGE) & PAGE_REGION)
        page -= PAGE;
    return page;
}

TEST(stack_ends_at_a_guard_page) {
    char here;
    uintptr_t bottom = stack_bottom();
    CHECK((uintptr_t)&here - bottom < 1 << 20);
    check_touch_kills((void *)(bottom - 1), TOUCH_LOAD);
    check_touch_kills((void *)(bottom - 1), TOUCH_STORE);
    check_touch_kills((void *)(bottom - PAGE), TOUCH_STORE);
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        *(volatile char *)bottom = 1; // the whole stack may be used
        exit(0);
    }
    CHECK_CHILD(0);
}

// Calls itself until `left` is 0.
static __attribute__((noinline)) int descend(int left) {
    volatile char room[200];
    room[left % (int)sizeof room] = 1;
    return left == 0 ? room[0] : descend(left - 1) + room[left % (int)sizeof room];
}

TEST(deep_recursion_works_and_endless_kills) {
    CHECK(descend(150) > 0);
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        descend(1 << 30);
        exit(0);
    }
    CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(fork_copies_all_memory) {
    int local = 5;
    int *heap = (int *)heap_grow(PAGE);
    data[0] = zeroes[0] = heap[0] = 5;
    IN_CHILD {
        CHECK_EQUAL(20, data[0] + zeroes[0] + heap[0] + local);
        data[0] = zeroes[0] = heap[0] = 6;
        *(volatile int *)&local = 6;
        IN_CHILD {
            CHECK_EQUAL(24, data[0] + zeroes[0] + heap[0] + *(volatile int *)&local);
            data[0] = zeroes[0] = heap[0] = 7;
        }
        CHECK_CHILD(0);
        CHECK_EQUAL(24, data[0] + zeroes[0] + heap[0] + *(volatile int *)&local);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(20, data[0] + zeroes[0] + heap[0] + *(volatile int *)&local);
}

TEST(fork_survives_what_the_child_takes_away) {
    char *start = heap_grow(20 * PAGE);
    memset(start, 3, 20 * PAGE);
    IN_CHILD {
        sbrk(-10 * PAGE);
        memset(start, 4, 10 * PAGE);
        memset(heap_grow(30 * PAGE), 5, 30 * PAGE);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(start, 3, 20 * PAGE);
}

TEST(programs_share_text) {
    static struct pageinfo first[TEXT_PAGES], second[TEXT_PAGES];
    text_sum();
    struct helper one = helper_start((char *[]){"+text_pages", NULL});
    struct helper two = helper_start((char *[]){"+text_pages", NULL});
    read_fully(one.from, first, sizeof first);
    read_fully(two.from, second, sizeof second);
    for (int i = 0; i < TEXT_PAGES; i++) {
        struct pageinfo own = test_page((char *)(uintptr_t)TEXT_START + i * PAGE);
        CHECK_EQUAL(PAGE_PRESENT | PAGE_FILE, own.flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_FILE));
        CHECK_FRAME(own.frame, first[i].frame);
        CHECK_FRAME(own.frame, second[i].frame);
        CHECK(own.sharers >= 4); // three programs and the cache
    }
    CHECK_EQUAL(0, close(one.to));
    CHECK_EQUAL(0, close(two.to));
    CHECK_CHILDREN(2);
}

TEST(zeroed_data_is_zero) {
    CHECK_BYTES(zeroes, 0, sizeof zeroes);
    CHECK_EQUAL(3, data[2]);
    CHECK_BYTES((char *)(data + 3), 0, sizeof data - 3 * sizeof data[0]);
    CHECK_EQUAL(0, helper_run((char *[]){"+empty", NULL}));
}

TEST(system_calls_reach_untouched_memory) {
    file_make_pattern("file", 2 * PAGE);
    uint64_t before = user_frames();
    char *start = (char *)round_to_page(heap_grow(9 * PAGE));
    int fd = open("file", O_RDWR);
    read_fully(fd, start + 100, 2 * PAGE);
    pattern_check(start + 100, 0, 2 * PAGE);
    CHECK_EQUAL(before + 3, user_frames());
    CHECK_EQUAL(0, pipe((int *)(start + 4 * PAGE)));
    CHECK_EQUAL(0, fstat(fd, (struct stat *)(start + 5 * PAGE)));
    CHECK_EQUAL(before + 5, user_frames());
    write_fully(fd, start + 6 * PAGE, PAGE); // zeroes
    CHECK_EQUAL(before + 6, user_frames());
    heap_grow(-9 * PAGE);
    CHECK_EQUAL(before, user_frames());
}

TEST(unaligned_access_works_across_pages) {
    char *page = (char *)round_to_page(heap_grow(3 * PAGE)) + PAGE;
    for (int at = -7; at < 0; at++) {
        *(volatile uint64_t *)(page + at) = 0x0102030405060708 + (uint64_t)at;
        CHECK(*(volatile uint64_t *)(page + at) == 0x0102030405060708 + (uint64_t)at);
    }
}

// The first and second half of each word come from different processes if copies get lost.
TEST(many_write_shared_pages_at_once) {
    enum { CHILDREN = 8, PAGES = 32 };
    uint64_t *words = (uint64_t *)heap_grow(PAGES * PAGE);
    size_t count = PAGES * PAGE / sizeof *words;
    for (size_t i = 0; i < count; i++)
        words[i] = i;
    for (uint64_t child = 1; child <= CHILDREN; child++) {
        IN_CHILD {
            for (int round = 0; round < 5; round++) {
                for (size_t i = 0; i < count; i++)
                    words[i] += child << 32;
            }
            for (size_t i = 0; i < count; i++)
                CHECK(words[i] == i + 5 * (child << 32));
        }
    }
    CHECK_CHILDREN(CHILDREN);
    for (size_t i = 0; i < count; i++)
        CHECK(words[i] == i);
}
