// Runs tests: chooses them, has each one run (test_start.c), judges it by its message, its status,
// the free frames and the invariant checker, and prints its line.
#include "test_run.h"

#include "cow6.h"
#include "test.h"

// The linker puts these around the section that TEST fills.
extern const struct test __start_tests[], __stop_tests[];

enum { STATUS_USAGE = 2 };

struct selection {
    char **names;
    int count; // 0: all tests
    bool quick, list;
    int times;
};

struct test_run test_run;

static const char *first_failed;   // its name
static uint64_t violations_blamed; // broken invariants that earlier tests were blamed for
static uint64_t written;           // bytes on the console after the running test's name

static void do_nothing(void) {}

static const struct test empty_test = {"", "", __FILE__, do_nothing, false};

// ---- Judging ----

// Cuts off the last part of a message, "(file:line)", and returns it.
static const char *cut_place(char *message) {
    char *blank = strrchr(message, ' ');
    if (blank == NULL)
        return "";
    *blank = '\0';
    return blank + 1;
}

// Runs the test once more to find out where it hangs.
static void judge_hang(const struct test *test, struct outcome *outcome) {
    struct outcome traced;
    test_run_once(test, true, &traced);
    const char *place = cut_place(traced.waits);
    if (traced.hang[0] != '\0' && traced.waits[0] != '\0')
        snprintf(outcome->failure, MESSAGE_BYTES, "waited for %s; nothing came: %s %s",
                 traced.waits, outcome->hang, place);
    else
        snprintf(outcome->failure, MESSAGE_BYTES, "hangs: %s [last check passed:%s]", outcome->hang,
                 traced.last_check[0] != '\0' ? traced.last_check : " none");
}

static void judge_killed(const struct test *test, struct outcome *outcome) {
    struct outcome traced;
    if (outcome->death[0] != '\0') {
        string_copy(outcome->failure, outcome->death, MESSAGE_BYTES);
        return;
    }
    test_run_once(test, true, &traced);
    snprintf(outcome->failure, MESSAGE_BYTES,
             "the test's own process was killed: the kernel's line above says at which address, "
             "and why [expected exit status 0, saw it killed; last check passed:%s]",
             traced.last_check[0] != '\0' ? traced.last_check : " none");
}

// Says if frames are missing, or if invariants are broken for which no earlier test was blamed.
static void judge_memory(const struct test *test, uint64_t frames_before, char *text) {
    test_own_pages();
    uint64_t frames_after = test_settle(frames_before);
    struct memstat stat = {0};
    memstat(&stat, MEMSTAT_CHECK);
    long lost = (long)(frames_before - frames_after);
    if (lost > 0)
        snprintf(text, MESSAGE_BYTES,
                 "%ld frame%s lost: every reference must be dropped in the end (the old frame's "
                 "after a copy, all at exit, those of a fork that fails), and each change of a "
                 "count must be atomic [expected %lu frames free afterwards, saw %lu] (%s)",
                 lost, lost == 1 ? " is" : "s are", (unsigned long)frames_before,
                 (unsigned long)frames_after, test->file);
    else if (lost < 0)
        snprintf(text, MESSAGE_BYTES,
                 "%ld too many frames are free: a reference was dropped twice, or never taken "
                 "[expected %lu frames free afterwards, saw %lu] (%s)",
                 -lost, (unsigned long)frames_before, (unsigned long)frames_after, test->file);
    else if (stat.violations > violations_blamed)
        snprintf(
            text, MESSAGE_BYTES,
            "the kernel's checker finds broken invariants: its lines above begin with \"check:\", "
            "and docs/invariants.md explains them [expected no broken invariant, saw %lu] (%s)",
            (unsigned long)(stat.violations - violations_blamed), test->file);
    violations_blamed = stat.violations;
}

// Says what was wrong with a test that sent no message, or leaves the text empty.
static void judge(const struct test *test, uint64_t frames_before, struct outcome *outcome) {
    if (outcome->status == TEST_STATUS_KILLED)
        judge_killed(test, outcome);
    else if (outcome->status != 0)
        snprintf(
            outcome->failure, MESSAGE_BYTES,
            "the test ended without a message: is its memory its own? [expected exit status 0, "
            "saw %d] (%s)",
            outcome->status, test->file);
    else
        judge_memory(test, frames_before, outcome->failure);
}

// ---- Reporting ----

// How many bytes have been written to the console.
static uint64_t console_written(void) {
    struct stat stat = {0};
    fstat(1, &stat);
    return stat.size;
}

