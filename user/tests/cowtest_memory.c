// Out of memory when a shared page is written: by a program, by its parent, by a system call.
// Reservations fill memory without touching it, so these tests take no longer on a large machine.
#include "cowtest.h"

#include "cow6.h"

enum { PAGES = 8 };

// A child writes to shared pages until memory runs out: only the child is killed. Then the parent,
// the last owner, writes to all of them with no frame left.
TEST(out_of_memory_kills_only_the_writer) {
    enum { LEFT = 3 };
    char *pages = heap_grow_filled(PAGES, 1);
    struct turns t;
    if (turns_fork(&t) == 0) {
        pattern_fill(pages, PAGES, 2);
        test_exit();
    }
    size_t left = memory_fill(LEFT);
    CHECK(left < PAGES, "memory cannot be filled: there are free frames that no process can get");
    struct memstat before = test_memstat();
    CHECK(!turns_next(&t), MUST_DIE);
    CHECK_CHILD(TEST_STATUS_KILLED, MUST_DIE);
    CHECK_EQUAL(left, faults_since(&before, FAULT_COW_COPY),
                "before it was killed, the child did not copy as many pages as there were frames");
    CHECK_EQUAL(1, faults_since(&before, FAULT_NO_MEMORY),
                "the last fault is not counted as out of memory: cow_break must return -ENOMEM "
                "when frame_alloc gives NULL");
    CHECK_PATTERN(pages, PAGES, 1,
                  "when the child found no frame for its copy, its write went to the shared frame, "
                  "or the parent's frame was freed: acquire, then change, then release");
    CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
    before = test_memstat();
    TEST_DEATH_MEANS("the last owner's write asks for a frame, and there is none: if no other "
                     "entry maps the frame, set W again before a frame is asked for [expected the "
                     "process to live, saw it killed]");
    pattern_fill(pages, PAGES, 3);
    CHECK_COST(&before, 0, 0, PAGES);
    memory_release();
    CHECK_PATTERN(pages, PAGES, 3, OWN_WRITE);
}

// Fills memory and writes to a page that a child shares.
static void die_writing(struct turns *mine, struct gate *gate, int result, char *page) {
    struct turns t;
    if (turns_fork(&t) == 0) { // continues when its parent is dead
        close(mine->to_parent[1]);
        gate_wait(gate);
        CHECK_PATTERN(page, 1, 1,
                      "the parent ran out of memory, and its child's page has changed: acquire, "
                      "then change, then release");
        CHECK_EQUAL(1, write(result, page, 1), PIPE_FAILS);
        test_exit();
    }
    CHECK_EQUAL(0, memory_fill(0), FILL_FAILS);
    page[0]++;
    FAIL(MUST_DIE " [expected it to be killed, saw it continue]");
}

// When memory runs out in the parent's write, the parent is killed and the child continues.
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
                  "a descendant that ran out of memory has changed this process's page");
    gate_open(&gate);
    char byte;
    TEST_WAITS("the child of a process that died to write to the pipe");
    CHECK_EQUAL(1, read(result[0], &byte, 1),
                "the child died, though only its parent's write found no frame");
    CHECK_EQUAL(page[0], byte, PIPE_FAILS);
}

// System calls that find no frame for what they store.
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

// In the child: the call must fail, and neither copy of the page may change.
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
        FAIL("a system call found no frame for its copy, but says that it has stored: an error of "
             "user_page must not be ignored [expected it to fail, saw %ld (%s)]",
             result, strerror(errno));
    CHECK_PATTERN(page, 1, 1, NO_ROOM_CHANGED);
    turns_pause(t);
    // The failed wait has not lost the child.
    if (call == wait_child)
        CHECK_CHILD(0, "a wait() that could not store its status has lost the child: resolve the "
                       "address first");
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
                    "a page has been copied though there was no frame");
        CHECK_PATTERN(page, 1, 1, NO_ROOM_SHARED);
        CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
        memory_release();
        turns_close(&t);
    }
}

// A read across two shared pages with one frame left stores exactly what it says.
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
        CHECK_BYTES(pages + PAGE_BYTES, 7, PAGE_BYTES, "read() says it stored less than it did");
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
