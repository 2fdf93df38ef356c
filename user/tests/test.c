// The framework: chooses the tests, runs each in a child and judges it by its message, its status,
// the free frames and the invariant checker. The child sends its message through a pipe, whose end
// also tells when every process of the test is gone.
#include "test.h"

#include "cow6.h"
#include "lib/format.h"

enum {
    PAGE_BYTES = 4096,
    PROGRAM_START = 0x10000,
    TEXT_BYTES = 240,  // a message with its final zero
    STATUS_FAILED = 1, // of a process that sent a message
    STACK_PAGES_BELOW = 2,
    PROGRAM_PAGES_MAX = 256,
};

#define TRACE_MARK '@' // a message that starts so names a CHECK that was passed
#define SCRATCH "/test.scratch"

// The linker puts these around the section that TEST fills.
extern const struct test __start_tests[], __stop_tests[];

struct outcome {
    int status;
    char failure[TEXT_BYTES];    // the first message, "" if there was none
    char last_check[TEXT_BYTES]; // of a traced run
};

struct selection {
    char **names;
    int count; // 0: all tests
    bool quick, list;
    int times;
};

bool test_tracing;

static uint64_t violations_blamed; // broken invariants found after earlier tests

// What test_own_pages writes to.
static uintptr_t data_pages[64];
static size_t data_count;
static uintptr_t stack_end;

static void send(const char *text) {
    if (write(TEST_FD, text, (int)strlen(text) + 1) < 0) printf("%s\n", text);
}

void test_fail(const char *file, int line, const char *format, ...) {
    char what[TEXT_BYTES], text[TEXT_BYTES + 80];
    va_list arguments;
    va_start(arguments, format);
    format_list(what, sizeof what - 80, format, arguments);
    va_end(arguments);
    snprintf(text, TEXT_BYTES, "%s (%s:%d)", what, file, line);
    send(text);
    exit(STATUS_FAILED);
}

void test_exit(void) { exit(0); }

void test_trace(const char *file, int line) {
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%c%s:%d", TRACE_MARK, file, line);
    send(text);
}

static void trace(const char *file, int line) {
    if (test_tracing) test_trace(file, line);
}

void test_check_equal(const char *file, int line, const char *seen_text, long seen, const char *expected_text,
                      long expected) {
    if (seen != expected)
        test_fail(file, line, "expected %s = %s = %ld, saw %ld", seen_text, expected_text, expected, seen);
    trace(file, line);
}

void test_check_fails(const char *file, int line, const char *call, long result, const char *name, int error) {
    if (result != -1) test_fail(file, line, "expected %s to fail with %s, saw %ld", call, name, result);
    if (errno != error) test_fail(file, line, "expected %s to fail with %s, saw: %s", call, name, strerror(errno));
    trace(file, line);
}

void test_check_string(const char *file, int line, const char *text, const char *seen, const char *expected) {
    if (strcmp(seen, expected) != 0) test_fail(file, line, "expected %s = \"%s\", saw \"%s\"", text, expected, seen);
    trace(file, line);
}

void test_check_bytes(const char *file, int line, const char *text, const void *p, int value, size_t n) {
    const uint8_t *byte = p;
    for (size_t i = 0; i < n; i++) {
        if (byte[i] != (uint8_t)value)
            test_fail(file, line, "expected byte %zu of %s = %d, saw %d", i, text, (uint8_t)value, byte[i]);
    }
    trace(file, line);
}

pid_t test_fork(const char *file, int line) {
    pid_t pid = fork();
    if (pid < 0) test_fail(file, line, "expected fork to work, saw: %s", strerror(errno));
    return pid;
}

void test_check_child(const char *file, int line, int expected_status) {
    int status = 0;
    if (wait(&status) < 0) test_fail(file, line, "expected a child to wait for, saw: %s", strerror(errno));
    if (status != expected_status)
        test_fail(file, line, "expected a child's status %d, saw %d", expected_status, status);
    trace(file, line);
}

