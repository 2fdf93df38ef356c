// Memory that is nearly full, and sbrk beside fork. Promises make memory full without touching it,
// so these tests take no longer on a large machine.
#include "cowtest.h"

#include "cow6.h"

enum {
    PAGES = 8,
    SPREAD_TABLES = 4, // leaf tables over which the forking process spreads its heap
    FORK_SLACK = 16,   // frames that parent and child may need for their stacks and data after fork
    FORKS = 3,         // at each amount of free memory
    SMALL_FRAMES = 2048, // what a test leaves that touches everything
};

#define PROGRAM "/cowtest"

// A child writes to shared pages until memory ends: it alone dies. Then the parent, the last owner,
// writes to all of them with no frame left.
TEST(out_of_memory_kills_only_the_writer) {
    enum { LEFT = 3 };
    char *pages = heap_grow_filled(PAGES, 1);
    struct turns t;
    if (turns_fork(&t) == 0) {
        pattern_fill(pages, PAGES, 2);
        test_exit();
    }
    size_t left = memory_fill(LEFT);
    CHECK(left < PAGES, "memory cannot be filled: frames are free that nobody can have");
    struct memstat before = test_memstat();
    CHECK(!turns_next(&t), MUST_DIE);
    CHECK_CHILD(TEST_STATUS_KILLED, MUST_DIE);
    CHECK_EQUAL(left, faults_since(&before, FAULT_COW_COPY),
                "before it died, the child did not copy as many pages as there were frames");
    CHECK_EQUAL(1, faults_since(&before, FAULT_NO_MEMORY),
                "the last fault is not counted as out of memory: cow_break must return -ENOMEM "
                "when frame_alloc gives NULL");
    CHECK_PATTERN(pages, PAGES, 1,
                  "when the child found no frame for its copy, its write went to the shared frame, "
                  "or the parent's "
                  "was freed: obtain first, change then, give up last");
    CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
    before = test_memstat();
    TEST_DEATH_MEANS(
        "the last owner's write needs a frame, and there is none: if nobody else names the frame, "
        "give W back before a frame is asked for [expected the process to live, saw it killed]");
    pattern_fill(pages, PAGES, 3);
    CHECK_COST(&before, 0, 0, PAGES);
    memory_release();
    CHECK_PATTERN(pages, PAGES, 3, OWN_WRITE);
}

// Fills memory and writes to a page that a child shares.
static void die_writing(struct turns *mine, struct gate *gate, int result, char *page) {
    struct turns t;
    if (turns_fork(&t) == 0) { // goes on when its parent is dead
        close(mine->to_parent[1]);
        gate_wait(gate);
        CHECK_PATTERN(page, 1, 1,
                      "the parent died for want of memory, and its child's page has changed: "
                      "obtain first, change "
                      "then, give up last");
        CHECK_EQUAL(1, write(result, page, 1), PIPE_FAILS);
        test_exit();
    }
    CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
    page[0]++;
    FAIL(MUST_DIE " [expected it to be killed, saw it go on]");
}

// Where memory ends in the parent's write, the parent dies and the child goes on.
TEST(out_of_memory_kills_a_writing_parent) {
    char *page = heap_grow_filled(1, 1);
    struct turns t;
    struct gate gate;
    int result[2];
    gate_init(&gate);
    pipe_open(result);
    if (turns_fork(&t) == 0)
        die_writing(&t, &gate, result[1], page);
    close(result[1]);
    CHECK(!turns_next(&t), MUST_DIE);
    CHECK_CHILD(TEST_STATUS_KILLED, MUST_DIE);
    CHECK_PATTERN(page, 1, 1,
                  "a descendant that died for want of memory has changed this process's page");
    gate_open(&gate);
    char byte;
    TEST_WAITS("the child of a process that died to write to the pipe");
    CHECK_EQUAL(1, read(result[0], &byte, 1),
                "the child died, though only its parent's write found no frame");
    CHECK_EQUAL(page[0], byte, PIPE_FAILS);
}

// The system calls that are made when there is no frame for what they store.
static long read_file(char *to) {
    int fd = open(PROGRAM, O_RDONLY);
    return read(fd, to, 64);
}

static int filled_pipe;

static long read_pipe(char *to) {
    return read(filled_pipe, to, 64);
}

static long stat_file(char *to) {
    int fd = open(PROGRAM, O_RDONLY);
    return fstat(fd, (struct stat *)to);
}

static long make_pipe(char *to) {
    return pipe((int *)to);
}

