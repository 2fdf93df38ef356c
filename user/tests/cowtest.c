// cowtest proves copy-on-write fork frame by frame. This file has the four classic tests of the
// lab, which look only at what programs can see; the other files look at frames, COW bits and
// counters, too.
#include "cowtest.h"

#include "cow6.h"

enum {
    SIMPLE_FRAMES = 8192, // 32 MiB: what a test uses of a large memory, so that it ends soon
    FORKFORK_PAGES = 128,
    FORKFORK_CHILDREN = 3,
    FORKFORK_ROUNDS = 12,
};

static char file_buffer[2 * PAGE_BYTES];

// Writes numbers to both ends of the pages `from` to `to`.
static void write_ends(char *pages, size_t from, size_t to, uint64_t value) {
    for (size_t i = from; i < to; i++) {
        *(uint64_t *)(pages + i * PAGE_BYTES) = value + i;
        *(uint64_t *)(pages + i * PAGE_BYTES + PAGE_BYTES - 8) = value + i;
    }
}

static bool ends_match(const char *pages, size_t from, size_t to, uint64_t value) {
    for (size_t i = from; i < to; i++) {
        if (*(const uint64_t *)(pages + i * PAGE_BYTES) != value + i)
            return false;
        if (*(const uint64_t *)(pages + i * PAGE_BYTES + PAGE_BYTES - 8) != value + i)
            return false;
    }
    return true;
}

TEST(one_page_step_by_step) {
    check_page_step_by_step();
}

// A process with two thirds of the memory can fork, though there is no room for a copy.
TEST(simple) {
    memory_limit(SIMPLE_FRAMES);
    size_t n = frames_available() * 2 / 3;
    char *pages = heap_grow(n);
    write_ends(pages, 0, n, 1000);
    IN_CHILD {
        CHECK(ends_match(pages, 0, n, 1000), AS_FORKED);
    }
    CHECK_CHILD(0);
    CHECK(ends_match(pages, 0, n, 1000), TO_PARENT);
    heap_shrink(n);
    memory_unlimit();
}

// Three processes with a quarter of the memory each write to overlapping parts of it.
TEST(three) {
    memory_limit(SIMPLE_FRAMES);
    size_t n = frames_available() / 4;
    char *pages = heap_grow(n);
    write_ends(pages, 0, n, 1000);
    IN_CHILD {
        IN_CHILD {
            write_ends(pages, n / 4, n, 3000);
            CHECK(ends_match(pages, 0, n / 4, 1000), AS_FORKED);
            CHECK(ends_match(pages, n / 4, n, 3000), OWN_WRITE);
        }
        write_ends(pages, 0, n / 2, 2000);
        CHECK(ends_match(pages, 0, n / 2, 2000), OWN_WRITE);
        CHECK(ends_match(pages, n / 2, n, 1000), AS_FORKED);
        CHECK_CHILD(0);
        CHECK(ends_match(pages, 0, n / 2, 2000), TO_PARENT);
        CHECK(ends_match(pages, n / 2, n, 1000), TO_PARENT);
    }
    write_ends(pages, 0, n, 4000);
    CHECK_CHILD(0);
    CHECK(ends_match(pages, 0, n, 4000), TO_PARENT);
    heap_shrink(n);
    memory_unlimit();
}

// The kernel writes into pages that fork shared: each child reads its own number from a pipe.
TEST(file) {
    enum { CHILDREN = 4, HOME = PAGE_BYTES - 2 }; // the number lies across two pages
    int fds[2];
    memset(file_buffer, 99, sizeof file_buffer);
    for (int i = 0; i < CHILDREN; i++) {
        pipe_open(fds);
        IN_CHILD {
            int number;
            CHECK_EQUAL(sizeof number, read(fds[0], file_buffer + HOME, sizeof number),
                        "read() into a page that fork shared fails: user_page must break the "
                        "sharing, as a store does");
            memcpy(&number, file_buffer + HOME, sizeof number);
            CHECK_EQUAL(i, number,
                        "read() into a shared page stored nothing, or another process got the "
                        "bytes: did the kernel write to the new frame of the process that reads?");
            CHECK_BYTES(file_buffer, 99, HOME,
                        "read() into a shared page: the copy lacks what was in the page before");
            CHECK_BYTES(file_buffer + HOME + sizeof number, 99,
                        sizeof file_buffer - HOME - sizeof number,
                        "read() into a shared page: the copy lacks what was in the page before");
        }
        CHECK_EQUAL(sizeof i, write(fds[1], &i, sizeof i), PIPE_FAILS);
        close(fds[0]);
        close(fds[1]);
    }
    CHECK_CHILDREN(CHILDREN);
    CHECK_BYTES(file_buffer, 99, sizeof file_buffer,
                "what read() stored for the child is in the parent's page: the kernel wrote to the "
                "shared frame");
}

// Forks, several times, a child that writes to every page.
static void fork_writers(char *pages, int parent) {
    for (int round = 0; round < FORKFORK_ROUNDS; round++) {
        IN_CHILD {
            write_ends(pages, 0, FORKFORK_PAGES, 100 * parent + round);
            CHECK(ends_match(pages, 0, FORKFORK_PAGES, 100 * parent + round), OWN_WRITE);
        }
        if (round % 2 == 1)
            CHECK_CHILDREN(2);
    }
}

// Children that fork again and again, all from the same pages.
TEST(forkfork) {
    char *pages = heap_grow_filled(FORKFORK_PAGES, 1);
    for (int i = 0; i < FORKFORK_CHILDREN; i++) {
        IN_CHILD {
            fork_writers(pages, i);
            CHECK_PATTERN(pages, FORKFORK_PAGES, 1, TO_PARENT);
        }
    }
    CHECK_CHILDREN(FORKFORK_CHILDREN);
    CHECK_PATTERN(pages, FORKFORK_PAGES, 1, TO_PARENT);
}

// Programs for the tests of exec, which tell by their status how they went.
static int run_as_helper(const char *argument) {
    char byte = 0;
    if (strcmp(argument, "--exit") == 0)
        return 7;
    if (strcmp(argument, "--none") == 0)
        return 0;
    if (strcmp(argument, "--exercise") == 0)
        return exercise_run();
    if (strcmp(argument, "--keep") == 0)
        return keep_run();
    if (strcmp(argument, "--data") == 0)
        return data_run();
    if (strcmp(argument, "--subject") == 0)
        return subject_run();
    write(1, &byte, 1);
    return read(0, &byte, 1) == 1 ? byte : 0;
}

int main(int argc, char **argv) {
    static const struct test_program program = {.path = PROGRAM,
                                                .last_line = "ALL COW TESTS PASSED"};
    if (argc == 2 && strncmp(argv[1], "--", 2) == 0)
        return run_as_helper(argv[1]);
    return test_main(argc, argv, &program);
}
