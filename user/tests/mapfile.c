// mmap of files: what private and shared mappings show of a file, and which of their writes reach
// it.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

enum { SIZE = 5 * PAGE_BYTES + 100, PAGES = 6 };

TEST(mapped_file_shows_its_contents) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_new_pattern("file", SIZE, PROT_READ, sharings[i]);
        pattern_check(start, 0, SIZE);
        CHECK_BYTES(start + SIZE, 0, PAGES * PAGE_BYTES - SIZE);
        unmap_pages(start, PAGES);
        file_check_pattern("file", SIZE);
    }
}

// Reading takes no frame, because the cache's is mapped; a write makes a copy, which the file never
// sees.
TEST(private_file_pages_are_copied_when_written) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_PRIVATE);
    test_own_pages();
    struct memstat before = test_memstat();
    pattern_check(start, 0, SIZE);
    for (int i = 0; i < PAGES; i++) {
        struct pageinfo page = test_page(start + i * PAGE_BYTES);
        CHECK_EQUAL(PAGE_PRESENT | PAGE_READ | PAGE_COW | PAGE_FILE, page.flags & ~PAGE_REGION);
        CHECK_EQUAL(2, page.sharers);
    }
    struct memstat now = test_memstat();
    CHECK_EQUAL(before.frames_used[FRAME_USER], now.frames_used[FRAME_USER]);
    CHECK_EQUAL(before.faults[FAULT_FILE] + PAGES, now.faults[FAULT_FILE]);
    start[PAGE_BYTES] ^= 1;
    start[5 * PAGE_BYTES + 50] ^= 1;
    now = test_memstat();
    CHECK_EQUAL(before.frames_used[FRAME_USER] + 2, now.frames_used[FRAME_USER]);
    CHECK_EQUAL(before.faults[FAULT_COW_COPY] + 2, now.faults[FAULT_COW_COPY]);
    CHECK_EQUAL(PAGE_WRITE, flags_at(start + PAGE_BYTES) & (PAGE_WRITE | PAGE_COW));
    pattern_check(start + PAGE_BYTES + 1, PAGE_BYTES + 1, 4 * PAGE_BYTES);
    file_check_pattern("file", SIZE);
    unmap_pages(start, PAGES);
    CHECK_EQUAL(before.frames_used[FRAME_USER], user_frames());
    file_check_pattern("file", SIZE);
}

// A write to a page that has not been read copies it, too.
TEST(private_file_pages_written_before_read) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_PRIVATE);
    for (int i = 0; i < PAGES; i++)
        start[i * PAGE_BYTES + 7] ^= 1;
    for (int i = 0; i < PAGES; i++)
        start[i * PAGE_BYTES + 7] ^= 1;
    pattern_check(start, 0, SIZE);
    memset(start, 1, PAGES * PAGE_BYTES);
    file_check_pattern("file", SIZE);
    IN_CHILD memset(start, 2, PAGES * PAGE_BYTES);
    CHECK_CHILD(0);
    CHECK_BYTES(start, 1, PAGES * PAGE_BYTES);
}

// read sees stores through the mapping at once, and the mapping shows at once what is written.
TEST(writes_to_shared_pages_reach_the_file) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_SHARED);
    pattern_check(start, 0, SIZE);
    for (int i = 0; i < PAGES; i++) {
        unsigned flags = flags_at(start + i * PAGE_BYTES) & ~PAGE_REGION;
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
    memset(buffer, 77, 2 * PAGE_BYTES + 5);
    write_fully(fd, buffer, 2 * PAGE_BYTES + 5);
    CHECK_BYTES(start, 77, 2 * PAGE_BYTES + 5);
    CHECK_EQUAL(0, close(fd));
    unmap_pages(start, PAGES);
    CHECK_EQUAL(77, file_byte("file", 2 * PAGE_BYTES + 4));
    for (size_t at = 9000; at < SIZE; at += 1000)
        CHECK_EQUAL(at / 1000 + 1, file_byte("file", at));
    CHECK_EQUAL(SIZE, file_stat("file").size);
}

TEST(shared_mappings_of_one_file_agree) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    char *first = map_file(fd, 0, SIZE, RW, MAP_SHARED),
         *second = map_file(fd, PAGE_BYTES, SIZE - PAGE_BYTES, RW, MAP_SHARED);
    char *private = map_file(fd, 0, SIZE, RW, MAP_PRIVATE);
    first[PAGE_BYTES + 1] = 'a';
    second[PAGE_BYTES + 1] = 'b';
    CHECK_EQUAL('a', second[1]);
    CHECK_EQUAL('b', first[2 * PAGE_BYTES + 1]);
    CHECK_FRAME(test_page(second).frame, test_page(first + PAGE_BYTES).frame);
    private[3 * PAGE_BYTES] = 'p';
    first[3 * PAGE_BYTES] = 'q';
    CHECK_EQUAL('p', private[3 * PAGE_BYTES]);
    CHECK_EQUAL('q', second[2 * PAGE_BYTES]);
    unmap_pages(first, PAGES);
    CHECK_EQUAL('a', second[1]);
    second[2] = 'c';
    unmap_pages(second, PAGES - 1);
    CHECK_EQUAL('a', file_byte("file", PAGE_BYTES + 1));
    CHECK_EQUAL('c', file_byte("file", PAGE_BYTES + 2));
    CHECK_EQUAL('b', file_byte("file", 2 * PAGE_BYTES + 1));
    CHECK_EQUAL('q', file_byte("file", 3 * PAGE_BYTES));
}

