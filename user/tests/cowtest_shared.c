// What is not copied on write, side by side with what is: memory shared for good, memory lent by
// vfork, and files mapped privately.
#include "cowtest.h"

#include "cow6.h"

enum { PAGES = 8, RW = PROT_READ | PROT_WRITE, SPREAD_TABLES = 4, SHARED_FLAGS = PAGE_OWN | PAGE_SHARED };

#define PROGRAM "/cowtest"

static struct memstat before;
static char *volatile pages;

static char *map_zeroes(int flags) {
    char *start = mmap(NULL, PAGES * PAGE_BYTES, RW, flags | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) FAIL("expected %d pages, saw: %s", PAGES, strerror(errno));
    return start;
}

static unsigned flags_of(pid_t pid, const void *p) {
    return page_of(pid, p).flags & (PAGE_OWN | PAGE_MARKED | PAGE_SHARED);
}

// The child writes to both: one copy a private page, nothing for a shared one, which the parent sees.
TEST(shared_beside_private) {
    char *shared = map_zeroes(MAP_SHARED), *private = map_zeroes(MAP_PRIVATE);
    pattern_fill(shared, PAGES, 1);
    pattern_fill(private, PAGES, 1);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        pattern_fill(shared, PAGES, 2);
        turns_pause(&t);
        CHECK(pattern_matches(shared, PAGES, 3));
        pattern_fill(private, PAGES, 2);
        turns_pause(&t);
        CHECK(pattern_matches(private, PAGES, 2));
        test_exit();
    }
    for (size_t i = 0; i < PAGES; i++) {
        CHECK_PAGE(getpid(), private + i * PAGE_BYTES, PAGE_MARKED, 2);
        CHECK_PAGE(getpid(), shared + i * PAGE_BYTES, PAGE_OWN, 3);
        CHECK_EQUAL(flags_of(child, shared + i * PAGE_BYTES), SHARED_FLAGS);
    }
    struct memstat start = test_memstat();
    CHECK(turns_next(&t));
    CHECK_COST(&start, 0, 0, 0);
    CHECK(pattern_matches(shared, PAGES, 2));
    pattern_fill(shared, PAGES, 3);
    CHECK_COST(&start, 0, 0, 0);
    CHECK(turns_next(&t));
    CHECK_COST(&start, PAGES, PAGES, 0);
    CHECK(pattern_matches(private, PAGES, 1));
    for (size_t i = 0; i < PAGES; i++) {
        CHECK_EQUAL(test_page(shared + i * PAGE_BYTES).frame, page_of(child, shared + i * PAGE_BYTES).frame);
        CHECK(test_page(private + i * PAGE_BYTES).frame != page_of(child, private + i * PAGE_BYTES).frame);
    }
    turns_close(&t);
    start = test_memstat();
    pattern_fill(private, PAGES, 4);
    CHECK_COST(&start, 0, 0, PAGES);
    pattern_fill(shared, PAGES, 4);
    CHECK_COST(&start, 0, 0, PAGES);
    CHECK_PAGE(getpid(), shared, PAGE_OWN, 2);
}

// A page that nobody has touched before fork: private, each gets its own; shared, there is one.
TEST(untouched_shared_beside_untouched_private) {
    char *shared = map_zeroes(MAP_SHARED), *private = map_zeroes(MAP_PRIVATE);
    shared[PAGE_BYTES] = private[PAGE_BYTES] = 1; // the tables are there
    struct turns t;
    if (turns_fork(&t) == 0) {
        shared[0] = 5;
        turns_pause(&t);
        private[0] = 5;
        turns_pause(&t);
        CHECK_EQUAL(private[0], 5);
        test_exit();
    }
    struct memstat start = test_memstat();
    CHECK(turns_next(&t));
    CHECK_COST(&start, 1, 0, 0);
    CHECK_EQUAL(shared[0], 5);
    CHECK_COST(&start, 1, 0, 0);
    CHECK_EQUAL(faults_since(&start, FAULT_SHARED), 2);
    CHECK(turns_next(&t));
    CHECK_COST(&start, 2, 0, 0);
    CHECK_EQUAL(private[0], 0);
    CHECK_COST(&start, 3, 0, 0);
    CHECK_EQUAL(faults_since(&start, FAULT_ZERO_FILL), 2);
    turns_close(&t);
}

// Grandchildren of a mapping that is half gone: shared pages never get a mark, private ones do.
TEST(shared_pages_are_never_marked) {
    char *shared = map_zeroes(MAP_SHARED);
    pattern_fill(shared, PAGES, 1);
    IN_CHILD {
        IN_CHILD {
            CHECK_EQUAL(flags_of(getpid(), shared), SHARED_FLAGS);
            CHECK_PAGE(getpid(), shared, PAGE_OWN, 4);
            pattern_fill(shared, 1, 2);
        }
        CHECK_CHILD(0);
        CHECK_PAGE(getpid(), shared, PAGE_OWN, 3);
        CHECK_EQUAL(munmap(shared, PAGE_BYTES), 0);
    }
    CHECK_CHILD(0);
    CHECK_PAGE(getpid(), shared, PAGE_OWN, 2);
    CHECK(pattern_matches(shared, 1, 2));
    struct memstat stat;
    CHECK_EQUAL(memstat(&stat, MEMSTAT_CHECK), 0);
    CHECK_EQUAL(stat.violations, 0);
}