void test_check_children(const char *file, int line, int count) {
    for (int i = 0; i < count; i++) test_check_child(file, line, 0);
}

struct memstat test_memstat(void) {
    struct memstat now;
    if (memstat(&now, 0) < 0) FAIL("expected memstat to work, saw: %s", strerror(errno));
    return now;
}

uint64_t test_frames_free(void) { return test_memstat().frames_free; }

struct pageinfo test_page(const void *p) {
    struct pageinfo info;
    int n = pagemap(getpid(), (uintptr_t)p / PAGE_BYTES * PAGE_BYTES, &info, 1);
    if (n != 1) FAIL("expected pagemap to describe 1 page, saw %d", n);
    return info;
}

// Writes to a page and leaves its contents.
static void write_page(uintptr_t va) {
    volatile char *byte = (volatile char *)va;
    *byte = *byte;
}

void test_own_pages(void) {
    volatile char below[STACK_PAGES_BELOW * PAGE_BYTES];
    for (size_t i = 0; i < sizeof below; i += PAGE_BYTES) below[i] = 0;
    for (uintptr_t va = (uintptr_t)below / PAGE_BYTES * PAGE_BYTES; va < stack_end; va += PAGE_BYTES) write_page(va);
    for (size_t i = 0; i < data_count; i++) write_page(data_pages[i]);
}

// Finds the pages for test_own_pages: the stack's, and those of the data that have been used. Reads
// those of text and constants, the last of which may take a frame when it is first touched.
static void find_pages(void) {
    struct pageinfo info[PROGRAM_PAGES_MAX];
    int n = pagemap(getpid(), PROGRAM_START, info, PROGRAM_PAGES_MAX);
    int stack_first = (int)(((uintptr_t)info - PROGRAM_START) / PAGE_BYTES), stack_last = stack_first;
    if (n != PROGRAM_PAGES_MAX || stack_first >= n)
        FAIL("expected the program and its stack within %d pages, saw more", PROGRAM_PAGES_MAX);
    while (stack_first > 0 && info[stack_first - 1].flags & PAGE_REGION) stack_first--;
    while (stack_last < n && info[stack_last].flags & PAGE_REGION) stack_last++;
    stack_end = PROGRAM_START + (uintptr_t)stack_last * PAGE_BYTES;
    for (int i = 0; i < stack_first; i++) {
        uintptr_t va = PROGRAM_START + (uintptr_t)i * PAGE_BYTES;
        bool unused_data = (info[i].flags & (PAGE_FILE | PAGE_PRESENT)) == PAGE_FILE;
        if (!(info[i].flags & (PAGE_WRITE | PAGE_COW))) {
            if (info[i].flags & PAGE_READ) (void)*(volatile char *)va;
        } else if (!unused_data && data_count < ARRAY_SIZE(data_pages)) {
            data_pages[data_count++] = va;
        }
    }
}

// Tells whether a process lives that descends from this one and has lost its parent.
static bool orphan_lives(void) {
    struct procinfo info;
    pid_t pid = procinfo(getpid() + 1, &info);
    while (pid > 0 && info.parent != 1) pid = procinfo(pid + 1, &info);
    return pid > 0;
}

uint64_t test_settle(uint64_t frames_free) {
    while (test_frames_free() != frames_free && orphan_lives()) sleep(1);
    return test_frames_free();
}