static long report_memory(char *to) {
    return memstat((struct memstat *)to, 0);
}

static long wait_child(char *to) {
    return wait((int *)to);
}

// In the child: the call must fail, and neither copy of the page change.
static void call_without_memory(struct turns *t, long (*call)(char *to), char *page) {
    if (call == wait_child) {
        struct procinfo info = {0};
        pid_t pid = TEST_FORK();
        if (pid == 0)
            test_exit();
        while (info.state != PROCESS_ZOMBIE)
            CHECK_EQUAL(pid, procinfo(pid, &info));
        test_own_pages();
    }
    turns_pause(t);
    long result = call(page + 100);
    if (result != -1 || (errno != ENOMEM && errno != EFAULT))
        FAIL("a system call found no frame for its copy, and says that it has stored: an error of "
             "user_page must "
             "not be ignored [expected it to fail, saw %ld (%s)]",
             result, strerror(errno));
    CHECK_PATTERN(page, 1, 1, NO_ROOM_CHANGED);
    turns_pause(t);
    if (call == wait_child)
        CHECK_CHILD(0, "a wait() that could not store its status has lost the child: resolve the "
                       "address first"); // the failed
                                         // wait has
                                         // not lost it
    CHECK_PATTERN(page, 1, 1, NO_ROOM_CHANGED);
}

TEST(out_of_memory_in_system_calls) {
    static long (*const calls[])(char *to) = {read_file, read_pipe,     stat_file,
                                              make_pipe, report_memory, wait_child};
    int fds[2];
    char bytes[64] = {0};
    pipe_open(fds);
    CHECK_EQUAL(sizeof bytes, write(fds[1], bytes, sizeof bytes), PIPE_FAILS);
    filled_pipe = fds[0];
    char *page = heap_grow_filled(1, 1);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        struct turns t;
        if (turns_fork(&t) == 0) {
            call_without_memory(&t, calls[i], page);
            test_exit();
        }
        CHECK(turns_next(&t), DIED);
        CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
        struct memstat before = test_memstat();
        CHECK(turns_next(&t), DIED);
        CHECK_EQUAL(0, faults_since(&before, FAULT_COW_COPY),
                    "without a frame a page has been copied");
        CHECK_PATTERN(page, 1, 1, NO_ROOM_SHARED);
        CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
        memory_release();
        turns_close(&t);
    }
}

// A read across two shared pages with one frame left: what it says it stored is there, no more.
TEST(out_of_memory_in_the_middle_of_a_read) {
    enum { ROOM = 100, SIZE = 1000 };
    char *pages = heap_grow(2);
    memset(pages, 7, 2 * PAGE_BYTES);
    struct turns t;
    if (turns_fork(&t) == 0) {
        int fd = open(PROGRAM, O_RDONLY);
        char *to = pages + PAGE_BYTES - ROOM;
        int n = read(fd, to, SIZE);
        CHECK(n == -1 || n == ROOM,
              "read() with one frame left must store as much as there is room for, or fail");
        CHECK_BYTES(pages, 7, PAGE_BYTES - ROOM, "read() stored before its buffer");
        CHECK_BYTES(pages + PAGE_BYTES, 7, PAGE_BYTES, "read() said it stored less than it did");
        turns_pause(&t);
        if (n == ROOM) {
            char again[ROOM];
            close(fd);
            fd = open(PROGRAM, O_RDONLY);
            CHECK_EQUAL(ROOM, read(fd, again, ROOM), READ_FAILS);
            CHECK(memcmp(again, to, ROOM) == 0,
                  "read() says it stored bytes that are not there: an error must not be ignored");
        }
        test_exit();
    }
    CHECK(memory_fill(1) <= 1, FILL_FAILS);
    CHECK(turns_next(&t), DIED);
    CHECK_BYTES(pages, 7, 2 * PAGE_BYTES, NO_ROOM_SHARED);
    memory_release();
    turns_close(&t);
}

// The page tables that a fork of the caller takes: all its pages lie within one GiB.
static size_t count_tables(void) {
    struct turns t;
    uint64_t before = test_memstat().frames_used[FRAME_TABLE];
    if (turns_fork(&t) == 0)
        test_exit();
    uint64_t after = test_memstat().frames_used[FRAME_TABLE];
    turns_close(&t);
    return after - before;
}

