// What is not copied on write, beside what is: memory that is shared for good, memory lent by
// vfork, and files that are mapped privately.
#include "cowtest.h"

#include "cow6.h"

enum {
    PAGES = 8,
    RW = PROT_READ | PROT_WRITE,
    SPREAD_TABLES = 4,
    SHARED_FLAGS = PAGE_OWN | PAGE_SHARED
};

static struct memstat before;
static char *volatile pages;

static char *map_zeroes(int flags) {
    char *start = mmap(NULL, PAGES * PAGE_BYTES, RW, flags | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        FAIL("mmap fails [expected %d pages, saw: %s]", PAGES, strerror(errno));
    return start;
}

static unsigned flags_of(pid_t pid, const void *p) {
    return page_of(pid, p).flags & (PAGE_OWN | PAGE_MARKED | PAGE_SHARED);
}

// The child's part of the next test: writes to the shared pages, then to the private ones.
static void write_both(struct turns *t, char *shared, char *private) {
    pattern_fill(shared, PAGES, 2);
    turns_pause(t);
    CHECK_PATTERN(shared, PAGES, 3, NOT_SHARED);
    pattern_fill(private, PAGES, 2);
    turns_pause(t);
    CHECK_PATTERN(private, PAGES, 2, OWN_WRITE);
    test_exit();
}

// The child writes to both: each private page costs a copy; a shared one costs nothing, and the
// parent sees the write.
TEST(shared_and_private_pages) {
    char *shared = map_zeroes(MAP_SHARED), *private = map_zeroes(MAP_PRIVATE);
    pattern_fill(shared, PAGES, 1);
    pattern_fill(private, PAGES, 1);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0)
        write_both(&t, shared, private);
    for (size_t i = 0; i < PAGES; i++) {
        CHECK_PAGE(getpid(), private + i * PAGE_BYTES, PAGE_MARKED, 2);
        CHECK_PAGE(getpid(), shared + i * PAGE_BYTES, PAGE_OWN, 3, SHARED_PAGE);
        CHECK_EQUAL(SHARED_FLAGS, flags_of(child, shared + i * PAGE_BYTES), SHARED_PAGE);
    }
    struct memstat start = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&start, 0, 0, 0, SHARED_COST);
    CHECK_PATTERN(shared, PAGES, 2, NOT_SHARED);
    pattern_fill(shared, PAGES, 3);
    CHECK_COST(&start, 0, 0, 0, SHARED_COST);
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&start, PAGES, PAGES, 0);
    CHECK_PATTERN(private, PAGES, 1, TO_PARENT);
    for (size_t i = 0; i < PAGES; i++) {
        const char *page = private + i * PAGE_BYTES, *other = shared + i * PAGE_BYTES;
        CHECK_FRAME(page_of(child, other).frame, test_page(other).frame, NOT_SHARED);
        CHECK(test_page(page).frame != page_of(child, page).frame, STILL_SHARED);
    }
    turns_close(&t);
    start = test_memstat();
    pattern_fill(private, PAGES, 4);
    CHECK_COST(&start, 0, 0, PAGES);
    pattern_fill(shared, PAGES, 4);
    CHECK_COST(&start, 0, 0, PAGES, SHARED_COST);
    CHECK_PAGE(getpid(), shared, PAGE_OWN, 2, SHARED_PAGE);
}

// A page that is untouched at fork: if it is private, each process gets its own; if it is shared,
// there is one.
TEST(untouched_shared_and_private_pages) {
    char *shared = map_zeroes(MAP_SHARED), *private = map_zeroes(MAP_PRIVATE);
    shared[PAGE_BYTES] = private[PAGE_BYTES] = 1; // so that the tables exist
    struct turns t;
    if (turns_fork(&t) == 0) {
        shared[0] = 5;
        turns_pause(&t);
        private[0] = 5;
        turns_pause(&t);
        CHECK_EQUAL(5, private[0], OWN_WRITE);
        test_exit();
    }
    struct memstat start = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&start, 1, 0, 0);
    CHECK_EQUAL(5, shared[0], NOT_SHARED);
    CHECK_COST(&start, 1, 0, 0, SHARED_COST);
    CHECK_EQUAL(2, faults_since(&start, FAULT_SHARED),
                "the first touch of shared memory is not counted as such a fault");
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&start, 2, 0, 0);
    CHECK_EQUAL(0, private[0], TO_PARENT);
    CHECK_COST(&start, 3, 0, 0);
    CHECK_EQUAL(2, faults_since(&start, FAULT_ZERO_FILL),
                "the first touch of private memory is not counted as a zero-fill fault");
    turns_close(&t);
}

