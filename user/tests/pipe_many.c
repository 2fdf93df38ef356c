// Many pipes, and many processes at one pipe.
#define TEST_FAMILY "pipe"
#include "test.h"

#include "stream.h"
#include "support.h"

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

// Lets that many children make pipes until there can be no more, and use each. Returns how many
// they made.
static int pipes_of_children(int children, void (*use)(int fds[2], int number)) {
    struct pipe end = pipe_make(), report = pipe_make();
    for (int i = 0; i < children; i++) {
        IN_CHILD {
            int fds[2], count = 0;
            CHECK_EQUAL(0, close(end.to));
            for (; pipe(fds) == 0; count++)
                use(fds, count);
            CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
            write_fully(report.to, &count, sizeof count);
            read(end.from, buffer, 1);
        }
    }
    int total = 0;
    for (int i = 0; i < children; i++) {
        int count;
        read_fully(report.from, &count, sizeof count);
        total += count;
    }
    pipe_close(end);
    CHECK_CHILDREN(children);
    pipe_close(pipe_make());
    return total;
}

static void write_byte(int fds[2], int number) {
    (void)number;
    CHECK_EQUAL(1, write(fds[1], "x", 1));
}

static void close_an_end(int fds[2], int number) {
    CHECK_EQUAL(0, close(fds[number % 2]));
}

TEST(pipes_of_many_processes) {
    CHECK(pipes_of_children(30, write_byte) > 0);
}

// A pipe of which one end is closed takes only one of the open files that there can be.
TEST(half_closed_pipes_of_many_processes) {
    CHECK(pipes_of_children(100, close_an_end) > 512);
}

TEST(pipe_without_memory) {
    IN_CHILD {
        memory_reserve_all();
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

TEST(ends_closed_by_several_processes) {
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
