// Descriptors: offsets, dup, limits, and the end of a process.
#define TEST_FAMILY "file"
#include "test.h"

#include "support.h"

TEST(each_descriptor_has_its_own_offset) {
    file_make_pattern("file", 100);
    int one = file_open("file", O_RDONLY), two = file_open("file", O_RDONLY);
    read_fully(one, buffer, 30);
    read_fully(two, buffer, 10);
    pattern_check(buffer, 0, 10);
    read_fully(one, buffer, 10);
    pattern_check(buffer, 30, 10);
}

TEST(dup_and_fork_share_offsets) {
    file_make_pattern("file", 100);
    int fd = file_open("file", O_RDONLY);
    int copy = dup(fd);
    CHECK_EQUAL(fd + 1, copy);
    read_fully(fd, buffer, 10);
    read_fully(copy, buffer, 10);
    pattern_check(buffer, 10, 10);
    CHECK_EQUAL(0, close(fd));
    IN_CHILD {
        read_fully(copy, buffer, 10);
    }
    CHECK_CHILD(0);
    read_fully(copy, buffer, 10);
    pattern_check(buffer, 30, 10);
}

TEST(dup_takes_the_lowest_number) {
    file_make_empty("file");
    CHECK_EQUAL(FIRST_FREE_FD, file_open("file", O_RDONLY));
    CHECK_EQUAL(FIRST_FREE_FD + 1, file_open("file", O_RDONLY));
    CHECK_EQUAL(FIRST_FREE_FD + 2, file_open("file", O_RDONLY));
    CHECK_EQUAL(0, close(FIRST_FREE_FD + 1));
    CHECK_EQUAL(FIRST_FREE_FD + 1, dup(FIRST_FREE_FD));
    CHECK_EQUAL(0, close(0));
    CHECK_EQUAL(0, dup(FIRST_FREE_FD));
    CHECK_EQUAL(0, close(FIRST_FREE_FD));
    CHECK_EQUAL(FIRST_FREE_FD, file_open("file", O_RDONLY));
}

TEST(closed_descriptors_are_bad) {
    static const int bad[] = {-1,   FIRST_FREE_FD, OPEN_MAX, OPEN_MAX + 1,
                              1000, INT32_MAX,     INT32_MIN};
    struct stat stat;
    file_make_empty("file");
    CHECK_EQUAL(0, close(file_open("file", O_RDWR)));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_FAILS(close(bad[i]), EBADF);
        CHECK_FAILS(dup(bad[i]), EBADF);
        CHECK_FAILS(read(bad[i], buffer, 1), EBADF);
        CHECK_FAILS(write(bad[i], buffer, 1), EBADF);
        CHECK_FAILS(fstat(bad[i], &stat), EBADF);
    }
}

// Opens the file until that fails; returns how often it worked.
static int open_all(const char *name) {
    int count = 0;
    while (open(name, O_RDONLY) >= 0)
        count++;
    return count;
}

TEST(descriptors_run_out) {
    int fds[2];
    file_make_empty("file");
    CHECK_EQUAL(OPEN_MAX - FIRST_FREE_FD - 1, open_all("file")); // one is the framework's
    CHECK_EQUAL(EMFILE, errno);
    CHECK_FAILS(dup(1), EMFILE);
    CHECK_FAILS(pipe(fds), EMFILE);
    CHECK_FAILS(open("other", O_CREATE | O_RDWR), EMFILE);
    CHECK_EQUAL(0, close(5));
    CHECK_FAILS(pipe(fds), EMFILE);
    CHECK_EQUAL(5, lowest_free_fd());
    CHECK_EQUAL(5, file_open("file", O_RDONLY));
}

// Many processes open all they can; afterwards as many files can be open as before.
TEST(open_files_run_out_in_the_system) {
    enum { CHILDREN = 60 };
    int end[2], report[2], total[2] = {0, 0};
    file_make_empty("file");
    for (int round = 0; round < 2; round++) {
        CHECK_EQUAL(0, pipe(end));
        CHECK_EQUAL(0, pipe(report));
        for (int i = 0; i < CHILDREN; i++) {
            pid_t pid = TEST_FORK();
            if (pid == 0) {
                CHECK_EQUAL(0, close(end[1]));
                int count = open_all("file");
                CHECK(errno == EMFILE || errno == ENFILE);
                write_fully(report[1], &count, sizeof count);
                exit(read(end[0], buffer, 1));
            }
            int count;
            read_fully(report[0], &count, sizeof count);
            total[round] += count;
        }
        for (int i = 0; i < 2; i++) {
            CHECK_EQUAL(0, close(end[1 - i]));
            CHECK_EQUAL(0, close(report[i]));
        }
        CHECK_CHILDREN(CHILDREN);
    }
    CHECK(total[0] >= 60);
    CHECK_EQUAL(total[0], total[1]);
}

TEST(descriptors_close_at_exit) {
    int fds[2];
    char byte;
    CHECK_EQUAL(0, pipe(fds));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        dup(fds[1]);
        dup(fds[1]);
        kill(getpid());
    }
    CHECK_EQUAL(0, close(fds[1]));
    CHECK_EQUAL(0, read(fds[0], &byte, 1));
    CHECK_CHILD(TEST_STATUS_KILLED);
}
