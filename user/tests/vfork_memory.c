// vfork and memory: the child has its parent's, page by page, and what it changes there stays.
#define TEST_FAMILY "vfork"
#include "test.h"

#include "vfork.h"

TEST(vfork_child_writes_into_the_parent) {
    volatile int local = 1;
    int *volatile word = (int *)heap_grow_pages(1);
    counter = *word = 1;
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        CHECK_EQUAL(3, counter + local + *word);
        counter = 2;
        local = 3;
        *word = 4;
        exit(5);
    }
    CHECK_EQUAL(2, counter);
    CHECK_EQUAL(3, local);
    CHECK_EQUAL(4, *word);
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(5, status);
    CHECK_FAILS(wait(&status), ECHILD);
}

// Both have the same pages, writable, and nothing was taken or copied.
TEST(vfork_takes_no_frame) {
    vfork_set_up();
    IN_VFORK_CHILD {
        CHECK_EQUAL(before.frames_free, test_frames_free());
        CHECK_EQUAL(before.frames_used[FRAME_TABLE], table_frames());
        for (int i = 0; i < HEAP_PAGES; i++) {
            struct pageinfo own = test_page(heap + i * PAGE_BYTES), theirs;
            CHECK_EQUAL(1,
                        pagemap(parent_of(getpid()), (uintptr_t)heap + i * PAGE_BYTES, &theirs, 1));
            CHECK_EQUAL(PAGE_PRESENT | PAGE_WRITE,
                        own.flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_COW));
            CHECK_EQUAL(1, own.sharers);
            CHECK_FRAME(theirs.frame, own.frame);
        }
        memset(heap, PATTERN, HEAP_PAGES * PAGE_BYTES);
        CHECK_EQUAL(before.frames_free, test_frames_free());
    }
    check_heap();
    struct memstat after = test_memstat();
    CHECK_EQUAL(before.frames_free, after.frames_free);
    CHECK_EQUAL(before.faults[FAULT_COW_COPY], after.faults[FAULT_COW_COPY]);
    CHECK_EQUAL(before.faults[FAULT_COW_REUSE], after.faults[FAULT_COW_REUSE]);
    CHECK_CHILD(0);
}

TEST(vfork_child_is_described_like_its_parent) {
    pid_t self = getpid();
    heap_grow_pages(3);
    IN_VFORK_CHILD {
        struct procinfo mine, parents;
        CHECK_EQUAL(getpid(), procinfo(getpid(), &mine));
        CHECK_EQUAL(self, procinfo(self, &parents));
        CHECK(mine.pid != self);
        CHECK_EQUAL(self, mine.parent);
        CHECK_EQUAL(PROCESS_SLEEPING, parents.state);
        CHECK_EQUAL(parents.heap_end, mine.heap_end);
        CHECK_EQUAL(parents.pages_region, mine.pages_region);
        CHECK_EQUAL(parents.pages_resident, mine.pages_resident);
        CHECK_STRING(parents.name, mine.name);
    }
    CHECK_EQUAL(self, getpid());
    CHECK_CHILD(0);
}

TEST(invariants_hold_while_memory_is_borrowed) {
    vfork_set_up();
    uint64_t broken = test_memstat().violations;
    IN_VFORK_CHILD {
        struct memstat stat;
        CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK));
        CHECK_EQUAL(broken, stat.violations);
    }
    CHECK_CHILD(0);
}

TEST(sbrk_in_the_child_moves_the_parents_break) {
    vfork_set_up();
    char *end = sbrk(0);
    IN_VFORK_CHILD {
        CHECK(sbrk(3 * PAGE_BYTES) == end);
        memset(end, 6, 2 * PAGE_BYTES);
    }
    CHECK_CHILD(0);
    CHECK(sbrk(0) == end + 3 * PAGE_BYTES);
    CHECK_BYTES(end, 6, 2 * PAGE_BYTES);
    CHECK_BYTES(end + 2 * PAGE_BYTES, 0, PAGE_BYTES);
    CHECK_EQUAL(before.frames_free - 3, test_frames_free());
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised);
    IN_VFORK_CHILD CHECK(sbrk(-3 * PAGE_BYTES) == end + 3 * PAGE_BYTES);
    CHECK_CHILD(0);
    CHECK(sbrk(0) == end);
    CHECK_EQUAL(before.frames_free, test_frames_free());
    check_touch_kills(end, TOUCH_LOAD);
}

