// Truncation, and files that several processes use at the same time.
#define TEST_FAMILY "file"
#include "test.h"

#include "support.h"

TEST(truncation_while_open_for_reading) {
    file_make_pattern("file", 3 * PAGE_BYTES);
    int reader = file_open("file", O_RDONLY), other = file_open("file", O_RDWR);
    read_fully(reader, buffer, 2 * PAGE_BYTES);
    int writer = file_open("file", O_WRONLY | O_TRUNC);
    CHECK_EQUAL(0, read(reader, buffer, PAGE_BYTES));
    CHECK_EQUAL(0, read(other, buffer, PAGE_BYTES));
    pattern_fill(buffer, 0, 2 * PAGE_BYTES + 10);
    write_fully(writer, buffer, 2 * PAGE_BYTES + 10);
    CHECK_EQUAL(10, read(reader, buffer, PAGE_BYTES));
    pattern_check(buffer, 2 * PAGE_BYTES, 10);
    CHECK_EQUAL(PAGE_BYTES, read(other, buffer, PAGE_BYTES));
    pattern_check(buffer, 0, PAGE_BYTES);
}

TEST(writing_beyond_the_end_fails) {
    file_make_pattern("file", 100);
    int fd = file_open("file", O_RDWR);
    read_fully(fd, buffer, 50);
    CHECK_EQUAL(0, close(file_open("file", O_WRONLY | O_TRUNC)));
    CHECK_EQUAL(-1, write(fd, "x", 1));
    CHECK_EQUAL(0, file_stat("file").size);
}

TEST(truncation_leaves_other_files_alone) {
    file_make_pattern("one", 20 * PAGE_BYTES);
    file_make_pattern("two", 20 * PAGE_BYTES);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(0, close(file_open("one", O_WRONLY | O_TRUNC)));
        file_make_pattern("one", 20 * PAGE_BYTES);
    }
    file_check_pattern("one", 20 * PAGE_BYTES);
    file_check_pattern("two", 20 * PAGE_BYTES);
}

TEST(truncation_while_others_read_and_write) {
    file_make_pattern("file", 5 * PAGE_BYTES);
    for (int child = 0; child < 3; child++) {
        IN_CHILD {
            for (int i = 0; i < 30; i++) {
                int fd = file_open("file", child == 0 ? O_WRONLY | O_TRUNC : O_RDWR);
                if (child == 1)
                    write(fd, buffer, 5 * PAGE_BYTES);
                else
                    read(fd, buffer, sizeof buffer);
                CHECK_EQUAL(0, close(fd));
            }
        }
    }
    CHECK_CHILDREN(3);
}

TEST(appenders_share_one_descriptor) {
    enum { CHILDREN = 4, ROUNDS = 40, PIECE = 10 };
    int fd = file_open("file", O_CREATE | O_RDWR), counts[CHILDREN] = {0};
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            memset(buffer, 'a' + child, PIECE);
            for (int i = 0; i < ROUNDS; i++)
                CHECK_EQUAL(PIECE, write(fd, buffer, PIECE));
        }
    }
    CHECK_CHILDREN(CHILDREN);
    CHECK_EQUAL(CHILDREN * ROUNDS * PIECE, file_stat("file").size);
    CHECK_EQUAL(0, close(fd));
    fd = file_open("file", O_RDONLY);
    while (read(fd, buffer, PIECE) == PIECE) {
        CHECK(buffer[0] >= 'a' && buffer[0] < 'a' + CHILDREN);
        CHECK_BYTES(buffer, buffer[0], PIECE);
        counts[buffer[0] - 'a']++;
    }
    for (int child = 0; child < CHILDREN; child++)
        CHECK_EQUAL(ROUNDS, counts[child]);
}

TEST(readers_share_one_descriptor) {
    enum { CHILDREN = 4, PIECE = 8, PIECES = 400 };
    int report[2];
    bool seen[PIECES] = {false};
    for (int i = 0; i < PIECES; i++)
        memcpy(buffer + i * PIECE, &(int64_t){i}, PIECE);
    file_make("file", buffer, PIECES * PIECE);
    CHECK_EQUAL(0, pipe(report));
    int fd = file_open("file", O_RDONLY);
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            int64_t piece;
            while (read(fd, &piece, PIECE) == PIECE)
                write_fully(report[1], &piece, PIECE);
        }
    }
    for (int i = 0; i < PIECES; i++) {
        int64_t piece;
        read_fully(report[0], &piece, PIECE);
        CHECK(piece >= 0 && piece < PIECES && !seen[piece]);
        seen[piece] = true;
    }
    CHECK_CHILDREN(CHILDREN);
}

TEST(writers_of_different_files) {
    enum { CHILDREN = 4, PIECES = 30, PIECE = 500 };
    char name[NAME_BYTES + 1];
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            int fd = file_open(name_with(name, "file", (unsigned)child), O_CREATE | O_RDWR);
            memset(buffer, '0' + child, PIECE);
            for (int i = 0; i < PIECES; i++)
                write_fully(fd, buffer, PIECE);
        }
    }
    CHECK_CHILDREN(CHILDREN);
    for (int child = 0; child < CHILDREN; child++) {
        int fd = file_open(name_with(name, "file", (unsigned)child), O_RDONLY);
        read_fully(fd, buffer, PIECES * PIECE);
        CHECK_BYTES(buffer, '0' + child, PIECES * PIECE);
        CHECK_EQUAL(0, read(fd, buffer, 1));
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(many_write_and_remove_at_once) {
    enum { CHILDREN = 4 };
    char name[NAME_BYTES + 1];
    for (unsigned child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            for (int i = 0; i < 8; i++) {
                file_make_pattern(name_with(name, "file", child), 12 * PAGE_BYTES);
                file_check_pattern(name, 12 * PAGE_BYTES);
                CHECK_EQUAL(0, unlink(name));
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
}
