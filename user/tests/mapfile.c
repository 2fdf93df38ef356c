// mmap of files: what a mapping shows and what it keeps to itself, ends of files, rights, refusals,
// one cache for mappings, read and write, and the limits of the cache.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "support.h"

enum { RW = PROT_READ | PROT_WRITE, SIZE = 5 * PAGE + 100, PAGES = 6 };

static const int sharings[] = {MAP_PRIVATE, MAP_SHARED};

static unsigned flags_at(const void *p) {
    return test_page(p).flags;
}

// Opens a new file of that size with the pattern.
static int pattern_open(const char *name, size_t size, int flags) {
    file_make_pattern(name, size);
    int fd = open(name, flags);
    CHECK(fd >= 0);
    return fd;
}

static char *map_new_pattern(const char *name, size_t size, int protection, int flags) {
    int fd = pattern_open(name, size, O_RDWR);
    char *start = map_file(fd, 0, size, protection, flags);
    CHECK_EQUAL(0, close(fd));
    return start;
}

// A byte of the file as read has it.
static uint8_t file_byte(const char *name, size_t place) {
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    for (; place >= sizeof buffer; place -= sizeof buffer)
        read_fully(fd, buffer, sizeof buffer);
    read_fully(fd, buffer, place + 1);
    CHECK_EQUAL(0, close(fd));
    return (uint8_t)buffer[place];
}

TEST(mapped_file_shows_its_contents) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_new_pattern("file", SIZE, PROT_READ, sharings[i]);
        pattern_check(start, 0, SIZE);
        CHECK_BYTES(start + SIZE, 0, PAGES * PAGE - SIZE);
        unmap_pages(start, PAGES);
        file_check_pattern("file", SIZE);
    }
}

// Reading takes no frame, the cache's is mapped; a write is a copy, which the file never sees.
TEST(private_file_pages_are_copied_when_written) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_PRIVATE);
    test_own_pages();
    struct memstat before = test_memstat();
    pattern_check(start, 0, SIZE);
    for (int i = 0; i < PAGES; i++) {
        struct pageinfo page = test_page(start + i * PAGE);
        CHECK_EQUAL(PAGE_PRESENT | PAGE_READ | PAGE_COW | PAGE_FILE, page.flags & ~PAGE_REGION);
        CHECK_EQUAL(2, page.sharers);
    }
    struct memstat now = test_memstat();
    CHECK_EQUAL(before.frames_used[FRAME_USER], now.frames_used[FRAME_USER]);
    CHECK_EQUAL(before.faults[FAULT_FILE] + PAGES, now.faults[FAULT_FILE]);
    start[PAGE] ^= 1;
    start[5 * PAGE + 50] ^= 1;
    now = test_memstat();
    CHECK_EQUAL(before.frames_used[FRAME_USER] + 2, now.frames_used[FRAME_USER]);
    CHECK_EQUAL(before.faults[FAULT_COW_COPY] + 2, now.faults[FAULT_COW_COPY]);
    CHECK_EQUAL(PAGE_WRITE, flags_at(start + PAGE) & (PAGE_WRITE | PAGE_COW));
    pattern_check(start + PAGE + 1, PAGE + 1, 4 * PAGE);
    file_check_pattern("file", SIZE);
    unmap_pages(start, PAGES);
    CHECK_EQUAL(before.frames_used[FRAME_USER], user_frames());
    file_check_pattern("file", SIZE);
}

// A first write to a page that nobody has read copies it, too.
TEST(private_file_pages_may_be_written_first) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_PRIVATE);
    for (int i = 0; i < PAGES; i++)
        start[i * PAGE + 7] ^= 1;
    for (int i = 0; i < PAGES; i++)
        start[i * PAGE + 7] ^= 1;
    pattern_check(start, 0, SIZE);
    memset(start, 1, PAGES * PAGE);
    file_check_pattern("file", SIZE);
    IN_CHILD memset(start, 2, PAGES * PAGE);
    CHECK_CHILD(0);
    CHECK_BYTES(start, 1, PAGES * PAGE);
}

