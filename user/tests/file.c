// Files and descriptors: contents, offsets, sharing, limits.
#define TEST_FAMILY "file"
#include "test.h"

#include "support.h"

// Opens a file that must open.
static int open_file(const char *name, int flags) {
    int fd = open(name, flags);
    if (fd < 0)
        FAIL("expected to open %s (flags 0x%x), saw errno %d", name, (unsigned)flags, errno);
    return fd;
}

TEST(open_finds_creates_truncates) {
    CHECK_FAILS(open("file", O_RDONLY), ENOENT);
    CHECK_FAILS(open("file", O_RDWR | O_TRUNC), ENOENT);
    int fd = open_file("file", O_CREATE | O_RDWR);
    CHECK_EQUAL(FIRST_FREE_FD, fd);
    CHECK_EQUAL(0, read(fd, buffer, 10));
    write_fully(fd, "0123456789", 10);
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(10, file_stat("file").size);
    CHECK_EQUAL(0, close(open_file("file", O_CREATE | O_RDWR)));
    CHECK_EQUAL(10, file_stat("file").size);
    CHECK_EQUAL(0, close(open_file("file", O_TRUNC | O_WRONLY)));
    CHECK_EQUAL(0, file_stat("file").size);
    file_make("file", "abc", 3);
    CHECK_EQUAL(0, close(open_file("file", O_CREATE | O_TRUNC | O_RDWR)));
    CHECK_EQUAL(0, file_stat("file").size);
}

TEST(open_modes_hold) {
    file_make_pattern("file", 100);
    int reader = open_file("file", O_RDONLY), writer = open_file("file", O_WRONLY),
        both = open_file("file", O_RDWR);
    CHECK_FAILS(write(reader, "x", 1), EBADF);
    CHECK_FAILS(read(writer, buffer, 1), EBADF);
    CHECK_EQUAL(1, write(writer, "x", 1));
    CHECK_EQUAL(1, read(both, buffer, 1));
    CHECK_EQUAL('x', buffer[0]);
    CHECK_EQUAL(1, write(both, "y", 1));
    CHECK_EQUAL(3, read(reader, buffer, 3));
    CHECK_EQUAL('y', buffer[1]);
    CHECK_EQUAL(pattern_byte(2), (uint8_t)buffer[2]);
}

TEST(overwriting_keeps_the_rest) {
    file_make_pattern("file", 3 * PAGE);
    int fd = open_file("file", O_WRONLY);
    pattern_fill(buffer, 0, PAGE + 10);
    write_fully(fd, buffer, PAGE + 10);
    CHECK_EQUAL(0, close(fd));
    file_check_pattern("file", 3 * PAGE);
    CHECK_EQUAL(3 * PAGE, file_stat("file").size);
}

TEST(contents_of_all_sizes) {
    static const size_t sizes[] = {
        1,         511,           512,   513,   1024,  PAGE - 1, PAGE,   PAGE + 1,   10 * PAGE - 1,
        10 * PAGE, 10 * PAGE + 1, 40000, 65535, 65536, 65537,    100000, 268 * 1024, 300001};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        file_make_pattern("file", sizes[i]);
        CHECK_EQUAL(sizes[i], file_stat("file").size);
        file_check_pattern("file", sizes[i]);
    }
}