// vfork shares all without a mark: the child's writes cost nothing and are the parent's.
TEST(vfork_shares_everything) {
    pages = heap_grow_filled(PAGES, 1);
    test_own_pages();
    before = test_memstat();
    pid_t pid = vfork();
    if (pid == 0) {
        for (size_t i = 0; i < PAGES; i++) CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_OWN, 1);
        pattern_fill(pages, PAGES, 2);
        CHECK_COST(&before, 0, 0, 0);
        test_exit();
    }
    CHECK(pattern_matches(pages, PAGES, 2));
    CHECK_COST(&before, 0, 0, 0);
    CHECK_PAGE(getpid(), pages, PAGE_OWN, 1);
    CHECK_CHILD(0);
}

// A page that fork shared before: the first to write is the vfork child, its copy is the parent's.
TEST(vfork_child_breaks_sharing_for_its_parent) {
    pages = heap_grow_filled(2, 1);
    struct turns t;
    pid_t other = turns_fork(&t);
    if (other == 0) {
        CHECK(pattern_matches(pages, 2, 1));
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
    CHECK(pattern_matches(pages, 2, 1));
    CHECK_COST(&before, 1, 1, 0);
    CHECK_PAGE(other, pages, PAGE_MARKED, 1);
    CHECK(turns_next(&t));
    CHECK_COST(&before, 1, 1, 1);
    turns_close(&t);
}

// fork in a vfork child marks the pages of the space that it borrowed, as any fork does.
TEST(fork_in_a_vfork_child_marks_both) {
    static struct turns t;
    static pid_t copy;
    pages = heap_grow_filled(2, 1);
    pid_t pid = vfork();
    if (pid == 0) {
        copy = turns_fork(&t);
        if (copy == 0) {
            CHECK(pattern_matches(pages, 2, 1));
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
    CHECK(pattern_matches(pages, 2, 1));
    CHECK_CHILD(0);
}

// Neither a page table for the parent's memory nor a mark in it.
TEST(vfork_and_exec_leave_the_parent_alone) {
    char *first = heap_grow((SPREAD_TABLES + 1) * TABLE_PAGES);
    for (size_t i = 0; i < SPREAD_TABLES; i++) first[i * TABLE_PAGES * PAGE_BYTES] = 1;
    int input[2], output[2];
    char byte;
    CHECK(pipe(input) == 0 && pipe(output) == 0);
    test_own_pages();
    before = test_memstat();
    pid_t pid = vfork();
    if (pid == 0) {
        CHECK_COST(&before, 0, 0, 0);
        close(0);
        close(1);
        CHECK(dup(input[0]) == 0 && dup(output[1]) == 1);
        close(input[1]);
        exec(PROGRAM, (char *[]){"cowtest", "--read", NULL});
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    CHECK_EQUAL(close(output[1]), 0); // a child that has failed says nothing, and must not be waited for
    CHECK_EQUAL(read(output[0], &byte, 1), 1);
    struct memstat now = test_memstat();
    CHECK_EQUAL(now.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE], 3);
    CHECK_EQUAL(faults_since(&before, FAULT_COW_REUSE), 0);
    for (size_t i = 0; i < SPREAD_TABLES; i++) CHECK_PAGE(getpid(), first + i * TABLE_PAGES * PAGE_BYTES, PAGE_OWN, 1);
    CHECK_EQUAL(write(input[1], "\x11", 1), 1);
    CHECK_CHILD(0x11);
    CHECK_EQUAL(test_frames_free(), before.frames_free);
}

// A file mapped privately is copy-on-write without any fork; fork then shares what is left.
TEST(private_file_mapping_is_copied_from_the_cache) {
    int fd = open(PROGRAM, O_RDONLY);
    char *file = mmap(NULL, 3 * PAGE_BYTES, RW, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    char saved = file[0];
    uint64_t cached = test_page(file).frame;
    uint32_t sharers = test_page(file).sharers;
    CHECK_PAGE(getpid(), file, PAGE_MARKED, sharers);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        file[0] = 1;
        turns_pause(&t);
        test_exit();
    }
    CHECK_PAGE(child, file, PAGE_MARKED, sharers + 1);
    CHECK_EQUAL(page_of(child, file).frame, cached);
    struct memstat start = test_memstat();
    CHECK(turns_next(&t));
    CHECK_COST(&start, 1, 1, 0);
    CHECK_EQUAL(file[0], saved);
    CHECK_PAGE(getpid(), file, PAGE_MARKED, sharers);
    file[0] = 2; // the cache still has it: a copy, though no other process does
    CHECK_COST(&start, 2, 2, 0);
    CHECK(test_page(file).frame != cached);
    turns_close(&t);
    CHECK_EQUAL(read(fd, &saved, 1), 1);
    CHECK_EQUAL(saved, 0x7f);
}