// The name is printed before the test runs, and again if something else was printed after it.
static void print_name(const struct test *test) {
    printf("%s: ", test->name);
    written = console_written();
}

static void print_outcome(const struct test *test, const char *failure) {
    if (console_written() != written)
        printf("%s: ", test->name);
    if (failure[0] != '\0')
        printf("FAIL %s\n", failure);
    else
        printf("ok\n");
}

static void run_test(const struct test *test) {
    struct outcome outcome;
    print_name(test);
    test_own_pages();
    uint64_t frames_before = test_frames_free();
    test_run_once(test, false, &outcome);
    if (outcome.hang[0] != '\0')
        judge_hang(test, &outcome);
    else if (outcome.failure[0] == '\0')
        judge(test, frames_before, &outcome);
    print_outcome(test, outcome.failure);
    if (outcome.failure[0] == '\0') {
        test_run.passed++;
        return;
    }
    test_run.failed++;
    if (first_failed == NULL)
        first_failed = test->name;
}

// ---- Choosing ----

static bool is_named(const struct test *test, const char *name) {
    return strcmp(name, test->name) == 0 || strcmp(name, test->family) == 0;
}

static bool is_selected(const struct selection *selection, const struct test *test) {
    bool named = selection->count == 0;
    for (int i = 0; i < selection->count; i++)
        named = named || is_named(test, selection->names[i]);
    return named && !(selection->quick && test->slow);
}

static const struct test *find_test_to_run(const char *name) {
    const struct test *test = __start_tests;
    while (test < __stop_tests && strcmp(test->name, name) != 0)
        test++;
    return test < __stop_tests ? test : &empty_test;
}

// Reports a name that is neither a test's nor a family's.
static bool names_are_known(const struct selection *selection, const char *program) {
    for (int i = 0; i < selection->count; i++) {
        const struct test *test = __start_tests;
        while (test < __stop_tests && !is_named(test, selection->names[i]))
            test++;
        if (test == __stop_tests) {
            fprintf(2, "%s: no such test (%s -l lists them)\n", selection->names[i], program);
            return false;
        }
    }
    return true;
}

// Reads the arguments; false if they are wrong.
static bool read_selection(struct selection *selection, int argc, char **argv) {
    *selection = (struct selection){.times = 1};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-l") == 0) {
            selection->list = true;
        } else if (strcmp(argv[i], "-q") == 0) {
            selection->quick = true;
        } else if (strcmp(argv[i], "-r") == 0 && i + 1 < argc) {
            selection->times = atoi(argv[++i]);
        } else {
            fprintf(2, "usage: %s [-l] [-q] [-r times] [name ...]\n", argv[0]);
            return false;
        }
    }
    selection->names = argv + i;
    selection->count = argc - i;
    return true;
}

// Runs an empty test: afterwards each page that the framework uses has its frame.
static void warm_up(void) {
    struct outcome outcome;
    if (test_run.program->scratch)
        test_remove_scratch();
    test_run_once(&empty_test, false, &outcome);
    test_find_pages();
    test_own_pages();
    judge(&empty_test, test_frames_free(), &outcome);
    violations_blamed = 0;
}

static void list_tests(const struct selection *selection) {
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (is_selected(selection, test))
            printf("%s\n", test->name);
    }
}

static int run_selected(const struct selection *selection) {
    warm_up();
    for (int round = 0; round < selection->times; round++) {
        for (const struct test *test = __start_tests; test < __stop_tests; test++) {
            if (is_selected(selection, test))
                run_test(test);
        }
    }
    if (test_run.failed > 1)
        printf("Begin with %s: it may be why the others fail.\n", first_failed);
    printf("%d passed, %d failed\n", test_run.passed, test_run.failed);
    bool is_all = selection->count == 0 && test_run.passed > 0;
    if (is_all && test_run.failed == 0 && test_run.program->last_line != NULL)
        printf("%s\n", test_run.program->last_line);
    return test_run.failed == 0 ? 0 : 1;
}

int test_main(int argc, char **argv, const struct test_program *program) {
    struct selection selection;
    test_run.program = program;
    if (argc == 2 && strcmp(argv[1], "--clean") == 0)
        test_clean_here();
    if (argc >= 5 && strcmp(argv[1], "--run") == 0) {
        test_run_here(find_test_to_run(argv[2]), atoi(argv[3]), atoi(argv[4]), argc > 5);
    }
    if (!read_selection(&selection, argc, argv) || !names_are_known(&selection, argv[0]))
        return STATUS_USAGE;
    if (selection.list) {
        list_tests(&selection);
        return 0;
    }
    return run_selected(&selection);
}