// In a child, with little memory: fork fails cleanly where tables cannot be had, and works where
// there is enough for what comes after it, too.
static void fork_with_little(struct turns *t, const char *heap, size_t tables) {
    for (int i = 0; i < FORKS; i++) {
        size_t left = frames_available();
        uint64_t free_before = test_frames_free();
        pid_t pid = fork();
        if (pid == 0)
            test_exit();
        if (pid > 0) {
            CHECK(left >= tables,
                  "fork works without memory for the child's page tables: an error was ignored?");
            int status = 0;
            pid_t gone = wait(&status);
            if (gone < 0 && errno == ENOMEM && left < tables + FORK_SLACK)
                gone = wait(NULL); // no frame for status
            CHECK_EQUAL(pid, gone, PROCESS_GONE);
            CHECK(status == 0 || left < tables + FORK_SLACK,
                  "the child was killed though there was memory for it");
        } else {
            CHECK_EQUAL(ENOMEM, errno, "fork fails for another reason than memory");
            CHECK(left < tables, "fork fails though there is memory for the child's page tables: "
                                 "it must not ask for more");
            CHECK_FAILS(wait(NULL), ECHILD, "a fork that failed has left a child");
        }
        CHECK_EQUAL(free_before, test_frames_free(),
                    "fork with little memory loses frames: a fork that fails must give back every "
                    "reference and "
                    "table that it took, and a child's exit, too");
        for (size_t table = 0; table < SPREAD_TABLES; table++)
            CHECK_PATTERN(heap + table * TABLE_PAGES * PAGE_BYTES, 2, (unsigned)table,
                          "a fork that failed has changed the parent's pages, or given them to "
                          "somebody else");
    }
    turns_pause(t);
    IN_CHILD {
        CHECK_PATTERN(heap, 2, 0, "a fork after failed ones gives the child wrong pages");
    }
    CHECK_CHILD(0);
}

// A process that forked with so many frames left was killed: only where it had the tables, and
// little more.
static void check_killed(size_t left, size_t tables) {
    if (left < tables)
        FAIL("a fork that found no memory did not fail, and the child lacks pages: must an error "
             "of cow_share reach "
             "addrspace_fork's caller? [expected fork to fail with %zu frames left, of the %zu for "
             "the tables, saw the "
             "process killed]",
             left, tables);
    if (left >= tables + FORK_SLACK)
        FAIL("a process was killed for want of memory, and there was enough [expected it to live "
             "with %zu frames, saw "
             "it killed; fork takes %zu for tables]",
             left, tables);
}

// For every amount of memory around what a fork needs. Where the tables can be had but not what the
// two processes write next, one of them may die; nothing else may happen, and nothing leak.
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
            CHECK_CHILD(
                TEST_STATUS_KILLED,
                "the process that forked with little memory was not killed, and did not go on");
            check_killed(left, tables);
        }
        CHECK_EQUAL(free_before, test_settle(free_before),
                    "fork with little memory loses frames: a fork that fails must give back every "
                    "reference and "
                    "table that it took, and a child's exit, too");
    }
}

// sbrk refuses at once what memory could not hold, and changes nothing then.
TEST(sbrk_refuses_too_much) {
    memory_limit(SMALL_FRAMES);
    struct memstat before = test_memstat();
    char *end = sbrk(0);
    size_t available = frames_available();
    CHECK_FAILS((long)sbrk((int)((available + 1) * PAGE_BYTES)), ENOMEM, SBRK);
    CHECK_FAILS((long)sbrk(INT32_MAX), ENOMEM, SBRK);
    struct memstat after = test_memstat();
    CHECK_EQUAL(end, sbrk(0), SBRK);
    CHECK_EQUAL(before.frames_free, after.frames_free, SBRK);
    CHECK_EQUAL(before.frames_promised, after.frames_promised, SBRK);
    memory_unlimit();
}

// Each page of all the memory that sbrk granted is there when it is touched.
TEST(granted_memory_is_there) {
    memory_limit(SMALL_FRAMES);
    char *start = sbrk(0);
    CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
    size_t n = (size_t)((char *)sbrk(0) - start) / PAGE_BYTES;
    struct memstat before = test_memstat();
    for (size_t i = 0; i < n; i++)
        start[i * PAGE_BYTES] = (char)i;
    struct memstat after = test_memstat();
    CHECK_EQUAL(n, faults_since(&before, FAULT_ZERO_FILL), PROMISES);
    CHECK_EQUAL(n, before.frames_free - after.frames_free, PROMISES);
    CHECK_EQUAL(n, before.frames_promised - after.frames_promised, PROMISES);
    memory_release();
    memory_unlimit();
}