TEST(pieces_of_all_sizes) {
    static const size_t sizes[] = {1, 7, 499, 512, 971, 1023, 4095, 4096, 4097, 12288, 50000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        size_t total = sizes[i] * (sizes[i] < 10 ? 100 : 5);
        int fd = open_file("file", O_CREATE | O_TRUNC | O_RDWR);
        for (size_t place = 0; place < total; place += sizes[i]) {
            pattern_fill(buffer, place, sizes[i]);
            CHECK_EQUAL(sizes[i], write(fd, buffer, (int)sizes[i]));
        }
        CHECK_EQUAL(0, close(fd));
        fd = open_file("file", O_RDONLY);
        for (size_t place = 0; place < total; place += sizes[i]) {
            CHECK_EQUAL(sizes[i], read(fd, buffer, (int)sizes[i]));
            pattern_check(buffer, place, sizes[i]);
        }
        CHECK_EQUAL(0, read(fd, buffer, 1));
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(one_large_transfer) {
    enum { SIZE = 300000 };
    char *bytes = sbrk(SIZE);
    CHECK(bytes != (char *)-1);
    pattern_fill(bytes, 0, SIZE);
    int fd = open_file("file", O_CREATE | O_WRONLY);
    CHECK_EQUAL(SIZE, write(fd, bytes, SIZE));
    CHECK_EQUAL(0, close(fd));
    memset(bytes, 0, SIZE);
    fd = open_file("file", O_RDONLY);
    CHECK_EQUAL(SIZE, read(fd, bytes, SIZE));
    pattern_check(bytes, 0, SIZE);
}

TEST(file_through_double_indirect_blocks) {
    enum { SIZE = (4 << 20) + 40 * 1024 + 3 * PAGE + 5 };
    file_make_pattern("file", SIZE);
    CHECK_EQUAL(SIZE, file_stat("file").size);
    file_check_pattern("file", SIZE);
    CHECK_EQUAL(0, unlink("file"));
    CHECK_FAILS(open("file", O_RDONLY), ENOENT);
}

TEST(reading_at_the_end) {
    file_make_pattern("file", 100);
    int fd = open_file("file", O_RDONLY);
    CHECK_EQUAL(60, read(fd, buffer, 60));
    CHECK_EQUAL(40, read(fd, buffer + 60, 60));
    pattern_check(buffer, 0, 100);
    CHECK_EQUAL(0, read(fd, buffer, 60));
    CHECK_EQUAL(0, read(fd, buffer, 60));
    int writer = open_file("file", O_WRONLY);
    pattern_fill(buffer, 0, 110);
    write_fully(writer, buffer, 110);
    CHECK_EQUAL(10, read(fd, buffer, 60));
    pattern_check(buffer, 100, 10);
}

TEST(transfers_of_nothing) {
    file_make_pattern("file", 10);
    int fd = open_file("file", O_RDWR);
    CHECK_EQUAL(0, read(fd, buffer, 0));
    CHECK_EQUAL(0, write(fd, buffer, 0));
    CHECK_EQUAL(10, file_stat("file").size);
    CHECK_EQUAL(10, read(fd, buffer, 10));
    pattern_check(buffer, 0, 10);
}

TEST(offsets_are_each_descriptors_own) {
    file_make_pattern("file", 100);
    int one = open_file("file", O_RDONLY), two = open_file("file", O_RDONLY);
    read_fully(one, buffer, 30);
    read_fully(two, buffer, 10);
    pattern_check(buffer, 0, 10);
    read_fully(one, buffer, 10);
    pattern_check(buffer, 30, 10);
}

TEST(dup_and_fork_share_offsets) {
    file_make_pattern("file", 100);
    int fd = open_file("file", O_RDONLY);
    int copy = dup(fd);
    CHECK_EQUAL(fd + 1, copy);
    read_fully(fd, buffer, 10);
    read_fully(copy, buffer, 10);
    pattern_check(buffer, 10, 10);
    CHECK_EQUAL(0, close(fd));
    IN_CHILD
    read_fully(copy, buffer, 10);
    CHECK_CHILD(0);
    read_fully(copy, buffer, 10);
    pattern_check(buffer, 30, 10);
}

TEST(dup_takes_the_lowest_number) {
    file_make_empty("file");
    CHECK_EQUAL(FIRST_FREE_FD, open_file("file", O_RDONLY));
    CHECK_EQUAL(FIRST_FREE_FD + 1, open_file("file", O_RDONLY));
    CHECK_EQUAL(FIRST_FREE_FD + 2, open_file("file", O_RDONLY));
    CHECK_EQUAL(0, close(FIRST_FREE_FD + 1));
    CHECK_EQUAL(FIRST_FREE_FD + 1, dup(FIRST_FREE_FD));
    CHECK_EQUAL(0, close(0));
    CHECK_EQUAL(0, dup(FIRST_FREE_FD));
    CHECK_EQUAL(0, close(FIRST_FREE_FD));
    CHECK_EQUAL(FIRST_FREE_FD, open_file("file", O_RDONLY));
}

TEST(closed_descriptors_are_bad) {
    static const int bad[] = {-1,   FIRST_FREE_FD, OPEN_MAX, OPEN_MAX + 1,
                              1000, INT32_MAX,     INT32_MIN};
    struct stat stat;
    file_make_empty("file");
    CHECK_EQUAL(0, close(open_file("file", O_RDWR)));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_FAILS(close(bad[i]), EBADF);
        CHECK_FAILS(dup(bad[i]), EBADF);
        CHECK_FAILS(read(bad[i], buffer, 1), EBADF);
        CHECK_FAILS(write(bad[i], buffer, 1), EBADF);
        CHECK_FAILS(fstat(bad[i], &stat), EBADF);
    }
}

// Opens until it fails; returns how many.
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
    CHECK_EQUAL(5, open_file("file", O_RDONLY));
}