// Shared pages never get the COW bit, not even in grandchildren and when a part of the mapping is
// gone.
TEST(shared_pages_are_never_marked) {
    char *shared = map_zeroes(MAP_SHARED);
    pattern_fill(shared, PAGES, 1);
    IN_CHILD {
        IN_CHILD {
            CHECK_EQUAL(SHARED_FLAGS, flags_of(getpid(), shared), SHARED_PAGE);
            CHECK_PAGE(getpid(), shared, PAGE_OWN, 4, SHARED_PAGE);
            pattern_fill(shared, 1, 2);
        }
        CHECK_CHILD(0);
        CHECK_PAGE(getpid(), shared, PAGE_OWN, 3, SHARED_PAGE);
        CHECK_EQUAL(0, munmap(shared, PAGE_BYTES), "munmap of a part of shared memory fails");
    }
    CHECK_CHILD(0);
    CHECK_PAGE(getpid(), shared, PAGE_OWN, 2, SHARED_PAGE);
    CHECK_PATTERN(shared, 1, 2, NOT_SHARED);
    struct memstat stat;
    CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK), "memstat fails");
    CHECK_EQUAL(0, stat.violations,
                "the kernel's checker finds broken invariants: its lines above begin with "
                "\"check:\", and docs/invariants.md explains them");
}

// vfork shares everything, without the COW bit: the child's writes cost nothing, and the parent
// sees them.
TEST(vfork_shares_everything) {
    pages = heap_grow_filled(PAGES, 1);
    test_own_pages();
    before = test_memstat();
    pid_t pid = vfork();
    if (pid == 0) {
        for (size_t i = 0; i < PAGES; i++)
            CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_OWN, 1, VFORK_MARKS);
        pattern_fill(pages, PAGES, 2);
        CHECK_COST(&before, 0, 0, 0, VFORK_COSTS);
        test_exit();
    }
    CHECK_PATTERN(
        pages, PAGES, 2,
        "the parent does not see what its vfork child wrote to the memory that it borrows");
    CHECK_COST(&before, 0, 0, 0, VFORK_COSTS);
    CHECK_PAGE(getpid(), pages, PAGE_OWN, 1, VFORK_MARKS);
    CHECK_CHILD(0);
}

// A page that fork has shared before: if the vfork child is the first to write to it, the copy is
// its parent's, too.
TEST(vfork_child_breaks_sharing_for_its_parent) {
    pages = heap_grow_filled(2, 1);
    struct turns t;
    pid_t other = turns_fork(&t);
    if (other == 0) {
        CHECK_PATTERN(pages, 2, 1, TO_PARENT);
        pages[0]++;
        turns_pause(&t);
        test_exit();
    }
    before = test_memstat();
    pid_t pid = vfork();
    if (pid == 0) {
        pages[1]++;
        CHECK_COST(&before, 1, 1, 0);
        test_exit();
    }
    CHECK_CHILD(0);
    CHECK_PAGE(getpid(), pages, PAGE_OWN, 1);
    CHECK_PAGE(getpid(), pages + PAGE_BYTES, PAGE_MARKED, 2);
    pages[1]--;
    CHECK_PATTERN(
        pages, 2, 1,
        "the parent does not see what its vfork child wrote to the memory that it borrows");
    CHECK_COST(&before, 1, 1, 0);
    CHECK_PAGE(other, pages, PAGE_MARKED, 1);
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 1, 1, 1);
    turns_close(&t);
}