// Removes everything in the current directory.
static void remove_contents(void) {
    struct dirent entry;
    int fd = open(".", O_RDONLY);
    while (fd >= 0 && read(fd, &entry, sizeof entry) == sizeof entry) {
        char name[NAME_BYTES + 1] = {0};
        memcpy(name, entry.name, NAME_BYTES);
        if (entry.inum == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        if (unlink(name) == 0 || chdir(name) < 0) continue;
        close(fd); // a directory: there may be more of them than descriptors
        remove_contents();
        if (chdir("..") < 0 || unlink(name) < 0) return;
        fd = open(".", O_RDONLY);
    }
    close(fd);
}

// Removes the scratch directory, in a child, which may need more of the stack than its parent.
static void scratch_remove(void) {
    if (fork() == 0) {
        if (chdir(SCRATCH) == 0) remove_contents();
        if (chdir("/") == 0) unlink(SCRATCH);
        exit(0);
    }
    wait(NULL);
}

static void scratch_enter(void) {
    scratch_remove();
    if (mkdir(SCRATCH) < 0 || chdir(SCRATCH) < 0)
        FAIL("expected an empty directory %s, saw: %s", SCRATCH, strerror(errno));
}

// The child: takes the highest descriptor for messages, waits until the parent needs no more frames, runs.
static _Noreturn void run_in_child(const struct test *test, bool scratch, const int *report, const int *go) {
    close(report[0]);
    close(go[1]);
    int low[TEST_FD], n = 0, fd = report[1];
    for (; fd >= 0 && fd != TEST_FD; fd = dup(report[1])) low[n++] = fd;
    while (n > 0) close(low[--n]);
    char byte;
    read(go[0], &byte, 1); // its end: a byte would come before the parent's close, which may give back the pipe's frame
    close(go[0]);
    test_own_pages();
    if (scratch) scratch_enter();
    test->run();
    exit(0);
}

static void message_take(struct outcome *outcome, const char *text) {
    if (text[0] == TRACE_MARK)
        string_copy(outcome->last_check, text + 1, TEXT_BYTES);
    else if (outcome->failure[0] == '\0')
        string_copy(outcome->failure, text, TEXT_BYTES);
}

// Reads messages until no process is left that could send one.
static void messages_read(int fd, struct outcome *outcome) {
    char text[TEXT_BYTES], chunk[64];
    size_t length = 0;
    int n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        for (int i = 0; i < n; i++) {
            if (length < sizeof text - 1 || chunk[i] == '\0') text[length++] = chunk[i];
            if (chunk[i] == '\0') {
                message_take(outcome, text);
                length = 0;
            }
        }
    }
}

// Runs the test in a child and reports how it went.
static void run_once(const struct test *test, bool scratch, struct outcome *outcome) {
    int report[2], go[2];
    *outcome = (struct outcome){.status = STATUS_FAILED};
    if (pipe(report) < 0 || pipe(go) < 0) {
        string_copy(outcome->failure, "expected two pipes, saw none", TEXT_BYTES);
        return;
    }
    pid_t child = fork();
    if (child == 0) run_in_child(test, scratch, report, go);
    close(report[1]);
    close(go[0]);
    test_own_pages();
    close(go[1]);
    messages_read(report[0], outcome);
    close(report[0]);
    if (child < 0) string_copy(outcome->failure, "expected fork to work, saw it fail", TEXT_BYTES);
    int status;
    for (pid_t pid; (pid = wait(&status)) >= 0;) { // as process 1 it also gets the orphans
        if (pid == child) outcome->status = status;
    }
    if (scratch) scratch_remove();
}

// Says in `text` if frames are missing, or if invariants are broken that no earlier test was blamed for.
static void judge_memory(const struct test *test, uint64_t frames_before, char *text) {
    test_own_pages();
    uint64_t frames_after = test_settle(frames_before);
    struct memstat stat = {0};
    memstat(&stat, MEMSTAT_CHECK);
    if (frames_after != frames_before)
        snprintf(text, TEXT_BYTES, "expected %lu frames free afterwards, saw %lu (%s)", (unsigned long)frames_before,
                 (unsigned long)frames_after, test->file);
    else if (stat.violations > violations_blamed)
        snprintf(text, TEXT_BYTES, "expected no broken invariant, saw %lu (%s)",
                 (unsigned long)(stat.violations - violations_blamed), test->file);
    violations_blamed = stat.violations;
}

