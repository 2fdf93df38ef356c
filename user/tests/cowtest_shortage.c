// fork in nearly full memory: it fails cleanly, or it works.
#include "cowtest.h"

#include "cow6.h"

enum {
    SPREAD_TABLES = 4, // leaf tables over which the forking process spreads its heap
    FORK_SLACK = 16,   // frames that parent and child may need for their stacks and data after fork
    FORKS = 3,         // at each amount of free memory
};

// How many page tables a fork of the caller takes: all its pages are within one GiB.
static size_t count_tables(void) {
    struct turns t;
    uint64_t before = test_memstat().frames_used[FRAME_TABLE];
    if (turns_fork(&t) == 0)
        test_exit();
    uint64_t after = test_memstat().frames_used[FRAME_TABLE];
    turns_close(&t);
    return after - before;
}

// In a child, with little memory: fork fails cleanly if there are no frames for its page tables,
// and works if there are enough for what follows it, too.
static void fork_with_little(struct turns *t, const char *heap, size_t tables) {
    for (int i = 0; i < FORKS; i++) {
        size_t left = frames_available();
        uint64_t free_before = test_frames_free();
        pid_t pid = fork();
        if (pid == 0)
            test_exit();
        if (pid > 0) {
            CHECK(left >= tables,
                  "fork works without memory for the child's page tables: was an error ignored?");
            int status = 0;
            pid_t gone = wait(&status);
            if (gone < 0 && errno == ENOMEM && left < tables + FORK_SLACK)
                gone = wait(NULL); // the first wait found no frame for status
            CHECK_EQUAL(pid, gone, PROCESS_GONE);
            CHECK(status == 0 || left < tables + FORK_SLACK,
                  "the child was killed though there was memory for it");
        } else {
            CHECK_EQUAL(ENOMEM, errno, "fork fails for a reason other than memory");
            CHECK(left < tables, "fork fails though there is memory for the child's page tables: "
                                 "it must not ask for more");
            CHECK_FAILS(wait(NULL), ECHILD, "a fork that failed has left a child");
        }
        CHECK_EQUAL(free_before, test_frames_free(),
                    "fork with little memory loses frames: a fork that fails must give back every "
                    "reference and table that it took, and a child's exit, too");
        for (size_t table = 0; table < SPREAD_TABLES; table++)
            CHECK_PATTERN(heap + table * TABLE_PAGES * PAGE_BYTES, 2, (unsigned)table,
                          "a fork that failed has changed the parent's pages, or given them to "
                          "another process");
    }
    turns_pause(t);
    IN_CHILD {
        CHECK_PATTERN(heap, 2, 0, "a fork after failed ones gives the child wrong pages");
    }
    CHECK_CHILD(0);
}

// A process that forked with so many frames left was killed. This may happen only if it had the
// tables and little more.
static void check_killed(size_t left, size_t tables) {
    if (left < tables)
        FAIL("a fork that found no memory did not fail, and the child lacks pages: does an error "
             "of cow_share reach fork_space's caller? [expected fork to fail with %zu frames "
             "left, of the %zu for the tables, saw the process killed]",
             left, tables);
    if (left >= tables + FORK_SLACK)
        FAIL("a process was killed as out of memory, though there was enough [expected it to live "
             "with %zu frames, saw it killed; fork takes %zu for tables]",
             left, tables);
}

// For every amount of memory around what a fork needs. If there are frames for the tables but not
// for what the two processes write next, one of them may be killed; nothing else may happen, and
// nothing may leak.
TEST(fork_in_nearly_full_memory) {
    char *heap = heap_grow(SPREAD_TABLES * TABLE_PAGES);
    for (size_t i = 0; i < SPREAD_TABLES; i++)
        pattern_fill(heap + i * TABLE_PAGES * PAGE_BYTES, 2, (unsigned)i);
    size_t tables = count_tables();
    for (size_t keep = 0; keep <= tables + FORK_SLACK + 2; keep++) {
        test_own_pages();
        uint64_t free_before = test_frames_free();
        struct turns t;
        if (turns_fork(&t) == 0) {
            fork_with_little(&t, heap, tables);
            test_exit();
        }
        size_t left = memory_fill(keep);
        bool lives = turns_next(&t);
        memory_release();
        if (lives) {
            turns_close(&t);
        } else {
            close(t.to_child[1]);
            close(t.to_parent[0]);
            CHECK_CHILD(TEST_STATUS_KILLED, "the process that forked with little memory was not "
                                            "killed, but did not continue either");
            check_killed(left, tables);
        }
        CHECK_EQUAL(free_before, test_settle(free_before),
                    "fork with little memory loses frames: a fork that fails must give back every "
                    "reference and table that it took, and a child's exit, too");
    }
}