// Stores through the mapping are the file's, at once, for read; and what is written shows at once.
TEST(shared_file_pages_are_the_files) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_SHARED);
    pattern_check(start, 0, SIZE);
    for (int i = 0; i < PAGES; i++) {
        unsigned flags = flags_at(start + i * PAGE) & ~PAGE_REGION;
        CHECK_EQUAL(PAGE_PRESENT | PAGE_READ | PAGE_SHARED | PAGE_FILE, flags);
    }
    uint64_t frames = user_frames();
    for (size_t at = 0; at < SIZE; at += 1000) {
        start[at] = (char)(at / 1000 + 1);
        CHECK_EQUAL(at / 1000 + 1, file_byte("file", at));
    }
    CHECK_EQUAL(frames, user_frames());
    CHECK_EQUAL(PAGE_WRITE, flags_at(start) & (PAGE_WRITE | PAGE_COW));
    file_make_pattern("other", 10);
    int fd = open("file", O_WRONLY);
    memset(buffer, 77, 2 * PAGE + 5);
    write_fully(fd, buffer, 2 * PAGE + 5);
    CHECK_BYTES(start, 77, 2 * PAGE + 5);
    CHECK_EQUAL(0, close(fd));
    unmap_pages(start, PAGES);
    CHECK_EQUAL(77, file_byte("file", 2 * PAGE + 4));
    for (size_t at = 9000; at < SIZE; at += 1000)
        CHECK_EQUAL(at / 1000 + 1, file_byte("file", at));
    CHECK_EQUAL(SIZE, file_stat("file").size);
}

TEST(two_mappings_of_a_file_are_one_memory) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    char *first = map_file(fd, 0, SIZE, RW, MAP_SHARED),
         *second = map_file(fd, PAGE, SIZE - PAGE, RW, MAP_SHARED);
    char *private = map_file(fd, 0, SIZE, RW, MAP_PRIVATE);
    first[PAGE + 1] = 'a';
    second[PAGE + 1] = 'b';
    CHECK_EQUAL('a', second[1]);
    CHECK_EQUAL('b', first[2 * PAGE + 1]);
    CHECK_FRAME(test_page(second).frame, test_page(first + PAGE).frame);
    private[3 * PAGE] = 'p';
    first[3 * PAGE] = 'q';
    CHECK_EQUAL('p', private[3 * PAGE]);
    CHECK_EQUAL('q', second[2 * PAGE]);
    unmap_pages(first, PAGES);
    CHECK_EQUAL('a', second[1]);
    second[2] = 'c';
    unmap_pages(second, PAGES - 1);
    CHECK_EQUAL('a', file_byte("file", PAGE + 1));
    CHECK_EQUAL('c', file_byte("file", PAGE + 2));
    CHECK_EQUAL('b', file_byte("file", 2 * PAGE + 1));
    CHECK_EQUAL('q', file_byte("file", 3 * PAGE));
}

// Mappings may start at any page of the file and have any length.
TEST(parts_of_files_can_be_mapped) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (size_t offset = 0; offset < PAGES * PAGE; offset += PAGE) {
            for (size_t length = 1; length < 3 * PAGE; length += PAGE - 1) {
                char *start = map_file(fd, offset, length, RW, sharings[i]);
                size_t left = SIZE - offset, pages = (length + PAGE - 1) / PAGE;
                pattern_check(start, offset, pages * PAGE < left ? pages * PAGE : left);
                start[0] ^= 1;
                start[0] ^= 1;
                unmap_pages(start, pages);
            }
        }
    }
    file_check_pattern("file", SIZE);
}