// Mappings may start at any page of the file and have any length.
TEST(parts_of_files_can_be_mapped) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (size_t offset = 0; offset < PAGES * PAGE_BYTES; offset += PAGE_BYTES) {
            for (size_t length = 1; length < 3 * PAGE_BYTES; length += PAGE_BYTES - 1) {
                char *start = map_file(fd, offset, length, RW, sharings[i]);
                size_t left = SIZE - offset, pages = (length + PAGE_BYTES - 1) / PAGE_BYTES;
                pattern_check(start, offset, pages * PAGE_BYTES < left ? pages * PAGE_BYTES : left);
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
        unmap_pages(start + 2 * PAGE_BYTES, 1);
        unmap_pages(start + 5 * PAGE_BYTES, 1);
        pattern_check(start + PAGE_BYTES, PAGE_BYTES, PAGE_BYTES);
        pattern_check(start + 3 * PAGE_BYTES, 3 * PAGE_BYTES, 2 * PAGE_BYTES);
        check_touch_kills(start + 2 * PAGE_BYTES, TOUCH_LOAD);
        CHECK(mmap(start + 2 * PAGE_BYTES, PAGE_BYTES, RW, sharings[i] | MAP_FIXED, fd,
                   4 * PAGE_BYTES) == start + 2 * PAGE_BYTES);
        pattern_check(start + 2 * PAGE_BYTES, 4 * PAGE_BYTES, PAGE_BYTES);
        CHECK(mmap(start + 3 * PAGE_BYTES, PAGE_BYTES, RW, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
                   -1, 0) == start + 3 * PAGE_BYTES);
        CHECK_BYTES(start + 3 * PAGE_BYTES, 0, PAGE_BYTES);
        start[0] ^= 1;
        memset(start + 3 * PAGE_BYTES, 1, PAGE_BYTES);
        unmap_pages(start, PAGES);
        file_check_pattern("file", SIZE);
    }
}

// System calls that move bytes between a file and mappings, including its own.
TEST(system_calls_through_mapped_files) {
    int fd = pattern_open("file", SIZE, O_RDWR), fds[2];
    char *shared = map_file(fd, 0, SIZE, RW, MAP_SHARED),
         *private = map_file(fd, 0, SIZE, RW, MAP_PRIVATE);
    read_fully(fd, shared + PAGE_BYTES, PAGE_BYTES); // its own first page into its second
    pattern_check(shared + PAGE_BYTES, 0, PAGE_BYTES);
    read_fully(fd, shared + PAGE_BYTES, PAGE_BYTES); // the second page into itself
    pattern_check(shared + PAGE_BYTES, 0, PAGE_BYTES);
    write_fully(fd, shared, 2 * PAGE_BYTES); // the first two become the third and fourth
    pattern_check(shared + 2 * PAGE_BYTES, 0, PAGE_BYTES);
    pattern_check(shared + 3 * PAGE_BYTES, 0, PAGE_BYTES);
    read_fully(fd, private + 2 * PAGE_BYTES, PAGE_BYTES);
    pattern_check(private + 2 * PAGE_BYTES, 4 * PAGE_BYTES, PAGE_BYTES);
    pattern_check(shared + 2 * PAGE_BYTES, 0, PAGE_BYTES);
    CHECK_EQUAL(0, pipe(fds));
    write_fully(fds[1], "from a pipe", 11);
    read_fully(fds[0], shared + PAGE_BYTES - 5, 11);
    CHECK(memcmp(shared + PAGE_BYTES - 5, "from a pipe", 11) == 0);
    write_fully(fds[1], shared + PAGE_BYTES - 5, 11);
    read_fully(fds[0], buffer, 11);
    CHECK(memcmp(buffer, "from a pipe", 11) == 0);
    CHECK_EQUAL('f', file_byte("file", PAGE_BYTES - 5));
    CHECK_EQUAL(0, fstat(fd, (struct stat *)(shared + 8)));
    CHECK_EQUAL(SIZE, ((struct stat *)(shared + 8))->size);
    memcpy(shared + 5 * PAGE_BYTES, "file", 5);
    CHECK_EQUAL(0, close(open(shared + 5 * PAGE_BYTES, O_RDONLY)));
    CHECK_FAILS(read(fd, shared + 6 * PAGE_BYTES - 10, 2 * PAGE_BYTES), EFAULT);
}

// Writes through mappings, writes through descriptors and commits of the log, all at the same time.
TEST(mappings_written_while_files_are_written) {
    enum { WRITERS = 4, AREA = 3 * PAGE_BYTES };
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
                unmap_pages(start, WRITERS * AREA / PAGE_BYTES);
            }
        }
    }
    CHECK_CHILDREN(WRITERS);
    int fd = open("file", O_RDONLY);
    char *start = map_file(fd, 0, WRITERS * AREA, PROT_READ, MAP_SHARED);
    for (int i = 0; i < WRITERS; i++)
        CHECK_BYTES(start + i * AREA, 14 + i, AREA);
}
