// What runs in a test's process: the checks, which send a message and end the process if they fail,
// and the pages and files that a test begins with. test_run.c starts and judges the process.
#include "test.h"

#include "cow6.h"
#include "lib/format.h"
#include "test_run.h"

enum {
    PROGRAM_START = 0x10000,
    STACK_PAGES_BELOW = 2,
    PROGRAM_PAGES_MAX = 496, // which end at 2 MiB
};

bool test_tracing;

// What test_own_pages writes to.
static uintptr_t data_pages[64];
static size_t data_count;
static uintptr_t stack_end;

// ---- Messages ----

static void send(char mark, const char *text, const char *file, int line) {
    char message[MESSAGE_BYTES];
    char place[PLACE_BYTES];
    snprintf(place, sizeof place, " (%s:%d)", file, line);
    snprintf(message, sizeof message - strlen(place), "%c%s", mark, text);
    strcat(message, place);
    if (write(TEST_FD, message, (int)strlen(message) + 1) < 0)
        printf("%s\n", message);
}

void test_fail(const char *file, int line, const char *format, ...) {
    char text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    send(MARK_FAILURE, text, file, line);
    exit(STATUS_FAILED);
}

void test_fail_check(const char *file, int line, const char *meaning, const char *format, ...) {
    char facts[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_list(facts, sizeof facts, format, arguments);
    va_end(arguments);
    if (meaning[0] == '\0')
        test_fail(file, line, "%s", facts);
    test_fail(file, line, "%s [%s]", meaning, facts);
}

void test_exit(void) {
    exit(0);
}

void test_trace(const char *file, int line) {
    send(MARK_PASSED, "", file, line);
}

void test_waits(const char *file, int line, const char *what) {
    if (test_tracing && getpid() == test_process)
        send(MARK_WAITS, what, file, line);
}

void test_death_means(const char *file, int line, const char *what) {
    send(MARK_DEATH, what, file, line);
}

static void trace(const char *file, int line) {
    if (test_tracing)
        test_trace(file, line);
}

// ---- Checks ----

void test_check_equal(const char *file, int line, const char *meaning, const char *expected_text,
                      long expected, const char *actual_text, long actual) {
    if (expected != actual)
        test_fail_check(file, line, meaning, "expected %s = %s = %ld, saw %ld", actual_text,
                        expected_text, expected, actual);
    trace(file, line);
}

void test_check_frame(const char *file, int line, const char *meaning, const char *expected_text,
                      uint64_t expected, const char *actual_text, uint64_t actual) {
    if (expected != actual)
        test_fail_check(file, line, meaning, "expected %s = %s = 0x%lx, saw 0x%lx", actual_text,
                        expected_text, expected, actual);
    trace(file, line);
}

void test_check_fails(const char *file, int line, const char *meaning, const char *call,
                      long result, const char *name, int error) {
    if (result != -1)
        test_fail_check(file, line, meaning, "expected %s to fail with %s, saw %ld", call, name,
                        result);
    if (errno != error)
        test_fail_check(file, line, meaning, "expected %s to fail with %s, saw: %s", call, name,
                        strerror(errno));
    trace(file, line);
}

void test_check_string(const char *file, int line, const char *expected, const char *actual_text,
                       const char *actual) {
    if (strcmp(expected, actual) != 0)
        test_fail(file, line, "expected %s = \"%s\", saw \"%s\"", actual_text, expected, actual);
    trace(file, line);
}

void test_check_bytes(const char *file, int line, const char *meaning, const char *text,
                      const void *p, int value, size_t n) {
    const uint8_t *byte = p;
    for (size_t i = 0; i < n; i++) {
        if (byte[i] != (uint8_t)value)
            test_fail_check(file, line, meaning, "expected byte %zu of %s = %d, saw %d", i, text,
                            (uint8_t)value, byte[i]);
    }
    trace(file, line);
}

pid_t test_fork(const char *file, int line) {
    pid_t pid = fork();
    if (pid < 0)
        test_fail(
            file, line,
            "fork fails: does it copy pages, or have frames been lost? [expected a child, saw: %s]",
            strerror(errno));
    return pid;
}

void test_check_child(const char *file, int line, const char *meaning, int expected_status) {
    static const char *const killed = "a child that did nothing wrong was killed: the kernel's "
                                      "line above says at which address, and why";
    static const char *const survived = "a child survived an access that must kill it: the kernel "
                                        "must refuse the access and kill the process";
    int status = 0;
    test_waits(file, line, "a child to end");
    if (wait(&status) < 0)
        test_fail(file, line, "a child is lost [expected one to wait for, saw: %s]",
                  strerror(errno));
    if (meaning[0] == '\0' && status == TEST_STATUS_KILLED)
        meaning = killed;
    if (meaning[0] == '\0' && expected_status == TEST_STATUS_KILLED)
        meaning = survived;
    if (status != expected_status)
        test_fail_check(file, line, meaning, "expected a child's status %d, saw %d",
                        expected_status, status);
    trace(file, line);
}

void test_check_children(const char *file, int line, const char *meaning, int count) {
    for (int i = 0; i < count; i++)
        test_check_child(file, line, meaning, 0);
}

// ---- Memory ----

struct memstat test_memstat(void) {
    struct memstat now;
    if (memstat(&now, 0) < 0)
        FAIL("expected memstat to work, saw: %s", strerror(errno));
    return now;
}

uint64_t test_frames_free(void) {
    return test_memstat().frames_free;
}

struct pageinfo test_page(const void *p) {
    struct pageinfo info;
    int n = pagemap(getpid(), (uintptr_t)p / PAGE_BYTES * PAGE_BYTES, &info, 1);
    if (n != 1)
        FAIL("expected pagemap to describe 1 page, saw %d", n);
    return info;
}

// Writes to a page without changing its contents.
static void write_page(uintptr_t va) {
    volatile char *byte = (volatile char *)va;
    *byte = *byte;
}

void test_own_pages(void) {
    volatile char below[STACK_PAGES_BELOW * PAGE_BYTES];
    for (size_t i = 0; i < sizeof below; i += PAGE_BYTES)
        below[i] = 0;
    for (uintptr_t va = (uintptr_t)below / PAGE_BYTES * PAGE_BYTES; va < stack_end;
         va += PAGE_BYTES)
        write_page(va);
    for (size_t i = 0; i < data_count; i++)
        write_page(data_pages[i]);
}

void test_find_pages(void) {
    struct pageinfo info[PROGRAM_PAGES_MAX];
    int n = pagemap(getpid(), PROGRAM_START, info, PROGRAM_PAGES_MAX);
    int stack_first = (int)(((uintptr_t)info - PROGRAM_START) / PAGE_BYTES),
        stack_last = stack_first;
    if (n != PROGRAM_PAGES_MAX || stack_first >= n)
        FAIL("expected the program and its stack within %d pages, saw more", PROGRAM_PAGES_MAX);
    while (stack_first > 0 && info[stack_first - 1].flags & PAGE_REGION)
        stack_first--;
    while (stack_last < n && info[stack_last].flags & PAGE_REGION)
        stack_last++;
    stack_end = PROGRAM_START + (uintptr_t)stack_last * PAGE_BYTES;
    for (int i = 0; i < stack_first; i++) {
        uintptr_t va = PROGRAM_START + (uintptr_t)i * PAGE_BYTES;
        bool unused_data = (info[i].flags & (PAGE_FILE | PAGE_PRESENT)) == PAGE_FILE;
        if (!(info[i].flags & (PAGE_WRITE | PAGE_COW))) {
            if (info[i].flags & PAGE_READ)
                (void)*(volatile char *)va;
        } else if (!unused_data && data_count < ARRAY_SIZE(data_pages)) {
            data_pages[data_count++] = va;
        }
    }
}

// A process that has lost its parent; process 1 may also be the one that runs the tests, with a
// watchdog.
static bool is_orphan(const struct procinfo *info) {
    return info->parent == 1 && strcmp(info->name, "watchdog") != 0;
}

bool test_orphan_lives(void) {
    struct procinfo info;
    pid_t pid = procinfo(getpid() + 1, &info);
    while (pid > 0 && !is_orphan(&info))
        pid = procinfo(pid + 1, &info);
    return pid > 0;
}

uint64_t test_settle(uint64_t frames_free) {
    while (test_frames_free() != frames_free && test_orphan_lives())
        sleep(1);
    return test_frames_free();
}