TEST(pieces_of_mapped_files) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_file(fd, 0, SIZE, RW, sharings[i]);
        start[0] ^= 1;
        unmap_pages(start + 2 * PAGE, 1);
        unmap_pages(start + 5 * PAGE, 1);
        pattern_check(start + PAGE, PAGE, PAGE);
        pattern_check(start + 3 * PAGE, 3 * PAGE, 2 * PAGE);
        check_touch_kills(start + 2 * PAGE, TOUCH_LOAD);
        CHECK(mmap(start + 2 * PAGE, PAGE, RW, sharings[i] | MAP_FIXED, fd, 4 * PAGE) ==
              start + 2 * PAGE);
        pattern_check(start + 2 * PAGE, 4 * PAGE, PAGE);
        CHECK(mmap(start + 3 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) ==
              start + 3 * PAGE);
        CHECK_BYTES(start + 3 * PAGE, 0, PAGE);
        start[0] ^= 1;
        memset(start + 3 * PAGE, 1, PAGE);
        unmap_pages(start, PAGES);
        file_check_pattern("file", SIZE);
    }
}

// Behind the end of the file the last page is zero and what is stored there stays nowhere; the
// pages after it fault.
TEST(pages_beyond_the_end_of_the_file) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int fd = pattern_open("file", PAGE + 100, O_RDWR);
        char *start = map_file(fd, 0, 4 * PAGE, RW, sharings[i]);
        CHECK_BYTES(start + PAGE + 100, 0, PAGE - 100);
        memset(start + PAGE + 100, 5, PAGE - 100);
        for (int page = 2; page < 4; page++) {
            check_touch_kills(start + page * PAGE, TOUCH_LOAD);
            check_touch_kills(start + page * PAGE, TOUCH_STORE);
            CHECK_FAILS(write(TEST_FD, start + page * PAGE, 1), EFAULT);
            CHECK_FAILS(fstat(fd, (struct stat *)(start + page * PAGE)), EFAULT);
            CHECK_EQUAL(PAGE_REGION, flags_at(start + page * PAGE) & (PAGE_REGION | PAGE_PRESENT));
        }
        CHECK_EQUAL(PAGE + 100, file_stat("file").size);
        unmap_pages(start, 4);
        file_check_pattern("file", PAGE + 100);
        start = map_file(fd, PAGE, PAGE, PROT_READ, sharings[i]);
        pattern_check(start, PAGE, 100);
        CHECK_BYTES(start + 100, 0, PAGE - 100);
        unmap_pages(start, 1);
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(mappings_of_empty_files) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        int fd = pattern_open("empty", 0, O_RDWR);
        char *start = map_file(fd, 0, 2 * PAGE, RW, sharings[i]);
        char *far = map_file(fd, 1ul << 40, PAGE, RW, sharings[i]);
        check_touch_kills(start, TOUCH_LOAD);
        check_touch_kills(far, TOUCH_STORE);
        write_fully(fd, "now there is something", 22);
        CHECK(memcmp(start, "now there is something", 22) == 0);
        CHECK_BYTES(start + 22, 0, PAGE - 22);
        check_touch_kills(start + PAGE, TOUCH_LOAD);
        unmap_pages(start, 2);
        unmap_pages(far, 1);
        CHECK_EQUAL(0, close(fd));
    }
}

// The last pages of all that can be named: no sum may wrap around.
TEST(offsets_beyond_everything) {
    static const uint64_t offsets[] = {1ul << 32, 1ul << 44, 1ul << 52, 1ul << 62,
                                       INT64_MAX - PAGE + 1};
    int fd = pattern_open("file", SIZE, O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        char *start = mmap(NULL, 3 * PAGE, RW, sharings[i % 2], fd, (long)offsets[i]);
        if (start == MAP_FAILED)
            continue; // as good
        for (int page = 0; page < 3; page++)
            check_touch_kills(start + page * PAGE, TOUCH_LOAD);
        unmap_pages(start, 3);
    }
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, INT64_MIN), EINVAL);
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, -PAGE), EINVAL);
    for (long odd = 1; odd < PAGE; odd *= 2)
        CHECK_FAILS((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, odd), EINVAL);
}