// Says what was wrong with a test that sent no message, or leaves the text empty.
static void judge(const struct test *test, bool scratch, uint64_t frames_before, struct outcome *outcome) {
    char *text = outcome->failure;
    if (outcome->status == TEST_STATUS_KILLED) {
        struct outcome traced;
        test_tracing = true;
        run_once(test, scratch, &traced);
        test_tracing = false;
        snprintf(text, TEXT_BYTES, "expected exit status 0, saw it killed (last CHECK passed: %s)",
                 traced.last_check[0] != '\0' ? traced.last_check : "none");
        return;
    }
    if (outcome->status != 0) {
        snprintf(text, TEXT_BYTES, "expected exit status 0, saw %d (%s)", outcome->status, test->file);
        return;
    }
    judge_memory(test, frames_before, text);
}

// Runs the test, prints its line and tells whether it passed.
static bool run_test(const struct test *test, bool scratch) {
    struct outcome outcome;
    test_own_pages();
    uint64_t frames_before = test_frames_free();
    run_once(test, scratch, &outcome);
    if (outcome.failure[0] == '\0') judge(test, scratch, frames_before, &outcome);
    if (outcome.failure[0] != '\0')
        printf("%s: FAIL %s\n", test->name, outcome.failure);
    else
        printf("%s: ok\n", test->name);
    return outcome.failure[0] == '\0';
}

static bool is_named(const struct test *test, const char *name) {
    return strcmp(name, test->name) == 0 || strcmp(name, test->family) == 0;
}

static bool is_selected(const struct selection *selection, const struct test *test) {
    bool named = selection->count == 0;
    for (int i = 0; i < selection->count; i++) named = named || is_named(test, selection->names[i]);
    return named && !(selection->quick && test->slow);
}

// Complains of a name that is no test's and no family's.
static bool names_are_known(const struct selection *selection) {
    for (int i = 0; i < selection->count; i++) {
        const struct test *test = __start_tests;
        while (test < __stop_tests && !is_named(test, selection->names[i])) test++;
        if (test == __stop_tests) {
            fprintf(2, "%s: no such test\n", selection->names[i]);
            return false;
        }
    }
    return true;
}

// Reads the arguments; false if they are wrong.
static bool selection_read(struct selection *selection, int argc, char **argv) {
    *selection = (struct selection){.times = 1};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-l") == 0) {
            selection->list = true;
        } else if (strcmp(argv[i], "-q") == 0) {
            selection->quick = true;
        } else if (strcmp(argv[i], "-r") == 0 && i + 1 < argc) {
            selection->times = 0;
            for (const char *digit = argv[++i]; *digit >= '0' && *digit <= '9'; digit++)
                selection->times = selection->times * 10 + (*digit - '0');
        } else {
            fprintf(2, "usage: %s [-l] [-q] [-r times] [name ...]\n", argv[0]);
            return false;
        }
    }
    selection->names = argv + i;
    selection->count = argc - i;
    return true;
}

static void do_nothing(void) {}

// Runs an empty test: afterwards each page that the framework uses has its frame.
static void warm_up(bool scratch) {
    static const struct test empty = {"", "", __FILE__, do_nothing, false};
    struct outcome outcome;
    run_once(&empty, scratch, &outcome);
    find_pages();
    test_own_pages();
    judge(&empty, scratch, test_frames_free(), &outcome);
    violations_blamed = 0;
}

static void list_tests(const struct selection *selection) {
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (is_selected(selection, test)) printf("%s\n", test->name);
    }
}

int test_main(int argc, char **argv, const struct test_program *program) {
    struct selection selection;
    if (!selection_read(&selection, argc, argv) || !names_are_known(&selection)) return 1;
    if (selection.list) {
        list_tests(&selection);
        return 0;
    }
    int passed = 0, failed = 0;
    warm_up(program->scratch);
    for (int round = 0; round < selection.times; round++) {
        for (const struct test *test = __start_tests; test < __stop_tests; test++) {
            if (!is_selected(&selection, test)) continue;
            if (run_test(test, program->scratch))
                passed++;
            else
                failed++;
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    if (failed == 0 && passed > 0 && program->last_line != NULL) printf("%s\n", program->last_line);
    return failed == 0 ? 0 : 1;
}
