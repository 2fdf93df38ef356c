// A page that several generations share, down to its last owner, which writes without a copy.
#include "cowtest.h"

#include "cow6.h"

enum {
    CHAIN_DEPTH = 100,
    SHARERS = 200,       // children that share one page
    FRAMES_A_CHILD = 16, // more than one of them needs
};

TEST(last_owner_writes_without_copy) {
    enum { PAGES = 3 };
    char *pages = heap_grow_filled(PAGES, 1);
    uint64_t frames[PAGES];
    for (size_t i = 0; i < PAGES; i++)
        frames[i] = test_page(pages + i * PAGE_BYTES).frame;
    IN_CHILD {}
    CHECK_CHILD(0);
    test_own_pages();
    struct memstat before = test_memstat();
    for (size_t i = 0; i < PAGES; i++) {
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_MARKED, 1);
        pages[i * PAGE_BYTES]++;
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_OWN, 1);
        CHECK_FRAME(frames[i], test_page(pages + i * PAGE_BYTES).frame, LAST_COPIES);
    }
    CHECK_COST(&before, 0, 0, PAGES);
}

TEST(three_generations) {
    char *page = heap_grow_filled(1, 1);
    struct turns mine, child_s;
    pid_t child = turns_fork(&mine);
    if (child == 0) {
        pid_t grandchild = turns_fork(&child_s);
        if (grandchild == 0) {
            pattern_fill(page, 1, 3);
            turns_pause(&child_s);
            CHECK_PATTERN(page, 1, 3, OWN_WRITE);
            test_exit();
        }
        CHECK_PAGE(grandchild, page, PAGE_MARKED, 3);
        CHECK(turns_next(&child_s), DIED);
        CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
        CHECK_PATTERN(page, 1, 1, TO_PARENT);
        struct memstat before = test_memstat();
        page[0]++;
        CHECK_COST(&before, 1, 1, 0);
        pattern_fill(page, 1, 2);
        turns_pause(&mine);
        CHECK_PATTERN(page, 1, 2, OWN_WRITE);
        turns_close(&child_s);
        test_exit();
    }
    CHECK_PAGE(child, page, PAGE_MARKED, 2);
    CHECK(turns_next(&mine), DIED);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 1);
    struct memstat before = test_memstat();
    page[0]++;
    CHECK_COST(&before, 0, 0, 1);
    turns_close(&mine);
}

// The grandchild of processes that have ended still has what it saw when they forked.
static void outlive(struct gate *gate, int result, char *page) {
    struct procinfo info;
    gate_wait(gate);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &info), PROCESS_GONE);
    CHECK_EQUAL(1, info.parent, "a process whose parent has ended is not process 1's child");
    CHECK_PATTERN(page, 1, 1, AS_FORKED);
    page[0] = 3;
    CHECK_EQUAL(1, write(result, page, 1), PIPE_FAILS);
}

TEST(grandchild_outlives_both) {
    char *page = heap_grow_filled(1, 1);
    struct gate gate;
    int result[2];
    gate_init(&gate);
    pipe_open(result);
    IN_CHILD {
        IN_CHILD {
            IN_CHILD {
                outlive(&gate, result[1], page);
            }
            pattern_fill(page, 1, 2);
        }
        CHECK_CHILD(0);
        CHECK_PATTERN(page, 1, 1, TO_PARENT);
    }
    CHECK_CHILD(0);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
    pattern_fill(page, 1, 4);
    gate_open(&gate);
    close(result[1]);
    char byte;
    TEST_WAITS("the grandchild to write to the pipe");
    CHECK_EQUAL(1, read(result[0], &byte, 1), "the grandchild died before it wrote to the pipe");
    CHECK_EQUAL(3, byte, OWN_WRITE);
    CHECK_PATTERN(page, 1, 4, TO_PARENT);
}

// Each process of the chain forks the next one; the last one checks how many share the page.
static void chain(char *page, int depth) {
    if (depth == 0) {
        CHECK_PAGE(getpid(), page, PAGE_MARKED, CHAIN_DEPTH + 1);
        return;
    }
    IN_CHILD {
        chain(page, depth - 1);
    }
    CHECK_CHILD(0);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);
    page[depth] ^= 1;
    CHECK(!pattern_matches(page, 1, 1), OWN_WRITE);
}

TEST(chain_of_forks) {
    char *page = heap_grow_filled(1, 1);
    chain(page, CHAIN_DEPTH);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1);
}

TEST(many_share_one_page) {
    size_t count = test_frames_free() / FRAMES_A_CHILD;
    if (count > SHARERS)
        count = SHARERS;
    char *page = heap_grow_filled(1, 1);
    struct gate gate;
    gate_init(&gate);
    for (size_t i = 0; i < count; i++) {
        IN_CHILD {
            gate_wait(&gate);
            CHECK_PATTERN(page, 1, 1, AS_FORKED);
            page[i] ^= 1;
            CHECK(!pattern_matches(page, 1, 1), OWN_WRITE);
        }
    }
    CHECK_PAGE(getpid(), page, PAGE_MARKED, count + 1);
    gate_open(&gate);
    CHECK_CHILDREN((int)count);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 1);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);
}