TEST(files_may_grow_under_mappings) {
    int fd = pattern_open("file", 100, O_RDWR);
    char *start = map_file(fd, 0, 4 * PAGE, RW, MAP_SHARED);
    pattern_check(start, 0, 100);
    check_touch_kills(start + PAGE, TOUCH_LOAD);
    start[300] = 1; // behind the end, which passes it later
    read_fully(fd, buffer, 100);
    pattern_fill(buffer, 100, 2 * PAGE);
    write_fully(fd, buffer, 2 * PAGE);
    pattern_check(start, 0, 2 * PAGE + 100);
    check_touch_kills(start + 3 * PAGE, TOUCH_LOAD);
    start[2 * PAGE + 10] = 'x';
    unmap_pages(start, 4);
    CHECK_EQUAL('x', file_byte("file", 2 * PAGE + 10));
    CHECK_EQUAL(2 * PAGE + 100, file_stat("file").size);
}

static bool allows(int protection, enum touch how) {
    static const int needs[] = {
        [TOUCH_LOAD] = RW, [TOUCH_STORE] = PROT_WRITE, [TOUCH_JUMP] = PROT_EXEC};
    return protection & needs[how];
}

// Every combination, on a file that is code.
TEST(protections_of_files) {
    static uint32_t code[PAGE / 4];
    for (size_t i = 0; i < ARRAY_SIZE(code); i++)
        code[i] = 0x00008067; // ret
    file_make("code", code, sizeof code);
    int fd = open("code", O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (int protection = PROT_NONE; protection <= PROT_ALL; protection++) {
            char *start = map_file(fd, 0, PAGE, protection, sharings[i]);
            for (enum touch how = TOUCH_LOAD; how <= TOUCH_JUMP; how++) {
                bool works = touch_works(how == TOUCH_JUMP ? start : start + 100, how);
                if (works != allows(protection, how))
                    FAIL("expected way %d %d with protection %d, saw %d", how, !works, protection,
                         works);
            }
            if (!allows(protection, TOUCH_LOAD))
                CHECK_FAILS(write(TEST_FD, start, 1), EFAULT);
            if (!allows(protection, TOUCH_STORE))
                CHECK_FAILS(fstat(fd, (struct stat *)start), EFAULT);
            unmap_pages(start, 1);
        }
    }
}

TEST(wrong_files_are_refused) {
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
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, sharings[i], fds[0], 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, sharings[i], fds[1], 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, sharings[i], directory, 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, sharings[i], device, 0), ENODEV);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, sharings[i], closed, 0), EBADF);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, sharings[i], writing, 0), EACCES);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_NONE, sharings[i], writing, 0), EACCES);
        CHECK_FAILS((long)mmap(NULL, PAGE, PROT_WRITE, sharings[i], writing, 0), EACCES);
        CHECK_FAILS((long)mmap(NULL, 0, PROT_READ, sharings[i], reading, 0), EINVAL);
        CHECK_FAILS((long)mmap(NULL, 1ul << 39, PROT_READ, sharings[i], reading, 0), ENOMEM);
    }
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, MAP_SHARED, reading, 0), EACCES);
    CHECK_FAILS((long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reading, 0), EACCES);
    CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_PRIVATE, reading, 0), EINVAL);
    CHECK_FAILS((long)mmap(NULL, PAGE, PROT_READ, 0, reading, 0), EINVAL);
    CHECK_EQUAL(before, test_frames_free());
    // What is not open for writing may be written privately, and read when shared.
    char *private = map_file(reading, 0, PAGE, RW, MAP_PRIVATE),
         *shared = map_file(reading, 0, PAGE, PROT_READ, MAP_SHARED);
    private[0] = 0;
    check_touch_kills(shared, TOUCH_STORE);
    file_check_pattern("file", SIZE);
}

// No mapping, no file, no name: the pages stay until they are unmapped.
TEST(mappings_outlive_close_and_unlink) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_new_pattern("file", SIZE, RW, sharings[i]);
        CHECK_EQUAL(pattern_byte(0), *start);
        CHECK_EQUAL(0, unlink("file"));
        file_make_pattern("other", 20 * PAGE); // would take blocks that are free
        pattern_check(start, 0, SIZE);
        start[PAGE] ^= 1;
        IN_CHILD start[2 * PAGE] ^= 1;
        CHECK_CHILD(0);
        start[PAGE] ^= 1;
        if (sharings[i] == MAP_SHARED)
            start[2 * PAGE] ^= 1;
        pattern_check(start, 0, SIZE);
        unmap_pages(start, PAGES);
        file_check_pattern("other", 20 * PAGE);
    }
}

