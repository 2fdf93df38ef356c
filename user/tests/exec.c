// exec: arguments, what a process keeps, what it gets anew, and what may happen to the file of a
// running program.
#define TEST_FAMILY "exec"
#include "test.h"

#include "image.h"
#include "support.h"

// Ends the test unless the arguments (without the last NULL) reach the program.
static void check_arguments(char **arguments, int count) {
    char *bytes = buffer;
    CHECK(arguments[count] == NULL);
    struct helper helper = helper_start(arguments);
    int seen;
    read_fully(helper.from, &seen, sizeof seen);
    CHECK_EQUAL(count, seen);
    for (int i = 0; i < count; i++) {
        size_t size = strlen(arguments[i]) + 1;
        read_fully(helper.from, bytes, size);
        CHECK_STRING(arguments[i], bytes);
    }
    CHECK_EQUAL(0, read(helper.from, bytes, 1));
    helper_finish(&helper, 0);
}

TEST(exec_passes_arguments) {
    char *arguments[ARGS_MAX] = {"+arguments"};
    check_arguments(arguments, 1);
    arguments[1] = "";
    check_arguments(arguments, 2);
    for (int i = 1; i < ARGS_MAX - 1; i++)
        arguments[i] = i % 3 == 0 ? "" : "an argument of some length, \x01\x7f\xff";
    check_arguments(arguments, ARGS_MAX - 1);
}

TEST(exec_passes_long_arguments) {
    static char longest[3501];
    memset(longest, 'x', sizeof longest - 1);
    check_arguments((char *[]){"+arguments", longest, NULL}, 2);
    check_arguments((char *[]){"+arguments", longest, longest + 3400, "z", NULL}, 4);
}

TEST(exec_without_arguments) {
    CHECK_EQUAL(STATUS_NO_ARGUMENTS, helper_run((char *[]){NULL}));
}

TEST(exec_refuses_too_many_arguments) {
    char *arguments[ARGS_MAX + 9];
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        arguments[i] = "x";
    CHECK_FAILS(exec(USERTESTS, arguments), E2BIG);
    arguments[ARGS_MAX] = NULL;
    CHECK_FAILS(exec(USERTESTS, arguments), E2BIG);
}

TEST(exec_refuses_too_long_arguments) {
    static char text[2 * PAGE_BYTES];
    memset(text, 'x', sizeof text - 1);
    CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", text, NULL}), E2BIG);
    CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", text + PAGE_BYTES - 1, NULL}), E2BIG);
    CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", text + 5000, text + 5000, NULL}), E2BIG);
    char *many[ARGS_MAX] = {NULL};
    for (int i = 0; i < ARGS_MAX - 1; i++)
        many[i] = text + sizeof text - 140;
    CHECK_FAILS(exec(USERTESTS, many), E2BIG);
}

TEST(exec_keeps_files_and_directory) {
    struct {
        bool opened[OPEN_MAX];
        int inode;
    } seen;
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, chdir("directory"));
    int inode = (int)file_stat(".").ino;
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    CHECK_EQUAL(0, close(fds[0]));
    CHECK_EQUAL(0, close(2));
    struct helper helper = helper_start((char *[]){"+inheritance", NULL});
    read_fully(helper.from, seen.opened, sizeof seen.opened);
    read_fully(helper.from, &seen.inode, sizeof seen.inode);
    CHECK_EQUAL(inode, seen.inode);
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        int copy = dup(fd);
        bool opened = copy >= 0 && fd != helper.to && fd != helper.from;
        close(copy);
        if (fd != 2 && fd != 3 && fd != helper.to && fd != helper.from)
            CHECK_EQUAL(opened, seen.opened[fd]);
    }
    helper_finish(&helper, 0);
}

