// exec after vfork: the parent resumes, the program gets memory of its own, and a failed exec
// changes nothing.
#define TEST_FAMILY "vfork"
#include "test.h"

#include "vfork.h"

enum { SPREAD = 8 * 512 };

// A helper that reads its text, started by vfork, up to where it waits.
static struct helper waiting_helper(void) {
    struct helper helper = vfork_start((char *[]){"+text_sum", NULL});
    char byte;
    read_fully(helper.from, &byte, 1);
    wait_until_waits(helper.pid, WAITS_FOR_PIPE);
    return helper;
}

static void end_waiting_helper(struct helper *helper) {
    uint64_t sum;
    write_fully(helper->to, "", 1);
    read_fully(helper->from, &sum, sizeof sum);
    helper_finish(helper, 0);
}

// From exec on both run; what the child wrote before is in the parent's memory, and the pages are
// the parent's alone.
TEST(parent_resumes_at_exec) {
    int to[2];
    vfork_set_up();
    CHECK_EQUAL(0, pipe(to));
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        counter = 7;
        close(0);
        dup(to[0]);
        close(to[1]);
        exec(USERTESTS, (char *[]){"+take", "1", NULL});
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    CHECK(state_of(pid) != PROCESS_ZOMBIE);
    CHECK_EQUAL(7, counter);
    check_heap();
    for (int i = 0; i < HEAP_PAGES; i++) {
        struct pageinfo page = test_page(heap + i * PAGE_BYTES);
        CHECK_EQUAL(PAGE_WRITE, page.flags & (PAGE_WRITE | PAGE_COW));
        CHECK_EQUAL(1, page.sharers);
    }
    write_fully(to[1], "", 1);
    CHECK_CHILD(0);
}

TEST(exec_after_vfork_gives_fresh_memory) {
    vfork_set_up();
    for (int i = 0; i < 3; i++) {
        struct helper helper = vfork_start((char *[]){"+empty", NULL});
        memset(heap, PATTERN, PAGE_BYTES);
        helper_finish(&helper, 0);
        check_heap();
    }
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

// What exec after vfork takes does not depend on the size of the parent's memory.
TEST(vfork_and_exec_cost_ignores_parent_size) {
    uint64_t taken[2], tables[2];
    for (int large = 0; large < 2; large++) {
        if (large) {
            heap = heap_grow_pages(SPREAD);
            for (int i = 0; i < SPREAD; i += 256)
                heap[i * PAGE_BYTES] = PATTERN;
        }
        test_own_pages();
        before = test_memstat();
        struct helper helper = waiting_helper();
        struct memstat now = test_memstat();
        taken[large] = before.frames_free - now.frames_free;
        tables[large] = now.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE];
        CHECK_EQUAL(before.faults[FAULT_COW_REUSE], now.faults[FAULT_COW_REUSE]);
        end_waiting_helper(&helper);
        CHECK_EQUAL(before.frames_free, test_frames_free());
    }
    CHECK_EQUAL(tables[0], tables[1]);
    CHECK_EQUAL(taken[0], taken[1]);
    CHECK(tables[0] >= 3 && tables[0] <= 4);
}

// Each exec must fail, and the child continues in its parent's memory.
TEST(failed_exec_leaves_both_intact) {
    static char *too_many[ARGS_MAX + 1];
    for (int i = 0; i < ARGS_MAX; i++)
        too_many[i] = "x";
    file_make("text", "no program", 10);
    vfork_set_up();
    IN_VFORK_CHILD {
        CHECK_FAILS(exec("missing", (char *[]){"x", NULL}), ENOENT);
        CHECK_FAILS(exec("text", (char *[]){"x", NULL}), ENOEXEC);
        CHECK_FAILS(exec(".", (char *[]){"x", NULL}), EACCES);
        CHECK_FAILS(exec(USERTESTS, too_many), E2BIG);
        CHECK_FAILS(exec(USERTESTS, NULL), EFAULT);
        CHECK_FAILS(exec((char *)8, (char *[]){"x", NULL}), EFAULT);
        check_heap();
        CHECK_EQUAL(before.frames_free, test_frames_free());
        counter = 11;
        note('c');
        sleep(1);
    }
    note('p');
    check_order("cp");
    CHECK_EQUAL(11, counter);
    check_heap();
    CHECK_EQUAL(before.frames_free, test_frames_free());
    CHECK_CHILD(0);
}

// With all memory reserved, fork fails, vfork works, and exec in its child fails.
TEST(vfork_works_without_memory) {
    vfork_set_up();
    memory_reserve_all();
    CHECK_FAILS(fork(), ENOMEM);
    IN_VFORK_CHILD {
        CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", "0", NULL}), ENOMEM);
        heap[0] = PATTERN + 1;
    }
    CHECK_EQUAL(PATTERN + 1, heap[0]);
    heap[0] = PATTERN;
    check_heap();
    CHECK_CHILD(0);
}

// When exec has some frames but not enough, or just enough.
TEST(exec_after_vfork_with_little_memory) {
    for (int pages = 0; pages < 24; pages += 2) {
        IN_CHILD {
            vfork_set_up();
            memory_reserve_all();
            sbrk(-pages * PAGE_BYTES);
            counter = 0;
            pid_t pid = TEST_VFORK();
            if (pid == 0) {
                counter = 1;
                exec(USERTESTS, (char *[]){"+exit", "0", NULL});
                exit(errno == ENOMEM ? 0 : 1);
            }
            CHECK_EQUAL(1, counter);
            check_heap();
            int status;
            CHECK_EQUAL(pid, wait(&status));
            CHECK(status == 0 || status == TEST_STATUS_KILLED);
        }
        CHECK_CHILD(0);
    }
}

// The inner child executes a program: the middle process resumes, the outer one still sleeps.
TEST(nested_vfork_with_exec) {
    vfork_set_up();
    IN_VFORK_CHILD {
        struct helper helper = waiting_helper();
        sleep(1);
        note('b');
        end_waiting_helper(&helper);
        struct helper again = vfork_start((char *[]){"+exit", "4", NULL});
        note('b');
        helper_finish(&again, 4);
        exec(USERTESTS, (char *[]){"+exit", "5", NULL});
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    note('a');
    check_order("bba");
    check_heap();
    CHECK_CHILD(5);
    CHECK_EQUAL(before.frames_free, test_frames_free());
}
