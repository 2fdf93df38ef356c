// The parts of a program that are never written, text and constants, and what fork and exec share
// of a program.
#include "cowtest.h"

#include "cow6.h"

extern char _start[]; // the program's first instruction

// A function to be stored into.
static int text_target(int n) {
    return n * 3 + 1;
}

static int (*volatile target)(int n) = text_target;

static char *text_address(void) {
    return (char *)(uintptr_t)target;
}

// Text is present and executable, neither writable nor copy-on-write.
static void check_text(const char *saved) {
    struct pageinfo info = test_page(text_address());
    CHECK_EQUAL(PAGE_PRESENT | PAGE_READ | PAGE_EXEC,
                info.flags & (PAGE_PRESENT | PAGE_READ | PAGE_WRITE | PAGE_EXEC | PAGE_COW),
                "program text must be present and executable, without W and the copy-on-write bit: "
                "its region allows no writing");
    CHECK(memcmp(text_address(), saved, 16) == 0, TEXT_CHANGED);
    CHECK_EQUAL(7, target(2), TEXT_CHANGED);
}

// Each kind of system call refuses to store into text.
static void check_calls_refuse_text(void) {
    char *text = text_address();
    int fd = open(PROGRAM, O_RDONLY), fds[2];
    CHECK_FAILS(read(fd, text, 8), EFAULT, TEXT_WRITTEN);
    CHECK_FAILS(fstat(fd, (struct stat *)text), EFAULT, TEXT_WRITTEN);
    CHECK_FAILS(memstat((struct memstat *)text, 0), EFAULT, TEXT_WRITTEN);
    CHECK_FAILS(pipe((int *)text), EFAULT, TEXT_WRITTEN);
    pipe_open(fds);
    CHECK_EQUAL(8, write(fds[1], "12345678", 8), PIPE_FAILS);
    CHECK_FAILS(read(fds[0], text, 8), EFAULT, TEXT_WRITTEN);
    close(fds[0]);
    close(fds[1]);
    close(fd);
}

TEST(text_is_read_only) {
    char saved[16];
    memcpy(saved, text_address(), sizeof saved);
    check_text(saved);
    struct memstat before = test_memstat();
    IN_CHILD {
        check_text(saved);
        *(volatile char *)text_address() = 0;
    }
    CHECK_CHILD(TEST_STATUS_KILLED,
                "a store to program text did not kill the process: only an entry that has the "
                "copy-on-write bit may be made writable, and only where the region allows writing");
    CHECK_EQUAL(1, faults_since(&before, FAULT_REFUSED),
                "the store to program text was not refused by vm_fault");
    IN_CHILD {
        check_calls_refuse_text();
        check_text(saved);
    }
    check_calls_refuse_text();
    check_text(saved);
    CHECK_CHILD(0);
    check_text(saved);
}

TEST(constants_are_read_only) {
    static const char constant[16] = "constant";
    CHECK_STRING("constant", constant);
    IN_CHILD {
        CHECK_EQUAL(PAGE_PRESENT,
                    test_page(constant).flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_COW),
                    CONSTANT_WRITABLE);
        int fd = open(PROGRAM, O_RDONLY);
        CHECK_FAILS(read(fd, (char *)constant, 1), EFAULT, TEXT_WRITTEN);
        *(volatile char *)constant = 0;
    }
    CHECK_CHILD(TEST_STATUS_KILLED, "a store to a constant did not kill the process: only an entry "
                                    "that has the copy-on-write bit may be made writable");
    CHECK_STRING("constant", constant);
    CHECK_EQUAL(PAGE_PRESENT, test_page(constant).flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_COW),
                CONSTANT_WRITABLE);
}

// Fork and exec, as a shell does: almost nothing is copied, and afterwards the parent has its pages
// to itself.
TEST(fork_and_exec_copy_almost_nothing) {
    enum { PAGES = 256 };
    char *pages = heap_grow_filled(PAGES, 1);
    test_own_pages();
    struct memstat before = test_memstat();
    IN_CHILD {
        program_execute("--exit");
    }
    CHECK_CHILD(7, "the program that the child executed did not run well");
    CHECK(faults_since(&before, FAULT_COW_COPY) <= 16, "fork and exec copy more than a few pages");
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free(),
                "frames are lost by fork and exec: does exec drop every reference of the old "
                "address space?");
    for (size_t i = 0; i < PAGES; i += PAGES / 8)
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_MARKED, 1);
    CHECK_PATTERN(pages, PAGES, 1, TO_PARENT);
}

// Processes that run one program share its text, though exec made their address spaces.
TEST(exec_shares_text) {
    int input[2], output[2];
    char byte;
    pipe_open(input);
    pipe_open(output);
    struct pageinfo before = test_page(_start);
    pid_t child = TEST_FORK();
    if (child == 0) {
        close(0);
        close(1);
        CHECK(dup(input[0]) == 0 && dup(output[1]) == 1, PIPE_FAILS);
        close(input[1]);
        program_execute("--read");
    }
    close(output[1]);
    TEST_WAITS("the program that the child executed to write a byte");
    CHECK_EQUAL(1, read(output[0], &byte, 1), "the program that the child executed has died");
    CHECK_FRAME(before.frame, page_of(child, _start).frame,
                "two processes that run one program do not share its text: the page must be the "
                "block cache's frame, and fork must share it, not copy it");
    CHECK_EQUAL(before.sharers + 1, page_of(child, _start).sharers,
                "the frame's count does not grow by one for each process that runs the program");
    CHECK_EQUAL(1, write(input[1], "\x21", 1), PIPE_FAILS);
    CHECK_CHILD(0x21, "the program that the child executed did not run well");
}
