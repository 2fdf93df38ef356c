// mmap of files: the end of the file, protections, and files that cannot be mapped.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

enum { SIZE = 5 * PAGE_BYTES + 100, PAGES = 6 };

// After the end of the file the last page is zero, and what is stored there is lost; the pages
// after it fault.
TEST(pages_past_the_end_of_the_file) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int fd = pattern_open("file", PAGE_BYTES + 100, O_RDWR);
        char *start = map_file(fd, 0, 4 * PAGE_BYTES, RW, sharings[i]);
        CHECK_BYTES(start + PAGE_BYTES + 100, 0, PAGE_BYTES - 100);
        memset(start + PAGE_BYTES + 100, 5, PAGE_BYTES - 100);
        for (int page = 2; page < 4; page++) {
            check_touch_kills(start + page * PAGE_BYTES, TOUCH_LOAD);
            check_touch_kills(start + page * PAGE_BYTES, TOUCH_STORE);
            CHECK_FAILS(write(TEST_FD, start + page * PAGE_BYTES, 1), EFAULT);
            CHECK_FAILS(fstat(fd, (struct stat *)(start + page * PAGE_BYTES)), EFAULT);
            CHECK_EQUAL(PAGE_REGION,
                        flags_at(start + page * PAGE_BYTES) & (PAGE_REGION | PAGE_PRESENT));
        }
        CHECK_EQUAL(PAGE_BYTES + 100, file_stat("file").size);
        unmap_pages(start, 4);
        file_check_pattern("file", PAGE_BYTES + 100);
        start = map_file(fd, PAGE_BYTES, PAGE_BYTES, PROT_READ, sharings[i]);
        pattern_check(start, PAGE_BYTES, 100);
        CHECK_BYTES(start + 100, 0, PAGE_BYTES - 100);
        unmap_pages(start, 1);
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(mappings_of_empty_files) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int fd = pattern_open("empty", 0, O_RDWR);
        char *start = map_file(fd, 0, 2 * PAGE_BYTES, RW, sharings[i]);
        char *far = map_file(fd, 1ul << 40, PAGE_BYTES, RW, sharings[i]);
        check_touch_kills(start, TOUCH_LOAD);
        check_touch_kills(far, TOUCH_STORE);
        write_fully(fd, "now there is something", 22);
        CHECK(memcmp(start, "now there is something", 22) == 0);
        CHECK_BYTES(start + 22, 0, PAGE_BYTES - 22);
        check_touch_kills(start + PAGE_BYTES, TOUCH_LOAD);
        unmap_pages(start, 2);
        unmap_pages(far, 1);
        CHECK_EQUAL(0, close(fd));
    }
}

// The last pages that an offset can name: no sum may wrap around.
TEST(offsets_far_past_the_end) {
    static const uint64_t offsets[] = {1ul << 32, 1ul << 44, 1ul << 52, 1ul << 62,
                                       INT64_MAX - PAGE_BYTES + 1};
    int fd = pattern_open("file", SIZE, O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        char *start = mmap(NULL, 3 * PAGE_BYTES, RW, sharings[i % 2], fd, (long)offsets[i]);
        if (start == MAP_FAILED)
            continue; // this is fine, too
        for (int page = 0; page < 3; page++)
            check_touch_kills(start + page * PAGE_BYTES, TOUCH_LOAD);
        unmap_pages(start, 3);
    }
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, MAP_PRIVATE, fd, INT64_MIN), EINVAL);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, MAP_PRIVATE, fd, -PAGE_BYTES), EINVAL);
    for (long odd = 1; odd < PAGE_BYTES; odd *= 2)
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, MAP_PRIVATE, fd, odd), EINVAL);
}

