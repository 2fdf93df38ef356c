// System calls with bad pointers: paths, arguments and buffers where nothing is, and those that
// begin well and end in the middle. Each must be refused with the right error and change nothing.
#define TEST_FAMILY "hostile"
#include "test.h"

#include "hostile.h"

TEST(bad_pointers_to_write) {
    hostile_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        const void *bad = (const void *)unreadable[i];
        CHECK_FAILS(write(file, bad, 1), EFAULT);
        CHECK_FAILS(write(file, bad, 3 * PAGE_BYTES), EFAULT);
        CHECK_FAILS(write(ends[1], bad, 10), EFAULT);
        CHECK_FAILS(write(1, bad, 10), EFAULT);
    }
    check_unchanged();
}

TEST(bad_pointers_to_read) {
    hostile_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unwritable); i++) {
        void *bad = (void *)unwritable[i];
        CHECK_FAILS(read(file, bad, 1), EFAULT);
        CHECK_FAILS(read(file, bad, 3 * PAGE_BYTES), EFAULT);
        CHECK_FAILS(read(ends[0], bad, 10), EFAULT);
        CHECK_FAILS(fstat(file, bad), EFAULT);
        CHECK_FAILS(pipe(bad), EFAULT);
        CHECK_FAILS(memstat(bad, 0), EFAULT);
        CHECK_FAILS(procinfo(1, bad), EFAULT);
        CHECK_FAILS(terminal(bad), EFAULT);
        CHECK_FAILS(pagemap(getpid(), TEXT_START, bad, 4), EFAULT);
    }
    read_fully(file, buffer, 10);
    pattern_check(buffer, 0, 10);
    check_unchanged();
}

TEST(bad_pointers_as_paths) {
    hostile_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        const char *bad = (const char *)unreadable[i];
        CHECK_FAILS(open(bad, O_RDONLY), EFAULT);
        CHECK_FAILS(open(bad, O_CREATE | O_RDWR), EFAULT);
        CHECK_FAILS(chdir(bad), EFAULT);
        CHECK_FAILS(mkdir(bad), EFAULT);
        CHECK_FAILS(mknod(bad, 1, 1), EFAULT);
        CHECK_FAILS(unlink(bad), EFAULT);
        CHECK_FAILS(link(bad, "other"), EFAULT);
        CHECK_FAILS(link("file", bad), EFAULT);
        CHECK_FAILS(exec(bad, (char *[]){"x", NULL}), EFAULT);
    }
    CHECK_EQUAL(1, file_stat("file").nlink);
    check_unchanged();
}

TEST(bad_pointers_as_exec_arguments) {
    hostile_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        char *bad = (char *)unreadable[i];
        CHECK_FAILS(exec(USERTESTS, (char **)bad), EFAULT);
        CHECK_FAILS(exec(USERTESTS, (char *[]){bad, NULL}), EFAULT);
        CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", "0", bad, NULL}), EFAULT);
    }
    CHECK_FAILS(exec(USERTESTS, NULL), EFAULT);
    char **last = (char **)edge - 2; // there is no final null pointer before memory ends
    last[0] = last[1] = "x";
    CHECK_FAILS(exec(USERTESTS, last), EFAULT);
    CHECK_FAILS(exec(USERTESTS, (char **)(edge - 3)), EFAULT);
    check_unchanged();
}

TEST(bad_exec_arguments_leak_nothing) {
    char *arguments[] = {(char *)0xffffffff, NULL};
    for (int i = 0; i < 3000; i++)
        CHECK_EQUAL(-1, exec("echo", arguments));
    CHECK_FAILS(exec(USERTESTS, arguments), EFAULT);
}

TEST(strings_at_the_end_of_memory) {
    hostile_set_up();
    memcpy(edge - 5, "file", 5);
    CHECK_EQUAL(0, close(open(edge - 5, O_RDONLY)));
    memcpy(edge - 4, "file", 4);
    CHECK_FAILS(open(edge - 4, O_RDONLY), EFAULT);
    CHECK_FAILS(open(edge - 1, O_RDONLY), EFAULT);
    CHECK_FAILS(open(edge - (PATH_BYTES - 1), O_RDONLY), EFAULT);
    CHECK_FAILS_EITHER(open(edge - PATH_BYTES, O_RDONLY), EFAULT, ENAMETOOLONG);
    CHECK_FAILS(open(edge - PATH_BYTES - 1, O_RDONLY), ENAMETOOLONG);
    CHECK_FAILS(open(edge - 4 * PAGE_BYTES, O_RDONLY), ENAMETOOLONG);
    memcpy(edge - PAGE_BYTES - 2, "./file", 7); // across pages
    CHECK_EQUAL(0, close(open(edge - PAGE_BYTES - 2, O_RDONLY)));
    char **arguments = (char **)edge - 2;
    arguments[0] = "+exit";
    arguments[1] = NULL;
    CHECK_EQUAL(1, helper_run(arguments));
    check_unchanged();
}

