// The guest tests' framework. A test is a function declared with TEST; it runs in a process of its
// own, so that one that fails or crashes cannot hurt the others, and a watchdog ends it if it
// hangs. The first CHECK that fails, in the test's process or in any process forked from it, ends
// that process and the test with a message. After each test every frame must be free that was free
// before it, and the kernel's invariant checker must find nothing.
#pragma once

#include "abi/memory.h"
#include "abi/types.h"

// ---- Tests ----

struct test {
    const char *name;
    const char *family; // "" if it has none
    const char *file;
    void (*run)(void);
    bool slow;
};

// What a program's main passes to test_main.
struct test_program {
    const char *path;      // of the program itself, which is executed again for each test
    const char *last_line; // printed at the very end if all tests ran and passed; NULL: none
    bool scratch;          // each test starts in an empty directory, which is removed afterwards
};

// A file may define its family's name before it includes this header.
#ifndef TEST_FAMILY
#define TEST_FAMILY ""
#endif

// Keeps the tests in the program: clang's linker drops what is not referenced, gcc changes the
// order.
#ifdef __clang__
#define TEST_KEEP retain
#else
#define TEST_KEEP no_reorder
#endif

#define TEST_DEFINE(title, is_slow) \
    static void test_##title(void); \
    static const struct test test_entry_##title \
        __attribute__((TEST_KEEP, used, section("tests"), aligned(8))) = { \
            #title, TEST_FAMILY, __FILE__, test_##title, is_slow}; \
    static void test_##title(void)

// Define a test: TEST(name) { ... }. Tests run in the order of the linked files and of their lines.
#define TEST(title) TEST_DEFINE(title, false)
#define TEST_SLOW(title) TEST_DEFINE(title, true) // left out with -q

// ---- Checks ----

// The checks: each ends the test unless what it says is true. They take one more argument, a string
// that tells the author of the kernel what a failure means and where to look:
//     CHECK(fd >= 0, "a file that exists does not open: see path_lookup").
#define CHECK(condition, ...) \
    ((condition) ? TEST_HERE \
                 : test_fail_check(__FILE__, __LINE__, "" __VA_ARGS__, \
                                   "expected %s, saw it false", #condition))

// The two numbers are equal.
#define CHECK_EQUAL(expected, actual, ...) \
    test_check_equal(__FILE__, __LINE__, "" __VA_ARGS__, #expected, (long)(expected), #actual, \
                     (long)(actual))

// The two are the same frame number; a message shows them in hexadecimal, as everywhere.
#define CHECK_FRAME(expected, actual, ...) \
    test_check_frame(__FILE__, __LINE__, "" __VA_ARGS__, #expected, (expected), #actual, (actual))

// The call returns -1 and sets errno to the error.
#define CHECK_FAILS(call, error, ...) \
    test_check_fails(__FILE__, __LINE__, "" __VA_ARGS__, #call, (long)(call), #error, (error))

// The two strings are equal.
#define CHECK_STRING(expected, actual) \
    test_check_string(__FILE__, __LINE__, (expected), #actual, (actual))

// All n bytes from p on have that value.
#define CHECK_BYTES(p, value, n, ...) \
    test_check_bytes(__FILE__, __LINE__, "" __VA_ARGS__, #p, (p), (value), (n))

// Ends the test with a message of the caller's: FAIL("expected %d, saw %d", 1, n).
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

// ---- Children ----

// fork that must succeed: 0 in the child, the child's pid in the parent.
#define TEST_FORK() test_fork(__FILE__, __LINE__)

// The statement that follows runs in a forked child, which then exits with status 0:
//     IN_CHILD { ... }
// It may exit earlier with a status of its own.
#define IN_CHILD for (; TEST_FORK() == 0; test_exit())

// Waits for a child, whichever ends first; its status must be the expected one.
#define CHECK_CHILD(expected_status, ...) \
    test_check_child(__FILE__, __LINE__, "" __VA_ARGS__, (expected_status))

// Waits for that many children, each of which must exit with status 0.
#define CHECK_CHILDREN(count, ...) test_check_children(__FILE__, __LINE__, "" __VA_ARGS__, (count))

// ---- Explanations ----

// Says what it means if the test's own process is killed from now on.
#define TEST_DEATH_MEANS(what) test_death_means(__FILE__, __LINE__, (what))

// Says what the test waits for from now on, in case it never comes:
//     TEST_WAITS("the child to write a byte").
#define TEST_WAITS(what) test_waits(__FILE__, __LINE__, (what))

enum {
    TEST_STATUS_KILLED = -1, // what wait reports for a killed process
    TEST_FD = 15,            // open in each test: the framework's, for messages
};

// ---- Running ----

// Runs the tests or families that the arguments name, or all of them:
//   [-l] [-q] [-r times] [name ...]
// -l only lists them, -q leaves out the slow ones, -r repeats them. Prints a line for each test,
// then "N passed, M failed". Returns the program's exit status: 0 if all passed, 1 if one failed, 2
// if the arguments are wrong.
int test_main(int argc, char **argv, const struct test_program *program);

// ---- Memory ----

// What memstat reports now.
struct memstat test_memstat(void);
uint64_t test_frames_free(void);

// What pagemap reports about the calling process's page that holds *p.
struct pageinfo test_page(const void *p);

// Writes to the pages of the program's data, of the stack in use and of the next ones below it, so
// that the caller's own work costs no frame from then on, whatever fork has shared before.
void test_own_pages(void);

// Whether there is a descendant of this process that has lost its parent.
bool test_orphan_lives(void);

// Waits until that many frames are free, or no orphan is left that may still free some: for
// processes for which no parent can wait. Returns how many are free then.
uint64_t test_settle(uint64_t frames_free);

// ---- Behind the macros ----

// What the macros call. `meaning` is "" if the caller gave none.
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void test_fail_check(const char *file, int line, const char *meaning, const char *format,
                               ...) __attribute__((format(printf, 4, 5)));
_Noreturn void test_exit(void);
void test_check_equal(const char *file, int line, const char *meaning, const char *expected_text,
                      long expected, const char *actual_text, long actual);
void test_check_frame(const char *file, int line, const char *meaning, const char *expected_text,
                      uint64_t expected, const char *actual_text, uint64_t actual);
void test_check_fails(const char *file, int line, const char *meaning, const char *call,
                      long result, const char *name, int error);
void test_check_string(const char *file, int line, const char *expected, const char *actual_text,
                       const char *actual);
void test_check_bytes(const char *file, int line, const char *meaning, const char *text,
                      const void *p, int value, size_t n);
pid_t test_fork(const char *file, int line);
void test_check_child(const char *file, int line, const char *meaning, int expected_status);
void test_check_children(const char *file, int line, const char *meaning, int count);
void test_waits(const char *file, int line, const char *what);
void test_death_means(const char *file, int line, const char *what);

// The pid of the test's first process.
extern pid_t test_process;

// Set while a test that was killed runs a second time, to find the last CHECK that it passes and
// what it waits for.
extern bool test_tracing;
void test_trace(const char *file, int line);
#define TEST_HERE (test_tracing ? test_trace(__FILE__, __LINE__) : (void)0)