// Its blocks and its inode come back then: there is not room for all of these.
TEST(unlinked_mapped_files_are_freed) {
    enum { LARGE = 64 * PAGE };
    for (int round = 0; round < 130; round++) {
        char *start = map_new_pattern("file", LARGE, RW, sharings[round % 2]);
        CHECK_EQUAL(0, unlink("file"));
        start[LARGE - 1] ^= 1;
        if (round % 3 != 0)
            unmap_pages(start, LARGE / PAGE);
        if (round % 3 == 0) {
            IN_CHILD {}
            CHECK_CHILD(0);
            unmap_pages(start, LARGE / PAGE);
        }
    }
}

TEST(mapped_files_cannot_be_emptied) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_SHARED);
    start[0] ^= 1;
    for (int i = 0; i < 3; i++)
        CHECK_FAILS(open("file", O_RDWR | O_TRUNC), EBUSY);
    IN_CHILD {
        unmap_pages(start, PAGES);
        CHECK_FAILS(open("file", O_WRONLY | O_TRUNC), EBUSY);
    }
    CHECK_CHILD(0);
    unmap_pages(start + PAGE, PAGES - 1);
    CHECK_FAILS(open("file", O_RDWR | O_TRUNC), EBUSY);
    start[0] ^= 1;
    unmap_pages(start, 1);
    file_check_pattern("file", SIZE);
    CHECK_EQUAL(0, close(open("file", O_RDWR | O_TRUNC)));
    CHECK_EQUAL(0, file_stat("file").size);
    // Private mappings do not keep a file; what was read of it stays or is gone.
    start = map_new_pattern("file", SIZE, RW, MAP_PRIVATE);
    CHECK_EQUAL(pattern_byte(PAGE), start[PAGE]);
    start[0] = 1;
    CHECK_EQUAL(0, close(open("file", O_RDWR | O_TRUNC)));
    file_make_pattern("other", 20 * PAGE);
    CHECK_EQUAL(1, start[0]);
    pattern_check(start + 1, 1, PAGE - 1);
    CHECK(!touch_works(start + PAGE, TOUCH_LOAD) || (uint8_t)start[PAGE] == pattern_byte(PAGE));
    check_touch_kills(start + 2 * PAGE, TOUCH_LOAD);
}

// System calls that move bytes between a file and mappings, its own among them.
TEST(system_calls_through_mapped_files) {
    int fd = pattern_open("file", SIZE, O_RDWR), fds[2];
    char *shared = map_file(fd, 0, SIZE, RW, MAP_SHARED),
         *private = map_file(fd, 0, SIZE, RW, MAP_PRIVATE);
    read_fully(fd, shared + PAGE, PAGE); // its own first page into its second
    pattern_check(shared + PAGE, 0, PAGE);
    read_fully(fd, shared + PAGE, PAGE); // the second page into itself
    pattern_check(shared + PAGE, 0, PAGE);
    write_fully(fd, shared, 2 * PAGE); // the first two become the third and fourth
    pattern_check(shared + 2 * PAGE, 0, PAGE);
    pattern_check(shared + 3 * PAGE, 0, PAGE);
    read_fully(fd, private + 2 * PAGE, PAGE);
    pattern_check(private + 2 * PAGE, 4 * PAGE, PAGE);
    pattern_check(shared + 2 * PAGE, 0, PAGE);
    CHECK_EQUAL(0, pipe(fds));
    write_fully(fds[1], "from a pipe", 11);
    read_fully(fds[0], shared + PAGE - 5, 11);
    CHECK(memcmp(shared + PAGE - 5, "from a pipe", 11) == 0);
    write_fully(fds[1], shared + PAGE - 5, 11);
    read_fully(fds[0], buffer, 11);
    CHECK(memcmp(buffer, "from a pipe", 11) == 0);
    CHECK_EQUAL('f', file_byte("file", PAGE - 5));
    CHECK_EQUAL(0, fstat(fd, (struct stat *)(shared + 8)));
    CHECK_EQUAL(SIZE, ((struct stat *)(shared + 8))->size);
    memcpy(shared + 5 * PAGE, "file", 5);
    CHECK_EQUAL(0, close(open(shared + 5 * PAGE, O_RDONLY)));
    CHECK_FAILS(read(fd, shared + 6 * PAGE - 10, 2 * PAGE), EFAULT);
}