// The count of promises follows the heap: up when it grows, down with each touch, back when it
// shrinks.
TEST(promises_follow_the_heap) {
    enum { N = 16, TOUCHED = 5 };
    heap_grow_filled(1, 1);
    struct memstat before = test_memstat();
    char *pages = heap_grow(N);
    struct memstat now = test_memstat();
    CHECK_EQUAL(N, now.frames_promised - before.frames_promised, PROMISES);
    CHECK_EQUAL(before.frames_free, now.frames_free, PROMISES);
    for (size_t i = 0; i < TOUCHED; i++)
        pages[i * PAGE_BYTES] = 1;
    now = test_memstat();
    CHECK_EQUAL(N - TOUCHED, now.frames_promised - before.frames_promised, PROMISES);
    CHECK_EQUAL(TOUCHED, before.frames_free - now.frames_free, PROMISES);
    heap_shrink(N - TOUCHED + 1); // one of them touched
    now = test_memstat();
    CHECK_EQUAL(before.frames_promised, now.frames_promised, PROMISES);
    CHECK_EQUAL(TOUCHED - 1, before.frames_free - now.frames_free, PROMISES);
    heap_shrink(TOUCHED - 1);
    now = test_memstat();
    CHECK_EQUAL(before.frames_free, now.frames_free, PROMISES);
    CHECK_EQUAL(before.frames_promised, now.frames_promised, PROMISES);
}

// A promise is its owner's alone: fork makes none, and what the parent was promised is there for it
// though the child takes all that is left.
TEST(promise_survives_fork) {
    enum { N = 64 };
    char *pages = heap_grow(N);
    struct memstat before = test_memstat();
    struct turns t;
    if (turns_fork(&t) == 0) {
        CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
        turns_pause(&t);
        test_exit();
    }
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised,
                "fork has made a promise: it shares pages, but not promises");
    CHECK(turns_next(&t), DIED);
    struct memstat full = test_memstat();
    for (size_t i = 0; i < N; i++) {
        CHECK_EQUAL(0, pages[i * PAGE_BYTES],
                    "a page that was promised is not zero when it is touched");
        pages[i * PAGE_BYTES] = 1;
    }
    CHECK_EQUAL(N, full.frames_promised - test_memstat().frames_promised, PROMISES);
    turns_close(&t);
    CHECK_EQUAL(before.frames_promised - N, test_memstat().frames_promised, PROMISES);
}

// Shrinking a shared heap drops the shrinking side's share alone; growing again gives zeroes.
TEST(shrinking_a_shared_heap) {
    char *pages = heap_grow_filled(4, 1);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        heap_shrink(2);
        turns_pause(&t);
        heap_grow(2);
        CHECK_BYTES(pages + 2 * PAGE_BYTES, 0, 2 * PAGE_BYTES,
                    "heap that grows again must be zero");
        CHECK_PATTERN(pages, 2, 1, AS_FORKED);
        turns_pause(&t);
        CHECK_PATTERN(pages, 2, 1, TO_PARENT);
        test_exit();
    }
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 0, 0, 0);
    CHECK_PAGE(getpid(), pages + PAGE_BYTES, PAGE_MARKED, 2);
    CHECK_PAGE(getpid(), pages + 2 * PAGE_BYTES, PAGE_MARKED, 1);
    pages[3 * PAGE_BYTES]++;
    CHECK_COST(&before, 0, 0, 1);
    pages[3 * PAGE_BYTES]--;
    CHECK(turns_next(&t), DIED);
    CHECK_PATTERN(pages, 4, 1, "the child's shrinking of its heap has changed its parent's");
    heap_shrink(4);
    CHECK_PAGE(child, pages, PAGE_MARKED, 1);
    turns_close(&t);
}

// After fork both heaps grow, each for itself.
TEST(growing_after_fork) {
    heap_grow_filled(1, 1);
    struct turns t;
    if (turns_fork(&t) == 0) {
        char *mine = heap_grow_filled(2, 2);
        turns_pause(&t);
        CHECK_PATTERN(mine, 2, 2, OWN_WRITE);
        test_exit();
    }
    char *end = sbrk(0);
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 2, 0, 0);
    char *mine = heap_grow(2);
    CHECK_EQUAL(end, mine, "sbrk after fork gives another address than before");
    CHECK_BYTES(mine, 0, 2 * PAGE_BYTES,
                "heap that parent and child grew after the fork must be zero, and each side's own");
    pattern_fill(mine, 2, 3);
    CHECK_COST(&before, 4, 0, 0);
    turns_close(&t);
    CHECK_PATTERN(mine, 2, 3, TO_PARENT);
}