// fork in a vfork child marks the pages of the address space that it borrows, as any fork does.
TEST(fork_in_a_vfork_child_marks_both) {
    static struct turns t;
    static pid_t copy;
    pages = heap_grow_filled(2, 1);
    pid_t pid = vfork();
    if (pid == 0) {
        copy = turns_fork(&t);
        if (copy == 0) {
            CHECK_PATTERN(pages, 2, 1, AS_FORKED);
            pages[PAGE_BYTES] = 0;
            test_exit();
        }
        CHECK_PAGE(copy, pages, PAGE_MARKED, 2);
        before = test_memstat();
        pages[0]++;
        CHECK_COST(&before, 1, 1, 0);
        turns_close(&t);
        test_exit();
    }
    CHECK_PAGE(getpid(), pages, PAGE_OWN, 1);
    CHECK_PAGE(getpid(), pages + PAGE_BYTES, PAGE_MARKED, 1);
    pages[0]--;
    CHECK_PATTERN(pages, 2, 1, TO_PARENT);
    CHECK_CHILD(0);
}

// vfork and exec take no page table for the parent's memory, and leave no COW bit in it.
TEST(vfork_and_exec_leave_the_parent_alone) {
    char *first = heap_grow((SPREAD_TABLES + 1) * TABLE_PAGES);
    for (size_t i = 0; i < SPREAD_TABLES; i++)
        first[i * TABLE_PAGES * PAGE_BYTES] = 1;
    int input[2], output[2];
    char byte;
    pipe_open(input);
    pipe_open(output);
    test_own_pages();
    before = test_memstat();
    pid_t pid = vfork();
    if (pid == 0) {
        CHECK_COST(&before, 0, 0, 0, VFORK_COSTS);
        close(0);
        close(1);
        CHECK(dup(input[0]) == 0 && dup(output[1]) == 1, PIPE_FAILS);
        close(input[1]);
        program_execute("--read");
    }
    // A child that has failed says nothing, and must not be waited for.
    CHECK_EQUAL(0, close(output[1]), PIPE_FAILS);
    TEST_WAITS("the program that the vfork child executed to write a byte");
    CHECK_EQUAL(1, read(output[0], &byte, 1), "the program that the vfork child executed has died");
    struct memstat now = test_memstat();
    CHECK_EQUAL(3, now.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE],
                "vfork and exec take more or fewer page tables than the new program needs");
    CHECK_EQUAL(0, faults_since(&before, FAULT_COW_REUSE), "vfork has marked the parent's pages");
    for (size_t i = 0; i < SPREAD_TABLES; i++)
        CHECK_PAGE(getpid(), first + i * TABLE_PAGES * PAGE_BYTES, PAGE_OWN, 1, VFORK_MARKS);
    CHECK_EQUAL(1, write(input[1], "\x11", 1), PIPE_FAILS);
    CHECK_CHILD(0x11);
    CHECK_EQUAL(before.frames_free, test_frames_free(), "frames are lost by vfork and exec");
}

// A file mapped privately is copy-on-write without any fork; fork then shares what is left.
TEST(private_file_mapping_is_copied_from_the_cache) {
    int fd = open(PROGRAM, O_RDONLY);
    char *file = mmap(NULL, 3 * PAGE_BYTES, RW, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED, "a file cannot be mapped");
    char saved = file[0];
    uint64_t cached = test_page(file).frame;
    uint32_t sharers = test_page(file).sharers;
    CHECK_PAGE(getpid(), file, PAGE_MARKED, sharers,
               "a page of a privately mapped file must be the block cache's frame, read-only with "
               "the copy-on-write bit");
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        file[0] = 1;
        turns_pause(&t);
        test_exit();
    }
    CHECK_PAGE(child, file, PAGE_MARKED, sharers + 1);
    CHECK_FRAME(cached, page_of(child, file).frame, COPIED_AT_FORK);
    struct memstat start = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&start, 1, 1, 0);
    CHECK_EQUAL(saved, file[0],
                "the parent sees what its child wrote to its private copy of a file");
    CHECK_PAGE(getpid(), file, PAGE_MARKED, sharers);
    file[0] = 2; // a copy: the cache still has the frame, though no other process does
    CHECK_COST(&start, 2, 2, 0);
    CHECK(test_page(file).frame != cached,
          "a write to a private mapping went to the block cache's frame");
    turns_close(&t);
    CHECK_EQUAL(1, read(fd, &saved, 1), READ_FAILS);
    CHECK_EQUAL(0x7f, saved, "a write to a private mapping has changed the file");
}