// Many processes open all they can; afterwards as much can be open as before.
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

TEST(fstat_describes) {
    struct stat file, directory, device, again;
    file_make_pattern("file", 1234);
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, mknod("device", DEVICE_CONSOLE, 0));
    file = file_stat("file");
    directory = file_stat("directory");
    device = file_stat("device");
    again = file_stat("./file");
    CHECK_EQUAL(T_FILE, file.type);
    CHECK_EQUAL(1234, file.size);
    CHECK_EQUAL(1, file.nlink);
    CHECK_EQUAL(file.ino, again.ino);
    CHECK_EQUAL(file.dev, again.dev);
    CHECK_EQUAL(T_DIR, directory.type);
    CHECK_EQUAL(0, directory.size % sizeof(struct dirent));
    CHECK_EQUAL(1, directory.nlink);
    CHECK_EQUAL(T_DEVICE, device.type);
    CHECK(file.ino != directory.ino && directory.ino != device.ino && device.ino != file.ino);
}

TEST(unlinked_file_lives_while_open) {
    file_make_pattern("file", 5 * PAGE);
    int fd = open_file("file", O_RDWR);
    CHECK_EQUAL(0, unlink("file"));
    CHECK(!file_exists("file"));
    file_make("file", "another", 7);
    read_fully(fd, buffer, 5 * PAGE);
    pattern_check(buffer, 0, 5 * PAGE);
    write_fully(fd, buffer, PAGE);
    struct stat stat;
    CHECK_EQUAL(0, fstat(fd, &stat));
    CHECK_EQUAL(0, stat.nlink);
    CHECK_EQUAL(6 * PAGE, stat.size);
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(7, file_stat("file").size);
}

TEST(unlinked_file_in_a_killed_process) {
    for (int round = 0; round < 20; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            file_make_pattern("file", 3 * PAGE);
            open_file("file", O_RDWR);
            CHECK_EQUAL(0, unlink("file"));
            kill(getpid());
        }
        CHECK_CHILD(TEST_STATUS_KILLED);
        CHECK(!file_exists("file"));
    }
}

TEST(truncation_under_a_reader) {
    file_make_pattern("file", 3 * PAGE);
    int reader = open_file("file", O_RDONLY), other = open_file("file", O_RDWR);
    read_fully(reader, buffer, 2 * PAGE);
    int writer = open_file("file", O_WRONLY | O_TRUNC);
    CHECK_EQUAL(0, read(reader, buffer, PAGE));
    CHECK_EQUAL(0, read(other, buffer, PAGE));
    pattern_fill(buffer, 0, 2 * PAGE + 10);
    write_fully(writer, buffer, 2 * PAGE + 10);
    CHECK_EQUAL(10, read(reader, buffer, PAGE));
    pattern_check(buffer, 2 * PAGE, 10);
    CHECK_EQUAL(PAGE, read(other, buffer, PAGE));
    pattern_check(buffer, 0, PAGE);
}

TEST(writing_beyond_the_end_fails) {
    file_make_pattern("file", 100);
    int fd = open_file("file", O_RDWR);
    read_fully(fd, buffer, 50);
    CHECK_EQUAL(0, close(open_file("file", O_WRONLY | O_TRUNC)));
    CHECK_EQUAL(-1, write(fd, "x", 1));
    CHECK_EQUAL(0, file_stat("file").size);
}