TEST(files_may_grow_under_mappings) {
    int fd = pattern_open("file", 100, O_RDWR);
    char *start = map_file(fd, 0, 4 * PAGE_BYTES, RW, MAP_SHARED);
    pattern_check(start, 0, 100);
    check_touch_kills(start + PAGE_BYTES, TOUCH_LOAD);
    start[300] = 1; // past the end of the file, which reaches it later
    read_fully(fd, buffer, 100);
    pattern_fill(buffer, 100, 2 * PAGE_BYTES);
    write_fully(fd, buffer, 2 * PAGE_BYTES);
    pattern_check(start, 0, 2 * PAGE_BYTES + 100);
    check_touch_kills(start + 3 * PAGE_BYTES, TOUCH_LOAD);
    start[2 * PAGE_BYTES + 10] = 'x';
    unmap_pages(start, 4);
    CHECK_EQUAL('x', file_byte("file", 2 * PAGE_BYTES + 10));
    CHECK_EQUAL(2 * PAGE_BYTES + 100, file_stat("file").size);
}

// Every combination, on a file that is code.
TEST(file_mappings_obey_protection) {
    static uint32_t code[PAGE_BYTES / 4];
    for (size_t i = 0; i < ARRAY_SIZE(code); i++)
        code[i] = 0x00008067; // ret
    file_make("code", code, sizeof code);
    int fd = open("code", O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (int protection = PROT_NONE; protection <= PROT_ALL; protection++) {
            char *start = map_file(fd, 0, PAGE_BYTES, protection, sharings[i]);
            for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++) {
                bool works = touch_works(how == TOUCH_JUMP ? start : start + 100, how);
                if (works != protection_allows(protection, how))
                    FAIL("expected way %d %d with protection %d, saw %d", how, !works, protection,
                         works);
            }
            if (!protection_allows(protection, TOUCH_LOAD))
                CHECK_FAILS(write(TEST_FD, start, 1), EFAULT);
            if (!protection_allows(protection, TOUCH_STORE))
                CHECK_FAILS(fstat(fd, (struct stat *)start), EFAULT);
            unmap_pages(start, 1);
        }
    }
}

TEST(unmappable_files_are_refused) {
    int fds[2];
    file_make_pattern("file", SIZE);
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, mknod("device", DEVICE_CONSOLE, 0));
    CHECK_EQUAL(0, pipe(fds));
    int directory = open("directory", O_RDONLY), device = open("device", O_RDWR);
    int reading = open("file", O_RDONLY), writing = open("file", O_WRONLY),
        closed = open("file", O_RDWR);
    CHECK(directory >= 0 && device >= 0 && reading >= 0 && writing >= 0 && closed >= 0);
    CHECK_EQUAL(0, close(closed));
    test_own_pages();
    uint64_t before = test_frames_free();
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, sharings[i], fds[0], 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, sharings[i], fds[1], 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, sharings[i], directory, 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, sharings[i], device, 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, sharings[i], closed, 0), EBADF);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, sharings[i], writing, 0), EACCES);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_NONE, sharings[i], writing, 0), EACCES);
        CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_WRITE, sharings[i], writing, 0), EACCES);
        CHECK_FAILS((long)mmap(NULL, 0, PROT_READ, sharings[i], reading, 0), EINVAL);
        CHECK_FAILS((long)mmap(NULL, 1ul << 39, PROT_READ, sharings[i], reading, 0), ENOMEM);
    }
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, MAP_SHARED, reading, 0), EACCES);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_WRITE, MAP_SHARED, reading, 0), EACCES);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_PRIVATE, reading, 0),
                EINVAL);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, PROT_READ, 0, reading, 0), EINVAL);
    CHECK_EQUAL(before, test_frames_free());
    // A file that is not open for writing may be written privately, and read when shared.
    char *private = map_file(reading, 0, PAGE_BYTES, RW, MAP_PRIVATE),
         *shared = map_file(reading, 0, PAGE_BYTES, PROT_READ, MAP_SHARED);
    private[0] = 0;
    check_touch_kills(shared, TOUCH_STORE);
    file_check_pattern("file", SIZE);
}
