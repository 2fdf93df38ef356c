// Pipes: bytes in order, ends that close, and processes that wait at them.
#define TEST_FAMILY "pipe"
#include "test.h"

#include "stream.h"
#include "support.h"

TEST(bytes_come_in_order) {
    static const size_t sizes[] = {1,    2,    100,  511,   512,   513,   1033,
                                   4095, 4096, 4097, 10000, 65536, 100000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct pipe p = pipe_make();
        IN_CHILD {
            CHECK_EQUAL(0, close(p.from));
            write_pattern(p.to, sizes[i], sizeof buffer);
        }
        CHECK_EQUAL(0, close(p.to));
        CHECK_EQUAL(sizes[i], read_pattern(p.from, sizeof buffer));
        CHECK_EQUAL(0, close(p.from));
        CHECK_CHILD(0);
    }
}

TEST(pieces_of_different_sizes) {
    static const size_t pieces[][2] = {{1, 1},    {1, 4096},    {4096, 1},  {7, 1000},
                                       {1000, 7}, {4097, 4095}, {60000, 13}};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct pipe p = pipe_make();
        size_t total = pieces[i][0] * pieces[i][1] < 20000 ? 5000 : 60001;
        IN_CHILD {
            CHECK_EQUAL(0, close(p.from));
            write_pattern(p.to, total, pieces[i][0]);
        }
        CHECK_EQUAL(0, close(p.to));
        CHECK_EQUAL(total, read_pattern(p.from, pieces[i][1]));
        CHECK_EQUAL(0, close(p.from));
        CHECK_CHILD(0);
    }
}

TEST(read_returns_what_is_available) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(6, write(p.to, "abcdef", 6));
    CHECK_EQUAL(2, read(p.from, buffer, 2));
    CHECK_EQUAL('b', buffer[1]);
    CHECK_EQUAL(4, read(p.from, buffer, 1000));
    CHECK(memcmp(buffer, "cdef", 4) == 0);
}

TEST(zero_byte_transfers_move_nothing) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(0, write(p.to, buffer, 0));
    CHECK_EQUAL(1, write(p.to, "x", 1));
    CHECK_EQUAL(0, read(p.from, buffer, 0));
    CHECK_EQUAL(1, read(p.from, buffer, 5));
}

TEST(each_end_works_in_one_direction) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(FIRST_FREE_FD, p.from);
    CHECK_EQUAL(FIRST_FREE_FD + 1, p.to);
    CHECK_FAILS(read(p.to, buffer, 1), EBADF);
    CHECK_FAILS(write(p.from, "x", 1), EBADF);
    struct stat stat;
    CHECK_FAILS(fstat(p.from, &stat), EBADF);
    CHECK_FAILS(fstat(p.to, &stat), EBADF);
}

TEST(end_of_file_after_the_last_writer) {
    struct pipe p = pipe_make();
    int copy = dup(p.to);
    CHECK_EQUAL(3, write(p.to, "abc", 3));
    CHECK_EQUAL(0, close(p.to));
    CHECK_EQUAL(3, write(copy, "def", 3));
    CHECK_EQUAL(0, close(copy));
    CHECK_EQUAL(6, read(p.from, buffer, 100));
    CHECK_EQUAL(0, read(p.from, buffer, 100));
    CHECK_EQUAL(0, read(p.from, buffer, 100));
}

TEST(reader_wakes_when_the_writer_is_gone) {
    struct pipe p = pipe_make();
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(p.to));
        exit(read(p.from, buffer, 1));
    }
    wait_until_waits(pid, WAITS_FOR_PIPE);
    CHECK_EQUAL(0, close(p.to));
    CHECK_CHILD(0);
}

TEST(writing_without_reader_fails) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(3, write(p.to, "abc", 3));
    CHECK_EQUAL(0, close(p.from));
    CHECK_FAILS(write(p.to, "x", 1), EPIPE);
    CHECK_FAILS(write(p.to, buffer, sizeof buffer), EPIPE);
}

TEST(writer_wakes_when_the_reader_is_gone) {
    struct pipe p = pipe_make();
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(p.from));
        while (write(p.to, buffer, 1000) > 0)
            ;
        exit(errno == EPIPE ? 0 : 1);
    }
    wait_until_waits(pid, WAITS_FOR_PIPE);
    CHECK_EQUAL(0, close(p.from));
    CHECK_CHILD(0);
}

TEST(writer_wakes_when_there_is_room) {
    struct pipe p = pipe_make();
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(p.from));
        write_pattern(p.to, 60000, 60000);
        exit(0);
    }
    wait_until_waits(pid, WAITS_FOR_PIPE);
    CHECK_EQUAL(0, close(p.to));
    CHECK_EQUAL(60000, read_pattern(p.from, 100));
    CHECK_CHILD(0);
}

TEST(killed_writer_ends_the_stream) {
    struct pipe p = pipe_make();
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        for (;;)
            write(p.to, buffer, 1000);
    }
    wait_until_waits(pid, WAITS_FOR_PIPE);
    CHECK_EQUAL(0, close(p.to));
    CHECK_EQUAL(0, kill(pid));
    CHECK_CHILD(TEST_STATUS_KILLED);
    while (read(p.from, buffer, 1000) > 0)
        ;
    CHECK_EQUAL(0, read(p.from, buffer, 1000));
}

TEST(other_readers_survive_a_killed_one) {
    struct pipe p = pipe_make();
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            CHECK_EQUAL(0, close(p.to));
            exit(read(p.from, buffer, 1) == 1 ? 0 : 1);
        }
        wait_until_waits(pids[i], WAITS_FOR_PIPE);
    }
    CHECK_EQUAL(0, kill(pids[0]));
    CHECK_CHILD(TEST_STATUS_KILLED);
    write_fully(p.to, "ab", 2);
    CHECK_CHILDREN(2);
}

TEST(pipe_outlives_exec) {
    struct helper helper = helper_start((char *[]){"+arguments", "one", "two", NULL});
    int count;
    read_fully(helper.from, &count, sizeof count);
    CHECK_EQUAL(3, count);
    read_fully(helper.from, buffer, 19);
    CHECK(memcmp(buffer, "+arguments\0one\0two", 19) == 0);
    CHECK_EQUAL(0, read(helper.from, buffer, 100));
    helper_finish(&helper, 0);
}