TEST(results_at_the_end_of_memory) {
    hostile_set_up();
    struct stat *stat = (struct stat *)(edge - sizeof *stat);
    CHECK_EQUAL(0, fstat(file, stat));
    CHECK_EQUAL(3 * PAGE_BYTES, stat->size);
    memset(edge - PAGE_BYTES, 'e', PAGE_BYTES);
    CHECK_FAILS(fstat(file, (struct stat *)(edge - sizeof *stat + 1)), EFAULT);
    CHECK_FAILS(pipe((int *)(edge - 4)), EFAULT);
    CHECK_FAILS(pipe((int *)(edge - 7)), EFAULT);
    CHECK_FAILS(memstat((struct memstat *)(edge - 50), 0), EFAULT);
    CHECK_FAILS(procinfo(1, (struct procinfo *)(edge - 20)), EFAULT);
    CHECK_FAILS(pagemap(getpid(), TEXT_START, (struct pageinfo *)(edge - 24), 2), EFAULT);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(3);
    CHECK_FAILS(wait((int *)(edge - 2)), EFAULT);
    CHECK_BYTES(edge - PAGE_BYTES, 'e', PAGE_BYTES - 24);
    CHECK_EQUAL(pid, wait((int *)(edge - 4)));
    CHECK_EQUAL(3, ((int *)edge)[-1]);
    check_unchanged();
}

TEST(buffers_that_leave_the_heap) {
    hostile_set_up();
    static const int sizes[] = {1, 2, 100, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *start = edge - sizes[i];
        memset(edge - 2 * PAGE_BYTES, 'e', 2 * PAGE_BYTES);
        CHECK_FAILS(write(file, start, sizes[i] + 1), EFAULT);
        CHECK_FAILS(write(file, start, sizes[i] + PAGE_BYTES), EFAULT);
        CHECK_FAILS(write(ends[1], start, sizes[i] + 1), EFAULT);
        int again = open("file", O_RDONLY);
        CHECK_FAILS(read(again, start, sizes[i] + 1), EFAULT);
        CHECK_EQUAL(0, close(again));
        again = open("file", O_RDONLY);
        CHECK_EQUAL(sizes[i], read(again, start, sizes[i]));
        pattern_check(start, 0, (size_t)sizes[i]);
        CHECK_EQUAL(0, close(again));
        CHECK_EQUAL('e', start[-1]);
    }
    check_unchanged();
}

TEST(long_buffers_that_leave_the_heap) {
    enum { VALID = 100 * 1024, WANTED = 200 * 1024 };
    hostile_set_up();
    char *start = edge;
    CHECK(sbrk(VALID) == start);
    file_make_pattern("long", WANTED);
    int fd = open("long", O_RDWR), moved = read(fd, start, WANTED);
    CHECK(moved <= VALID && (moved > 0 || errno == EFAULT));
    CHECK_EQUAL(0, close(fd));
    fd = open("long", O_RDWR);
    moved = write(fd, start, WANTED);
    CHECK(moved <= VALID && (moved > 0 || errno == EFAULT));
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(WANTED, file_stat("long").size);
    CHECK_EQUAL(0, unlink("long"));
    check_unchanged();
}

TEST(kernel_never_writes_text) {
    uint64_t sum = text_sum();
    hostile_set_up();
    for (uintptr_t page = TEXT_START; page < TEXT_START + TEXT_PAGES * PAGE_BYTES;
         page += PAGE_BYTES) {
        CHECK_FAILS(read(file, (void *)page, 100), EFAULT);
        CHECK_FAILS(fstat(file, (struct stat *)page), EFAULT);
    }
    CHECK(text_sum() == sum);
    CHECK_EQUAL(9, helper_run((char *[]){"+exit", "9", NULL}));
    check_unchanged();
}