// Writes through mappings, writes through descriptors and commits of the log, all at once.
TEST(mappings_and_writes_at_once) {
    enum { WRITERS = 4, AREA = 3 * PAGE };
    file_make_pattern("file", WRITERS * AREA);
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            char name[NAME_BYTES + 1];
            int fd = open("file", O_RDWR);
            for (int round = 0; round < 15; round++) {
                char *start = map_file(fd, 0, WRITERS * AREA, RW, MAP_SHARED);
                memset(start + i * AREA, round + i, AREA);
                file_make(name_with(name, "other", (unsigned)i), start + i * AREA, AREA);
                CHECK_BYTES(start + i * AREA, round + i, AREA);
                unmap_pages(start, WRITERS * AREA / PAGE);
            }
        }
    }
    CHECK_CHILDREN(WRITERS);
    int fd = open("file", O_RDONLY);
    char *start = map_file(fd, 0, WRITERS * AREA, PROT_READ, MAP_SHARED);
    for (int i = 0; i < WRITERS; i++)
        CHECK_BYTES(start + i * AREA, 14 + i, AREA);
}

// Shared mappings may take a part of the cache; what is refused then harms nobody, and the cache
// goes on.
TEST(shared_mappings_of_files_are_limited) {
    enum { MOST = 1024, STEP = 32 };
    size_t count = 0;
    file_make_pattern("file", MOST * PAGE);
    int fd = open("file", O_RDWR);
    static char *starts[MOST / STEP];
    test_own_pages();
    uint64_t before = test_frames_free();
    for (char *start; count < MOST / STEP; count++) {
        start = mmap(NULL, STEP * PAGE, RW, MAP_SHARED, fd, (long)(count * STEP * PAGE));
        if (start == MAP_FAILED)
            break;
        starts[count] = start;
    }
    CHECK_EQUAL(ENOMEM, errno);
    CHECK(count >= 4 && count < MOST / STEP);
    for (size_t i = 0; i < count; i++)
        pattern_check(starts[i], i * STEP * PAGE, STEP * PAGE);
    for (size_t i = 0; i < count; i++)
        memset(starts[i], (int)i, STEP * PAGE);
    CHECK_FAILS(fork(), ENOMEM);
    file_make_pattern("other", MOST * PAGE); // goes through what is left of the cache
    file_check_pattern("other", MOST * PAGE);
    for (size_t i = 0; i < count; i++)
        CHECK_BYTES(starts[i], (int)i, STEP * PAGE);
    char *private = map_file(fd, 0, MOST * PAGE, RW, MAP_PRIVATE);
    for (size_t i = 0; i < count; i++)
        CHECK_EQUAL((int)i, private[i * STEP * PAGE]);
    for (size_t i = count * STEP; i < MOST; i++)
        CHECK_EQUAL(pattern_byte(i * PAGE), (uint8_t) private[i * PAGE]);
    unmap_pages(private, MOST);
    for (size_t i = 0; i < count; i++)
        unmap_pages(starts[i], STEP);
    test_own_pages();
    CHECK_EQUAL(before, test_frames_free());
    for (size_t i = 0; i < count; i++)
        read_fully(fd, buffer, PAGE);
    char *again = map_file(fd, 0, STEP * PAGE, PROT_READ, MAP_SHARED);
    CHECK_BYTES(again, 0, STEP * PAGE);
    IN_CHILD CHECK_BYTES(again, 0, STEP * PAGE);
    CHECK_CHILD(0);
}