TEST(childs_mappings_are_the_parents) {
    static char *volatile made;
    vfork_set_up();
    IN_VFORK_CHILD {
        made = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        memset(made, 8, 2 * PAGE_BYTES);
        CHECK_EQUAL(0, munmap(heap, PAGE_BYTES));
    }
    CHECK_CHILD(0);
    CHECK_BYTES(made, 8, 2 * PAGE_BYTES);
    check_touch_kills(heap, TOUCH_LOAD);
    CHECK_BYTES(heap + PAGE_BYTES, PATTERN, (HEAP_PAGES - 1) * PAGE_BYTES);
    unmap_pages(made, 2);
    CHECK_EQUAL(before.frames_free + 1, test_frames_free());
}

TEST(child_may_use_deeper_stack) {
    volatile int local = 12345;
    IN_VFORK_CHILD CHECK(descend(150) > 0);
    CHECK_EQUAL(12345, local);
    CHECK_CHILD(0);
}

// What the child does to its registers does not change its parent's.
TEST(registers_are_separate) {
    long result, sum;
    __asm__ volatile(
        "li s2, 2\n li s3, 3\n li s4, 4\n li s5, 5\n li s6, 6\n li s7, 7\n li s8, 8\n li t3, 9\n"
        "li a7, 22\n ecall\n bnez a0, 1f\n"
        "li s2, 99\n mv s3, s2\n mv s4, s2\n mv s5, s2\n mv s6, s2\n mv s7, s2\n mv s8, s2\n mv "
        "t3, s2\n"
        "li a0, 7\n li a7, 2\n ecall\n"
        "1: mv %0, a0\n add s2, s2, s3\n add s2, s2, s4\n add s2, s2, s5\n add s2, s2, s6\n"
        "add s2, s2, s7\n add s2, s2, s8\n add %1, s2, t3\n"
        : "=&r"(result), "=&r"(sum)
        :
        : "memory", "a0", "a1", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "t3");
    CHECK(result > 0);
    CHECK_EQUAL(44, sum);
    CHECK_CHILD(7);
}

TEST(fork_in_a_vfork_child_copies) {
    vfork_set_up();
    counter = 1;
    IN_VFORK_CHILD {
        IN_CHILD {
            CHECK_EQUAL(1, counter);
            counter = 50;
            memset(heap, 50, HEAP_PAGES * PAGE_BYTES);
        }
        CHECK_CHILD(0);
        CHECK_EQUAL(1, counter);
        check_heap();
        counter = 2;
        heap[0] = 2;
    }
    CHECK_EQUAL(2, counter);
    CHECK_EQUAL(2, heap[0]);
    CHECK_BYTES(heap + 1, PATTERN, HEAP_PAGES * PAGE_BYTES - 1);
    heap[0] = PATTERN;
    CHECK_CHILD(0);
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

// The forked copy outlives the vfork child, and has memory of its own.
TEST(fork_in_a_vfork_child_outlives_it) {
    int go[2], result[2];
    char byte = 0;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(result));
    vfork_set_up();
    IN_VFORK_CHILD {
        IN_CHILD {
            close(go[1]);
            CHECK_EQUAL(0, read(go[0], &byte, 1));
            check_heap();
            write_fully(result[1], "y", 1);
        }
    }
    CHECK_CHILD(0);
    memset(heap, 1, HEAP_PAGES * PAGE_BYTES);
    close(go[1]);
    read_fully(result[0], &byte, 1);
    CHECK_EQUAL('y', byte);
    CHECK_BYTES(heap, 1, HEAP_PAGES * PAGE_BYTES);
}

TEST(fork_after_vfork_copies) {
    vfork_set_up();
    for (int round = 0; round < 3; round++) {
        IN_VFORK_CHILD counter = round;
        IN_CHILD {
            CHECK_EQUAL(round, counter);
            counter = 99;
            memset(heap, 99, HEAP_PAGES * PAGE_BYTES);
        }
        CHECK_CHILDREN(2);
        CHECK_EQUAL(round, counter);
        check_heap();
    }
    memset(heap, PATTERN, HEAP_PAGES * PAGE_BYTES);
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

TEST(vfork_in_a_forked_child) {
    vfork_set_up();
    IN_CHILD {
        counter = 1;
        IN_VFORK_CHILD {
            counter = 2;
            heap[0] = 2;
        }
        CHECK_EQUAL(2, counter);
        CHECK_EQUAL(2, heap[0]);
        CHECK_CHILD(0);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(0, counter);
    check_heap();
}
