// What the parts of the framework share: test_run.c chooses and judges tests, test_start.c starts
// one, and test.c has the checks, which run in it.
#pragma once

#include "abi/types.h"
#include "test.h"

enum {
    MESSAGE_BYTES = 400, // of a message with its final zero
    PLACE_BYTES = 60,    // of these: the place in the source
    STATUS_FAILED = 1,   // of a process that sent a message
};

// The first byte of a message.
enum {
    MARK_FAILURE = '!',
    MARK_PASSED = '@', // traced: a CHECK was passed
    MARK_WAITS = '?',  // traced: the test's first process waits
    MARK_DEATH = '~',  // what it means if the test's first process is killed from now on
};

// Finds the pages for test_own_pages: those of the stack, and those of the data that have been
// used. Reads those of text and constants, because a page of these may take a frame at its first
// touch.
void test_find_pages(void);

// The outcome of running a test once.
struct outcome {
    int status;
    char failure[MESSAGE_BYTES];    // the first message, "" if there was none
    char hang[MESSAGE_BYTES];       // why the watchdog ended it, "" if it did not
    char last_check[MESSAGE_BYTES]; // of a traced run: the last one that was passed
    char waits[MESSAGE_BYTES];      // what the test's first process waited for last
    char death[MESSAGE_BYTES];      // what it means if that process is killed
};

// The program, and its results so far.
struct test_run {
    const struct test_program *program;
    int passed, failed;
};

extern struct test_run test_run;

// Runs the test in a process of its own. Traced: it also says which checks it passes and what it
// waits for.
void test_run_once(const struct test *test, bool tracing, struct outcome *outcome);

// Removes the directory in which tests run.
void test_remove_scratch(void);

// What the program does when it is executed to run a test, or to remove that directory.
_Noreturn void test_run_here(const struct test *test, int report, int go, bool tracing);
_Noreturn void test_clean_here(void);
