// Pipes: bytes in order, ends that close, processes that wait, and many at once.
#define TEST_FAMILY "pipe"
#include "test.h"

#include "support.h"

struct pipe {
    int from, to;
};

static struct pipe pipe_make(void) {
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    return (struct pipe){fds[0], fds[1]};
}

static void pipe_close(struct pipe p) {
    CHECK_EQUAL(0, close(p.from));
    CHECK_EQUAL(0, close(p.to));
}

// Reads to the end, in pieces of at most `piece` bytes; returns how many bytes with the pattern
// came.
static size_t read_pattern(int fd, size_t piece) {
    size_t total = 0;
    int n;
    while ((n = read(fd, buffer, (int)piece)) > 0) {
        CHECK((size_t)n <= piece);
        pattern_check(buffer, total, (size_t)n);
        total += (size_t)n;
    }
    CHECK_EQUAL(0, n);
    return total;
}

static void write_pattern(int fd, size_t total, size_t piece) {
    for (size_t n, place = 0; place < total; place += n) {
        n = total - place < piece ? total - place : piece;
        pattern_fill(buffer, place, n);
        CHECK_EQUAL(n, write(fd, buffer, (int)n));
    }
}

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

TEST(read_takes_what_is_there) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(6, write(p.to, "abcdef", 6));
    CHECK_EQUAL(2, read(p.from, buffer, 2));
    CHECK_EQUAL('b', buffer[1]);
    CHECK_EQUAL(4, read(p.from, buffer, 1000));
    CHECK(memcmp(buffer, "cdef", 4) == 0);
}

TEST(nothing_moves_nothing) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(0, write(p.to, buffer, 0));
    CHECK_EQUAL(1, write(p.to, "x", 1));
    CHECK_EQUAL(0, read(p.from, buffer, 0));
    CHECK_EQUAL(1, read(p.from, buffer, 5));
}

TEST(ends_are_for_one_direction) {
    struct pipe p = pipe_make();
    CHECK_EQUAL(FIRST_FREE_FD, p.from);
    CHECK_EQUAL(FIRST_FREE_FD + 1, p.to);
    CHECK_FAILS(read(p.to, buffer, 1), EBADF);
    CHECK_FAILS(write(p.from, "x", 1), EBADF);
    struct stat stat;
    CHECK_FAILS(fstat(p.from, &stat), EBADF);
    CHECK_FAILS(fstat(p.to, &stat), EBADF);
}