TEST(exec_keeps_file_offsets) {
    file_make_pattern("file", 1000);
    int fd = open("file", O_RDONLY);
    char byte;
    read_fully(fd, &byte, 1);
    CHECK_EQUAL(0, close(0));
    CHECK_EQUAL(0, dup(fd));
    CHECK_EQUAL(0, helper_run((char *[]){"+take", "10", NULL}));
    read_fully(fd, &byte, 1);
    CHECK_EQUAL(pattern_byte(11), (uint8_t)byte);
}

TEST(exec_keeps_the_pid) {
    struct helper helper = helper_start((char *[]){"+pid", NULL});
    pid_t seen;
    read_fully(helper.from, &seen, sizeof seen);
    CHECK_EQUAL(helper.pid, seen);
    helper_finish(&helper, 0);
}

TEST(exec_gives_fresh_memory) {
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(0, helper_run((char *[]){"+empty", NULL}));
}

TEST(exec_many_times) {
    CHECK_EQUAL(0, helper_run((char *[]){"+again", "100", NULL}));
}

TEST(exec_by_many_at_once) {
    for (int i = 0; i < 8; i++) {
        IN_CHILD {
            for (int k = 0; k < 4; k++)
                CHECK_EQUAL(0, helper_run((char *[]){"+empty", NULL}));
        }
    }
    CHECK_CHILDREN(8);
}

// All memory but a few pages is reserved: exec works or fails, or the new program is killed.
TEST(exec_without_memory) {
    for (int pages = 0; pages < 24; pages += 2) {
        IN_CHILD {
            memory_reserve_all();
            sbrk(-pages * PAGE_BYTES);
            CHECK_EQUAL(0, close(0));
            exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            CHECK_EQUAL(ENOMEM, errno);
        }
        int status;
        CHECK(wait(&status) > 0);
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
}

// Makes a copy of usertests with that name.
static void copy_usertests(const char *name) {
    int from = open(USERTESTS, O_RDONLY), to = open(name, O_CREATE | O_TRUNC | O_WRONLY), n;
    CHECK(from >= 0 && to >= 0);
    while ((n = read(from, buffer, sizeof buffer)) > 0)
        write_fully(to, buffer, (size_t)n);
    CHECK_EQUAL(0, n);
    CHECK_EQUAL(0, close(from));
    CHECK_EQUAL(0, close(to));
}

// Starts the copy, which says that it runs, and waits for a byte before it reads its text.
static struct helper copy_start(const char *name) {
    char byte;
    struct helper helper = program_start(name, (char *[]){"+text_sum", NULL});
    read_fully(helper.from, &byte, 1);
    return helper;
}

TEST(program_outlives_its_name) {
    copy_usertests("copy");
    struct helper helper = copy_start("copy");
    CHECK_EQUAL(0, unlink("copy"));
    file_make_pattern("other", 64 * PAGE_BYTES);
    write_fully(helper.to, "", 1);
    uint64_t sum;
    read_fully(helper.from, &sum, sizeof sum);
    CHECK(sum == text_sum());
    helper_finish(&helper, 0);
}

TEST(program_is_overwritten_while_it_runs) {
    copy_usertests("copy");
    struct helper helper = copy_start("copy");
    int fd = open("copy", O_WRONLY | O_TRUNC);
    if (fd >= 0)
        close(fd);
    file_make_pattern("other", 64 * PAGE_BYTES);
    write(helper.to, "", 1);
    CHECK_EQUAL(0, close(helper.to));
    CHECK_EQUAL(0, close(helper.from));
    CHECK_EQUAL(helper.pid, wait(NULL));
}

TEST(exec_races_with_create_and_unlink) {
    struct image *image = image_make();
    file_make("good", image, sizeof *image);
    IN_CHILD {
        for (int i = 0; i < 40; i++) {
            CHECK_EQUAL(0, link("good", "now"));
            CHECK_EQUAL(0, unlink("now"));
        }
    }
    IN_CHILD {
        for (int i = 0; i < 40; i++) {
            int status = status_of_exec("now");
            CHECK(status == STATUS_RAN || status == STATUS_REFUSED + ENOENT);
        }
    }
    CHECK_CHILDREN(2);
}
