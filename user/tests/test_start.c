// One run of a test: starts it in a process of its own with a watchdog beside it, and collects
// their messages.
//
// The test's process is this program, executed anew by vfork and exec. So a kernel whose fork is
// broken cannot hurt the process that judges. The test sends messages through a pipe, whose end
// also tells when every process of the test has ended; the watchdog (watchdog.c) makes sure that
// they do.
#include "cow6.h"
#include "test.h"
#include "test_run.h"

#define SCRATCH "/test.scratch"
#define WATCHDOG "/watchdog"

pid_t test_process;

// ---- In the test's process ----

static void enter_scratch(void) {
    if (mkdir(SCRATCH) < 0 || chdir(SCRATCH) < 0)
        FAIL("expected an empty directory %s, saw: %s", SCRATCH, strerror(errno));
}

static void close_from(int fd, int to) {
    for (; fd < to; fd++)
        close(fd);
}

// NAME --run TEST REPORT GO [trace]: moves the report to the highest descriptor, waits until no
// other process needs frames, and runs the test.
_Noreturn void test_run_here(const struct test *test, int report, int go, bool tracing) {
    char byte;
    test_process = getpid();
    test_tracing = tracing;
    for (int fd = report; fd >= 0 && fd != TEST_FD;)
        fd = dup(report);
    close_from(3, go);
    close_from(go + 1, TEST_FD);
    test_find_pages();
    test_own_pages();
    read(go, &byte, 1);
    close(go);
    test_own_pages();
    if (test_run.program->scratch)
        enter_scratch();
    test->run();
    exit(0);
}

// Removes everything in the current directory.
static void remove_contents(void) {
    struct dirent entry;
    int fd = open(".", O_RDONLY);
    while (fd >= 0 && read(fd, &entry, sizeof entry) == sizeof entry) {
        char name[NAME_BYTES + 1] = {0};
        memcpy(name, entry.name, NAME_BYTES);
        if (entry.inum == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlink(name) == 0 || chdir(name) < 0)
            continue;
        close(fd); // a directory: they may be nested deeper than there are descriptors
        remove_contents();
        if (chdir("..") < 0 || unlink(name) < 0)
            return;
        fd = open(".", O_RDONLY);
    }
    close(fd);
}

// NAME --clean: removes the scratch directory, in a process that may need more stack than its
// parent.
_Noreturn void test_clean_here(void) {
    if (chdir(SCRATCH) == 0)
        remove_contents();
    if (chdir("/") == 0)
        unlink(SCRATCH);
    exit(0);
}

// ---- Starting it ----

// Executes a program in a child, with `input` as fd 0 and `output` as fd 1.
static pid_t start(const char *path, char **arguments, int input, int output) {
    pid_t pid = vfork();
    if (pid != 0)
        return pid;
    if (input != 0) {
        close(0);
        dup(input);
    }
    if (output != 1) {
        close(1);
        dup(output);
    }
    exec(path, arguments);
    exit(STATUS_FAILED);
}

static pid_t start_test(const struct test *test, bool tracing, int report, int go) {
    char report_text[12], go_text[12], *name = (char *)path_base(test_run.program->path);
    snprintf(report_text, sizeof report_text, "%d", report);
    snprintf(go_text, sizeof go_text, "%d", go);
    char *arguments[] = {
        name, "--run", (char *)test->name, report_text, go_text, tracing ? "trace" : NULL, NULL};
    return start(test_run.program->path, arguments, 0, 1);
}

static pid_t start_watchdog(const struct test *test, pid_t pid, int go, int output) {
    char pid_text[12], passed_text[12], failed_text[12];
    snprintf(pid_text, sizeof pid_text, "%d", pid);
    snprintf(passed_text, sizeof passed_text, "%d", test_run.passed);
    snprintf(failed_text, sizeof failed_text, "%d", test_run.failed);
    char *arguments[] = {"watchdog", (char *)test->name, pid_text, passed_text, failed_text, NULL};
    return start(WATCHDOG, arguments, go, output);
}

void test_remove_scratch(void) {
    char *arguments[] = {(char *)path_base(test_run.program->path), "--clean", NULL};
    if (unlink(SCRATCH) == 0 || errno == ENOENT)
        return;
    if (start(test_run.program->path, arguments, 0, 1) > 0)
        wait(NULL);
}

// ---- Listening ----

static void take_message(struct outcome *outcome, const char *text) {
    if (text[0] == MARK_PASSED)
        string_copy(outcome->last_check, text + 1, MESSAGE_BYTES);
    else if (text[0] == MARK_WAITS)
        string_copy(outcome->waits, text + 1, MESSAGE_BYTES);
    else if (text[0] == MARK_DEATH)
        string_copy(outcome->death, text + 1, MESSAGE_BYTES);
    else if (outcome->failure[0] == '\0')
        string_copy(outcome->failure, text + 1, MESSAGE_BYTES);
}

// Reads messages until no process is left that could send one.
static void read_messages(int fd, struct outcome *outcome) {
    char text[MESSAGE_BYTES], chunk[64];
    size_t length = 0;
    int n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        for (int i = 0; i < n; i++) {
            if (length < sizeof text - 1 || chunk[i] == '\0')
                text[length++] = chunk[i];
            if (chunk[i] == '\0') {
                take_message(outcome, text);
                length = 0;
            }
        }
    }
}

// Reads what the watchdog has said, after its end.
static void read_bark(int fd, char *text) {
    size_t length = 0;
    int n;
    while ((n = read(fd, text + length, (int)(MESSAGE_BYTES - 1 - length))) > 0)
        length += (size_t)n;
    text[length] = '\0';
}

// Waits for all children; as process 1 it also gets the orphans.
static void wait_for_all(pid_t child, struct outcome *outcome) {
    int status;
    for (pid_t pid; (pid = wait(&status)) >= 0;) {
        if (pid == child)
            outcome->status = status;
    }
}

void test_run_once(const struct test *test, bool tracing, struct outcome *outcome) {
    int report[2], go[2], bark[2];
    char byte;
    *outcome = (struct outcome){.status = STATUS_FAILED};
    if (pipe(report) < 0 || pipe(go) < 0 || pipe(bark) < 0) {
        string_copy(outcome->failure, "expected three pipes, saw none", MESSAGE_BYTES);
        return;
    }
    pid_t child = start_test(test, tracing, report[1], go[0]);
    close(report[1]);
    pid_t watchdog = child > 0 ? start_watchdog(test, child, go[0], bark[1]) : -1;
    close(bark[1]);
    bool is_watched = read(bark[0], &byte, 1) == 1; // it is ready
    if (child > 0 && !is_watched)
        kill(child);
    close(go[0]);
    close(go[1]);
    read_messages(report[0], outcome);
    close(report[0]);
    if (watchdog > 0)
        kill(watchdog);
    read_bark(bark[0], outcome->hang);
    close(bark[0]);
    if (!is_watched)
        string_copy(outcome->failure,
                    "the test cannot be started: is there no memory left, or no process?",
                    MESSAGE_BYTES);
    wait_for_all(child, outcome);
    if (test_run.program->scratch)
        test_remove_scratch();
}