TEST(end_after_the_last_writer) {
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

TEST(killed_reader_leaves_the_others) {
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

TEST(many_readers_and_writers) {
    enum { WRITERS = 4, READERS = 4, ROUNDS = 500, RECORD = 8 };
    struct pipe p = pipe_make(), report = pipe_make();
    for (int writer = 0; writer < WRITERS; writer++) {
        IN_CHILD {
            for (int i = 0; i < ROUNDS; i++) {
                int record[2] = {writer, i};
                CHECK_EQUAL(RECORD, write(p.to, record, RECORD));
            }
        }
    }
    for (int reader = 0; reader < READERS; reader++) {
        IN_CHILD {
            CHECK_EQUAL(0, close(p.to));
            int64_t sums[2] = {0, 0};
            int record[2], n;
            for (; (n = read(p.from, record, RECORD)) == RECORD; sums[1]++)
                sums[0] += record[0] * 1000000 + record[1];
            CHECK_EQUAL(0, n);
            write_fully(report.to, sums, sizeof sums);
        }
    }
    pipe_close(p);
    int64_t total[2] = {0, 0}, sums[2];
    for (int reader = 0; reader < READERS; reader++) {
        read_fully(report.from, sums, sizeof sums);
        total[0] += sums[0];
        total[1] += sums[1];
    }
    CHECK_CHILDREN(WRITERS + READERS);
    CHECK_EQUAL(WRITERS * ROUNDS, total[1]);
    CHECK_EQUAL((int64_t)ROUNDS * 6 * 1000000 + WRITERS * ((int64_t)ROUNDS * (ROUNDS - 1) / 2),
                total[0]);
}

TEST(large_writes_at_once_lose_nothing) {
    enum { WRITERS = 4, SIZE = 50000 };
    struct pipe p = pipe_make();
    int counts[WRITERS] = {0}, n;
    for (int writer = 0; writer < WRITERS; writer++) {
        IN_CHILD {
            CHECK_EQUAL(0, close(p.from));
            memset(buffer, writer, SIZE);
            CHECK_EQUAL(SIZE, write(p.to, buffer, SIZE));
        }
    }
    CHECK_EQUAL(0, close(p.to));
    while ((n = read(p.from, buffer, 3000)) > 0) {
        for (int i = 0; i < n; i++) {
            CHECK(buffer[i] < WRITERS);
            counts[(int)buffer[i]]++;
        }
    }
    CHECK_CHILDREN(WRITERS);
    for (int writer = 0; writer < WRITERS; writer++)
        CHECK_EQUAL(SIZE, counts[writer]);
}

TEST(ring_of_processes) {
    enum { MEMBERS = 6, ROUNDS = 100 };
    struct pipe first = pipe_make(), last = first;
    for (int i = 0; i < MEMBERS; i++) {
        struct pipe next = pipe_make();
        IN_CHILD {
            CHECK_EQUAL(0, close(first.to));
            CHECK_EQUAL(0, close(next.from));
            int token;
            while (read(last.from, &token, sizeof token) == (int)sizeof token) {
                token++;
                write_fully(next.to, &token, sizeof token);
            }
        }
        CHECK_EQUAL(0, close(last.from));
        CHECK_EQUAL(0, close(next.to));
        last = next;
    }
    for (int i = 0; i < ROUNDS; i++) {
        int token = i;
        write_fully(first.to, &token, sizeof token);
        read_fully(last.from, &token, sizeof token);
        CHECK_EQUAL(i + MEMBERS, token);
    }
    CHECK_EQUAL(0, close(first.to));
    CHECK_CHILDREN(MEMBERS);
}

TEST(pipes_of_one_process_run_out) {
    int fds[2], count = 0;
    while (pipe(fds) == 0)
        count++;
    CHECK_EQUAL(EMFILE, errno);
    CHECK_EQUAL((OPEN_MAX - FIRST_FREE_FD - 1) / 2, count);
    CHECK_EQUAL(0, close(FIRST_FREE_FD));
    CHECK_FAILS(pipe(fds), EMFILE);
    CHECK_EQUAL(FIRST_FREE_FD, lowest_free_fd());
}

TEST(pipes_of_many_processes) {
    enum { CHILDREN = 30 };
    struct pipe end = pipe_make(), report = pipe_make();
    for (int i = 0; i < CHILDREN; i++) {
        IN_CHILD {
            int fds[2], count = 0;
            CHECK_EQUAL(0, close(end.to));
            for (; pipe(fds) == 0; count++)
                CHECK_EQUAL(1, write(fds[1], "x", 1));
            CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
            write_fully(report.to, &count, sizeof count);
            read(end.from, buffer, 1);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int count;
        read_fully(report.from, &count, sizeof count);
    }
    pipe_close(end);
    CHECK_CHILDREN(CHILDREN);
    pipe_close(pipe_make());
}

TEST(pipe_without_memory) {
    IN_CHILD {
        memory_promise_all();
        int fds[2], count = 0;
        while (pipe(fds) == 0)
            count++;
        CHECK_EQUAL(ENOMEM, errno);
        CHECK_EQUAL(FIRST_FREE_FD + 2 * count, lowest_free_fd());
    }
    int status;
    CHECK(wait(&status) > 0);
    CHECK(status == 0 || status == TEST_STATUS_KILLED);
}

TEST(ends_opened_and_closed_at_once) {
    for (int round = 0; round < 60; round++) {
        struct pipe p = pipe_make();
        IN_CHILD {
            CHECK_EQUAL(0, close(p.from));
            write(p.to, buffer, 10000);
        }
        IN_CHILD {
            CHECK_EQUAL(0, close(p.to));
            delay((unsigned)round * 100);
            read(p.from, buffer, 100);
        }
        pipe_close(p);
        CHECK_CHILDREN(2);
    }
}
