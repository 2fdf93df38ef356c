// Files: opening, contents, sizes, what fstat says, and unlinked files.
#define TEST_FAMILY "file"
#include "test.h"

#include "support.h"

TEST(open_finds_creates_and_truncates) {
    CHECK_FAILS(open("file", O_RDONLY), ENOENT);
    CHECK_FAILS(open("file", O_RDWR | O_TRUNC), ENOENT);
    int fd = file_open("file", O_CREATE | O_RDWR);
    CHECK_EQUAL(FIRST_FREE_FD, fd);
    CHECK_EQUAL(0, read(fd, buffer, 10));
    write_fully(fd, "0123456789", 10);
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(10, file_stat("file").size);
    CHECK_EQUAL(0, close(file_open("file", O_CREATE | O_RDWR)));
    CHECK_EQUAL(10, file_stat("file").size);
    CHECK_EQUAL(0, close(file_open("file", O_TRUNC | O_WRONLY)));
    CHECK_EQUAL(0, file_stat("file").size);
    file_make("file", "abc", 3);
    CHECK_EQUAL(0, close(file_open("file", O_CREATE | O_TRUNC | O_RDWR)));
    CHECK_EQUAL(0, file_stat("file").size);
}

TEST(open_modes_are_enforced) {
    file_make_pattern("file", 100);
    int reader = file_open("file", O_RDONLY), writer = file_open("file", O_WRONLY),
        both = file_open("file", O_RDWR);
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
    file_make_pattern("file", 3 * PAGE_BYTES);
    int fd = file_open("file", O_WRONLY);
    pattern_fill(buffer, 0, PAGE_BYTES + 10);
    write_fully(fd, buffer, PAGE_BYTES + 10);
    CHECK_EQUAL(0, close(fd));
    file_check_pattern("file", 3 * PAGE_BYTES);
    CHECK_EQUAL(3 * PAGE_BYTES, file_stat("file").size);
}

TEST(contents_of_all_sizes) {
    static const size_t sizes[] = {1,
                                   511,
                                   512,
                                   513,
                                   1024,
                                   PAGE_BYTES - 1,
                                   PAGE_BYTES,
                                   PAGE_BYTES + 1,
                                   10 * PAGE_BYTES - 1,
                                   10 * PAGE_BYTES,
                                   10 * PAGE_BYTES + 1,
                                   40000,
                                   65535,
                                   65536,
                                   65537,
                                   100000,
                                   268 * 1024,
                                   300001};
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
        int fd = file_open("file", O_CREATE | O_TRUNC | O_RDWR);
        for (size_t place = 0; place < total; place += sizes[i]) {
            pattern_fill(buffer, place, sizes[i]);
            CHECK_EQUAL(sizes[i], write(fd, buffer, (int)sizes[i]));
        }
        CHECK_EQUAL(0, close(fd));
        fd = file_open("file", O_RDONLY);
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
    int fd = file_open("file", O_CREATE | O_WRONLY);
    CHECK_EQUAL(SIZE, write(fd, bytes, SIZE));
    CHECK_EQUAL(0, close(fd));
    memset(bytes, 0, SIZE);
    fd = file_open("file", O_RDONLY);
    CHECK_EQUAL(SIZE, read(fd, bytes, SIZE));
    pattern_check(bytes, 0, SIZE);
}

TEST(file_through_double_indirect_blocks) {
    enum { SIZE = (4 << 20) + 40 * 1024 + 3 * PAGE_BYTES + 5 };
    file_make_pattern("file", SIZE);
    CHECK_EQUAL(SIZE, file_stat("file").size);
    file_check_pattern("file", SIZE);
    CHECK_EQUAL(0, unlink("file"));
    CHECK_FAILS(open("file", O_RDONLY), ENOENT);
}

TEST(reading_at_the_end) {
    file_make_pattern("file", 100);
    int fd = file_open("file", O_RDONLY);
    CHECK_EQUAL(60, read(fd, buffer, 60));
    CHECK_EQUAL(40, read(fd, buffer + 60, 60));
    pattern_check(buffer, 0, 100);
    CHECK_EQUAL(0, read(fd, buffer, 60));
    CHECK_EQUAL(0, read(fd, buffer, 60));
    int writer = file_open("file", O_WRONLY);
    pattern_fill(buffer, 0, 110);
    write_fully(writer, buffer, 110);
    CHECK_EQUAL(10, read(fd, buffer, 60));
    pattern_check(buffer, 100, 10);
}

TEST(zero_byte_transfers_change_nothing) {
    file_make_pattern("file", 10);
    int fd = file_open("file", O_RDWR);
    CHECK_EQUAL(0, read(fd, buffer, 0));
    CHECK_EQUAL(0, write(fd, buffer, 0));
    CHECK_EQUAL(10, file_stat("file").size);
    CHECK_EQUAL(10, read(fd, buffer, 10));
    pattern_check(buffer, 0, 10);
}

TEST(same_blocks_many_times) {
    enum { PIECES = 8 };
    file_make_pattern("file", PIECES * PAGE_BYTES);
    for (unsigned round = 0; round < 10; round++) {
        int fd = file_open("file", O_RDWR);
        for (int i = 0; i < PIECES; i++) {
            memset(buffer, (int)round + i, PAGE_BYTES);
            write_fully(fd, buffer, PAGE_BYTES);
        }
        CHECK_EQUAL(0, close(fd));
        fd = file_open("file", O_RDONLY);
        for (int i = 0; i < PIECES; i++) {
            read_fully(fd, buffer, PAGE_BYTES);
            CHECK_BYTES(buffer, round + (unsigned)i, PAGE_BYTES);
        }
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(fstat_describes_files) {
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
    file_make_pattern("file", 5 * PAGE_BYTES);
    int fd = file_open("file", O_RDWR);
    CHECK_EQUAL(0, unlink("file"));
    CHECK(!file_exists("file"));
    file_make("file", "another", 7);
    read_fully(fd, buffer, 5 * PAGE_BYTES);
    pattern_check(buffer, 0, 5 * PAGE_BYTES);
    write_fully(fd, buffer, PAGE_BYTES);
    struct stat stat;
    CHECK_EQUAL(0, fstat(fd, &stat));
    CHECK_EQUAL(0, stat.nlink);
    CHECK_EQUAL(6 * PAGE_BYTES, stat.size);
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(7, file_stat("file").size);
}

TEST(unlinked_file_in_a_killed_process) {
    for (int round = 0; round < 20; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            file_make_pattern("file", 3 * PAGE_BYTES);
            file_open("file", O_RDWR);
            CHECK_EQUAL(0, unlink("file"));
            kill(getpid());
        }
        CHECK_CHILD(TEST_STATUS_KILLED);
        CHECK(!file_exists("file"));
    }
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
    int fd = file_open("console", O_RDWR);
    CHECK_EQUAL(0, write(fd, "", 0));
    CHECK_FAILS(write(fd, (void *)8, 100), EFAULT);
    CHECK_EQUAL(0, close(file_open("console", O_CREATE | O_RDWR)));
}