TEST(mapping_files_again_and_again_leaks_nothing) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    test_own_pages();
    uint64_t before = test_frames_free();
    for (int round = 0; round < 200; round++) {
        char *start = map_file(fd, 0, SIZE, round % 3 == 0 ? PROT_READ : RW, sharings[round % 2]);
        pattern_check(start + round % PAGES * PAGE, (size_t)(round % PAGES) * PAGE, 100);
        if (round % 3 != 0 && round % 2 == 0)
            memset(start, 1, SIZE);
        if (round % 8 == 0)
            unmap_pages(start + 2 * PAGE, 1);
        unmap_pages(start, PAGES);
        CHECK_FAILS((long)mmap(NULL, SIZE, RW, MAP_PRIVATE, fd, 1), EINVAL);
    }
    CHECK_EQUAL(before, test_frames_free());
    CHECK_EQUAL(0, close(open("file", O_RDWR | O_TRUNC)));
}

// Programs that end in every way with changed pages: the file has them afterwards.
TEST(changes_reach_the_file_however_a_process_ends) {
    for (int way = 0; way < 6; way++) {
        file_make_pattern("file", SIZE);
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            char *start = map_file(open("file", O_RDWR), 0, SIZE, RW, MAP_SHARED);
            for (int i = 0; i < PAGES; i++)
                start[i * PAGE + 9] = (char)(way + 1);
            for (int fd = 0; fd < TEST_FD; fd++)
                close(fd);
            if (way == 1)
                unmap_pages(start, PAGES);
            if (way == 2)
                exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            if (way == 3)
                kill(getpid());
            if (way == 4)
                touch(NULL, TOUCH_STORE);
            if (way == 5)
                CHECK(mmap(start, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
                      start);
            exit(0);
        }
        CHECK_CHILD(way == 3 || way == 4 ? TEST_STATUS_KILLED : 0);
        for (size_t i = 0; i < PAGES; i++)
            CHECK_EQUAL(way + 1, file_byte("file", i * PAGE + 9));
        CHECK_EQUAL(pattern_byte(10), file_byte("file", 10));
        CHECK_EQUAL(SIZE, file_stat("file").size);
        CHECK_EQUAL(0, unlink("file"));
    }
}

// While a process that dies writes its pages back, which takes the disk's time, it still has them.
TEST(invariants_hold_while_changed_pages_are_written_back) {
    enum { MANY = 60 };
    int fd = pattern_open("file", MANY * PAGE, O_RDWR);
    uint64_t broken = test_memstat().violations;
    for (int round = 0; round < 5; round++) {
        struct memstat stat;
        struct procinfo child;
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            char *start = map_file(fd, 0, MANY * PAGE, RW, MAP_SHARED);
            for (int i = 0; i < MANY; i++)
                start[i * PAGE]++;
            exit(0);
        }
        do {
            CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK));
            CHECK_EQUAL(broken, stat.violations);
        } while (procinfo(pid, &child) == pid && child.state != PROCESS_ZOMBIE);
        CHECK_CHILD(0);
    }
}

// A vfork child's mapping of a file ends when the memory that it borrowed does.
TEST(vfork_child_maps_a_file) {
    static char *volatile start;
    file_make_pattern("file", SIZE);
    pid_t pid = vfork();
    if (pid == 0) {
        start = map_file(open("file", O_RDWR), 0, SIZE, RW, MAP_SHARED);
        start[0] = 'v';
        exit(0);
    }
    CHECK_CHILD(0);
    start[PAGE] = 'p';
    CHECK_FAILS(open("file", O_TRUNC | O_RDWR), EBUSY);
    unmap_pages(start, PAGES);
    CHECK_EQUAL('v', file_byte("file", 0));
    CHECK_EQUAL('p', file_byte("file", PAGE));
}