TEST(truncation_frees_and_zeroes_nothing_else) {
    file_make_pattern("one", 20 * PAGE);
    file_make_pattern("two", 20 * PAGE);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(0, close(open_file("one", O_WRONLY | O_TRUNC)));
        file_make_pattern("one", 20 * PAGE);
    }
    file_check_pattern("one", 20 * PAGE);
    file_check_pattern("two", 20 * PAGE);
}

TEST(truncation_while_others_read_and_write) {
    file_make_pattern("file", 5 * PAGE);
    for (int child = 0; child < 3; child++) {
        IN_CHILD {
            for (int i = 0; i < 30; i++) {
                int fd = open_file("file", child == 0 ? O_WRONLY | O_TRUNC : O_RDWR);
                if (child == 1)
                    write(fd, buffer, 5 * PAGE);
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
    int fd = open_file("file", O_CREATE | O_RDWR), counts[CHILDREN] = {0};
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
    fd = open_file("file", O_RDONLY);
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
    int fd = open_file("file", O_RDONLY);
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
            int fd = open_file(name_with(name, "file", (unsigned)child), O_CREATE | O_RDWR);
            memset(buffer, '0' + child, PIECE);
            for (int i = 0; i < PIECES; i++)
                write_fully(fd, buffer, PIECE);
        }
    }
    CHECK_CHILDREN(CHILDREN);
    for (int child = 0; child < CHILDREN; child++) {
        int fd = open_file(name_with(name, "file", (unsigned)child), O_RDONLY);
        read_fully(fd, buffer, PIECES * PIECE);
        CHECK_BYTES(buffer, '0' + child, PIECES * PIECE);
        CHECK_EQUAL(0, read(fd, buffer, 1));
        CHECK_EQUAL(0, close(fd));
    }
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

TEST(devices_without_driver) {
    static const int majors[] = {0, 2, 9, 10, 99, 32767, -1};
    char name[NAME_BYTES + 1];
    for (size_t i = 0; i < ARRAY_SIZE(majors); i++) {
        CHECK_EQUAL(0, mknod(name_with(name, "device", (unsigned)i), (short)majors[i], 3));
        int fd = open(name, O_RDWR);
        CHECK(fd >= 0 || errno == ENXIO);
        if (fd >= 0) {
            CHECK_FAILS(read(fd, buffer, 1), ENXIO);
            CHECK_FAILS(write(fd, buffer, 1), ENXIO);
            CHECK_EQUAL(0, close(fd));
        }
        CHECK_EQUAL(0, unlink(name));
    }
}

TEST(writing_the_console) {
    CHECK_EQUAL(0, mknod("console", DEVICE_CONSOLE, 0));
    int fd = open_file("console", O_RDWR);
    CHECK_EQUAL(0, write(fd, "", 0));
    CHECK_FAILS(write(fd, (void *)8, 100), EFAULT);
    CHECK_EQUAL(0, close(open_file("console", O_CREATE | O_RDWR)));
}

TEST(same_blocks_many_times) {
    enum { PIECES = 8 };
    file_make_pattern("file", PIECES * PAGE);
    for (unsigned round = 0; round < 10; round++) {
        int fd = open_file("file", O_RDWR);
        for (int i = 0; i < PIECES; i++) {
            memset(buffer, (int)round + i, PAGE);
            write_fully(fd, buffer, PAGE);
        }
        CHECK_EQUAL(0, close(fd));
        fd = open_file("file", O_RDONLY);
        for (int i = 0; i < PIECES; i++) {
            read_fully(fd, buffer, PAGE);
            CHECK_BYTES(buffer, round + (unsigned)i, PAGE);
        }
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(many_write_and_remove_at_once) {
    enum { CHILDREN = 4 };
    char name[NAME_BYTES + 1];
    for (unsigned child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            for (int i = 0; i < 8; i++) {
                file_make_pattern(name_with(name, "file", child), 12 * PAGE);
                file_check_pattern(name, 12 * PAGE);
                CHECK_EQUAL(0, unlink(name));
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
}
