// Tests of kernel files on the host. A test file has TEST(name) { ... } bodies and is linked with
// host.c (main, RAM, panic, print) and, for code that sleeps, sched.c. Each test runs in a process
// of its own. `./test NAME...` runs only those tests; V=1 in the environment shows what the kernel
// code prints.
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/types.h"
#include "lib/span.h"

struct test {
    const char *name;
    void (*body)(void);
    struct test *next;
};

void test_register(struct test *t);

// Ends the running test with a failure.
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define TEST(id) \
    static void test_##id(void); \
    static struct test test_record_##id = {#id, test_##id, NULL}; \
    __attribute__((constructor)) static void test_register_##id(void) { \
        test_register(&test_record_##id); \
    } \
    static void test_##id(void)

#define CHECK(condition) \
    ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, "expected %s, saw it false", #condition))

// Compares integers.
#define CHECK_EQUAL(expected, actual) \
    do { \
        long long expected_ = (long long)(expected), actual_ = (long long)(actual); \
        if (expected_ != actual_) \
            test_fail(__FILE__, __LINE__, "expected %s = %lld, saw %lld", #actual, expected_, \
                      actual_); \
    } while (0)

// Compares strings.
#define CHECK_STRING(expected, actual) \
    do { \
        const char *expected_ = (expected), *actual_ = (actual); \
        if (__builtin_strcmp(expected_, actual_) != 0) \
            test_fail(__FILE__, __LINE__, "expected \"%s\", saw \"%s\"", expected_, actual_); \
    } while (0)

// Runs a statement in a process of its own, which has to succeed.
#define IN_PROCESS(statement) \
    do { \
        int status_ = -1; \
        fflush(stdout); \
        if (fork() == 0) { \
            statement; \
            _exit(0); \
        } \
        wait(&status_); \
        if (status_ != 0) /* the process has printed why */ \
            _exit(1); \
    } while (0)

// Runs a statement that must end in panic or a failed assert; host_printed then holds the message.
#define CHECK_PANICS(statement) \
    do { \
        jmp_buf here_, *before_ = host_panic_return; \
        host_panic_return = &here_; \
        if (setjmp(here_) == 0) { \
            statement; \
            host_panic_return = before_; \
            test_fail(__FILE__, __LINE__, "expected a panic in %s, saw none", #statement); \
        } \
        host_panic_return = before_; \
    } while (0)

extern jmp_buf *host_panic_return;

// The end of what the kernel code printed since the test began.
extern char host_printed[4096];
void host_printed_clear(void);

// Gives phys_to_ptr that many bytes of RAM from HOST_RAM_BASE on, filled with junk. Earlier RAM is
// gone.
extern char *host_ram;
void host_ram_init(size_t bytes);

// A repeatable random number below n.
uint32_t host_random(uint32_t n);
void host_random_seed(uint64_t seed);

// A transfer of one buffer.
static inline struct spans spans_of(void *base, size_t size) {
    return (struct spans){.size = size, .count = 1, .span = {{base, size}}};
}

// ---- Tasks (sched.c) ----

// Tasks run one at a time; a context switch happens only where one sleeps or yields. Starts a task,
// which first runs when the caller sleeps or calls host_task_wait_all.
void host_task_start(void (*body)(void *), void *argument);

// Returns when all tasks have ended.
void host_task_wait_all(void);

// Called when no task can run; returns false if it cannot change that, and the test fails.
extern bool (*host_idle)(void);

// ---- Places for context switches (places.c) ----

// A place where another task may run. There is one before and after each call of a mutex; tests may
// add others. With host_yields another task runs there at random.
void host_maybe_yield(void);
extern bool host_yields;

// Called before a mutex is locked and after it is unlocked, with its rank (enum lock_rank), so that
// a test can hold a task there until another task has come as far as it should.
extern void (*host_before_lock)(unsigned rank);
extern void (*host_after_unlock)(unsigned rank);

// For two tasks, instead of chance: the running one passes as many places as the first number says,
// lets the other pass as many as the next number says, and so on. After the last number, -1, they
// switch only where one sleeps. A number counts down to -1 when its place is reached.
extern int *host_plan;
